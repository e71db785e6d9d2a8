"""Contract: a fit chooses among values of ``loss_weight``, without labels, and is then a fit like any other."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES, internals

import polars_anorand as anorand


def chosen(frame: pl.DataFrame, **options: Any) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(FEATURES, **(FAST | options))).item())


def test_the_choice_is_one_of_the_values_and_fitted_as_if_alone(frame: pl.DataFrame) -> None:
    model = chosen(frame, loss_weight=[0.0, 0.2, 0.9])
    assert model.options["loss_weight"] in (0.0, 0.2, 0.9)
    assert model == chosen(frame, loss_weight=model.options["loss_weight"])


def test_of_values_that_are_as_good_the_first_is_chosen(frame: pl.DataFrame) -> None:
    assert chosen(frame, loss_weight=[0.2, 0.2 + 1e-9]).options["loss_weight"] == 0.2
    assert chosen(frame, loss_weight=[0.2 + 1e-9, 0.2]).options["loss_weight"] == 0.2 + 1e-9


def test_a_value_that_tells_rows_from_noise_beats_one_that_does_not() -> None:
    """With a weight of 1 the autoencoder is not trained; with 0.5 both blocks are."""
    t = np.linspace(0, 6, 600)
    curve = pl.DataFrame({"a": t, "b": np.sin(t), "c": np.cos(t)})
    options: dict[str, Any] = {"min_steps": 300, "kept_rows": 0, **internals(max_features=1.0)}
    assert chosen(curve, loss_weight=[1.0, 0.5], **options).options["loss_weight"] == 0.5


def test_a_list_of_one_value_is_that_value(frame: pl.DataFrame) -> None:
    assert chosen(frame, loss_weight=[0.4]) == chosen(frame, loss_weight=0.4)


def test_the_same_seed_makes_the_same_choice(frame: pl.DataFrame) -> None:
    models = [chosen(frame, loss_weight=[0.1, 0.5], seed=seed) for seed in (3, 3, 4)]
    assert models[0] == models[1] != models[2]


def test_each_group_makes_a_choice_of_its_own(frame: pl.DataFrame) -> None:
    grouped = frame.with_columns(g=pl.int_range(pl.len()) % 2)
    options: Any = FAST | {"loss_weight": [0.1, 0.9]}
    by = grouped.select(anorand.fit(FEATURES, by="g", **options)).unnest("model").sort("g")
    assert by.equals(grouped.group_by("g").agg(anorand.fit(FEATURES, **options)).sort("g"))


def test_with_labels_known_anomalies_decide_and_five_are_needed(frame: pl.DataFrame) -> None:
    labelled = frame.with_columns(
        label=pl.int_range(pl.len()) % 10 == 0, a=pl.col("a") + 3 * (pl.int_range(pl.len()) % 10 == 0)
    )
    model = chosen(labelled, labels="label", loss_weight=[0.1, 0.9])
    assert model.options["loss_weight"] in (0.1, 0.9)
    with pytest.raises(pl.exceptions.ComputeError, match=r"at least 5 labelled anomalies .* got 2"):
        chosen(labelled, labels=pl.int_range(pl.len()) < 2, loss_weight=[0.1, 0.9])


def test_too_few_rows_to_choose_is_an_error(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=r"at least 5 rows .* got 4: give one value"):
        chosen(frame.head(4), loss_weight=[0.1, 0.2])


def test_score_can_choose_too(frame: pl.DataFrame) -> None:
    model = chosen(frame, loss_weight=[0.1, 0.9])
    out = frame.select(anorand.score(FEATURES, **(FAST | {"loss_weight": [0.1, 0.9]}))).to_series()
    assert out.equals(frame.select(anorand.score(FEATURES, model)).to_series())


def test_a_bad_value_is_refused_when_the_schema_is_resolved(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=r"loss_weight must be a number from 0 to 1, got 2"):
        frame.lazy().select(anorand.fit(FEATURES, loss_weight=[0.1, 2.0])).collect_schema()


def test_lists_that_can_not_be_chosen_from_are_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(ValueError, match=r"loss_weight has no value to choose from, got \[\]"):
        anorand.fit(FEATURES, loss_weight=[])
    with pytest.raises(ValueError, match="loss_weight has 1001 values, expected at most 1000"):
        anorand.fit(FEATURES, loss_weight=[0.1] * 1_001)
    with pytest.raises(TypeError, match="goes on with one loss_weight, got a list"):
        anorand.fit(FEATURES, init=model, loss_weight=[0.1, 0.2])


@pytest.mark.parametrize("name", ["members", "seed", "learning_rate", "latent"])
def test_no_other_option_takes_a_list(name: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be an? (int|number), got"):
        anorand.fit(FEATURES, **{name: [1, 2]})  # type: ignore[arg-type]
