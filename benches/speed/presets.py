"""What each preset's score costs, part by part, beside scikit-learn's IsolationForest, and what other detectors' cost.

CPU times, for one thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import isotree
import numpy as np
import polars as pl
from pyod.models.ecod import ECOD
from pyod.models.hbos import HBOS
from pyod.models.knn import KNN
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand
from benches.common.models import internals, model_of
from benches.common.workloads import cpu_seconds, frame

FEATURES = (10, 30)
TRAIN, ROWS = 20_000, 30_000
REPEATS = 5

MODELS: dict[str, dict[str, Any]] = {
    "default": {},
    "default without cells": internals(combination="robust"),
    "default, members=10": {"members": 10},
    "novelty": {"preset": "novelty"},
    "novelty without kept rows": {"preset": "novelty", "kept_rows": 0},
    "novelty, kept_rows=20,000": {"preset": "novelty", "kept_rows": 20_000},
    "distilled": {"distil": True},
    "paper": {"preset": "paper", "epochs": 1},
}


def isotree_forest(train: np.ndarray) -> Callable[[np.ndarray], Any]:
    """The scores of isotree's forest with scikit-learn's settings."""
    forest = isotree.IsolationForest(ntrees=100, ndim=1, sample_size=256, nthreads=1, random_seed=0)
    return forest.fit(np.asfortranarray(train, dtype=np.float64)).predict


OTHERS: dict[str, tuple[Callable[[np.ndarray], Callable[[np.ndarray], Any]], int]] = {
    "isotree, 100 trees": (isotree_forest, ROWS),
    "HBOS": (lambda train: HBOS().fit(train).decision_function, ROWS),
    "ECOD": (lambda train: ECOD().fit(train).decision_function, ROWS),
    "KNN": (lambda train: KNN(n_neighbors=5).fit(train).decision_function, 1_000),
}
"""Other detectors with their defaults, and how many rows they are timed on."""


def presets() -> None:
    """Scores of each model and detector as multiples of the forest's rate, and fits as multiples of its time."""
    for features in FEATURES:
        train, rows = frame(TRAIN, features), frame(ROWS, features, seed=1)
        numbers = rows.to_numpy()
        forest = IsolationForest(random_state=0, n_jobs=1).fit(train.to_numpy())
        of_forest = shortest(lambda forest=forest, numbers=numbers: forest.score_samples(numbers))
        print(f"{features} features: IsolationForest {1e6 * of_forest / ROWS:.2f} µs a row")
        for name, options in MODELS.items():
            model = model_of(train, seed=0, **options)
            ours = shortest(lambda model=model, rows=rows: rows.select(anorand.score(pl.all(), model)))
            print(f"  {name}: {1e6 * ours / ROWS:.2f} µs a row, {of_forest / ours:.2f} × IsolationForest")
        for name, (fitted, count) in OTHERS.items():
            scores, some = fitted(train.to_numpy()), np.asfortranarray(numbers[:count], dtype=np.float64)
            theirs = shortest(lambda scores=scores, some=some: scores(some)) / count
            print(f"  {name}: {1e6 * theirs:.2f} µs a row, {of_forest / ROWS / theirs:.3f} × IsolationForest")
    fits()


def fits() -> None:
    """A fit and the scores of its rows."""
    rows = frame(10_000, 20)
    numbers = rows.to_numpy()
    of_forest = shortest(lambda: IsolationForest(random_state=0, n_jobs=1).fit(numbers).score_samples(numbers))
    for name, options in MODELS.items():
        ours = shortest(lambda options=options: rows.select(anorand.score(pl.all(), **options)))
        print(f"fit and score, 10,000 × 20, {name}: {ours / of_forest:.1f} × as long as IsolationForest's")


def shortest(work: Callable[[], Any]) -> float:
    """The shortest CPU time of a few runs."""
    return min(cpu_seconds(work) for _ in range(REPEATS))
