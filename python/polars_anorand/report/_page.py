"""Puts the page together: its template, and what goes into it."""

from __future__ import annotations

import functools
import html
import importlib
import json
import re
from typing import Any

from polars_anorand.report import _charts, _tables
from polars_anorand.report._findings import Findings


def page(title: str, found: Findings, alt: Any) -> str:
    """Write the whole page as HTML."""
    charts = {"scores": _charts.scores(found, alt)}
    if found.groups is not None:
        charts["groups"] = _charts.outliers_by_group(found, alt)
    charts["drift"] = _charts.drift(found, alt)
    charts["losses"] = found.model.plot()
    specs = {name: chart.to_dict() for name, chart in charts.items()}
    # "</script" ends a script inside a string as well, and "<!--<script" keeps it open.
    embedded = json.dumps(specs, default=str).replace("<", r"\u003c")
    parts: dict[str, str] = {
        "title": html.escape(title),
        "bundle": _bundle(),
        "specs": embedded,
        "model": found.model.summary(),
        "summary": _summary(found),
        "rows": _tables.highest_rows(found),
        "drifted": _tables.drift(found),
        "by": ""
        if found.by is None
        else f'<h2>Outliers by {html.escape(found.by)}</h2><div id="groups" class="chart"></div>',
    }
    # All places are filled in one pass, since a part may contain text that looks like a place.
    return re.sub(r"@@(\w+)@@", lambda place: parts[place[1]], _TEMPLATE)


@functools.cache
def _bundle() -> str:
    """Vega, Vega-Lite and their embedding, as one script."""
    bundle = importlib.import_module("vl_convert").javascript_bundle()
    # In the bundle, this text stands in strings, but it would end the script element.
    return str(bundle).replace("</script", "<\\/script")


def _summary(found: Findings) -> str:
    rows, unscored, outliers = (found.counts[name] or 0 for name in ("rows", "unscored", "outliers"))
    scored = rows - unscored
    share = outliers / scored if scored else 0.0
    expected = f"{100 * found.contamination:g}% of the training rows"
    text = f"{rows:,} rows, {outliers:,} of them outliers ({share:.2%}; {expected})"
    return text + (f", {unscored:,} without a score" if unscored else "")


_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>@@title@@</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 2em auto; max-width: 60em; color: #222; }
h2 { margin-top: 2em; font-size: 1.2em; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
td:nth-child(2) { min-width: 24em; white-space: pre-line; }
td, th { border-bottom: 1px solid #ddd; padding: .25em .7em; text-align: left; vertical-align: top; }
</style>
</head>
<body>
<h1>@@title@@</h1>
<p>@@summary@@</p>
<h2>Scores</h2>
<div id="scores" class="chart"></div>
@@by@@
<h2>Highest rows</h2>
@@rows@@
<h2>Drift</h2>
<div id="drift" class="chart"></div>
@@drifted@@
<h2>Model</h2>
@@model@@
<div id="losses" class="chart"></div>
<script>window.failures = []; window.onerror = (message) => { window.failures.push(String(message)); };</script>
<script>@@bundle@@</script>
<script>
const specs = @@specs@@;
const options = {mode: "vega-lite", actions: false};
Promise.all(Object.entries(specs).map(([name, spec]) => vegaEmbed("#" + name, spec, options)))
  .catch((error) => window.failures.push(String(error)))
  .then(() => {
    document.body.dataset.charts = document.querySelectorAll(".chart svg, .chart canvas").length;
    document.body.dataset.failures = window.failures.join("; ");
  });
</script>
</body>
</html>
"""
