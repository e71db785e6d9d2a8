"""Kinds in which a number follows from others, or from how large its column's numbers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from .kinds import Fault, Kind, beside, pick

PARTS = ("wage", "bonus", "extra")
SUM = pl.sum_horizontal(*PARTS)
PRODUCT = pl.col("quantity") * pl.col("price")


def line(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """The number y is 2x, give or take 0.3."""
    x = rng.normal(12, 3, count)
    y = 2 * x + rng.normal(0, 0.3, count).clip(-1.2, 1.2)
    return pl.DataFrame({"x": x.round(3), "y": y.round(3), **beside(count, rng)})


def off_the_line(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The y of another x, at least 4 away."""
    while True:
        y = float(2 * rng.normal(12, 3))
        if abs(y - row["y"]) > 4:
            return round(y, 3)


def orders(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A total is quantity × price."""
    quantity = rng.integers(1, 13, count)
    price = rng.lognormal(3, 0.7, count).round(2)
    return pl.DataFrame(
        {"quantity": quantity, "price": price, "total": (quantity * price).round(2), **beside(count, rng)},
    )


def wrong_total(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """A total that is too large or too small by 35 % or more, and ordinary for a total."""
    return round(row["total"] * float(np.exp(pick([-1, 1], rng) * rng.uniform(0.3, 1.2))), 2)


def payslips(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A sum of three parts."""
    parts = {part: (20 + rng.lognormal(mean, 0.5, count)).round(2) for part, mean in zip(PARTS, (7, 5, 4), strict=True)}
    return pl.DataFrame({**parts, "pay": sum(parts.values()), **beside(count, rng)}).with_columns(
        pl.col("pay").round(2)
    )


def part_miscounted(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """One part is left out of the sum, or counted twice."""
    return round(row["pay"] + pick([-1, 1], rng) * row[pick(PARTS, rng)], 2)


def bills(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Amounts between a few and some hundred."""
    amount = rng.lognormal(4, 0.6, count).clip(12, 400).round(2)
    return pl.DataFrame({"amount": amount, **beside(count, rng)})


def cents(row: Mapping[str, Any], _rng: np.random.Generator) -> object:
    """A hundredth of the amount, as if cents were euros."""
    return round(row["amount"] / 100, 4)


KINDS = [
    Kind("y = 2x", line, Fault("y", off_the_line, (pl.col("y") - 2 * pl.col("x")).abs() < 1.3, ("x",))),
    Kind(
        "total = quantity × price",
        orders,
        Fault("total", wrong_total, (pl.col("total") - PRODUCT).abs() < 0.01, ("quantity", "price")),
    ),
    Kind("sum of three parts", payslips, Fault("pay", part_miscounted, (pl.col("pay") - SUM).abs() < 0.02, PARTS)),
    Kind("hundredth of an amount", bills, Fault("amount", cents, pl.col("amount") >= 12)),
]
