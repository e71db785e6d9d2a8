"""Contract: `detect` is the score, its place among the training scores, and a verdict, from one pass."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


def detected(frame: pl.DataFrame, model: object = None, **options: object) -> pl.DataFrame:
    return frame.select(anorand.detect(FEATURES, model, **options)).unnest("anomaly")


def test_the_schema_is_known_before_the_query_runs(frame: pl.DataFrame, model: anorand.Model) -> None:
    fields = {"score": pl.Float32, "percentile": pl.Float32, "outlier": pl.Boolean}
    lazy = frame.lazy().select(anorand.detect(FEATURES, model))
    assert lazy.collect_schema() == {"anomaly": pl.Struct(fields)}
    assert lazy.collect().schema == {"anomaly": pl.Struct(fields)}


def test_the_score_is_that_of_score(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    assert detected(frame, model)["score"].equals(scores)


def test_the_percentile_is_the_share_of_lower_training_scores(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series
) -> None:
    ranked = np.sort(scores.to_numpy())
    expected = np.searchsorted(ranked, scores.to_numpy(), side="left") / len(ranked)
    # The sketch keeps every 0.1 percentage points; 500 rows are 0.2 apart.
    np.testing.assert_allclose(detected(frame, model)["percentile"].to_numpy(), expected, atol=0.003)


@pytest.mark.parametrize("contamination", [0.5, 0.1, 0.02])
def test_contamination_is_the_share_of_training_rows_flagged(
    frame: pl.DataFrame, model: anorand.Model, contamination: float
) -> None:
    share = detected(frame, model, contamination=contamination)["outlier"].mean()
    assert share == pytest.approx(contamination, abs=0.004)


def test_one_percent_is_flagged_unless_said_otherwise(frame: pl.DataFrame, model: anorand.Model) -> None:
    assert detected(frame, model).equals(detected(frame, model, contamination=0.01))


def test_a_threshold_is_a_score(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    threshold = float(scores.to_numpy()[17])
    flagged = detected(frame, model, threshold=threshold)["outlier"]
    assert flagged.equals((scores > threshold).alias("outlier"))


def test_without_a_model_it_fits_and_flags(frame: pl.DataFrame, model: anorand.Model) -> None:
    assert detected(frame, **FAST).equals(detected(frame, model))


def test_a_missing_value_gives_nulls(frame: pl.DataFrame, model: anorand.Model) -> None:
    gapped = frame.with_columns(a=pl.when(pl.int_range(pl.len()) != 3).then("a"))
    row = detected(gapped, model).row(3)
    assert row == (None, None, None)


def test_one_model_a_row_has_one_threshold_a_row(frame: pl.DataFrame) -> None:
    grouped = frame.with_columns(id=pl.int_range(pl.len()), g=pl.int_range(pl.len()) % 2)
    models = grouped.group_by("g").agg(anorand.fit(FEATURES, **FAST))
    joined = grouped.join(models, on="g").select(
        "id", "g", anorand.detect(FEATURES, pl.col("model"), contamination=0.1)
    )
    for key, model in models.iter_rows():
        part = grouped.filter(pl.col("g") == key)
        expected = part.select(anorand.detect(FEATURES, model, contamination=0.1)).unnest("anomaly")
        found = joined.filter(pl.col("g") == key).sort("id").unnest("anomaly")
        assert found["outlier"].equals(expected["outlier"])
        np.testing.assert_allclose(found["percentile"], expected["percentile"], atol=1e-5)


def test_a_null_model_gives_a_null(frame: pl.DataFrame, model: anorand.Model) -> None:
    models = pl.Series("m", [model.to_bytes()] * 499 + [None], dtype=pl.Binary)
    out = frame.with_columns(models).select(anorand.detect(FEATURES, pl.col("m"))).to_series()
    assert out[499] is None or set(out[499].values()) == {None}
    assert out[:499].struct.field("score").null_count() == 0


def test_it_streams(frame: pl.DataFrame, model: anorand.Model) -> None:
    lazy = frame.lazy().select(anorand.detect(FEATURES, model)).collect(engine="streaming")
    assert lazy.unnest("anomaly")["outlier"].equals(detected(frame, model)["outlier"])


@pytest.mark.parametrize("contamination", [0.0, 1.0, -1.0, float("nan")])
def test_a_contamination_out_of_range_is_refused_when_the_schema_is_resolved(
    frame: pl.DataFrame, contamination: float
) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="contamination must be a number above 0 and below 1"):
        frame.lazy().select(anorand.detect(FEATURES, contamination=contamination)).collect_schema()


def test_a_contamination_and_a_threshold_are_too_much() -> None:
    with pytest.raises(TypeError, match="a contamination or a threshold, not both"):
        anorand.detect(FEATURES, contamination=0.1, threshold=0.5)


def test_a_contamination_of_another_type_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="contamination must be a number, got '1%'"):
        anorand.detect(FEATURES, contamination="1%")
