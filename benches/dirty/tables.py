"""Dirty tables of a folder, and which of their cells are wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

ROWS_FILE = "dirty.csv"
ERRORS, MASK = "errors.parquet", "error_mask.csv"
"""Either says which cells are wrong: Booleans, or 1 for wrong."""

NUMBERING = frozenset({"", "id", "index", "instant", "inspection_id", "tuple_id", "unnamed: 0"})
"""Names of columns that only number the rows, in lower case."""


@dataclass(frozen=True)
class DirtyTable:
    """The rows of a table, and for each of their cells whether it is wrong."""

    name: str
    rows: pl.DataFrame
    wrong: np.ndarray


def read_tables(
    folder: Path, only: Iterable[str] | None = None, *, rows: int = 20_000, columns: int = 40
) -> Iterator[DirtyTable]:
    """The folder's tables, or those of these names: their first rows and columns."""
    found = {path.parent.name: path.parent for path in sorted(folder.glob(f"*/{ROWS_FILE}"))}
    asked = list(found if only is None else only)
    if unknown := [name for name in asked if name not in found]:
        raise ValueError(f"no {ROWS_FILE} in {folder} for {', '.join(unknown)}; there are {', '.join(found)}")
    return (read_table(found[name], rows, columns) for name in asked)


def read_table(folder: Path, rows: int, columns: int) -> DirtyTable:
    """The table of one folder."""
    table = pl.read_csv(
        folder / ROWS_FILE,
        infer_schema_length=None,
        null_values=[""],
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
    )
    wrong = read_errors(folder)
    if wrong.shape != table.shape:
        raise ValueError(f"{folder}: {ROWS_FILE} has {table.shape} cells, and its errors are of {wrong.shape}")
    kept = [at for at, name in enumerate(table.columns) if name.lower() not in NUMBERING][:columns]
    return DirtyTable(folder.name, table[:rows, kept], wrong[:rows, kept].to_numpy())


def read_errors(folder: Path) -> pl.DataFrame:
    """Whether each cell is wrong, in the shape of the table."""
    errors = folder / ERRORS
    known = pl.read_parquet(errors) if errors.exists() else pl.read_csv(folder / MASK, infer_schema_length=None)
    return known.with_columns(pl.all().cast(pl.Boolean))
