"""Fits on data larger than memory: one pass for counts and a sample, one for the quantiles of the scores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, cast

import polars as pl

from polars_anorand import _paths, _register
from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import Columns, Labels, Training, placed
from polars_anorand._options import integer
from polars_anorand.functions import score
from polars_anorand.model import Model
from polars_anorand.progress import progress as show_progress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions, Precision

_ROWS = 1_000_000
_INPUT = "anorand input"


def fit_scan(
    scan: pl.LazyFrame | pl.DataFrame,
    features: Columns,
    *,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    device: str = "auto",
    precision: Precision = "float32",
    path: str | os.PathLike[str] | None = None,
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> Model:
    """Fit a model on data that need not fit into memory, now.

    A first pass counts, in batches: rows, missing values, the rows of each category, the lowest and the highest value
    of each feature; and it draws a uniform sample of the rows. The model is fitted on the sample, with these counts and
    extremes. A second pass scores all rows, for the quantiles from which thresholds and percentiles are taken.

    Up to ``sample`` rows, the model is the same to the byte as that of :func:`polars_anorand.fit`. Beyond, the sample
    depends on the order of the rows, not on the batches. Quartiles and the shares of usual values are those of the
    sample: the rank of a quantile is within 0.1 % of the rows (two standard errors of the median in a million rows).

    Parameters
    ----------
    scan
        A lazy frame, as of ``pl.scan_parquet``, or a frame. It is read in batches by Polars 1.34 and later; before, the
        features are collected.
    features, labels, device, precision, **options
        As :func:`polars_anorand.fit`.
    sample
        The number of rows of the sample, at least 2; 1,000,000 if nothing is said. It must be said with labels, which
        may be rare in it, and with ``max_samples=0``, with which each member learns from all its rows.
    calibrate
        ``"all"``: thresholds and percentiles are those of all rows, by rank; the value of a quantile below the highest
        4,096 scores is rounded to 4e-6 of itself. ``"sample"``: no second pass; those of the sample.
    path
        Also write the model to this file, whole or not at all.
    progress
        As :func:`polars_anorand.fit`; rows of both passes are counted.

    Returns
    -------
    Model
        Its ``training`` has ``rows`` (of the scan), ``sampled`` (rows of the sample, where that is not all), and
        ``scored`` (rows that the quantiles are of, where that is not all).

    Raises
    ------
    TypeError, ValueError
        At once, for an argument of another type or value.
    PolarsError
        As the query that is scanned and :func:`polars_anorand.fit` raise.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> table = pl.LazyFrame({"x": [float(i * 7 % 300) for i in range(2000)], "y": [i % 11 for i in range(2000)]})
    >>> model = anorand.fit_scan(table, ["x", "y"], sample=500, members=2)
    >>> model.training["rows"], model.training["sampled"]
    (2000, 500)

    """
    if calibrate not in ("all", "sample"):
        raise ValueError(f'calibrate must be "all" or "sample", got {calibrate!r}')
    sample = _sample(sample, labels, options)
    training = Training(options, labels, None, "null", 20, progress)
    destination = None if path is None else _paths.to_write(path)
    placement = placed(device, precision)
    frame = scan.lazy().select(training.input(features).alias(_INPUT))
    gathered = _core.Scan(sample, options.get("seed") or 0)
    rows = 0
    with show_progress(always=progress == "always") if progress else contextlib.nullcontext():
        for batch in _batches(frame):
            rows = batch.select(_call("anorand_observe", {"scan": gathered.id, "training": training.kwargs})).item()
        fit: dict[str, Any] = {
            "training": training.kwargs,
            **placement,
            "path": None,
            "progress": None,
            "name": "model",
        }
        call = _call("anorand_fit_scan", {"scan": gathered.id, "fit": fit}, pl.lit(0))
        data: bytes = pl.select(call).item()
        if calibrate == "all" and rows > sample:
            data = _calibrated(gathered, data, frame, labels is not None, placement)
    model = Model(data)
    if destination is not None:
        model.save(destination)
    return model


def _sample(sample: int | None, labels: Labels | None, options: FitOptions) -> int:
    if sample is None:
        for reason in ["labels" * (labels is not None), "max_samples=0" * (options.get("max_samples") == 0)]:
            if reason:
                raise TypeError(f"with {reason}, fit_scan needs to be told the number of rows to learn from: sample=…")
        return _ROWS
    checked = integer("sample", sample, low=2)
    if checked is None or checked < 2:
        raise ValueError(f"sample must be at least 2 rows, got {sample!r}")
    return checked


def _calibrated(
    gathered: _core.Scan, data: bytes, frame: pl.LazyFrame, labelled: bool, placement: dict[str, str]
) -> bytes:
    """The model with the quantiles of the scores of all rows."""
    features = pl.col(_INPUT).struct.field("features") if labelled else pl.col(_INPUT)
    scores = score(
        features,
        data,
        device=placement["device"],
        precision=cast("Precision", placement["precision"]),
        name="anorand score",
    )
    for batch in _batches(frame):
        batch.select(scores).select(_call("anorand_observe_scores", {"scan": gathered.id}, pl.col("anorand score")))
    return gathered.calibrated(data)


def _call(function: str, kwargs: dict[str, Any], on: pl.Expr | None = None) -> pl.Expr:
    return _register.aggregation(function, [pl.col(_INPUT) if on is None else on], kwargs)


def _batches(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows in their order."""
    if hasattr(frame, "collect_batches"):
        yield from frame.collect_batches(maintain_order=True)
    else:
        yield from frame.collect().iter_slices(_ROWS)
