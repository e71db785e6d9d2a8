"""Whether rows are still like the training rows, feature by feature and in their scores."""

from __future__ import annotations

from typing import overload

import polars as pl

from polars_anorand import _frames, _register
from polars_anorand._arguments import Columns, ModelLike, one_model, struct, text
from polars_anorand._options import CONTAMINATION, number
from polars_anorand.model import Model


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
    contamination: float = CONTAMINATION,
    device: str = "auto",
    name: str = "drift",
) -> pl.DataFrame | pl.Expr:
    """How far rows have moved away from a model's training rows, feature by feature, and in their scores.

    The kind of the first argument decides what it returns: a frame gives a DataFrame at once, columns give an
    expression for a query.

    Parameters
    ----------
    data
        A frame, eager or lazy, that has the model's features; a LazyFrame is collected. Or the features as columns of a
        query, by name, as expressions or as a list of both; then the result is an aggregation, as in
        ``group_by("day").agg(x.anorand.drift(model))``.
    model
        A path, bytes or a :class:`Model`. It must be known when the query is built: not an expression.
    contamination
        The share of the training rows that count as outliers, above 0 and below 1.
    device
        As :func:`polars_anorand.score`.
    name
        The name of the column that an aggregation gives.

    Returns
    -------
    DataFrame of a DataFrame or a LazyFrame, Expr of columns
        The DataFrame has a row for each feature, the largest ``psi`` first, and a last row, whose ``feature`` is null,
        for the scores. The Expr gives a list of such rows as structs, in the model's order; ``explode`` and ``unnest``
        make a frame of them. Both have the fields

        * ``feature`` (String).
        * ``drifted`` (Boolean): of a feature, a ``psi`` above 0.1 that a sample of that size from the training rows
          would reach less than once in a thousand times (χ² test), or unseen values. Of these, a share is to be
          expected: that of the training rows that were alone in their value (Good and Turing). A share is drift if it
          is 1 % of the values above the expected one, with a p-value below 0.001 (binomial test). Of the scores, a
          share of outliers that is 1.5 times as high as in training, or as low, and 4 standard deviations away.
        * ``psi`` (Float64): the population stability index, Σ (q − p)·ln(q/p), with p and q the shares of the training
          rows and of these. The classes are the deciles of the training values, or the 20 most frequent values of a
          category and all others; and missing values. Half a row is added to each class. Null for a Date or Datetime
          of which the hours, days and months count: later times are no drift.
        * ``training_lower_quartile``, ``lower_quartile``, and the same of ``median`` and ``upper_quartile`` (Float64;
          null for times and categories), ``training_missing``, ``missing`` (Float64, shares of the rows), ``unseen``
          (Float64, of a category: the share of the values that no training row had). With ``missing="null"``, rows
          that the model does not score count for ``missing`` only, and ``training_missing`` is null: the fit left such
          rows out.
        * ``training_outliers``, ``outliers`` (Float64, only of the scores): the shares of the rows above the threshold
          of ``contamination``. Both should be alike.

    Raises
    ------
    TypeError
        If the model is an expression.
    OSError, ValueError
        If the model can't be read, or was written before models kept the quantiles of their features; for a Series of
        several models, and a contamination out of its range.
    ColumnNotFoundError
        If the frame lacks a feature of the model.
    ComputeError
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
    known = one_model("drift", model)
    share = number("contamination", contamination)
    known.threshold(CONTAMINATION if share is None else share)  # An error at once, where it is out of its range.
    if isinstance(data, (pl.DataFrame, pl.LazyFrame)):
        _frames.require(data, known.features)
        call = _call(pl.struct(known.features), known, share, device, "drift")
        found = data.lazy().select(call).collect().explode("drift").unnest("drift")
        return found.sort(pl.col("feature").is_null(), -pl.col("psi"), nulls_last=True, maintain_order=True)
    return _call(struct(data), known, share, device, text("name", name))


def _call(features: pl.Expr, model: Model, contamination: float | None, device: str, name: str) -> pl.Expr:
    kwargs = {"contamination": contamination, "device": text("device", device), "name": name}
    inputs = [features, pl.lit(model.to_bytes(), dtype=pl.Binary)]
    return _register.aggregation("anorand_drift", inputs, kwargs).alias(name)
