"""What Spark costs beside Polars, by rows, features and groups, and on paper on many nodes.

Run it from the repository's root with the environment of ``make test-integrations``:
``target/integrations/venv/bin/python -m benches.scaling``.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession

from .groups import ROWS, grouped
from .scoring import POLARS, TRANSFORM, memory_of_a_worker, sampled_fits, scoring

CORES = 16
"""Of a node, on paper."""


def main() -> None:
    """Print tables of what was measured, both sides in one run, and what follows from it on paper."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="to score")
    parser.add_argument("--features", type=int, nargs="*", default=[5, 10, 20, 40])
    parser.add_argument("--sample", type=int, default=100_000, help="rows of it that a fit takes to the driver")
    parser.add_argument("--groups", type=int, nargs="*", default=[100, 300, 1000], help=f"of {ROWS} rows each")
    parser.add_argument("--members", type=int, default=20, help="of the models of groups")
    given = parser.parse_args()
    spark = session()
    with tempfile.TemporaryDirectory() as folder:
        if given.features:
            by_features(spark, Path(folder), given.rows, given.features, given.sample)
        if given.groups:
            by_groups(spark, Path(folder), given.groups, given.members)
    spark.stop()


def session() -> Any:
    """Two cores, and no more partitions than they need."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.ui.showConsoleProgress", "false")
    made = builder.config("spark.sql.shuffle.partitions", "16").config("spark.driver.memory", "2g").getOrCreate()
    made.sparkContext.setLogLevel("ERROR")
    return made


def by_features(spark: Any, folder: Path, rows: int, numbers: list[int], sample: int) -> None:
    """Score rows, and fit on a sample of them, for each number of features."""
    print(f"score of {rows:,} rows: CPU seconds a million rows (x Polars)")
    rates = {}
    for features in numbers:
        found = rates[features] = scoring(spark, folder, rows, features)
        shown = [f"{name} {seconds:6.2f} ({seconds / found[POLARS]:.2f})" for name, seconds in found.items()]
        print(f"  {features:4} features   {'   '.join(shown)}", flush=True)
    print(f"  highest memory of a worker: {memory_of_a_worker():.0f} MB")
    print(f"fit of {rows:,} rows by a sample of {sample:,}: CPU seconds")
    for features in numbers:
        fits = sampled_fits(spark, folder, features, sample)
        print(f"  {features:4} features   {'   '.join(f'{name} {seconds:6.1f}' for name, seconds in fits.items())}")
    print(f"on paper: hours to score 10^12 rows, with {CORES} cores a node")
    for features, found in rates.items():
        hours = {nodes: found[TRANSFORM] * 1e6 / (nodes * CORES) / 3600 for nodes in [1, 10, 100, 1000]}
        shown = [f"{nodes:,} {each:.2f}" for nodes, each in hours.items()]
        alone = found[POLARS] * 1e6 / CORES / 3600
        print(f"  {features:4} features   Polars, one node {alone:.1f}   Spark, by nodes: {', '.join(shown)}")


def by_groups(spark: Any, folder: Path, numbers: list[int], members: int) -> None:
    """Fit a model for each group, for each number of groups."""
    print(f"models of groups of {ROWS} rows and 5 features, {members} members: CPU seconds")
    found = {}
    # As before: the JVM compiles, and the workers import.
    grouped(spark, folder, 16, 1)
    for number in numbers:
        plain, by_spark = found[number] = grouped(spark, folder, number, members)
        print(
            f"  {number:5,} groups   Polars {plain:6.1f}   Spark {by_spark:6.1f} ({by_spark / plain:.2f})", flush=True
        )
    most, fewest = max(found), min(found)
    # Spark's own part, which does not grow with the groups, is there once.
    each = (found[most][1] - found[fewest][1]) / max(most - fewest, 1)
    hours = {nodes: each * 1e6 / (nodes * CORES) / 3600 for nodes in [1, 10, 100, 1000]}
    shown = [f"{nodes:,} {each:.3f}" for nodes, each in hours.items()]
    print(f"on paper: hours for 10^6 groups in Spark, with {CORES} cores a node, by nodes: {', '.join(shown)}")


if __name__ == "__main__":
    main()
