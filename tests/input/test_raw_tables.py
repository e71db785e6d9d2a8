"""Contract: flags can be trusted on a table as it comes, without an option."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def flags(training: pl.DataFrame, rows: pl.DataFrame, contamination: float = 0.01) -> list[bool]:
    model = training.select(anorand.fit(pl.all())).item()
    found = rows.select(anorand.detect(pl.all(), model, contamination=contamination))
    return found.unnest("anomaly")["outlier"].to_list()


def test_copies_of_a_glitch_are_flagged_and_nothing_else(rng: np.random.Generator) -> None:
    for glitch in (9_999.0, -1.0):
        frame = pl.DataFrame(
            {"x": [*rng.normal(50, 5, 980), *[glitch] * 20], "y": [*rng.normal(size=980), *[0.5] * 20]}
        )
        assert flags(frame, frame) == [False] * 980 + [True] * 20


def test_nobody_is_flagged_in_a_constant_table() -> None:
    frame = pl.DataFrame({"x": [1.0] * 500, "y": ["a"] * 500})
    assert not any(flags(frame, frame))


def test_the_rarer_of_two_values_is_flagged_whole() -> None:
    frame = pl.DataFrame({"x": [1] * 37 + [-1] * 13})
    assert flags(frame, frame, 0.2) == [False] * 37 + [True] * 13


def test_continuous_data_are_flagged_by_their_number(rng: np.random.Generator) -> None:
    frame = pl.DataFrame(rng.normal(size=(1_000, 3)), schema=["a", "b", "c"])
    assert sum(flags(frame, frame)) == 10


def test_an_absurd_training_value_does_not_blind_its_column(rng: np.random.Generator) -> None:
    training = pl.DataFrame({"amount": [*rng.lognormal(4.6, 0.5, 2_000), 1e6], "pieces": rng.integers(1, 10, 2_001)})
    rows = pl.DataFrame({"amount": [100.0, 1_500.0, 20_000.0, -80.0], "pieces": [3] * 4})
    assert flags(training, rows) == [False, True, True, True]


def test_a_column_that_is_mostly_zero_is_looked_at(rng: np.random.Generator) -> None:
    rain = np.where(rng.random(3_000) < 0.95, 0.0, rng.exponential(5.0, 3_000))
    rain[5] = 1e7
    training = pl.DataFrame({"rain": rain, "x": rng.normal(size=3_000)})
    rows = pl.DataFrame({"rain": [0.0, 5.0, 200.0, -5.0], "x": [0.0] * 4})
    assert flags(training, rows) == [False, False, True, True]


def test_a_value_beyond_an_end_that_recurs_is_flagged(rng: np.random.Generator) -> None:
    def drawn(count: int) -> pl.DataFrame:
        busy = rng.random(count) < 0.03
        return pl.DataFrame(
            {
                "hour": rng.integers(0, 24, count),
                "month": rng.integers(1, 13, count),
                "humidity": rng.integers(0, 101, count),
                "fee": np.where(busy, rng.normal(20, 3, count), 0.0),
                "size": rng.lognormal(3, 0.5, count),
            }
        )

    training, later = drawn(5_000), drawn(2_000)
    impossible = {"hour": [-1, 24], "month": [0, 13], "humidity": [-1, 101], "fee": [-1]}
    for name, values in impossible.items():
        for value in values:
            rows = later.head(50).with_columns(pl.lit(value, dtype=later.schema[name]).alias(name))
            assert all(flags(training, rows)), (name, value)
    assert sum(flags(training, later)) <= 40


@pytest.mark.parametrize("rows", [100, 300, 3_000])
def test_another_value_in_a_constant_column_is_flagged(rng: np.random.Generator, rows: int) -> None:
    usual = {"number": 3.0, "word": "x", "flag": True, "count": 7}
    training = pl.DataFrame({name: [value] * rows for name, value in usual.items()})
    training = training.with_columns(varied=pl.Series(rng.normal(size=rows)))
    other = {"number": 3.0001, "word": "y", "flag": False, "count": 8}
    strange = [{**usual, name: value, "varied": 0.0} for name, value in other.items()]
    rows_to_flag = pl.DataFrame([{**usual, "varied": 0.0}, *strange], schema=training.schema)
    assert flags(training, rows_to_flag) == [False, True, True, True, True]


def test_a_fault_in_one_of_fifty_columns_is_found_and_named(rng: np.random.Generator) -> None:
    names = [f"c{at}" for at in range(50)]
    numbers = rng.normal(size=(3_000, 50)) * rng.uniform(0.5, 20, 50)
    training = pl.DataFrame(numbers, schema=names)
    faulty = numbers[:50].copy()
    np.fill_diagonal(faulty, 8 * numbers.std(axis=0))
    rows = pl.DataFrame(faulty, schema=names)
    assert all(flags(training, rows))
    model = training.select(anorand.fit(pl.all())).item()
    named = rows.select(anorand.explain(pl.all(), model, top=1).list.first().struct.field("feature")).to_series()
    assert named.to_list() == names


def test_money_with_a_wrong_sign_or_a_wrong_unit_is_flagged(rng: np.random.Generator) -> None:
    training = pl.DataFrame(
        {
            "income": rng.lognormal(10.5, 0.5, 5_000),
            "rate": rng.uniform(3, 25, 5_000),
            "amount": rng.lognormal(9, 0.4, 5_000),
        }
    )
    usual = {"income": 36_000.0, "rate": 12.0, "amount": 8_000.0}
    changes = [{}, {"income": 3_600_000.0}, {"rate": 120.0}, {"amount": -8_000.0}, {"amount": 80_000.0}]
    rows = pl.DataFrame([{**usual, **change} for change in changes])
    assert flags(training, rows) == [False, True, True, True, True]
