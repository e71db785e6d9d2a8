"""Rules that few rows break, in tables of numbers alone: `python -m benches.relations.numbers FOLDER [--share 0.003]`.

The columns are those of the normal rows of sets like ADBench's. One more follows from them exactly, and a
few rows break that. The detectors are fitted on all rows, and score them.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

import polars_anorand  # noqa: F401  (registers the namespace)
from benches.common.output import markdown

Array = np.ndarray
Table = dict[str, Array]
MOST_ROWS = 3_000


def _added(table: Table, broken: Array, rng: np.random.Generator, follows: Callable[[Array, Array], Array]) -> Table:
    """With a number that follows from the first and the last column of many values."""
    usable = [column for column in table.values() if len(np.unique(column)) > 50]
    number = follows(usable[0], usable[-1])
    number[broken] *= rng.choice([0.5, 0.8, 1.25, 2.0], len(broken))
    return table | {"follows": number}


def _coded(table: Table, broken: Array, rng: np.random.Generator) -> Table:
    """With a code of 9 that follows from one of 25."""
    group = rng.integers(0, 25, len(next(iter(table.values()))))
    code = rng.permutation(25)[group] % 9
    code[broken] = (code[broken] + rng.integers(1, 9, len(broken))) % 9
    return table | {"group": group.astype(float), "code": code.astype(float)}


RULES = {
    "a copy": lambda *given: _added(*given, lambda a, _: a.copy()),
    "1.19 · a, rounded": lambda *given: _added(*given, lambda a, _: (a * 1.19).round(2)),
    "a + b": lambda *given: _added(*given, lambda a, b: a + b),
    "a code of a code": _coded,
}


def tables(options: argparse.Namespace) -> Iterator[pl.DataFrame]:
    """The normal rows of each set with two columns of many values."""
    for path in sorted(options.folder.glob("*.parquet")):
        rows = pl.read_parquet(path)
        rows = rows.filter(pl.col("label") == 0).drop("label").cast(pl.Float64)
        if rows.width <= 40 and sum(rows[name].n_unique() > 50 for name in rows.columns) >= 2:
            yield rows.sample(min(rows.height, MOST_ROWS), seed=0)


def score_by_forest(frame: pl.DataFrame) -> Array:
    """The scores of scikit-learn's IsolationForest, the higher the more anomalous."""
    rows = frame.to_numpy()
    scores: Array = -IsolationForest(random_state=0).fit(rows).score_samples(rows)
    return scores


def score_by_anorand(frame: pl.DataFrame) -> Array:
    """The scores of AnoRand's default."""
    return frame.select(pl.all().anorand.score(seed=0)).to_series().to_numpy()  # type: ignore[attr-defined]


DETECTORS = {"AnoRand": score_by_anorand, "IsolationForest": score_by_forest}


def measure(options: argparse.Namespace) -> pl.DataFrame:
    """For each set, rule and detector: the AUC-ROC of the broken rows, and how many of them are among the highest."""
    results = []
    for rows in tables(options):
        for name, rule in RULES.items():
            rng = np.random.default_rng(0)
            broken = rng.choice(rows.height, max(2, int(options.share * rows.height)), replace=False)
            frame = pl.DataFrame(rule({each: rows[each].to_numpy() for each in rows.columns}, broken, rng))
            is_broken = np.isin(np.arange(rows.height), broken)
            for detector, score in DETECTORS.items():
                scores = score(frame)
                line = np.sort(scores)[-int(0.01 * rows.height) - len(broken)]
                found = (scores[broken] >= line).mean()
                results.append((name, detector, roc_auc_score(is_broken, scores), found))
    return pl.DataFrame(results, ["rule", "detector", "AUC-ROC", "found"], orient="row")


def main() -> None:
    """Measure, and print a table of means."""
    parser = argparse.ArgumentParser(prog="benches.relations.numbers", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder of *.parquet with features and a 0/1 `label`")
    parser.add_argument("--share", type=float, default=0.003, help="the share of the rows that break a rule")
    options = parser.parse_args()
    found = measure(options)
    means = found.group_by("rule", "detector", maintain_order=True).agg(pl.col("AUC-ROC", "found").mean())
    with markdown():
        print(means.pivot("detector", index="rule", values=["AUC-ROC", "found"]))


if __name__ == "__main__":
    main()
