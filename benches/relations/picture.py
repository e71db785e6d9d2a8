"""The faults that each detector finds, by kind, as dots in an SVG: one panel for each training."""

from __future__ import annotations

from io import StringIO

import altair as alt
import polars as pl

from .report import by_kind

TITLE = "Share of faults that are found, by kind"
COLORS = ("#2f6db3", "#e39b3c", "#a3adb8")
SHAPES = ("circle", "square", "triangle-up")
ROW_HEIGHT, PANEL_WIDTH = 26, 270
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def draw(frame: pl.DataFrame) -> str:
    """The picture of the frame of results, of the kinds with a fault."""
    shares = by_kind(frame).filter(pl.col("found").is_not_null())
    kinds = shares["kind"].unique(maintain_order=True).to_list()
    detectors = shares["detector"].unique(maintain_order=True).to_list()
    trained = shares.with_columns(pl.format("trained on {} rows", "training").alias("panel"))
    legend = alt.Legend(title=None, orient="top", symbolSize=80)
    colors = alt.Scale(domain=detectors, range=list(COLORS[: len(detectors)]))
    shapes = alt.Scale(domain=detectors, range=list(SHAPES[: len(detectors)]))
    ticks = alt.Axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1], format="~g")
    dots = (
        alt.Chart(trained, width=PANEL_WIDTH, height=ROW_HEIGHT * len(kinds))
        .mark_point(filled=True, size=45, opacity=0.9)
        .encode(
            x=alt.X("found:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=ticks),
            y=alt.Y("kind:N", title=None, sort=kinds, axis=alt.Axis(grid=True, labelLimit=220)),
            yOffset=alt.YOffset("detector:N", sort=detectors),
            color=alt.Color("detector:N", scale=colors, legend=legend),
            shape=alt.Shape("detector:N", scale=shapes, legend=legend),
            column=alt.Column("panel:N", title=None, sort=trained["panel"].unique(maintain_order=True).to_list()),
        )
        .properties(title=TITLE)
        .configure(font=FONT, background="#ffffff")
    )
    picture = StringIO()
    dots.save(picture, format="svg")
    return picture.getvalue() + "\n"
