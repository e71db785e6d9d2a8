"""The verbs, as plain typed functions. The expression namespace calls them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

from polars_anorand import _plugin
from polars_anorand._options import number, typed
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
    return _applied("anorand_score", features, model, device, options, {}).alias("score")


def detect(
    features: Features,
    model: ModelLike | None = None,
    *,
    contamination: float | None = None,
    threshold: float | None = None,
    device: str = "auto",
    **options: Unpack[FitOptions],
) -> pl.Expr:
    """Score every row, place it among the training rows, and call it an outlier or not, in one pass.

    Parameters
    ----------
    features
        The columns that the model was fitted on, in any order: they are matched by name.
    model
        The model, or one a row. Without one, a model is fitted on the rows themselves.
    contamination
        The share of the training rows to call outliers, above 0 and below 1; 0.01 if neither this nor ``threshold`` is
        given. Another share needs no other fit.
    threshold
        The score above which a row is an outlier, instead of ``contamination``.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"cuda:N"``.
    **options
        Options of the fit, only without a model; see :class:`polars_anorand.FitOptions`.

    Returns
    -------
    Expr
        A struct named ``anomaly``: ``score`` (Float32, as :func:`score`), ``percentile`` (Float32, 0 to 1: the share of
        the training rows with a lower score, to 0.001, and to 0.0001 in the top 1 %), and ``outlier`` (Boolean). The
        fields are null where the score is.

    Raises
    ------
    TypeError
        At once, as :func:`score`, and for both ``contamination`` and ``threshold``.
    ComputeError, SchemaMismatch, ColumnNotFound
        From the query, as :func:`score`, and for a contamination out of its range.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [*range(100), 500], "y": [*range(0, 200, 2), 900]})
    >>> flagged = frame.with_columns(anorand.detect(["x", "y"], contamination=0.01))
    >>> flagged.filter(pl.col("anomaly").struct.field("outlier")).select("x", "y").rows()
    [(500, 900)]

    """
    if contamination is not None and threshold is not None:
        raise TypeError("detect takes a contamination or a threshold, not both")
    limits = {"contamination": number("contamination", contamination), "threshold": number("threshold", threshold)}
    return _applied("anorand_detect", features, model, device, options, limits).alias("anomaly")


def _applied(
    function: str,
    features: Features,
    model: ModelLike | None,
    device: str,
    options: FitOptions,
    more: dict[str, Any],
) -> pl.Expr:
    """A call that applies a model. What the verb takes ``more`` than score does goes beside the rest."""
    struct = _struct(features)
    apply: dict[str, Any] = {"model": None, "fit": None, "device": _device(device)}
    args = [struct]
    if model is None:
        apply["fit"] = typed(options)
    elif options:
        raise TypeError(f"options of a fit go without a model, got a model and {', '.join(options)}")
    elif isinstance(model, (str, os.PathLike)):
        apply["model"] = _absolute(model)
    else:
        args.append(_model_value(model))
    kwargs = {"apply": apply, **more} if more else apply
    register = _plugin.whole_column if model is None else _plugin.elementwise
    return register(function, args, kwargs)


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
