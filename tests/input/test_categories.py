"""Contract: a String, Categorical or Enum feature counts by its value, and by the frequency of that in training."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, internals
from verbs import Verb, every_fitting_verb

import polars_anorand as anorand

SHARES = {"red": 0.6, "green": 0.3, "blue": 0.08, "odd": 0.02}
DTYPES = [pl.String(), pl.Categorical(), pl.Enum([*SHARES, "never"])]


@pytest.fixture(scope="module")
def mixed() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    colour = rng.choice(list(SHARES), 400, p=list(SHARES.values()))
    return pl.DataFrame({"x": rng.normal(size=400), "colour": colour})


def encoded(frame: pl.DataFrame) -> pl.DataFrame:
    """The same frame, its categories made numbers by Polars."""
    return frame.with_columns((pl.len().over("colour") / pl.len()).log().alias("colour"))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_category_counts_as_its_log_frequency(mixed: pl.DataFrame, dtype: pl.DataType) -> None:
    options: dict[str, Any] = {"encode": "frequency", **internals(combination="robust"), **FAST}
    expected = encoded(mixed).select(anorand.score(pl.all(), **options)).to_series()
    scores = mixed.cast({"colour": dtype}).select(anorand.score(pl.all(), **options)).to_series()
    np.testing.assert_allclose(scores.to_numpy(), expected.to_numpy(), rtol=0, atol=1e-6)


def test_all_dtypes_of_categories_give_the_same_model_but_for_its_dtype(mixed: pl.DataFrame) -> None:
    models = [
        anorand.Model(mixed.cast({"colour": dtype}).select(anorand.fit(pl.all(), **FAST)).item()) for dtype in DTYPES
    ]
    for model in models:
        assert model.categories == models[0].categories
        for dtype in DTYPES:
            scores = mixed.cast({"colour": dtype}).select(anorand.score(pl.all(), model)).to_series()
            assert scores.equals(mixed.select(anorand.score(pl.all(), models[0])).to_series())


def test_another_frames_physical_codes_do_not_matter(mixed: pl.DataFrame) -> None:
    model = mixed.cast({"colour": pl.Categorical}).select(anorand.fit(pl.all(), **FAST)).item()
    expected = mixed.select(anorand.score(pl.all(), model)).to_series()
    backwards = mixed.reverse().cast({"colour": pl.Enum([*reversed(SHARES), "more"])})
    assert backwards.select(anorand.score(pl.all(), model)).to_series().reverse().equals(expected)


def test_a_category_not_seen_is_rarer_than_any_seen(mixed: pl.DataFrame) -> None:
    model = anorand.Model(mixed.select(anorand.fit(pl.all())).item())
    row = mixed.head(1).with_columns(x=pl.lit(model.reference["x"]))
    names = [*SHARES, "purple"]
    rows = pl.concat([row] * len(names)).with_columns(colour=pl.Series(names))
    scores = dict(zip(names, rows.select(anorand.score(pl.all(), model)).to_series(), strict=True))
    assert scores["purple"] > scores["odd"] > scores["red"]


@pytest.mark.parametrize("counts", [(300, 300, 300), (1_000, 50), (500, 300, 120, 8)])
def test_a_category_not_seen_is_flagged_whatever_the_counts_of_the_others_are(counts: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    values = [f"v{at}" for at, count in enumerate(counts) for _ in range(count)]
    frame = pl.DataFrame({"kind": values, "x": rng.normal(size=len(values))})
    model = frame.select(anorand.fit(pl.all())).item()
    rows = pl.DataFrame({"kind": ["new", *dict.fromkeys(values)], "x": [0.0] * (len(counts) + 1)})
    found = rows.select(anorand.detect(pl.all(), model)).unnest("anomaly")
    assert found["outlier"][0]
    assert found["score"][0] == found["score"].max()
    assert not found["outlier"][1:3].any()


def test_new_values_are_mostly_usual_where_many_training_rows_are_alone_in_theirs() -> None:
    random = np.random.default_rng(3)
    rows = pl.DataFrame({"shop": random.integers(0, 400, 1_800).astype(str), "x": random.normal(size=1_800)})
    training, later = rows[:900], rows[900:]
    model = anorand.Model(training.select(pl.all().anorand.fit()).item())
    new = later.filter(~pl.col("shop").is_in(training["shop"].implode()))
    assert new.height > 90
    flagged = new.select(pl.all().anorand.detect(model)).unnest("anomaly")["outlier"]
    assert flagged.mean() < 0.3


def test_new_ids_are_as_usual_as_those_of_the_training_rows() -> None:
    """Where rows tie but for their id, a new one would otherwise be above all of them."""
    rng = np.random.default_rng(3)

    def table(rows: int) -> pl.DataFrame:
        phones = [f"+49 {rng.integers(100, 999)} {rng.integers(10**5, 10**6)}" for _ in range(rows)]
        return pl.DataFrame({"phone": phones, "calls": rng.integers(3, 9, rows)})

    with pytest.warns(UserWarning, match="too many to recur"):
        model = anorand.Model(table(2_000).select(anorand.fit(pl.all(), **FAST)).item())
    assert table(2_000).select(anorand.detect(pl.all(), model)).unnest("anomaly")["outlier"].mean() <= 0.03


def test_a_price_that_is_usual_overall_and_unusual_for_its_category_is_seen() -> None:
    rng = np.random.default_rng(0)
    usual = {"DE": 10.0, "FR": 100.0, "IT": 1_000.0}
    country = rng.choice(list(usual), 1_500)
    price = np.array([usual[name] for name in country]) * rng.lognormal(0, 0.1, 1_500)
    others = {f"x{at}": rng.normal(size=1_500) for at in range(6)}
    frame = pl.DataFrame({"country": country, "price": price, **others})
    model = frame.select(anorand.fit(pl.all())).item()
    pairs = [(name, level) for name in usual for level in usual.values()]
    rows = pl.DataFrame(pairs, schema=["country", "price"], orient="row")
    rows = rows.with_columns(pl.lit(0.0).alias(name) for name in others)
    found = rows.select(anorand.detect(pl.all(), model), anorand.explain(pl.all(), model, top=1)).unnest("anomaly")
    own = pl.Series([usual[name] == level for name, level in pairs])
    assert found.filter(~own)["outlier"].all()
    assert set(found.filter(~own)["explanation"].list.first().struct.field("feature")) == {"price"}
    assert not found.filter(own)["outlier"].any()


def test_the_model_keeps_the_values_and_their_counts(mixed: pl.DataFrame) -> None:
    model = anorand.Model(mixed.select(anorand.fit(pl.all(), **FAST)).item())
    counts = dict(mixed["colour"].value_counts().sort("count", descending=True).iter_rows())
    assert model.categories == {"colour": counts}
    assert list(model.categories["colour"]) == list(counts)
    assert model.reference["colour"] == "red"


def test_any_text_is_a_category() -> None:
    names = ["", " ", "\n", "naïve 🙂", 'quote"', "null", "NaN"] * 20
    frame = pl.DataFrame({"name": names, "x": np.arange(140.0)})
    model = anorand.Model(frame.select(anorand.fit(pl.all(), **FAST)).item())
    assert set(model.categories["name"]) == set(names)
    assert frame.select(anorand.score(pl.all(), model)).to_series().null_count() == 0


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_null_is_missing(mixed: pl.DataFrame, dtype: pl.DataType) -> None:
    gapped = mixed.cast({"colour": dtype}).with_columns(colour=pl.when(pl.int_range(pl.len()) != 3).then("colour"))
    scores = gapped.select(anorand.score(pl.all(), missing="null", **FAST)).to_series()
    assert scores.is_null().arg_true().to_list() == [3]
    assert gapped.select(anorand.score(pl.all(), **FAST)).to_series().null_count() == 0
    imputed = gapped.select(anorand.score(pl.all(), missing="impute", **FAST)).to_series()
    assert imputed.null_count() == 0
    with pytest.raises(pl.exceptions.ComputeError, match='"colour" has a null, NaN or infinity in row 3'):
        gapped.select(anorand.score(pl.all(), missing="error", **FAST))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_fitting_verb
def test_they_can_be_refused_when_the_schema_is_resolved(mixed: pl.DataFrame, verb: Verb, dtype: pl.DataType) -> None:
    lazy = mixed.cast({"colour": dtype}).lazy().select(verb.function(pl.all(), encode="error"))
    with pytest.raises(pl.exceptions.ComputeError, match='feature "colour" has dtype .*encode="error" takes numbers'):
        lazy.collect_schema()


def test_a_category_is_no_number(mixed: pl.DataFrame) -> None:
    model = encoded(mixed).select(anorand.fit(pl.all(), **FAST)).item()
    with pytest.raises(pl.exceptions.ComputeError, match=r'"colour" is a category \(str\), but .* fitted on a number'):
        mixed.select(anorand.score(pl.all(), model))


def test_a_column_of_ids_warns(mixed: pl.DataFrame) -> None:
    with_ids = mixed.with_columns(id=pl.format("id-{}", pl.int_range(pl.len())))
    with pytest.warns(UserWarning, match='"id" has 400 different values .* leave the column out'):
        with_ids.select(anorand.fit(pl.all(), **FAST))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mixed.select(anorand.fit(pl.all(), **FAST))


def test_categories_explain_as_any_feature(mixed: pl.DataFrame) -> None:
    model = anorand.Model(mixed.select(anorand.fit(pl.all())).item())
    odd = mixed.filter(pl.col("colour") == "odd").with_columns(x=pl.lit(model.reference["x"]))
    named = odd.select(anorand.explain(pl.all(), model, top=1)).to_series().list.first().struct.field("feature")
    assert set(named) == {"colour"}


def test_it_streams(mixed: pl.DataFrame) -> None:
    model = mixed.select(anorand.fit(pl.all(), **FAST)).item()
    many = pl.concat([mixed.cast({"colour": pl.Categorical})] * 100)
    streamed = many.lazy().select(anorand.score(pl.all(), model)).collect(engine="streaming")
    assert streamed.equals(many.select(anorand.score(pl.all(), model)))


def test_groups_and_choices_warn_once() -> None:
    rows = pl.DataFrame({"g": [at // 40 for at in range(4_000)], "x": np.arange(4_000.0)})
    rows = rows.with_columns(id=pl.col("x").cast(pl.String))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows.select(anorand.fit(["x", "id"], by="g", members=1, **FAST))
    assert ['in 100 of 100 groups, feature "id"' in str(warning.message) for warning in caught] == [True]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows.head(200).select(anorand.fit(["x", "id"], members=1, loss_weight=[0.1, 0.2, 0.3], **FAST))
    assert ["200 different values" in str(warning.message) for warning in caught] == [True]


def test_a_column_of_ids_is_fitted_and_written_whatever_its_size() -> None:
    # As JSON, the values would be longer than the 100 MB that a safetensors header may have.
    long = pl.Series([f"{at:04d}" + "x" * 1_000_000 for at in range(110)])
    frame = pl.DataFrame({"x": np.arange(110.0), "id": long})
    with pytest.warns(UserWarning, match="has 110 different values"):
        model = anorand.Model(frame.select(anorand.fit(pl.all(), **FAST)).item())
    assert list(model.categories["id"]) == long.head(16).to_list()
    assert frame.select(anorand.score(pl.all(), model)).to_series().null_count() == 0


def test_of_very_many_values_the_rare_ones_count_as_not_seen() -> None:
    ids = [f"id{at:06d}" for at in range(65_536 + 100)]
    frame = pl.DataFrame({"x": np.arange(len(ids) + 1.0), "id": [*ids, ids[-1]]})
    with pytest.warns(UserWarning, match="has 65636 different values"):
        model = anorand.Model(frame.select(anorand.fit(pl.all(), **FAST)).item())
    kept = model.categories["id"]
    assert len(kept) == 65_536
    assert next(iter(kept.items())) == (ids[-1], 2)
    assert model.reference["id"] in kept
    rows = pl.DataFrame({"x": [5.0] * 4, "id": [ids[-2], "id999999", ids[0], ids[1]]})
    rare, never, *remembered = rows.select(anorand.score(pl.all(), model)).to_series()
    assert rare == pytest.approx(never, abs=1e-5)
    assert remembered[0] == remembered[1]
