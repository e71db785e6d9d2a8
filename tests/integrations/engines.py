"""What the tests of engines share beside fixtures: columns, sessions and programs of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl

import polars_anorand as anorand

# What Spark starts as a worker, and where its services listen.
os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

FAST: anorand.FitOptions = {"epochs": 2, "min_steps": 0}
"""Options of a fit that is over at once."""

FEATURES = ["number", "amount", "count", "open", "kind", "day", "instant", "clock", "took"]
"""One feature of each kind that Spark and Polars share."""

ROWS = 1000


def configured(builder: Any, time_zone: str = "UTC") -> Any:
    """What all sessions of Spark here have in common."""
    options = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.session.timeZone": time_zone,
        # What Polars' times without a zone become: they are instants otherwise, of which a time zone lacks some.
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.showConsoleProgress": "false",
    }
    for name, value in options.items():
        builder = builder.config(name, value)
    return builder


def in_spark(session: Any, frame: pl.DataFrame) -> Any:
    """A frame of Polars in Spark; a time without a zone stays one."""
    from pyspark.sql.pandas.types import from_arrow_schema

    table = frame.to_arrow()
    return session.createDataFrame(table, from_arrow_schema(table.schema, prefer_timestamp_ntz=True))


def collected(frame: Any) -> pl.DataFrame:
    """A frame of Spark's, in the order of the ids."""
    return pl.DataFrame(frame.toArrow()).sort("id")


def run(
    program: str, *arguments: str | Path, environment: dict[str, str] | None = None, python: str = sys.executable
) -> str:
    """Run a program of its own beside this file; what it prints."""
    command = [python, str(Path(__file__).with_name(program)), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **(environment or {})}
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return done.stdout
