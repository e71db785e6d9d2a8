"""Tells frames from columns, and says what to write where one is given for the other."""

from __future__ import annotations

from typing import cast

import polars as pl

_ADVICE = {
    "pandas": "; pl.from_pandas(frame) makes one of Polars",
    "pyarrow": "; pl.from_arrow(table) makes one of Polars",
    "numpy": "; pl.DataFrame(array) makes one of Polars",
    "duckdb": "; relation.pl() makes one of Polars",
    "pyspark": "; polars_anorand.spark is for frames of Spark",
}
"""What to do with a table of another library."""

_SHOWN = 10
"""The number of columns that an error names."""


def checked(frame: object) -> pl.DataFrame | pl.LazyFrame:
    """A frame of Polars.

    Raises
    ------
    TypeError
        If it is something else; the message says how to make a frame of it, if it is a table of another library.

    """
    if isinstance(frame, (pl.DataFrame, pl.LazyFrame)):
        return frame
    advice = _ADVICE.get(_library(frame), "")
    raise TypeError(f"frame must be a polars DataFrame or LazyFrame, got {_kind(frame)}{advice}")


def require(frame: pl.DataFrame | pl.LazyFrame, features: list[str]) -> None:
    """Raise a ColumnNotFoundError if a frame lacks a feature of a model."""
    columns = frame.collect_schema().names()
    missing = [name for name in features if name not in columns]
    if missing:
        raise pl.exceptions.ColumnNotFoundError(
            f"the frame has no column {_listed(missing)}, which the model was fitted on; it has {_listed(columns)}: "
            "rename the column, or add it, with nulls if it has no values"
        )


def _listed(names: list[str]) -> str:
    """Some names, for an error."""
    shown = ", ".join(repr(name) for name in names[:_SHOWN]) or "no columns"
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown


def refuse(features: object) -> None:
    """Raise a TypeError if a frame is given where columns of a query are expected."""
    advice = _ADVICE.get(_library(features))
    dimensions = len(cast("tuple[int, ...]", getattr(features, "shape", (0, 0))))
    kind = _kind(features)
    if isinstance(features, (pl.DataFrame, pl.LazyFrame, dict)) or (advice and dimensions == 2):
        raise TypeError(
            f"features must be columns, such as pl.col('x', 'y'), got {kind}{advice or ''}; for a frame, "
            "write anorand.train(frame), and model.score(frame), model.detect(frame) or anorand.drift(frame, model)"
        )


def _kind(value: object) -> str:
    name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    return f"polars.{type(value).__name__}" if name.startswith("polars.") else name


def _library(value: object) -> str:
    return type(value).__module__.partition(".")[0]
