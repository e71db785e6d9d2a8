"""The passes over a scan: the first counts and samples the rows, the second scores them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import polars as pl

from polars_anorand import _polars_anorand as _core
from polars_anorand import _register
from polars_anorand._arguments import Training, unused
from polars_anorand.functions import score
from polars_anorand.scan._groups import NUMBER, Groups
from polars_anorand.scan._init import Init

if TYPE_CHECKING:
    from polars_anorand._options import Precision

INPUT = "anorand input"
"""The column of a scan that holds what a fit takes, as one struct."""

_ROWS = 1_000_000
"""The number of rows in a batch, where Polars does not read in batches itself."""
_SCORE = "anorand score"
_MODEL = "anorand model"


class Fit(NamedTuple):
    """How to fit. All arguments have been checked."""

    training: Training
    init: Init
    sample: int
    is_calibrated: bool
    placement: dict[str, str]

    def observed(self, frame: pl.LazyFrame, init: list[pl.Expr]) -> tuple[_core.Scan, int]:
        """Gather counts and a sample of all rows; also return the number of rows that a fit can use."""
        gathered = _core.Scan(self.sample)
        kwargs = {"scan": gathered.id, "training": self.training.kwargs}
        call = plugin_call("anorand_observe", kwargs, pl.col(INPUT), *init)
        rows = 0
        for batch in _batches(frame):
            rows = batch.select(call).item()
        return gathered, rows

    def kwargs(self, gathered: _core.Scan) -> dict[str, Any]:
        """Return the kwargs of the call that fits what was gathered."""
        fit = {"training": self.training.kwargs, **self.placement, "path": None, "progress": None, "name": "model"}
        return {"scan": gathered.id, "fit": fit}

    def scores(self, frame: pl.LazyFrame, model: bytes | pl.Expr) -> pl.Expr:
        """Return the expression that scores the rows of a scan."""
        features = pl.col(INPUT)
        dtype: object = frame.collect_schema()[INPUT]
        if self.training.is_packed:
            features, dtype = features.struct.field("features"), cast("pl.Struct", dtype).to_schema()["features"]
        names = dtype.to_schema() if isinstance(dtype, pl.Struct) else [INPUT]
        precision = cast("Precision", self.placement["precision"])
        device, name = self.placement["device"], unused(_SCORE, names)
        return score(features, model, device=device, precision=precision, name=name).alias(_SCORE)


def fit_all(fit: Fit, frame: pl.LazyFrame) -> bytes:
    """Fit one model on all rows."""
    init = fit.init.inputs()
    gathered, rows = fit.observed(frame, init)
    data: bytes = pl.select(plugin_call("anorand_fit_scan", fit.kwargs(gathered), pl.lit(0), *init)).item()
    if not fit.is_calibrated or rows <= fit.sample:
        return data
    observe = plugin_call("anorand_observe_scores", {"scan": gathered.id}, pl.col(_SCORE))
    scores = fit.scores(frame, data)
    for batch in _batches(frame):
        batch.select(scores).select(observe)
    check_unchanged(rows, gathered.scored())
    return gathered.calibrated(data)


def fit_groups(fit: Fit, frame: pl.LazyFrame) -> pl.DataFrame:
    """Fit a model for each group; return the keys and the models."""
    groups = Groups(frame, INPUT, fit.init.of_groups)
    parts = [groups.none()]
    for part in groups.parts(max(fit.sample, Groups.SAMPLED_ROWS), fit.sample):
        init = fit.init.inputs(part)
        gathered, _ = fit.observed(groups.rows_of(part), init)
        check_unchanged(groups.rows_in(part), gathered.rows())
        keys = pl.lit(None, dtype=pl.Struct(groups.keys))
        call = _register.rows_of_groups("anorand_fit_scan", [keys, *init], fit.kwargs(gathered))
        models = pl.select(call).to_series().struct.unnest()
        parts.append(_calibrated_groups(fit, groups, gathered, part, models) if fit.is_calibrated else models)
    return pl.concat(parts)


def _calibrated_groups(
    fit: Fit, groups: Groups, gathered: _core.Scan, part: pl.DataFrame, models: pl.DataFrame
) -> pl.DataFrame:
    """Return the models with quantiles from the scores of all rows, for groups that are larger than their sample."""
    data = cast("list[bytes | None]", models["model"].to_list())
    observe = plugin_call("anorand_observe_scores", {"scan": gathered.id}, pl.col(_SCORE), pl.col(NUMBER))
    sampled = [number for number in gathered.larger() if data[number] is not None]
    larger = part.with_columns(models["model"].alias(_MODEL))[sampled]
    for some in groups.split(larger, Groups.SCORED_ROWS, Groups.DISTINCT_SCORES):
        rows = groups.rows_of(some, _MODEL)
        scores = fit.scores(rows, pl.col(_MODEL))
        for batch in _batches(rows):
            batch.select(scores, NUMBER).select(observe)
        for number in cast("list[int]", some[NUMBER].to_list()):
            check_unchanged(gathered.usable(number), gathered.scored(number))
            data[number] = gathered.calibrated(data[number] or b"", number)
    return models.with_columns(pl.Series("model", data, dtype=pl.Binary))


def check_unchanged(before: int, after: int) -> None:
    """Raise ValueError if a pass saw another number of rows than the pass before it."""
    if before != after:
        raise ValueError(
            f"the frame had {before:,} rows when it was read first, and {after:,} when it was read again: it must not "
            "change in a fit; persist() it if what it is computed from does"
        )


def plugin_call(function: str, kwargs: dict[str, Any], *on: pl.Expr) -> pl.Expr:
    """Return a call of the plugin that sees all rows of a batch at once."""
    return _register.aggregation(function, list(on), kwargs)


def _batches(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows in batches, in their order."""
    if hasattr(frame, "collect_batches"):
        yield from frame.collect_batches(maintain_order=True)
    else:
        yield from frame.collect().iter_slices(_ROWS)
