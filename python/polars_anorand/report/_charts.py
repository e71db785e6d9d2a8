"""Draws the charts of the page with Altair."""

from __future__ import annotations

from typing import Any, cast

import polars as pl

from polars_anorand.report._findings import BINS, GROUPS, Findings

_WIDTH = "container"
"""As wide as the page."""
_CONTAMINATIONS = [0.05, 0.01, 0.001]
"""The thresholds that are drawn, in addition to the one that the user asked for."""
_DRIFTS = 0.1
"""A feature drifts above this index only; see :func:`polars_anorand.drift`."""


def scores(found: Findings, alt: Any) -> Any:
    """Draw the distribution of the scores, with thresholds."""
    edges = found.histogram.drop_nulls("bin").select(
        (pl.col("bin") / BINS).alias("from"), ((pl.col("bin") + 1) / BINS).alias("to"), pl.col("len").alias("rows")
    )
    bars = (
        alt.Chart(alt.Data(values=edges.to_dicts()))
        .mark_rect()
        .encode(
            x=alt.X("from:Q", title="anomaly score", scale=alt.Scale(domain=[0, 1])),
            x2="to:Q",
            y=alt.Y("rows:Q", title="rows", scale=alt.Scale(type="symlog")),
            y2=alt.datum(0),
            tooltip=["from:Q", "to:Q", "rows:Q"],
        )
    )
    shares = sorted({*_CONTAMINATIONS, found.contamination}, reverse=True)
    thresholds = [
        {"score": found.model.threshold(share), "training rows above": f"{100 * share:g}%"} for share in shares
    ]
    lines = alt.Chart(alt.Data(values=thresholds)).mark_rule(strokeDash=[4, 3])
    lines = lines.encode(
        x="score:Q",
        color=alt.Color(
            "training rows above:N", sort=None, scale=alt.Scale(scheme="reds"), legend=alt.Legend(orient="top")
        ),
        tooltip=["score:Q", "training rows above:N"],
    )
    return (bars + lines).properties(width=_WIDTH, height=220)


def outliers_by_group(found: Findings, alt: Any) -> Any:
    """Draw the share of outliers in each step of time, or in each group."""
    groups = cast("pl.DataFrame", found.groups)
    values = groups.with_columns(pl.col("group").cast(pl.String)).to_dicts()
    chart = alt.Chart(alt.Data(values=values))
    tooltip = ["group:N", "rows:Q", alt.Tooltip("outliers:Q", format=".2%")]
    share = alt.Y("outliers:Q", title="share of outliers", axis=alt.Axis(format="%"))
    if found.is_time:
        drawn = chart.mark_line(point=True).encode(x=alt.X("group:T", title=found.by), y=share, tooltip=tooltip)
    else:
        drawn = chart.mark_bar().encode(x=alt.X("group:N", title=found.by, sort="-y"), y=share, tooltip=tooltip)
    return drawn.properties(width=_WIDTH, height=220)


def drift(found: Findings, alt: Any) -> Any:
    """Draw the population stability index of each feature, the largest first."""
    listed = found.drift.drop_nulls(["feature", "psi"]).select("feature", "drifted", "psi").head(GROUPS)
    values = listed.to_dicts()
    largest = max([*listed["psi"], 2 * _DRIFTS])
    bars = (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("feature:N", sort=None, title=None),
            x=alt.X("psi:Q", title="population stability index", scale=alt.Scale(domain=[0, largest])),
            color=alt.Color(
                "drifted:N",
                scale=alt.Scale(domain=[False, True], range=["#9ab", "#c33"]),
                legend=alt.Legend(orient="top"),
            ),
            tooltip=["feature:N", alt.Tooltip("psi:Q", format=".4f")],
        )
    )
    # The line shows that the bars of rows without drift are short, and not missing.
    line = alt.Chart(alt.Data(values=[{"from": _DRIFTS}])).mark_rule(strokeDash=[4, 3], color="#c33").encode(x="from:Q")
    return (bars + line).properties(width=_WIDTH)
