"""Contract: `detect` is the score, its place among the training scores, and a verdict, from one pass."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES, internals

import polars_anorand as anorand


@pytest.fixture(scope="module")
def model(frame: pl.DataFrame) -> anorand.Model:
    """A model without cells: with them, training rows are judged without themselves, and score lower as new rows.

    ``tests/model/test_reference.py`` says what that makes of thresholds.
    """
    return anorand.Model(frame.select(anorand.fit(FEATURES, **internals(combination="robust"), **FAST)).item())


@pytest.fixture(scope="module")
def scores(frame: pl.DataFrame, model: anorand.Model) -> pl.Series:
    return frame.select(anorand.score(FEATURES, model)).to_series()


def detected(frame: pl.DataFrame, model: object = None, **options: object) -> pl.DataFrame:
    return frame.select(anorand.detect(FEATURES, model, **options)).unnest("anomaly")


def test_the_schema_is_known_before_the_query_runs(frame: pl.DataFrame, model: anorand.Model) -> None:
    fields = {"score": pl.Float32, "percentile": pl.Float32, "rarity": pl.Float32, "outlier": pl.Boolean}
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
    np.testing.assert_array_equal(detected(frame, model)["percentile"].to_numpy(), expected.astype(np.float32))


@pytest.mark.parametrize("contamination", [0.4, 0.1, 0.02, 0.0101, 0.002])
def test_contamination_is_the_share_of_training_rows_flagged(
    frame: pl.DataFrame, model: anorand.Model, contamination: float
) -> None:
    flagged = detected(frame, model, contamination=contamination)["outlier"].sum()
    assert flagged == math.ceil(contamination * frame.height - 1e-9)


def flagged_values(values: list[float], contamination: float) -> list[float]:
    table = pl.DataFrame({"x": values})
    flagged = table.filter(anorand.detect("x", contamination=contamination).struct.field("outlier"))
    return flagged["x"].to_list()


def test_ties_are_flagged_whole() -> None:
    twice = sorted(np.random.default_rng(0).normal(size=150).tolist() * 2)
    flagged = flagged_values(twice, 0.01)
    assert len(flagged) == 4
    assert flagged[::2] == flagged[1::2]
    assert flagged_values([1.0] * 37 + [-1.0] * 13, 0.2) == [-1.0] * 13


def test_a_tie_is_flagged_up_to_three_times_the_contamination() -> None:
    rng = np.random.default_rng(1)
    clean = pl.DataFrame({"x": rng.normal(size=980), "y": rng.normal(size=980)})
    glitch = pl.DataFrame({"x": [9.0] * 20, "y": [-9.0] * 20})
    table = pl.concat([clean, glitch])

    def flagged(contamination: float) -> list[int]:
        is_outlier = table.select(anorand.detect(["x", "y"], contamination=contamination)).to_series()
        return is_outlier.struct.field("outlier").arg_true().to_list()

    assert flagged(0.01) == flagged(0.007) == list(range(980, 1000))
    assert flagged(0.006) == flagged(0.0001) == []


def test_new_rows_of_a_table_of_few_distinct_ones_are_not_flagged_by_the_group() -> None:
    rng = np.random.default_rng(13)
    plans = {"free": 0.0, "pro": 12.0, "team": 60.0}

    def table(rows: int) -> pl.DataFrame:
        plan = rng.choice(list(plans), rows, p=[0.6, 0.3, 0.1])
        status = rng.choice(["active", "cancelled"], rows, p=[0.8, 0.2])
        return pl.DataFrame({"plan": plan, "status": status, "price": [plans[each] for each in plan]})

    model = anorand.Model(table(5_000).select(anorand.fit(pl.all(), seed=0)).item())
    new = table(2_000)
    for contamination in (0.0001, 0.001, 0.01):
        found = new.select(anorand.detect(pl.all(), model, contamination=contamination)).unnest("anomaly")
        assert found["outlier"].mean() <= 3.5 * contamination


def test_nobody_is_flagged_where_it_would_be_half_of_the_rows() -> None:
    assert flagged_values([3.0] * 100, 0.01) == []
    assert flagged_values([1.0] * 25 + [-1.0] * 25, 0.2) == []


def test_a_few_rows_above_a_tie_of_most_rows_are_flagged() -> None:
    pairs = [("on", "on"), ("off", "off")] * 2_000 + [("on", "off")] * 5
    frame = pl.DataFrame(pairs, schema=["a", "b"], orient="row")
    flagged = frame.filter(pl.col("a", "b").anorand.detect().struct.field("outlier"))
    assert flagged.rows() == [("on", "off")] * 5


@pytest.mark.parametrize("threshold", [95, -3, 1.001, float("nan"), float("inf")])
def test_a_threshold_is_a_score_from_0_to_1(frame: pl.DataFrame, model: anorand.Model, threshold: float) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="threshold must be a score, a number from 0 to 1, got"):
        frame.lazy().select(anorand.detect(FEATURES, model, threshold=threshold)).collect_schema()


def test_one_percent_is_flagged_unless_said_otherwise(frame: pl.DataFrame, model: anorand.Model) -> None:
    assert detected(frame, model).equals(detected(frame, model, contamination=0.01))


def test_a_threshold_is_a_score(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    threshold = float(scores.to_numpy()[17])
    flagged = detected(frame, model, threshold=threshold)["outlier"]
    assert flagged.equals((scores > threshold).alias("outlier"))


def test_without_a_model_it_fits_and_flags(frame: pl.DataFrame, model: anorand.Model) -> None:
    together = frame.select(anorand.detect(FEATURES, **internals(combination="robust"), **FAST)).unnest("anomaly")
    assert together.equals(detected(frame, model))


def test_a_missing_value_gives_nulls_where_the_model_says_so(frame: pl.DataFrame, model: anorand.Model) -> None:
    gapped = frame.with_columns(a=pl.when(pl.int_range(pl.len()) != 3).then("a"))
    skipping = anorand.Model(frame.select(anorand.fit(FEATURES, missing="null", **FAST)).item())
    assert detected(gapped, skipping).row(3) == (None, None, None, None)
    assert detected(gapped, model).null_count().sum_horizontal().item() == 0


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
