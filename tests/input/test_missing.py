"""Contract: what a null, NaN or infinity in a feature does, under each policy."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand

GAPS = pytest.mark.parametrize("gap", [None, math.nan, math.inf, -math.inf])


def with_gap(frame: pl.DataFrame, gap: float | None, row: int = 3) -> pl.DataFrame:
    index = pl.int_range(pl.len())
    return frame.with_columns(pl.when(index == row).then(pl.lit(gap, dtype=pl.Float64)).otherwise("b").alias("b"))


@GAPS
def test_null_policy_skips_the_row_in_a_fit(frame: pl.DataFrame, gap: float | None) -> None:
    gapped = with_gap(frame, gap).select(anorand.fit(FEATURES, **FAST)).item()
    dropped = frame.filter(pl.int_range(pl.len()) != 3).select(anorand.fit(FEATURES, **FAST)).item()
    assert gapped == dropped


@GAPS
def test_null_policy_gives_a_null_score(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, gap: float | None
) -> None:
    gapped = with_gap(frame, gap).select(anorand.score(FEATURES, model)).to_series()
    assert gapped.is_null().arg_true().to_list() == [3]
    assert gapped.drop_nulls().equals(scores.filter(np.arange(500) != 3))


@GAPS
def test_impute_policy_puts_in_the_training_median(frame: pl.DataFrame, gap: float | None) -> None:
    model = frame.select(anorand.fit(FEATURES, missing="impute", **FAST)).item()
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
    model = frame.select(anorand.fit(FEATURES, missing="error", **FAST)).item()
    assert frame.select(anorand.score(FEATURES, model)).to_series().null_count() == 0
    with pytest.raises(pl.exceptions.ComputeError, match='"b" has a null, NaN or infinity in row 3'):
        with_gap(frame, gap).select(anorand.score(FEATURES, model))


def test_a_null_struct_is_a_row_of_nulls(frame: pl.DataFrame, model: anorand.Model) -> None:
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
    out = with_gap(frame, None).select(anorand.score(FEATURES, **FAST)).to_series()
    assert out.is_null().arg_true().to_list() == [3]


def test_rows_with_nulls_only_are_too_few(frame: pl.DataFrame) -> None:
    empty = frame.with_columns(b=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(pl.exceptions.ComputeError, match="at least 2 rows .* got 0 of 500"):
        empty.select(anorand.fit(FEATURES, **FAST))
    with pytest.raises(pl.exceptions.ComputeError, match='"b" has no value'):
        empty.select(anorand.fit(FEATURES, missing="impute", **FAST))
