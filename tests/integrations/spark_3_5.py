"""Fits, scores and models of groups on PySpark 3.5, in an environment of its own. Prints what works."""

from __future__ import annotations

import sys
import warnings
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from engines import FAST, configured
from pyspark.sql import SparkSession

import polars_anorand as anorand
from polars_anorand.spark import AnoRand, AnoRandModel, GroupedAnoRand, GroupedAnoRandModel

FEATURES = ["x", "count", "open", "amount", "day", "clock", "kind"]
folder = Path(sys.argv[1])
builder = SparkSession.builder.master("local[2]").config("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
session = configured(builder).getOrCreate()
session.sparkContext.setLogLevel("OFF")
assert session.version.startswith("3.5."), session.version
rng = np.random.default_rng(0)
hours = [timedelta(hours=int(hour)) for hour in rng.integers(0, 9000, 600)]
frame = pl.DataFrame(
    {
        "id": range(600),
        "key": [("north", "south", None)[at % 3] for at in range(600)],
        "x": rng.normal(size=600),
        "count": pl.Series(rng.integers(0, 50, 600), dtype=pl.Int16),
        "open": rng.random(600) < 0.3,
        "amount": pl.Series(rng.integers(0, 10**6, 600)).cast(pl.Decimal(12, 2)),
        "day": [(datetime(2025, 1, 1) + hour).date() for hour in hours],
        "clock": pl.Series([datetime(2025, 1, 1) + hour for hour in hours]).dt.replace_time_zone("UTC"),
        "kind": rng.choice(["red", "green", "blue"], 600, p=[0.6, 0.3, 0.1]),
    }
).with_columns(pl.when(pl.int_range(600) % 17 != 0).then(pl.col("count", "open", "amount", "day", "clock", "kind")))
frame.write_parquet(folder / "in.parquet")
rows = session.read.parquet(str(folder / "in.parquet")).repartition(4).persist()


def collected(of: Any, name: str, by: str = "id") -> pl.DataFrame:
    """A frame of Spark's, by way of a file."""
    of.write.parquet(str(folder / name))
    return pl.read_parquet(folder / name / "*.parquet").sort(by)


model = anorand.Model(frame.select(anorand.fit(FEATURES, **FAST)).item())
assert AnoRand(inputCols=FEATURES, options=FAST).fit(rows).toModel() == model
print("fit")
scores = frame.select(anorand.score(FEATURES, model).cast(pl.Float64)).to_series()
assert collected(AnoRandModel(model).transform(rows), "scores")["outlierScore"].equals(scores)
print("scores")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a sample: that it is one
    sampled = AnoRand(inputCols=FEATURES, maxRows=200, options=FAST)
    first, second = sampled.fit(rows).toModel(), sampled.fit(rows.repartition(3, "kind")).toModel()
assert first == second
assert first.categories == model.categories
assert first.training["rows"] == 600
print("sample")
groups = GroupedAnoRand(by=["key"], inputCols=FEATURES, options=FAST).fit(rows)
by_polars = frame.select(anorand.fit(FEATURES, by="key", **FAST)).unnest("model").sort("key")
assert collected(groups.models, "models", "key").rows() == by_polars.rows()
groups.save(str(folder / "saved"))
scored = collected(GroupedAnoRandModel.load(str(folder / "saved")).transform(rows), "by group")
own = frame.select(anorand.score(FEATURES, by="key", **FAST).cast(pl.Float64)).to_series()
assert scored["outlierScore"].equals(own)
assert scored.select(frame.columns).equals(frame)
print("groups")
session.stop()
