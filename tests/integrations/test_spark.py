"""Contract: on Spark, fits and scores are those of Polars to the bit, for every type, partition and stream."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from engines import FAST, FEATURES, ROWS, collected, run
from pyspark import cloudpickle
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.ml.functions import array_to_vector
from pyspark.sql import functions as F  # noqa: N812

import polars_anorand as anorand
from polars_anorand import _polars_anorand as _core
from polars_anorand.spark import AnoRand, AnoRandModel, _frames, score_udf
from polars_anorand.spark._worker import on_worker

OUTPUTS = ["outlierScore", "predictedLabel"]


@pytest.fixture(scope="module")
def fitted(rows: Any) -> AnoRandModel:
    return AnoRand(inputCols=FEATURES, options=FAST).fit(rows)


def test_a_fit_gives_the_bytes_of_polars_whatever_the_partitions(
    fitted: AnoRandModel, rows: Any, model: anorand.Model
) -> None:
    assert fitted.toModel() == model
    assert AnoRand(inputCols=FEATURES, options=FAST).fit(rows.repartition(3, "count")).toModel() == model


def test_scores_are_those_of_polars_to_the_bit_and_no_row_is_lost(
    fitted: AnoRandModel, rows: Any, frame: pl.DataFrame, scores: list[float]
) -> None:
    out = collected(fitted.transform(rows))
    assert out.columns == [*frame.columns, *OUTPUTS]
    assert out["id"].to_list() == list(range(ROWS))
    assert out["outlierScore"].to_list() == scores
    assert out["instant"].equals(frame["instant"])


def test_labels_percentiles_and_reasons_are_those_of_detect(
    rows: Any, frame: pl.DataFrame, model: anorand.Model
) -> None:
    by_spark = (
        AnoRandModel(model)
        .setContamination(0.05)
        .setPercentileCol("percentile")
        .setRarityCol("rarity")
        .setReasonsCol("reasons")
    )
    out = collected(by_spark.setNumReasons(2).transform(rows))
    expected = frame.select(anorand.detect(FEATURES, model, contamination=0.05, explain=2)).unnest("anomaly")
    assert out["predictedLabel"].to_list() == [float(outlier) for outlier in expected["outlier"]]
    assert out["percentile"].to_list() == expected["percentile"].to_list()
    assert out["rarity"].to_list() == expected["rarity"].to_list()
    assert out["reasons"].to_list() == expected["reasons"].to_list()
    assert 50 <= out["predictedLabel"].sum() < 60


def test_a_row_without_a_score_has_nulls(rows: Any, frame: pl.DataFrame) -> None:
    fitted = AnoRand(inputCols=FEATURES, options={**FAST, "missing": "null"}).fit(rows)
    out = collected(fitted.transform(rows))
    expected = frame.select(anorand.score(FEATURES, fitted.toModel())).to_series()
    assert out["outlierScore"].to_list() == expected.to_list()
    assert out["predictedLabel"].is_null().equals(expected.is_null())
    assert expected.null_count() > 0


def test_empty_partitions_and_empty_frames_are_scored(fitted: AnoRandModel, rows: Any, scores: list[float]) -> None:
    few = fitted.transform(rows.where("id < 3").repartition(8))
    assert collected(few)["outlierScore"].to_list() == scores[:3]
    assert fitted.transform(rows.where("id < 0")).count() == 0


def test_other_columns_pass_through_dots_binaries_vectors_and_all(
    fitted: AnoRandModel, rows: Any, scores: list[float]
) -> None:
    more = rows.withColumn("a.dot `tick`", F.array(F.lit(1))).withColumn("raw", F.unhex(F.lit("00ff")))
    more = more.withColumn("vector", array_to_vector(F.array(F.col("id").cast("double"))))
    out = fitted.transform(more)
    assert out.where("outlierScore > 0").count() == len(scores)
    first = out.where("id = 7").select("raw", "vector", "outlierScore").first()
    assert (bytes(first[0]), first[1].toArray().tolist(), first[2]) == (b"\x00\xff", [7.0], scores[7])


def test_a_feature_may_have_a_dot_in_its_name(rows: Any, frame: pl.DataFrame) -> None:
    renamed = rows.select("id", F.col("number").alias("a.b"), F.col("count").alias("c`d"))
    fitted = AnoRand(inputCols=["a.b", "c`d"], options=FAST).fit(renamed)
    polars = frame.select(pl.col("number").alias("a.b"), pl.col("count").alias("c`d"))
    expected = polars.select(anorand.score(pl.all(), **FAST)).to_series()
    assert collected(fitted.transform(renamed))["outlierScore"].to_list() == expected.to_list()


def test_timestamps_do_not_depend_on_the_sessions_time_zone(spark: Any, fitted: AnoRandModel, rows: Any) -> None:
    before = collected(fitted.transform(rows))["outlierScore"]
    zone = spark.conf.get("spark.sql.session.timeZone")
    try:
        spark.conf.set("spark.sql.session.timeZone", "+05:30")
        assert collected(fitted.transform(rows))["outlierScore"].equals(before)
    finally:
        spark.conf.set("spark.sql.session.timeZone", zone)


def sampled(rows: Any, **parameters: Any) -> anorand.Model:
    """The model of more rows than the driver takes, and what it says about it."""
    with pytest.warns(UserWarning, match="on a sample of 300 of 1,000 rows, with the counts and extremes of all"):
        return AnoRand(**{"inputCols": FEATURES, "maxRows": 300, "options": FAST, **parameters}).fit(rows).toModel()


def test_of_more_rows_than_maxrows_a_sample_is_fitted_that_no_partition_changes(rows: Any) -> None:
    first = sampled(rows)
    assert sampled(rows.repartition(9, "kind").sortWithinPartitions("clock")) == first
    assert sampled(rows.coalesce(1).sort("number")) == first
    assert (first.training["rows"], first.training["sampled"]) == (1000, 300)
    assert sampled(rows, seed=1).reference != first.reference


@pytest.mark.parametrize("missing", ["indicator", "null"])
def test_counts_and_extremes_of_a_sampled_fit_are_those_of_all_rows(
    rows: Any, frame: pl.DataFrame, missing: str
) -> None:
    options = {**FAST, "missing": missing}
    found = sampled(rows, options=options)
    expected = anorand.Model(frame.select(anorand.fit(FEATURES, **options)).item())
    exact = ["feature", "dtype", "minimum", "maximum", "missing", "categories"]
    assert found.training["rows"] == expected.training["rows"]
    assert found.statistics.select(exact).rows() == expected.statistics.select(exact).rows()
    assert found.categories == expected.categories
    (lowest, *_, highest), (low, *_, high) = [zip(*extremes(model), strict=True) for model in [found, expected]]
    assert (lowest, highest) == (low, high)


def extremes(model: anorand.Model) -> list[list[float]]:
    """The quantiles of each feature, times too."""
    quantiles = _core.model_quantiles(model.to_bytes())
    assert quantiles is not None
    return quantiles[0]


def test_thresholds_of_a_sampled_fit_are_those_of_all_rows(rows: Any, frame: pl.DataFrame) -> None:
    found = sampled(rows)
    scores = frame.select(anorand.score(FEATURES, found)).to_series()
    for contamination in [0.001, 0.01, 0.05, 0.3]:
        assert (scores > found.threshold(contamination)).sum() == round(contamination * ROWS)
    assert "scored" not in found.training
    with pytest.warns(UserWarning, match="thresholds and percentiles are the sample's"):
        plain = AnoRand(inputCols=FEATURES, maxRows=300, calibrate="sample", options=FAST).fit(rows).toModel()
    of_sample = frame.select(anorand.score(FEATURES, plain)).to_series()
    assert of_sample.equals(scores)
    assert plain.threshold(0.01) != found.threshold(0.01)


def test_a_fit_goes_on_from_a_model(rows: Any, frame: pl.DataFrame, tmp_path: Path) -> None:
    first = anorand.Model(frame.head(600).select(anorand.fit(FEATURES[::-1], missing="null", **FAST)).item())
    first.save(tmp_path / "first.safetensors")
    expected = frame.select(anorand.fit(FEATURES, init=first, seed=0, **FAST)).item()
    for given in [first, str(tmp_path / "first.safetensors"), AnoRandModel(first)]:
        estimator = AnoRand(inputCols=FEATURES, initModel=given, options=FAST)
        assert estimator.fit(rows).toModel().to_bytes() == expected
    estimator.save(str(tmp_path / "estimator"))
    loaded = AnoRand.load(str(tmp_path / "estimator"))
    assert loaded.getInitModel() == first
    assert loaded.copy().fit(rows).toModel().to_bytes() == expected
    assert loaded.setInitModel(None).getInitModel() is None


def test_of_a_sampled_fit_that_goes_on_from_a_model_all_rows_are_added_to_its_counts(
    rows: Any, frame: pl.DataFrame
) -> None:
    first = anorand.Model(frame.head(600).select(anorand.fit(FEATURES[::-1], missing="null", **FAST)).item())
    found = sampled(rows, initModel=first)
    expected = anorand.Model(frame.select(anorand.fit(FEATURES, init=first, **FAST)).item())
    assert found.training["rows"] == expected.training["rows"]
    assert found.categories == expected.categories
    exact = ["feature", "dtype", "minimum", "maximum", "missing", "categories"]
    assert found.statistics.select(exact).rows() == expected.statistics.select(exact).rows()
    scores = frame.select(anorand.score(FEATURES, found)).to_series()
    assert found.training["scored"] == scores.count() == 941
    # The smallest set that holds at least the share.
    assert (scores > found.threshold(0.05)).sum() == 48
    assert sampled(rows.repartition(5), initModel=first) == found


def test_a_model_that_can_not_go_on_is_refused_before_a_job_starts(rows: Any, frame: pl.DataFrame) -> None:
    other = anorand.Model(frame.select(anorand.fit(["number", "count"], **FAST)).item())
    with pytest.raises(pl.exceptions.PolarsError, match=r"the model does not know .* \(the model of init\)"):
        AnoRand(inputCols=FEATURES, initModel=other).fit(rows)
    with pytest.raises(pl.exceptions.PolarsError, match="leave members out"):
        AnoRand(inputCols=["number", "count"], initModel=other, options={"members": 3}).fit(rows)
    with pytest.raises(TypeError, match="initModel must be a Model"):
        AnoRand(initModel=3)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # that they look like ids, among others
def test_a_category_of_very_many_values_is_counted_as_on_one_machine(spark: Any) -> None:
    words = spark.range(0, 100_000, 1, 4).selectExpr("cast(id % 80000 as string) as word", "cast(id as double) as x")
    found = AnoRand(inputCols=["word", "x"], maxRows=1000, calibrate="sample", options=FAST).fit(words).toModel()
    polars = pl.select(word=pl.int_range(100_000) % 80_000).select(pl.col("word").cast(pl.String))
    polars = polars.with_columns(x=pl.int_range(100_000).cast(pl.Float64))
    expected = anorand.train(polars, ["word", "x"], sample=1000, calibrate="sample", **FAST)
    assert len(found.categories["word"]) == 65_536
    assert found.categories == expected.categories
    assert found.statistics["categories"].equals(expected.statistics["categories"])


def test_a_sample_has_its_share_of_a_value_that_most_rows_have(spark: Any) -> None:
    mostly = spark.range(100_000).selectExpr("if(id % 5 = 0, cast(id as double), 0D) as x", "1D as y")
    with pytest.warns(UserWarning, match="sample of 2,000 of 100,000"):
        fitted = AnoRand(inputCols=["x", "y"], maxRows=2000, options=FAST).fit(mostly)
    assert fitted.toModel().training["sampled"] == 2000
    sample, rows = _frames.sampled(mostly, ["x", "y"], 2000, seed=0)
    assert rows == 100_000
    # 1,600 are expected; the standard deviation is 18.
    assert abs((sample["x"] == 0).sum() - 1600) < 90


def test_a_model_is_saved_and_loaded(fitted: AnoRandModel, rows: Any, tmp_path: Path) -> None:
    path = (tmp_path / "model").as_uri()
    named = fitted.copy().setOutputCol("mine")
    named.write().save(path)
    loaded = AnoRandModel.load(path)
    assert loaded.toModel() == fitted.toModel()
    assert (loaded.uid, loaded.getOutputCol()) == (named.uid, "mine")
    with pytest.raises(Exception, match="already exists|ALREADY_EXISTS"):
        fitted.write().save(path)
    fitted.write().overwrite().save(path)
    assert AnoRandModel.load(path).getOutputCol() == "outlierScore"
    with pytest.raises(ValueError, match="holds a polars_anorand.spark.AnoRandModel, expected"):
        AnoRand.load(path)


def test_an_estimator_is_saved_and_loaded(tmp_path: Path) -> None:
    estimator = AnoRand(inputCols=FEATURES, contamination=0.2, maxRows=77, options=FAST)
    estimator.save(str(tmp_path / "estimator"))
    loaded = AnoRand.load(str(tmp_path / "estimator"))
    assert loaded.extractParamMap() == estimator.extractParamMap()


def test_it_is_a_stage_of_a_pipeline_which_is_saved_and_loaded(rows: Any, tmp_path: Path, frame: pl.DataFrame) -> None:
    doubled = SQLTransformer(statement="SELECT *, count * 2 AS twice FROM __THIS__")
    pipeline = Pipeline(stages=[doubled, AnoRand(inputCols=["number", "twice"], options=FAST)])
    out = collected(pipeline.fit(rows).transform(rows))
    twice = frame.select("number", twice=pl.col("count").cast(pl.Int32) * 2)
    assert out["outlierScore"].to_list() == twice.select(anorand.score(pl.all(), **FAST)).to_series().to_list()
    pipeline.fit(rows).write().overwrite().save(str(tmp_path / "pipeline"))
    loaded = PipelineModel.load(str(tmp_path / "pipeline"))
    assert collected(loaded.transform(rows)).equals(out)


def test_a_udf_scores_columns_structs_and_sql(spark: Any, rows: Any, model: anorand.Model, scores: list[float]) -> None:
    score = score_udf(model)
    named = F.struct(*reversed(FEATURES))
    out = collected(rows.select("id", score(*FEATURES).alias("columns"), score(named).alias("struct")))
    assert out["columns"].to_list() == out["struct"].to_list() == scores
    spark.udf.register("score", score)
    rows.createOrReplaceTempView("rows")
    by_sql = collected(spark.sql(f"SELECT id, score({', '.join(FEATURES)}) AS score FROM rows"))
    assert by_sql["score"].to_list() == scores


def test_a_stream_is_scored(spark: Any, fitted: AnoRandModel, rows: Any, tmp_path: Path, scores: list[float]) -> None:
    for part in range(3):
        rows.where(f"id % 3 = {part}").write.mode("append").parquet(str(tmp_path / "in"))
    stream = spark.readStream.schema(rows.schema).option("maxFilesPerTrigger", 2).parquet(str(tmp_path / "in"))
    query = (
        fitted.transform(stream)
        .writeStream.option("checkpointLocation", str(tmp_path / "checkpoint"))
        .trigger(availableNow=True)
        .start(str(tmp_path / "out"), format="parquet")
    )
    query.awaitTermination()
    assert len(query.recentProgress) > 1
    out = collected(spark.read.parquet(str(tmp_path / "out")))
    assert out["id"].to_list() == list(range(ROWS))
    assert out["outlierScore"].to_list() == scores


def test_what_goes_to_a_worker_imports_nothing_of_polars_before_its_threads_are_set() -> None:
    sent = cloudpickle.dumps(on_worker("score_batches", 1, ["a"], b"no model", ["a"], ("score", None)))
    program = f"""
import os, pickle, sys
function = pickle.loads({sent!r})
assert "polars" not in sys.modules, "it was imported with the function"
os.environ.pop("POLARS_MAX_THREADS", None)
os.environ["OMP_NUM_THREADS"] = "3"
try:
    list(function([]))
except ValueError as error:
    print(error)
import polars
print(polars.thread_pool_size())
"""
    printed = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "can't read the model" in printed
    assert printed.split()[-1] == "3"


@pytest.mark.skipif("POLARS_ANORAND_PYSPARK35" not in os.environ, reason="POLARS_ANORAND_PYSPARK35 is not set")
def test_on_pyspark_3_5_fits_scores_and_models_of_groups_are_those_of_polars(tmp_path: Path) -> None:
    package = str(Path(anorand.__file__).parents[1])
    python = os.environ["POLARS_ANORAND_PYSPARK35"]
    printed = run("spark_3_5.py", tmp_path, environment={"PYTHONPATH": package}, python=python)
    assert printed.split() == ["fit", "scores", "sample", "groups"]
