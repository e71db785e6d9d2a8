"""Contract: a fit warns of each id and counter, by name, and of no other column; profile() finds the same ones."""

from __future__ import annotations

import warnings
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import FAST
from hypothesis import given, settings
from hypothesis import strategies as st

import polars_anorand as anorand


def warned(frame: pl.DataFrame, **options: object) -> list[str]:
    """What a fit on all columns but "g" warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame.select(anorand.fit(pl.exclude("g"), missing="impute", members=1, **FAST, **options))  # type: ignore[arg-type]
    return [str(warning.message).removeprefix("anorand: ") for warning in caught]


def numbering(frame: pl.DataFrame) -> list[str]:
    """The columns that profile() calls ids, texts or counters, without the times, which do not warn."""
    found = anorand.profile(frame).filter(pl.col("role").is_in(["id", "text", "counter"]))
    return [name for name in found["column"] if not frame[name].dtype.is_temporal()]


def agree(frame: pl.DataFrame) -> None:
    named = [message.split('"')[1] for message in warned(frame)]
    assert sorted(named) == sorted(numbering(frame))


def test_counters_and_ids_are_named_with_what_to_do() -> None:
    numbers = np.random.default_rng(0).permutation(100)
    frame = pl.DataFrame({"x": numbers / 7, "row": range(100), "left": range(100, 0, -1), "key": numbers})
    for query in [anorand.fit(pl.all(), **FAST), anorand.score(pl.all(), loss_weight=[0.1, 0.2], **FAST)]:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            frame.select(query)
        row, left, key = (str(warning.message) for warning in caught)
        assert row.startswith('anorand: feature "row" rises with the rows, as counters do')
        assert left.startswith('anorand: feature "left" falls with the rows')
        assert key.startswith('anorand: feature "key" has another integer in nearly every row')
        assert all(message.endswith("; leave the column out") for message in (row, left, key))
    assert numbering(frame) == ["row", "left", "key"]


def test_a_counter_is_one_in_the_order_in_which_the_rows_are_given() -> None:
    counter = pl.DataFrame({"n": [at * at for at in range(40)]})
    assert ["rises with the rows" in message for message in warned(counter)] == [True]
    assert warned(counter.sample(fraction=1, shuffle=True, seed=0)) == []


def test_times_and_floats_and_booleans_do_not_warn() -> None:
    start = datetime(2024, 1, 1)
    frame = pl.DataFrame({"time": [start + timedelta(hours=at) for at in range(100)], "x": np.arange(100.0)})
    frame = frame.with_columns(day=pl.col("time").dt.date(), span=pl.col("time") - start, flag=pl.col("x") > 50)
    assert warned(frame) == []


def test_with_groups_integers_are_judged_on_all_rows_and_warn_once() -> None:
    frame = pl.DataFrame({"g": [at // 40 for at in range(400)], "in_group": [at % 40 for at in range(400)]})
    assert warned(frame, by="g") == []
    (message,) = warned(frame.with_columns(row=pl.int_range(pl.len())), by="g")
    assert message.startswith('feature "row" rises')


@pytest.mark.parametrize("rows", [20, 21, 60, 999, 1_000, 1_500])
def test_profile_and_a_fit_find_the_same_ids_and_counters(rows: int) -> None:
    rng = np.random.default_rng(rows)
    numbers = rng.permutation(rows)
    sizes = rng.lognormal(20, 1, rows)
    frame = pl.DataFrame(
        {
            "row": range(rows), "down": range(rows, 0, -1), "permuted": numbers, "twice": numbers // 2,
            "nearly": np.maximum(numbers, rows // 25), "not_quite": np.maximum(numbers, rows // 15),
            "big": pl.Series([2**63 + int(at) for at in numbers], dtype=pl.UInt64), "far": rng.integers(0, 2**60, rows),
            "measured": sizes.astype(np.int64), "bell": rng.normal(0, 1e6, rows).astype(np.int64),
            "small": rng.integers(-100, 100, rows).astype(np.int8), "ties": np.arange(rows) // 4,
            "few_ties": np.arange(rows) - np.arange(rows) // 25,
            "dip": np.where(np.arange(rows) == 9, 0, np.arange(rows)),
            "gaps": pl.Series([None if at % 9 == 0 else int(at) for at in numbers], dtype=pl.Int64),
            "rarely": pl.Series([at if at < 21 else None for at in range(rows)], dtype=pl.Int32),
            "time": [datetime(2024, 1, 1) + timedelta(minutes=at) for at in range(rows)],
            "hash": [f"k{at}" for at in numbers], "half": [f"k{at // 2}" for at in numbers],
            "third": [f"k{at // 3}" for at in numbers], "fifth": [f"k{at // 5}" for at in numbers],
            "comment": [f"the customer of row {at} wrote at some length about it" for at in range(rows)],
            "city": rng.choice(["Aachen", "Bonn", "Celle"], rows), "one": [7] * rows,
        }
    )  # fmt: skip
    frame = frame.with_columns(pl.col("hash").cast(pl.Categorical).alias("category"))
    agree(frame)
    assert ("row" in numbering(frame)) == (rows > 20)


@settings(deadline=None)
@given(
    st.sampled_from([pl.Int8, pl.Int16, pl.UInt32, pl.Int64, pl.UInt64]),
    st.sampled_from([15, 40, 127]),
    st.data(),
)
def test_profile_and_a_fit_agree_on_any_integers(dtype: type[pl.DataType], most: int, data: st.DataObject) -> None:
    values = data.draw(st.lists(st.none() | st.integers(0, most), min_size=18, max_size=60))
    unique = data.draw(st.lists(st.integers(0, most), min_size=min(most, 18), max_size=60, unique=True))
    for column in [values, unique, sorted(unique), sorted(unique)[::-1]]:
        series = pl.Series("n", column, dtype=dtype)
        if series.drop_nulls().len() > 0:
            agree(pl.DataFrame({"n": series, "x": np.arange(float(len(column)))}))
