"""Table 2: sets of a folder with the labels of the training rows given, beside scikit-learn's classifiers.

The protocol is that of benches.quality. The paper's numbers stand beside: its own method's, and those of the two
classifiers that are nearest to scikit-learn's, which tell whether both measure the same thing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

import polars_anorand as anorand
from benches.common import datasets
from benches.common.datasets import load_split
from benches.common.detectors import Detector, anorand_score
from benches.common.evaluation import evaluate
from benches.common.models import model_of, table

from . import output

PAPER = pl.DataFrame(
    {
        "set": ["campaign", "cardio", "fault", "letter", "Wilt", "MVTec-AD"],
        "paper: AnoRand": [62.92, 97.14, 74.5, 64.04, 93.66, 94.11],
        "paper: RF": [60.31, 97.79, 82.69, 69.76, 90.59, 98.55],
        "paper: LGB": [59.83, 97.4, 83.41, 73.44, 91.83, 98.67],
    }
).with_columns(pl.exclude("set") / 100)
"""AUC-PR of the sets of the paper's table that are looked for. MVTec-AD is a mean over its classes."""


@dataclass(frozen=True)
class Learner:
    """A method that learns from labels: `fit(rows, labels, seed)`, and `score(model, rows)`."""

    name: str
    fit: Callable[[np.ndarray, np.ndarray, int], Any]
    score: Callable[[Any, np.ndarray], np.ndarray]

    def given(self, labels: np.ndarray) -> Detector:
        """A detector for the rows that these labels are of, so that both kinds are measured by the same code."""
        return Detector(self.name, lambda rows, seed: self.fit(rows, labels, seed), self.score, version=None)


def anorand_learner(name: str, options: anorand.FitOptions) -> Learner:
    """polars_anorand with known anomalies."""

    def fit(rows: np.ndarray, labels: np.ndarray, seed: int) -> anorand.Model:
        return model_of(table(rows), labels=pl.Series(labels), **(options | {"seed": seed}))

    return Learner(name, fit, anorand_score)


def sklearn_learner(name: str, classifier: type) -> Learner:
    """A classifier of scikit-learn with its defaults."""

    def fit(rows: np.ndarray, labels: np.ndarray, seed: int) -> Any:
        return classifier(random_state=seed).fit(rows, labels)

    def score(model: Any, rows: np.ndarray) -> np.ndarray:
        return model.predict_proba(rows)[:, 1]

    return Learner(name, fit, score)


LEARNERS = [
    anorand_learner("AnoRand", {}),
    anorand_learner("AnoRand (paper)", {"preset": "paper"}),
    sklearn_learner("HistGradientBoosting", HistGradientBoostingClassifier),
    sklearn_learner("RandomForest", RandomForestClassifier),
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sets that the paper's table has."""
    datasets.add_arguments(parser, PAPER["set"].to_list())


def run(options: argparse.Namespace) -> None:
    """Measure, write."""
    results = []
    for path in datasets.asked_paths(options):
        for seed in range(options.seeds):
            split = load_split(path, seed)
            results += [evaluate(learner.given(split.train_labels), path.stem, split, seed) for learner in LEARNERS]
        print(path.stem, file=sys.stderr)
    runs = output.runs(results)
    means = runs.group_by("dataset", "detector", maintain_order=True).agg(
        pl.col("auc_pr", "auc_roc", "fit_seconds").mean(), pl.col("auc_pr").std().alias("auc_pr_std")
    )
    sets = beside_the_paper(means)
    output.write_json(options.out / "table2.json", {"seeds": options.seeds}, table=sets, means=means, runs=runs)
    output.write_markdown(options.out / "table2.md", sets)


def beside_the_paper(means: pl.DataFrame) -> pl.DataFrame:
    """One row a set of the paper's table, classes of MVTec-AD averaged, and the paper's columns."""
    mvtec = pl.col("dataset").str.contains("MVTec-AD", literal=True)
    sets = means.with_columns(set=pl.when(mvtec).then(pl.lit("MVTec-AD")).otherwise("dataset"))
    wide = sets.pivot(on="detector", index="set", values="auc_pr", aggregate_function="mean", maintain_order=True)
    return wide.join(PAPER, on="set", how="left", maintain_order="left")
