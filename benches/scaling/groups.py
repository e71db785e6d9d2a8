"""CPU seconds of models of groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import polars_anorand as anorand
from polars_anorand.spark import GroupedAnoRand

from .measure import cpu, cpu_here

ROWS = 100
"""Of a group."""
FEATURES = list("abcde")


def grouped(spark: Any, folder: Path, number: int, members: int) -> tuple[float, float]:
    """CPU seconds of a model for each group, of Polars and of Spark; the models have the same bytes."""
    rng = np.random.default_rng(1)
    rows = pl.DataFrame(rng.normal(size=(ROWS * number, len(FEATURES))), schema=FEATURES)
    rows = rows.with_columns(key=pl.int_range(pl.len()) % number)
    path = folder / f"{number} groups.parquet"
    rows.write_parquet(path)
    plain, seconds = cpu_here(lambda: rows.select(anorand.fit(FEATURES, by="key", device="cpu", members=members)))
    frame = spark.read.parquet(str(path)).repartition(8).persist()
    frame.count()
    estimator = GroupedAnoRand(by=["key"], inputCols=FEATURES, options={"members": members})
    by_spark, more = cpu(lambda: pl.DataFrame(estimator.fit(frame).models.toArrow()))
    assert plain.unnest("model").sort("key").rows() == by_spark.sort("key").rows()
    return seconds, more
