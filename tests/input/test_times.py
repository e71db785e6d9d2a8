"""Contract: of a Date, Datetime or Time, what recurs counts, as far as training rows show it; not how late it is."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import internals

import polars_anorand as anorand

START = datetime(2024, 1, 1)


def office_hours(first_day: int, days: int) -> pl.DataFrame:
    """40 rows for each day, from 9 to 17 o'clock."""
    rng = np.random.default_rng(first_day)
    times = [
        START + timedelta(days=day, minutes=int(rng.integers(9 * 60, 17 * 60)))
        for day in range(first_day, first_day + days)
        for _ in range(40)
    ]
    return pl.DataFrame({"t": times, "x": rng.normal(size=len(times))})


@pytest.fixture(scope="module")
def january() -> pl.DataFrame:
    return office_hours(0, 31)


@pytest.fixture(scope="module")
def february() -> pl.DataFrame:
    return office_hours(31, 29)


def flagged(model: anorand.Model, rows: pl.DataFrame) -> float:
    """The share of the rows that are flagged."""
    share = rows.select(anorand.detect(pl.all(), model)).unnest("anomaly")["outlier"].mean()
    assert isinstance(share, float)
    return share


def fitted(rows: pl.DataFrame, **options: object) -> anorand.Model:
    return anorand.Model(rows.select(anorand.fit(pl.all(), **options)).item())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "part", [pl.col("t"), pl.col("t").dt.date(), pl.col("t").dt.time()], ids=["time", "date", "clock"]
)
def test_next_months_ordinary_rows_are_ordinary(january: pl.DataFrame, february: pl.DataFrame, part: pl.Expr) -> None:
    model = fitted(january.with_columns(part))
    assert flagged(model, february.with_columns(part)) < 0.02
    assert model.reference["t"] is None


def test_an_hour_of_the_night_is_flagged(january: pl.DataFrame, february: pl.DataFrame) -> None:
    night = pl.col("t").dt.truncate("1d") + pl.duration(hours=3)
    assert flagged(fitted(january), february.with_columns(night)) == 1.0
    clock = fitted(january.with_columns(pl.col("t").dt.time()))
    assert flagged(clock, february.with_columns(t=pl.lit(time(3)))) == 1.0


def test_a_weekday_on_which_nothing_happens_is_flagged(january: pl.DataFrame, february: pl.DataFrame) -> None:
    dates = [rows.with_columns(pl.col("t").dt.date()) for rows in (january, february)]
    weekend = pl.col("t").dt.weekday() > 5
    model = fitted(dates[0].filter(~weekend))
    assert flagged(model, dates[1].filter(weekend)) == 1.0
    assert flagged(model, dates[1].filter(~weekend)) < 0.03


def test_the_explanation_names_the_time(january: pl.DataFrame, february: pl.DataFrame) -> None:
    night = february.head(20).with_columns(pl.col("t").dt.truncate("1d") + pl.duration(hours=3))
    named = night.select(anorand.explain(pl.all(), fitted(january), top=1).list.first().struct.field("feature"))
    assert set(named.to_series()) == {"t"}


def test_a_time_far_from_all_others_is_flagged(january: pl.DataFrame, february: pl.DataFrame) -> None:
    model = fitted(january)
    for wrong in (datetime(1970, 1, 1, 10), datetime(2204, 1, 5, 10)):
        assert flagged(model, february.head(10).with_columns(t=pl.lit(wrong))) == 1.0


def test_as_a_number_a_later_month_is_far_out(january: pl.DataFrame, february: pl.DataFrame) -> None:
    model = fitted(january, **internals(temporal="number", combination="robust"))
    assert flagged(model, february.tail(400)) > 0.5
    assert isinstance(model.reference["t"], datetime)


def test_a_time_with_a_zone_is_taken_as_its_clocks_show_it(january: pl.DataFrame) -> None:
    berlin = january.with_columns(pl.col("t").dt.replace_time_zone("Europe/Berlin"))
    model = fitted(berlin)
    scores = berlin.select(anorand.score(pl.all(), model))
    utc = berlin.with_columns(pl.col("t").dt.convert_time_zone("UTC"))
    assert utc.select(anorand.score(pl.all(), model)).equals(scores)
    assert scores.equals(january.select(anorand.score(pl.all(), fitted(january))))


@pytest.mark.parametrize("aware", [True, False])
def test_a_time_without_a_zone_is_no_time_with_one(january: pl.DataFrame, aware: bool) -> None:
    berlin = january.with_columns(pl.col("t").dt.replace_time_zone("Europe/Berlin"))
    model, rows = (berlin, january) if aware else (january, berlin)
    with pytest.raises(pl.exceptions.PolarsError, match=r"replace_time_zone"):
        rows.select(anorand.score(pl.all(), fitted(model)))


@pytest.mark.parametrize("count", [1, 9])
@pytest.mark.parametrize("day", [date(1970, 1, 1), date(1753, 1, 1), date(9999, 12, 31)])
def test_dates_that_stand_for_none_are_flagged_though_the_training_rows_have_them(day: date, count: int) -> None:
    """They hide no later dates beyond the ordinary ones either: a model that saw 9999 flags 2500."""
    rng = np.random.default_rng(5)
    days = [date(2024, 1, 1) + timedelta(days=int(x)) for x in rng.integers(0, 700, 3_000 - count)] + [day] * count
    frame = pl.DataFrame({"leaving": days, "x": rng.standard_normal(3_000)})
    model = anorand.train(frame)
    assert model.detect(frame).filter(leaving=day)["outlier"].all()
    later = model.detect(pl.DataFrame({"leaving": [date(2500, 1, 1), date(2024, 5, 5)], "x": [0.0, 0.0]}))
    assert later["outlier"].to_list() == [True, False]
