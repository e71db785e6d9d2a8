"""Contract: the words of a reason are true of the table, whatever its numbers and texts are like."""

from __future__ import annotations

import datetime as dt
import time

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand

pytestmark = pytest.mark.filterwarnings("ignore:.*too many to recur:UserWarning")

ROWS = 1_500


def why(frame: pl.DataFrame, row: int) -> str:
    model = anorand.train(frame, frame.columns)
    return str(model.detect(frame)["why"][row])


@pytest.mark.parametrize("least", [0, 1])
@pytest.mark.parametrize("count", [11, 24, 60, 101])
def test_zero_among_whole_numbers_is_as_any_other(least: int, count: int) -> None:
    rng = np.random.default_rng(count)
    numbers = rng.integers(least, least + count, 4_000)
    frame = pl.DataFrame(
        {"number": numbers, "amount": rng.lognormal(3, 0.5, 4_000), "kind": rng.choice(["a", "b"], 4_000)}
    )
    model = anorand.train(frame, frame.columns)
    flagged = model.detect(frame).filter("outlier")
    lowest = (flagged["number"] == least).sum()
    assert lowest <= 0.3 * flagged.height, f"{lowest} of {flagged.height}"


def test_zero_apart_from_all_others_stands_out() -> None:
    rng = np.random.default_rng(5)
    numbers = rng.normal(80, 12, ROWS).round().astype(int)
    numbers[[7, 8]] = 0
    frame = pl.DataFrame({"pulse": numbers, "other": rng.normal(size=ROWS)})
    model = anorand.train(frame, frame.columns)
    assert model.detect(frame)["outlier"][7]


@pytest.mark.parametrize(
    ("usual", "odd", "form"),
    [("user{:05}@mail.com", "n/k", "user"), ("{:05}-ORD", "#admin", "-ORD"), ("AB-{}", "5", "AB-")],
)
def test_the_example_of_a_usual_form_has_it(usual: str, odd: str, form: str) -> None:
    texts = [usual.format(at) for at in range(1_000, 1_000 + ROWS)]
    texts[7] = odd
    frame = pl.DataFrame({"text": texts, "other": np.random.default_rng(1).normal(size=ROWS)})
    reason = why(frame, 7)
    assert "has another form than most" in reason
    assert form in reason.split("as '")[1]


def test_a_narrow_range_has_the_digits_that_tell_its_ends_apart() -> None:
    rng = np.random.default_rng(1)
    pressures = rng.normal(1013.25, 0.02, ROWS)
    pressures[7] = 1013.9
    reason = why(pl.DataFrame({"pressure": pressures, "other": rng.normal(size=ROWS)}), 7)
    low, high = map(float, reason.split("; most are ")[1].split(";")[0].split(" to "))
    assert 1013.18 < low < 1013.25 < high < 1013.32


def test_times_of_one_day_are_no_range_of_two() -> None:
    rng = np.random.default_rng(1)
    start = dt.datetime(2024, 3, 1, 12, 0, 30)
    times = [start + dt.timedelta(seconds=float(seconds)) for seconds in rng.normal(0, 5, ROWS)]
    times[7] = start - dt.timedelta(hours=3)
    reason = why(pl.DataFrame({"time": times, "other": rng.normal(size=ROWS)}), 7)
    assert reason.split(";")[:2] == ["time: 2024-03-01 09:00", " most are 2024-03-01 12:00"]


def test_tiny_numbers_are_shown() -> None:
    rng = np.random.default_rng(1)
    sizes = rng.normal(1e-10, 5e-12, ROWS)
    sizes[7] = 9e-10
    reason = why(pl.DataFrame({"size": sizes, "other": rng.normal(size=ROWS)}), 7)
    assert reason.startswith(("size: 9e-10; most are 8.", "size: 9e-10; most are 9."))


@pytest.mark.parametrize("rows", [25, 30])
def test_of_few_rows_the_outlier_is_no_end_of_what_is_usual(rows: int) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.normal(50, 2, rows).round(1)
    numbers[3] = 500.0
    reason = why(pl.DataFrame({"number": numbers, "other": rng.normal(size=rows)}), 3)
    assert float(reason.split(" to ")[1].split(";")[0]) < 60


def test_a_single_column_is_not_compared_with_others() -> None:
    rng = np.random.default_rng(1)
    days, hours = rng.integers(0, 300, ROWS), rng.integers(8, 18, ROWS)
    times = [
        dt.datetime(2024, 1, 1) + dt.timedelta(days=int(day), hours=int(hour))
        for day, hour in zip(days, hours, strict=True)
    ]
    times[5] = dt.datetime(2024, 3, 3, 3, 12)
    assert why(pl.DataFrame({"time": times}), 5) == "time: 2024-03-03 03:12, unlike most rows"


def test_many_rows_of_a_text_with_more_values_than_a_model_remembers_are_read_in_time() -> None:
    rows, values = 260_000, 70_000
    texts = [f"id{at % values}" for at in range(rows)]
    frame = pl.DataFrame({"number": np.random.default_rng(1).normal(size=rows), "text": texts})
    few = frame.with_columns(pl.Series("text", [f"id{at % 60_000}" for at in range(rows)]))
    taken = [seconds(table) for table in (few, frame)]
    assert taken[1] < 8 * taken[0], taken


def seconds(frame: pl.DataFrame) -> float:
    start = time.process_time()
    anorand.train(frame, frame.columns)
    return time.process_time() - start


def test_the_hour_of_a_text_is_named_as_an_hour() -> None:
    rng = np.random.default_rng(2)
    hours = rng.integers(0, 24, 3_000)
    start = dt.datetime(2024, 1, 1)
    starts = [
        (start + dt.timedelta(days=int(day), hours=int(hour), minutes=int(minute))).strftime("%Y-%m-%d %H:%M")
        for day, hour, minute in zip(rng.integers(0, 300, 3_000), hours, rng.integers(0, 60, 3_000), strict=True)
    ]
    jobs = [f"job{hour}" for hour in hours]
    jobs[7] = "job" + str((int(hours[7]) + 12) % 24)
    reason = why(pl.DataFrame({"start": starts, "job": jobs}), 7)
    assert f"with start at {hours[7]:02} h it is job{hours[7]}" in reason
