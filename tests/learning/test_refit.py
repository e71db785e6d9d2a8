"""Contract: a fit with `init` goes on from a model: its networks, its options, what they see, and its counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, internals
from refits import FEATURES, rows
from safetensors.numpy import load

import polars_anorand as anorand
from polars_anorand._options import OPTIONS

STEPS: dict[str, Any] = {"min_steps": 60}


MONTH = rows(3_000, 0)
DAY = rows(500, 1)


@pytest.fixture(scope="module")
def month() -> anorand.Model:
    return anorand.Model(MONTH.select(anorand.fit(FEATURES, seed=3)).item())


def refit(frame: pl.DataFrame, init: Any, **options: Any) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(FEATURES, init=init, **{**STEPS, **options})).item())


def flagged(frame: pl.DataFrame, model: anorand.Model) -> float:
    """The share of rows that the model calls outliers."""
    outlier = frame.select(anorand.detect(FEATURES, model)).unnest("anomaly")["outlier"].mean()
    assert isinstance(outlier, float)
    return outlier


def test_the_model_may_come_as_a_path_as_bytes_as_a_model_or_as_a_column(month: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "month.safetensors"
    month.save(path)
    with_column = DAY.with_columns(last=pl.lit(month.to_bytes()))
    ways = [month, month.to_bytes(), path, str(path), pl.col("last"), pl.col("last").first()]
    found = {refit(with_column, way).to_bytes() for way in ways}
    found.add(refit(with_column, pl.Series([month.to_bytes()])).to_bytes())
    assert len(found) == 1


def test_options_that_are_not_given_are_the_models() -> None:
    first = anorand.Model(MONTH.select(anorand.fit(FEATURES, preset="paper", epochs=3, seed=5)).item())
    again = anorand.Model(DAY.select(anorand.fit(FEATURES, init=first)).item())
    assert again.options == first.options
    changed = anorand.Model(DAY.select(anorand.fit(FEATURES, init=first, epochs=1, learning_rate=0.01)).item())
    assert changed.options == {**first.options, "epochs": 1, "learning_rate": 0.01}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("members", 10, "members=5, got members=10"),
        ("hidden", [8], r"hidden=\[8,8\], got hidden=\[8\]"),
        ("scaling", "asinh", 'scaling="robust", got scaling="asinh"'),
        ("temporal", "number", 'temporal="calendar", got temporal="number"'),
        ("preset", "paper", 'preset="default", got preset="paper"'),
    ],
)
def test_an_option_that_must_agree_and_does_not_is_named(
    month: anorand.Model, option: str, value: object, expected: str
) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=f"fitted with {expected}; .* leave {option} out"):
        refit(DAY, month, **({option: value} if option in OPTIONS else internals(**{option: value})))


def test_its_networks_go_on() -> None:
    untrained: dict[str, Any] = {"min_steps": 0, "epochs": 1, "learning_rate": 1e-12}
    trained = anorand.Model(MONTH.select(anorand.fit(FEATURES, min_steps=1_000)).item())
    same = refit(MONTH, trained, **untrained).training["before"]
    fresh = anorand.Model(MONTH.select(anorand.fit(FEATURES, **untrained)).item()).training["before"]
    assert same["reconstruction"] < 0.5 * fresh["reconstruction"]
    assert same["cross_entropy"] < 0.9 * fresh["cross_entropy"]


def test_a_fifth_of_the_steps_reaches_the_losses_of_a_new_fit(month: anorand.Model) -> None:
    new = anorand.Model(DAY.select(anorand.fit(FEATURES, seed=1, min_steps=300)).item()).training
    again = refit(DAY, month, seed=1, min_steps=60).training
    assert again["steps"] * 5 == new["steps"]
    for loss in ["reconstruction", "cross_entropy"]:
        assert again["after"][loss] < 1.1 * new["after"][loss], loss


def test_counts_and_extremes_are_added_to(month: anorand.Model) -> None:
    day = rows(500, 2, words=("b", "c", "c"))
    model = refit(day, month)
    both = pl.concat([MONTH, day])
    assert model.categories["word"] == dict(both["word"].value_counts().iter_rows())
    assert (model.training["rows"], model.training["sampled"]) == (3_500, 500)
    whole = anorand.Model(both.select(anorand.fit(FEATURES, **FAST)).item())
    for column in ["minimum", "maximum", "missing"]:
        assert model.statistics[column].to_list() == whole.statistics[column].to_list(), column
    again = refit(DAY, model)
    assert again.training["rows"] == 4_000


def test_what_only_the_earlier_rows_had_is_not_new(month: anorand.Model) -> None:
    only_a = DAY.with_columns(word=pl.lit("a"))
    model = refit(only_a, month)
    fresh = anorand.Model(only_a.select(anorand.fit(FEATURES)).item())

    def score(word: str, by: anorand.Model) -> pl.Series:
        return only_a.with_columns(word=pl.lit(word)).select(anorand.score(FEATURES, by)).to_series()

    assert score("b", fresh).equals(score("z", fresh))
    assert (score("b", model) < score("z", model)).all()


def test_a_sensor_may_be_down_on_the_day_of_a_refit(month: anorand.Model) -> None:
    later = refit(DAY.with_columns(x=pl.lit(None, dtype=pl.Float64)), month)
    before, after = (
        model.statistics.row(by_predicate=pl.col("feature") == "x", named=True) for model in [month, later]
    )
    for name in ["minimum", "low", "median", "high", "maximum"]:
        assert after[name] == pytest.approx(before[name], abs=0.05), name
    assert after["missing"] == pytest.approx(500 / 3_500)


def test_a_value_has_its_own_input_whatever_its_place_becomes() -> None:
    """The most frequent word changes, and so do the codes of all words."""
    parts = [rows(1_010, 0, words=("a",)), rows(990, 1, words=("b",), at=1), rows(20, 2, words=("rare",))]
    month = pl.concat(parts)
    first = anorand.Model(month.select(anorand.fit(FEATURES, min_steps=1_000)).item())
    model = refit(rows(30, 4, words=("b",)), first, min_steps=0, epochs=1, learning_rate=1e-12)
    assert [next(iter(of.categories["word"])) for of in (first, model)] == ["a", "b"]
    before, after = (month.select(anorand.embed(FEATURES, m)).to_series().to_numpy().ravel() for m in (first, model))
    assert np.corrcoef(before, after)[0, 1] > 0.999


def test_the_order_of_the_rows_does_not_matter(month: anorand.Model) -> None:
    old = MONTH.sample(200, seed=1)
    both = pl.concat([DAY.with_columns(old=False), old.with_columns(old=True), DAY.head(50).with_columns(old=True)])
    models = {
        refit(frame, month, replay="old").to_bytes()
        for frame in [both, both.reverse(), both.sample(fraction=1.0, shuffle=True, seed=2)]
    }
    assert len(models) == 1


def test_replayed_rows_are_not_counted_again(month: anorand.Model) -> None:
    both = pl.concat([DAY.with_columns(old=False), MONTH.sample(200, seed=1).with_columns(old=True)])
    model = refit(both, month, replay=pl.col("old"))
    assert (model.training["rows"], model.training["sampled"]) == (3_500, 700)
    assert model.categories == refit(DAY, month).categories
    null = both.with_columns(old=pl.when("old").then(True))
    assert refit(null, month, replay="old").to_bytes() == model.to_bytes()


def test_replay_keeps_a_refit_from_forgetting() -> None:
    """A month in two places, and a day in one of them."""
    month = pl.concat([rows(2_000, 5, at=-4), rows(2_000, 6, at=4)])
    model = anorand.Model(month.select(anorand.fit(FEATURES)).item())
    day, elsewhere = rows(1_000, 7, at=4), rows(1_000, 8, at=-4)
    both = pl.concat([day.with_columns(old=False), month.sample(500, seed=1).with_columns(old=True)])
    options = {"min_steps": 300}
    without, with_replay = refit(day, model, **options), refit(both, model, replay="old", **options)
    assert flagged(elsewhere, without) > 0.3
    assert flagged(elsewhere, with_replay) < 0.08
    assert flagged(day, with_replay) < 0.05


def test_each_group_goes_on_from_its_own_model() -> None:
    frame = pl.concat([rows(300, seed).with_columns(key=pl.lit(key)) for seed, key in enumerate("abc")])
    models = frame.select(anorand.fit(FEATURES, by="key", **FAST)).unnest("model")
    new = rows(100, 9).with_columns(key=pl.lit("new"))
    later = pl.concat([frame, new]).join(models, on="key", how="left", maintain_order="left")
    by = later.select(anorand.fit(FEATURES, by="key", init=pl.col("model"), **FAST)).unnest("model")
    grouped = later.group_by("key", maintain_order=True).agg(
        anorand.fit(FEATURES, init=pl.col("model").first(), **FAST)
    )
    assert by.equals(grouped)
    for key, model in by.iter_rows():
        part = later.filter(pl.col("key") == key)
        if key == "new":
            assert model == part.select(anorand.fit(FEATURES, **FAST)).item()
            continue
        own = models.filter(pl.col("key") == key)["model"].item()
        assert model == part.select(anorand.fit(FEATURES, init=own, **FAST)).item()
        assert anorand.Model(model).training["rows"] == 600


def test_a_group_needs_rows_that_its_own_models_fit_can_use() -> None:
    frame = pl.concat([rows(300, seed).with_columns(key=pl.lit(key)) for seed, key in enumerate("ab")])
    models = frame.select(anorand.fit(FEATURES, by="key", missing="null", **FAST)).unnest("model")
    later = frame.group_by("key", maintain_order=True).head(30).join(models, on="key")
    gapped = later.with_columns(gaps=pl.when((pl.col("key") == "a") | (pl.int_range(pl.len()) % 5 == 0)).then(1))
    with pytest.warns(UserWarning, match=r'1 of 2 groups are too small .* "b" .* at least 20 rows .* got 6 without'):
        found = gapped.select(anorand.fit(FEATURES, by="key", init=pl.col("model"), **FAST)).unnest("model")
    assert found["model"].is_null().to_list() == [False, True]


def test_labels_go_with_it(month: anorand.Model) -> None:
    labelled = DAY.with_columns(label=pl.int_range(pl.len()) % 50 == 0)
    model = refit(labelled, month, labels="label")
    assert model.labels == {"anomalies": 10, "normal": 490, "unlabelled": 0}


def test_kept_rows_are_of_the_rows_that_are_given() -> None:
    first = anorand.Model(MONTH.select(anorand.fit(FEATURES, preset="novelty", kept_rows=100, **FAST)).item())
    model = refit(DAY, first)
    assert model.options["kept_rows"] == 100
    # The first input of "x" is its value, scaled as the model's first rows were.
    tensors = load(model.to_bytes())
    assert model.options["scaling"] == "robust"
    kept = np.sort(tensors["kept.rows"].reshape(100, -1)[:, 0])

    def scaled(rows: pl.DataFrame) -> np.ndarray:
        share = (rows["x"].to_numpy() - tensors["scaling.offset"][0]) / tensors["scaling.scale"][0]
        beyond = np.maximum(share - 1, 0) + np.maximum(-share, 0)
        return np.where(share > 1, 1 + np.log1p(beyond), np.where(share < 0, -np.log1p(beyond), share))

    def nearest(rows: pl.DataFrame) -> float:
        return float(np.abs(kept[:, None] - scaled(rows)[None, :]).min(axis=1).max())

    assert nearest(DAY) < 1e-6
    assert nearest(MONTH) > 1e-6


def test_features_are_matched_by_name(month: anorand.Model) -> None:
    other = anorand.Model(DAY.select(anorand.fit(FEATURES[::-1], init=month, **STEPS)).item())
    assert other.to_bytes() == refit(DAY, month).to_bytes()
    with pytest.raises(pl.exceptions.ComputeError, match='"gaps"'):
        DAY.select(anorand.fit(FEATURES[:3], init=month))


def test_times_of_another_zone_are_learned_and_kept_by_the_models_clock() -> None:
    """Office hours in Berlin, which other hours are in UTC."""
    hours = [(24 * day + hour) * 3_600_000_000 for day in range(60) for hour in range(9, 17)]
    clock = pl.Series(hours).cast(pl.Datetime("us")).dt.replace_time_zone("Europe/Berlin")
    berlin = pl.DataFrame({"t": clock}).with_columns(x=pl.int_range(pl.len()) % 7)
    utc = berlin.with_columns(pl.col("t").dt.convert_time_zone("UTC"))
    first = anorand.Model(berlin.select(anorand.fit(["t", "x"], min_steps=60)).item())
    again, moved = (frame.select(anorand.fit(["t", "x"], init=first, **STEPS)).item() for frame in (berlin, utc))
    assert anorand.Model(moved).dtypes["t"] == first.dtypes["t"]
    assert moved == again
    scores = [frame.select(anorand.score(["t", "x"], moved)).to_series() for frame in (berlin, utc)]
    assert scores[0].equals(scores[1])


def test_more_than_one_model_for_a_fit_is_refused(month: anorand.Model) -> None:
    other = refit(DAY, month).to_bytes()
    mixed = DAY.with_columns(last=pl.Series([month.to_bytes(), other] * 250))
    with pytest.raises(pl.exceptions.ComputeError, match=r"more than one model .* by= or in a group_by"):
        mixed.select(anorand.fit(FEATURES, init=pl.col("last")))


def test_what_makes_no_sense_is_refused(month: anorand.Model) -> None:
    with pytest.raises(TypeError, match="goes on with one loss_weight"):
        anorand.fit(FEATURES, init=month, loss_weight=[0.2, 0.4])
    with pytest.raises(TypeError, match="give init, or leave replay out"):
        anorand.fit(FEATURES, replay="old")
    with pytest.raises(TypeError, match="init must be a path, bytes, a Model"):
        anorand.fit(FEATURES, init=3)  # type: ignore[arg-type]
    lazy = DAY.lazy()
    with pytest.raises(pl.exceptions.ComputeError, match="init has dtype .*64, expected Binary"):
        lazy.select(anorand.fit(FEATURES, init=pl.col("x"))).collect_schema()
    with pytest.raises(pl.exceptions.ComputeError, match="replay has dtype .*64, expected Boolean"):
        lazy.select(anorand.fit(FEATURES, init=month, replay="x")).collect_schema()
    with pytest.raises(pl.exceptions.ComputeError, match="not a model"):
        DAY.select(anorand.fit(FEATURES, init=b"no model"))
    few = DAY.head(20).select(anorand.fit(FEATURES, **FAST)).item()
    with pytest.raises(pl.exceptions.ComputeError, match=r"replay marks 500 rows, .* was fitted on 20: .* each once"):
        DAY.select(anorand.fit(FEATURES, init=few, replay=pl.lit(True)))
