"""The methods that are compared. Each ranks the rows of a table, and most rank its cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand
from benches.common.coding import coding_of
from benches.common.models import model_of

BINS = 32
FOREST_SEEDS = 3
RESULT = "result of the bench"
"""A name that no column of a table has: one of them has a column `score`."""


@dataclass(frozen=True)
class Ranking:
    """A score for each row, and evidence for each cell: the higher, the likelier wrong."""

    rows: np.ndarray
    cells: np.ndarray | None


Rank = Callable[[pl.DataFrame], Ranking]


def rankings(options: anorand.FitOptions) -> Mapping[str, Rank]:
    """All methods by name. The options are AnoRand's."""
    return {"AnoRand": partial(by_anorand, options), "sum of −log frequencies": by_rarity, "IsolationForest": by_forest}


def by_anorand(options: anorand.FitOptions, table: pl.DataFrame) -> Ranking:
    """`score` for the rows, `cells` for the cells; `explain` in a build that has no `cells`."""
    model = model_of(table, **({"seed": 0} | options))
    verb = getattr(anorand, "cells", anorand.explain)
    rows = table.select(anorand.score(pl.all(), model, name=RESULT)).to_series().to_numpy()
    evidence = table.select(verb(pl.all(), model, name=RESULT)).to_series().struct.unnest()
    return Ranking(rows, evidence.select(table.columns).fill_null(0.0).to_numpy())


def by_rarity(table: pl.DataFrame) -> Ranking:
    """How rare each value is in its column, and the sum of these."""
    cells = table.select(rarity(column) for column in table).to_numpy()
    return Ranking(cells.sum(axis=1), cells)


def by_forest(table: pl.DataFrame) -> Ranking:
    """scikit-learn's IsolationForest with its defaults, the mean of three seeds. It says nothing of cells."""
    coded = table.select(coding_of(table)).to_numpy()
    scores = [-IsolationForest(random_state=seed).fit(coded).score_samples(coded) for seed in range(FOREST_SEEDS)]
    return Ranking(np.mean(scores, axis=0), None)


def rarity(column: pl.Series) -> pl.Series:
    """The negative logarithm of each value's frequency; a number of many values counts by its quantile bin."""
    values = binned(column) if column.dtype.is_numeric() and column.n_unique() > BINS else column
    counts = values.to_frame("value").select(pl.len().over("value")).to_series()
    return -(counts / len(column)).log().alias(column.name)


def binned(column: pl.Series) -> pl.Series:
    """The number of the quantile bin for each value; null stays null."""
    numbers = column.cast(pl.Float64)
    edges = np.quantile(numbers.drop_nulls().to_numpy(), np.linspace(0, 1, BINS + 1)[1:-1])
    bins = pl.Series(np.searchsorted(edges, numbers.fill_null(0.0).to_numpy()))
    return bins.set(numbers.is_null(), None)
