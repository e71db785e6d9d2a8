"""Raw tables: which there are, and the rows that are drawn from one."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.selectors as cs

DROPPED = "tables.json"
"""The file that names the tables, and of each the columns that nobody would give to a detector: counters, texts."""

TRAIN_SHARE = 0.7
CATEGORIES = cs.by_dtype(pl.Categorical, pl.Enum, pl.String)


@dataclass(frozen=True)
class Draw:
    """Rows of a table in a random order: the first 70 % are to fit on, the others to test."""

    rows: pl.DataFrame

    @property
    def train(self) -> pl.DataFrame:
        """The rows to fit on."""
        return self.rows.head(self._trained)

    @property
    def test(self) -> pl.DataFrame:
        """The rows to test."""
        return self.rows.slice(self._trained)

    @property
    def _trained(self) -> int:
        return int(TRAIN_SHARE * self.rows.height)


@dataclass(frozen=True)
class Table:
    """A table whose numbers are Float64 and whose categories are String; missing values are nulls."""

    name: str
    rows: pl.DataFrame

    def draw(self, count: int, seed: int) -> Draw:
        """At most `count` rows."""
        return Draw(self.rows.sample(min(count, self.rows.height), shuffle=True, seed=seed))


def read_tables(folder: Path, only: Iterable[str] | None = None) -> list[Table]:
    """The tables of a folder, in the order of its `tables.json`; of all, or of those asked for."""
    listed = json.loads((folder / DROPPED).read_text())
    names = list(listed if only is None else only)
    if unknown := [name for name in names if name not in listed]:
        raise ValueError(f"not in {folder / DROPPED}: {', '.join(unknown)}; there are {', '.join(listed)}")
    return [_read(folder / f"{name}.parquet", listed[name].get("drop", [])) for name in listed if name in names]


def _read(path: Path, dropped: list[str]) -> Table:
    rows = pl.read_parquet(path).drop(dropped)
    numbers = cs.numeric() | cs.boolean()
    if others := rows.select(~(numbers | CATEGORIES)).columns:
        raise TypeError(f"{path}: columns of neither numbers nor categories, to be dropped: {', '.join(others)}")
    return Table(path.stem, rows.with_columns(numbers.cast(pl.Float64).fill_nan(None), CATEGORIES.cast(pl.String)))
