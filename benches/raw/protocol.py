"""What is measured on a table: detectors fitted on clean and on dirty rows, and faults planted into others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from benches.common.table_detectors import Detector, Fit, Training, share

from .faults import Case, cases, numbers
from .tables import Draw, Table

PLANTED_ROWS = 40
STEP = 37
"""Test rows between the first of one case and the first of the next; after the last row, the first ones come again."""


@dataclass(frozen=True)
class Finding:
    """Of some test rows, the share that is flagged, and the share of these whose faulty column is named.

    `fault` and `column` are None for the rows as they are. `named` is None if no row is flagged, and for detectors that
    name no column.
    """

    fault: str | None
    column: str | None
    flagged: float
    named: float | None


@dataclass(frozen=True)
class Result:
    """What one detector found in one case, by one training on one draw of one table."""

    table: str
    seed: int
    training: str
    detector: str
    finding: Finding


def measure(table: Table, rows: int, seed: int, detectors: Mapping[str, Fit]) -> Iterator[Result]:
    """All results of one draw of a table."""
    draw = table.draw(rows, seed)
    planted = cases(draw.rows)
    for training in trainings(draw, planted, seed):
        for name, fit in detectors.items():
            detector = fit(training.rows, training.contamination, seed)
            for finding in findings(detector, draw.test, planted):
                yield Result(table.name, seed, training.kind, name, finding)


def trainings(draw: Draw, planted: list[Case], seed: int) -> list[Training]:
    """The clean rows, and the dirty ones."""
    return [Training("clean", draw.train, 0.01), Training("dirty", dirtied(draw, planted, seed), 0.02)]


def dirtied(draw: Draw, planted: list[Case], seed: int) -> pl.DataFrame:
    """The training rows with a fault in 1 % of them, and one more for each column of numbers, with an absurd value."""
    rng = np.random.default_rng(seed)
    count = max(1, draw.train.height // 100)
    faulty = [damaged(draw.train.slice(at, 1), planted[rng.integers(len(planted))]) for at in range(count)]
    row = draw.train.slice(count, 1)
    absurd = [with_absurd_value(row, column) for column in draw.rows if numbers(column).size]
    return pl.concat([*faulty, *absurd, draw.train.slice(count)])


def damaged(row: pl.DataFrame, case: Case) -> pl.DataFrame:
    """The row with the fault; as it is, if it can't carry the fault."""
    faulty = case.plant(row)
    return row if faulty.is_empty() else faulty


def with_absurd_value(row: pl.DataFrame, column: pl.Series) -> pl.DataFrame:
    """The row with a value a million times the column's largest."""
    value = 1e6 * (abs(float(numbers(column).max())) + 1)
    return row.with_columns(pl.lit(value).alias(column.name))


def findings(detector: Detector, test: pl.DataFrame, planted: list[Case]) -> Iterator[Finding]:
    """The test rows as they are; then each case, planted into a few of them."""
    yield Finding(None, None, share(detector.flags(test)), None)
    last = max(1, test.height - PLANTED_ROWS)
    for at, case in enumerate(planted):
        faulty = case.plant(test.slice(at * STEP % last, PLANTED_ROWS))
        if not faulty.is_empty():
            yield found(detector, faulty, case)


def found(detector: Detector, faulty: pl.DataFrame, case: Case) -> Finding:
    """How many of the rows with a fault are flagged, and for how many of these the column is named."""
    flags = detector.flags(faulty)
    blamed = detector.blames(faulty.filter(flags)) if flags.any() else None
    named = None if blamed is None else share(blamed == case.column)
    return Finding(case.fault, case.column, share(flags), named)
