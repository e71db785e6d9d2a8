"""Shows a model to people: its losses and the cells of a row as charts, and itself as a table."""

from __future__ import annotations

import html
import importlib
import textwrap
from typing import TYPE_CHECKING, Any

from polars_anorand._options import CONTAMINATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    import altair as alt

LOSSES = {"cross_entropy": "cross-entropy of noise detection", "reconstruction": "reconstruction error"}
_SHOWN = 30
"""The number of features that are listed."""
_WRAPPED = 60
"""The characters of a line of text beside a bar."""


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


def cells(found: list[dict[str, Any]]) -> alt.LayerChart:
    """Draw the evidence against the cells of a row, the strongest first, with the reasons in words."""
    charts = altair()
    drawn = [
        {
            "cell": f"{each['feature']}: {'missing' if each['value'] is None else each['value']}",
            "evidence": each["evidence"],
            "says": "\n".join(textwrap.wrap(_said(each), _WRAPPED)),
        }
        for each in found[:_SHOWN]
    ]
    base = charts.Chart(charts.Data(values=drawn)).encode(
        y=charts.Y("cell:N", sort=None, title=None, axis=charts.Axis(labelLimit=300)),
        x=charts.X("evidence:Q", title="evidence that the value is wrong, in nats", scale=charts.Scale(domainMin=0)),
    )
    says = base.mark_text(align="left", dx=5, lineBreak="\n").encode(text="says:N")
    chart: alt.LayerChart = (base.mark_bar(color="#c0392b") + says).properties(width=320, height={"step": 40})
    return chart


def _said(cell: dict[str, Any]) -> str:
    """What a reason says, and what was expected if it does not say so itself."""
    why, expected = cell["why"] or "", cell["expected"]
    return why if expected is None or expected in why else f"{why} (expected {expected})".strip()


def described(
    options: dict[str, Any], training: dict[str, Any], threshold: float, combiner: dict[str, Any], members: int
) -> dict[str, str]:
    """Describe a whole model, each fact by its name. The threshold is that of the default contamination."""
    rows = f"{training['rows']:,}" + (f", {training['sampled']:,} of them sampled" if "sampled" in training else "")
    return {
        "training rows": rows,
        "threshold": f"{threshold:.4f}, above it {100 * CONTAMINATION:g}% of the training rows",
        "parts of the score": _parts(combiner, options, members),
        "preset": options["preset"],
        "missing values": options["missing"],
        "seed": str(options["seed"]),
    }


def _parts(combiner: dict[str, Any], options: dict[str, Any], members: int) -> str:
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
