"""Prints what the driver says where the workers can't import the package."""

from __future__ import annotations

import polars as pl
from engines import FAST, configured
from pyspark.sql import SparkSession

import polars_anorand as anorand
from polars_anorand.spark import AnoRandModel

session = configured(SparkSession.builder.master("local[1]")).getOrCreate()
session.sparkContext.setLogLevel("OFF")
rows = pl.DataFrame({"x": [1.0, 2.0, 5.0]})
model = anorand.Model(rows.select(anorand.fit("x", **FAST)).item())
try:
    AnoRandModel(model).transform(session.createDataFrame(rows.to_arrow())).collect()
except Exception as error:  # whatever it is, it is what the test looks at
    print(error)
session.stop()
