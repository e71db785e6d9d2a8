"""Contract: with `distil=True`, one network takes the place of the ensemble, and ranks rows as it does."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FEATURES, internals
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split

import polars_anorand as anorand

QUICK: anorand.FitOptions = {"min_steps": 60, "members": 10}
"""Options of an ensemble that is trained soon."""


def fitted(frame: pl.DataFrame, **options: Any) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(pl.exclude("label"), **options)).item())


def scored(frame: pl.DataFrame, model: anorand.Model) -> np.ndarray:
    return frame.select(anorand.score(pl.exclude("label"), model)).to_series().to_numpy()


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    ranks = [pl.Series(scores).rank().to_numpy() for scores in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


@pytest.fixture(scope="module")
def cancer() -> dict[str, pl.DataFrame]:
    """scikit-learn's breast cancer set, all benign rows and a tenth of the malignant ones, in two halves."""
    bunch = load_breast_cancer()
    anomalous = np.flatnonzero(bunch.target == 0)[::10]
    rows = np.concatenate([np.flatnonzero(bunch.target == 1), anomalous])
    frame = pl.DataFrame(bunch.data[rows], schema=[str(name) for name in bunch.feature_names])
    frame = frame.with_columns(label=pl.Series(bunch.target[rows] == 0))
    train, test = train_test_split(frame, test_size=0.5, stratify=frame["label"], random_state=0)
    return {"train": train, "test": test}


@pytest.fixture(scope="module")
def models(cancer: dict[str, pl.DataFrame]) -> tuple[anorand.Model, anorand.Model]:
    """The ensemble, and what was distilled from it."""
    return fitted(cancer["train"]), fitted(cancer["train"], distil=True)


@pytest.fixture(scope="module")
def distilled(frame: pl.DataFrame) -> anorand.Model:
    """A distilled model of the shared table."""
    return fitted(frame, distil=True, **QUICK)


def test_it_ranks_rows_that_no_fit_has_seen_as_the_ensemble_does(
    cancer: dict[str, pl.DataFrame], models: tuple[anorand.Model, anorand.Model]
) -> None:
    ensemble, student = (scored(cancer["test"], model) for model in models)
    assert rank_correlation(ensemble, student) > 0.95
    labels = cancer["test"]["label"]
    precisions = [average_precision_score(labels, scores) for scores in (ensemble, student)]
    assert precisions[1] > precisions[0] - 0.05


def test_it_says_what_it_was_distilled_from(models: tuple[anorand.Model, anorand.Model]) -> None:
    ensemble, student = models
    assert ensemble.distilled is None
    assert student.members == 1
    assert student.distilled is not None
    assert (student.distilled["members"], ensemble.members) == (5, 5)
    assert student.distilled["correlation"] > 0.95
    assert student.options == {**ensemble.options, "distil": True}


def test_a_file_has_one_network_and_no_kept_rows(
    cancer: dict[str, pl.DataFrame], models: tuple[anorand.Model, anorand.Model], tmp_path: Path
) -> None:
    _, student = models
    student.save(tmp_path / "student.safetensors")
    read = anorand.Model.load(tmp_path / "student.safetensors")
    assert read.to_bytes() == student.to_bytes()
    assert (scored(cancer["test"], read) == scored(cancer["test"], student)).all()
    tensors = [reference.load(model.to_bytes()) for model in models]
    assert [len(found["nd.0.weight"]) for found in tensors] == [5, 1]
    assert ["kept.rows" in found for found in tensors] == [True, False]


def test_scores_are_those_of_the_equations_with_its_one_network(
    cancer: dict[str, pl.DataFrame], models: tuple[anorand.Model, anorand.Model]
) -> None:
    rows = cancer["test"].drop("label")
    expected = reference.score(models[1].to_bytes(), rows.to_numpy())
    assert np.abs(scored(rows, models[1]) - expected).max() < 1e-5


def test_thresholds_are_those_of_its_own_scores(
    cancer: dict[str, pl.DataFrame], models: tuple[anorand.Model, anorand.Model]
) -> None:
    scores = scored(cancer["train"], models[1])
    assert models[1].threshold(0.1) == pytest.approx(np.quantile(scores, 0.9), abs=0.02)
    flags = cancer["train"].select(anorand.detect(pl.exclude("label"), models[1], contamination=0.1))
    assert flags.unnest("anomaly")["outlier"].mean() == pytest.approx(0.1, abs=0.01)


def test_an_explanation_adds_up(frame: pl.DataFrame, distilled: anorand.Model) -> None:
    parts = frame.select(anorand.explain(FEATURES, distilled)).unnest("explanation")
    start = scored(frame, distilled) - parts.sum_horizontal().to_numpy()
    ordinary = reference.ordinary_scores(distilled.to_bytes())
    assert np.abs(start[:, None] - ordinary).min(axis=1).max() < 1e-4


def test_an_embedding_is_that_of_the_one_network(frame: pl.DataFrame, distilled: anorand.Model) -> None:
    embedding = frame.select(anorand.embed(FEATURES, distilled)).to_series()
    assert embedding.dtype == pl.Array(pl.Float32, distilled.embedding_width)
    assert distilled.distilled is not None
    assert distilled.embedding_width == distilled.distilled["hidden"][-1] + distilled.distilled["latent"]


@pytest.mark.parametrize("scaling", ["minmax", "robust", "asinh"])
def test_what_is_far_outside_the_training_range_has_a_high_finite_score(frame: pl.DataFrame, scaling: str) -> None:
    model = fitted(frame, distil=True, **internals(scaling=scaling, combination="robust"))
    usual = scored(frame, model)
    for size in (10.0, 1e3, 1e6, 1e30):
        for sign in (1.0, -1.0):
            far = frame.head(1).select((pl.all() + sign * size * pl.Series([1e3])).cast(pl.Float64))
            score = scored(far, model)[0]
            assert np.quantile(usual, 0.99) < score < 1, (size, sign)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3))
def test_any_finite_row_has_a_score(distilled: anorand.Model, row: list[float]) -> None:
    score = scored(pl.DataFrame([row], schema=FEATURES, orient="row"), distilled)[0]
    assert 0 < score < 1


def test_the_same_seed_gives_the_same_bytes_in_any_order_of_the_rows(
    frame: pl.DataFrame, distilled: anorand.Model
) -> None:
    assert fitted(frame.sample(fraction=1.0, shuffle=True, seed=5), distil=True, **QUICK) == distilled
    assert fitted(frame, distil=True, seed=1, **QUICK) != distilled


def test_the_same_bytes_come_from_any_number_of_threads() -> None:
    program = (
        "import hashlib, polars as pl, polars_anorand as anorand\n"
        "x = pl.int_range(500, eager=True)\n"
        "frame = pl.DataFrame({'x': (x * x % 97).cast(float), 'y': (x % 13).cast(float)})\n"
        "model = frame.select(anorand.fit(['x', 'y'], distil=True, min_steps=60, members=10)).item()\n"
        "print(hashlib.sha256(model).hexdigest())"
    )

    def digest(threads: str) -> str:
        environment = {**os.environ, "POLARS_MAX_THREADS": threads}
        return subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout

    assert digest("1") == digest("3")


def test_false_is_the_default_and_changes_nothing(frame: pl.DataFrame) -> None:
    assert fitted(frame, distil=False, **QUICK) == fitted(frame, **QUICK)


def test_another_type_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="distil must be a bool, got 1"):
        anorand.fit("x", distil=1)  # type: ignore[arg-type]


def test_the_spread_of_members_that_are_gone_is_refused(frame: pl.DataFrame, distilled: anorand.Model) -> None:
    with pytest.raises(
        pl.exceptions.ComputeError, match=r"spread=True needs the members .* distilled from 10: fit it without"
    ):
        frame.select(anorand.detect(FEATURES, distilled, spread=True))


def test_a_fit_does_not_start_from_it_but_may_distil_what_it_starts_from(
    frame: pl.DataFrame, distilled: anorand.Model
) -> None:
    with pytest.raises(
        pl.exceptions.ComputeError, match=r"init= is one network that was distilled .* without distil=True"
    ):
        frame.select(anorand.fit(FEATURES, init=distilled, distil=False))
    again = frame.select(anorand.fit(FEATURES, init=fitted(frame, **QUICK), distil=True, **QUICK)).item()
    assert anorand.Model(again).distilled is not None


def test_a_network_that_ranks_rows_unlike_the_ensemble_is_a_warning() -> None:
    rng = np.random.default_rng(0)
    noise = pl.DataFrame(rng.normal(size=(300, 100)), schema=[f"x{at}" for at in range(100)])
    options: dict[str, Any] = {
        "members": 1,
        "kept_rows": 0,
        "hidden": [512],
        "min_steps": 300,
        **internals(noise_margin=0.0),
    }
    with pytest.warns(UserWarning, match=r"unlike its ensemble \(rank correlation 0\.\d\d, expected at least 0\.90\)"):
        model = fitted(noise, distil=True, learning_rate=0.3, **options)
    assert model.distilled is not None
    assert model.distilled["correlation"] < 0.9


def test_groups_have_distilled_models_of_their_own(frame: pl.DataFrame) -> None:
    halves = frame.with_columns(key=pl.int_range(pl.len()) % 2)
    with_by = halves.select(anorand.fit(FEATURES, by="key", distil=True, **QUICK)).unnest("model")
    grouped = halves.group_by("key").agg(anorand.fit(FEATURES, distil=True, **QUICK)).sort("key")
    assert with_by.sort("key")["model"].to_list() == grouped["model"].to_list()
    assert all(anorand.Model(model).members == 1 for model in grouped["model"])


def test_the_loss_weight_may_be_chosen_from_a_list(frame: pl.DataFrame) -> None:
    chosen = fitted(frame, distil=True, loss_weight=[0.1, 0.9], **QUICK)
    assert chosen.distilled is not None
    alone = fitted(frame, distil=True, loss_weight=chosen.options["loss_weight"], **QUICK)
    assert (scored(frame, chosen) == scored(frame, alone)).all()


def test_known_anomalies_are_found_by_the_one_network_too(cancer: dict[str, pl.DataFrame]) -> None:
    features = pl.exclude("label")
    for combination in ("probability", "cells"):
        models = [
            anorand.Model(
                cancer["train"]
                .select(anorand.fit(features, labels="label", distil=distil, **internals(combination=combination)))
                .item()
            )
            for distil in (False, True)
        ]
        ensemble, student = (scored(cancer["test"], model) for model in models)
        precisions = [average_precision_score(cancer["test"]["label"], scores) for scores in (ensemble, student)]
        assert precisions[1] > precisions[0] - 0.1


def test_a_fit_of_a_scan_may_be_distilled(frame: pl.DataFrame) -> None:
    model = anorand.train(frame.lazy(), FEATURES, sample=300, distil=True, **QUICK)
    assert model.members == 1
    assert model.training["rows"] == 500
    assert model.threshold(0.1) == pytest.approx(np.quantile(scored(frame, model), 0.9), abs=0.02)


def test_one_draw_of_kept_rows_stays_beside_the_network(frame: pl.DataFrame) -> None:
    model = fitted(frame, distil=True, preset="novelty", **QUICK)
    assert model.distilled is not None
    assert model.distilled["correlation"] > 0.95
    tensors = reference.load(model.to_bytes())
    assert tensors["kept.rows"].shape[1] == frame.height
    expected = reference.score(model.to_bytes(), frame.to_numpy())
    assert np.abs(scored(frame, model) - expected).max() < 1e-5


def test_rows_that_are_all_the_same_can_be_distilled() -> None:
    model = fitted(pl.DataFrame({"x": [1.0] * 20, "y": [2.0] * 20}), distil=True, **QUICK)
    assert model.distilled is not None
    assert model.distilled["correlation"] == 1
    assert np.isfinite(scored(pl.DataFrame({"x": [1.0, 9.0], "y": [2.0, -5.0]}), model)).all()


@pytest.mark.parametrize("rows", [2, 3])
def test_an_ensemble_of_a_few_rows_is_distilled(rows: int) -> None:
    for seed in range(5):
        numbers = np.random.default_rng(seed).normal(size=(rows, 2))
        frame = pl.DataFrame(numbers, schema=["a", "b"])
        with warnings.catch_warnings():
            # Of two rows, the network may rank the other one first.
            warnings.filterwarnings("ignore", message=".*ranks the training rows unlike its ensemble")
            model = fitted(frame, distil=True, **QUICK)
        assert np.isfinite(scored(frame, model)).all()
