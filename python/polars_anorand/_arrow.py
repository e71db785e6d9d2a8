"""The verbs on Arrow tables, as the workers of other engines have them."""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

import polars as pl
import pyarrow as pa

from polars_anorand import functions
from polars_anorand._arguments import unused

if TYPE_CHECKING:
    from polars_anorand._options import FitOptions


def in_utc(table: pa.Table) -> pa.Table:
    """A table with all instants in UTC, those within others too, whatever the time zone of a session is."""
    schema = pa.schema([field.with_type(_in_utc(field.type)) for field in table.schema], table.schema.metadata)
    return table if schema == table.schema else table.cast(schema)


def frame(table: pa.Table) -> pl.DataFrame:
    """A table as Polars takes it, with instants in UTC."""
    return cast("pl.DataFrame", pl.from_arrow(in_utc(table)))


def _in_utc(dtype: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(dtype):
        return dtype if dtype.tz is None else pa.timestamp(dtype.unit, "UTC")
    if pa.types.is_struct(dtype):
        return pa.struct([field.with_type(_in_utc(field.type)) for field in dtype])
    if pa.types.is_list(dtype):
        return pa.list_(dtype.value_field.with_type(_in_utc(dtype.value_type)))
    if pa.types.is_map(dtype):
        key, item = dtype.key_field, dtype.item_field
        return pa.map_(key.with_type(_in_utc(key.type)), item.with_type(_in_utc(item.type)))
    return dtype


def detected(
    table: pa.Table,
    model: bytes | None,
    features: Sequence[str],
    *,
    contamination: float | None = None,
    threshold: float | None = None,
    explain: int | None = None,
) -> pl.DataFrame:
    """The fields of :func:`polars_anorand.detect` for each row of a table, on the CPU; nulls without a model."""
    name = unused("anomaly", features)
    verb = functions.detect(
        pl.all(),
        pl.lit(None, dtype=pl.Binary) if model is None else model,
        contamination=contamination,
        threshold=threshold,
        explain=explain,
        device="cpu",
        name=name,
    )
    return frame(table.select(list(features))).select(verb).unnest(name)


def fit_group(
    by: Sequence[str], features: Sequence[str], min_group_rows: int, options: Mapping[str, object], table: pa.Table
) -> pa.Table:
    """The keys and the model of the one group that a table holds; a null where there can be none."""
    with warnings.catch_warnings():
        name = unused("model", features)
        # What a fit has to say would be said once for each group.
        warnings.simplefilter("ignore")
        # With ``by``, a group that can't have a model has a null, where a fit without it would be an error.
        fitted = functions.fit(
            list(features),
            by=pl.lit(0).alias("group"),
            min_group_rows=min_group_rows,
            device="cpu",
            name=name,
            **cast("FitOptions", options),
        )
        model = frame(table.select(list(features))).select(fitted).unnest(name)["model"].item()
    return in_utc(table.select(list(by)).slice(0, 1)).append_column("model", pa.array([model], pa.binary()))
