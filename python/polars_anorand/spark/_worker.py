"""What Spark's Python workers run: Arrow in, Arrow out.

Spark sends a function to a worker by value if it is nested, and by name if it is not. :func:`on_worker` makes a small
nested one, which prepares the process and then imports this module, so that a worker that can't says so.
"""

# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false, reportUnknownLambdaType=false

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple

import polars as pl
import pyarrow as pa

from polars_anorand import functions
from polars_anorand._arguments import unused
from polars_anorand._arrow import detected, fit_group, frame, in_utc
from polars_anorand.model import Model
from polars_anorand.scan import _parts

__all__ = [
    "Outputs",
    "add_counts",
    "count_rows",
    "count_scores",
    "fit_groups",
    "on_worker",
    "score_batches",
    "score_columns",
    "score_groups",
]


class Outputs(NamedTuple):
    """The names of the columns that scoring adds, None for each that is not wanted."""

    score: str
    label: str | None = None
    percentile: str | None = None
    rarity: str | None = None
    reasons: str | None = None
    top: int | None = None
    contamination: float | None = None

    def fields(self) -> list[pa.Field]:
        """The columns in Arrow's terms."""
        texts = [pa.field(name, pa.string()) for name in ("value", "expected", "why")]
        reason = pa.struct([pa.field("feature", pa.string()), pa.field("contribution", pa.float32()), *texts])
        found = [
            (self.score, pa.float64()),
            (self.label, pa.float64()),
            (self.percentile, pa.float64()),
            (self.rarity, pa.float64()),
            (self.reasons, pa.list_(pa.field("element", reason))),
        ]
        return [pa.field(name, dtype) for name, dtype in found if name is not None]


def on_worker(function: str, arity: int, *given: object) -> Callable[..., Any]:
    """Return a function of ``arity`` arguments that calls a function of this module, with ``given`` before them.

    What is given must be of Python's own types: a class of this package would be imported before the process is ready.
    """

    # Everything that it needs is inside, since this module can't be imported before Polars' threads are set.
    def run(*inputs: Any) -> Any:
        import importlib
        import os
        import socket
        import sys

        # Spark sets OMP_NUM_THREADS to the cores of a task; Polars reads its own variable once, when it is imported.
        os.environ.setdefault("POLARS_MAX_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        try:
            call = getattr(importlib.import_module("polars_anorand.spark._worker"), function)
        except (ImportError, AttributeError) as error:
            raise RuntimeError(
                f"the worker on {socket.gethostname()} ({sys.executable}) can't import the polars_anorand that the "
                f"driver has ({error}): install the same version of polars-anorand[spark] on every node, or send an "
                "environment with spark.archives; a zip of Python files does not hold the plugin"
            ) from None
        return call(*given, *inputs)

    # Spark looks at the number of a function's parameters.
    if arity == 1:
        return lambda one: run(one)
    if arity == 2:
        return lambda one, other: run(one, other)
    return lambda *inputs: run(*inputs)


def score_batches(
    names: list[str], data: bytes, features: list[str], outputs: tuple[Any, ...], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Each batch with its scores; for ``mapInArrow``."""
    _check(data)
    for batch in batches:
        scored = _scored(pa.Table.from_batches([batch]).rename_columns(names), data, features, Outputs(*outputs))
        yield from scored.combine_chunks().to_batches() or [_empty(scored.schema)]


def count_rows(
    names: list[str], training: dict[str, Any], batches: Iterable[pa.RecordBatch]
) -> Iterator[pa.RecordBatch]:
    """Counts and extremes of the rows, as parts of text; for ``mapInArrow``."""
    yield _as_batch(_parts.counts_of_rows(_frames(names, batches), training))


def count_scores(names: list[str], data: bytes, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Counts of the scores of the rows, as parts of text; for ``mapInArrow``."""
    _check(data)
    yield _as_batch(_parts.counts_of_scores(_frames(names, batches), data))


def add_counts(of_scores: bool, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Add up what all processes have counted in the same parts, one part after the other; for ``mapInArrow``."""
    counts = (part for batch in batches for part in batch.column(1).to_pylist())
    for part in _parts.together(of_scores, counts):
        yield _as_batch([(0, part)])


def _as_batch(counts: list[tuple[int, str]]) -> pa.RecordBatch:
    numbers, parts = [number for number, _ in counts], [part for _, part in counts]
    return pa.RecordBatch.from_arrays(
        [pa.array(numbers, pa.int32()), pa.array(parts, pa.string())], names=["part", "counts"]
    )


def _frames(names: list[str], batches: Iterable[pa.RecordBatch]) -> Iterator[pl.DataFrame]:
    return (frame(pa.Table.from_batches([batch]).rename_columns(names)) for batch in batches if batch.num_rows)


def score_columns(data: bytes, features: list[str], *columns: pa.Array) -> pa.Array:
    """The scores of rows whose features come as arrays, in the model's order, or as one struct; for a UDF."""
    if len(columns) == 1 and isinstance(columns[0], pa.StructArray):
        first = columns[0]
        table = pa.Table.from_arrays(first.flatten(), names=[field.name for field in first.type])
    elif len(columns) == len(features):
        table = pa.Table.from_arrays(list(columns), names=features)
    else:
        raise ValueError(
            f"score takes the {len(features)} features of its model in this order, {', '.join(features)}, or one "
            f"struct of them; got {len(columns)} columns"
        )
    verb = functions.score(pl.all(), data, device="cpu", name=unused("score", features))
    return frame(table).select(verb).to_series().cast(pl.Float64).to_arrow()


def fit_groups(
    names: list[str],
    by: list[str],
    features: list[str],
    min_group_rows: int,
    options: dict[str, object],
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """The keys and the model of each group, whose rows come one after the other; for ``mapInArrow``."""
    held: list[pa.Table] = []
    for rows, is_new in _runs(names, by, batches):
        if is_new and held:
            yield from _fitted(by, features, min_group_rows, options, held)
            held = []
        held.append(rows)
    if held:
        yield from _fitted(by, features, min_group_rows, options, held)


def _fitted(
    by: list[str], features: list[str], min_group_rows: int, options: dict[str, object], parts: list[pa.Table]
) -> list[pa.RecordBatch]:
    fitted = fit_group(by, features, min_group_rows, options, pa.concat_tables(parts))
    return in_utc(fitted).combine_chunks().to_batches()


def score_groups(
    names: list[str],
    features: list[str],
    by: list[str],
    outputs: tuple[Any, ...],
    batches: Iterable[pa.RecordBatch],
) -> Iterator[pa.RecordBatch]:
    """The rows with their scores by their groups' models; for ``mapInArrow``.

    A group's model stands in a row before the rows of the group. Two more columns have the model, and 0 in such a row.
    """
    data: bytes | None = None
    models = 0
    for run, is_new in _runs([*names, "model", "order"], by, batches):
        if is_new:
            data, models = None, 0
        given = run.column(len(names)).slice(0, run.column(len(names) + 1).to_pylist().count(0))
        models += len(given)
        if models > 1:
            keys = run.select([names.index(name) for name in by]).slice(0, 1).to_pylist()[0]
            raise ValueError(f"there are {models} models for the group {keys}, expected one")
        if len(given):
            data = given[0].as_py()
        if len(given) and data is not None:
            _check(data)
        rows = run.select(list(range(len(names)))).slice(len(given))
        yield from _scored(rows, data, features, Outputs(*outputs)).combine_chunks().to_batches()


def _runs(names: list[str], by: list[str], batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[pa.Table, bool]]:
    """Yield each run of rows with the same keys, and whether it begins a new group."""
    # By place: a frame may have a column with the name of one that was added.
    places = [names.index(name) for name in by]
    last: pl.DataFrame | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        table = pa.Table.from_batches([batch]).rename_columns(names)
        keys = frame(table.select(places))
        before = keys.head(1) if last is None else last
        follows = pl.concat([before, keys])
        # A null is a key as any other, and so is a NaN.
        changes = follows.select(pl.any_horizontal(pl.all().ne_missing(pl.all().shift(1)))).to_series().slice(1)
        starts = [0, *[at for at in changes.arg_true().to_list() if at], table.num_rows]
        for start, stop in pairwise(starts):
            yield table.slice(start, stop - start), bool(changes[start]) or last is None
            last = keys.slice(stop - 1, 1)


def _scored(table: pa.Table, data: bytes | None, features: list[str], outputs: Outputs) -> pa.Table:
    found = detected(table, data, features, contamination=outputs.contamination, explain=outputs.top)
    wanted = [
        pl.col("score").cast(pl.Float64),
        *([pl.col("outlier").cast(pl.Float64)] if outputs.label is not None else []),
        *([pl.col("percentile").cast(pl.Float64)] if outputs.percentile is not None else []),
        *([pl.col("rarity").cast(pl.Float64)] if outputs.rarity is not None else []),
        *([pl.col("reasons")] if outputs.reasons is not None else []),
    ]
    columns = found.select(wanted).to_arrow().columns
    # Spark checks what comes back against UTC, and sends the session's time zone.
    table = in_utc(table)
    for field, column in zip(outputs.fields(), columns, strict=True):
        table = table.append_column(field, column.cast(field.type))
    return table


def _empty(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def _check(data: bytes) -> None:
    """Read the model before the rows: a worker with an older package can't, and says where it is."""
    try:
        Model(data)
    except ValueError as error:
        raise ValueError(
            f"the worker on {socket.gethostname()} can't read the model: {error}. If the driver can, the worker has an "
            "older polars-anorand: install the same version on every node"
        ) from None
