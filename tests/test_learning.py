"""Contract: training learns. Both losses fall, and what was learned tells real rows from mixed-up ones."""

from __future__ import annotations

from typing import Literal

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

import polars_anorand as anorand

Preset = Literal["paper", "default"]
PRESETS = pytest.mark.parametrize("preset", ["paper", "default"])

UNTRAINED: anorand.FitOptions = {"epochs": 1, "min_steps": 0, "learning_rate": 1e-12}


@pytest.fixture(scope="module")
def rows() -> dict[str, pl.DataFrame]:
    """scikit-learn's breast cancer set: benign rows to train on, others to test with, and mixed-up ones.

    A mixed-up row takes each feature from another patient: every value is usual, their combination is not. Only who has
    learned how the features hang together finds it.
    """
    bunch = load_breast_cancer()
    benign = bunch.data[bunch.target == 1]
    rng = np.random.default_rng(0)
    rng.shuffle(benign)
    train, test = benign[:250], benign[250:]
    mixed = np.column_stack([rng.permutation(column) for column in test.T])
    names = [str(name) for name in bunch.feature_names]
    return {
        kind: pl.DataFrame(data, schema=names) for kind, data in [("train", train), ("test", test), ("mixed", mixed)]
    }


def auc(rows: dict[str, pl.DataFrame], preset: Preset, options: anorand.FitOptions) -> float:
    """AUC-ROC of mixed-up against real rows, mean of three seeds."""
    tested = pl.concat([rows["test"], rows["mixed"]])
    labels = np.repeat([0, 1], [rows["test"].height, rows["mixed"].height])

    def one(seed: int) -> float:
        model = rows["train"].select(anorand.fit(pl.all(), preset=preset, seed=seed, **options)).item()
        return float(roc_auc_score(labels, tested.select(anorand.score(pl.all(), model)).to_series()))

    return float(np.mean([one(seed) for seed in range(3)]))


@PRESETS
def test_training_lowers_both_losses(rows: dict[str, pl.DataFrame], preset: Preset) -> None:
    data = rows["train"].select(anorand.fit(pl.all(), preset=preset)).item()
    training = anorand.Model(data).training
    assert training["after"]["cross_entropy"] < 0.9 * training["before"]["cross_entropy"]
    assert training["after"]["reconstruction"] < 0.7 * training["before"]["reconstruction"]


@PRESETS
def test_a_trained_model_beats_an_untrained_one(rows: dict[str, pl.DataFrame], preset: Preset) -> None:
    assert auc(rows, preset, {}) > auc(rows, preset, UNTRAINED) + 0.03


def test_more_weight_on_a_loss_lowers_that_loss(rows: dict[str, pl.DataFrame]) -> None:
    def losses(weight: float) -> dict[str, float]:
        data = rows["train"].select(anorand.fit(pl.all(), loss_weight=weight)).item()
        after: dict[str, float] = anorand.Model(data).training["after"]
        return after

    autoencoder, both, classifier = losses(0.0), losses(0.2), losses(1.0)
    assert autoencoder["cross_entropy"] > both["cross_entropy"]
    assert classifier["reconstruction"] > both["reconstruction"]
