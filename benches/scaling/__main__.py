"""What Spark costs beside Polars: CPU seconds a million rows, memory of a worker, and the models of a thousand groups.

Run it from the repository's root with the environment of ``make test-integrations``:
``target/integrations/venv/bin/python -m benches.scaling``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pyspark.sql import SparkSession

import polars_anorand as anorand
from polars_anorand.spark import AnoRandModel, GroupedAnoRand

TICKS = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print a table of what was measured, both sides in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000, help="to score")
    parser.add_argument("--features", type=int, default=10)
    parser.add_argument("--groups", type=int, default=1000, help="to fit a model for, of 100 rows each")
    parser.add_argument("--members", type=int, default=20, help="of the models of groups")
    given = parser.parse_args()
    spark = session()
    with tempfile.TemporaryDirectory() as folder:
        scoring(spark, Path(folder), given.rows, given.features)
        groups(spark, Path(folder), given.groups, given.members)
    spark.stop()


def session() -> Any:
    """Two cores, and no more partitions than they need."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    made = builder.config("spark.sql.shuffle.partitions", "16").config("spark.driver.memory", "2g").getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def scoring(spark: Any, folder: Path, rows: int, features: int) -> None:
    """Score a Parquet file with each engine; the score of each row is used, none is kept."""
    names = [f"f{at}" for at in range(features)]
    rng = np.random.default_rng(0)
    for part in range(8):
        numbers = rng.normal(size=(rows // 8, features)).astype(np.float32)
        pl.DataFrame(numbers, schema=names).write_parquet(folder / f"{part}.parquet")
    paths = str(folder / "*.parquet")
    model = anorand.Model(pl.read_parquet(folder / "0.parquet").select(anorand.fit(names)).item())
    frame = spark.read.parquet(*map(str, sorted(folder.glob("*.parquet"))))
    scored = AnoRandModel(model).setPredictionCol("").transform(frame)
    # The JVM compiles, and the workers import, before it is measured.
    total(scored.limit(10_000), "outlierScore")
    total(frame.mapInArrow(lambda batches: batches, frame.schema).limit(10_000), "f0")
    found: dict[str, float] = {}
    plain = pl.scan_parquet(paths).select(anorand.score(names, model, device="cpu").cast(pl.Float64).sum())
    _, found["Polars, score"] = cpu(lambda: plain.collect().item())
    _, found["Spark, read and send through Python"] = cpu(
        lambda: total(frame.mapInArrow(lambda batches: batches, frame.schema), "f0")
    )
    by_spark, found["Spark, transform"] = cpu(lambda: total(scored, "outlierScore"))
    print(f"{rows:,} rows, {features} features; CPU seconds a million rows")
    for name, seconds in found.items():
        million = seconds / rows * 1e6
        print(f"  {name:40} {million:6.2f}   {seconds / found['Polars, score']:5.2f} x Polars")
    assert np.isclose(by_spark, plain.collect().item())
    peak = max(highest(process) for process in descendants() if "pyspark.daemon" in command(process))
    print(f"  highest memory of a worker: {peak:.0f} MB")


def groups(spark: Any, folder: Path, number: int, members: int) -> None:
    """Fit a model for each group with each engine."""
    rng = np.random.default_rng(1)
    rows = pl.DataFrame(rng.normal(size=(100 * number, 5)), schema=list("abcde"))
    rows = rows.with_columns(key=pl.int_range(pl.len()) % number)
    rows.write_parquet(folder / "groups.parquet")
    plain, seconds = cpu(lambda: rows.select(anorand.fit(list("abcde"), by="key", device="cpu", members=members)))
    frame = spark.read.parquet(str(folder / "groups.parquet")).repartition(8).persist()
    frame.count()
    estimator = GroupedAnoRand(by=["key"], inputCols=list("abcde"), options={"members": members})
    by_spark, more = cpu(lambda: pl.DataFrame(estimator.fit(frame).models.toArrow()))
    assert plain.unnest("model").sort("key").rows() == by_spark.sort("key").rows()
    print(f"{number:,} groups of 100 rows, 5 features, {members} members; CPU seconds")
    print(f"  {'Polars, fit(by=)':40} {seconds:6.1f}")
    print(f"  {'Spark, GroupedAnoRand':40} {more:6.1f}   {more / seconds:5.2f} x Polars")


def total(frame: Any, name: str) -> float:
    """The sum of a column, which needs all of its rows."""
    return float(frame.groupBy().sum(name).first()[0])


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the CPU seconds of this process and all below it."""
    before = spent()
    result = call()
    return result, spent() - before


def spent() -> float:
    """CPU seconds of this process and all below it, those that have ended too."""
    ticks = 0
    for process in descendants():
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended: its parent has its time
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


def descendants() -> list[int]:
    """The ids of this process and all below it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [os.getpid()]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def command(process: int) -> str:
    """What the process was started as."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def highest(process: int) -> float:
    """The most memory that the process had at once, in MB."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)


if __name__ == "__main__":
    main()
