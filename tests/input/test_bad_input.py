"""Contract: unusual tables fit and score, and tables that can't be fitted say why."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES, internals

import polars_anorand as anorand


def scored(frame: pl.DataFrame, **options: Any) -> pl.Series:
    out = frame.select(anorand.score(pl.all(), **{**FAST, **options})).to_series()
    assert out.dtype == pl.Float32
    assert out.len() == frame.height
    return out


def sound(scores: pl.Series) -> None:
    assert scores.null_count() == 0
    assert scores.is_between(0, 1, closed="none").all()


def test_no_rows_can_not_be_fitted(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="at least 2 rows, got 0; in a group_by or over, give by="):
        frame.clear().select(anorand.fit(FEATURES, **FAST))


def test_no_rows_have_no_scores(frame: pl.DataFrame, model: anorand.Model) -> None:
    for expression in [anorand.score(FEATURES, model), anorand.score(FEATURES, **FAST)]:
        out = frame.clear().select(expression)
        assert out.schema == {"score": pl.Float32}
        assert out.height == 0
        assert frame.lazy().filter(pl.lit(False)).select(expression).collect().height == 0


def test_one_row_can_not_be_fitted(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="at least 2 rows, got 1;"):
        frame.head(1).select(anorand.fit(FEATURES, **FAST))


@pytest.mark.parametrize("rows", [2, 3, 5, 20])
def test_a_few_rows_fit(frame: pl.DataFrame, rows: int) -> None:
    sound(scored(frame.head(rows)))


def test_fewer_rows_than_neighbours_fit(frame: pl.DataFrame) -> None:
    sound(scored(frame.head(60), preset="paper", **internals(neighbors=1_000)))


def test_constant_columns_fit(frame: pl.DataFrame) -> None:
    sound(scored(frame.with_columns(k=pl.lit(7))))
    sound(scored(pl.DataFrame({"k": [7.0] * 50})))


def test_a_row_unlike_a_constant_column_still_has_a_score() -> None:
    model = pl.DataFrame({"k": [7.0] * 50}).select(anorand.fit("k", **FAST)).item()
    sound(pl.DataFrame({"k": [7.0, 8.0, -1e300]}).select(anorand.score("k", model)).to_series())


def test_one_feature_fits(frame: pl.DataFrame) -> None:
    sound(scored(frame.select("a")))


def test_two_thousand_features_fit() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2_000))
    sound(scored(pl.DataFrame(rows, schema=[f"f{at}" for at in range(2_000)])))


@pytest.mark.parametrize("size", [1e-300, 1e-40, 1e30, 1e38, 1e300, 8e307])
def test_values_beyond_float32_fit(frame: pl.DataFrame, size: float) -> None:
    unit = frame.select("a") / frame["a"].abs().max()
    scores = scored(unit * size)
    sound(scores)
    np.testing.assert_allclose(scores.to_numpy(), scored(unit).to_numpy(), atol=1e-4)


def test_the_whole_range_of_float64_fits() -> None:
    largest = float(np.finfo(np.float64).max)
    sound(scored(pl.DataFrame({"x": [-largest, -1.0, 0.0, 5e-324, largest] * 10})))


def test_no_feature_is_an_error() -> None:
    empty = pl.DataFrame({"t": ["x", "y"]})
    with pytest.raises(pl.exceptions.PolarsError, match="expected at least 1 input"):
        empty.select(anorand.fit(pl.selectors.numeric(), **FAST))


def test_a_diverging_training_is_an_error(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=r"diverged.*lower learning_rate \(now 1\)"):
        frame.select(anorand.fit(FEATURES, preset="paper", learning_rate=1.0, noise_std=1000.0, hidden=[64] * 8))


def test_more_models_than_rows_is_an_error(frame: pl.DataFrame, model: anorand.Model) -> None:
    three = pl.Series([model.to_bytes()] * 3)
    with pytest.raises(pl.exceptions.PolarsError, match="there are 3 models for 2 rows"):
        frame.head(2).select(anorand.score(FEATURES, three))
