"""Kinds of dates and times: one that follows from another, one that stands for none, one that is written otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from .kinds import Fault, Kind, beside, pick

FIRST_DAY = date(2022, 3, 1)
DAYS = 900
LENGTHS = (15, 20, 30, 45, 60, 90, 120)
"""Minutes that a meeting can take."""

HOUR_OF_JOB = {f"job {at}": at % 6 * 4 for at in range(12)}
"""Two jobs share each hour, so that the job tells the hour, and the hour does not tell the job."""

SENTINELS = (date(1900, 1, 1), date(1970, 1, 1), date(9999, 12, 31))


def days(count: int, rng: np.random.Generator) -> list[date]:
    """Days within some two and a half years."""
    return [FIRST_DAY + timedelta(days=int(after)) for after in rng.integers(0, DAYS, count)]


def moments(count: int, rng: np.random.Generator) -> list[datetime]:
    """Midnights of such days."""
    return [datetime(day.year, day.month, day.day) for day in days(count, rng)]


def meetings(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """An end is the start and the minutes that it takes."""
    day = pl.Series(moments(count, rng))
    start = day + pl.Series(rng.integers(8 * 60, 18 * 60, count) * 60_000_000).cast(pl.Duration("us"))
    minutes = rng.choice(LENGTHS, count)
    rows = pl.DataFrame({"start": start, "minutes": minutes, **beside(count, rng)})
    return rows.with_columns(end=pl.col("start") + pl.duration(minutes="minutes"))


def wrong_end(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """An end that is hours or a day off, before its start or after."""
    end: datetime = row["end"]
    return end + timedelta(hours=pick([-5, -3, -2, 2, 3, 5, 24], rng))


def runs_of_jobs(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Each job starts within the 50 minutes after its own hour."""
    jobs = rng.choice(list(HOUR_OF_JOB), count)
    minutes = rng.integers(0, 50, count)
    start = [
        day + timedelta(hours=HOUR_OF_JOB[job], minutes=int(minute))
        for day, job, minute in zip(moments(count, rng), jobs, minutes, strict=True)
    ]
    return pl.DataFrame({"job": jobs, "start": start, **beside(count, rng)})


def hour_of_another(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The hour of another job, at least three hours away on the clock."""
    own = HOUR_OF_JOB[row["job"]]
    hours = [hour for hour in HOUR_OF_JOB.values() if 3 <= (hour - own) % 24 <= 21]
    start: datetime = row["start"]
    return start.replace(hour=pick(hours, rng))


def deliveries(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A delivery follows its order by two to five days."""
    ordered = days(count, rng)
    delivered = [
        day + timedelta(days=int(after)) for day, after in zip(ordered, rng.integers(2, 6, count), strict=True)
    ]
    return pl.DataFrame({"ordered": ordered, "delivered": delivered, **beside(count, rng)})


def wrong_delivery(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """A delivery before the order, or months after it."""
    ordered: date = row["ordered"]
    after = -rng.integers(1, 60) if rng.random() < 0.5 else rng.integers(30, 200)
    return ordered + timedelta(days=int(after))


def visits(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A day that depends on nothing."""
    return pl.DataFrame({"day": days(count, rng), **beside(count, rng)})


def sentinel(_row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """A date that stands for an unknown one."""
    return pick(SENTINELS, rng)


def written_visits(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """The same days as texts."""
    return visits(count, rng).with_columns(pl.col("day").dt.to_string("%Y-%m-%d"))


def written_otherwise(row: Mapping[str, Any], _rng: np.random.Generator) -> object:
    """The same day in another format."""
    return date.fromisoformat(row["day"]).strftime("%d.%m.%Y")


DELAY = (pl.col("delivered") - pl.col("ordered")).dt.total_days()

KINDS = [
    Kind(
        "end = start + duration",
        meetings,
        Fault(
            "end",
            wrong_end,
            pl.col("end") == pl.col("start") + pl.duration(minutes="minutes"),
            ("start", "minutes"),
        ),
    ),
    Kind(
        "hour of a job",
        runs_of_jobs,
        Fault(
            "start",
            hour_of_another,
            pl.col("start").dt.hour() == pl.col("job").replace_strict(HOUR_OF_JOB),
            ("job",),
        ),
    ),
    Kind(
        "delivery after order",
        deliveries,
        Fault("delivered", wrong_delivery, DELAY.is_between(2, 5), ("ordered",)),
    ),
    Kind("sentinel date", visits, Fault("day", sentinel, ~pl.col("day").is_in(SENTINELS))),
    Kind(
        "date in another format",
        written_visits,
        Fault("day", written_otherwise, pl.col("day").str.contains(r"^\d{4}-\d\d-\d\d$")),
    ),
]
