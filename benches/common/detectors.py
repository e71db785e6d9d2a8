"""The one place where a detector is declared: a name, how it is fitted, how it scores."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from sklearn.preprocessing import MinMaxScaler

import polars_anorand as anorand

from .models import model_of, table

Fit = Callable[[np.ndarray, int], Any]
Score = Callable[[Any, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Detector:
    """`fit(rows, seed)` gives a fitted model, `score(model, rows)` one number a row (higher = more anomalous).

    `version` goes into the cache's key. Without one, the detector is measured each time: ours is what changes.
    """

    name: str
    fit: Fit
    score: Score
    version: str | None


PYOD_VERSION = "3.6.7"
SEEDED = frozenset({"IForest", "CBLOF", "AutoEncoder", "DeepSVDD", "GMM", "VAE", "INNE", "DIF"})
CHEAP = {
    "IForest": "iforest",
    "ECOD": "ecod",
    "COPOD": "copod",
    "KNN": "knn",
    "PCA": "pca",
    "HBOS": "hbos",
    "LOF": "lof",
    "CBLOF": "cblof",
    "LODA": "loda",
}
# Newer ones, which learn from clean rows.
NEWER = {"LUNAR": "lunar", "INNE": "inne", "DIF": "dif"}
SLOW = {"OCSVM": "ocsvm", "AutoEncoder": "auto_encoder", "DeepSVDD": "deep_svdd"}


def pyod_detector(name: str, module: str) -> Detector:
    """A PyOD detector with its defaults, on features min-max scaled by the training rows."""

    def fit(rows: np.ndarray, seed: int) -> Any:
        np.random.seed(seed)  # some PyOD detectors draw from NumPy's global generator
        scaler = MinMaxScaler().fit(rows)
        detector_class = getattr(importlib.import_module(f"pyod.models.{module}"), name)
        options = {"random_state": seed} if name in SEEDED else {}
        if name == "CBLOF":
            return scaler, _cblof(detector_class, options, scaler.transform(rows))
        if name == "DeepSVDD":  # no default
            options["n_features"] = rows.shape[1]
        return scaler, detector_class(**options).fit(scaler.transform(rows))

    def score(fitted: Any, rows: np.ndarray) -> np.ndarray:
        scaler, model = fitted
        if model is None:  # CBLOF could not be fitted: no row is told from another
            return np.zeros(len(rows))
        return np.nan_to_num(model.decision_function(scaler.transform(rows)))

    return Detector(name, fit, score, PYOD_VERSION)


def _cblof(detector_class: type, options: dict[str, Any], rows: np.ndarray) -> Any:
    """CBLOF refuses small data where its 8 clusters can't be told apart: it gets fewer, until it runs.

    None if it refuses 2 clusters too.
    """
    for clusters in range(8, 1, -1):
        try:
            return detector_class(**options, n_clusters=clusters).fit(rows)
        except ValueError as error:
            print(f"CBLOF with {clusters} clusters refuses {len(rows)} rows: {error}", file=sys.stderr)
    return None


def anorand_score(model: anorand.Model, rows: np.ndarray) -> np.ndarray:
    """The scores of the rows by a fitted model."""
    return table(rows).select(anorand.score(pl.all(), model)).to_series().to_numpy()


def anorand_detector(name: str, options: Mapping[str, Any]) -> Detector:
    """polars_anorand with some options, on the features as they are."""

    def fit(rows: np.ndarray, seed: int) -> anorand.Model:
        return model_of(table(rows), **{**options, "seed": seed})

    return Detector(name, fit, anorand_score, version=None)


def pyod_detectors(modules: dict[str, str]) -> list[Detector]:
    """One detector for each name and module."""
    return [pyod_detector(name, module) for name, module in modules.items()]


OURS = [anorand_detector("AnoRand", {}), anorand_detector("AnoRand (paper)", {"preset": "paper"})]
BASELINES = pyod_detectors({**CHEAP, **SLOW})
DETECTORS = {detector.name: detector for detector in [*OURS, *BASELINES]}

NOVELTY_NAMES = ["KNN", "LOF", "IForest", "OCSVM", "CBLOF", "PCA", "ECOD", "AutoEncoder", "DeepSVDD"]
NOVELTY_DETECTORS = {
    detector.name: detector
    for detector in [
        anorand_detector("AnoRand (novelty)", {"preset": "novelty"}),
        OURS[0],
        *(DETECTORS[name] for name in NOVELTY_NAMES),
        *pyod_detectors(NEWER),
    ]
}
"""Those of the protocol that trains on normal rows."""
