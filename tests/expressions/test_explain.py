"""Contract: `explain` says what each feature adds to the score, and the parts make up the whole."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES, internals
from sklearn.datasets import load_breast_cancer

import polars_anorand as anorand

COMPLETE = 1e-3
"""How near the contributions' sum is to the score's difference from that of an ordinary training row."""

ROUNDING = 1e-5
"""How far two calls may be apart: on a GPU, and between CPUs, sums may have another order. Here they are equal."""


@pytest.fixture(scope="module")
def cancer() -> pl.DataFrame:
    bunch = load_breast_cancer()
    return pl.DataFrame(bunch.data, schema=[str(name) for name in bunch.feature_names])


def fitted(frame: pl.DataFrame, options: Mapping[str, Any]) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(pl.all(), **options)).item())


def check_sums(rows: pl.DataFrame, model: anorand.Model, within: float = COMPLETE) -> pl.Series:
    """Contributions add up to the difference from the score of one of the ordinary rows; returns the scores."""
    out = rows.select(anorand.score(pl.all(), model), anorand.explain(pl.all(), model))
    sums = out.select(pl.sum_horizontal(pl.col("explanation").struct.unnest())).to_series()
    start = (out["score"] - sums).to_numpy()
    ordinary = reference.ordinary_scores(model.to_bytes())
    assert len(ordinary) <= 256
    assert np.abs(start[:, None] - ordinary).min(axis=1).max() < within
    return out["score"]


OPTIONS = pytest.mark.parametrize(
    "options", [{}, {"preset": "paper", "epochs": 20}, {"members": 3, **internals(combination="probability")}], ids=str
)


@OPTIONS
def test_contributions_add_up_to_the_scores_difference_from_an_ordinary_training_row(
    cancer: pl.DataFrame, options: dict[str, Any]
) -> None:
    model = fitted(cancer, options)
    ordinary = reference.ordinary_scores(model.to_bytes())
    assert np.median(ordinary) < cancer.select(anorand.score(pl.all(), model)).to_series().median()
    # Rows as they are, and rows far outside of all that was seen.
    far = cancer.head(40) * pl.Series(np.random.default_rng(0).choice([-1e3, 1e9, 1e-3], 40))
    for rows in [cancer, far]:
        scores = check_sums(rows, model)
        assert scores.max() - ordinary.min() > 10 * COMPLETE


@OPTIONS
@pytest.mark.parametrize("contamination", [0.1, 0.6])
def test_an_outliers_first_contribution_is_above_zero(
    cancer: pl.DataFrame, options: dict[str, Any], contamination: float
) -> None:
    model = fitted(cancer, options)
    found = cancer.select(anorand.detect(pl.all(), model, contamination=contamination, explain=3)).unnest("anomaly")
    explained = cancer.select(anorand.explain(pl.all(), model, top=1)).to_series().list.first()
    first = explained.struct.field("contribution").filter(found["outlier"])
    assert len(first) > 20
    assert first.min() > 0


def test_with_a_time_that_recurs_contributions_add_up_too() -> None:
    rows = pl.DataFrame(
        {
            "at": [datetime(2024, 1, 1) + timedelta(hours=hour) for hour in range(2_000)],
            "x": [float(hour % 97) for hour in range(2_000)],
        }
    )
    model = fitted(rows, {})
    assert model.reference["at"] is None
    rows = rows.head(200).with_columns(x=pl.when(pl.int_range(pl.len()) % 5 == 0).then(500.0).otherwise("x"))
    scores = check_sums(rows, model)
    assert scores.max() - scores.min() > 10 * COMPLETE


@pytest.mark.parametrize("combination", ["robust", "cells"])
def test_contributions_are_those_of_many_more_midpoints(cancer: pl.DataFrame, combination: str) -> None:
    model = fitted(cancer, {"members": 4, **internals(combination=combination)})
    scores = cancer.select(anorand.score(pl.all(), model)).to_series()
    rows = cancer[scores.arg_sort(descending=True).head(20).to_list()]
    expected = reference.explain(model.to_bytes(), rows.to_numpy(), steps=128)
    found = rows.select(anorand.explain(pl.all(), model)).unnest("explanation").to_numpy()
    largest = np.abs(expected).max(axis=1)
    near = np.abs(found - expected).max(axis=1) < 0.1 * largest
    assert near.mean() >= 0.95
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.95


def test_the_reference_row_is_the_medians(cancer: pl.DataFrame) -> None:
    model = fitted(cancer, {"epochs": 1, "min_steps": 0})
    medians = cancer.median().row(0, named=True)
    assert model.reference == medians


@pytest.mark.parametrize("missing", ["indicator", "impute"])
@pytest.mark.parametrize("combination", ["cells", "robust", "probability"])
def test_the_reference_lacks_what_most_training_rows_lack(combination: str, missing: str) -> None:
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0, 5.0] * 10, "rare": [None] * 39 + [1.0], "half": [None, 7.0] * 20})
    if missing == "indicator":
        frame = frame.with_columns(word=pl.lit(None, dtype=pl.String))
    told = pytest.warns(match='"word" has no value') if missing == "indicator" else contextlib.nullcontext()
    with told:
        model = fitted(frame, {"missing": missing, **internals(combination=combination), **FAST})
    absent = {"rare": None, "half": 7.0} | ({"word": None} if missing == "indicator" else {})
    assert model.reference == {"x": 2.5, **absent}
    rows = frame.head(6).with_columns(rare=pl.Series([None, 1.0, 2.0, None, 0.0, 1.0]))
    check_sums(rows, model)


def test_the_feature_that_is_wrong_stands_out(frame: pl.DataFrame) -> None:
    model = fitted(frame, {})
    for feature in FEATURES:
        odd = frame.head(50).with_columns(pl.col(feature).max() * 4.0)
        named = odd.select(anorand.explain(FEATURES, model, top=1)).to_series().list.first().struct.field("feature")
        assert (named == feature).mean() > 0.9


def test_the_fields_are_the_features_as_given(frame: pl.DataFrame, model: anorand.Model) -> None:
    shuffled = ["c", "a", "b"]
    lazy = frame.lazy().select(anorand.explain(shuffled, model))
    fields = dict.fromkeys(shuffled, pl.Float32)
    assert lazy.collect_schema() == {"explanation": pl.Struct(fields)}
    out = lazy.collect()
    assert out.schema == {"explanation": pl.Struct(fields)}
    straight = frame.select(anorand.explain(FEATURES, model))
    for feature in FEATURES:
        one, other = (part.unnest("explanation")[feature].to_numpy() for part in (out, straight))
        np.testing.assert_allclose(one, other, rtol=0, atol=ROUNDING)


def test_top_names_the_largest(frame: pl.DataFrame, model: anorand.Model) -> None:
    lazy = frame.lazy().select(anorand.explain(FEATURES, model, top=2))
    dtype = pl.List(pl.Struct({"feature": pl.String, "contribution": pl.Float32}))
    assert lazy.collect_schema() == {"explanation": dtype}
    out = lazy.collect()
    assert out.schema == {"explanation": dtype}
    wide = frame.select(anorand.explain(FEATURES, model)).unnest("explanation")
    for listed, row in zip(out.to_series(), wide.iter_rows(named=True), strict=True):
        largest = sorted(row.items(), key=lambda pair: -pair[1])[:2]
        assert [item["feature"] for item in listed] == [name for name, _ in largest]
        found = [item["contribution"] for item in listed]
        assert found == pytest.approx([number for _, number in largest], abs=ROUNDING)


def test_more_than_there_are_is_all(frame: pl.DataFrame, model: anorand.Model) -> None:
    out = frame.select(anorand.explain(FEATURES, model, top=100)).to_series()
    assert out.list.len().unique().to_list() == [3]


@pytest.mark.parametrize("top", [None, 2])
def test_a_missing_value_and_a_missing_model_give_nulls(frame: pl.DataFrame, top: int | None) -> None:
    model = fitted(frame, {"missing": "null"})
    gapped = frame.head(4).with_columns(
        a=pl.when(pl.int_range(pl.len()) != 1).then("a"),
        m=pl.when(pl.int_range(pl.len()) != 2).then(pl.lit(model.to_bytes())),
    )
    out = gapped.select(anorand.explain(FEATURES, pl.col("m"), top=top)).to_series()
    nothing = [value is None or (isinstance(value, dict) and set(value.values()) == {None}) for value in out.to_list()]
    assert nothing == [False, True, True, False]


@pytest.mark.parametrize("top", [None, 1])
def test_no_rows_have_no_explanations(frame: pl.DataFrame, model: anorand.Model, top: int | None) -> None:
    expression = anorand.explain(FEATURES, model, top=top)
    assert frame.clear().select(expression).schema == frame.lazy().select(expression).collect_schema()


def test_it_streams(frame: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    many = pl.concat([frame] * 10)
    many.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    lazy = pl.scan_parquet(tmp_path / "rows.parquet").select(anorand.explain(FEATURES, model))
    streamed = lazy.collect(engine="streaming").unnest("explanation")
    eager = many.select(anorand.explain(FEATURES, model)).unnest("explanation")
    np.testing.assert_allclose(streamed.to_numpy(), eager.to_numpy(), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("top", [0, -1])
def test_a_top_below_one_is_refused_when_the_schema_is_resolved(
    frame: pl.DataFrame, model: anorand.Model, top: int
) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=f"top must be a whole number from 1 on, got {top}"):
        frame.lazy().select(anorand.explain(FEATURES, model, top=top)).collect_schema()


def test_a_top_of_another_type_is_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match=r"top must be an int, got 1\.5"):
        anorand.explain(FEATURES, model, top=1.5)  # type: ignore[arg-type]


def test_contributions_add_up_where_the_training_rows_hardly_differ() -> None:
    # Heads that spread little make much of rounding: the ends must be those that the score is made of.
    for odd in range(11):
        frame = pl.DataFrame({"x": [-1.0 if row == odd else 0.0 for row in range(11)]})
        model = anorand.Model(frame.select(anorand.fit("x", members=10, **FAST)).item())
        check_sums(frame, model, within=1e-5)


def test_contributions_add_up_where_the_networks_see_no_difference() -> None:
    # All values scale to the same number: what the score says is said by the cells.
    values = [-3.0, -7.3616714e7, None, None, -3.0, None, 1.9812e16, 1.5368e16, 1.0]
    frame = pl.DataFrame({"x": values})
    check_sums(frame, fitted(frame, {"kept_rows": 0, **internals(scaling="minmax"), **FAST}), within=1e-5)


@pytest.mark.parametrize("features", [60, 200])
def test_wide_tables_name_the_feature_that_is_wrong(features: int) -> None:
    rng = np.random.default_rng(0)
    wide = pl.DataFrame(rng.normal(size=(400, features)), schema=[f"f{at}" for at in range(features)])
    model = fitted(wide, {})
    odd = wide.head(30).with_columns(f7=pl.lit(40.0))
    named = odd.select(anorand.explain(pl.all(), model, top=1)).to_series().list.first().struct.field("feature")
    assert (named == "f7").mean() > 0.9
