"""What a kind of table is: how its rows are made, and how a fault breaks one of their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import polars as pl

Make = Callable[[int, np.random.Generator], pl.DataFrame]
"""Makes that number of sound rows."""

Cell = Callable[[Mapping[str, Any], np.random.Generator], object]
"""The wrong value for a cell, given its sound row."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Fault:
    """How a row becomes wrong in one of its cells."""

    column: str
    """The column of the cell that breaks."""

    cell: Cell
    sound: pl.Expr
    """Whether a row is sound: true for all rows as they are made, false for all rows with the fault."""

    relation: tuple[str, ...] = ()
    """The other columns that a reader needs to see the fault."""

    standing: float = 0.0
    """The share of the training rows that have the fault, though the training is called clean."""

    def plant(self, rows: pl.DataFrame, share: float, rng: np.random.Generator) -> pl.DataFrame:
        """The rows, a share of which are broken; the first ones, since the rows' order means nothing."""
        count = round(share * rows.height)
        broken = [self.cell(row, rng) for row in rows.head(count).iter_rows(named=True)]
        column = rows[self.column]
        cells = pl.Series(self.column, broken, dtype=column.dtype)
        return rows.with_columns(pl.concat([cells, column.slice(count)]))


@dataclass(frozen=True)
class Kind:
    """A kind of table. Without a fault, it only asks how many of its sound rows are flagged."""

    name: str
    make: Make
    fault: Fault | None = None
    most_rows: int | None = None
    """A bound on the number of training rows."""


def beside(count: int, rng: np.random.Generator) -> dict[str, Any]:
    """Columns that have nothing to do with the relation: an amount, a category and a measurement."""
    branches = ["north", "south", "east", "west", "port", "hill", "mill"]
    return {
        "weight": rng.lognormal(2.5, 0.9, count).round(2),
        "branch": rng.choice(branches, count, p=[0.3, 0.2, 0.18, 0.12, 0.1, 0.06, 0.04]),
        "humidity": rng.normal(55, 8, count).round(1),
    }


def pick(values: Sequence[Value], rng: np.random.Generator) -> Value:
    """One of the values."""
    return values[int(rng.integers(len(values)))]


def another(value: Value, values: Sequence[Value], rng: np.random.Generator) -> Value:
    """One of the values, not this one."""
    return pick([other for other in values if other != value], rng)


def unequal(count: int, power: float = 0.7) -> np.ndarray:
    """The share of each of `count` categories, in falling order."""
    weights = np.arange(1, count + 1) ** -power
    shares: np.ndarray = weights / weights.sum()
    return shares
