"""Data, a model and a session of Spark that the tests share; ``make test-integrations`` runs them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from engines import FAST, FEATURES, ROWS, configured, in_spark

import polars_anorand as anorand


@pytest.fixture(scope="session")
def frame() -> pl.DataFrame:
    """Rows with an id, a key and a feature of each kind, with nulls and a NaN."""
    rng = np.random.default_rng(0)
    cents = [Decimal(int(cents)).scaleb(-2) for cents in rng.integers(0, 10**6, ROWS)]
    hours = [timedelta(hours=int(hour)) for hour in rng.integers(0, 9000, ROWS)]
    start = datetime(2025, 1, 1)
    every = pl.int_range(ROWS, eager=True)
    return pl.DataFrame(
        {
            "id": every,
            "key": pl.Series([("north", "south", None)[at] for at in rng.integers(0, 3, ROWS)]),
            "number": pl.Series([float("nan"), *rng.normal(size=ROWS - 1)]),
            "amount": pl.Series(cents, dtype=pl.Decimal(12, 2)),
            "count": pl.Series(rng.integers(0, 50, ROWS), dtype=pl.Int16),
            "open": pl.Series(rng.random(ROWS) < 0.3),
            "kind": pl.Series(rng.choice(["red", "green", "blue"], ROWS, p=[0.6, 0.3, 0.1])),
            "day": pl.Series([(start + hour).date() for hour in hours]),
            "instant": pl.Series([start + hour for hour in hours]).dt.replace_time_zone("UTC"),
            "clock": pl.Series([start + hour for hour in hours]),
            "took": pl.Series(hours),
        }
    ).with_columns(pl.when(every % 17 != 0).then(pl.col("amount", "count", "open", "kind", "instant", "took")))


@pytest.fixture(scope="session")
def model(frame: pl.DataFrame) -> anorand.Model:
    """A model of the frame's features."""
    return anorand.Model(frame.select(anorand.fit(FEATURES, **FAST)).item())


@pytest.fixture(scope="session")
def scores(frame: pl.DataFrame, model: anorand.Model) -> list[float]:
    """The frame's scores, by id."""
    return frame.select(anorand.score(FEATURES, model)).to_series().to_list()


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A session in this process, with two cores and four tries a task."""
    from pyspark.sql import SparkSession

    session = configured(SparkSession.builder.master("local[2,4]"), "America/New_York").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def rows(spark: Any, frame: pl.DataFrame) -> Any:
    """The frame in Spark, in five partitions."""
    return in_spark(spark, frame).repartition(5).persist()
