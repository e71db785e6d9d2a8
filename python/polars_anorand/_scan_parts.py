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
from polars_anorand._arguments import MIN_GROUP_ROWS, SMALL_GROUPS, Training
from polars_anorand.functions import score
from polars_anorand.model import Model

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS = 64
"""Parts of the counts of a process."""

Counts = list[tuple[int, str]]
"""Parts, each with its number."""


def training(options: Mapping[str, object]) -> dict[str, Any]:
    """How to fit one model without labels, checked: what :func:`counts_of_rows` and :func:`fit_counted` take."""
    return Training(options, None, None, SMALL_GROUPS, MIN_GROUP_ROWS).kwargs


def counts_of_rows(frames: Iterable[pl.DataFrame], training: dict[str, Any]) -> Counts:
    """Counts and extremes of rows, whose columns are the features."""
    scan = _core.Scan(0, 0)
    call = _register.aggregation("anorand_observe", [pl.struct(pl.all())], {"scan": scan.id, "training": training})
    for frame in frames:
        frame.select(call)
    return scan.take_counts(False, PARTS)


def counts_of_scores(frames: Iterable[pl.DataFrame], model: bytes) -> Counts:
    """Counts of the scores of rows, whose columns are the model's features."""
    scan = _core.Scan(0, 0)
    observe = _register.aggregation("anorand_observe_scores", [pl.col("score")], {"scan": scan.id})
    for frame in frames:
        frame.select(score(pl.all(), model, device="cpu")).select(observe)
    return scan.take_counts(True, PARTS)


def together(of_scores: bool, counts: Iterable[str]) -> Iterator[str]:
    """The counts of all processes. Of each part that is among them, those of every process must be."""
    scan = _core.Scan(0, 0)
    for part in counts:
        scan.add_counts(of_scores, part)
    scan.forget_rare()
    for _, part in scan.take_counts(of_scores, 1):
        yield part


def fit_counted(sample: pl.DataFrame, counts: Iterable[str], training: dict[str, Any], given: int) -> bytes:
    """The model of a table, from a sample of its rows and the counts of all.

    Raises
    ------
    ValueError
        If counts are missing or damaged, or if the number of rows is not the one that was ``given`` at first.

    """
    scan = _core.Scan(0, 0)
    for part in counts:
        scan.add_counts(False, part)
    _check_unchanged(given, scan.rows())
    fit = {"training": training, "device": "auto", "precision": "float32", "path": None, "progress": None}
    kwargs = {"scan": scan.id, "fit": {**fit, "name": "model"}}
    model: bytes = sample.select(_register.aggregation("anorand_fit_scan", [pl.struct(pl.all())], kwargs)).item()
    return model


def calibrated(model: bytes, counts: Iterable[str]) -> bytes:
    """The model with the quantiles of the scores of all its rows; raises as :func:`fit_counted`."""
    scan = _core.Scan(0, 0)
    for part in counts:
        scan.add_counts(True, part)
    _check_unchanged(Model(model).training["rows"], scan.scored())
    return scan.calibrated(model)


def _check_unchanged(before: int, after: int) -> None:
    if before != after:
        raise ValueError(
            f"the frame had {before:,} rows when it was read first, and {after:,} when it was read again: it must not "
            "change in a fit; persist() it if what it is computed from does"
        )
