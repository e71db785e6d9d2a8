"""AnoRand on Spark, in the shape of Spark ML: ``pip install 'polars-anorand[spark]'``.

:class:`AnoRand` fits on the driver, on all rows or on a sample that it can hold, and :class:`AnoRandModel` scores on
the workers, row by row. :class:`GroupedAnoRand` fits a model for each group on the workers. :func:`score_udf` is for
columns and SQL.
Classic sessions and Spark Connect both work; ``transform`` also works on streams.

Every worker needs this package, in the driver's version. Scores equal those of :func:`polars_anorand.score` to the bit.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NEEDS = "polars_anorand.spark needs PySpark and PyArrow: pip install 'polars-anorand[spark]'"

try:
    importlib.import_module("pyarrow")  # Spark's own requirement of it is optional
    importlib.import_module("pyspark")
except ImportError as error:
    raise ImportError(f"{_NEEDS} ({error})") from error

if TYPE_CHECKING:
    from polars_anorand.spark._estimators import AnoRand, GroupedAnoRand
    from polars_anorand.spark._models import AnoRandModel, GroupedAnoRandModel
    from polars_anorand.spark._udf import score_udf

__all__ = ["AnoRand", "AnoRandModel", "GroupedAnoRand", "GroupedAnoRandModel", "score_udf"]

_FILES = {
    "AnoRand": "_estimators", "AnoRandModel": "_models", "GroupedAnoRand": "_estimators",
    "GroupedAnoRandModel": "_models", "score_udf": "_udf",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: a worker imports ``_worker`` alone, without ``pyspark.ml``."""
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        found = getattr(importlib.import_module(f"{__name__}.{_FILES[name]}"), name)
    except ImportError as error:
        raise ImportError(f"{_NEEDS} ({error})") from error
    globals()[name] = found
    return found
