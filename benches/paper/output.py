"""What an experiment leaves behind: its settings and numbers as JSON, tables as Markdown, a picture."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

from benches.common.evaluation import METRICS, Result

PIXELS_PER_INCH = 96  # readable, and a picture stays well below 150 kB


def runs(results: Iterable[Result]) -> pl.DataFrame:
    """One row a fit."""
    return pl.DataFrame([vars(result) for result in results])


def summary(frame: pl.DataFrame, by: str, means: Sequence[str] = ("fit_seconds", "score_seconds")) -> pl.DataFrame:
    """Mean, standard deviation and quartiles of both AUCs, and the mean of other columns, for each value of a column.

    Values are in the order in which they come.
    """
    statistics: list[pl.Expr] = []
    for metric in METRICS:
        value = pl.col(metric)
        statistics += [value.mean().alias(f"{metric}_mean"), value.std().alias(f"{metric}_std")]
        statistics += [value.quantile(q, "linear").alias(f"{metric}_q{q * 100:.0f}") for q in (0.25, 0.5, 0.75)]
    return frame.group_by(by, maintain_order=True).agg(*statistics, pl.col(*means).mean(), pl.len().alias("runs"))


def write_json(path: Path, settings: dict[str, Any], **frames: pl.DataFrame) -> None:
    """The settings and each frame as a list of rows, one row a line."""
    parts = [f'"settings": {json.dumps(settings)}']
    for name, frame in frames.items():
        parts.append(f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in frame.to_dicts()) + "\n]")
    path.write_text("{\n" + ",\n".join(parts) + "\n}\n")


def write_markdown(path: Path, frame: pl.DataFrame) -> None:
    """The frame as a Markdown table; floats with three digits."""
    with pl.Config(tbl_formatting="MARKDOWN", float_precision=3, tbl_rows=-1, tbl_cols=-1, tbl_width_chars=400):
        pl.Config.set_tbl_hide_dataframe_shape(True).set_tbl_hide_column_data_types(True)
        path.write_text(f"{frame}\n")


def boxes(frame: pl.DataFrame, group: alt.X | alt.Y, value: str, scale: alt.Scale | None = None) -> alt.Chart:
    """Box plots, one a group: boxes from quartile to quartile, whiskers over all runs."""
    channel = alt.Y if isinstance(group, alt.X) else alt.X
    axis = channel(f"{value}:Q").title(METRICS.get(value, value.replace("_", " ")))
    axis = axis.scale(scale) if scale else axis.scale(zero=False)
    return alt.Chart(frame).mark_boxplot(extent="min-max", color="#4c78a8").encode(group, axis)


def save(chart: alt.TopLevelMixin, path: Path) -> None:
    """Draw the chart as PNG."""
    chart.save(path, ppi=PIXELS_PER_INCH)
