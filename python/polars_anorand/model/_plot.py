"""Shows a model to people: its losses as a chart, and itself as a table."""

from __future__ import annotations

import html
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt

LOSSES = {"cross_entropy": "cross-entropy of noise detection", "reconstruction": "reconstruction error"}
_SHOWN = 30
"""The number of features that are listed."""


def altair() -> Any:
    """The package altair.

    Raises
    ------
    ImportError
        If it or vl-convert-python is missing.

    """
    try:
        importlib.import_module("vl_convert")
        return importlib.import_module("altair")
    except ImportError as error:
        raise ImportError(
            f"charts need the packages altair and vl-convert-python ({error}): pip install 'polars-anorand[report]'"
        ) from None


def losses(course: list[dict[str, Any]]) -> alt.FacetChart:
    """Draw both losses, each on a scale of its own."""
    charts = altair()
    values = [
        {"epochs": each["epochs"], "loss": each[name], "of": label} for each in course for name, label in LOSSES.items()
    ]
    line = charts.Chart(width=340, height=180).mark_line(point=True)
    encoded = line.encode(
        x=charts.X("epochs:Q", title="epochs"),
        y=charts.Y("loss:Q", title=None, scale=charts.Scale(zero=False)),
        tooltip=["epochs:Q", charts.Tooltip("loss:Q", format=".4g")],
    )
    chart: alt.FacetChart = encoded.facet(
        facet=charts.Facet("of:N", title=None), columns=2, data=charts.Data(values=values)
    ).resolve_scale(y="independent")
    return chart


def parts(combiner: dict[str, Any], options: dict[str, Any], members: int) -> str:
    """Name what a score is made of, with the weights of both heads."""
    alpha = combiner["alpha"]
    networks = "one network" if members == 1 else f"{members} networks"
    found = [f"{networks} ({alpha:.0%} noise detection, {1 - alpha:.0%} reconstruction)"]
    if options["kept_rows"]:
        found.append("distances from kept rows")
    if combiner["kind"] == "cells":
        found.append("evidence of each cell")
    return ", ".join(found)


def summary(described: dict[str, str], features: Iterable[dict[str, Any]], training: dict[str, Any]) -> str:
    """Write what a model is as HTML: its features first, its losses folded away."""
    listed = list(features)
    rows = [[each["feature"], each["dtype"], each["usual"], f"{each['missing']:.1%}"] for each in listed[:_SHOWN]]
    if len(listed) > _SHOWN:
        rows.append([f"and {len(listed) - _SHOWN} more", "", "", ""])
    table = _table(["feature", "dtype", "usual values", "missing"], rows)
    about = _table([], [[name, value] for name, value in described.items()])
    steps = f"{training['epochs']:,} epochs, {training['steps']:,} steps"
    ends = [
        [label, f"{training['before'][name]:.4g} → {training['after'][name]:.4g}"] for name, label in LOSSES.items()
    ]
    return f"{table}{about}<details><summary>Training</summary>{_table([], [['trained', steps], *ends])}</details>"


def _table(head: list[str], rows: list[list[str]]) -> str:
    def line(cells: list[str], tags: list[str]) -> str:
        pairs = zip(tags, cells, strict=True)
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for tag, cell in pairs) + "</tr>"

    top = line(head, ["th"] * len(head)) if head else ""
    return "<table>" + top + "".join(line(row, ["th", *["td"] * (len(row) - 1)]) for row in rows) + "</table>"
