"""The groups of a scan, and the groups of each pass."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, ClassVar, cast

import polars as pl

from polars_anorand._arguments import unused

NUMBER = "anorand group"
"""The column of the number of a row's group in its part, from 0 on."""

INIT = "anorand init"
"""The column of the model that the fit of a group goes on from, where each group has its own."""

_ROWS = "anorand rows"
_FIRST = "anorand first row"
_KEYS = "anorand keys"


class Groups:
    """The groups of a scan, counted.

    Parameters
    ----------
    frame
        One column: a struct whose field ``by`` is a struct of the keys.
    column
        Its name.
    init
        The keys of groups and ``model``, which become :data:`INIT`; null for groups that are not in it.

    """

    SAMPLED_ROWS: ClassVar[int] = 4_000_000
    """The most sampled rows that are in memory at a time, of all groups of a part."""
    SCORED_ROWS: ClassVar[int] = 8_000_000
    """The most rows whose scores are counted at a time, of all groups of a part; a group counts at most
    ``DISTINCT_SCORES``."""
    DISTINCT_SCORES: ClassVar[int] = 500_000
    """About the most different scores of a group: counting takes memory for each."""

    def __init__(self, frame: pl.LazyFrame, column: str, init: pl.DataFrame | None = None) -> None:
        self._frame = frame
        self._column = column
        self._fields = _fields(frame.collect_schema()[column])
        self.keys = keys_of(frame, column)
        # Names of their own: a key may be named as anything.
        self._names = [f"anorand key {at}" for at in range(len(self.keys))]
        keys = self._keyed().drop(column).with_row_index(_FIRST)
        counted = keys.group_by(self._names).agg(pl.len().alias(_ROWS), pl.col(_FIRST).min())
        groups = cast("pl.DataFrame", counted.sort(_FIRST).collect(**_streaming())).drop(_FIRST)
        if init is not None:
            names = zip(self.keys, self._names, strict=True)
            models = init.select(*[pl.col(key).alias(name) for key, name in names], pl.col("model").alias(INIT))
            groups = groups.join(models, on=self._names, how="left", **with_nulls())
        self._groups = groups

    def _keyed(self) -> pl.LazyFrame:
        keys = pl.col(self._column).struct.field("by").struct.rename_fields(self._names).alias(_KEYS)
        return self._frame.with_columns(keys).unnest(_KEYS)

    def none(self) -> pl.DataFrame:
        """The frame of the models of no group."""
        return pl.DataFrame(schema={**self.keys, "model": pl.Binary})

    @staticmethod
    def rows_in(part: pl.DataFrame) -> int:
        """The number of rows of some groups, as they were counted."""
        return int(part[_ROWS].sum())

    def parts(self, rows: int, most: int) -> Iterator[pl.DataFrame]:
        """Parts of the groups, in their order and numbered, as :meth:`split` makes them."""
        for part in self.split(self._groups, rows, most):
            yield part.with_row_index(NUMBER).with_columns(pl.col(NUMBER).cast(pl.UInt32))

    @staticmethod
    def split(groups: pl.DataFrame, rows: int, most: int) -> Iterator[pl.DataFrame]:
        """Parts of the groups, in their order, of at most ``rows`` rows each. A group counts at most ``most`` rows."""
        start, held = 0, 0
        for at, count in enumerate(groups[_ROWS].to_list()):
            if held and held + min(count, most) > rows:
                yield groups[start:at]
                start, held = at, 0
            held += min(count, most)
        if start < groups.height:
            yield groups[start:]

    def rows_of(self, part: pl.DataFrame, *more: str) -> pl.LazyFrame:
        """The rows of some groups, in their order. The number of its group is the first key of a row."""
        of_part = part.lazy().select(*self._names, NUMBER, *more)
        rows = self._keyed().join(of_part, on=self._names, how="inner", **with_nulls())
        fields = pl.col(self._column).struct
        # Of the name of the number, a key may be as well.
        number = pl.col(NUMBER).alias(unused(NUMBER, self.keys))
        keys = pl.struct(number, *[fields.field("by").struct.field(name).alias(name) for name in self.keys])
        packed = [keys.alias("by") if name == "by" else fields.field(name) for name in self._fields]
        return rows.select(pl.struct(packed).alias(self._column), NUMBER, *more)


def keys_of(frame: pl.LazyFrame, column: str) -> dict[str, Any]:
    """The names and dtypes of the keys."""
    return _fields(_fields(frame.collect_schema()[column])["by"])


def _fields(dtype: object) -> dict[str, Any]:
    """The fields of a struct, each with its dtype."""
    return dict(cast("pl.Struct", dtype).to_schema())


def _streaming() -> dict[str, Any]:
    """Polars 1.23 and later have engines by name."""
    return {"engine": "streaming"} if "engine" in inspect.signature(pl.LazyFrame.collect).parameters else {}


def with_nulls() -> dict[str, Any]:
    """A null is a key as any other, and rows keep their order; the argument was ``join_nulls`` before Polars 1.24."""
    known = inspect.signature(pl.LazyFrame.join).parameters
    nulls = "nulls_equal" if "nulls_equal" in known else "join_nulls"
    return {nulls: True} | ({"maintain_order": "left"} if "maintain_order" in known else {})
