"""What each column of a raw table is to a detector, and which columns are worth fitting on."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, cast

import polars as pl

Role = Literal["feature", "id", "counter", "constant", "text", "unsupported"]

_SCHEMA = {
    "column": pl.String, "dtype": pl.String, "nulls": pl.Int64, "distinct": pl.Int64, "role": pl.String,
    "reason": pl.String,
}  # fmt: skip

_FEW = 20
"""Of fewer rows nothing can be said: any column may look like ids."""
_MANY = 1_000
"""Integers that are all different in this number of rows are hardly measurements."""
_NEARLY_ALL = 0.95
_ROWS_OF_A_VALUE = 5
"""Strings that fewer rows share, on average, say little of any of them."""
_LONG = 40
"""Characters of a text, on average."""


_WORDS = (pl.String, pl.Categorical, pl.Enum)


class _Column(NamedTuple):
    """The statistics of one column."""

    dtype: pl.DataType
    rows: int
    nulls: int
    distinct: int
    span: float | None
    """Of integers, the number of integers from the lowest to the highest"""
    rising: float | None
    """Of integers and times, the share of rows that are above the one before"""
    falling: bool
    """Whether any is below the one before"""
    length: float | None
    """Of strings, the mean number of characters"""

    @property
    def known(self) -> int:
        return self.rows - self.nulls


def profile(frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """What each column is to a detector, in one pass over the data.

    Parameters
    ----------
    frame
        Eager or lazy. Of a LazyFrame, only these aggregates are collected.

    Returns
    -------
    DataFrame
        A row for each column: ``column`` and ``dtype`` (String); ``nulls`` (Int64: nulls, NaNs and infinities);
        ``distinct`` (Int64: distinct values among the others); ``role`` (String) and ``reason`` (String), which says
        why. Nulls and distinct values are null for an unsupported column. Roles are

        * ``"feature"``: worth fitting on;
        * ``"id"``: strings of which few rows share one, or integers that are different in nearly every row: they say
          nothing of other rows;
        * ``"counter"``: an integer, Date or Datetime that rises with the rows, so that later rows are all beyond it.
          Parts of a time that recur are features: give ``pl.col("time").dt.hour()``, for instance;
        * ``"constant"``: one value in all rows, or none at all;
        * ``"text"``: long strings, most of them different;
        * ``"unsupported"``: of a dtype that the plugin refuses.

    Raises
    ------
    TypeError
        If ``frame`` is neither a DataFrame nor a LazyFrame.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"key": range(30), "price": [9.5, 12.0, 8.0] * 10, "unit": ["kg"] * 30})
    >>> anorand.profile(frame).select("column", "role").rows()
    [('key', 'counter'), ('price', 'feature'), ('unit', 'constant')]

    """
    given = cast("object", frame)
    if not isinstance(given, (pl.DataFrame, pl.LazyFrame)):
        raise TypeError(f"profile takes a DataFrame or a LazyFrame, got {type(given).__name__}")
    lazy = given.lazy()
    schema = lazy.collect_schema()
    rows: list[tuple[object, ...]] = []
    for (name, dtype), column in zip(schema.items(), _columns(lazy, schema), strict=True):
        role, reason = ("unsupported", _unsupported(dtype)) if column is None else _role(column)
        nulls, distinct = (None, None) if column is None else (column.nulls, column.distinct)
        rows.append((name, str(dtype), nulls, distinct, role, reason))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def features(frame: pl.DataFrame | pl.LazyFrame) -> list[str]:
    """The names of the columns that are worth fitting on: those that :func:`profile` calls features.

    Parameters
    ----------
    frame
        As :func:`profile`.

    Returns
    -------
    list of str
        In the frame's order, to go into ``pl.col(*anorand.features(frame))``.

    Raises
    ------
    TypeError
        As :func:`profile`.
    ValueError
        If no column is a feature; the message says what the columns are.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"key": range(30), "price": [9.5, 12.0, 8.0] * 10, "unit": ["kg"] * 30})
    >>> anorand.features(frame)
    ['price']

    """
    found = profile(frame)
    names = found.filter(pl.col("role") == "feature")["column"].to_list()
    if not names:
        roles = ", ".join(f"{name!r} is {role}" for name, role in found.select("column", "role").rows())
        raise ValueError(f"no column is worth fitting on: {roles or 'there are none'}")
    return names


def _columns(lazy: pl.LazyFrame, schema: pl.Schema) -> list[_Column | None]:
    """The statistics of each column; None of those that can't be features."""
    supported = [(name, dtype) for name, dtype in schema.items() if _is_supported(dtype)]
    aggregates = [pl.len().alias("rows")]
    for at, (name, dtype) in enumerate(supported):
        aggregates += [expression.alias(f"{at} {key}") for key, expression in _aggregates(name, dtype).items()]
    found = lazy.select(aggregates).collect().row(0, named=True)
    numbers = {name: at for at, (name, _) in enumerate(supported)}

    def column(name: str, dtype: pl.DataType) -> _Column | None:
        if name not in numbers:
            return None
        of: dict[str, Any] = {
            key: found.get(f"{numbers[name]} {key}") for key in ("missing", "distinct", "low", "high", "up", "down")
        }
        span = None if of["low"] is None else float(of["high"]) - float(of["low"]) + 1
        steps = max(1, found["rows"] - 1)
        return _Column(
            dtype=dtype,
            rows=found["rows"],
            nulls=int(of["missing"] or 0),
            distinct=int(of["distinct"] or 0),
            span=span,
            rising=None if of["up"] is None else of["up"] / steps,
            falling=bool(of["down"]),
            length=found.get(f"{numbers[name]} length"),
        )

    return [column(name, dtype) for name, dtype in schema.items()]


def _is(dtype: pl.DataType, *types: type[pl.DataType]) -> bool:
    return issubclass(dtype.base_type(), types)


def _is_supported(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal() or _is(dtype, pl.Boolean, pl.Null, *_WORDS)


def _aggregates(name: str, dtype: pl.DataType) -> dict[str, pl.Expr]:
    """All that a role depends on, each one number."""
    value = pl.col(name)
    if _is(dtype, pl.Null):
        return {"missing": pl.len(), "distinct": pl.lit(0)}
    if dtype.is_float():
        # Nulls stay null; NaNs and infinities become it.
        value = pl.when(value.is_finite()).then(value)
    aggregates = {"missing": value.null_count(), "distinct": value.drop_nulls().n_unique()}
    if _is(dtype, pl.String):
        aggregates["length"] = value.str.len_chars().mean()
    if dtype.is_integer() or _is(dtype, pl.Date, pl.Datetime):
        number = value.to_physical().cast(pl.Float64)
        step = number.diff()
        aggregates |= {"up": (step > 0).sum(), "down": (step < 0).any()}
        if dtype.is_integer():
            aggregates |= {"low": number.min(), "high": number.max()}
    return aggregates


def _unsupported(dtype: pl.DataType) -> str:
    if _is(dtype, pl.Struct):
        return "a struct: unnest it, and give its fields"
    return f"a detector can't take {dtype}: make numbers of it, such as its length"


def _role(column: _Column) -> tuple[Role, str]:
    """What a column is, and why."""
    if column.rows == 0:
        return "feature", "there are no rows to judge by"
    if column.known == 0:
        return "constant", "there is no value in any row"
    if column.distinct <= 1 and column.nulls == 0:
        return "constant", "one value in all rows"
    found = None
    if column.rows > _FEW:
        found = _role_of_words(column) if _is(column.dtype, *_WORDS) else _role_of_numbers(column)
    return found or ("feature", f"{_count(column.distinct, 'distinct value')} in {_count(column.rows, 'row')}")


def _role_of_words(column: _Column) -> tuple[Role, str] | None:
    distinct, known = column.distinct, column.known
    if column.length is not None and column.length > _LONG and distinct > known / 2:
        return "text", f"{distinct:,} different strings of {column.length:.0f} characters on average"
    if distinct > known / _ROWS_OF_A_VALUE:
        return "id", f"{distinct:,} different values in {_count(known, 'row')} that have one"
    return None


def _role_of_numbers(column: _Column) -> tuple[Role, str] | None:
    if column.rising is not None and column.rising > _NEARLY_ALL and not column.falling:
        return "counter", f"rises with the rows, in {column.rising:.0%} of them: later rows would all be beyond it"
    # Integers that are all different are ids where they fill a range as row numbers do, or where there are very many.
    if column.span is not None and column.nulls == 0 and column.distinct >= 0.99 * column.rows:
        dense = column.span < 10 * column.rows
        if dense or column.rows >= _MANY:
            return "id", f"{column.distinct:,} different integers in {_count(column.rows, 'row')}"
    return None


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
