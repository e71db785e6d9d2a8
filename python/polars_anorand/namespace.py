"""The ``anorand`` namespace of Polars expressions."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

import polars as pl

from polars_anorand import functions
from polars_anorand._arguments import FROM_ROWS
from polars_anorand._options import CONTAMINATION
from polars_anorand.drift import drift

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._arguments import Columns, FromRows, Labels, ModelLike
    from polars_anorand._options import FitOptions, Precision, SmallGroups


@pl.api.register_expr_namespace("anorand")
class Anorand:
    """Anomaly detection on the columns of an expression: ``pl.col("x", "y").anorand.score()``."""

    def __init__(self, expr: pl.Expr) -> None:
        self._expr = expr

    def fit(
        self,
        *,
        labels: Labels | None = None,
        by: Columns | None = None,
        small_groups: SmallGroups = "null",
        min_group_rows: int = 20,
        device: str = "auto",
        precision: Precision = "float32",
        path: str | os.PathLike[str] | None = None,
        init: ModelLike | None = None,
        replay: str | pl.Expr | pl.Series | None = None,
        progress: bool | Literal["always"] = False,
        name: str = "model",
        **options: Unpack[FitOptions],
    ) -> pl.Expr:
        """Fit a model on all rows, or one on those of each group; see :func:`polars_anorand.fit`."""
        return functions.fit(
            self._expr,
            labels=labels,
            by=by,
            small_groups=small_groups,
            min_group_rows=min_group_rows,
            device=device,
            precision=precision,
            path=path,
            init=init,
            replay=replay,
            progress=progress,
            name=name,
            **options,
        )

    def score(
        self,
        model: ModelLike | FromRows = FROM_ROWS,
        *,
        labels: Labels | None = None,
        by: Columns | None = None,
        small_groups: SmallGroups = "null",
        min_group_rows: int = 20,
        device: str = "auto",
        precision: Precision = "float32",
        progress: bool | Literal["always"] = False,
        name: str = "score",
        **options: Unpack[FitOptions],
    ) -> pl.Expr:
        """The anomaly score of every row; see :func:`polars_anorand.score`."""
        return functions.score(
            self._expr,
            model,
            labels=labels,
            by=by,
            small_groups=small_groups,
            min_group_rows=min_group_rows,
            device=device,
            precision=precision,
            progress=progress,
            name=name,
            **options,
        )

    def detect(
        self,
        model: ModelLike | FromRows = FROM_ROWS,
        *,
        contamination: float | None = None,
        threshold: float | None = None,
        explain: int | None = None,
        spread: bool = False,
        labels: Labels | None = None,
        by: Columns | None = None,
        small_groups: SmallGroups = "null",
        min_group_rows: int = 20,
        device: str = "auto",
        precision: Precision = "float32",
        progress: bool | Literal["always"] = False,
        name: str = "anomaly",
        **options: Unpack[FitOptions],
    ) -> pl.Expr:
        """The score, its percentile and rarity, whether it is an outlier and why; see :func:`polars_anorand.detect`."""
        return functions.detect(
            self._expr,
            model,
            contamination=contamination,
            threshold=threshold,
            explain=explain,
            spread=spread,
            labels=labels,
            by=by,
            small_groups=small_groups,
            min_group_rows=min_group_rows,
            device=device,
            precision=precision,
            progress=progress,
            name=name,
            **options,
        )

    def explain(
        self,
        model: ModelLike,
        *,
        top: int | None = None,
        device: str = "auto",
        precision: Precision = "float32",
        name: str = "explanation",
    ) -> pl.Expr:
        """What each feature adds to the score; see :func:`polars_anorand.explain`."""
        return functions.explain(self._expr, model, top=top, device=device, precision=precision, name=name)

    def cells(self, model: ModelLike, *, name: str = "cells") -> pl.Expr:
        """The evidence that each value is wrong, in nats; see :func:`polars_anorand.cells`."""
        return functions.cells(self._expr, model, name=name)

    def drift(
        self, model: ModelLike, *, contamination: float = CONTAMINATION, device: str = "auto", name: str = "drift"
    ) -> pl.Expr:
        """How far the rows have moved away from the training rows; see :func:`polars_anorand.drift`."""
        return drift(self._expr, model, contamination=contamination, device=device, name=name)

    def embed(
        self,
        model: ModelLike,
        *,
        width: int | None = None,
        device: str = "auto",
        precision: Precision = "float32",
        name: str = "embedding",
    ) -> pl.Expr:
        """The latent (z0, z1) of every row; see :func:`polars_anorand.embed`."""
        return functions.embed(self._expr, model, width=width, device=device, precision=precision, name=name)


def anorand(expr: pl.Expr) -> Anorand:
    """The namespace of an expression, for type checkers, which can't see ``expr.anorand``."""
    return Anorand(expr)
