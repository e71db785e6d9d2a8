"""Tables, summary lines and JSON from results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import polars as pl

from benches.common import output

from .faults import FAULTS
from .protocol import Result

IS_PLANTED = pl.col("fault").is_not_null()


def to_frame(results: Iterable[Result]) -> pl.DataFrame:
    """One row for each result. `fault` is null for the test rows as they are."""
    rows = pl.DataFrame([asdict(result) for result in results], infer_schema_length=None).unnest("finding")
    return rows.with_columns(pl.col("fault").cast(pl.Enum(list(FAULTS))), pl.col("named").cast(pl.Float64))


def cells(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each table, training, detector and fault: means over columns and seeds."""
    keys = ["table", "training", "detector", "fault"]
    return frame.group_by(keys, maintain_order=True).agg(pl.col("flagged", "named").mean())


def by_fault(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each kind of fault: the share that is flagged, and the share of these whose column is named."""
    return _compared(frame.filter(IS_PLANTED), "fault").sort("fault")


def by_table(frame: pl.DataFrame) -> pl.DataFrame:
    """The same, one row for each table."""
    return _compared(frame.filter(IS_PLANTED), "table")


def clean_by_table(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each table: the share of its test rows as they are that each detector flags."""
    return _compared(frame.filter(~IS_PLANTED), "table").drop("named")


def _compared(frame: pl.DataFrame, index: str) -> pl.DataFrame:
    """One column for each detector, means over the cells; and `named`, of the one detector that names columns."""
    frame = cells(frame)
    means = frame.group_by(index, "detector", maintain_order=True).agg(pl.col("flagged").mean())
    named = frame.group_by(index).agg(pl.col("named").mean())
    return means.pivot(on="detector", index=index, values="flagged").join(named, on=index, maintain_order="left")


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each training and detector: faults found, columns named, clean rows flagged."""
    grouped = cells(frame).group_by("training", "detector", maintain_order=True)
    return grouped.agg(
        found=pl.col("flagged").filter(IS_PLANTED).mean(),
        named=pl.col("named").mean(),
        clean=pl.col("flagged").filter(~IS_PLANTED).mean(),
    )


def summary_line(frame: pl.DataFrame, training: str) -> str:
    """The summary of one training in a line."""
    rows = summary(frame).filter(training=training)
    found = ", ".join(f"{name} {value:.3f}" for name, value in rows.select("detector", "found").iter_rows())
    named = ", ".join(f"{value:.3f}" for value in rows["named"].drop_nulls())
    clean = ", ".join(f"{name} {value:.3f}" for name, value in rows.select("detector", "clean").iter_rows())
    return f"{training}: found {found}; named {named or 'none'}; clean rows flagged {clean}"


def render(frame: pl.DataFrame) -> str:
    """All tables as Markdown, then the summary lines."""
    with output.markdown():
        return "\n\n".join(_sections(frame))


def _sections(frame: pl.DataFrame) -> Iterator[str]:
    kinds = frame["training"].unique(maintain_order=True)
    for kind in kinds:
        trained = frame.filter(training=kind)
        yield f"trained on {kind} rows: faults found, by kind\n{by_fault(trained)}"
        yield f"trained on {kind} rows: faults found, by table\n{by_table(trained)}"
        yield f"trained on {kind} rows: clean rows flagged\n{clean_by_table(trained)}"
    yield "\n".join(summary_line(frame, kind) for kind in kinds)


def to_json(frame: pl.DataFrame) -> str:
    """The summary and all results as JSON, one row a line."""
    return output.to_json({"summary": summary(frame), "results": frame})
