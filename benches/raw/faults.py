"""Faults as raw tables have them: which columns can carry one, and how it changes a cell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

Fault = Callable[[pl.Series], pl.Expr | None]
"""Given a column, the expression that makes its cells faulty; None if the column can't carry the fault."""


def ten_times(column: pl.Series) -> pl.Expr | None:
    """The decimal point has slipped."""
    values = numbers(column)
    return pl.col(column.name) * 10 if values.max(initial=0) > 0 else None


def sign_turned(column: pl.Series) -> pl.Expr | None:
    """A positive number is negative, in a column without negative numbers."""
    values = numbers(column)
    return -pl.col(column.name) if values.max(initial=0) > 0 and values.min() >= 0 else None


def far_sentinel(column: pl.Series) -> pl.Expr | None:
    """A number that stands for "unknown", far from all others."""
    values = numbers(column)
    if not values.size:
        return None
    return pl.lit(-9999.0 if values.max() < 5000 else 1e9)


def unseen_category(column: pl.Series) -> pl.Expr | None:
    """A category that the column does not have."""
    return pl.lit("??") if column.dtype == pl.String else None


def emptied_cell(column: pl.Series) -> pl.Expr | None:
    """A missing value, in a column without missing values."""
    return None if column.null_count() else pl.lit(None, column.dtype)


def beyond_the_bulk(column: pl.Series) -> pl.Expr | None:
    """A number that may have been seen, but lies far above nearly all others."""
    values = numbers(column)
    if not values.size:
        return None
    low, high = np.quantile(values, [0.01, 0.99])
    return pl.lit(high + 1.5 * (high - low)) if high > low else None


FAULTS: dict[str, Fault] = {
    "value × 10": ten_times,
    "sign turned": sign_turned,
    "far sentinel": far_sentinel,
    "unseen category": unseen_category,
    "emptied cell": emptied_cell,
    "beyond the bulk": beyond_the_bulk,
}


def numbers(column: pl.Series) -> np.ndarray:
    """The column's values without nulls; none if it is not of numbers."""
    return column.drop_nulls().to_numpy() if column.dtype.is_numeric() else np.empty(0)


@dataclass(frozen=True)
class Case:
    """One fault in one column."""

    fault: str
    column: str
    cell: pl.Expr

    def plant(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the fault, without those whose cell was empty or is no other than before."""
        faulty = rows.with_columns(self.cell.alias(self.column))
        before, after = rows[self.column], faulty[self.column]
        return faulty.filter(before.is_not_null() & before.ne_missing(after))


def cases(rows: pl.DataFrame) -> list[Case]:
    """All faults that the columns of these rows can carry, column by column."""
    found = []
    for column in rows:
        for name, fault in FAULTS.items():
            cell = fault(column)
            if cell is not None:
                found.append(Case(name, column.name, cell))
    return found
