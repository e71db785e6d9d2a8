"""The ``anorand`` namespace of Polars expressions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import polars as pl

from polars_anorand import functions

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions
    from polars_anorand.functions import ModelLike


@pl.api.register_expr_namespace("anorand")
class Anorand:
    """Anomaly detection on the columns of an expression: ``pl.col("x", "y").anorand.score()``."""

    def __init__(self, expr: pl.Expr) -> None:
        self._expr = expr

    def fit(
        self,
        *,
        device: str = "auto",
        path: str | os.PathLike[str] | None = None,
        **options: Unpack[FitOptions],
    ) -> pl.Expr:
        """Fit a model on all rows; see :func:`polars_anorand.fit`."""
        return functions.fit(self._expr, device=device, path=path, **options)

    def score(self, model: ModelLike | None = None, *, device: str = "auto", **options: Unpack[FitOptions]) -> pl.Expr:
        """The anomaly score of every row; see :func:`polars_anorand.score`."""
        return functions.score(self._expr, model, device=device, **options)

    def detect(
        self,
        model: ModelLike | None = None,
        *,
        contamination: float | None = None,
        threshold: float | None = None,
        device: str = "auto",
        **options: Unpack[FitOptions],
    ) -> pl.Expr:
        """The score, the percentile and whether it is an outlier; see :func:`polars_anorand.detect`."""
        return functions.detect(
            self._expr, model, contamination=contamination, threshold=threshold, device=device, **options
        )


def anorand(expr: pl.Expr) -> Anorand:
    """The namespace of an expression, for type checkers, which can't see ``expr.anorand``."""
    return Anorand(expr)
