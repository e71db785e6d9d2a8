"""CPU seconds of a score and of a sampled fit: by the number of features."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import polars_anorand as anorand
from polars_anorand.spark import AnoRand, AnoRandModel

from .measure import command, cpu, cpu_here, descendants, highest

PARTS = 8
Seconds = dict[str, float]
POLARS, THROUGH, TRANSFORM = "Polars, score", "Spark, rows through Python", "Spark, transform"


def written(folder: Path, rows: int, features: int) -> Path:
    """A folder of Parquet files of normal numbers."""
    folder = folder / f"{features}"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for part in range(PARTS):
        numbers = rng.normal(size=(rows // PARTS, features)).astype(np.float32)
        pl.DataFrame(numbers, schema=[f"f{at}" for at in range(features)]).write_parquet(folder / f"{part}.parquet")
    return folder


def scoring(spark: Any, folder: Path, rows: int, features: int) -> Seconds:
    """CPU seconds a million rows of each engine; the score of each row is used, none is kept."""
    paths = written(folder, rows, features)
    frame = spark.read.parquet(str(paths))
    names = [f"f{at}" for at in range(features)]
    model = anorand.Model(pl.read_parquet(paths / "0.parquet").select(anorand.fit(names, device="cpu")).item())
    scored = AnoRandModel(model).setPredictionCol("").transform(frame)
    through = frame.mapInArrow(lambda batches: batches, frame.schema)
    # The JVM compiles, and the workers import, before it is measured.
    total(scored.limit(10_000), "outlierScore")
    total(through.limit(10_000), "f0")
    plain = pl.scan_parquet(paths / "*.parquet").select(
        anorand.score(names, model, device="cpu").cast(pl.Float64).sum()
    )
    found: Seconds = {}
    by_polars, found[POLARS] = cpu_here(lambda: plain.collect().item())
    _, found[THROUGH] = cpu(lambda: total(through, "f0"))
    by_spark, found[TRANSFORM] = cpu(lambda: total(scored, "outlierScore"))
    assert np.isclose(by_spark, by_polars)
    return {name: seconds / rows * 1e6 for name, seconds in found.items()}


def sampled_fits(spark: Any, folder: Path, features: int, sample: int) -> Seconds:
    """CPU seconds of a fit on a sample, with counts and scores of all rows, of files that :func:`scoring` wrote."""
    paths, names = folder / f"{features}", [f"f{at}" for at in range(features)]
    found: Seconds = {}
    scan = pl.scan_parquet(paths / "*.parquet")
    _, found["Polars, train"] = cpu_here(lambda: anorand.train(scan, names, sample=sample, device="cpu"))
    estimator = AnoRand(inputCols=names, maxRows=sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is a sample
        _, found["Spark, AnoRand.fit"] = cpu(lambda: estimator.fit(spark.read.parquet(str(paths))))
    return found


def memory_of_a_worker() -> float:
    """The most memory that a worker had at once, in MB."""
    return max(highest(process) for process in descendants() if "pyspark.daemon" in command(process))


def total(frame: Any, name: str) -> float:
    """The sum of a column, which needs all of its rows."""
    return float(frame.groupBy().sum(name).first()[0])
