"""What is measured on a table: the share of its new rows above each line, and what a line of a millionth finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import polars.selectors as cs

import polars_anorand as anorand

from .tables import Table

LINES = (1e-2, 1e-3, 1e-4)
LEAST = 3
"""New rows that should lie above a line, for it to be measured."""

EXTREME = 1e-6
ABSURD_ROWS = 20
RANGES = 1_000
"""An absurd number is this many ranges of its column above all training rows."""


@dataclass(frozen=True)
class Result:
    """Of a table and a line, how many of the new rows lie above; and how many have a rarity that says so.

    `beyond` says whether the line is less than one of the rows of the fit.
    """

    table: str
    kind: str
    half: int
    rows: int
    new: int
    line: float
    beyond: bool
    above: int
    rarer: int


@dataclass(frozen=True)
class Extreme:
    """How many of a table's new rows lie above the line of a millionth, and the share of rows with an absurd number.

    `found` is None for a table without numbers.
    """

    table: str
    kind: str
    rows: int
    new: int
    above: int
    found: float | None


def measure(table: Table, options: Mapping[str, object]) -> tuple[list[Result], Extreme]:
    """Fit a model of a table, and count the new rows above each line."""
    model = anorand.train(table.train, table.train.columns, **{"seed": 0, **options})
    found = detected(model, table.new)
    absurd = with_absurd_numbers(table)
    share = None if absurd is None else float(detected(model, absurd)["outlier"].mean())
    above = int(found["outlier"].sum())
    extreme = Extreme(table.name, table.kind, table.train.height, table.new.height, above, share)
    return list(by_line(table, model, found)), extreme


def detected(model: anorand.Model, rows: pl.DataFrame) -> pl.DataFrame:
    """The fields of `detect` at the line of a millionth."""
    return rows.select(anorand.detect(model.features, model, contamination=EXTREME)).unnest("anomaly")


def by_line(table: Table, model: anorand.Model, found: pl.DataFrame) -> Iterator[Result]:
    """A result for each line that enough new rows should lie above."""
    rows, new = table.train.height, table.new.height
    for line in LINES:
        if line * new >= LEAST:
            above = found.filter(pl.col("score") > model.threshold(line)).height
            rarer = found.filter(10.0 ** -pl.col("rarity").cast(pl.Float64) < line).height
            yield Result(table.name, table.kind, table.half, rows, new, line, line * rows < 1, above, rarer)


def with_absurd_numbers(table: Table) -> pl.DataFrame | None:
    """Some new rows, each with an absurd number in one column; None if no column has numbers."""
    numbers = table.train.select(cs.numeric()).columns
    if not numbers:
        return None
    rng = np.random.default_rng(0)
    rows = []
    for at, name in zip(
        rng.integers(table.new.height, size=ABSURD_ROWS), rng.choice(numbers, ABSURD_ROWS), strict=True
    ):
        low, high = table.train.select(pl.col(name).min().alias("low"), pl.col(name).max().alias("high")).row(0)
        value = pl.lit(high + RANGES * ((high - low) or 1)).cast(table.train.schema[name])
        rows.append(table.new[int(at)].with_columns(value.alias(name)))
    return pl.concat(rows)
