"""Collects the numbers and rows that the page shows."""

from __future__ import annotations

import polars as pl

from polars_anorand._arguments import unused
from polars_anorand.drift import drift
from polars_anorand.functions import detect
from polars_anorand.model import Model

BINS = 100
"""The number of bins in the histogram of the scores, from 0 to 1."""
GROUPS = 50
"""The most groups whose share of outliers is drawn."""

_A_DAY = {"days": 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""A day in the units of times."""
_FIRST_DAY, _LAST_DAY = -719_000, 2_932_000
"""The days from 1970 on, from the year 1 to the year 9997, that Python has dates of in any time zone."""


class Findings:
    """All numbers and rows that the page shows. Creating it runs the queries."""

    def __init__(
        self, frame: pl.LazyFrame, model: Model, contamination: float, top: int, by: str | None, every: str
    ) -> None:
        self.model = model
        self.contamination = contamination
        self.by = by
        self.is_time = False
        schema = frame.collect_schema()
        name, place = unused("anomaly", schema.names()), unused("place", schema.names())
        scored = frame.with_columns(detect(model.features, model, contamination=contamination, explain=3, name=name))
        anomaly = pl.col(name)
        score, outlier = anomaly.struct.field("score"), anomaly.struct.field("outlier")
        bins = (score * BINS).floor().clip(0, BINS - 1).cast(pl.Int32).alias("bin")
        queries = [
            scored.select(bins).group_by("bin").len().sort("bin"),
            scored.select(
                pl.len().alias("rows"), score.is_null().sum().alias("unscored"), outlier.sum().alias("outliers")
            ),
            # Of rows with equal scores, the first ones.
            scored.with_row_index(place)
            .filter(score.is_not_null())
            .top_k(top, by=[score, pl.col(place)], reverse=[False, True])
            .sort(score, place, descending=[True, False]),
        ]
        if by is not None:
            self.is_time = _is_time(by, schema)
            if self.is_time:
                _check_step(every, schema[by])
            times = in_python(pl.col(by), schema[by]) if self.is_time else None
            group = pl.col(by).cast(pl.String) if times is None else times.dt.truncate(every)
            counted = scored.group_by(group.alias("group")).agg(
                pl.len().alias("rows"), outlier.mean().alias("outliers")
            )
            counted = counted.drop_nulls("group")
            queries.append(
                counted.sort("group") if self.is_time else counted.sort("rows", descending=True).head(GROUPS)
            )
        self.histogram, counts, highest, *groups = pl.collect_all(queries)
        self.groups = groups[0] if groups else None
        self.counts = counts.row(0, named=True)
        self.highest = highest.drop(name, place)
        self.detected = highest[name].struct.unnest()
        self.drift = drift(frame, model, contamination=contamination)


def days_of(time: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return a Date or Datetime as days from 1970 on, and a Duration as days."""
    unit = dtype.time_unit if isinstance(dtype, (pl.Datetime, pl.Duration)) else "days"
    return time.to_physical() // _A_DAY[unit or "us"]


def in_python(time: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Return a Date, Datetime or Duration, and a null where Python has no such time, as beyond the year 9999."""
    return pl.when(days_of(time, dtype).is_between(_FIRST_DAY, _LAST_DAY)).then(time)


def _is_time(by: object, schema: pl.Schema) -> bool:
    """Return whether the groups are steps of time; raise if the column can't be grouped by."""
    if not isinstance(by, str):
        raise TypeError(f"by must be the name of one column, a str, got {by!r} ({type(by).__name__})")
    if by not in schema:
        raise pl.exceptions.ColumnNotFoundError(f"by={by!r} is not a column of the frame")
    dtype = schema[by]
    if dtype.is_nested() or isinstance(dtype, (pl.Binary, pl.Object, pl.Duration)):
        raise TypeError(
            f"by={by!r} has dtype {dtype}, which has no values to count by: give a column of numbers, text, Boolean, "
            "Date, Datetime or Time, or cast it"
        )
    return dtype == pl.Date or isinstance(dtype, pl.Datetime)


def _check_step(every: object, dtype: pl.DataType) -> None:
    if not isinstance(every, str):
        raise TypeError(f"every must be a str, got {every!r} ({type(every).__name__})")
    try:
        pl.select(pl.lit(0).cast(dtype).dt.truncate(every))
    except pl.exceptions.PolarsError as error:
        expected = 'every must be a step of time as dt.truncate takes it, such as "1d" or "1h"'
        raise ValueError(f"{expected}, got {every!r}: {str(error).splitlines()[0]}") from None
