"""What the driver does with Spark's frames: checks before a job starts, and a sample that fits its memory."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl
import pyarrow as pa
from pyspark.sql import functions as F  # noqa: N812  # as all of Spark's users call it
from pyspark.sql.pandas.types import to_arrow_type
from pyspark.sql.types import (
    ArrayType,
    DoubleType,
    FloatType,
    StringType,
    StructField,
    StructType,
    YearMonthIntervalType,
)

from polars_anorand import _arrow, functions
from polars_anorand._arguments import unused
from polars_anorand.model import Model
from polars_anorand.scan import _parts
from polars_anorand.spark._worker import Outputs, on_worker

COUNTS = "part int, counts string"
"""The schema in which workers send what they have counted."""

_BLOCK = 4096
"""The number of equal rows that are numbered at a time."""


def column(name: str) -> Any:
    """A column by its exact name, dots and all."""
    return F.col("`" + name.replace("`", "``") + "`")


def numbered(frame: Any) -> Any:
    """A frame with numbers for names, for PySpark's functions on Arrow, which can't take every name that Spark can."""
    return frame.toDF(*[f"c{at}" for at in range(len(frame.columns))])


def scored_schema(schema: StructType, outputs: Outputs) -> StructType:
    """The schema of a frame once it is scored.

    Raises
    ------
    ValueError
        If a column's name is there twice, or is that of an output.
    TypeError
        If a column has a type that Spark can't send to a Python worker.

    """
    names = [field.name for field in schema]
    wanted = (outputs.score, outputs.label, outputs.percentile, outputs.rarity, outputs.reasons)
    added = [name for name in wanted if name is not None]
    twice = {name for name in [*names, *added] if [*names, *added].count(name) > 1}
    if twice:
        raise ValueError(
            f"the columns {sorted(twice)} would be there twice: rename or drop them, or name the outputs otherwise"
        )
    for field in schema:
        _sent(field)
    texts = [StructField(name, StringType()) for name in ("value", "expected", "why")]
    reason = StructType([StructField("feature", StringType()), StructField("contribution", FloatType()), *texts])
    types = [
        (outputs.score, DoubleType()),
        (outputs.label, DoubleType()),
        (outputs.percentile, DoubleType()),
        (outputs.rarity, DoubleType()),
        (outputs.reasons, ArrayType(reason)),
    ]
    return StructType([*schema.fields, *[StructField(name, dtype) for name, dtype in types if name is not None]])


def check_model(schema: StructType, model: Model, outputs: Outputs) -> None:
    """Score no rows of that schema on the driver, so that what is wrong with it is said before a job starts.

    Raises
    ------
    ValueError
        For a feature that is missing, with what is there.
    PolarsError
        As :func:`polars_anorand.detect`.

    """
    empty = _empty(schema, model.features, "the model was fitted on")
    name = unused("anomaly", model.features)
    verb = functions.detect(
        pl.all(), model, contamination=outputs.contamination, explain=outputs.top, device="cpu", name=name
    )
    empty.select(verb)


def check_fit(schema: StructType, features: Sequence[str], **arguments: Any) -> None:
    """Plan a fit of that schema on the driver; raises as :func:`check_model`, for options out of their range too."""
    _empty(schema, features, "inputCols names").lazy().select(
        functions.fit(list(features), name=unused("model", features), **arguments)
    ).collect_schema()


def check_refit(schema: StructType, features: Sequence[str], training: dict[str, Any], init: Model) -> None:
    """Check a fit that goes on from a model; raise if that model has other features or options."""
    _parts.check(_empty(schema, features, "inputCols names"), training, init)


def check_there(schema: StructType, names: Sequence[str], what: str) -> None:
    """Raises ValueError for a name that no column has exactly; Spark itself does not look at case, models do."""
    there = [field.name for field in schema]
    missing = [name for name in names if name not in there]
    if missing:
        raise ValueError(f"{what} the columns {missing}, which the frame does not have; it has {there}")


def sampled(frame: Any, features: Sequence[str], most: int, seed: int) -> tuple[pl.DataFrame, int]:
    """The features of all rows, or of ``most`` of them, and the number of all rows.

    Which rows are in the sample depends on what they hold and on the seed, not on partitions or their order: the rows
    with the lowest hashes of their values and of their number among rows with the same values.
    """
    chosen = frame.select(*[column(name) for name in features])
    rows: int = chosen.count()
    if rows > most:
        chosen = _with_lowest_hashes(chosen, features, most, seed, share=most / rows)
    return _arrow.frame(_collected(chosen)), rows


def check_keys(schema: StructType, keys: Sequence[str], models: StructType | None = None) -> None:
    """Check that rows can be grouped by these columns, and that the models' keys have the same types.

    Raises
    ------
    ValueError
        For a name that no column has.
    TypeError
        For a collation, by which strings that differ are equal, and for another type than that of the models' keys.

    """
    check_there(schema, keys, "by names")
    for name in keys:
        dtype = schema[name].dataType.simpleString()
        if "collate" in dtype:
            raise TypeError(f"by names {name!r} of type {dtype}: group by a plain string, such as lower({name})")
        if models is not None and models[name].dataType.simpleString() != dtype:
            raise TypeError(
                f"the models are for keys {name!r} of type {models[name].dataType.simpleString()}, and the frame's are "
                f"of type {dtype}: cast the frame's"
            )


def in_groups(frame: Any, keys: Sequence[str], tasks: int, *then: str) -> Any:
    """A frame whose groups lie whole in one of ``tasks`` partitions, one after the other, sorted by ``then`` within.

    Not ``groupBy``: its groups come to a worker as Arrow from PySpark 4 on only, and each must be in memory at once.
    """
    number = tasks or int(frame.sparkSession.conf.get("spark.sql.shuffle.partitions"))
    columns = [column(name) for name in keys]
    # With a number, adaptive execution leaves the partitions as they are.
    return frame.repartition(number, *columns).sortWithinPartitions(*columns, *then)


def with_models(frame: Any, models: Any, keys: Sequence[str], tasks: int) -> Any:
    """The rows of a frame with 1 in a last column, and before those of each group a row with its model and 0."""
    plain = numbered(frame)
    of_key = {name: plain.columns[frame.columns.index(name)] for name in keys}
    named = [column(name).alias(of_key[name]) for name in keys]
    both = models.select(*named, column("model"), F.lit(0).alias("order")).unionByName(
        plain.withColumn("order", F.lit(1)), allowMissingColumns=True
    )
    return in_groups(both, list(of_key.values()), tasks, "order").select(*plain.columns, "model", "order")


def counted(frame: Any, features: Sequence[str], count: Any, *, of_scores: bool) -> list[str]:
    """Let the workers count the features of each partition, and return the sums of all counts.

    Workers add up the counts of the same part first, so that the driver gets no more of a category of very many
    values than a model remembers.
    """
    rows = numbered(frame.select(*[column(name) for name in features]))
    parts = rows.mapInArrow(count, COUNTS).repartition("part")
    return _collected(parts.mapInArrow(on_worker("add_counts", 1, of_scores), COUNTS))["counts"].to_pylist()


def _with_lowest_hashes(chosen: Any, features: Sequence[str], most: int, seed: int, share: float) -> Any:
    columns = [column(name) for name in features]
    count, block, number, hashed = (_unused(part, features) for part in ("count", "block", "number", "hash"))
    # Counted first, so that one value that most rows have is neither in the sample as a whole nor out of it.
    one_each = chosen.groupBy(*columns).agg(F.count(F.lit(1)).alias(count))
    # Numbered in blocks, since Spark holds what it explodes as one array.
    last = ((F.col(count) - 1) / _BLOCK).cast("long")
    blocks = one_each.select(*columns, count, F.explode(F.sequence(F.lit(0).cast("long"), last)).alias(block))
    low = F.col(block) * _BLOCK
    high = F.least(F.col(count) - 1, low + (_BLOCK - 1))
    numbered = blocks.select(*columns, F.explode(F.sequence(low, high)).alias(number))
    keyed = numbered.select(*columns, F.xxhash64(F.lit(seed), *columns, F.col(number)).alias(hashed))
    # Eight standard deviations more than are needed, so that little is sorted; all of them, if that is most of all.
    wanted = share + 8 * share / math.sqrt(most)
    if wanted < 0.5:
        keyed = keyed.where(F.col(hashed) < int((2 * wanted - 1) * 2**63))
    return keyed.orderBy(F.col(hashed), *columns).limit(most).select(*columns)


def _unused(name: str, taken: Sequence[str]) -> str:
    lowered = {other.lower() for other in taken}
    while name in lowered:
        name += "_"
    return name


def _collected(frame: Any) -> pa.Table:
    if hasattr(frame, "toArrow"):
        return frame.toArrow()
    # PySpark 3.5 has the same only under this name.
    schema = pa.schema([_sent(field) for field in frame.schema])
    return pa.Table.from_batches([batch.cast(schema) for batch in frame._collect_as_arrow()], schema=schema)


def _empty(schema: StructType, features: Sequence[str], what: str) -> pl.DataFrame:
    check_there(schema, features, what)
    fields = {field.name: field for field in schema}
    return _arrow.frame(pa.schema([_sent(fields[name]) for name in features]).empty_table())


def _sent(field: StructField) -> pa.Field:
    # Spark says that it can send these, and then its JVM fails in the middle of a job.
    if isinstance(field.dataType, YearMonthIntervalType):
        reason = "a year-month interval"
    else:
        try:
            return pa.field(field.name, to_arrow_type(field.dataType))
        except Exception as error:  # PySpark's own classes differ between its versions
            reason = str(error)
    raise TypeError(
        f"Spark can't send the column {field.name!r} of type {field.dataType.simpleString()} to a Python worker "
        f"({reason}): cast or drop it"
    )
