"""Tables and JSON from results."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict

import polars as pl

from benches.common import output

from .protocol import Result

TARGET = 3.0
"""The factor within which the share above a line should be."""


def to_frame(results: Iterable[Result]) -> pl.DataFrame:
    """One row for each table and line, with `factor`: the share of new rows above the line, in units of the line.

    `factor of rarity` is the same for the rows whose rarity says that they are above the line. Half a row is added to
    both counts, so that none above a line is a number too.
    """
    frame = pl.DataFrame([asdict(result) for result in results])
    expected = pl.col("line") * pl.col("new") + 0.5
    of_rarity = (pl.col("rarer") + 0.5) / expected
    return frame.with_columns((pl.col("above") + 0.5) / expected, of_rarity.alias("factor of rarity")).rename(
        {"above": "factor"}
    )


def summary(frame: pl.DataFrame, *by: str) -> pl.DataFrame:
    """For each group: the tables, the shares of them within the target, and geometric means of factors and errors."""
    error, of_rarity = pl.col("factor").log(), pl.col("factor of rarity").log()
    most = pl.lit(TARGET).log()
    return frame.group_by(by, maintain_order=True).agg(
        pl.len().alias("tables"),
        (error.abs() <= most).mean().alias("within 3"),
        (error > most).mean().alias("too many"),
        error.mean().exp().alias("mean factor"),
        error.abs().mean().exp().alias("mean error"),
        (of_rarity.abs() <= most).mean().alias("rarity within 3"),
        of_rarity.mean().exp().alias("mean factor of rarity"),
    )


def extremes(frame: pl.DataFrame) -> pl.DataFrame:
    """For made and for real tables: new rows, those above the line of a millionth, and absurd rows that are found."""
    grouped = frame.group_by((pl.col("kind") == "real").alias("real"), maintain_order=True)
    return grouped.agg(
        pl.len().alias("tables"),
        pl.col("new").sum().alias("new rows"),
        pl.col("above").sum(),
        (pl.col("above") > 0).sum().alias("tables with such rows"),
        pl.col("found").mean().alias("absurd rows found"),
    )


def render(frame: pl.DataFrame, of_extremes: pl.DataFrame) -> str:
    """All tables as Markdown."""
    with output.markdown():
        sections = [*_sections(frame), f"the line of a millionth\n{extremes(of_extremes)}"]
        return "\n\n".join(sections)


def _sections(frame: pl.DataFrame) -> Iterator[str]:
    lines = frame.with_columns(
        pl.when("beyond").then(pl.lit("beyond the training rows")).otherwise(pl.lit("among them")).alias("where")
    )
    made, real = lines.filter(pl.col("kind") != "real"), lines.filter(kind="real")
    yield f"made tables\n{summary(made, 'rows', 'line')}"
    yield f"made tables, beyond the training rows, by kind\n{summary(made.filter('beyond'), 'kind')}"
    if real.height:
        yield f"real tables\n{summary(real, 'line')}"
    halves = summary(lines, "where", "half").sort("where", "half")
    yield f"by half: constants may be chosen by half 0\n{halves}"


def to_json(frame: pl.DataFrame, of_extremes: pl.DataFrame) -> str:
    """The summary and all results as JSON, one row a line."""
    parts = {"summary": summary(frame, "beyond", "line"), "results": frame, "extremes": of_extremes}
    return output.to_json(parts)
