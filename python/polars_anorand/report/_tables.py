"""Writes the tables of the page as HTML."""

from __future__ import annotations

import html
import math
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from polars_anorand.model._values import text
from polars_anorand.report._findings import Findings, days_of, in_python

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 1_000
"""A longer text of a cell is cut off."""


def outliers(found: Findings, file: str) -> str:
    """List the outliers with the highest scores, with the reasons for them; ``file`` is the name of their CSV."""
    usual = {row["feature"]: row for row in found.model.statistics.iter_rows(named=True)}
    others = [name for name in found.highest.columns if name not in found.model.features]
    shown = [*others, *found.model.features]
    lines: list[str] = []
    for row, anomaly in zip(rows_of(found.highest), found.detected.iter_rows(named=True), strict=True):
        said = cast("list[dict[str, str | None]]", anomaly["reasons"])
        reasons = [each["why"] or _reason(row[str(each["feature"])], usual[str(each["feature"])]) for each in said]
        why = "".join(f"<span>{html.escape(reason)}</span>" for reason in reasons or [anomaly["why"]])
        cells = [
            _cell(anomaly["row"]),
            f'<td class="number" data-value="{anomaly["score"]}">{anomaly["score"]:.4f}</td>',
            f'<td class="why" data-value="{html.escape(anomaly["why"])}">{why}</td>',
            *[_cell(row[name]) for name in shown],
        ]
        lines.append(f'<tr data-incident="{anomaly["incident"]}">{"".join(cells)}</tr>')
    numbers = {name for name, dtype in found.highest.schema.items() if dtype.is_numeric()}
    head = [_sorting("row", is_number=True), _sorting("score", is_number=True, order="descending"), _sorting("why")]
    head += [_sorting(name, is_number=name in numbers) for name in shown]
    table = (
        f'<table id="outliers" data-file="{html.escape(file)}"><thead><tr>{"".join(head)}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table>"
    )
    return _TOOLS + wide(table, "outliers")


_TOOLS = (
    '<div class="tools"><input id="search" type="search" placeholder="Filter: words that a row contains" '
    'aria-label="Filter the rows"><span id="count" role="status"></span>'
    '<button id="all" type="button" hidden>Show all rows</button>'
    '<button id="csv" type="button">Download CSV</button></div>'
)


def wide(table: str, label: str) -> str:
    """Put a table where it can be scrolled, also by keys, with a note that it can."""
    return (
        '<p class="cue" hidden>The table is wider than the page: scroll it sideways.</p>'
        f'<div class="wide" tabindex="0" role="region" aria-label="{label}">{table}</div>'
    )


def _sorting(name: str, *, is_number: bool = False, order: str | None = None) -> str:
    """Write the head of a column, a button that sorts by it."""
    sort = "" if order is None else f' aria-sort="{order}"'
    kind = ' class="number"' if is_number else ""
    shown = html.escape(name)
    return f'<th scope="col"{kind}{sort} data-name="{shown}"><button type="button">{shown}</button></th>'


def _cell(value: object) -> str:
    """Write a value as a cell, which also holds the value as a CSV has it where it is shown otherwise."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '<td class="null">missing</td>'
    shown, exact = _text(value), _exact(value)
    is_number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    kind = ' class="number"' if is_number else ' class="time"' if isinstance(value, date) else ""
    held = "" if exact == shown else f' data-value="{html.escape(exact)}"'
    return f"<td{kind}{held}>{html.escape(shown)}</td>"


def _exact(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).replace("inf", "Infinity") if isinstance(value, float) else _text(value)


def rows_of(frame: pl.DataFrame) -> Iterator[dict[str, object]]:
    """Yield the rows; a time that Python has no type for, such as a date beyond the year 9999, as text."""
    columns = [_values(frame[name]) for name in frame.columns]
    for values in zip(*columns, strict=True):
        yield dict(zip(frame.columns, values, strict=True))


def _values(column: pl.Series) -> list[object]:
    """Return the values as Python has them."""
    if not isinstance(column.dtype, (pl.Date, pl.Datetime, pl.Duration)):
        return column.to_list()
    known, days = column.to_frame().select(
        in_python(pl.first(), column.dtype), days_of(pl.first(), column.dtype).alias("days")
    )
    of = zip(known.to_list(), days.to_list(), strict=True)
    return [_far(column.dtype, day) if value is None and day is not None else value for value, day in of]


def _far(dtype: pl.DataType, days: int) -> str:
    """Write a time that Python has no type for."""
    if isinstance(dtype, pl.Duration):
        return f"{days:,} days"
    years = round(1970 + days / 365.2425)
    return f"about the year {years}"


def _reason(value: object, usual: dict[str, Any]) -> str:
    """Describe a value that a model without cells has no words for.

    It has as many digits as tell it from the ends of the usual range.
    """
    ends = [end for end in (usual["low"], usual["high"]) if end is not None]
    return f"{usual['feature']} {_text(value, *ends)} (usual {usual['usual']})"


def drift(found: Findings) -> str:
    """List each feature's drift, with its medians and missing values now and in training."""
    shares = ["training_missing", "missing", "unseen"]
    columns = ["feature", "drifted", "psi", "training_median", "median", *shares]
    lines: list[str] = []
    for row in found.drift.filter(pl.col("feature").is_not_null()).select(columns).iter_rows(named=True):
        medians = [row[name] for name in ("training_median", "median") if row[name] is not None]
        texts = {name: _text(row[name], *(medians if name.endswith("median") else [])) for name in columns}
        texts |= {name: f"{row[name]:.1%}" for name in shares if row[name] is not None}
        cells = ["–" if row[name] is None else texts[name] for name in columns]
        lines.append("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in cells) + "</tr>")
    heads = "".join(f'<th scope="col">{name.replace("_", " ")}</th>' for name in columns)
    return wide(f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>", "drift")


def _text(value: object, *near: float) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return text(value, *near)
    shown = str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
