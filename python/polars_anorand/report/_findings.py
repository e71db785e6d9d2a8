"""Collects the numbers and rows that the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import unused
from polars_anorand.drift import drift
from polars_anorand.frames import REASONS, in_words
from polars_anorand.functions import detect
from polars_anorand.incidents import Outliers, group, is_time, middle, time_of
from polars_anorand.model import Model

if TYPE_CHECKING:
    from collections.abc import Iterator

BINS = 100
"""The number of bins in the histogram of the scores, from 0 to 1."""
GROUPS = 50
"""The most groups whose share of outliers is drawn."""

_A_DAY = {"days": 1, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
"""A day in the units of times."""
_MICROSECONDS = {"ms": 1e3, "us": 1.0, "ns": 1e-3}
"""What a model has times in."""
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
        schema = frame.collect_schema()
        self.is_time = by is not None and _is_time(by, schema)
        if by is not None and self.is_time:
            _check_step(every, schema[by])
        name, place = unused("anomaly", schema.names()), unused("place", schema.names())
        scored = frame.with_columns(_verb(model, contamination).alias(name))
        outlier = pl.col(name).struct.field("outlier")
        time = by if self.is_time else time_of(model, schema, None)
        queries = [
            *_counts(scored, name),
            scored.with_row_index(place).filter(outlier),
            middle(frame, time),
        ]
        if by is not None:
            queries.append(_shares(scored, outlier, by, schema[by], every if self.is_time else None))
        self.histogram, counts, outliers, ends, *groups = pl.collect_all(queries)
        self.counts: dict[str, int] = {of: count or 0 for of, count in counts.row(0, named=True).items()}
        self.groups = groups[0] if groups else None
        self.undrawn = 0
        """The rows whose time is so far from the others that it would flatten the chart."""
        if self.groups is not None and self.is_time:
            self.groups, self.undrawn = _near(self.groups, ends)
        self.incidents, incident = group(frame, model, Outliers(outliers, name, place, time), ends)
        self.blamed = _blamed(outliers, name, model)
        self._list(outliers.with_columns(incident.alias(unused("incident", outliers.columns))), name, place, top)
        self.drift = drift(frame, model, contamination=contamination)

    def _list(self, outliers: pl.DataFrame, name: str, place: str, top: int) -> None:
        """Keep the highest outliers; of those with equal scores, the first ones."""
        score = pl.col(name).struct.field("score")
        highest = outliers.sort(score, place, descending=[True, False]).head(top)
        self.highest = highest.select(pl.exclude(name, place, highest.columns[-1]))
        self.detected = highest.select(
            score,
            pl.col(name).struct.field("reasons"),
            in_words(name).alias("why"),
            pl.col(place).alias("row"),
            pl.last().alias("incident"),
        )


def _verb(model: Model, contamination: float) -> pl.Expr:
    name = unused("anomaly", model.features)
    return detect(model.features, model, contamination=contamination, explain=REASONS, name=name)


def _counts(scored: pl.LazyFrame, name: str) -> list[pl.LazyFrame]:
    """Return the histogram of the scores, and the numbers of rows."""
    score, outlier = pl.col(name).struct.field("score"), pl.col(name).struct.field("outlier")
    bins = (score * BINS).floor().clip(0, BINS - 1).cast(pl.Int32).alias("bin")
    counts = [pl.len().alias("rows"), score.is_null().sum().alias("unscored"), outlier.sum().alias("outliers")]
    return [scored.select(bins).group_by("bin").len().sort("bin"), scored.select(counts)]


def _shares(scored: pl.LazyFrame, outlier: pl.Expr, by: str, dtype: pl.DataType, every: str | None) -> pl.LazyFrame:
    """Return the share of outliers in each step of time, or in each group.

    Of times, ``at`` is the number of the first row's. The times that Python has none of are the group null.
    """
    group = pl.col(by).cast(pl.String) if every is None else in_python(pl.col(by), dtype).dt.truncate(every)
    counted = scored.filter(pl.col(by).is_not_null()).group_by(group.alias("group"))
    numbers = [pl.len().alias("rows"), outlier.mean().alias("outliers")]
    if every is None:
        return counted.agg(numbers).sort("rows", "group", descending=[True, False]).head(GROUPS)
    at = pl.col(by).to_physical().cast(pl.Float64).min().alias("at")
    return counted.agg(*numbers, at).sort("group")


def _near(groups: pl.DataFrame, ends: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Return the steps of time that can be drawn together, and the number of rows in the others.

    They are those in the middle 90 % of the rows, and those that are no further from it than it is long.
    """
    low, high = ends.row(0)
    is_near = pl.col("group").is_not_null()
    if low is not None and low < high:
        is_near &= pl.col("at").is_between(2 * low - high, 2 * high - low)
    return groups.filter(is_near), int(groups.filter(~is_near)["rows"].sum())


def _blamed(outliers: pl.DataFrame, name: str, model: Model) -> pl.DataFrame:
    """Return the features that are reasons, with their ``share`` of the outliers, and that of ``new`` values."""
    reasons = outliers[name].struct.field("reasons").explode().drop_nulls().struct.unnest()
    counted = reasons.group_by("feature").agg((pl.len() / max(outliers.height, 1)).alias("share"))
    new = outliers.select(_are_new(outliers.schema, model)).unpivot(variable_name="feature", value_name="new")
    return counted.join(new, on="feature").sort("share", "feature", descending=[True, False])


def _are_new(schema: pl.Schema, model: Model) -> Iterator[pl.Expr]:
    """Yield for each feature the share of the values that no training row has, or that lie beyond all of these."""
    quantiles, _, _ = _core.model_quantiles(model.to_bytes())
    categories = _core.model_categories(model.to_bytes())
    for name, values, category in zip(model.features, quantiles, categories, strict=True):
        dtype, value = schema[name], pl.col(name)
        if category is not None:
            known, _, rare = category
            # Of rare values, a model knows the number alone.
            is_new = pl.lit(value=False) if rare else ~value.cast(pl.String).is_in(known)
        else:
            number = value.to_physical().cast(pl.Float64)
            if isinstance(dtype, (pl.Datetime, pl.Duration)):
                number *= _MICROSECONDS[dtype.time_unit or "us"]
            is_new = ~number.is_between(values[0], values[-1])
        yield is_new.fill_null(value=False).mean().fill_null(0.0).cast(pl.Float64).alias(name)


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
    return is_time(dtype)


def _check_step(every: object, dtype: pl.DataType) -> None:
    if not isinstance(every, str):
        raise TypeError(f"every must be a str, got {every!r} ({type(every).__name__})")
    try:
        pl.select(pl.lit(0).cast(dtype).dt.truncate(every))
    except pl.exceptions.PolarsError as error:
        expected = 'every must be a step of time as dt.truncate takes it, such as "1d" or "1h"'
        raise ValueError(f"{expected}, got {every!r}: {str(error).splitlines()[0]}") from None
