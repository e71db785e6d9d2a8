"""Contract: a model scores whole frames, eager or lazy: the frame's columns, and the result's beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


@pytest.fixture(scope="module")
def table(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a column that is no feature, and another order of the features."""
    return frame.select(pl.int_range(pl.len()).alias("row"), "c", "a", "b")


def test_score_adds_the_scores(table: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    found = model.score(table)
    assert found.columns == [*table.columns, "score"]
    assert found.drop("score").equals(table)
    assert found["score"].equals(scores)


def test_detect_adds_the_fields_of_detect_and_the_reasons_as_a_text(table: pl.DataFrame, model: anorand.Model) -> None:
    found = model.detect(table, contamination=0.05, explain=2)
    fields = table.select(anorand.detect(FEATURES, model, contamination=0.05, explain=2)).unnest("anomaly")
    assert found.schema == {
        **table.schema, "score": pl.Float32, "percentile": pl.Float32, "rarity": pl.Float32, "outlier": pl.Boolean,
        "why": pl.String,
    }  # fmt: skip
    same = ["score", "percentile", "rarity", "outlier"]
    assert found.select(same).equals(fields.select(same))
    assert found["outlier"].sum() > 0
    for text, reasons in zip(found["why"], fields["reasons"], strict=True):
        if reasons is None:
            assert text is None
        elif reasons.is_empty():
            assert text == "no value alone stands out"
        else:
            sentences = [each["why"].removeprefix(f"{each['feature']} is ") for each in reasons]
            names = [each["feature"] for each in reasons]
            assert text == "; ".join(f"{name}: {why}" for name, why in zip(names, sentences, strict=True))


def test_the_reason_for_an_absurd_value_names_it_and_what_is_usual() -> None:
    frame = pl.DataFrame({"price": [2.5, 3.0, 3.5, 4.0] * 50 + [900.0], "shop": ["a", "b"] * 100 + ["a"]})
    found = anorand.train(frame, seed=0).detect(frame, contamination=0.005).filter(pl.col("price") > 4)
    assert found["outlier"].to_list() == [True]
    assert found["why"].item().startswith("price: 900; ")


def test_explain_and_cells_add_a_struct(table: pl.DataFrame, model: anorand.Model) -> None:
    rows = table.head(20)
    found = model.explain(rows)
    assert found.columns == [*table.columns, "explanation"]
    assert found["explanation"].equals(rows.select(anorand.explain(model.features, model)).to_series())
    top = model.explain(rows, top=1)["explanation"]
    assert top.equals(rows.select(anorand.explain(model.features, model, top=1)).to_series())
    cells = model.cells(rows)
    assert cells.columns == [*table.columns, "cells"]
    assert cells["cells"].equals(rows.select(anorand.cells(model.features, model)).to_series())


def test_without_sentences_the_reasons_are_the_names_of_features(frame: pl.DataFrame) -> None:
    model = anorand.train(frame, preset="paper", epochs=2)
    found = model.detect(frame, explain=1).filter("outlier")
    reasons = frame.select(anorand.detect(FEATURES, model, explain=1)).unnest("anomaly")["reasons"].drop_nulls()
    assert found["why"].to_list() == [reason[0]["feature"] for reason in reasons.to_list()]


CALLS: dict[str, Any] = {
    "score": lambda model, frame, **more: model.score(frame, **more),
    "detect": lambda model, frame, **more: model.detect(frame, **more),
    "explain": lambda model, frame, **more: model.explain(frame, **more),
    "cells": lambda model, frame, **more: model.cells(frame, **more),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_call
def test_a_lazy_frame_gives_a_lazy_frame_of_the_same_rows(table: pl.DataFrame, model: anorand.Model, call: Any) -> None:
    rows = table.head(50)
    eager, lazy = call(model, rows), call(model, rows.lazy())
    assert isinstance(eager, pl.DataFrame)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect_schema() == eager.schema
    assert lazy.collect().equals(eager)
    assert call(model, rows.clear()).schema == eager.schema


def test_a_lazy_detection_streams_into_a_csv(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    table.write_parquet(tmp_path / "rows.parquet")
    model.detect(pl.scan_parquet(tmp_path / "rows.parquet")).sink_csv(tmp_path / "found.csv")
    read = pl.read_csv(tmp_path / "found.csv", infer_schema_length=None)
    assert read["why"].equals(model.detect(table)["why"])


@every_call
def test_a_column_of_a_results_name_is_an_error_that_says_prefix(
    table: pl.DataFrame, model: anorand.Model, call: Any
) -> None:
    rows = table.head(20)
    added = [name for name in call(model, rows).columns if name not in rows.columns]
    for name in added:
        taken = rows.with_columns(pl.lit(1).alias(name))
        with pytest.raises(ValueError, match=f"has a column '{name}' already: .*prefix="):
            call(model, taken)
        found = call(model, taken, prefix="anorand_")
        assert found.columns == [*taken.columns, *[f"anorand_{each}" for each in added]]
        assert found[name].equals(taken[name])


def test_a_feature_may_have_any_name() -> None:
    frame = pl.DataFrame({"score": [1.0, 2.0, 3.0] * 20, "anomaly": [1, 2] * 30, "why": ["a", "b"] * 30})
    model = anorand.train(frame, **FAST)
    assert model.features == ["score", "anomaly", "why"]
    found = model.detect(frame, prefix="new ")
    assert found.columns == [*frame.columns, "new score", "new percentile", "new rarity", "new outlier", "new why"]
    assert found["new score"].equals(model.score(frame, prefix="new ")["new score"])


@every_call
def test_what_is_no_frame_of_polars_is_an_error(model: anorand.Model, table: pl.DataFrame, call: Any) -> None:
    with pytest.raises(TypeError, match="frame must be a polars DataFrame or LazyFrame, got dict"):
        call(model, table.to_dict(as_series=False))


def test_every_row_is_in_one_part_of_a_split(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    ordinary, outliers = anorand.split(table, model, contamination=0.05)
    detected = model.detect(table, contamination=0.05)
    assert outliers.equals(detected.filter("outlier"))
    assert ordinary.equals(table.filter(~detected["outlier"]))
    model.save(tmp_path / "model.safetensors")
    for given in [tmp_path / "model.safetensors", model.to_bytes()]:
        parts = anorand.split(table.lazy(), given, contamination=0.05)
        assert all(isinstance(part, pl.LazyFrame) for part in parts)
        collected = pl.collect_all(parts)
        assert collected[0].equals(ordinary)
        assert collected[1].equals(outliers)


def test_a_row_without_a_score_is_among_the_ordinary_ones(frame: pl.DataFrame) -> None:
    gaps = frame.with_columns(a=pl.when(pl.int_range(pl.len()) % 10 == 3).then(None).otherwise("a"))
    model = anorand.train(gaps, FEATURES, missing="null", **FAST)
    ordinary, outliers = anorand.split(gaps, model, contamination=0.1)
    assert ordinary.height + outliers.height == 500
    assert ordinary["a"].null_count() == 50
    assert outliers["a"].null_count() == 0
    assert outliers.equals(model.detect(gaps, contamination=0.1).filter("outlier"))
    assert 0 < outliers.height <= 45
    assert model.score(ordinary)["score"].null_count() == 50


def test_explain_needs_a_number_of_reasons(model: anorand.Model, frame: pl.DataFrame) -> None:
    with pytest.raises(TypeError, match="explain must be a number of reasons, at least 1, got None"):
        model.detect(frame, explain=None)  # type: ignore[arg-type]
