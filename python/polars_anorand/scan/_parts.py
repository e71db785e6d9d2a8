"""Scans whose rows lie in several processes: each process counts its own rows, and one fit adds up all counts.

Counts travel as text, in parts: every value of a category, and every score, belongs to one part. So one process can
add up the same part from all others, and keep only what a model remembers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import polars as pl

from polars_anorand import _polars_anorand as _core
from polars_anorand import _register
from polars_anorand._arguments import MIN_GROUP_ROWS, SMALL_GROUPS, Training, unused
from polars_anorand.functions import score
from polars_anorand.model import Model
from polars_anorand.scan._passes import check_unchanged

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = 64
"""The number of parts that the counts of a process are split into."""

Counts = list[tuple[int, str]]
"""Parts, each with its number."""


def training(options: Mapping[str, object], init: Model | None = None) -> dict[str, Any]:
    """Return the checked kwargs of a fit without labels, for :func:`counts_of_rows` and :func:`fit_counted`."""
    # The model does not go to those who count rows, but which of them count is its policy to say.
    given = options if init is None else {"missing": init.options["missing"], **options}
    return Training(given, None, None, SMALL_GROUPS, MIN_GROUP_ROWS, has_models=init is not None).kwargs


def check(none: pl.DataFrame, training: dict[str, Any], init: Model | None) -> None:
    """Raise PolarsError if rows of this empty frame's schema can't be fitted, or can't be with that model."""
    none.select(_register.aggregation("anorand_check_scan", [pl.struct(pl.all()), *_inputs(init)], training))


def counts_of_rows(frames: Iterable[pl.DataFrame], training: dict[str, Any]) -> Counts:
    """Count rows, whose columns are the features, and find their extremes."""
    scan = _core.Scan(0)
    call = _register.aggregation("anorand_observe", [pl.struct(pl.all())], {"scan": scan.id, "training": training})
    for frame in frames:
        frame.select(call)
    return scan.take_counts(False, PARTS)


def counts_of_scores(frames: Iterable[pl.DataFrame], model: bytes) -> Counts:
    """Count the scores of rows, whose columns are the model's features."""
    scan = _core.Scan(0)
    observe = _register.aggregation("anorand_observe_scores", [pl.nth(0)], {"scan": scan.id})
    for frame in frames:
        frame.select(score(pl.all(), model, device="cpu", name=unused("score", frame.columns))).select(observe)
    return scan.take_counts(True, PARTS)


def together(of_scores: bool, counts: Iterable[str]) -> Iterator[str]:
    """Add up the counts of all processes. Each part must be given by every process or by none."""
    scan = _core.Scan(0)
    for part in counts:
        scan.add_counts(of_scores, part)
    scan.forget_rare()
    for _, part in scan.take_counts(of_scores, 1):
        yield part


def fit_counted(
    sample: pl.DataFrame, counts: Iterable[str], training: dict[str, Any], given: int, init: Model | None = None
) -> bytes:
    """Fit the model of a table on a sample of its rows, with the counts of all rows.

    Raises
    ------
    ValueError
        If counts are missing or damaged, or if the number of rows is not the one that was ``given`` at first.

    """
    scan = _core.Scan(0)
    for part in counts:
        scan.add_counts(False, part)
    check_unchanged(given, scan.rows())
    fit = {"training": training, "device": "auto", "precision": "float32", "path": None, "progress": None}
    kwargs = {"scan": scan.id, "fit": {**fit, "name": "model"}}
    inputs = [pl.struct(pl.all()), *_inputs(init)]
    model: bytes = sample.select(_register.aggregation("anorand_fit_scan", inputs, kwargs)).item()
    return model


def calibrated(model: bytes, counts: Iterable[str], init: Model | None = None) -> bytes:
    """Return the model with quantiles from the counted scores; raise as :func:`fit_counted`.

    The rows of ``init``, the model that it went on from, are not counted again.
    """
    scan = _core.Scan(0)
    for part in counts:
        scan.add_counts(True, part)
    earlier = 0 if init is None else init.training["rows"]
    check_unchanged(Model(model).training["rows"] - earlier, scan.scored())
    return scan.calibrated(model)


def _inputs(init: Model | None) -> list[pl.Expr]:
    return [] if init is None else [pl.lit(init.to_bytes(), dtype=pl.Binary)]
