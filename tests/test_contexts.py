"""Contract: `fit` and `score` work wherever Polars takes an expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


@pytest.fixture(scope="module")
def grouped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(id=pl.int_range(pl.len()), g=pl.int_range(pl.len()) % 3)


def close(one: pl.Series, other: pl.Series) -> None:
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=0, atol=1e-6)


def test_the_namespace_and_the_functions_are_the_same(frame: pl.DataFrame, model: anorand.Model) -> None:
    columns = pl.col(FEATURES)
    by_namespace = frame.select(
        columns.anorand.fit(**FAST),
        columns.anorand.score(model),
    )
    by_accessor = frame.select(anorand.anorand(columns).fit(**FAST), anorand.anorand(columns).score(model))
    by_function = frame.select(anorand.fit(FEATURES, **FAST), anorand.score(columns, model))
    assert by_namespace.equals(by_function)
    assert by_accessor.equals(by_function)


@pytest.mark.parametrize(
    "features",
    [["a", "b", "c"], pl.col("a", "b", "c"), pl.exclude("id", "g"), pl.selectors.by_name("a", "b", "c"),
     [pl.col("a"), pl.col("b", "c")], pl.struct("a", "b", "c")],
    ids=["names", "columns", "exclude", "selector", "list", "struct"],
)  # fmt: skip
def test_features_come_in_many_forms(grouped: pl.DataFrame, scores: pl.Series, features: object) -> None:
    out = grouped.select(anorand.score(features, **FAST)).to_series()
    assert out.equals(scores)


def test_one_model_a_group(grouped: pl.DataFrame) -> None:
    models = grouped.group_by("g", maintain_order=True).agg(anorand.fit(FEATURES, **FAST))
    assert models.schema["model"] == pl.Binary
    for key, model in models.iter_rows():
        alone = grouped.filter(pl.col("g") == key).select(anorand.fit(FEATURES, **FAST)).item()
        assert model == alone


def test_one_model_a_row_after_a_join(grouped: pl.DataFrame) -> None:
    models = grouped.group_by("g").agg(anorand.fit(FEATURES, **FAST))
    joined = grouped.join(models, on="g").with_columns(anorand.score(FEATURES, pl.col("model"))).sort("id")
    for key, model in models.iter_rows():
        part = grouped.filter(pl.col("g") == key)
        close(joined.filter(pl.col("g") == key)["score"], part.select(anorand.score(FEATURES, model)).to_series())


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_one_model_a_row_in_both_engines(grouped: pl.DataFrame, engine: str) -> None:
    models = grouped.group_by("g").agg(anorand.fit(FEATURES, **FAST))
    lazy = grouped.lazy().join(models.lazy(), on="g").with_columns(anorand.score(FEATURES, pl.col("model")))
    eager = grouped.join(models, on="g").with_columns(anorand.score(FEATURES, pl.col("model"))).sort("id")
    close(lazy.collect(engine=engine).sort("id")["score"], eager["score"])


def test_fit_and_score_over_groups(grouped: pl.DataFrame) -> None:
    over = grouped.with_columns(anorand.score(FEATURES, **FAST).over("g"))
    for key in range(3):
        part = grouped.filter(pl.col("g") == key)
        close(over.filter(pl.col("g") == key)["score"], part.select(anorand.score(FEATURES, **FAST)).to_series())


def test_scores_in_a_group_by(grouped: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    lists = grouped.group_by("g").agg("id", anorand.score(FEATURES, model))
    close(lists.explode("id", "score").sort("id")["score"], scores)
    highest = grouped.group_by("g", maintain_order=True).agg(anorand.score(FEATURES, model).max())
    expected = grouped.with_columns(scores.alias("score")).group_by("g", maintain_order=True).agg(pl.col("score").max())
    close(highest["score"], expected["score"])


def test_a_model_fitted_inside_the_same_query(frame: pl.DataFrame, scores: pl.Series) -> None:
    out = frame.lazy().select(anorand.score(FEATURES, anorand.fit(FEATURES, **FAST))).collect()
    close(out["score"], scores)


def test_a_fit_broadcasts_like_any_aggregation(frame: pl.DataFrame, model: anorand.Model) -> None:
    out = frame.with_columns(anorand.fit(FEATURES, **FAST))
    assert out.height == frame.height
    assert out["model"].n_unique() == 1
    assert out["model"][0] == model.to_bytes()


def test_a_predicate_goes_below_the_score(grouped: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    grouped.write_parquet(tmp_path / "rows.parquet")
    lazy = (
        pl.scan_parquet(tmp_path / "rows.parquet").with_columns(anorand.score(FEATURES, model)).filter(pl.col("g") == 1)
    )
    assert "SELECTION" in lazy.explain()
    expected = grouped.filter(pl.col("g") == 1).select(anorand.score(FEATURES, model))
    close(lazy.collect()["score"], expected["score"])


def test_a_score_in_an_expression(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    score = anorand.score(FEATURES, model)
    flagged = frame.select(pl.when(score > scores.median()).then(pl.lit("odd")).otherwise(pl.lit("usual")))
    assert flagged.to_series().value_counts().height == 2


def test_a_plan_travels_to_another_process(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    plan = frame.lazy().select(anorand.score(FEATURES, model)).serialize()
    import io

    close(pl.LazyFrame.deserialize(io.BytesIO(plan)).collect()["score"], scores)


def test_one_struct_row_goes_to_every_model(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    models = pl.Series([model.to_bytes()] * 3)
    out = frame.head(1).select(anorand.score(pl.struct(FEATURES).first(), pl.lit(models))).to_series()
    close(out, pl.Series([scores[0]] * 3, dtype=pl.Float32))
