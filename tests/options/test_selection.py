"""Contract: options given as lists are chosen from, without labels, and the choice is a fit like any other."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


def chosen(frame: pl.DataFrame, **options: Any) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(FEATURES, **(FAST | options))).item())


def test_the_choice_is_the_first_of_the_best_and_fitted_as_if_alone(frame: pl.DataFrame) -> None:
    model = chosen(frame, loss_weight=[0.0, 0.2, 0.9], learning_rate=[1e-9, 0.003])
    assert model.candidates is not None
    assert [(each["loss_weight"], each["learning_rate"]) for each in model.candidates] == [
        (weight, rate) for weight in (0.0, 0.2, 0.9) for rate in (1e-9, 0.003)
    ]
    highest = max(each["criterion"] for each in model.candidates)
    error = (highest * (1 - highest) / 100) ** 0.5  # one row in five of 500 is held out
    best = next(each for each in model.candidates if each["criterion"] >= highest - error)
    options = {name: best[name] for name in ("loss_weight", "learning_rate")}
    assert {name: model.options[name] for name in options} == options
    alone = chosen(frame, **options)
    scores = [frame.select(anorand.score(FEATURES, each)).to_series() for each in (model, alone)]
    assert scores[0].equals(scores[1])
    assert alone.candidates is None


def test_several_lists_are_tried_together(frame: pl.DataFrame) -> None:
    lists = {"kept_rows": [32, 0], "kept_weight": [0.5, 8.0], "kept_draws": [1, 20]}
    model = chosen(frame, members=2, **lists)
    assert model.candidates is not None
    found = [tuple(each[name] for name in lists) for each in model.candidates]
    assert found == list(itertools.product(*lists.values()))
    assert tuple(model.options[name] for name in lists) in found
    assert model.options.keys() == {"preset"} | anorand.FitOptions.__annotations__.keys()


def test_a_trained_candidate_beats_an_untrained_one() -> None:
    t = np.linspace(0, 6, 600)
    curve = pl.DataFrame({"a": t, "b": np.sin(t), "c": np.cos(t)})
    model = chosen(curve, min_steps=[0, 300], max_features=1.0, kept_rows=0)
    assert model.options["min_steps"] == 300
    assert model.candidates is not None
    untrained, trained = (each["criterion"] for each in model.candidates)
    assert trained > untrained + 0.05
    assert 0 <= untrained <= 1


def test_hidden_may_be_a_list_of_lists(frame: pl.DataFrame) -> None:
    model = chosen(frame, hidden=[[8], [16, 8]])
    assert model.candidates is not None
    assert [each["hidden"] for each in model.candidates] == [[8], [16, 8]]
    assert chosen(frame, hidden=[8, 4]).candidates is None


def test_the_same_seed_makes_the_same_choice(frame: pl.DataFrame) -> None:
    models = [chosen(frame, loss_weight=[0.1, 0.5], seed=seed) for seed in (3, 3, 4)]
    assert models[0] == models[1] != models[2]


def test_a_choice_in_each_group(frame: pl.DataFrame) -> None:
    grouped = frame.with_columns(g=pl.int_range(pl.len()) % 2)
    options: Any = FAST | {"loss_weight": [0.1, 0.9]}
    by = grouped.select(anorand.fit(FEATURES, by="g", **options)).unnest("model").sort("g")
    assert by.equals(grouped.group_by("g").agg(anorand.fit(FEATURES, **options)).sort("g"))


def test_with_labels_known_anomalies_decide(frame: pl.DataFrame) -> None:
    labelled = frame.with_columns(
        label=pl.int_range(pl.len()) % 10 == 0, a=pl.col("a") + 3 * (pl.int_range(pl.len()) % 10 == 0)
    )
    model = chosen(labelled, labels="label", learning_rate=[1e-9, 0.01])
    assert model.options["learning_rate"] == 0.01
    with pytest.raises(pl.exceptions.ComputeError, match="at least 5 labelled anomalies .* got 2"):
        chosen(labelled, labels=pl.int_range(pl.len()) < 2, learning_rate=[1e-9, 0.01])


def test_too_few_rows_to_choose_is_an_error(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="at least 5 rows .* got 4: give one value"):
        chosen(frame.head(4), loss_weight=[0.1, 0.2])


def test_score_can_choose_too(frame: pl.DataFrame) -> None:
    model = chosen(frame, loss_weight=[0.1, 0.9])
    out = frame.select(anorand.score(FEATURES, **(FAST | {"loss_weight": [0.1, 0.9]}))).to_series()
    assert out.equals(frame.select(anorand.score(FEATURES, model)).to_series())


def test_a_bad_candidate_is_refused_when_the_schema_is_resolved(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=r"loss_weight must be a number from 0 to 1, got 2"):
        frame.lazy().select(anorand.fit(FEATURES, loss_weight=[0.1, 2.0])).collect_schema()


def test_lists_that_say_nothing_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match=r"loss_weight has no value to choose from, got \[\]"):
        anorand.fit(FEATURES, loss_weight=[])
    with pytest.raises(ValueError, match="2500 combinations, expected at most 1000"):
        anorand.fit(FEATURES, loss_weight=[0.1] * 50, latent=[4] * 50)
