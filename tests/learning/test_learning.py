"""Contract: training learns. Both losses fall, and what was learned tells real rows from mixed-up ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from conftest import internals
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split

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
    """AUC-ROC of mixed-up against real rows, mean of eight seeds."""
    tested = pl.concat([rows["test"], rows["mixed"]])
    labels = np.repeat([0, 1], [rows["test"].height, rows["mixed"].height])

    def one(seed: int) -> float:
        model = rows["train"].select(anorand.fit(pl.all(), preset=preset, seed=seed, **options)).item()
        return float(roc_auc_score(labels, tested.select(anorand.score(pl.all(), model)).to_series()))

    return float(np.mean([one(seed) for seed in range(8)]))


@PRESETS
def test_training_lowers_both_losses(rows: dict[str, pl.DataFrame], preset: Preset) -> None:
    data = rows["train"].select(anorand.fit(pl.all(), preset=preset)).item()
    training = anorand.Model(data).training
    assert training["after"]["cross_entropy"] < 0.9 * training["before"]["cross_entropy"]
    assert training["after"]["reconstruction"] < 0.7 * training["before"]["reconstruction"]


@PRESETS
def test_a_trained_model_beats_an_untrained_one(rows: dict[str, pl.DataFrame], preset: Preset) -> None:
    # Of the networks alone: kept rows and cells need no training.
    networks: anorand.FitOptions = {"kept_rows": 0, **(internals(combination="robust") if preset == "default" else {})}
    assert auc(rows, preset, networks) > auc(rows, preset, networks | UNTRAINED) + 0.03


def test_more_weight_on_a_loss_lowers_that_loss(rows: dict[str, pl.DataFrame]) -> None:
    def losses(weight: float) -> dict[str, float]:
        data = rows["train"].select(anorand.fit(pl.all(), loss_weight=weight)).item()
        after: dict[str, float] = anorand.Model(data).training["after"]
        return after

    autoencoder, both, classifier = losses(0.0), losses(0.2), losses(1.0)
    assert autoencoder["cross_entropy"] > both["cross_entropy"]
    assert classifier["reconstruction"] > both["reconstruction"]


@pytest.mark.parametrize("load", [load_wine, load_iris])
def test_the_default_preset_beats_an_isolation_forest_on_small_real_sets(load: Callable[[], Any]) -> None:
    """Labels as ADBench makes them: one class becomes rare, and is the anomaly. Neither detector sees them."""
    bunch = load()
    rare = bunch.target == 0
    ours, forests = [], []
    for seed in range(30):
        few = np.random.default_rng(seed).choice(np.flatnonzero(rare), 10, replace=False)
        kept = np.concatenate([np.flatnonzero(~rare), few])
        train, test, _, labels = train_test_split(
            bunch.data[kept], rare[kept], test_size=0.3, stratify=rare[kept], random_state=seed
        )
        names = [f"f{at}" for at in range(train.shape[1])]
        model = pl.DataFrame(train, schema=names).select(anorand.fit(names, seed=seed)).item()
        scores = pl.DataFrame(test, schema=names).select(anorand.score(names, model)).to_series()
        ours.append(average_precision_score(labels, scores))
        forest = IsolationForest(random_state=seed).fit(train)
        forests.append(average_precision_score(labels, -forest.score_samples(test)))
    assert np.mean(ours) > np.mean(forests), (ours, forests)


@pytest.mark.parametrize("preset", ["paper", "default"])
@pytest.mark.parametrize(("rows", "features"), [(50, 3), (60, 1_500)])
def test_few_rows_and_many_features_work(preset: Preset, rows: int, features: int) -> None:
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(rows, features))
    numbers[7] *= 8
    frame = pl.DataFrame(numbers, schema=[f"f{at}" for at in range(features)])
    scores = frame.select(anorand.score(pl.all(), preset=preset)).to_series()
    assert scores.is_between(0, 1, closed="none").all()
    assert scores.is_finite().all()
    assert scores.n_unique() > rows // 2
    # The paper's one network may have taken that very row as one to make noise from.
    assert scores.arg_max() == 7 or preset == "paper"


@pytest.mark.parametrize("known", [10, 30])
def test_what_no_training_row_is_is_flagged_and_named_whatever_the_labels_teach(known: int) -> None:
    rng = np.random.default_rng(5)
    odd = rng.random(2_000) < 0.03
    frame = pl.DataFrame({name: rng.normal(size=2_000) for name in "abcd"}).with_columns(
        pl.col("a") + 3.0 * pl.Series(odd.astype(float)), kind=pl.Series(rng.choice(list("xyz"), 2_000))
    )
    label = pl.Series("label", [1 if row in np.flatnonzero(odd)[:known] else None for row in range(2_000)])
    model = frame.select(anorand.fit(pl.all(), labels=label, min_steps=200)).item()
    usual = frame.filter(~pl.Series(odd)).head(40)
    strange = {
        "d": pl.lit(None, dtype=pl.Float64),
        "c": pl.lit(15.0),
        "kind": pl.lit("new"),
    }
    for name, value in strange.items():
        rows = usual.with_columns(value.alias(name))
        found = rows.select(anorand.detect(pl.all(), model, explain=1)).unnest("anomaly")
        assert found["outlier"].all(), name
        assert found["reasons"].list.first().struct.field("feature").unique().to_list() == [name]
    assert usual.select(anorand.detect(pl.all(), model)).unnest("anomaly")["outlier"].mean() < 0.1


@pytest.mark.parametrize("seed", range(20))
def test_five_far_values_of_45_rows_rank_above_the_others_beside_a_plateau_of_equal_ones(seed: int) -> None:
    """What is dense must not make what is far look ordinary, nor the rest of the bulk strange."""
    rng = np.random.default_rng(seed)
    bulk = rng.normal(50, 5, 25).round(1)
    plateau = np.full(15, float(rng.integers(40, 60)))
    far = rng.uniform(150, 400, 5).round(1)
    values = rng.permutation(np.concatenate([bulk, plateau, far]))
    frame = pl.DataFrame({"x": values}).with_columns(anorand.detect("x", contamination=0.11, seed=seed))
    outliers = frame.unnest("anomaly").filter("outlier")["x"]
    assert set(outliers) == set(far)
