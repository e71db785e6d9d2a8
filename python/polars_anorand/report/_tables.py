"""Writes the tables of the page as HTML."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from polars_anorand.model._values import text
from polars_anorand.report._findings import Findings, days_of, in_python

if TYPE_CHECKING:
    from collections.abc import Iterator


def highest_rows(found: Findings) -> str:
    """List the rows with the highest scores, with the reasons for them."""
    usual = {row["feature"]: row for row in found.model.statistics.iter_rows(named=True)}
    features = found.model.features
    others = [name for name in found.highest.columns if name not in features]
    shown = [*others, *features]
    rows: list[list[object]] = []
    for row, anomaly in zip(rows_of(found.highest), found.detected.iter_rows(named=True), strict=True):
        reasons = "\n".join(
            each["why"] or _reason(row[each["feature"]], usual[each["feature"]])
            for each in cast("list[dict[str, Any]]", anomaly["reasons"] or [])
        )
        rows.append([f"{anomaly['score']:.4f}", reasons or "no outlier", *[_text(row[name]) for name in shown]])
    return _table(["score", "reasons", *shown], rows)


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
    columns = ["feature", "drifted", "psi", "training_median", "median", "training_missing", "missing", "unseen"]
    rows: list[list[object]] = []
    for row in found.drift.filter(pl.col("feature").is_not_null()).select(columns).iter_rows(named=True):
        medians = [row[name] for name in ("training_median", "median") if row[name] is not None]
        rows.append([_text(row[name], *(medians if name.endswith("median") else [])) for name in columns])
    return _table([name.replace("_", " ") for name in columns], rows)


def _text(value: object, *near: float) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return text(value, *near)
    return str(value)


def _table(head: list[str], rows: list[list[object]]) -> str:
    def line(cells: list[Any], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"

    top = line(head, "th") if any(head) else ""
    return "<table>" + top + "".join(line(row, "td") for row in rows) + "</table>"
