"""The cells of one row: their values, the evidence against them, and why."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from polars_anorand import functions

if TYPE_CHECKING:
    from polars_anorand.model import Model


def cells_of(model: Model, row: object) -> list[dict[str, Any]]:
    """Return ``feature``, ``value``, ``expected``, ``why`` and ``evidence`` of each cell, the strongest first.

    Raises
    ------
    TypeError, ValueError
        If ``row`` is not one row that has all features, or the model has no cells.

    """
    if model.statistics["meaning"].null_count():
        raise ValueError('this model was fitted with preset="paper", which finds no evidence of single cells')
    rows = _frame(model, row)
    if rows.height != 1:
        raise ValueError(f"row must be one row, got {rows.height:,} of them: give frame.slice(number, 1), or a dict")
    names = model.features
    evidence = functions.cells(names, model).alias("cells")
    # Above a threshold of 0 each row is explained.
    detected = functions.detect(names, model, threshold=0.0, explain=len(names)).alias("anomaly")
    found = rows.select(evidence, detected)
    cells = cast("dict[str, float | None]", found["cells"].item())
    if None in cells.values():
        raise ValueError('the row has a missing value, and the model, fitted with missing="null", does not score it')
    reasons = cast("list[dict[str, Any]]", found["anomaly"].struct.field("reasons").to_list()[0] or [])
    said = {str(each["feature"]): each for each in reasons}
    # As Polars writes them: Python has no type for a time beyond the year 9999.
    texts = rows.select(pl.col(names).cast(pl.String).str.strip_suffix(".000000")).row(0, named=True)
    silent = {name: {"value": texts[name], "expected": None, "why": None} for name in names}
    listed = [{**silent[name], **said.get(name, {}), "feature": name, "evidence": cells[name]} for name in names]
    return sorted(listed, key=lambda cell: -cast("float", cell["evidence"]))


def _frame(model: Model, row: object) -> pl.DataFrame:
    """Return the row's features as a frame."""
    if isinstance(row, (pl.DataFrame, pl.LazyFrame)):
        _check_names(model, row.collect_schema().names())
        return row.lazy().select(model.features).collect()
    if isinstance(row, Mapping):
        given = cast("Mapping[str, object]", row)
        _check_names(model, given)
        return pl.DataFrame({name: [given[name]] for name in model.features})
    raise TypeError(f"row must be a frame of one row, or a dict, got {row!r} ({type(row).__name__})")


def _check_names(model: Model, given: Collection[str]) -> None:
    missing = [name for name in model.features if name not in given]
    if missing:
        listed = ", ".join(repr(name) for name in missing)
        raise ValueError(f"row lacks {listed}: it must have all features of the model")
