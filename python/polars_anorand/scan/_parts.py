"""Scans whose rows lie in several processes: each counts its own, and all counts come together in one fit.

Counts travel as text, in parts: every value of a category, and every score, belongs to one part. So a process can bring
the same part of all others together, and keep of it what a model remembers.
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

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = 64
"""Parts of the counts of a process."""

Counts = list[tuple[int, str]]
"""Parts, each with its number."""


def training(options: Mapping[str, object], init: Model | None = None) -> dict[str, Any]:
    """How to fit one model without labels, or to go on from one, checked: what :func:`counts_of_rows` and
    :func:`fit_counted` take.
    """
    # The model does not go to those who count rows, but which of them count is its policy to say.
    given = options if init is None else {"missing": init.options["missing"], **options}
    return Training(given, None, None, SMALL_GROUPS, MIN_GROUP_ROWS, has_models=init is not None).kwargs


def check(none: pl.DataFrame, training: dict[str, Any], init: Model | None) -> None:
    """Raises PolarsError, if rows as those of a frame without rows can't be fitted, or not from that model."""
    none.select(_register.aggregation("anorand_check_scan", [pl.struct(pl.all()), *_inputs(init)], training))


def counts_of_rows(frames: Iterable[pl.DataFrame], training: dict[str, Any]) -> Counts:
    """Counts and extremes of rows, whose columns are the features."""
    scan = _core.Scan(0)
    call = _register.aggregation("anorand_observe", [pl.struct(pl.all())], {"scan": scan.id, "training": training})
    for frame in frames:
        frame.select(call)
    return scan.take_counts(False, PARTS)


def counts_of_scores(frames: Iterable[pl.DataFrame], model: bytes) -> Counts:
    """Counts of the scores of rows, whose columns are the model's features."""
    scan = _core.Scan(0)
    observe = _register.aggregation("anorand_observe_scores", [pl.nth(0)], {"scan": scan.id})
    for frame in frames:
        frame.select(score(pl.all(), model, device="cpu", name=unused("score", frame.columns))).select(observe)
    return scan.take_counts(True, PARTS)


def together(of_scores: bool, counts: Iterable[str]) -> Iterator[str]:
    """The counts of all processes. Of each part that is among them, those of every process must be."""
    scan = _core.Scan(0)
    for part in counts:
        scan.add_counts(of_scores, part)
    scan.forget_rare()
    for _, part in scan.take_counts(of_scores, 1):
        yield part


def fit_counted(
    sample: pl.DataFrame, counts: Iterable[str], training: dict[str, Any], given: int, init: Model | None = None
) -> bytes:
    """The model of a table, from a sample of its rows and the counts of all.

    Raises
    ------
    ValueError
        If counts are missing or damaged, or if the number of rows is not the one that was ``given`` at first.

    """
    scan = _core.Scan(0)
    for part in counts:
        scan.add_counts(False, part)
    _check_unchanged(given, scan.rows())
    fit = {"training": training, "device": "auto", "precision": "float32", "path": None, "progress": None}
    kwargs = {"scan": scan.id, "fit": {**fit, "name": "model"}}
    inputs = [pl.struct(pl.all()), *_inputs(init)]
    model: bytes = sample.select(_register.aggregation("anorand_fit_scan", inputs, kwargs)).item()
    return model


def calibrated(model: bytes, counts: Iterable[str], init: Model | None = None) -> bytes:
    """The model with the quantiles of the scores of all its rows, but for those that the model which it went on from
    has counted; raises as :func:`fit_counted`.
    """
    scan = _core.Scan(0)
    for part in counts:
        scan.add_counts(True, part)
    earlier = 0 if init is None else init.training["rows"]
    _check_unchanged(Model(model).training["rows"] - earlier, scan.scored())
    return scan.calibrated(model)


def _inputs(init: Model | None) -> list[pl.Expr]:
    return [] if init is None else [pl.lit(init.to_bytes(), dtype=pl.Binary)]


def _check_unchanged(before: int, after: int) -> None:
    if before != after:
        raise ValueError(
            f"the frame had {before:,} rows when it was read first, and {after:,} when it was read again: it must not "
            "change in a fit; persist() it if what it is computed from does"
        )
