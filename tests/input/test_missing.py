"""Contract: what a null, NaN or infinity in a feature does, under each policy."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES, internals
from verbs import VERBS, Verb

import polars_anorand as anorand

GAPS = pytest.mark.parametrize("gap", [None, math.nan, math.inf, -math.inf])


def with_gap(frame: pl.DataFrame, gap: float | None, row: int = 3) -> pl.DataFrame:
    index = pl.int_range(pl.len())
    return frame.with_columns(pl.when(index == row).then(pl.lit(gap, dtype=pl.Float64)).otherwise("b").alias("b"))


@GAPS
def test_an_indicator_gives_every_row_a_score(frame: pl.DataFrame, gap: float | None) -> None:
    model = anorand.Model(with_gap(frame, gap).select(anorand.fit(FEATURES, **FAST)).item())
    assert model.options["missing"] == "indicator"
    assert model.training["rows"] == frame.height
    assert with_gap(frame, gap, row=7).select(anorand.score(FEATURES, model)).to_series().null_count() == 0


@GAPS
def test_a_missing_value_is_flagged_where_training_had_none(
    frame: pl.DataFrame, model: anorand.Model, gap: float | None
) -> None:
    for row in range(5):
        gapped = with_gap(frame, gap, row).select(
            anorand.detect(FEATURES, model), anorand.explain(FEATURES, model, top=1)
        )
        assert gapped["anomaly"].struct.field("outlier")[row]
        assert gapped["explanation"].list.first().struct.field("feature")[row] == "b"


def test_a_missing_value_is_ordinary_where_training_had_many(frame: pl.DataFrame) -> None:
    often = frame.with_columns(b=pl.when(pl.int_range(pl.len()) % 4 > 0).then("b"))
    model = often.select(anorand.fit(FEATURES)).item()
    flagged = often.select(anorand.detect(FEATURES, model)).unnest("anomaly")
    assert flagged.filter(often["b"].is_null())["outlier"].mean() < 0.03
    assert flagged["outlier"].sum() == 5


def test_which_values_are_missing_together_is_learned() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.normal(size=3_000), "b": rng.normal(size=3_000), "c": rng.normal(size=3_000)})
    together = frame.with_columns(
        pl.when(pl.int_range(pl.len()) % 2 == 0).then(column).alias(column) for column in ("b", "c")
    )
    alone = frame.head(200).with_columns(b=pl.lit(None, dtype=pl.Float64))
    model = together.select(anorand.fit(pl.all())).item()
    usual = together.head(200).select(anorand.detect(pl.all(), model)).unnest("anomaly")["percentile"]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="anorand: .* of 200 rows are outliers")  # that is the point
        found = alone.select(anorand.detect(pl.all(), model)).unnest("anomaly")["percentile"]
    assert found.median() > usual.quantile(0.85)


def test_a_column_without_any_value_is_a_constant(frame: pl.DataFrame) -> None:
    empty = frame.with_columns(b=pl.lit(None, dtype=pl.Float64), d=pl.lit(None, dtype=pl.String))
    with pytest.warns(UserWarning, match="has no value in any row of the fit"):
        model = anorand.Model(empty.select(anorand.fit([*FEATURES, "d"])).item())
    assert anorand.Model(model.to_bytes()).reference["d"] is None
    assert not empty[:5].select(anorand.detect([*FEATURES, "d"], model)).unnest("anomaly")["outlier"].any()
    for filled in (frame["b"].alias("b"), pl.lit("a value").alias("d")):
        rows = empty.with_columns(filled)[:5]
        assert rows.select(anorand.detect([*FEATURES, "d"], model)).unnest("anomaly")["outlier"].all()


@GAPS
def test_null_policy_skips_the_row_in_a_fit(frame: pl.DataFrame, gap: float | None) -> None:
    gapped = with_gap(frame, gap).select(anorand.fit(FEATURES, missing="null", **FAST)).item()
    kept = frame.filter(pl.int_range(pl.len()) != 3)
    assert gapped == kept.select(anorand.fit(FEATURES, missing="null", **FAST)).item()


@GAPS
def test_null_policy_gives_a_null_score(frame: pl.DataFrame, gap: float | None) -> None:
    model = frame.select(anorand.fit(FEATURES, missing="null", **FAST)).item()
    scores = frame.select(anorand.score(FEATURES, model)).to_series()
    gapped = with_gap(frame, gap).select(anorand.score(FEATURES, model)).to_series()
    assert gapped.is_null().arg_true().to_list() == [3]
    assert gapped.drop_nulls().equals(scores.filter(np.arange(500) != 3))


@GAPS
def test_impute_policy_puts_in_the_training_median(frame: pl.DataFrame, gap: float | None) -> None:
    # The cells take a value that stands in for no value at all.
    model = frame.select(anorand.fit(FEATURES, missing="impute", **internals(combination="robust"), **FAST)).item()
    gapped = with_gap(frame, gap).select(anorand.score(FEATURES, model)).to_series()
    median = frame["b"].median()
    assert isinstance(median, float)
    filled = with_gap(frame, median).select(anorand.score(FEATURES, model)).to_series()
    assert gapped.equals(filled)


@GAPS
def test_impute_policy_fits_on_every_row(frame: pl.DataFrame, gap: float | None) -> None:
    model = anorand.Model(with_gap(frame, gap).select(anorand.fit(FEATURES, missing="impute", **FAST)).item())
    assert model.training["rows"] == frame.height


@GAPS
def test_error_policy_names_the_column_and_the_row(frame: pl.DataFrame, gap: float | None) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='"b" has a null, NaN or infinity in row 3'):
        with_gap(frame, gap).select(anorand.fit(FEATURES, missing="error", **FAST))
    with pytest.raises(pl.exceptions.PolarsError, match='or fit with missing="indicator", "impute" or "null"'):
        with_gap(frame, gap).select(anorand.fit(FEATURES, missing="error", **FAST))
    model = frame.select(anorand.fit(FEATURES, missing="error", **FAST)).item()
    assert frame.select(anorand.score(FEATURES, model)).to_series().null_count() == 0
    with pytest.raises(pl.exceptions.ComputeError, match='"b" has a null, NaN or infinity in row 3'):
        with_gap(frame, gap).select(anorand.score(FEATURES, model))


def test_a_null_struct_is_a_row_of_nulls(frame: pl.DataFrame) -> None:
    model = frame.select(anorand.fit(FEATURES, missing="null", **FAST)).item()
    packed = frame.select(s=pl.when(pl.int_range(pl.len()) != 7).then(pl.struct(FEATURES)))
    assert packed["s"].null_count() == 1
    assert packed.select(anorand.score("s", model)).to_series().is_null().arg_true().to_list() == [7]


def test_a_null_model_gives_a_null_score(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    models = pl.Series("m", [model.to_bytes()] * 499 + [None], dtype=pl.Binary)
    out = frame.with_columns(models).select(anorand.score(FEATURES, pl.col("m"))).to_series()
    assert out[:499].equals(scores[:499])
    assert out[499] is None


@pytest.mark.parametrize("nothing", [pl.lit(None), pl.lit(None, dtype=pl.Binary)])
def test_a_null_literal_model_gives_null_scores(frame: pl.DataFrame, nothing: pl.Expr) -> None:
    out = frame.select(anorand.score(FEATURES, nothing)).to_series()
    assert out.dtype == pl.Float32
    assert out.null_count() == out.len() == frame.height


def test_fit_and_score_gives_null_to_the_rows_it_skipped(frame: pl.DataFrame) -> None:
    out = with_gap(frame, None).select(anorand.score(FEATURES, missing="null", **FAST)).to_series()
    assert out.is_null().arg_true().to_list() == [3]


def test_a_fit_that_skips_more_than_half_of_the_rows_names_the_columns_that_cost_them(frame: pl.DataFrame) -> None:
    index = pl.int_range(pl.len())
    half = frame.with_columns(pl.when(index < 250).then("a").alias("a"))
    options: anorand.FitOptions = {"missing": "null", **FAST}
    assert half.select(anorand.fit(FEATURES, **options)).item()
    gapped = half.with_columns(
        d=1.0, e=pl.when(index < 251).then("c"), b=pl.when(index % 5 > 0).then("b").otherwise(math.nan)
    )
    message = (
        r'with missing="null", the fit skips 300 of 500 rows .*'
        r'\(most often "a" in 250 rows, "e" in 249 rows, "b" in 100 rows\); missing="indicator" would keep them'
    )
    for query in [anorand.fit(pl.all(), **options), anorand.score(pl.all(), loss_weight=[0.1, 0.2], **options)]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            gapped.select(query)
        assert [re.search(message, str(warning.message)) is not None for warning in caught] == [True]
    assert gapped.select(anorand.fit(pl.all(), missing="impute", **FAST)).item()


def test_the_rows_that_the_fits_of_groups_skip_are_summed_in_one_warning(frame: pl.DataFrame) -> None:
    index = pl.int_range(pl.len())
    gapped = frame.with_columns(g=index % 5, a=pl.when((index % 5 > 1) | (index > 300)).then("a"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gapped.select(anorand.fit(FEATURES, by="g", missing="null", **FAST))
    (warning,) = caught
    assert "the fits of 2 of 5 groups skip 121 of 200 rows" in str(warning.message)
    assert '(most often "a" in 121 rows)' in str(warning.message)


def test_rows_with_nulls_only_are_too_few(frame: pl.DataFrame) -> None:
    empty = frame.with_columns(b=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(pl.exceptions.ComputeError, match="at least 2 rows .* got 0 of 500"):
        empty.select(anorand.fit(FEATURES, missing="null", **FAST))
    with pytest.raises(pl.exceptions.ComputeError, match='"b" has no value'):
        empty.select(anorand.fit(FEATURES, missing="impute", **FAST))


@pytest.mark.filterwarnings("ignore:anorand. 100 % of 500 rows are outliers:UserWarning")
@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.applies or verb.compares], ids=str)
def test_a_column_of_the_dtype_null_is_one_of_missing_values(
    frame: pl.DataFrame, model: anorand.Model, verb: Verb
) -> None:
    typed = frame.with_columns(b=pl.lit(None, dtype=pl.Float64))
    untyped = frame.with_columns(b=pl.lit(None))
    expected = typed.select(verb.call(FEATURES, model))
    assert untyped.select(verb.call(FEATURES, model)).equals(expected, null_equal=True)
    assert untyped.lazy().select(verb.call(FEATURES, model)).collect_schema() == expected.schema


def test_a_column_of_the_dtype_null_has_missing_values_of_any_kind() -> None:
    table = pl.DataFrame({"n": [1.5, 2.5] * 50, "s": ["a", "b"] * 50, "f": [True, False] * 50}).with_columns(
        d=pl.date(2024, 1, 1), z=pl.datetime(2024, 1, 1, time_zone="Europe/Berlin")
    )
    model = anorand.Model(table.select(anorand.fit(pl.all(), **FAST)).item())
    for column in table.columns:
        typed = table.with_columns(pl.lit(None, dtype=table.schema[column]).alias(column))
        untyped = table.with_columns(pl.lit(None).alias(column))
        score = anorand.score(pl.all(), model)
        assert untyped.select(score).equals(typed.select(score))


def test_a_fit_asks_for_the_dtype_of_a_column_of_the_dtype_null(frame: pl.DataFrame, model: anorand.Model) -> None:
    untyped = frame.with_columns(b=pl.lit(None))
    refused = 'feature "b" has dtype null, .* cast it'
    with pytest.raises(pl.exceptions.PolarsError, match=refused):
        untyped.lazy().select(anorand.fit(FEATURES, **FAST)).collect_schema()
    with pytest.raises(pl.exceptions.PolarsError, match=refused):
        anorand.train(untyped, FEATURES, **FAST)
    # The model knows it.
    refitted = untyped.select(anorand.fit(FEATURES, init=model, **FAST)).item()
    assert anorand.Model(refitted).training["rows"] == 2 * frame.height
