"""The verbs, as plain typed functions. The expression namespace calls them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import polars as pl

from polars_anorand import _plugin
from polars_anorand._options import typed
from polars_anorand.model import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions

Features: TypeAlias = "str | pl.Expr | Iterable[str | pl.Expr]"
"""Columns, selectors or expressions, of any number of columns; a struct stands for its fields."""

ModelLike: TypeAlias = "str | os.PathLike[str] | bytes | Model | pl.Expr | pl.Series"
"""A model: a file's path, the bytes of one, a :class:`Model`, or an expression of Binary, with one model for all rows
or one a row."""


def fit(
    features: Features,
    *,
    device: str = "auto",
    path: str | os.PathLike[str] | None = None,
    **options: Unpack[FitOptions],
) -> pl.Expr:
    """Fit a model on all rows: one value, the bytes of the model.

    Parameters
    ----------
    features
        The columns to learn from: integers, floats, Decimal, Boolean, Date, Datetime, Duration or Time. A struct stands
        for its fields.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    path
        Also write the model to this file, whole or not at all. In a ``group_by`` every group would write to it: leave
        it out there.
    **options
        See :class:`polars_anorand.FitOptions`.

    Returns
    -------
    Expr
        An aggregation of dtype Binary, named ``model``.

    Raises
    ------
    TypeError
        At once, for an option that does not exist or has another type.
    ComputeError, SchemaMismatch
        From the query: an option out of its range, a column of another dtype, fewer than two rows without a missing
        value, a path that can't be written.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9]})
    >>> frame.select(anorand.fit(["x", "y"], epochs=5, min_steps=0)).schema
    Schema([('model', Binary)])

    """
    kwargs = {
        "options": typed(options),
        "device": _device(device),
        "path": None if path is None else _absolute(path),
    }
    return _plugin.aggregation("anorand_fit", [_struct(features)], kwargs).alias("model")


def score(
    features: Features,
    model: ModelLike | None = None,
    *,
    device: str = "auto",
    **options: Unpack[FitOptions],
) -> pl.Expr:
    """The anomaly score of every row: the higher, the more anomalous.

    Parameters
    ----------
    features
        The columns that the model was fitted on, in any order: they are matched by name.
    model
        The model, or one a row. Without one, a model is fitted on the rows themselves.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    **options
        Options of the fit, only without a model; see :class:`polars_anorand.FitOptions`.

    Returns
    -------
    Expr
        Float32 in (0, 1), named ``score``. With a model it is elementwise, so that Polars can stream it. Null for a row
        with a null, NaN or infinity in a feature (unless the model was fitted with another ``missing``), and for a null
        model.

    Raises
    ------
    TypeError
        At once, for fit options beside a model, for an option that does not exist, or for a model of another type.
    ComputeError, SchemaMismatch, ColumnNotFound
        From the query: not a model, a feature that is missing, unexpected or of another kind.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9]})
    >>> model = frame.select(anorand.fit(["x", "y"], epochs=5, min_steps=0)).item()
    >>> frame.lazy().with_columns(anorand.score(["x", "y"], model)).collect_schema()["score"]
    Float32

    """
    struct = _struct(features)
    kwargs = {"model": None, "fit": None, "device": _device(device)}
    if model is None:
        return _plugin.whole_column("anorand_score", [struct], {**kwargs, "fit": typed(options)}).alias("score")
    if options:
        raise TypeError(f"score takes options of a fit only without a model, got {', '.join(options)}")
    if isinstance(model, (str, os.PathLike)):
        expression = _plugin.elementwise("anorand_score", [struct], {**kwargs, "model": _absolute(model)})
    else:
        expression = _plugin.elementwise("anorand_score", [struct, _model_value(model)], kwargs)
    return expression.alias("score")


def _struct(features: Features) -> pl.Expr:
    # One input, so that the names travel with the columns, and so that Polars runs groups in parallel.
    return pl.struct(features)


def _model_value(model: object) -> pl.Expr:
    if isinstance(model, pl.Expr):
        return model
    if isinstance(model, Model):
        return pl.lit(model.to_bytes(), dtype=pl.Binary)
    if isinstance(model, (bytes, bytearray, memoryview)):
        return pl.lit(bytes(model), dtype=pl.Binary)
    if isinstance(model, pl.Series):
        return pl.lit(model)
    raise TypeError(
        f"model must be a path, bytes, a Model, or an expression or Series of Binary, got {type(model).__name__}"
    )


def _device(device: object) -> str:
    if not isinstance(device, str):
        raise TypeError(f"device must be a str, got {device!r} ({type(device).__name__})")
    return device


def _absolute(path: str | os.PathLike[str]) -> str:
    # A lazy query may run after the process has changed its folder.
    path = os.fspath(path)
    if not isinstance(path, str):
        raise TypeError(f"a path must be a str, got {path!r}")
    return os.path.abspath(os.path.expanduser(path))
