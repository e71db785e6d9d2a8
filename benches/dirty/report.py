"""Frames, tables and JSON from figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import polars as pl

from benches.common import output

from .figures import Figures

FIGURES = tuple(field.name for field in fields(Figures))
HEADINGS = dict(zip(FIGURES, ("row AUC", "p@1%", "first", "cell AP"), strict=True))


@dataclass(frozen=True)
class Result:
    """The figures of one method on one table, and the CPU time that it took."""

    table: str
    method: str
    cpu_seconds: float
    figures: Figures


def to_frame(results: Iterable[Result]) -> pl.DataFrame:
    """One row for each result."""
    frame = pl.DataFrame([asdict(result) for result in results], infer_schema_length=None).unnest("figures")
    return frame.with_columns(pl.col(*FIGURES).cast(pl.Float64))


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each method: means over the tables."""
    return frame.group_by("method", maintain_order=True).agg(pl.col(*FIGURES).mean())


def render(frame: pl.DataFrame) -> str:
    """All figures as a Markdown table, then their means."""
    with output.markdown(), pl.Config(float_precision=3):
        return f"{frame.rename(HEADINGS)}\n\nmeans over the tables\n{summary(frame).rename(HEADINGS)}"


def to_json(frame: pl.DataFrame) -> str:
    """The means and all figures as JSON, one row a line."""
    return output.to_json({"summary": summary(frame), "results": frame})
