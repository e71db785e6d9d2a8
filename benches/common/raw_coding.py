"""Columns of numbers and categories as numbers."""

from __future__ import annotations

import numpy as np
import polars as pl

UNSEEN_COUNT = 0.5
"""How often a category counts as seen that the training rows do not have."""


def coding_of(train: pl.DataFrame) -> list[pl.Expr]:
    """How each column becomes a number: a category by its log-frequency, a missing number by the median."""
    return [_log_frequency(column) if column.dtype == pl.String else _imputed(column) for column in train]


def _imputed(column: pl.Series) -> pl.Expr:
    median = column.median()
    return pl.col(column.name).fill_null(0.0 if median is None else median)


def _log_frequency(column: pl.Series) -> pl.Expr:
    """A missing value counts as a category that was not seen."""
    counts = column.drop_nulls().value_counts(name="count")
    known = (counts["count"] / len(column)).log()
    unseen = float(np.log(UNSEEN_COUNT / len(column)))
    return pl.col(column.name).replace_strict(counts[column.name], known, default=unseen, return_dtype=pl.Float64)
