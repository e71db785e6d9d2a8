"""Contract: an option out of its range, of another type, or that does not exist is an error that names it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES, internals
from verbs import Verb, every_fitting_verb

import polars_anorand as anorand
from polars_anorand._options import OPTIONS, Internals

OUT_OF_RANGE = [
    ("preset", "best", '"default" or "paper" or "novelty"'),
    ("missing", "drop", '"null" or "indicator" or "impute" or "error"'),
    ("encode", "hash", '"frequency" or "onehot" or "error"'),
    ("temporal", "clock", '"calendar" or "number"'),
    ("scaling", "rank", '"minmax" or "robust" or "asinh"'),
    ("seed", -1, "from 0 to"),
    ("loss_weight", -0.1, "from 0 to 1"),
    ("loss_weight", 1.1, "from 0 to 1"),
    ("loss_weight", float("nan"), "from 0 to 1"),
    ("members", 0, "from 1 to 1000"),
    ("max_samples", -1, "from 0 to"),
    ("max_features", 0.0, "above 0 and at most 1"),
    ("noise", "gauss", '"smote" or "uniform"'),
    ("noise_margin", -0.1, "from 0 to 1000"),
    ("schedule", "step", '"constant" or "cosine"'),
    ("combination", "max", '"probability" or "robust"'),
    ("noise_std", 0.0, "above 0"),
    ("noise_std", float("inf"), "above 0"),
    ("noise_fraction", 0.0, "above 0 and at most 0.5"),
    ("noise_fraction", 0.6, "above 0 and at most 0.5"),
    ("synthetic_fraction", 0.95, "above 0 and at most 0.9"),
    ("neighbors", 0, "from 1 to 1000"),
    ("hidden", [], "1 to 8 widths"),
    ("hidden", [32, 0], "1 to 8 widths"),
    ("hidden", [1] * 9, "1 to 8 widths"),
    ("latent", 0, "from 1 to 4096"),
    ("epochs", 0, "from 1 to 1000000"),
    ("min_steps", -1, "from 0 to 100000000"),
    ("max_epochs", 0, "from 1 to 1000000"),
    ("batch_size", 1, "from 2 to 1000000"),
    ("learning_rate", 0.0, "above 0 and at most 1"),
    ("learning_rate", 2.0, "above 0 and at most 1"),
]

OTHER_TYPE = [
    ("preset", 1, "a str"),
    ("seed", 1.5, "an int"),
    ("seed", True, "an int"),
    ("seed", "1", "an int"),
    ("loss_weight", "0.5", "a number"),
    ("loss_weight", ["0.1"], "a number"),
    ("max_features", "0.1", "a number"),
    ("seed", [1, 2], "an int"),
    ("hidden", 32, "a sequence of ints"),
    ("hidden", [32.5], "a sequence of ints"),
    ("hidden", "32", "a sequence of ints"),
    ("epochs", 10.0, "an int"),
]


def lazy(verb: Verb, options: dict[str, Any]) -> pl.LazyFrame:
    return pl.LazyFrame({name: [1.0, 2.0, 3.0] for name in FEATURES}).select(verb.function(FEATURES, **options))


def given(name: str, value: object) -> dict[str, Any]:
    return {name: value} if name in OPTIONS else internals(**{name: value})


@every_fitting_verb
@pytest.mark.parametrize(("name", "value", "expected"), OUT_OF_RANGE)
def test_out_of_range_is_refused_when_the_schema_is_resolved(
    verb: Verb, name: str, value: object, expected: str
) -> None:
    with pytest.raises(pl.exceptions.ComputeError) as caught:
        lazy(verb, given(name, value)).collect_schema()
    message = str(caught.value)
    assert f"{name} must be" in message
    assert expected in message


@every_fitting_verb
@pytest.mark.parametrize(("name", "value", "expected"), OTHER_TYPE)
def test_another_type_is_refused_at_once(verb: Verb, name: str, value: object, expected: str) -> None:
    with pytest.raises(TypeError, match=f"{name} must be {expected}, got"):
        verb.function(FEATURES, **given(name, value))


def test_an_internal_option_is_no_public_one_and_is_checked_as_one() -> None:
    with pytest.raises(TypeError, match="no option 'max_features': help"):
        anorand.fit(FEATURES, max_features=0.5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no option 'epoch'"):
        anorand.fit(FEATURES, **internals(epoch=3))


@every_fitting_verb
def test_an_option_that_does_not_exist_is_refused_at_once(verb: Verb) -> None:
    with pytest.raises(TypeError, match=r"no option 'epoch': did you mean epochs"):
        verb.function(FEATURES, epoch=3)


@pytest.mark.parametrize("seed", [2**63, 2**80, -(2**63), -(2**80)])
def test_a_seed_beyond_64_bits_is_refused_at_once_with_its_range(seed: int) -> None:
    with pytest.raises(ValueError, match=rf"seed must be a whole number from 0 to {2**63 - 1}, got {seed}"):
        anorand.fit(FEATURES, seed=seed)


def test_the_largest_seed_is_a_seed(frame: pl.DataFrame) -> None:
    data = frame.select(anorand.fit(FEATURES, seed=2**63 - 1, **FAST)).item()
    assert anorand.Model(data).options["seed"] == 2**63 - 1


@pytest.mark.parametrize(("name", "value"), [("epochs", 2**63), ("hidden", [8, 2**70]), ("max_samples", -(2**64))])
def test_another_integer_beyond_64_bits_is_refused_at_once(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is out of its range, got "):
        anorand.fit(FEATURES, **{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("argument", ["top", "width"])
def test_an_argument_beyond_64_bits_is_refused_at_once_with_its_range(argument: str) -> None:
    verb = {"top": anorand.explain, "width": anorand.embed}[argument]
    with pytest.raises(ValueError, match=rf"{argument} must be a whole number from 1 to {2**63 - 1}, got {2**63}"):
        verb(FEATURES, pl.col("model"), **{argument: 2**63})


def test_the_largest_top_is_all(frame: pl.DataFrame, model: anorand.Model) -> None:
    out = frame.head(3).select(anorand.explain(FEATURES, model, top=2**63 - 1)).to_series()
    assert out.list.len().to_list() == [len(FEATURES)] * 3


def test_fit_options_beside_a_model_are_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="go without a model, got a model and epochs"):
        anorand.score(FEATURES, model, epochs=3)


def test_a_model_of_another_type_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="model must be a path, bytes, a Model"):
        anorand.score(FEATURES, 3)


def test_numpy_numbers_are_numbers(frame: pl.DataFrame) -> None:
    options: Any = {"seed": np.int64(1), "epochs": np.int32(1), "min_steps": 0, "loss_weight": np.float32(0.5)}
    stored = anorand.Model(frame.select(anorand.fit(FEATURES, **options)).item()).options
    assert stored["seed"] == 1
    assert stored["loss_weight"] == 0.5


def test_every_option_reaches_the_model(frame: pl.DataFrame) -> None:
    options: anorand.FitOptions = {
        "preset": "paper",
        "seed": 3,
        "missing": "impute",
        "encode": "error",
        "members": 2,
        "max_samples": 100,
        "kept_rows": 7,
        "distil": True,
        "noise_std": 0.7,
        "loss_weight": 0.3,
        "hidden": [9, 7],
        "latent": 4,
        "epochs": 2,
        "min_steps": 1,
        "batch_size": 50,
        "learning_rate": 0.01,
    }
    constants: Internals = {
        "temporal": "calendar",
        "scaling": "asinh",
        "max_features": 0.7,
        "kept_draws": 2,
        "kept_neighbors": 3,
        "kept_weight": 3.0,
        "noise": "uniform",
        "noise_margin": 0.2,
        "noise_fraction": 0.04,
        "neighbors": 3,
        "synthetic_fraction": 0.1,
        "max_epochs": 9,
        "schedule": "cosine",
        "combination": "robust",
    }
    assert set(options) == set(anorand.FitOptions.__annotations__)
    assert set(constants) == set(Internals.__annotations__)
    stored = anorand.Model(frame.select(anorand.fit(FEATURES, **options, **internals(**constants))).item()).options
    assert stored == {**options, **constants}
