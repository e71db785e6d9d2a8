"""Whether rows are still like the training rows: each feature beside its training values, and the scores."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, overload

import polars as pl

from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import Columns, ModelLike, known_model, struct, text
from polars_anorand._options import number
from polars_anorand.functions import detect
from polars_anorand.model import Model

_BINS = range(2, 20, 2)
"""The deciles among the quantiles at 0, 0.05, …, 1."""
_VALUES = 20
"""The number of a category's values that are counted each; the others are one class."""

_NOTICEABLE = 0.1
"""A population stability index from which on a shift is called moderate; 0.25 is called large."""
_SURE = 3.09
"""The normal quantile at 0.999: fewer than one feature in a thousand is flagged by chance."""
_UNSEEN = 0.01
"""The share of values that training had not from which on a category has drifted."""
_MORE = 1.5
"""The ratio of flagged shares from which on the scores have drifted."""

_FIELDS = [
    "training_lower_quartile", "lower_quartile", "training_median", "median", "training_upper_quartile",
    "upper_quartile", "training_missing", "missing", "unseen", "training_outliers", "outliers",
]  # fmt: skip
_SCHEMA: dict[str, Any] = {
    "feature": pl.String, "drifted": pl.Boolean, "psi": pl.Float64, **dict.fromkeys(_FIELDS, pl.Float64),
}  # fmt: skip


@overload
def drift(
    data: pl.DataFrame | pl.LazyFrame,
    model: ModelLike,
    *,
    contamination: float = ...,
    device: str = ...,
    name: str = ...,
) -> pl.DataFrame: ...


@overload
def drift(
    data: Columns,
    model: ModelLike,
    *,
    contamination: float = ...,
    device: str = ...,
    name: str = ...,
) -> pl.Expr: ...


def drift(
    data: pl.DataFrame | pl.LazyFrame | Columns,
    model: ModelLike,
    *,
    contamination: float = 0.01,
    device: str = "auto",
    name: str = "drift",
) -> pl.DataFrame | pl.Expr:
    """How far rows have moved away from a model's training rows, feature by feature, and in their scores.

    Parameters
    ----------
    data
        A frame, eager or lazy, that has the model's features. Or the features as columns of a query: then the result
        is an aggregation, as in ``group_by("day").agg(x.anorand.drift(model))``.
    model
        A path, bytes or a :class:`Model`. It must be known when the query is built: not an expression.
    contamination
        The share of the training rows that count as outliers, above 0 and below 1.
    device
        As :func:`polars_anorand.score`.
    name
        Of the result of an aggregation.

    Returns
    -------
    DataFrame or Expr
        Of a frame, a row for each feature, the largest ``psi`` first, and a last row, whose ``feature`` is null, for
        the scores. As an aggregation, a list of such rows as structs, in the model's order; ``explode`` and ``unnest``
        make a frame of them.

        * ``feature`` (String).
        * ``drifted`` (Boolean): of a feature, a ``psi`` above 0.1 that a sample of that size from the training rows
          would reach less than once in a thousand times (χ² test), or more than 1 % of unseen values. Of the scores, a
          share of outliers that is 1.5 times as high as in training, or as low, and 4 standard deviations away.
        * ``psi`` (Float64): the population stability index, Σ (q − p)·ln(q/p), with p and q the shares of the training
          rows and of these. The classes are the deciles of the training values, or the 20 most frequent values of a
          category and all others; and missing values. Half a row is added to each class. Null for a Date or Datetime
          of which the hours, days and months count: later times are no drift.
        * ``training_lower_quartile``, ``lower_quartile``, and the same of ``median`` and ``upper_quartile`` (Float64;
          null for times and categories), ``training_missing``, ``missing`` (Float64, shares of the rows), ``unseen``
          (Float64, of a category: the share of the values that no training row had).
        * ``training_outliers``, ``outliers`` (Float64, only of the scores): the shares of the rows above the threshold
          of ``contamination``. Both should be alike.

    Raises
    ------
    TypeError
        If the model is an expression.
    OSError, ValueError
        If the model can't be read, or was written before models kept the quantiles of their features.
    ComputeError, SchemaMismatch, ColumnNotFound
        From the query, as :func:`polars_anorand.detect`.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> june = pl.DataFrame({"price": [float(i % 50) for i in range(500)], "size": [i % 7 for i in range(500)]})
    >>> model = anorand.Model(june.select(pl.all().anorand.fit(epochs=1, min_steps=0)).item())
    >>> july = june.with_columns(pl.col("price") * 1.5)
    >>> anorand.drift(july, model).select("feature", "drifted").rows()[0]
    ('price', True)

    """
    known = known_model(model)
    if known is None:
        raise TypeError("drift compares with a model that is known when the query is built: a path, bytes or a Model")
    share = number("contamination", contamination)
    if isinstance(data, (pl.DataFrame, pl.LazyFrame)):
        rows = _rows(pl.struct(known.features), known, share, device).alias("drift")
        found = data.lazy().select(rows).collect().explode("drift").unnest("drift")
        return found.sort(pl.col("feature").is_null(), -pl.col("psi"), nulls_last=True, maintain_order=True)
    return _rows(struct(data), known, share, device).alias(text("name", name))


@dataclass(frozen=True)
class _Class:
    """A class of values: its share of the training rows, and the number of the rows that are in it."""

    share: float
    count: pl.Expr


def _rows(features: pl.Expr, model: Model, contamination: float | None, device: str) -> pl.Expr:
    """The rows of the result as one list."""
    data = model.to_bytes()
    metadata = json.loads(_core.model_metadata(data))
    quantiles = _core.model_quantiles(data)
    if quantiles is None:
        raise ValueError("the model was written before models kept the quantiles of their features: fit it again")
    of = zip(metadata["features"], metadata["encoding"], *quantiles, _core.model_categories(data), strict=True)
    rows = [_of_feature(features, model.training["rows"], *each) for each in of]
    return pl.concat_list([*rows, _of_scores(features, model, contamination, device)])


def _of_feature(
    features: pl.Expr,
    trained: int,
    feature: dict[str, Any],
    inputs: list[Any],
    quantiles: list[float],
    at_most: list[int],
    missing: int,
    category: tuple[list[str], list[int], int] | None,
) -> pl.Expr:
    column = features.struct.field(feature["name"])
    rows = pl.len()
    values: dict[str, float | pl.Expr | None] = {"training_missing": missing / trained}
    unseen = pl.lit(0.0)
    if category is not None:
        known = column.cast(pl.String)
        classes = _of_category(known, category, trained)
        if category[2] == 0:  # Otherwise the model does not know all values that training had.
            unseen = ((~known.is_in(category[0])).sum() / known.count()).fill_nan(None)
            values["unseen"] = unseen
    else:
        known = _finite(column, feature["kind"])
        recurs = feature["kind"] in {"Date", "Datetime"} and "value" not in inputs
        classes = [] if recurs else _of_numbers(known, quantiles, at_most, trained)
        if feature["kind"] == "Number" and missing < trained:
            for field, at, share in [("lower_quartile", 5, 0.25), ("median", 10, 0.5), ("upper_quartile", 15, 0.75)]:
                values[f"training_{field}"] = quantiles[at]
                values[field] = known.quantile(share, interpolation="nearest")
    values["missing"] = (rows - known.count()) / rows
    if classes:
        classes.append(_Class(missing / trained, rows - known.count()))
        psi = _stability(classes, rows, trained)
        sure = _chi_squared(len(classes) - 1)
        scale = rows * trained / (rows + trained)
        drifted = (psi > _NOTICEABLE) & (psi * scale > sure)
        values["psi"] = psi
    else:
        drifted = pl.lit(False)
    return _struct(feature["name"], drifted | (unseen > _UNSEEN).fill_null(value=False), values)


def _of_scores(features: pl.Expr, model: Model, contamination: float | None, device: str) -> pl.Expr:
    share = 0.01 if contamination is None else contamination
    promised = 1 - _core.model_share_below(model.to_bytes(), model.threshold(share))
    found = detect(features, model, contamination=share, device=device)
    outliers = found.struct.field("outlier").mean()
    rows = found.struct.field("outlier").count()
    away = (outliers - promised).abs() > 4 * (max(promised, 1e-9) * (1 - promised) / rows).sqrt()
    ratio = (outliers > _MORE * promised) | (outliers < promised / _MORE)
    return _struct(None, away & ratio, {"training_outliers": promised, "outliers": outliers})


def _struct(feature: str | None, drifted: pl.Expr, values: dict[str, float | pl.Expr | None]) -> pl.Expr:
    def field(name: str) -> pl.Expr:
        value = values.get(name)
        expression = value if isinstance(value, pl.Expr) else pl.lit(value)
        return expression.cast(pl.Float64).alias(name)

    named = pl.lit(feature, dtype=pl.String).alias("feature")
    return pl.struct(
        named, drifted.alias("drifted"), *[field(name) for name in _SCHEMA if name not in {"feature", "drifted"}]
    )


def _finite(column: pl.Expr, kind: str) -> pl.Expr:
    """A feature's numbers, as the model keeps them; null for what is missing."""
    of_kind = {
        "Datetime": lambda: column.dt.timestamp("us"),
        "Duration": column.dt.total_microseconds,
        "Date": column.to_physical,
        "Time": column.to_physical,
    }
    value = of_kind.get(kind, lambda: column)().cast(pl.Float64)
    return pl.when(value.is_finite()).then(value)


def _of_numbers(value: pl.Expr, quantiles: list[float], at_most: list[int], trained: int) -> list[_Class]:
    """The deciles of the training values, those that coincide as one class; of few values, each of them."""
    all_edges = dict(zip(quantiles[:-1], at_most[:-1], strict=True))
    edges = all_edges if len(all_edges) <= len(_BINS) else {quantiles[at]: at_most[at] for at in _BINS}
    counts = [(value <= edge).sum() for edge in edges]
    of_training = [0, *edges.values(), at_most[-1]]
    of_rows = [pl.lit(0), *counts, value.count()]
    return [
        _Class((of_training[at + 1] - of_training[at]) / trained, of_rows[at + 1] - of_rows[at])
        for at in range(len(of_rows) - 1)
    ]


def _of_category(value: pl.Expr, category: tuple[list[str], list[int], int], trained: int) -> list[_Class]:
    """The most frequent values, and all others."""
    names, counts, _ = category
    listed = [
        _Class(count / trained, (value == name).sum())
        for name, count in zip(names[:_VALUES], counts[:_VALUES], strict=True)
    ]
    others = value.count() - reduce(add, (each.count for each in listed), pl.lit(0))
    all_known = sum(counts) + category[2]
    return [*listed, _Class((all_known - sum(counts[:_VALUES])) / trained, others)]


def _stability(classes: list[_Class], rows: pl.Expr, trained: int) -> pl.Expr:
    """The population stability index of some classes."""

    def part(of: _Class) -> pl.Expr:
        p = (of.share * trained + 0.5) / (trained + 0.5 * len(classes))
        q = (of.count.cast(pl.Float64) + 0.5) / (rows + 0.5 * len(classes))
        return (q - p) * (q / p).log()

    return reduce(add, (part(of) for of in classes))


def _chi_squared(freedom: int) -> float:
    """The quantile of χ² at 0.999, by Wilson and Hilferty's approximation."""
    if freedom < 1:
        return math.inf
    spread = 2 / (9 * freedom)
    return freedom * (1 - spread + _SURE * math.sqrt(spread)) ** 3
