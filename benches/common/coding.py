"""Columns of any kind as numbers, for detectors that take nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

UNSEEN_COUNT = 0.5
"""The count of a value that the training rows do not have."""


def coding_of(train: pl.DataFrame) -> list[pl.Expr]:
    """The expressions that turn rows into numbers.

    A number or a time is itself, or the median where it is missing. If the training rows have missing values in its
    column, a second number says whether it is missing. Any other value is the logarithm of its frequency, and so is
    its absence.
    """
    return [expression for column in train for expression in _codes(column)]


def _codes(column: pl.Series) -> Iterator[pl.Expr]:
    if not (column.dtype.is_numeric() or column.dtype.is_temporal()):
        yield _log_frequency(column)
        return
    median = column.to_physical().cast(pl.Float64).median()
    value = pl.col(column.name)
    yield value.to_physical().cast(pl.Float64).fill_null(median if isinstance(median, float) else 0.0)
    if column.null_count():
        yield value.is_null().cast(pl.Float64).name.suffix(" is missing")


def _log_frequency(column: pl.Series) -> pl.Expr:
    counts = column.value_counts(name="count")
    known = (counts["count"] / len(column)).log()
    unseen = float(np.log(UNSEEN_COUNT / len(column)))
    return pl.col(column.name).replace_strict(counts[column.name], known, default=unseen, return_dtype=pl.Float64)
