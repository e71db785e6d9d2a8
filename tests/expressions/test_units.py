"""Contract: numbers that are written as text, with a currency or a unit, are numbers to cells and to the profile."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand

ROWS = 1_000


def _dollars(number: float) -> str:
    return f"${number:,.2f}"


def _kilograms(number: float) -> str:
    return f"{number:.1f} kg"


def _percent(number: float) -> str:
    return f"{number:.1f}%"


def _euros(number: float) -> str:
    return f"{number:,.2f} €".translate(str.maketrans(".,", ",."))


def table(write: Callable[[float], str], faults: dict[int, str]) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    amount = [write(number) for number in rng.lognormal(3, 0.7, ROWS)]
    for row, fault in faults.items():
        amount[row] = fault
    return pl.DataFrame(
        {"article": rng.choice(list("ABCDE"), ROWS), "quantity": rng.integers(1, 9, ROWS), "amount": amount}
    )


@pytest.mark.parametrize(
    ("write", "faults"),
    [
        (_dollars, {3: "$90,000.00", 50: "12.50", 90: "€20.00"}),
        (_kilograms, {3: "90000.0 kg", 50: "12.5 g", 90: "12.5"}),
        (_percent, {3: "90000.0%", 50: "12.5", 90: "12,5%"}),
        (_euros, {3: "90.000,00 €", 50: "12.50 €", 90: "12,50 $"}),
    ],
)
def test_far_numbers_and_other_units_are_flagged_and_named(
    write: Callable[[float], str], faults: dict[int, str]
) -> None:
    frame = table(write, faults)
    with warnings.catch_warnings():
        # It does not look like ids: no warning.
        warnings.simplefilter("error")
        found = frame.with_columns(pl.all().anorand.detect(explain=1, seed=0)).unnest("anomaly")
    reasons = found["reasons"].list.first().struct.unnest()
    assert found["outlier"][list(faults)].all()
    assert reasons["feature"][list(faults)].to_list() == ["amount"] * 3
    assert reasons["why"][3].startswith(f"amount is {faults[3]}; most are ")
    usual = reasons["why"][50].removeprefix(f"'{faults[50]}' among numbers such as ").strip("'")
    assert usual in frame["amount"].to_list()


@pytest.mark.parametrize("write", [_dollars, _kilograms, _percent, _euros])
def test_such_a_column_is_a_feature(write: Callable[[float], str]) -> None:
    frame = table(write, {7: "unknown"})
    found = anorand.profile(frame).row(2, named=True)
    assert (found["role"], found["notes"]) == ("feature", "numbers as text")
    assert "amount" in anorand.features(frame.lazy())


@pytest.mark.parametrize(
    ("text", "role"),
    [
        (lambda at: f"{at * 7919 % 1440 // 60:02}:{at * 7919 % 60:02}", "feature"),
        (lambda at: f"SKU-{at * 7919 % 100_003}", "id"),
        (lambda at: f"{at * 7919 % 100_003:06}", "id"),
        (lambda at: f"10.{at % 251}.{at * 7919 % 241}.{at * 31 % 239}", "id"),
        (lambda at: f"{at % 9}.{at * 31 % 99}.{at * 7919 % 999}", "id"),
        (lambda at: str(10_000 + at * 7919 % 3_000), "id"),
        (lambda at: str(10_000 + at), "counter"),
        (lambda at: f"{at * 7919 % 997} {['Main', 'Oak', 'Elm'][at % 3]} Street", "id"),
    ],
)
def test_ids_counters_and_addresses_stay_what_they_are(text: Callable[[int], str], role: str) -> None:
    frame = pl.DataFrame({"column": [text(at) for at in range(3_000)], "other": [at % 7 for at in range(3_000)]})
    assert anorand.profile(frame)["role"][0] == role
