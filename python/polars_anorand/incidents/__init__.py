"""Incidents: outliers that have the same reason at about the same time, as one row each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from polars_anorand import _frames
from polars_anorand._arguments import ModelLike, one_model, unused
from polars_anorand.frames import NO_REASON, REASONS, in_words
from polars_anorand.functions import detect
from polars_anorand.incidents._places import places
from polars_anorand.incidents._words import in_common

if TYPE_CHECKING:
    from polars_anorand.model import Model

_SHARE = 0.25
"""An expected value makes an incident of its own if this share of the rows with the same reason have it."""
_GAP = 0.1
"""A gap that ends an incident is at least this share of the middle 90 % of the times."""
_BY_CHANCE = 0.05
"""Rows that are spread evenly have a gap that ends an incident with this probability at most."""
_DAY = 1.0
_LISTED = 3
"""The most values of the feature that are listed."""


def incidents(
    frame: pl.DataFrame | pl.LazyFrame,
    model: ModelLike,
    *,
    contamination: float | None = None,
    threshold: float | None = None,
    time: str | None = None,
    device: str = "auto",
) -> pl.DataFrame:
    """Group the outliers of a frame by their first reason, the value that was expected, and time.

    Thousands of outliers mostly have a few causes. Two outliers are in the same incident if the largest reason of both
    is the same feature and says the same of it, and if the same value was expected. An expected value that less than a
    quarter of the rows with a reason have makes no incident of its own: all such rows go together.

    Where there are times, a long gap between two outliers ends an incident. The gap is longer than a tenth of the span
    of the middle 90 % of the frame's rows. It is also longer than the longest gap of as many outliers at random times
    in that span, in at least 95 % of the draws. In a column of dates it is longer than a day as well.

    Parameters
    ----------
    frame
        Rows with the model's features, eager or lazy. Of a LazyFrame, the outliers alone are collected.
    model
        A path, bytes or a :class:`Model`.
    contamination, threshold, device
        As :func:`polars_anorand.detect`.
    time
        A Date or Datetime column. By default it is the first of these among the model's features, if there is one.

    Returns
    -------
    DataFrame
        One row for each incident, most rows first, then by feature and reason:

        * ``feature`` (String): the feature of the first reason; null where no value alone stands out.
        * ``why`` (String): what the reasons have in common, such as "price does not go with its item".
        * ``expected`` (String): the value that was expected, if the rows share one.
        * ``rows`` (an unsigned integer): the number of outliers.
        * ``first``, ``last``: the earliest and the latest time, of the dtype of ``time``; only if there are times.
        * ``values`` (String): the most frequent values of the feature, at most three.
        * ``where`` (String): other columns of text, whole numbers or Boolean with at most 50 values, if at most three
          of these hold 80 % of the incident's rows, which is at least twice their share of all rows, and more than
          chance would bring once in a thousand times. At most two such columns, as "shop 3, 12; country DE".
        * ``row`` (an unsigned integer): the number of the row with the highest score, from 0 on.
        * ``example`` (String): its reasons, as ``why`` of :meth:`Model.detect`.
        * ``score`` (Float32): its score.

    Raises
    ------
    TypeError, ValueError, OSError
        As :func:`polars_anorand.detect`, for a model that can't be read, and if ``time`` is no Date or Datetime.
    ColumnNotFoundError
        If ``time`` is no column of the frame.
    ComputeError
        From the query, as :func:`polars_anorand.detect`.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> usual = {"item": ["book", "lamp"] * 100, "price": [12.0, 30.0] * 100, "shop": [1, 2, 3, 4] * 50}
    >>> wrong = {"item": ["book"] * 9, "price": [30.0] * 9, "shop": [3] * 9}
    >>> frame = pl.DataFrame(usual)
    >>> model = anorand.train(frame, ["item", "price"])
    >>> found = anorand.incidents(pl.concat([frame, pl.DataFrame(wrong)]), model)
    >>> found.select("why", "rows", "values", "where").row(0)
    ('price does not go with its item', 9, '30', 'shop 3')

    """
    given = _frames.checked(frame).lazy()
    known = one_model("incidents", model)
    schema = given.collect_schema()
    clock = time_of(known, schema, time)
    anomaly, place = unused("anomaly", schema.names()), unused("place", schema.names())
    verb = detect(
        known.features, known, contamination=contamination, threshold=threshold, explain=REASONS, device=device,
        name=unused("anomaly", known.features),
    )  # fmt: skip
    scored = given.with_columns(verb.alias(anomaly)).with_row_index(place)
    outliers, ends = pl.collect_all([scored.filter(pl.col(anomaly).struct.field("outlier")), middle(given, clock)])
    return group(given, known, Outliers(outliers, anomaly, place, clock), ends)[0]


class Outliers(NamedTuple):
    """The rows of a frame that are outliers, and its columns that say why and where."""

    rows: pl.DataFrame
    anomaly: str
    """The column of the detections, with reasons."""
    place: str
    """The column of the rows' numbers."""
    time: str | None
    """The column of times, if there is one."""


def time_of(model: Model, schema: pl.Schema, time: object) -> str | None:
    """Return the column of times that was given, or the model's first one; raise if it has no times."""
    if time is None:
        return next((name for name in model.features if name in schema and is_time(schema[name])), None)
    if not isinstance(time, str):
        raise TypeError(f"time must be the name of a column, a str, got {time!r} ({type(time).__name__})")
    if time not in schema:
        raise pl.exceptions.ColumnNotFoundError(f"time={time!r} is not a column of the frame")
    if not is_time(schema[time]):
        raise TypeError(f"time={time!r} has dtype {schema[time]}, expected a Date or Datetime: cast it")
    return time


def is_time(dtype: pl.DataType) -> bool:
    """Return whether values of a dtype have a place in time."""
    return dtype == pl.Date or isinstance(dtype, pl.Datetime)


def middle(frame: pl.LazyFrame, time: str | None) -> pl.LazyFrame:
    """Return where the middle 90 % of the rows lie in time: one row of ``low`` and ``high``, null if nowhere."""
    times = pl.lit(None, dtype=pl.Float64) if time is None else pl.col(time).to_physical().cast(pl.Float64)
    return frame.select(times.quantile(0.05).alias("low"), times.quantile(0.95).alias("high"))


def group(frame: pl.LazyFrame, model: Model, outliers: Outliers, ends: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return the incidents, and the number of each outlier's incident.

    Parameters
    ----------
    frame
        All rows.
    model
        The model that found the outliers.
    outliers
        The outliers, with their reasons.
    ends
        Where the middle 90 % of the rows lie in time, from :func:`middle`.

    """
    low, high = ends.row(0)
    is_of_days = outliers.time is not None and outliers.rows.schema[outliers.time] == pl.Date
    span, least = (high or 0.0) - (low or 0.0), _DAY if is_of_days else 0.0
    key = ["feature", "why", "expected"]
    facts = _facts(outliers, model.features)
    shared = pl.len().over(key) / pl.len().over("feature", "why")
    facts = facts.with_columns(expected=pl.when(shared >= _SHARE).then("expected")).sort("at", "row", nulls_last=True)
    gap = pl.max_horizontal(span * _gap(pl.len().cast(pl.Float64)), pl.lit(least))
    is_apart = (pl.col("at").diff() > gap).fill_null(value=False)
    facts = facts.with_columns(pl.col("at").is_null().alias("timeless"), is_apart.cum_sum().over(key).alias("period"))
    groups = facts.sort("score", "row", descending=[True, False]).group_by(
        *key, "timeless", "period", maintain_order=True
    )
    found = groups.agg(
        pl.len().alias("rows"),
        pl.col("time").min().alias("first"),
        pl.col("time").max().alias("last"),
        pl.col("value").alias("of"),
        pl.col("index", "row", "example", "score"),
    ).sort("rows", "feature", "why", "expected", "first", descending=[True, *[False] * 4], nulls_last=True)
    members = found.select(pl.int_range(pl.len()).alias("incident"), "index").explode("index").sort("index")
    where = places(frame, outliers.rows, members["incident"], found["feature"].to_list(), outliers.time)
    shown = found.with_columns(
        pl.Series("values", [_listed(values) for values in found["of"]], dtype=pl.String),
        pl.Series("where", where, dtype=pl.String),
        pl.col("row", "example", "score").list.first(),
    )
    times = [] if outliers.time is None else ["first", "last"]
    return shown.select(*key, "rows", *times, "values", "where", "row", "example", "score"), members["incident"]


def _gap(rows: pl.Expr) -> pl.Expr:
    """Return the share of the time that a gap between this number of rows takes at least.

    The longest of the gaps between n rows, spread over a time of length 1, exceeds x with a probability of at most
    (n − 1)(1 − x)ⁿ.
    """
    return pl.max_horizontal(pl.lit(_GAP), 1 - (_BY_CHANCE / (rows - 1)).pow(1 / rows))


def _facts(outliers: Outliers, features: list[str]) -> pl.DataFrame:
    """Return what an outlier is grouped by, and what is told of it."""
    rows, time = outliers.rows, outliers.time
    first = rows[outliers.anomaly].struct.field("reasons").list.first().struct.unnest()
    reasons = first.select("feature", "value", "why").iter_rows()
    words = [
        NO_REASON if feature is None else in_common(feature, value, sentence, features)
        for feature, value, sentence in reasons
    ]
    times = pl.Series("time", [None] * rows.height, dtype=pl.Int64) if time is None else rows[time].alias("time")
    return first.select("feature", "value", "expected").with_columns(
        pl.Series("why", words, dtype=pl.String),
        rows[outliers.place].alias("row"),
        rows[outliers.anomaly].struct.field("score"),
        rows.select(in_words(outliers.anomaly)).to_series().alias("example"),
        times,
        times.to_physical().cast(pl.Float64).alias("at"),
        pl.int_range(rows.height, eager=True).alias("index"),
    )


def _listed(values: pl.Series) -> str | None:
    """Return the most frequent values of an incident, which come with the highest score first."""
    counted = values.drop_nulls().to_frame("value").group_by("value", maintain_order=True).len()
    first = counted.sort("len", descending=True, maintain_order=True)["value"].head(_LISTED).to_list()
    return ", ".join(first) + (", …" if counted.height > _LISTED else "") if first else None
