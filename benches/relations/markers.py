"""Kinds in which a value stands for none, and the training rows have a few of these as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from .kinds import Cell, Fault, Kind, beside

STANDING = 0.004
"""The share of the clean training rows that have such a value."""


def people(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Ages of adults, and readings around 12 that are never 0."""
    ages = rng.normal(46, 14, count).round().clip(18, 95).astype(np.int64)
    return pl.DataFrame({"age": ages, "reading": rng.normal(12, 4, count).clip(0.5).round(2), **beside(count, rng)})


def contacts(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """An area that is always known, and a rating that is missing in a third of the rows."""
    areas = [f"area {code}" for code in rng.integers(1, 31, count)]
    rating = pl.Series(rng.integers(1, 6, count)).zip_with(
        pl.Series(rng.random(count) < 2 / 3), pl.Series([None] * count, dtype=pl.Int64)
    )
    return pl.DataFrame({"area": areas, "rating": rating, **beside(count, rng)})


def invoices(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """One currency for all."""
    return pl.DataFrame({"currency": ["EUR"] * count, **beside(count, rng)})


def always(value: object) -> Cell:
    """A fault: this value, whatever the row."""

    def cell(_row: Mapping[str, Any], _rng: np.random.Generator) -> object:
        return value

    return cell


def marked(column: str, value: float) -> Fault:
    """The number that stands for an unknown one, in the training rows too."""
    return Fault(column, always(value), pl.col(column) != value, standing=STANDING)


KINDS = [
    Kind("−1 for an age", people, marked("age", -1)),
    Kind("999 for an age", people, marked("age", 999)),
    Kind("0 for a reading", people, marked("reading", 0.0)),
    Kind(
        "missing where it is rare",
        contacts,
        Fault("area", always(None), pl.col("area").is_not_null(), standing=STANDING),
    ),
    Kind("exception to a constant", invoices, Fault("currency", always("USD"), pl.col("currency") == "EUR")),
]
