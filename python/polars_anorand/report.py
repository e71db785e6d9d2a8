"""A model and rows beside it, as one HTML file."""

from __future__ import annotations

import errno
import functools
import html
import importlib
import json
import os
import re
from typing import Any, cast

import polars as pl

from polars_anorand import _paths, _plot
from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import ModelLike, one_model, unused
from polars_anorand._options import integer, number
from polars_anorand._values import text
from polars_anorand.drift import drift
from polars_anorand.functions import detect
from polars_anorand.model import Model

_BINS = 100
"""Of the histogram of the scores, from 0 to 1."""
_GROUPS = 50
"""The most groups whose share of outliers is drawn."""
_WIDTH = 760
_CONTAMINATIONS = [0.05, 0.01, 0.001]
"""The thresholds that are drawn, beside the one that is asked for."""


def report(
    frame: pl.DataFrame | pl.LazyFrame,
    model: ModelLike,
    *,
    path: str | os.PathLike[str] = "report.html",
    by: str | None = None,
    every: str = "1d",
    contamination: float = 0.01,
    top: int = 20,
    title: str | None = None,
) -> None:
    """Write what a model makes of rows as one HTML file, which needs nothing else: no server, no network.

    It shows what the model is, the distribution of the scores with thresholds, the share of outliers by time or group,
    the highest rows with the features that add most to their scores, which features have drifted, and what the training
    did.

    Parameters
    ----------
    frame
        Rows with the model's features, eager or lazy. Of a LazyFrame only what the file shows is collected.
    model
        A path, bytes or a :class:`Model`.
    path
        Of the file; a leading ``~`` is the home folder. A file that is there is replaced, whole or not at all.
    by
        A column to count outliers by. A Date or Datetime is taken in steps of ``every``; of any other column, the 50
        most frequent values are shown.
    every
        As in :meth:`polars.Expr.dt.truncate`.
    contamination
        The share of the training rows that count as outliers, above 0 and below 1.
    top
        The number of rows that are listed, at least 1.
    title
        Of the page; the file of the model, or "AnoRand", if None.

    Raises
    ------
    ImportError
        If altair or vl-convert-python is missing: ``pip install "polars-anorand[report]"``.
    TypeError, ValueError, OSError
        For an argument of another type, a model that can't be read, or a path that can't be written.
    ColumnNotFoundError
        If ``by`` is no column of the frame.
    ComputeError
        From the query, as :func:`polars_anorand.detect`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [float(i % 50) for i in range(500)], "shop": ["a", "b"] * 250})
    >>> model = anorand.Model(frame.select(pl.col("x").anorand.fit(epochs=1, min_steps=0)).item())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     anorand.report(frame, model, path=pathlib.Path(folder) / "report.html", by="shop")

    """
    given = cast("object", frame)
    if not isinstance(given, (pl.DataFrame, pl.LazyFrame)):
        raise TypeError(f"frame must be a polars DataFrame or LazyFrame, got {type(given).__name__}")
    known = one_model("report", model)
    share = number("contamination", contamination)
    rows = integer("top", top)
    if rows is None or rows < 1:
        raise ValueError(f"top must be a whole number from 1 on, got {top}")
    destination = _paths.to_write(path)
    if os.path.isdir(destination):
        raise IsADirectoryError(errno.EISDIR, "path is a folder, expected the path of an HTML file", destination)
    charts = _plot.altair()
    found = _Findings(given.lazy(), known, 0.01 if share is None else share, rows, by, every)
    name = title or (os.fspath(model) if isinstance(model, (str, os.PathLike)) else "AnoRand")
    page = _page(str(name), found, charts)
    _core.write_file(destination, page.encode())


class _Findings:
    """What the page shows, collected in one go."""

    def __init__(
        self, frame: pl.LazyFrame, model: Model, contamination: float, top: int, by: str | None, every: str
    ) -> None:
        self.model = model
        self.contamination = contamination
        self.by = by
        self.is_time = False
        schema = frame.collect_schema()
        name, place = unused("anomaly", schema.names()), unused("place", schema.names())
        scored = frame.with_columns(detect(model.features, model, contamination=contamination, explain=3, name=name))
        anomaly = pl.col(name)
        score, outlier = anomaly.struct.field("score"), anomaly.struct.field("outlier")
        bins = (score * _BINS).floor().clip(0, _BINS - 1).cast(pl.Int32).alias("bin")
        queries = [
            scored.select(bins).group_by("bin").len().sort("bin"),
            scored.select(
                pl.len().alias("rows"), score.is_null().sum().alias("unscored"), outlier.sum().alias("outliers")
            ),
            # Of rows with equal scores, the first ones.
            scored.with_row_index(place)
            .filter(score.is_not_null())
            .top_k(top, by=[score, pl.col(place)], reverse=[False, True])
            .sort(score, place, descending=[True, False]),
        ]
        if by is not None:
            self.is_time = _is_time(by, schema)
            if self.is_time:
                _check_step(every, schema[by])
            group = pl.col(by).dt.truncate(every) if self.is_time else pl.col(by).cast(pl.String)
            counted = scored.group_by(group.alias("group")).agg(
                pl.len().alias("rows"), outlier.mean().alias("outliers")
            )
            counted = counted.drop_nulls("group")
            queries.append(
                counted.sort("group") if self.is_time else counted.sort("rows", descending=True).head(_GROUPS)
            )
        self.histogram, counts, highest, *groups = pl.collect_all(queries)
        self.groups = groups[0] if groups else None
        self.counts = counts.row(0, named=True)
        self.highest = highest.drop(name, place)
        self.detected = highest[name].struct.unnest()
        self.drift = drift(frame, model, contamination=contamination)


def _is_time(by: object, schema: pl.Schema) -> bool:
    """Whether groups are steps of time; an error if the column has no values that can be groups."""
    if not isinstance(by, str):
        raise TypeError(f"by must be the name of one column, a str, got {by!r} ({type(by).__name__})")
    if by not in schema:
        raise pl.exceptions.ColumnNotFoundError(f"by={by!r} is not a column of the frame")
    dtype = schema[by]
    if dtype.is_nested() or isinstance(dtype, (pl.Binary, pl.Object, pl.Duration)):
        raise TypeError(
            f"by={by!r} has dtype {dtype}, which has no values to count by: give a column of numbers, text, Boolean, "
            "Date, Datetime or Time, or cast it"
        )
    return dtype == pl.Date or isinstance(dtype, pl.Datetime)


def _check_step(every: object, dtype: pl.DataType) -> None:
    if not isinstance(every, str):
        raise TypeError(f"every must be a str, got {every!r} ({type(every).__name__})")
    try:
        pl.select(pl.lit(0).cast(dtype).dt.truncate(every))
    except pl.exceptions.PolarsError as error:
        expected = 'every must be a step of time as dt.truncate takes it, such as "1d" or "1h"'
        raise ValueError(f"{expected}, got {every!r}: {str(error).splitlines()[0]}") from None


def _page(title: str, found: _Findings, alt: Any) -> str:
    charts = {"scores": _scores(found, alt)}
    if found.groups is not None:
        charts["groups"] = _outliers_by_group(found, alt)
    charts["drift"] = _psi(found, alt)
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
        "rows": _table(*_highest(found)),
        "drifted": _table(*_drifted(found)),
        "by": ""
        if found.by is None
        else f'<h2>Outliers by {html.escape(found.by)}</h2><div id="groups" class="chart"></div>',
    }
    # In one pass: a part may have a text that looks like the place of another one.
    return re.sub(r"@@(\w+)@@", lambda place: parts[place[1]], _TEMPLATE)


@functools.cache
def _bundle() -> str:
    """Vega, Vega-Lite and their embedding, as one script."""
    bundle = importlib.import_module("vl_convert").javascript_bundle()
    # Within a string of the script, which this ends elsewhere.
    return str(bundle).replace("</script", "<\\/script")


def _summary(found: _Findings) -> str:
    rows, unscored, outliers = (found.counts[name] or 0 for name in ("rows", "unscored", "outliers"))
    scored = rows - unscored
    share = outliers / scored if scored else 0.0
    expected = f"{100 * found.contamination:g}% of the training rows"
    text = f"{rows:,} rows, {outliers:,} of them outliers ({share:.2%}; {expected})"
    return text + (f", {unscored:,} without a score" if unscored else "")


def _scores(found: _Findings, alt: Any) -> Any:
    edges = found.histogram.drop_nulls("bin").select(
        (pl.col("bin") / _BINS).alias("from"), ((pl.col("bin") + 1) / _BINS).alias("to"), pl.col("len").alias("rows")
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
        color=alt.Color("training rows above:N", sort=None, scale=alt.Scale(scheme="reds")),
        tooltip=["score:Q", "training rows above:N"],
    )
    return (bars + lines).properties(width=_WIDTH, height=220)


def _outliers_by_group(found: _Findings, alt: Any) -> Any:
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


def _psi(found: _Findings, alt: Any) -> Any:
    values = found.drift.drop_nulls(["feature", "psi"]).select("feature", "drifted", "psi").head(_GROUPS).to_dicts()
    return (
        alt.Chart(alt.Data(values=values))
        .mark_bar()
        .encode(
            y=alt.Y("feature:N", sort=None, title=None),
            x=alt.X("psi:Q", title="population stability index"),
            color=alt.Color("drifted:N", scale=alt.Scale(domain=[False, True], range=["#9ab", "#c33"])),
            tooltip=["feature:N", alt.Tooltip("psi:Q", format=".4f")],
        )
        .properties(width=_WIDTH - 160)
    )


def _highest(found: _Findings) -> tuple[list[str], list[list[object]]]:
    usual = {row["feature"]: row for row in found.model.statistics.iter_rows(named=True)}
    features = found.model.features
    others = [name for name in found.highest.columns if name not in features]
    shown = [*others, *features]
    rows: list[list[object]] = []
    for row, anomaly in zip(found.highest.iter_rows(named=True), found.detected.iter_rows(named=True), strict=True):
        reasons = "\n".join(
            _reason(row[each["feature"]], usual[each["feature"]])
            for each in cast("list[dict[str, Any]]", anomaly["reasons"] or [])
        )
        rows.append([f"{anomaly['score']:.4f}", reasons or "no outlier", *[_text(row[name]) for name in shown]])
    return ["score", "reasons", *shown], rows


def _reason(value: object, usual: dict[str, Any]) -> str:
    """A value, with digits that tell it from the ends of the usual range."""
    ends = [end for end in (usual["low"], usual["high"]) if end is not None]
    return f"{usual['feature']} {_text(value, *ends)} (usual {usual['usual']})"


def _drifted(found: _Findings) -> tuple[list[str], list[list[object]]]:
    columns = ["feature", "drifted", "psi", "training_median", "median", "training_missing", "missing", "unseen"]
    rows: list[list[object]] = []
    for row in found.drift.filter(pl.col("feature").is_not_null()).select(columns).iter_rows(named=True):
        medians = [row[name] for name in ("training_median", "median") if row[name] is not None]
        rows.append([_text(row[name], *(medians if name.endswith("median") else [])) for name in columns])
    return [name.replace("_", " ") for name in columns], rows


def _text(value: object, *beside: float) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return text(value, *beside)
    return str(value)


def _table(head: list[str], rows: list[list[object]]) -> str:
    def line(cells: list[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    top = line(head, "th") if any(head) else ""
    return "<table>" + top + "".join(line(row, "td") for row in rows) + "</table>"


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
