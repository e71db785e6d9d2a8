"""A cluster of two executors in processes of their own, one of which is killed in the middle of a job.

Prints ``killed`` if it was, and ``same`` if no row is lost or doubled and all scores are those of Polars.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from engines import FAST, collected, configured
from pyspark.sql import SparkSession

import polars_anorand as anorand
from polars_anorand.spark import AnoRandModel

FLAG = str(Path(sys.argv[1]) / "killed")


def kills_its_executor_once(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Passes rows on; the first process that comes to the last partition kills its executor."""
    for batch in batches:
        if 19_999 in batch.column("id").to_pylist():
            try:
                os.close(os.open(FLAG, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                yield batch
                continue
            # A worker's parent is Spark's daemon, whose parent is the executor.
            daemon = Path(f"/proc/{os.getppid()}/stat").read_text().rpartition(")")[2].split()
            os.kill(int(daemon[1]), 9)
            time.sleep(60)
        yield batch


builder = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.executor.memory", "1g")
session = configured(builder).getOrCreate()
session.sparkContext.setLogLevel("OFF")
rng = np.random.default_rng(0)
rows = pl.DataFrame({"id": range(20_000), "x": rng.normal(size=20_000), "y": rng.normal(size=20_000)})
model = anorand.Model(rows.select(anorand.fit(["x", "y"], **FAST)).item())
sent = session.createDataFrame(rows.to_arrow()).repartitionByRange(8, "id")
out = collected(AnoRandModel(model).transform(sent.mapInArrow(kills_its_executor_once, sent.schema)))
print("killed" if Path(FLAG).exists() else "not killed")
expected = rows.select("id", outlierScore=anorand.score(["x", "y"], model).cast(pl.Float64))
print("same" if out.select("id", "outlierScore").equals(expected) else "other")
session.stop()
