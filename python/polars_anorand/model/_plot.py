"""Shows a model to people: its losses as a chart, and itself as a table."""

from __future__ import annotations

import html
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import altair as alt

LOSSES = {"cross_entropy": "cross-entropy of noise detection", "reconstruction": "reconstruction error"}
_SHOWN = 12
"""The number of features that are named."""


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


def about(features: list[str], options: dict[str, Any], training: dict[str, Any], members: int) -> dict[str, object]:
    """Describe a model in a few lines."""
    more = f" and {len(features) - _SHOWN} more" if len(features) > _SHOWN else ""
    found = {
        "features": ", ".join(features[:_SHOWN]) + more,
        "preset": options["preset"],
        "networks": members,
        "training rows": f"{training['rows']:,}",
        "epochs": f"{training['epochs']:,}",
        "missing values": options["missing"],
        "seed": options["seed"],
    }
    ends = {label: f"{training['before'][name]:.4g} → {training['after'][name]:.4g}" for name, label in LOSSES.items()}
    return {**found, **ends}


def table(features: list[str], options: dict[str, Any], training: dict[str, Any], members: int) -> str:
    """Write :func:`about` as an HTML table."""
    lines = about(features, options, training, members).items()
    cells = [f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>" for name, value in lines]
    return "<table>" + "".join(cells) + "</table>"
