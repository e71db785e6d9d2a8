"""Puts the page together: its template, and what goes into it."""

from __future__ import annotations

import functools
import html
import importlib
import json
import re
from importlib import resources
from pathlib import PurePath
from typing import Any

from polars_anorand.report import _charts, _sentences, _tables
from polars_anorand.report._findings import Findings
from polars_anorand.report._sentences import About


def page(about: About, found: Findings, alt: Any) -> str:
    """Write the whole page as HTML."""
    charts = {"scores": _charts.scores(found, alt)}
    if found.groups is not None:
        charts["groups"] = _charts.outliers_by_group(found, alt)
    charts["drift"] = _charts.drift(found, alt)
    charts["losses"] = found.model.plot()
    specs = {name: chart.to_dict() for name, chart in charts.items()}
    title, line = _sentences.heading(about, found)
    parts: dict[str, str] = {
        "title": html.escape(title),
        "heading": html.escape(about.title),
        "about": html.escape(line),
        "style": _part("page.css"),
        "script": _part("page.js"),
        "bundle": _bundle(),
        # "</script" ends a script inside a string as well, and "<!--<script" keeps it open.
        "specs": json.dumps(specs, default=str).replace("<", r"\u003c"),
        "warning": _sentences.warning(found),
        "summary": _sentences.summary(found),
        "findings": _sentences.findings(found),
        "rows": _rows(about, found),
        "by": _by(found),
        "drift": f'{_sentences.drifted(found)}<div id="drift" class="chart"></div>{_tables.drift(found)}',
        "model": _tables.wide(found.model.summary(), "model"),
    }
    # All places are filled in one pass, since a part may contain text that looks like a place.
    return re.sub(r"@@(\w+)@@", lambda place: parts[place[1]], _part("page.html"))


def _rows(about: About, found: Findings) -> str:
    outliers, listed = found.counts["outliers"], found.highest.height
    if not outliers:
        return "<p>No row is an outlier.</p>"
    which = f"The {listed:,} highest of {outliers:,} outliers." if listed < outliers else "All outliers."
    name = re.sub(r"[^\w.-]+", "_", PurePath(about.source or "frame").stem)
    return f"<p>{which} Rows are numbered from 0 on. A click on a column's name sorts by it.</p>" + _tables.outliers(
        found, f"{name}-outliers.csv"
    )


def _by(found: Findings) -> str:
    if found.by is None:
        return ""
    chart = '<div id="groups" class="chart"></div>'
    return f"<h2>Outliers by {html.escape(found.by)}</h2>{chart}{_sentences.undrawn(found)}"


@functools.cache
def _part(name: str) -> str:
    """A file of the template."""
    return resources.files("polars_anorand.report").joinpath(name).read_text(encoding="utf-8").rstrip("\n")


@functools.cache
def _bundle() -> str:
    """Vega, Vega-Lite and their embedding, as one script."""
    bundle = importlib.import_module("vl_convert").javascript_bundle()
    # In the bundle, this text stands in strings, but it would end the script element.
    return str(bundle).replace("</script", "<\\/script")
