"""Contract: what is wrong is said on the driver, before a job starts where it can be, and Spark retries what it can."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from engines import FAST, FEATURES, ROWS, collected, run
from pyspark.sql import functions as F  # noqa: N812

import polars_anorand as anorand
from polars_anorand.spark import AnoRand, AnoRandModel, score_udf
from polars_anorand.spark._worker import on_worker


@pytest.fixture
def jobs(spark: Any) -> Any:
    """The ids of the jobs that have started since."""
    spark.sparkContext.setJobGroup("watched", "by a test")
    before = set(spark.sparkContext.statusTracker().getJobIdsForGroup("watched"))
    return lambda: set(spark.sparkContext.statusTracker().getJobIdsForGroup("watched")) - before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: rows.drop("count"), r"fitted on the columns \['count'\], which the frame does not have"),
        (lambda rows: rows.withColumnRenamed("count", "COUNT"), r"fitted on the columns \['count'\]"),
        (lambda rows: rows.withColumn("count", F.lit("x")), "count"),
        (lambda rows: rows.withColumn("count", F.array("count")), "count"),
        (lambda rows: rows.withColumn("outlierScore", F.lit(1)), r"\['outlierScore'\] would be there twice"),
        (
            lambda rows: rows.selectExpr("*", "interval '1-2' year to month AS age"),
            "'age' of type interval year to month",
        ),
    ],
    ids=["a missing column", "another case", "another type", "an unsupported type", "an output", "an interval"],
)
def test_a_frame_that_does_not_fit_the_model_is_refused_before_a_job_starts(
    rows: Any, model: anorand.Model, jobs: Any, change: Any, message: str
) -> None:
    with pytest.raises((ValueError, TypeError, pl.exceptions.PolarsError), match=message):
        AnoRandModel(model).transform(change(rows))
    assert jobs() == set()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "inputCols is not set"),
        ({"inputCols": ["nuber"]}, r"inputCols names the columns \['nuber'\]"),
        ({"inputCols": ["number"], "options": {"epochs": 0}}, "epochs"),
        ({"inputCols": ["number"], "options": {"epoch": 1}}, "there is no option 'epoch'"),
        ({"inputCols": ["number"], "options": {"seed": 1}}, "the seed is a parameter of its own"),
        ({"inputCols": ["number"], "seed": -1}, "seed"),
        ({"inputCols": ["number"], "maxRows": 1}, "maxRows must be at least 2, got 1"),
        ({"inputCols": ["number"], "calibrate": "none"}, "calibrate must be 'all' or 'sample', got 'none'"),
    ],
)
def test_wrong_parameters_are_said_before_a_job_starts(rows: Any, jobs: Any, arguments: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError, pl.exceptions.PolarsError), match=message):
        AnoRand(**arguments).fit(rows)
    assert jobs() == set()


def test_a_contamination_out_of_range_is_said_before_a_job_starts(rows: Any, model: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match="contamination"):
        AnoRandModel(model).setContamination(1.5).transform(rows)


def test_a_corrupt_null_or_newer_model_is_said_on_the_driver(model: anorand.Model) -> None:
    data = model.to_bytes()
    with pytest.raises(ValueError, match="model"):
        AnoRandModel(data[:1000])
    with pytest.raises(ValueError, match="has no model: give it one"):
        AnoRandModel().toModel()
    with pytest.raises(TypeError, match="got float"):
        score_udf(1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="format.* 9|9.*format"):
        AnoRandModel(newer(data))


def newer(data: bytes) -> bytes:
    """A model of a later format, whose number stands in its metadata."""
    changed, times = re.subn(rb'(\\"format\\":)\d', rb"\g<1>9", data)
    assert times == 1
    return changed


def test_a_model_that_a_worker_cannot_read_is_said_with_the_workers_name(rows: Any, model: anorand.Model) -> None:
    fitted = AnoRandModel(model)
    given = rows.columns, newer(model.to_bytes()), FEATURES, tuple(fitted._outputs())
    frame = rows.mapInArrow(on_worker("score_batches", 1, *given), fitted.transform(rows).schema)
    with pytest.raises(Exception, match=r"the worker on .* can't read the model: .* older polars-anorand"):
        frame.collect()


def test_a_worker_without_the_package_says_so_and_how_to_mend_it(tmp_path: Path) -> None:
    # Only in what Spark's daemon starts: its workers.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'pyspark.daemon' in sys.orig_argv:\n    sys.modules['polars_anorand'] = None\n"
    )
    printed = run("spark_without_package.py", environment={"PYTHONPATH": str(tmp_path)})
    assert "can't import the polars_anorand that the driver has" in printed
    assert "install the same version of polars-anorand[spark] on every node" in printed


def test_a_killed_worker_loses_and_doubles_no_row(
    rows: Any, model: anorand.Model, scores: list[float], tmp_path: Path
) -> None:
    folder = str(tmp_path)

    def kills_itself_once(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if not os.path.exists(os.path.join(folder, "done")):
                with open(os.path.join(folder, "done"), "x"):
                    pass
                os.kill(os.getpid(), 9)
            yield batch

    out = collected(AnoRandModel(model).transform(rows.mapInArrow(kills_itself_once, rows.schema)))
    assert (tmp_path / "done").exists()
    assert out["id"].to_list() == list(range(ROWS))
    assert out["outlierScore"].to_list() == scores


def test_a_poison_partition_fails_after_four_tries_and_does_not_loop(
    rows: Any, model: anorand.Model, tmp_path: Path
) -> None:
    folder = str(tmp_path)

    def poison(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            if 500 in batch.column("id").to_pylist():
                with open(os.path.join(folder, "tries"), "a") as file:
                    file.write("x")
                raise ArithmeticError("poison")
            yield batch

    frame = AnoRandModel(model).transform(rows.mapInArrow(poison, rows.schema))
    with pytest.raises(Exception, match="poison"):
        frame.collect()
    assert (tmp_path / "tries").read_text() == "xxxx"


def test_an_error_of_a_missing_value_names_the_column_on_the_driver(rows: Any) -> None:
    whole = rows.na.drop(subset=["count"]).where("not isnan(number)")
    fitted = AnoRand(inputCols=["number", "count"], options={**FAST, "missing": "error"}).fit(whole)
    with pytest.raises(Exception, match="count"):
        fitted.transform(rows).collect()


def test_a_killed_executor_loses_and_doubles_no_row(tmp_path: Path) -> None:
    assert run("spark_cluster.py", tmp_path).split() == ["killed", "same"]


def test_all_of_it_works_through_spark_connect(tmp_path: Path) -> None:
    printed = run("spark_connect.py", tmp_path).split()
    assert printed == ["fit", "scores", "groups", "udf", "saved", "pipeline", "stream"]
