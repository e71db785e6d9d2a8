"""A distilled network against its ensemble, scikit-learn's IsolationForest and isotree, with all parts of a score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import isotree
import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand
from benches.common.models import model_of
from benches.common.workloads import THREADS, frame, seconds


def distilled() -> None:
    """Scores and explanations of models with all their parts, and what it takes to fit them."""
    for features in (10, 30):
        compare(frame(10_000, features), frame(100_000, features))
    rows = frame(10_000, 20)
    numbers = rows.to_numpy()
    forest_time = seconds(lambda: IsolationForest(random_state=0, n_jobs=THREADS).fit(numbers).score_samples(numbers))
    variants: list[anorand.FitOptions] = [{}, {"distil": True}, {"distil": True, "members": 160}]
    for options in variants:
        ours = seconds(lambda options=options: rows.select(anorand.score(pl.all(), **options)))
        print(f"fit and score, 10,000 × 20, {options}: {ours / forest_time:.1f} × as long as IsolationForest's")


def compare(train: pl.DataFrame, rows: pl.DataFrame) -> None:
    """The rates of both models beside the forests', all fitted on the same rows."""
    trained, numbers = train.to_numpy(), rows.head(20_000).to_numpy()
    forest = IsolationForest(random_state=0, n_jobs=THREADS).fit(trained)
    # As scikit-learn's forest, and as the package makes it, with 500 trees that split by planes.
    like_sklearn = isotree.IsolationForest(ntrees=100, ndim=1, sample_size=256, nthreads=THREADS, random_seed=0)
    as_it_is = isotree.IsolationForest(nthreads=THREADS, random_seed=0)
    rivals = {
        "IsolationForest": rate(len(numbers), lambda: forest.score_samples(numbers)),
        "isotree, 100 trees": rate_of_isotree(like_sklearn, trained, numbers),
        "isotree": rate_of_isotree(as_it_is, trained, numbers[:500]),
    }
    for name, distil in [("default", False), ("distilled", True)]:
        model = model_of(train, distil=distil)
        ours = rate(rows.height, lambda model=model: rows.select(anorand.score(pl.all(), model)))
        some = rows.head(1_000)
        explained = rate(some.height, lambda model=model, some=some: some.select(anorand.explain(pl.all(), model)))
        beside = ", ".join(f"{ours / of_rival:.1f} × {rival}" for rival, of_rival in rivals.items())
        print(f"score, {name:9} d = {rows.width}: {ours / 1e6:.2f} M rows/s, {beside};")
        print(f"    explain: {explained / 1e3:.1f} k rows/s, a score's time × {ours / explained:.0f}")


def rate(rows: int, work: Callable[[], Any]) -> float:
    """Rows a second."""
    return rows / seconds(work, 5)


def rate_of_isotree(forest: isotree.IsolationForest, trained: np.ndarray, rows: np.ndarray) -> float:
    """Rows a second of a forest's scores, from its own order of the numbers."""
    forest.fit(trained.astype(np.float64))
    numbers = rows.astype(np.float64)
    return rate(len(rows), lambda: forest.predict(numbers))
