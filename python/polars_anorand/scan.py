"""Fits on data larger than memory: one pass for counts and a sample, one for the quantiles of the scores."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast, overload

import polars as pl

from polars_anorand import _paths, _register
from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import Columns, Labels, Training, placed
from polars_anorand._options import LARGEST, integer
from polars_anorand._scan_groups import NUMBER, Groups
from polars_anorand.functions import score
from polars_anorand.model import Model
from polars_anorand.progress import progress as show_progress

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions, Precision, SmallGroups

_ROWS = 1_000_000
_ROWS_OF_GROUP = 100_000
_INPUT = "anorand input"
_SCORE = "anorand score"
_MODEL = "anorand model"


@overload
def fit_scan(
    scan: pl.LazyFrame | pl.DataFrame,
    features: Columns,
    *,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    by: None = None,
    device: str = "auto",
    precision: Precision = "float32",
    path: str | os.PathLike[str] | None = None,
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> Model: ...


@overload
def fit_scan(
    scan: pl.LazyFrame | pl.DataFrame,
    features: Columns,
    *,
    by: Columns,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    device: str = "auto",
    precision: Precision = "float32",
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> pl.DataFrame: ...


def fit_scan(
    scan: pl.LazyFrame | pl.DataFrame,
    features: Columns,
    *,
    sample: int | None = None,
    labels: Labels | None = None,
    calibrate: Literal["all", "sample"] = "all",
    by: Columns | None = None,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    device: str = "auto",
    precision: Precision = "float32",
    path: str | os.PathLike[str] | None = None,
    progress: bool | Literal["always"] = False,
    **options: Unpack[FitOptions],
) -> Model | pl.DataFrame:
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
    features, labels, by, small_groups, min_group_rows, device, precision, **options
        As :func:`polars_anorand.fit`. With ``by``, there is a model for each group: the same as of a scan of its rows
        alone.
    sample
        The number of rows of the sample, at least 2; 1,000,000 if nothing is said, with ``by`` 100,000 of each group.
        It must be said with labels, which may be rare in it, and with ``max_samples=0``, with which each member learns
        from all its rows.
    calibrate
        ``"all"``: thresholds and percentiles are those of all rows, by rank; the value of a quantile below the highest
        4,096 scores is rounded to 4e-6 of itself. ``"sample"``: no second pass; those of the sample.
    path
        Also write the model to this file, whole or not at all. Not with ``by``.
    progress
        As :func:`polars_anorand.fit`; rows that are gathered and scored are counted.

    Returns
    -------
    Model, or DataFrame with ``by``
        A model's ``training`` has ``rows`` (of the scan), ``sampled`` (rows of the sample, where that is not all), and
        ``scored`` (rows that the quantiles are of, where that is not all). The frame has the keys and ``model``
        (Binary; null for a group too small), groups in the order in which they appear. Keys are what a join can be on.
        A pass before the first counts the groups. Memory holds at most 4,000,000 sampled rows at a time, or ``sample``
        if that is more: the scan is read again for each further set of groups.

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
    if by is not None and path is not None:
        raise TypeError("fit_scan takes a path for one model, not with by, which fits one for each group")
    rows = _sample(sample, labels, options, _ROWS if by is None else _ROWS_OF_GROUP)
    training = Training(options, labels, by, small_groups, min_group_rows, progress)
    destination = None if path is None else _paths.to_write(path)
    fit = _Fit(training, labels is not None, rows, _seed(options), calibrate == "all", placed(device, precision))
    frame = scan.lazy().select(training.input(features).alias(_INPUT))
    with show_progress(always=progress == "always") if progress else contextlib.nullcontext():
        if by is not None:
            return _of_groups(fit, frame)
        model = Model(_of_all(fit, frame))
    if destination is not None:
        model.save(destination)
    return model


class _Fit(NamedTuple):
    """How to fit, checked."""

    training: Training
    has_labels: bool
    sample: int
    seed: int
    is_calibrated: bool
    placement: dict[str, str]

    def observed(self, frame: pl.LazyFrame) -> tuple[_core.Scan, int]:
        """What is gathered of all rows, and the number of those that a fit can use."""
        gathered = _core.Scan(self.sample, self.seed)
        call = _call("anorand_observe", {"scan": gathered.id, "training": self.training.kwargs}, pl.col(_INPUT))
        rows = 0
        for batch in _batches(frame):
            rows = batch.select(call).item()
        return gathered, rows

    def kwargs(self, gathered: _core.Scan) -> dict[str, Any]:
        """Of the fit of what is gathered."""
        fit = {"training": self.training.kwargs, **self.placement, "path": None, "progress": None, "name": "model"}
        return {"scan": gathered.id, "fit": fit}

    def scores(self, model: bytes | pl.Expr) -> pl.Expr:
        """The scores of the rows of a scan."""
        is_packed = self.has_labels or self.training.has_groups
        features = pl.col(_INPUT).struct.field("features") if is_packed else pl.col(_INPUT)
        precision = cast("Precision", self.placement["precision"])
        return score(features, model, device=self.placement["device"], precision=precision, name=_SCORE)


def _of_all(fit: _Fit, frame: pl.LazyFrame) -> bytes:
    """The model of all rows."""
    gathered, rows = fit.observed(frame)
    data: bytes = pl.select(_call("anorand_fit_scan", fit.kwargs(gathered), pl.lit(0))).item()
    if not fit.is_calibrated or rows <= fit.sample:
        return data
    observe = _call("anorand_observe_scores", {"scan": gathered.id}, pl.col(_SCORE))
    for batch in _batches(frame):
        batch.select(fit.scores(data)).select(observe)
    return gathered.calibrated(data)


def _of_groups(fit: _Fit, frame: pl.LazyFrame) -> pl.DataFrame:
    """The models of all groups, and their keys."""
    groups = Groups(frame, _INPUT)
    parts = [groups.none()]
    for part in groups.parts(max(fit.sample, Groups.SAMPLED_ROWS), fit.sample):
        gathered, _ = fit.observed(groups.rows_of(part))
        keys = pl.lit(None, dtype=pl.Struct(groups.keys))
        call = _register.rows_of_groups("anorand_fit_scan", [keys], fit.kwargs(gathered))
        models = pl.select(call).to_series().struct.unnest()
        parts.append(_calibrated_groups(fit, groups, gathered, part, models) if fit.is_calibrated else models)
    return pl.concat(parts)


def _calibrated_groups(
    fit: _Fit, groups: Groups, gathered: _core.Scan, part: pl.DataFrame, models: pl.DataFrame
) -> pl.DataFrame:
    """The models with the quantiles of the scores of all rows, where the sample is not all of them."""
    data = cast("list[bytes | None]", models["model"].to_list())
    observe = _call("anorand_observe_scores", {"scan": gathered.id}, pl.col(_SCORE), pl.col(NUMBER))
    sampled = [place for place, model in enumerate(data) if model is not None and "sampled" in Model(model).training]
    larger = part.with_columns(models["model"].alias(_MODEL))[sampled]
    for some in groups.split(larger, Groups.SCORED_ROWS, Groups.DISTINCT_SCORES):
        for batch in _batches(groups.rows_of(some, _MODEL)):
            batch.select(fit.scores(pl.col(_MODEL)), NUMBER).select(observe)
        for number in cast("list[int]", some[NUMBER].to_list()):
            data[number] = gathered.calibrated(data[number] or b"", number)
    return models.with_columns(pl.Series("model", data, dtype=pl.Binary))


def _sample(sample: int | None, labels: Labels | None, options: FitOptions, default: int) -> int:
    if sample is None:
        for reason in ["labels" * (labels is not None), "max_samples=0" * (options.get("max_samples") == 0)]:
            if reason:
                raise TypeError(f"with {reason}, fit_scan needs to be told the number of rows to learn from: sample=…")
        return default
    checked = integer("sample", sample, low=2)
    if checked is None or checked < 2:
        raise ValueError(f"sample must be at least 2 rows, got {sample!r}")
    return checked


def _seed(options: FitOptions) -> int:
    """That of the sample, which is that of the fit. It is drawn before the plugin checks the options."""
    seed = integer("seed", options.get("seed"), low=0) or 0
    if seed < 0:
        raise ValueError(f"seed must be a whole number from 0 to {LARGEST}, got {seed}")
    return seed


def _call(function: str, kwargs: dict[str, Any], *on: pl.Expr) -> pl.Expr:
    return _register.aggregation(function, list(on), kwargs)


def _batches(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """The rows in their order."""
    if hasattr(frame, "collect_batches"):
        yield from frame.collect_batches(maintain_order=True)
    else:
        yield from frame.collect().iter_slices(_ROWS)
