"""All of ``polars_anorand.spark`` through Spark Connect, with a server that the client starts. Prints what works."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl
from engines import FAST, collected, configured
from pyspark.ml import Pipeline, PipelineModel
from pyspark.sql import SparkSession

import polars_anorand as anorand
from polars_anorand.spark import AnoRand, AnoRandModel, GroupedAnoRand, score_udf

folder = Path(sys.argv[1])
session = configured(SparkSession.builder.remote("local[2]")).getOrCreate()
assert "connect" in type(session).__module__, type(session)
rng = np.random.default_rng(0)
frame = pl.DataFrame({"id": range(600), "x": rng.normal(size=600), "y": rng.normal(size=600), "g": [0, 1, 2] * 200})
rows = session.createDataFrame(frame.to_arrow()).repartition(3)
model = anorand.Model(frame.select(anorand.fit(["x", "y"], **FAST)).item())
scores = frame.select(anorand.score(["x", "y"], model).cast(pl.Float64)).to_series()

fitted = AnoRand(inputCols=["x", "y"], options=FAST).fit(rows)
assert fitted.toModel() == model
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of a sample: that it is one
    sampled = AnoRand(inputCols=["x", "y"], maxRows=200, options=FAST).fit(rows).toModel()
assert sampled.training["rows"] == 600
assert sampled.statistics["maximum"].equals(model.statistics["maximum"])
print("fit")
assert collected(fitted.transform(rows))["outlierScore"].equals(scores)
print("scores")
groups = GroupedAnoRand(by=["g"], inputCols=["x", "y"], options=FAST).fit(rows)
by_polars = frame.select(anorand.fit(["x", "y"], by="g", **FAST)).unnest("model")
assert pl.DataFrame(groups.models.toArrow()).sort("g").rows() == by_polars.sort("g").rows()
own = frame.select(anorand.score(["x", "y"], by="g", **FAST).cast(pl.Float64)).to_series()
assert collected(groups.transform(rows))["outlierScore"].equals(own)
print("groups")
by_udf = collected(rows.select("id", score_udf(model)("x", "y").alias("score")))["score"]
assert by_udf.equals(scores)
print("udf")
fitted.write().overwrite().save(str(folder / "model"))
fitted.write().overwrite().save(str(folder / "model"))
assert AnoRandModel.load(str(folder / "model")).toModel() == model
print("saved")
piped = Pipeline(stages=[AnoRand(inputCols=["x", "y"], options=FAST)]).fit(rows)
assert collected(piped.transform(rows))["outlierScore"].equals(scores)
piped.write().overwrite().save(str(folder / "pipeline"))
assert PipelineModel.load(str(folder / "pipeline")).stages[0].toModel() == model
print("pipeline")
rows.write.parquet(str(folder / "in"))
stream = fitted.transform(session.readStream.schema(rows.schema).parquet(str(folder / "in")))
query = stream.writeStream.option("checkpointLocation", str(folder / "checkpoint")).trigger(availableNow=True)
query.format("parquet").start(str(folder / "out")).awaitTermination()
assert collected(session.read.parquet(str(folder / "out")))["outlierScore"].equals(scores)
print("stream")
session.stop()
