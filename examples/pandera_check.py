"""A Pandera check: a batch is refused if a row scores above all that the model knows (pandera[polars])."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl
from flights import FEATURES, written_once
from pandera.errors import SchemaErrors

import polars_anorand as anorand


def schema(model: anorand.Model, threshold: float) -> pa.DataFrameSchema:
    """Flights whose numbers are there as floats, and whose scores are at most the threshold."""

    def is_usual(data: pa.PolarsData) -> pl.LazyFrame:
        rows: pl.LazyFrame = data.lazyframe
        return rows.select(anorand.score(FEATURES, model) <= threshold)

    return pa.DataFrameSchema(
        {name: pa.Column(pl.Float32, nullable=True) for name in FEATURES}, checks=pa.Check(is_usual, name="is_usual")
    )


def main() -> None:
    """Validate a day of February as it is, and with its highest speed ten times as high."""
    january = pl.read_parquet(written_once() / "01.parquet")
    model = anorand.Model(january.select(anorand.fit(FEATURES)).item())
    usual = schema(model, january.select(anorand.score(FEATURES, model).max()).item())
    day = pl.read_parquet(written_once() / "02.parquet").filter(pl.col("date").dt.day() == 3)
    print(f"{usual.validate(day).height} flights are usual")
    try:
        usual.validate(day.with_columns(pl.col("speed").replace(day["speed"].max(), 6000)), lazy=True)
    except SchemaErrors as error:
        print("refused:", *error.failure_cases["check"])


if __name__ == "__main__":
    main()
