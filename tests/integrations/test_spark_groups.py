"""Contract: ``GroupedAnoRand`` gives the models of ``fit(by=)``, to the byte, and scores each group by its own."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from engines import FAST, ROWS, collected
from pyspark.sql import functions as F  # noqa: N812

import polars_anorand as anorand
from polars_anorand.spark import GroupedAnoRand, GroupedAnoRandModel

FEATURES = ["number", "amount", "kind", "instant"]


@pytest.fixture(scope="module")
def fitted(rows: Any) -> GroupedAnoRandModel:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST).fit(rows)


@pytest.fixture(scope="module")
def expected(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(anorand.fit(FEATURES, by="key", **FAST)).unnest("model").sort("key")


def models(of: GroupedAnoRandModel) -> pl.DataFrame:
    return pl.DataFrame(of.models.toArrow()).sort(of.models.columns[0])


def test_models_are_those_of_polars_to_the_byte_after_a_repartition_too(
    rows: Any, fitted: GroupedAnoRandModel, expected: pl.DataFrame
) -> None:
    assert models(fitted).rows() == expected.rows()
    assert expected["key"].null_count() == 1
    again = GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST, numPartitions=2).fit(rows.repartition(11))
    assert models(again).rows() == expected.rows()


def test_each_group_is_scored_by_its_model_and_no_row_is_lost(
    rows: Any, fitted: GroupedAnoRandModel, frame: pl.DataFrame
) -> None:
    out = collected(fitted.setReasonsCol("why").transform(rows))
    assert out["id"].to_list() == list(range(ROWS))
    own = frame.select(anorand.score(FEATURES, by="key", **FAST)).to_series()
    assert out["outlierScore"].to_list() == own.to_list()
    # Up to three reasons, and none that says little beside the first.
    assert set(out.filter(pl.col("predictedLabel") == 1)["why"].list.len()) <= {1, 2, 3}


def test_a_group_with_too_few_rows_has_a_null_model_and_null_scores(rows: Any) -> None:
    lonely = rows.withColumn("key", F.when(F.col("id") == 5, "lonely").otherwise(F.col("key")))
    with pytest.warns(UserWarning, match="1 of 4 groups have a null model"):
        fitted = GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST).fit(lonely)
    assert models(fitted).filter(pl.col("key") == "lonely")["model"].to_list() == [None]
    out = collected(fitted.transform(lonely))
    assert out.filter(pl.col("outlierScore").is_null())["id"].to_list() == [5]
    assert out["predictedLabel"].null_count() == 1


def test_rows_of_a_group_that_was_not_fitted_have_null_scores(rows: Any, fitted: GroupedAnoRandModel) -> None:
    new = rows.withColumn("key", F.when(F.col("id") < 10, "new").otherwise(F.col("key")))
    out = collected(fitted.transform(new))
    assert out["id"].to_list() == list(range(ROWS))
    assert out.filter(pl.col("outlierScore").is_null())["id"].to_list() == list(range(10))


def test_there_may_be_several_keys_of_several_types_and_any_names(rows: Any, frame: pl.DataFrame) -> None:
    keyed = rows.withColumn("order", F.col("id") % 2 == 0).withColumn("model", F.lit("T"))
    fitted = GroupedAnoRand(by=["key", "order"], inputCols=FEATURES, options=FAST).fit(keyed)
    polars = frame.with_columns(order=pl.col("id") % 2 == 0)
    expected = polars.select(anorand.fit(FEATURES, by=["key", "order"], **FAST)).unnest("model")
    found = pl.DataFrame(fitted.models.toArrow())
    assert found.sort("key", "order").rows() == expected.sort("key", "order").rows()
    out = collected(fitted.transform(keyed))
    own = polars.select(anorand.score(FEATURES, by=["key", "order"], **FAST).cast(pl.Float64)).to_series()
    assert out["outlierScore"].equals(own)
    assert out["model"].unique().to_list() == ["T"]


def test_instants_pass_through_as_keys_and_inside_of_others(rows: Any) -> None:
    day = F.to_timestamp(F.concat(F.lit("2025-01-0"), (F.col("id") % 2 + 1).cast("string")))
    inside = F.struct(F.array("instant").alias("list"), F.create_map(F.lit("a"), F.col("instant")).alias("map"))
    keyed = rows.withColumn("key", day).withColumn("inside", inside)
    out = GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST).fit(keyed).transform(keyed)
    kept = out.where("inside.list[0] <=> instant AND inside.map['a'] <=> instant AND outlierScore > 0")
    assert kept.count() == ROWS


def test_groups_may_come_in_many_batches_and_keys_may_be_nan_negative_zero_or_null(spark: Any, rows: Any) -> None:
    numbers = F.array(F.lit("NaN"), F.lit("-0.0"), F.lit("0.0"), F.lit(None), F.lit("1.5"))
    keyed = rows.withColumn("key", F.element_at(numbers, (F.col("id") % 5 + 1).cast("int")).cast("double"))
    few = GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST, numPartitions=1)
    expected = models(few.fit(keyed)).rows()
    assert [row[0] for row in expected] == [None, 0.0, 1.5, pytest.approx(float("nan"), nan_ok=True)]
    setting = "spark.sql.execution.arrow.maxRecordsPerBatch"
    most = spark.conf.get(setting)
    try:
        spark.conf.set(setting, 7)
        fitted = few.fit(keyed)
        assert [row[1] for row in models(fitted).rows()] == [row[1] for row in expected]
        out = collected(fitted.transform(keyed))
        assert out["id"].to_list() == list(range(ROWS))
        assert out["outlierScore"].null_count() == 0
    finally:
        spark.conf.set(setting, most)


def test_all_groups_are_not_left_to_one_task(rows: Any) -> None:
    many = rows.withColumn("key", F.col("id") % 40)
    found = GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST, numPartitions=6).fit(many)
    parts = found.models.select(F.spark_partition_id().alias("part")).distinct().count()
    assert parts > 3


def test_models_are_saved_and_loaded(rows: Any, fitted: GroupedAnoRandModel, tmp_path: Path) -> None:
    fitted.write().overwrite().save(str(tmp_path / "groups"))
    loaded = GroupedAnoRandModel.load(str(tmp_path / "groups"))
    assert models(loaded).rows() == models(fitted).rows()
    assert collected(loaded.transform(rows))["outlierScore"].equals(collected(fitted.transform(rows))["outlierScore"])


def test_two_models_for_a_group_are_an_error_that_names_the_group(rows: Any, fitted: GroupedAnoRandModel) -> None:
    doubled = fitted.copy()
    doubled._models = fitted.models.union(fitted.models)
    with pytest.raises(Exception, match=r"there are 2 models for the group \{'key': ('north'|'south'|None)\}"):
        doubled.transform(rows).collect()


def test_keys_of_other_types_than_the_models_and_collations_are_refused(rows: Any, fitted: GroupedAnoRandModel) -> None:
    with pytest.raises(TypeError, match="for keys 'key' of type string, and the frame's are of type bigint"):
        fitted.transform(rows.withColumn("key", F.col("id")))
    collated = rows.withColumn("key", F.expr("key collate UTF8_LCASE"))
    with pytest.raises(TypeError, match=r"'key' of type string collate UTF8_LCASE: group by .* lower\(key\)"):
        GroupedAnoRand(by=["key"], inputCols=FEATURES).fit(collated)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"by": [], "inputCols": FEATURES}, "by is not set"),
        ({"by": ["key"]}, "inputCols is not set"),
        ({"by": ["nokey"], "inputCols": FEATURES}, r"by names the columns \['nokey'\]"),
        ({"by": ["kind"], "inputCols": FEATURES}, "a key can't be a feature too"),
        ({"by": ["key"], "inputCols": ["numbr"]}, r"inputCols names the columns \['numbr'\]"),
        ({"by": ["key"], "inputCols": FEATURES, "options": {"members": 0}}, "members"),
        ({"by": ["key"], "inputCols": FEATURES, "minGroupRows": 1}, "min_group_rows"),
    ],
)
def test_wrong_arguments_are_said_before_a_job_starts(rows: Any, arguments: Any, message: str) -> None:
    with pytest.raises((ValueError, pl.exceptions.PolarsError), match=message):
        GroupedAnoRand(**arguments).fit(rows)
