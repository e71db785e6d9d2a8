"""Kinds in which one column tells another, as a table of articles or of places would."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from .kinds import Cell, Fault, Kind, Make, another, beside, unequal

NAMES = [
    "Ladle",
    "Saw",
    "Kite",
    "Lamp",
    "Bell",
    "Rake",
    "Drum",
    "Vase",
    "Stool",
    "Clock",
    "Brush",
    "Anvil",
    "Tent",
    "Oar",
]
ARTICLES = pl.DataFrame(
    {
        "code": [f"A{4107 + 13 * at}" for at in range(len(NAMES))],
        "name": NAMES,
        "price": [round(2.4 * 1.31**at, 2) for at in range(len(NAMES))],
        "supplier": [f"supplier {at % 5}" for at in range(len(NAMES))],
    },
)
"""Each price is at least 30 % above the one before it."""

CITIES = 36
PLACES = pl.DataFrame(
    {
        "city": [f"town {at}" for at in range(CITIES)],
        "zip": [f"{20 + at * 2}{(at * 37) % 1000:03d}" for at in range(CITIES)],
        "state": [f"state {at % 8}" for at in range(CITIES)],
        "county": [f"county {at // 2}" for at in range(CITIES)],
    },
)
PROVINCES = pl.DataFrame(
    {"province": [f"province {at}" for at in range(14)], "country": [f"country {at * 3 % 5}" for at in range(14)]},
)
STATE_OF_PREFIX = {str(prefix): f"state {prefix * 7 % 11}" for prefix in range(10, 40)}

PRICE_NOISE = 0.01


def lookup(known: pl.DataFrame, count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Rows of the known table, the first ones more often, beside columns of other things."""
    drawn = known[rng.choice(known.height, count, p=unequal(known.height))]
    return drawn.with_columns(**{name: pl.Series(values) for name, values in beside(count, rng).items()})


def prices_that_vary(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Articles whose price is 1 % up or down."""
    rows = lookup(ARTICLES.select("code", "price"), count, rng)
    noise = rng.normal(1, PRICE_NOISE, count).clip(1 - 4 * PRICE_NOISE, 1 + 4 * PRICE_NOISE)
    return rows.with_columns((pl.col("price") * pl.Series(noise)).round(2))


def zips(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Zips that hardly repeat, whose first two digits tell the state."""
    prefixes = rng.choice(list(STATE_OF_PREFIX), count)
    ends = rng.integers(0, 1000, count)
    states = [STATE_OF_PREFIX[prefix] for prefix in prefixes]
    codes = [f"{prefix}{end:03d}" for prefix, end in zip(prefixes, ends, strict=True)]
    return pl.DataFrame({"zip": codes, "state": states, **beside(count, rng)})


def of_others(column: str, values: pl.Series) -> Cell:
    """A fault: the value that other rows have in the column."""
    known = values.unique(maintain_order=True).to_list()

    def cell(row: Mapping[str, Any], rng: np.random.Generator) -> object:
        return another(row[column], known, rng)

    return cell


def price_of_another(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The list price of another article."""
    return another(price_of(row["code"]), ARTICLES["price"].to_list(), rng)


def price_of(code: str) -> float:
    """The list price of an article."""
    price: float = ARTICLES.filter(code=code)["price"].item()
    return price


def told(key: str, column: str, known: pl.DataFrame) -> pl.Expr:
    """Whether the column has the value that the key tells."""
    return pl.col(key).replace_strict(known[key], known[column]) == pl.col(column)


def known_kind(name: str, known: pl.DataFrame, column: str, key: str) -> Kind:
    """Rows of a known table; a fault copies one column from another row."""
    relation = tuple(other for other in known.columns if other != column)
    make: Make = partial(lookup, known)
    return Kind(name, make, Fault(column, of_others(column, known[column]), told(key, column, known), relation))


LIST_PRICE = pl.col("code").replace_strict(ARTICLES["code"], ARTICLES["price"])

KINDS = [
    known_kind("price of an article", ARTICLES.select("code", "price"), "price", "code"),
    Kind(
        "price ± 1 %",
        prices_that_vary,
        Fault("price", price_of_another, (pl.col("price") / LIST_PRICE - 1).abs() < 0.05, ("code",)),
    ),
    known_kind("country of a province", PROVINCES, "country", "province"),
    known_kind("code of an item", ARTICLES, "code", "name"),
    known_kind("name of an item", ARTICLES, "name", "code"),
    known_kind("price of an item", ARTICLES, "price", "code"),
    known_kind("supplier of an item", ARTICLES, "supplier", "code"),
    known_kind("city of a place", PLACES, "city", "zip"),
    known_kind("zip of a place", PLACES, "zip", "city"),
    known_kind("state of a place", PLACES, "state", "city"),
    known_kind("county of a place", PLACES, "county", "city"),
    Kind(
        "state of a zip prefix",
        zips,
        Fault(
            "state",
            of_others("state", pl.Series(list(STATE_OF_PREFIX.values()))),
            pl.col("zip").str.head(2).replace_strict(STATE_OF_PREFIX) == pl.col("state"),
            ("zip",),
        ),
    ),
]
