"""The detectors that are compared. Each is fitted on raw rows, and flags rows that are as odd as a share of these."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand

from .models import model_of
from .raw_coding import coding_of


class Detector(Protocol):
    """A fitted detector."""

    def flags(self, rows: pl.DataFrame) -> pl.Series:
        """Whether each row is flagged, as Booleans."""
        ...

    def blames(self, rows: pl.DataFrame) -> pl.Series | None:
        """The column that makes each row odd; None if the detector names none."""
        ...


Fit = Callable[[pl.DataFrame, float, int], Detector]
"""Training rows, the share of them to flag, and a seed give a fitted detector."""

Coding = Callable[[pl.DataFrame], list[pl.Expr]]
"""Training rows give the expressions that turn rows into numbers."""


def detectors(options: anorand.FitOptions) -> dict[str, Fit]:
    """All detectors by name. The options are AnoRand's."""

    def fit_anorand(train: pl.DataFrame, contamination: float, seed: int) -> Detector:
        return AnoRand(model_of(train, **(options | {"seed": seed})), contamination)

    return {"AnoRand": fit_anorand, "column rules": fit_rules, "IsolationForest": fit_forest}


@dataclass(frozen=True)
class AnoRand:
    """`detect`, with a reason for the column."""

    model: anorand.Model
    contamination: float

    def flags(self, rows: pl.DataFrame) -> pl.Series:
        """The outliers of `detect`. A row without a score is not flagged."""
        found = anorand.detect(pl.all(), self.model, contamination=self.contamination)
        return rows.select(found.struct.field("outlier").fill_null(False)).to_series()

    def blames(self, rows: pl.DataFrame) -> pl.Series:
        """The feature that adds most to the score of each of these outliers."""
        found = anorand.detect(pl.all(), self.model, contamination=self.contamination, explain=1)
        return rows.select(found.struct.field("reasons").list.first().struct.field("feature")).to_series()


@dataclass(frozen=True)
class Threshold:
    """A score of coded rows, and the score above which a row is flagged."""

    coding: list[pl.Expr]
    score: Callable[[np.ndarray], np.ndarray]
    threshold: float

    def flags(self, rows: pl.DataFrame) -> pl.Series:
        """The rows with a score above the threshold."""
        return pl.Series(self.score(coded(rows, self.coding)) > self.threshold)

    def blames(self, rows: pl.DataFrame) -> None:  # noqa: ARG002
        """No column."""
        return


def fit_rules(
    train: pl.DataFrame,
    contamination: float,
    _seed: int,
    code: Coding = coding_of,
) -> Threshold:
    """A limit for each column, as is written by hand: the largest robust z-score of a row's columns."""
    coding = code(train)
    known = coded(train, coding)
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75], axis=0)
    spread = known.std(axis=0)
    scale = np.where(high > low, (high - low) / 1.349, np.where(spread > 0, spread, 1.0))

    def score(rows: np.ndarray) -> np.ndarray:
        largest: np.ndarray = np.abs((rows - median) / scale).max(axis=1)
        return largest

    return Threshold(coding, score, float(np.quantile(score(known), 1 - contamination)))


def fit_forest(
    train: pl.DataFrame,
    contamination: float,
    seed: int,
    code: Coding = coding_of,
) -> Threshold:
    """scikit-learn's IsolationForest with its defaults."""
    coding = code(train)
    known = coded(train, coding)
    forest = IsolationForest(random_state=seed).fit(known)

    def score(rows: np.ndarray) -> np.ndarray:
        oddness: np.ndarray = -forest.score_samples(rows)
        return oddness

    return Threshold(coding, score, float(np.quantile(score(known), 1 - contamination)))


def coded(rows: pl.DataFrame, coding: list[pl.Expr]) -> np.ndarray:
    """The rows as a matrix of numbers."""
    return rows.select(coding).to_numpy()


@dataclass(frozen=True)
class Training:
    """Rows to fit on, and the share of them that a detector is told to flag."""

    kind: str
    rows: pl.DataFrame
    contamination: float


def share(flags: pl.Series) -> float:
    """The share of the rows that are true."""
    return int(flags.sum()) / len(flags)
