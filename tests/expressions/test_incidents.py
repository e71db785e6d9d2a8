"""Contract: `incidents` groups the outliers of a frame by their first reason, the expected value, and time."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand
from polars_anorand.incidents._words import in_common

PRICES = {"book": 12.0, "lamp": 30.0, "desk": 249.0, "clock": 24.0}
ROWS = 2_000


def sales() -> pl.DataFrame:
    """A year of sales in ten shops; each item has one price, and each town its country."""
    rng = np.random.default_rng(1)
    item = rng.choice(list(PRICES), ROWS)
    return pl.DataFrame(
        {
            "day": [date(2026, 1, 1) + timedelta(days=at * 365 // ROWS) for at in range(ROWS)],
            "item": item,
            "price": [PRICES[each] for each in item],
            "shop": rng.integers(1, 11, ROWS),
            "open": [True] * ROWS,
            "amount": rng.integers(1, 40, ROWS),
        }
    )


def wrong(frame: pl.DataFrame) -> pl.DataFrame:
    """Two shops sell books and clocks at the price of a desk from 3 to 5 May, one shop in December."""
    may = pl.col("day").is_between(date(2026, 5, 3), date(2026, 5, 5)) & pl.col("item").is_in(["book", "clock"])
    december = (pl.col("day") == date(2026, 12, 20)) & (pl.col("item") == "book")
    faults = frame.with_columns(
        pl.when(may).then(pl.int_range(pl.len()) % 2 * 9 + 3).when(december).then(7).otherwise("shop").alias("shop"),
        pl.when(may | december).then(249.0).otherwise("price").alias("price"),
    )
    assert faults.filter(may).height >= 6
    assert faults.filter(december).height >= 1
    return faults


@pytest.fixture(scope="module")
def model() -> anorand.Model:
    return anorand.train(sales(), ["day", "item", "price", "amount"], seed=0)


@pytest.fixture(scope="module")
def found(model: anorand.Model) -> pl.DataFrame:
    return anorand.incidents(wrong(sales()), model, contamination=0.001)


def test_rows_of_one_cause_are_one_incident(found: pl.DataFrame) -> None:
    of_price = found.filter(why="price does not go with its item", first=date(2026, 5, 3))
    faults = wrong(sales()).with_row_index().filter(pl.col("day").is_between(date(2026, 5, 3), date(2026, 5, 5)))
    faults = faults.filter((pl.col("price") == 249) & (pl.col("item") != "desk"))
    row = of_price.row(0, named=True)
    assert (row["feature"], row["last"], row["values"]) == ("price", date(2026, 5, 5), "249")
    assert row["rows"] == of_price["rows"].sum() <= faults.height
    assert row["row"] in faults["index"]
    assert row["where"].startswith("shop 12, 3") or row["where"].startswith("shop 3, 12")
