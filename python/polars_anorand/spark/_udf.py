"""A function for columns and SQL."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false

from __future__ import annotations

import os
import warnings
from typing import Any

from polars_anorand.model import Model
from polars_anorand.spark._models import given_model
from polars_anorand.spark._worker import on_worker


def score_udf(model: Model | bytes | str | os.PathLike[str]) -> Any:
    """A UDF that scores: of the model's features in the model's order, or of one struct of them in any order.

    For SQL, register it: ``spark.udf.register("score", score_udf(model))``. A filter on its result evaluates it twice,
    once for the filter and once for the column: filter before scoring, use ``AnoRandModel.transform``, or
    ``score_udf(model).asNondeterministic()``.

    Raises
    ------
    ValueError, OSError
        At once, if it is not a model.
    ImportError
        At once, on PySpark before 4.1, which has no UDFs of Arrow's types: use ``AnoRandModel.transform`` there.

    """
    known = given_model(model)
    try:
        from pyspark.sql.functions import ArrowUDFType, arrow_udf
    except ImportError:
        raise ImportError("score_udf needs PySpark 4.1 or newer; AnoRandModel(model).transform works before") from None
    score = on_worker("score_columns", 0, known.to_bytes(), known.features)
    with warnings.catch_warnings():
        # It would rather have type hints, which a function of any number of columns can't have.
        warnings.simplefilter("ignore", UserWarning)
        return arrow_udf(score, "double", ArrowUDFType.SCALAR)
