"""Contract: training learns. Both losses fall, and what was learned finds real anomalies."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

import polars_anorand as anorand

FEATURES = anorand.functions.pl.selectors.starts_with("f")


@pytest.fixture(scope="module")
def tumours() -> pl.DataFrame:
    """scikit-learn's breast cancer set, as anomaly benchmarks use it: all benign rows, and a few malignant ones."""
    bunch = load_breast_cancer()
    labels = bunch.target == 0
    malignant = np.flatnonzero(labels)[:20]
    keep = np.concatenate([np.flatnonzero(~labels), malignant])
    rows = {f"f{at}": bunch.data[keep, at] for at in range(bunch.data.shape[1])}
    return pl.DataFrame(rows | {"label": labels[keep]})


def auc(frame: pl.DataFrame, **options: object) -> float:
    scores = frame.select(anorand.score(FEATURES, **options)).to_series()  # type: ignore[arg-type]
    return float(roc_auc_score(frame["label"], scores))


@pytest.mark.parametrize("preset", ["paper", "default"])
def test_training_lowers_both_losses(tumours: pl.DataFrame, preset: str) -> None:
    data = tumours.select(anorand.fit(FEATURES, preset=preset)).item()  # type: ignore[arg-type]
    training = anorand.Model(data).training
    assert training["after"]["cross_entropy"] < 0.9 * training["before"]["cross_entropy"]
    assert training["after"]["reconstruction"] < 0.7 * training["before"]["reconstruction"]


def test_a_trained_model_beats_an_untrained_one(tumours: pl.DataFrame) -> None:
    untrained = np.mean([auc(tumours, seed=seed, epochs=1, min_steps=0, learning_rate=1e-12) for seed in range(3)])
    trained = np.mean([auc(tumours, seed=seed) for seed in range(3)])
    assert trained > 0.9
    assert trained > untrained + 0.02


def test_more_weight_on_a_loss_lowers_that_loss(tumours: pl.DataFrame) -> None:
    def losses(weight: float) -> dict[str, float]:
        data = tumours.select(anorand.fit(FEATURES, loss_weight=weight)).item()
        after: dict[str, float] = anorand.Model(data).training["after"]
        return after

    autoencoder, both, classifier = losses(0.0), losses(0.2), losses(1.0)
    assert autoencoder["cross_entropy"] > both["cross_entropy"]
    assert classifier["reconstruction"] > both["reconstruction"]
