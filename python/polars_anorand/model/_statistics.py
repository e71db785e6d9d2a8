"""A model's statistics of its features, as a frame."""

from __future__ import annotations

from typing import Any

import polars as pl

from polars_anorand.model._findings import Finding
from polars_anorand.model._values import of_feature, text

_NUMBERS = ["minimum", "low", "lower_quartile", "median", "upper_quartile", "high", "maximum"]
_PLACES = [0, 1, 5, 10, 15, 19, 20]
"""The places of these numbers among the quantiles at 0, 0.05, …, 1."""

_CATEGORIES = pl.List(pl.Struct({"value": pl.String, "share": pl.Float64}))
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "feature": pl.String,
    "dtype": pl.String,
    **dict.fromkeys(_NUMBERS, pl.Float64),
    "missing": pl.Float64,
    "categories": _CATEGORIES,
    "usual": pl.String,
    "meaning": pl.String,
    "placeholders": pl.List(pl.String),
    "depends_on": pl.List(pl.String),
}

_LISTED = 20
"""The number of a category's values that are listed."""
_READ = 5
"""The number of them that one reads at a glance."""
_MOST = 0.9
"""The share of the rows that are usual."""

Category = tuple[list[str], list[int], int]


def of_features(
    features: list[dict[str, Any]],
    rows: int,
    quantiles: tuple[list[list[float]], list[list[int]], list[int]],
    categories: list[Category | None],
    findings: list[Finding | None],
) -> pl.DataFrame:
    """A row for each feature; see :attr:`polars_anorand.Model.statistics`."""
    values, _, missing = quantiles
    of = zip(features, categories, values, missing, findings, strict=True)
    found = [_row(*each, rows) for each in of]
    return pl.DataFrame(found, schema=_SCHEMA, orient="row")


def _row(
    feature: dict[str, Any],
    category: Category | None,
    quantiles: list[float],
    missing: int,
    finding: Finding | None,
    rows: int,
) -> tuple[Any, ...]:
    empty = missing == rows
    is_number = feature["kind"] == "Number" and not empty
    numbers = [quantiles[at] if is_number else None for at in _PLACES]
    share = missing / rows
    listed = None if category is None else _shares(category)[:_LISTED]
    usual = _usual(feature, quantiles, category)
    if empty:
        usual = "missing"
    elif share > 0.5:
        usual = f"missing, or {usual}"
    known: tuple[object, ...] = (None, None, None)
    if finding is not None:
        known = (finding.meaning, [value for value, _ in finding.placeholders], finding.depends_on)
    return (feature["name"], feature["dtype"], *numbers, share, listed, usual, *known)


def _shares(category: Category) -> list[dict[str, Any]]:
    values, counts, rare = category
    rows = sum(counts) + rare
    return [{"value": value, "share": count / rows} for value, count in zip(values, counts, strict=True)]


def _usual(feature: dict[str, Any], quantiles: list[float], category: Category | None) -> str:
    if category is not None:
        usual: list[str] = []
        covered = 0.0
        for each in _shares(category):
            if covered >= _MOST:
                break
            if len(usual) == _READ:
                usual.append("…")
                break
            usual.append(each["value"])
            covered += each["share"]
        return ", ".join(usual)
    ends = quantiles[1], quantiles[19]
    low, high = (_text(feature, end, *ends) for end in ends)
    return low if low == high else f"{low} to {high}"


def _text(feature: dict[str, Any], number: float, *near: float) -> str:
    if feature["dtype"] == "bool":
        return "true" if number else "false"
    value = of_feature(feature, None, number)
    return text(value, *near) if isinstance(value, float) else str(value)
