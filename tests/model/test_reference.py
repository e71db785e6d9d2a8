"""Contract: scores are the paper's equations and the cells, recomputed in float64 from the model file alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES, internals

import polars_anorand as anorand

TOLERANCE = 1e-5


@pytest.mark.parametrize("preset", ["paper", "default", "novelty"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kept_rows": 20},
        {"hidden": [8]},
        {"hidden": [12, 9, 5], "latent": 3},
        {"members": 3, **internals(combination="probability")},
    ],
)
def test_scores_are_equation_8(frame: pl.DataFrame, preset: str, options: dict[str, Any]) -> None:
    data = frame.select(anorand.fit(FEATURES, preset=preset, **FAST, **options)).item()
    expected = reference.score(data, frame.select(FEATURES).to_numpy())
    scores = frame.select(anorand.score(FEATURES, data)).to_series().to_numpy()
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=0)
    assert scores.std() > 50 * TOLERANCE, "scores that hardly differ would agree with anything"


def test_scores_of_rows_far_outside_the_training_range_are_equation_8(
    frame: pl.DataFrame, model: anorand.Model
) -> None:
    far = frame.select(FEATURES) * 20.0 + 5.0
    expected = reference.score(model.to_bytes(), far.to_numpy())
    scores = far.select(anorand.score(FEATURES, model)).to_series().to_numpy()
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=0)


@pytest.fixture(scope="module")
def raw() -> pl.DataFrame:
    """A raw table: heavy tails, categories, gaps and times; and rows of it that were made strange."""
    rng = np.random.default_rng(5)
    frame = pl.DataFrame(
        {
            "price": rng.lognormal(3.0, 1.0, 600).round(2),
            "colour": rng.choice(["red", "green", "odd"], 600, p=[0.6, 0.39, 0.01]),
            "gaps": np.where(rng.random(600) < 0.3, np.nan, rng.normal(size=600)),
            "constant": np.full(600, 4.0),
        }
    )
    # A number that its colour explains.
    level = pl.col("colour").replace_strict({"red": 1.0, "green": 10.0, "odd": 5.0})
    frame = frame.with_columns(size=level * pl.Series(rng.normal(1, 0.05, 600)))
    strange = frame.head(6).with_columns(
        price=pl.Series([-40.0, 1e7, 3.0, 0.0, float("nan"), 50.0]),
        colour=pl.Series(["red", "new", "odd", None, "red", "green"]),
        gaps=pl.Series([0.0, 1e3, None, 0.5, -9.0, float("inf")]),
        constant=pl.Series([4.0, 4.0, 5.0, None, 4.0, 4.0]),
        size=pl.Series([10.0, 1.0, 5.0, 1.0, None, 1.0]),
    )
    return pl.concat([frame, strange])


def numbers(frame: pl.DataFrame, model: anorand.Model) -> np.ndarray:
    """The rows as the reference takes them: codes for categories, and NaN for missing values."""
    codes = {value: code for code, value in enumerate(model.categories["colour"])}
    code = pl.col("colour").replace_strict(codes, default=len(codes), return_dtype=pl.Float64)
    code = pl.when(pl.col("colour").is_not_null()).then(code)
    values = frame.with_columns(code).select(pl.all().fill_null(float("nan"))).to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


@pytest.mark.parametrize(
    "options", [{}, internals(scaling="asinh"), {"encode": "frequency"}, internals(combination="robust")]
)
def test_scores_of_a_raw_table_are_equation_8_and_the_cells(raw: pl.DataFrame, options: dict[str, Any]) -> None:
    model = anorand.Model(raw.head(600).select(anorand.fit(pl.all(), **FAST, **options)).item())
    expected = reference.score(model.to_bytes(), numbers(raw, model), {1: ["new"]})
    cells = reference.metadata(model.to_bytes()).get("cells")
    assert (cells is None) == (options == internals(combination="robust"))
    if cells is not None:
        related = {(each["column"], each["parents"][0]["columns"][0]) for each in cells["targets"]}
        assert (4, 1) in related
    scores = raw.select(anorand.score(pl.all(), model)).to_series().to_numpy()
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=0)


def test_the_inputs_of_times_are_circles() -> None:
    hours = np.arange(0, 24 * 900, 5)
    frame = pl.DataFrame({"t": pl.Series(hours * 3_600_000_000).cast(pl.Datetime("us")), "x": np.sin(hours / 7.0)})
    frame = frame.with_columns(d=pl.col("t").dt.date(), c=pl.col("t").dt.time())
    model = frame.select(anorand.fit(pl.all(), **internals(combination="robust"), **FAST)).item()
    cycles = ["hour", "weekday", "day", "month"]
    circles = [{part: cycle} for cycle in cycles for part in ("sine", "cosine")]
    assert reference.encoding(model) == [circles, ["value"], circles[2:], circles[:2]]
    rows = np.stack([hours * 3_600e6, frame["x"].to_numpy(), hours // 24, hours % 24 * 3_600e9], axis=1)
    scores = frame.select(anorand.score(pl.all(), model)).to_series().to_numpy()
    np.testing.assert_allclose(scores, reference.score(model, rows), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", ["probability", "robust", "cells", "novelties"])
@pytest.mark.parametrize("preset", ["paper", "default", "novelty"])
def test_alpha_is_equation_7_on_the_training_rows(frame: pl.DataFrame, preset: str, kind: str) -> None:
    """What the combination takes of the training rows' evidence is not recomputed here.

    Each training row is judged without itself, which is no reading of the file: ``src/cells/tests.rs`` and the test
    below say what follows from it.
    """
    data = frame.select(anorand.fit(FEATURES, preset=preset, **internals(combination=kind), **FAST)).item()
    training = reference.heads(data, frame.select(FEATURES).to_numpy())
    model = anorand.Model(data)
    weight = 1.0 if model.kept_odds is None else model.options["kept_weight"] * model.kept_odds
    expected = reference.combiner(training, kind, weight=weight)
    if kind == "cells":
        expected |= reference.weights_of_parts(model.kept_odds, model.options["kept_weight"], only_numbers=True)
    stored = reference.metadata(data)["combiner"]
    not_recomputed = {"cells": {"tails", "evidence", "beyond", "highest"}, "novelties": {"beyond"}}.get(kind, set())
    assert stored.keys() == expected.keys() | not_recomputed
    assert stored.get("balance") == expected.pop("balance", None)
    for part in expected.keys() - {"kind"}:
        assert stored[part] == pytest.approx(expected[part], abs=TOLERANCE, rel=1e-4), part
    assert anorand.Model(data).alpha == stored["alpha"]


@pytest.mark.parametrize("preset", ["default", "novelty"])
def test_the_networks_count_whole_in_a_table_with_times_and_the_other_parts_follow_from_the_preset(
    frame: pl.DataFrame, preset: str
) -> None:
    """As docs/score.md says: the networks see hours and weekdays."""
    hours = frame.with_columns(t=pl.datetime(2026, 1, 1) + pl.duration(hours="c"))
    data = hours.select(anorand.fit(["a", "t"], preset=preset, **FAST)).item()
    model = anorand.Model(data)
    expected = reference.weights_of_parts(model.kept_odds, model.options["kept_weight"], only_numbers=False)
    expected["weight"] = 1.0
    stored = reference.metadata(data)["combiner"]
    assert {name: stored[name] for name in expected} == expected


@pytest.mark.parametrize("preset", ["default", "novelty"])
def test_nats_of_evidence_are_near_those_of_the_training_rows_as_new_rows(frame: pl.DataFrame, preset: str) -> None:
    """Of so many rows, one more row of the same value changes most rates by little."""
    data = frame.select(anorand.fit(FEATURES, preset=preset, **FAST)).item()
    evidence = reference.cells(data, frame.select(FEATURES).to_numpy())
    stored = reference.metadata(data)["combiner"]
    for part, numbers_of_rows in [("tails", evidence.tails), ("evidence", evidence.all)]:
        assert stored[part]["median"] == pytest.approx(np.median(numbers_of_rows), rel=0.05)


def test_novelties_are_above_the_networks_scores(frame: pl.DataFrame) -> None:
    data = frame.select(anorand.fit(FEATURES, **internals(combination="novelties"), **FAST)).item()
    far = pl.concat([frame, frame.with_columns(pl.col(FEATURES[0]) * 1e9)]).select(FEATURES)
    scores = far.select(anorand.score(FEATURES, data)).to_series().to_numpy()
    expected = reference.score(data, far.to_numpy())
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=0)
    assert (scores[frame.height :] > 1 - 1.1e-6).mean() > 0.9
    assert (scores[: frame.height] < 1 - 1.1e-6).all()


def test_scaling_is_min_max_of_the_training_rows(frame: pl.DataFrame) -> None:
    tensors = reference.load(frame.select(anorand.fit(FEATURES, **internals(scaling="minmax"), **FAST)).item())
    rows = frame.select(FEATURES).to_numpy()
    np.testing.assert_array_equal(tensors["scaling.offset"], rows.min(axis=0))
    np.testing.assert_allclose(tensors["scaling.scale"], rows.max(axis=0) - rows.min(axis=0), rtol=1e-15)
    np.testing.assert_array_equal(tensors["median"], np.median(rows, axis=0))


def test_a_threshold_lies_between_the_rows_that_are_flagged_and_the_others(frame: pl.DataFrame) -> None:
    """Of a model without cells: with cells, a training row is judged without itself, and scores a little higher."""
    model = anorand.Model(frame.select(anorand.fit(FEATURES, **internals(combination="robust"), **FAST)).item())
    ranked = np.sort(frame.select(anorand.score(FEATURES, model)).to_series().to_numpy())
    for contamination in [0.3, 0.1, 0.05, 0.01, 0.002]:
        flagged = int(np.ceil(contamination * len(ranked) - 1e-9))
        below, above = ranked[-flagged - 1 : len(ranked) - flagged + 1]
        assert model.threshold(contamination) == (float(below) + float(above)) / 2


def test_with_cells_thresholds_are_those_of_training_rows_judged_without_themselves(
    scores: pl.Series, model: anorand.Model
) -> None:
    for contamination in [0.3, 0.1, 0.05]:
        share = (scores > model.threshold(contamination)).mean()
        assert 0.9 * contamination <= share <= contamination


def test_a_fit_on_the_rows_it_scores_is_a_fit_then_a_score(frame: pl.DataFrame, scores: pl.Series) -> None:
    together = frame.select(anorand.score(FEATURES, **FAST)).to_series()
    assert together.equals(scores)


@pytest.mark.parametrize("rows", [3, 40, 500])
def test_rarity_is_the_rank_and_beyond_the_highest_ranks_an_exponential_tail(frame: pl.DataFrame, rows: int) -> None:
    # Networks that are hardly trained may take what is far from three rows for ordinary.
    model = anorand.train(frame.head(rows), FEATURES, **(FAST if rows > 3 else {}))
    far = frame.head(9).with_columns(a=pl.Series([10.0**power for power in range(9)]))
    found = pl.concat([frame, far]).select(anorand.detect(FEATURES, model)).unnest("anomaly")
    expected = reference.rarity(model.to_bytes(), found["score"].to_numpy().astype(np.float64))
    np.testing.assert_allclose(found["rarity"], expected, rtol=1e-4, atol=1e-5)
    assert found["rarity"][-1] > np.log10(rows) + 0.5
