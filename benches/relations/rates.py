"""Kinds in which a number follows from another one, by a rate or an offset that each group has for itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from .kinds import Fault, Kind, another, beside, pick, unequal

RATES = {"AT": 0.2, "CH": 0.081, "DE": 0.19, "ES": 0.21, "FR": 0.055, "HU": 0.27, "IT": 0.22, "LU": 0.17, "SE": 0.25}
PRICES = {f"A{311 + 7 * at}": round(1.9 * 1.37**at, 2) for at in range(16)}
LENGTHS = {"backup": 95.0, "import": 41.0, "report": 12.0, "sync": 3.0, "train": 260.0}
GRADES = {"fair": 0.0, "good": 0.35, "very good": 0.6, "ideal": 1.0}
START = datetime(2024, 1, 1)


def invoices(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A tax is the amount times its country's rate; one amount in fifty is a refund."""
    amount = rng.lognormal(4.5, 0.9, count).round(2) * np.where(rng.random(count) < 0.02, -1, 1)
    country = rng.choice(list(RATES), count, p=unequal(len(RATES)))
    tax = (amount * [RATES[code] for code in country]).round(2)
    return pl.DataFrame({"country": country, "amount": amount, "tax": tax, **beside(count, rng)})


def rate_of_another_country(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The tax by a rate that differs by a quarter or more, of an amount for which that is a euro at least."""
    own = RATES[row["country"]]
    rate = pick([rate for rate in RATES.values() if abs(rate - own) > own / 4], rng)
    tax = round(row["amount"] * rate, 2)
    return tax if abs(tax - row["tax"]) > 1 else round(row["tax"] + pick([-3.0, 4.0], rng), 2)


def sales(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A total is a quantity times its article's price, which is no column."""
    article = rng.choice(list(PRICES), count, p=unequal(len(PRICES)))
    quantity = rng.integers(1, 25, count)
    total = (quantity * [PRICES[code] for code in article]).round(2)
    return pl.DataFrame({"article": article, "quantity": quantity, "total": total, **beside(count, rng)})


def price_of_another_article(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The same quantity of another article."""
    return round(row["quantity"] * PRICES[another(row["article"], list(PRICES), rng)], 2)


def jobs(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A job's end is its start and how long jobs of its kind take, give or take 5 %."""
    kind = rng.choice(list(LENGTHS), count, p=unequal(len(LENGTHS)))
    start = [START + timedelta(minutes=float(minutes)) for minutes in rng.integers(0, 90 * 24 * 60, count)]
    took = np.array([LENGTHS[name] for name in kind]) * rng.normal(1, 0.05, count).clip(0.85, 1.15)
    end = [at + timedelta(minutes=float(minutes)) for at, minutes in zip(start, took, strict=True)]
    return pl.DataFrame({"kind": kind, "start": start, "end": end, **beside(count, rng)})


def length_of_another_kind(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The end of a job of another kind."""
    return row["start"] + timedelta(minutes=LENGTHS[another(row["kind"], list(LENGTHS), rng)])


def stones(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A price rises with the power 1.7 of a weight, from a level that each grade has, give or take 8 %."""
    grade = rng.choice(list(GRADES), count, p=unequal(len(GRADES)))
    carat = rng.lognormal(-0.4, 0.5, count).round(2).clip(0.2)
    level = np.array([GRADES[name] for name in grade])
    price = np.exp(8 + level + 1.7 * np.log(carat) + rng.normal(0, 0.08, count).clip(-0.25, 0.25)).round(0)
    return pl.DataFrame({"grade": grade, "carat": carat, "price": price, **beside(count, rng)})


def price_of_another_stone(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """A price that is half or twice as high, or more."""
    return round(row["price"] * float(np.exp(pick([-1, 1], rng) * rng.uniform(0.7, 1.1))))


RATE = pl.col("country").replace_strict(RATES, return_dtype=pl.Float64)
PRICE = pl.col("article").replace_strict(PRICES, return_dtype=pl.Float64)
LENGTH = pl.col("kind").replace_strict(LENGTHS, return_dtype=pl.Float64)
LEVEL = pl.col("grade").replace_strict(GRADES, return_dtype=pl.Float64)
TOOK = (pl.col("end") - pl.col("start")).dt.total_seconds(fractional=True) / 60

KINDS = [
    Kind(
        "tax by country",
        invoices,
        Fault(
            "tax",
            rate_of_another_country,
            (pl.col("tax") - pl.col("amount") * RATE).abs() < 0.02,
            ("country", "amount"),
        ),
    ),
    Kind(
        "price of an article × quantity",
        sales,
        Fault(
            "total",
            price_of_another_article,
            (pl.col("total") - pl.col("quantity") * PRICE).abs() < 0.02,
            ("article", "quantity"),
        ),
    ),
    Kind(
        "length of a kind of job",
        jobs,
        Fault("end", length_of_another_kind, (TOOK / LENGTH - 1).abs() < 0.2, ("kind", "start")),
    ),
    Kind(
        "price by weight and grade",
        stones,
        Fault(
            "price",
            price_of_another_stone,
            (pl.col("price").log() - 8 - LEVEL - 1.7 * pl.col("carat").log()).abs() < 0.3,
            ("grade", "carat"),
        ),
    ),
]
