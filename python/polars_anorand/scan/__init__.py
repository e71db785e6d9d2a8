"""Fits on data larger than memory: one pass counts and samples the rows, another scores them for the quantiles."""

from __future__ import annotations

import contextlib
import os
import warnings
from typing import TYPE_CHECKING, Literal, cast, overload

import polars as pl

from polars_anorand import _frames, _paths
from polars_anorand._arguments import Columns, Labels, Training, placed
from polars_anorand._options import integer
from polars_anorand.model import Model
from polars_anorand.profile import features as worth_fitting_on
from polars_anorand.progress import progress as show_progress
from polars_anorand.scan._groups import keys_of, with_nulls
from polars_anorand.scan._init import FALLBACK, Init, ModelsOfGroups, OneModel
from polars_anorand.scan._passes import INPUT, Fit, fit_all, fit_groups, plugin_call

__all__ = ["FALLBACK", "train", "with_nulls"]

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions, Precision, SmallGroups

_ROWS = 1_000_000
"""The size of the sample by default."""
_ROWS_OF_GROUP = 100_000
"""The size of the sample of each group by default."""
_FEW = 20
"""A table of this number of rows is too small to be warned of constants."""
_SHOWN = 5
"""The number of constant features that a warning names."""


@overload
def train(
    frame: pl.LazyFrame | pl.DataFrame,
    features: Columns | None = None,
    *,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    by: None = None,
    init: OneModel | None = None,
    replay: str | pl.Expr | pl.Series | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    path: str | os.PathLike[str] | None = None,
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> Model: ...


@overload
def train(
    frame: pl.LazyFrame | pl.DataFrame,
    features: Columns | None = None,
    *,
    by: Columns,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    fallback: bool = False,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    init: ModelsOfGroups | None = None,
    replay: str | pl.Expr | pl.Series | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> pl.DataFrame: ...


def train(
    frame: pl.LazyFrame | pl.DataFrame,
    features: Columns | None = None,
    *,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    by: Columns | None = None,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    fallback: bool = False,
    init: ModelsOfGroups | None = None,
    replay: str | pl.Expr | pl.Series | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    path: str | os.PathLike[str] | None = None,
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> Model | pl.DataFrame:
    """Fit a model on a frame, now. The data need not fit into memory.

    A first pass counts, in batches: rows, missing values, the rows of each category, the lowest and the highest value
    of each feature; and it draws a uniform sample of the rows. The model is fitted on the sample, with these counts and
    extremes. A second pass scores all rows, for the quantiles from which thresholds and percentiles are taken.

    Up to ``sample`` rows, the model is the same to the byte as that of :func:`polars_anorand.fit`. Beyond, the sample
    depends on the order of the rows, not on the batches. Quartiles and the shares of usual values are those of the
    sample: the rank of a quantile is within 0.1 % of the rows (two standard errors of the median in a million rows).

    Parameters
    ----------
    frame
        A DataFrame, or a LazyFrame such as that of ``pl.scan_parquet``. It is read in batches by Polars 1.34 and later;
        before, the features are collected.
    features
        As :func:`polars_anorand.fit`. By default, those that :func:`polars_anorand.features` names, other than the
        columns of ``by``, ``labels`` and ``replay``; finding them takes one more pass over the data.
    labels, by, small_groups, min_group_rows, device, precision, **options
        As :func:`polars_anorand.fit`. With ``by``, there is a model for each group: the same as of a scan of its rows
        alone.
    fallback
        With ``by``, whether a group that has no model of its own, since it is too small, gets one of all rows, without
        a warning. So its rows are scored, but as if the group meant nothing: a key that says what is usual belongs
        among the features of one model instead. ``init=`` takes no such model for the group's own.
    sample
        The number of rows of the sample, at least 2; by default 1,000,000, with ``by`` 100,000 of each group.
        It must be given with labels, which may be rare in it, and with ``max_samples=0``, with which each member learns
        from all its rows.
    init
        A model to go on from, as by :func:`polars_anorand.fit`: a path, bytes or a :class:`Model`, read before the scan
        is. The counts and extremes of all rows are added to its own; ``seed`` and ``missing`` are its own by
        default. With ``by``, every group goes on from it; or give a frame of the keys and ``model``, as
        ``train(by=…)`` returns it: each group goes on from its own model, and starts anew if it is not in the frame
        or its model is null.
    replay
        As :func:`polars_anorand.fit`, with ``init``. The sample is drawn from all rows, replayed ones among them.
        Groups that start anew take no note of it.
    calibrate
        ``"all"``: thresholds and percentiles are those of all rows, by rank; the value of a quantile below the highest
        4,096 scores is exact up to 262,144 different scores; beyond, it is rounded to 2e-5 of itself where no tie is.
        ``"sample"``: no second pass; those of the sample.
    path
        Also saves the model to this file, atomically. Not with ``by``.
    progress
        As :func:`polars_anorand.fit`; rows that are gathered and scored are counted.

    Returns
    -------
    Model, or DataFrame with ``by``
        A model's ``training`` has ``rows`` (of the scan, and with ``init`` of all earlier fits), ``sampled`` (rows of
        the sample, where that is not all), and ``scored`` (rows that the quantiles are of, where that is not all). The
        frame has the keys and ``model`` (Binary; null for a group too small), groups in the order in which they appear;
        with ``fallback=True`` also ``fallback`` (Boolean), true where the model is that of all rows.
        Keys are what a join can be on.
        A pass before the first counts the groups. Memory holds at most 4,000,000 sampled rows at a time, or ``sample``
        if that is more: the scan is read again for each further set of groups.

    Raises
    ------
    TypeError, ValueError, OSError
        At once, for an argument of another type or value, or a file of ``init`` that can't be read.
    PolarsError
        As the query of the frame and :func:`polars_anorand.fit` raise: before the scan is read, for options, dtypes
        and models of ``init`` that don't fit together.

    Warns
    -----
    UserWarning
        As :func:`polars_anorand.fit`, and of a feature that has one value in more than 20 training rows, but not with
        ``by``.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> table = pl.LazyFrame({"x": [float(i * 7 % 300) for i in range(2000)], "y": [i % 11 for i in range(2000)]})
    >>> model = anorand.train(table, ["x", "y"], sample=500, members=2)
    >>> model.training["rows"], model.training["sampled"]
    (2000, 500)
    >>> next_day = table.filter(pl.col("y") < 9)
    >>> model = anorand.train(next_day, ["x", "y"], sample=500, init=model, min_steps=60)
    >>> model.training["rows"], model.options["members"]
    (3638, 2)

    """
    if calibrate not in ("all", "sample"):
        raise ValueError(f'calibrate must be "all" or "sample", got {calibrate!r}')
    if by is not None and path is not None:
        raise TypeError("train takes a path for one model, not with by, which fits one for each group")
    if fallback and (by is None or small_groups == "error"):
        raise TypeError("fallback=True goes with by, and with small_groups='null'")
    rows = _sample(sample, labels, options, _ROWS if by is None else _ROWS_OF_GROUP)
    training = Training(
        options, labels, by, small_groups, min_group_rows, progress, replay=replay, has_models=init is not None
    )
    destination = None if path is None else _paths.to_write(path)
    placement = placed(device, precision)
    table = _frames.checked(frame).lazy()
    names = _default_features(frame, by, labels, replay) if features is None else features
    rows_of = table.select(training.input(names).alias(INPUT))
    models = _checked(training, rows_of, init)

    def whole() -> Model:
        """Fit the model of all rows, which a group without one of its own gets."""
        one = None if isinstance(init, (pl.DataFrame, pl.LazyFrame)) else init
        return train(
            frame,
            names,
            sample=sample,
            labels=labels,
            calibrate=calibrate,
            init=one,
            replay=None if one is None else replay,
            device=device,
            precision=precision,
            progress=progress,
            **options,
        )

    if sample is None and options.get("max_samples") is None and models.learn_from_all():
        raise _no_sample("max_samples=0 of the model of init")
    fit = Fit(training, models, rows, calibrate == "all", placement)
    with show_progress(always=progress == "always") if progress else contextlib.nullcontext():
        if by is not None:
            return _with_fallback(fit, rows_of, whole) if fallback else fit_groups(fit, rows_of)
        model = Model(fit_all(fit, rows_of))
    _warn_of_constants(model)
    if destination is not None:
        model.save(destination)
    return model


def _with_fallback(fit: Fit, rows_of: pl.LazyFrame, whole: Callable[[], Model]) -> pl.DataFrame:
    """Fit a model for each group, and give the groups without one that of all rows."""
    with warnings.catch_warnings():
        # The column of the result says which groups these are, and none of them gets a null.
        warnings.filterwarnings(
            "ignore", message="anorand: .* are too small for a model and get a null", category=UserWarning
        )
        models = fit_groups(fit, rows_of)
    if FALLBACK in models.columns:
        raise ValueError(f"fallback=True adds a column {FALLBACK!r}, which is a key of by: give the key another name")
    is_fallback = models["model"].is_null()
    data = pl.lit(whole().to_bytes() if is_fallback.any() else None, dtype=pl.Binary)
    return models.with_columns(pl.col("model").fill_null(data), is_fallback.alias(FALLBACK))


def _default_features(frame: pl.LazyFrame | pl.DataFrame, *others: object) -> list[str]:
    """Return the columns that are worth fitting on, without those that the ``others`` are made of."""
    taken: set[str] = set()
    for other in others:
        if isinstance(other, pl.Series) or other is None:
            continue
        # A selector names its columns only once the frame is known, and an expression renames them.
        columns = pl.struct(cast("Columns", other))
        taken |= {*columns.meta.root_names(), *frame.lazy().select(columns.struct.unnest()).collect_schema()}
    return [name for name in worth_fitting_on(frame) if name not in taken]


def _warn_of_constants(model: Model) -> None:
    """Warn of features that have the same value in all training rows."""
    numbers = pl.col("minimum") == pl.col("maximum")
    one = pl.col("categories").list.len() == 1
    whole = pl.col("categories").list.first().struct.field("share") == 1
    constant = (numbers | (one & whole)) & (pl.col("missing") == 0)
    names = model.statistics.filter(constant)["feature"].to_list()
    if names and model.training["rows"] > _FEW:
        shown = ", ".join(repr(name) for name in names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
        warnings.warn(
            f"anorand: one value in all training rows of {shown}: any other value will be flagged, as that of the next "
            "day or file; leave such a feature out, unless a change of it is an anomaly",
            stacklevel=3,
        )


def _checked(training: Training, frame: pl.LazyFrame, init: ModelsOfGroups | None) -> Init:
    """Return the models to go on from; raise for what can't be fitted, before a row is read."""
    kwargs = training.kwargs
    frame.select(plugin_call("anorand_check_scan", kwargs, pl.col(INPUT))).collect_schema()
    models = Init(init, keys_of(frame, INPUT) if training.has_groups else None)
    if init is not None:
        none = pl.DataFrame(schema=frame.collect_schema())
        none.select(plugin_call("anorand_check_scan", kwargs, pl.col(INPUT), *models.inputs()))
    return models


def _sample(sample: int | None, labels: Labels | None, options: FitOptions, default: int) -> int:
    if sample is None:
        for reason in ["labels" * (labels is not None), "max_samples=0" * (options.get("max_samples") == 0)]:
            if reason:
                raise _no_sample(reason)
        return default
    checked = integer("sample", sample, low=2)
    if checked is None or checked < 2:
        raise ValueError(f"sample must be at least 2 rows, got {sample!r}")
    return checked


def _no_sample(reason: str) -> TypeError:
    return TypeError(f"with {reason}, train needs to be told the number of rows to learn from: sample=…")
