"""A Pointblank step beside others: at most 2 % of a batch may be outliers (pointblank)."""

from __future__ import annotations

import pointblank as pb
import polars as pl
from flights import FEATURES, written_once

import polars_anorand as anorand


def validated(batch: pl.DataFrame, model: anorand.Model) -> pb.Validate:
    """A validation of flights: what must hold for each column, and for each row as a whole."""
    scored = batch.with_columns(anorand.detect(FEATURES, model, contamination=0.001).struct.field("outlier", "score"))
    return (
        pb.Validate(scored, tbl_name="flights", thresholds=pb.Thresholds(error=0.02))
        .col_vals_not_null("carrier")
        .col_vals_gt("distance", 0)
        .col_vals_expr(~pl.col("outlier"), brief="The row is not an outlier")
        .interrogate()
    )


def main() -> None:
    """Validate a day as it is, and with its arrivals' delays in seconds."""
    january = pl.read_parquet(written_once() / "01.parquet")
    model = anorand.Model(january.select(anorand.fit(FEATURES)).item())
    day = pl.read_parquet(written_once() / "02.parquet").filter(pl.col("date").dt.day() == 3)
    for name, batch in [("as it is", day), ("in seconds", day.with_columns(pl.col("arr_delay") * 60))]:
        report = validated(batch, model)
        print(f"{name}: {report.n_failed(i=3, scalar=True)} of {day.height} rows are outliers, ", end="")
        print("too many" if report.error(i=3, scalar=True) else "few enough")


if __name__ == "__main__":
    main()
