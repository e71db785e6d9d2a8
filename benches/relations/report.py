"""Frames, tables and summary lines from results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, fields
from pathlib import Path

import polars as pl

from benches.common import output

from .protocol import Findings, Result

SHARES = tuple(field.name for field in fields(Findings))
NONE = dict.fromkeys(SHARES)
SCHEMA: dict[str, type[pl.DataType]] = {
    "kind": pl.String,
    "seed": pl.Int64,
    "training": pl.String,
    "detector": pl.String,
    **dict.fromkeys((*SHARES, "clean"), pl.Float64),
}


def to_frame(results: Iterable[Result]) -> pl.DataFrame:
    """One row for each result, a column for each share."""
    return pl.DataFrame([_row(result) for result in results], schema=SCHEMA)


def _row(result: Result) -> dict[str, object]:
    row = asdict(result)
    return row | (row.pop("findings") or NONE)


def read_frame(path: Path) -> pl.DataFrame:
    """The frame of results that `to_json` wrote."""
    return pl.DataFrame(json.loads(path.read_text())["results"], schema=SCHEMA)


def to_json(frame: pl.DataFrame) -> str:
    """The summary and all results as JSON, one row a line."""
    return output.to_json({"summary": summary(frame), "results": frame})


def by_kind(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each training, kind and detector: means over the seeds."""
    keys = ["training", "kind", "detector"]
    return frame.group_by(keys, maintain_order=True).agg(pl.col(*SHARES, "clean").mean())


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each training and detector: means over the kinds.

    `clean` is of the kinds with a fault, `quiet` of those without any.
    """
    has_fault = pl.col("found").is_not_null()
    return (
        by_kind(frame)
        .group_by("training", "detector", maintain_order=True)
        .agg(
            pl.col(*SHARES).mean(),
            clean=pl.col("clean").filter(has_fault).mean(),
            quiet=pl.col("clean").filter(~has_fault).mean(),
        )
    )


def compared(frame: pl.DataFrame, training: str) -> pl.DataFrame:
    """One row for each kind with a fault: what each detector finds, and what the one with reasons names."""
    rows = by_kind(frame).filter(pl.col("training") == training, pl.col("found").is_not_null())
    return _side_by_side(rows, "found").join(_reasons(rows), on="kind", how="left", maintain_order="left")


def flagged(frame: pl.DataFrame, training: str) -> pl.DataFrame:
    """One row for each kind: the share of the rows without a fault that each detector flags."""
    return _side_by_side(by_kind(frame).filter(training=training), "clean")


def _side_by_side(rows: pl.DataFrame, values: str) -> pl.DataFrame:
    return rows.pivot(on="detector", index="kind", values=values)


def _reasons(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by("kind").agg(pl.col("named", "related").mean())


def render(frame: pl.DataFrame) -> str:
    """All tables as Markdown, then the summary."""
    with output.markdown():
        return "\n\n".join(_sections(frame))


def _sections(frame: pl.DataFrame) -> Iterator[str]:
    for training in frame["training"].unique(maintain_order=True):
        yield f"trained on {training} rows: faults found, and columns named\n{compared(frame, training)}"
        yield f"trained on {training} rows: sound rows flagged\n{flagged(frame, training)}"
    with pl.Config(float_precision=3):
        yield f"means over the kinds\n{summary(frame)}"
