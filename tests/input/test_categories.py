"""Contract: a String, Categorical or Enum feature counts as its value's log-frequency in the training rows."""

from __future__ import annotations

import warnings

import numpy as np
import polars as pl
import pytest
from conftest import FAST
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
    expected = encoded(mixed).select(anorand.score(pl.all(), **FAST)).to_series()
    scores = mixed.cast({"colour": dtype}).select(anorand.score(pl.all(), **FAST)).to_series()
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
    scores = gapped.select(anorand.score(pl.all(), **FAST)).to_series()
    assert scores.is_null().arg_true().to_list() == [3]
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


def test_groups_and_candidates_warn_once() -> None:
    rows = pl.DataFrame({"g": [at // 40 for at in range(4_000)], "x": np.arange(4_000.0)})
    rows = rows.with_columns(id=pl.col("x").cast(pl.String))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows.select(anorand.fit(["x", "id"], by="g", members=1, **FAST))
    assert ['in 100 of 100 groups, feature "id"' in str(warning.message) for warning in caught] == [True]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows.head(200).select(anorand.fit(["x", "id"], members=1, latent=[1, 2, 3], **FAST))
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
    rows = pl.DataFrame({"x": [5.0] * 4, "id": [ids[-2], "never", ids[0], ids[1]]})
    rare, never, *remembered = rows.select(anorand.score(pl.all(), model)).to_series()
    assert rare == never
    assert remembered[0] == remembered[1]
