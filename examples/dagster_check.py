"""A Dagster asset check: too many outliers fail it, and it shows the strangest rows' reasons (dagster)."""

from __future__ import annotations

import dagster as dg
import polars as pl
from flights import FEATURES, written_once

import polars_anorand as anorand


@dg.asset
def model() -> bytes:
    """A model of January's flights; a value, which any IO manager stores."""
    january = pl.read_parquet(written_once() / "01.parquet")
    return bytes(january.select(anorand.fit(FEATURES)).item())


@dg.asset
def flights() -> pl.DataFrame:
    """The day's batch."""
    return pl.read_parquet(written_once() / "02.parquet").filter(pl.col("date").dt.day() == 3)


@dg.asset_check(asset=flights, additional_ins={"model": dg.AssetIn("model")})
def few_outliers(flights: pl.DataFrame, model: bytes) -> dg.AssetCheckResult:
    """At most 2 % of the rows are outliers."""
    found = flights.select(anorand.detect(FEATURES, model, contamination=0.001, explain=1)).unnest("anomaly")
    share, worst = found.select(pl.col("outlier").mean()).item(), found.sort("score", descending=True).head(3)
    return dg.AssetCheckResult(
        passed=share <= 0.02, metadata={"share of outliers": share, "strangest": dg.MetadataValue.md(str(worst))}
    )


if __name__ == "__main__":
    quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    run = dg.materialize([model, flights, few_outliers], run_config=quiet)
    for check in run.get_asset_check_evaluations():
        print(check.check_name, "passed" if check.passed else "failed", check.metadata["share of outliers"].value)
