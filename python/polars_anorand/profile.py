"""What each column of a raw table is to a detector, and which columns are worth fitting on."""

from __future__ import annotations

import re
from typing import Any, Literal, NamedTuple
from urllib.parse import unquote

import polars as pl

from polars_anorand import _frames, _register
from polars_anorand import _polars_anorand as _core
from polars_anorand.model import _findings

Role = Literal["feature", "id", "counter", "key", "constant", "text", "unsupported"]

_SCHEMA = {
    "column": pl.String, "dtype": pl.String, "nulls": pl.Int64, "distinct": pl.Int64, "role": pl.String,
    "reason": pl.String, "notes": pl.String,
}  # fmt: skip

_SAMPLE = 20_000
"""The most rows that notes are taken from."""

_LONG = 40
"""Mean number of characters of free text."""

_FEW = 20
"""In this number of rows or fewer, there are no ids, counters and texts, as in src/data/ids.rs."""

_NEARLY_ALL = 0.95
"""The share of distinct strings that are dates in a column of dates."""

_DATE = "|".join(
    [
        r"^\d{4}[-/.](0?[1-9]|1[0-2])([-/.]\d{1,2}([ T].*)?)?$",  # 2026-01, 2026-01-31, 2026-01-31 23:59
        r"^\d{1,2}[-/.]\d{1,2}[-/.]\d{4}( .*)?$",  # 31.1.2026, 1/31/2026
        r"^(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])$",  # 20260131
    ]
)
"""Dates and months as strings."""

_READ = 1_000
"""The most distinct strings of a column that are read to tell what most of them mean."""

_WHOLE_NUMBER = re.compile(r"\s*[-+]?\d+(\.0*)?\s*")

_KEY = re.compile(r"[/\\]([^/\\=,\[\]]+)=[^/\\]*(?=[/\\])")
"""A folder of a path that is named after a key and its value."""

_WHOLE = 2.0**53
"""Whole floats below this number are exact."""

_WORDS = (pl.String, pl.Categorical, pl.Enum)


class _Column(NamedTuple):
    """The statistics of one column."""

    dtype: pl.DataType
    rows: int
    nulls: int
    distinct: int
    rises: int | None
    """For numbers: the number of values above the value before. Nulls are skipped."""
    falls: int | None
    """For numbers: the number of values below the value before."""
    span: float | None
    """For numbers: highest - lowest + 1."""
    deviation: float | None
    """For numbers: the standard deviation."""
    length: float | None
    """For strings: the mean number of characters."""
    whole: bool
    """Whether the values are integers, whatever the dtype."""
    dates: int
    """For strings and integers: the number of values that are written as dates."""
    texts: list[str]
    """For strings: some of the distinct ones."""

    @property
    def known(self) -> int:
        return self.rows - self.nulls


def profile(frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """What each column is to a detector, in one pass over the data.

    Parameters
    ----------
    frame
        Eager or lazy. A LazyFrame is collected once, and only its aggregates. Distinct values are counted exactly,
        since an estimate can't tell unique from nearly unique: memory grows with the number of distinct values.

    Returns
    -------
    DataFrame
        One row for each column of ``frame``, in its order: ``column`` and ``dtype`` (String); ``nulls`` (Int64: nulls,
        NaNs and infinities); ``distinct`` (Int64: distinct values among the others); ``role`` (String) and ``reason``
        (String), which says why; and ``notes`` (String). ``nulls`` and ``distinct`` are null for an unsupported column.
        Notes say what the cells of a fit would know of a feature: numbers or dates as text, values that stand for
        missing ones, the columns that it depends on. They are taken from at most 20,000 rows, evenly spread, and are
        null where there is nothing to say, for any other role, and for a LazyFrame. Roles are

        * ``"feature"``: worth fitting on. A column with one value and nulls is a feature too, and so is one with mostly
          nulls: which rows have a value is information. So are times: what recurs in them counts. But a fit with
          ``missing="null"`` skips rows with a null, and one with ``preset="paper"`` finds later rows strange;
        * ``"id"``: an integer, String, Categorical or Enum column whose values hardly repeat. Integers must fill
          their range, or from 1,000 rows on be spread evenly over it: others are measurements. A float is no id, unless
          its column has whole numbers only and some are missing;
        * ``"counter"``: an integer column that rises or falls with the rows. Later rows lie beyond all training rows,
          and would be flagged for that. Integers with nulls that became floats are judged as integers; integers that
          are dates, such as 20260131, are counters if they never fall, or never rise, with the rows;
        * ``"key"``: a partition key in the paths of a LazyFrame's files, such as ``month=2026-01``. The next file has
          another one, and all its rows would be flagged for that;
        * ``"constant"``: the same value in all rows, or no value in any row;
        * ``"text"``: long strings, most of them distinct; or dates written as strings, whose later values are all new.
          Strings that are mostly numbers, with a unit or a currency or without, or times of the day, are features if
          such numbers would be;
        * ``"unsupported"``: a dtype that a fit refuses, or a name that can't be passed to it.

        A fit on an id, a text or an integer counter warns, by the same rules. With 20 rows or fewer there are no ids,
        counters and texts. Without rows, the dtype and the name decide.

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
    >>> raw = pl.DataFrame({"amount": [f"{at % 37}.50" for at in range(100)], "shop": ["a", "b"] * 50})
    >>> anorand.profile(raw)["notes"].to_list()
    ['numbers as text', None]

    """
    given = _frames.checked(frame)
    found = _roles(given)
    if isinstance(given, pl.LazyFrame):
        return found
    names = found.filter(pl.col("role") == "feature")["column"].to_list()
    notes = _notes(given, names)
    return found.with_columns(notes=pl.Series([notes.get(name) for name in found["column"]], dtype=pl.String))


def _roles(frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """The profile without notes."""
    schema = frame.collect_schema()
    refusals = [_refusal(name, dtype) for name, dtype in schema.items()]
    columns = _columns(
        frame, [None if refusal else dtype for refusal, dtype in zip(refusals, schema.dtypes(), strict=True)]
    )
    keys = _partition_keys(frame)
    rows: list[tuple[object, ...]] = []
    for (name, dtype), refusal, column in zip(schema.items(), refusals, columns, strict=True):
        if column is None:
            rows.append((name, str(dtype), None, None, "unsupported", refusal, None))
        elif name in keys:
            reason = f"a partition key of the files, {_distinct(column)}: the next file has another"
            rows.append((name, str(dtype), column.nulls, column.distinct, "key", reason, None))
        else:
            rows.append((name, str(dtype), column.nulls, column.distinct, *_role(column), None))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _notes(frame: pl.DataFrame, names: list[str]) -> dict[str, str | None]:
    """What there is to say about features."""
    rows = frame.select(names)
    if rows.height < 2 or not names:
        return {}
    sample = rows.gather_every(-(-rows.height // _SAMPLE))
    expression = _register.aggregation("anorand_findings", [pl.struct(pl.all())], {"name": "findings"})
    found = _findings.read(sample.select(expression).item(), names)
    return {name: finding.notes() for name, finding in zip(names, found, strict=True) if finding is not None}


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
    found = _roles(_frames.checked(frame))
    names = found.filter(pl.col("role") == "feature")["column"].to_list()
    if not names:
        roles = ", ".join(f"{name!r} is {role}" for name, role in found.select("column", "role").rows())
        raise ValueError(f"no column is worth fitting on: {roles or 'there are none'}")
    return names


def _columns(frame: pl.DataFrame | pl.LazyFrame, dtypes: list[pl.DataType | None]) -> list[_Column | None]:
    """The statistics of each column, by one aggregation; None where the dtype is None."""
    if not dtypes:
        return []  # Polars 1.0 can't aggregate a frame without columns.
    aggregates = [pl.len().alias("rows")]
    for at, dtype in enumerate(dtypes):
        if dtype is not None:
            # By position: pl.col would read some names as patterns.
            aggregates += [value.alias(f"{at} {key}") for key, value in _aggregates(pl.nth(at), dtype).items()]
    # A DataFrame stays eager: the streaming engine takes seconds for the expressions of 1,000 columns.
    found: dict[str, Any] = frame.select(aggregates).lazy().collect().row(0, named=True)

    def column(at: int, dtype: pl.DataType) -> _Column:
        low, high = found.get(f"{at} low"), found.get(f"{at} high")
        return _Column(
            dtype=dtype,
            rows=found["rows"],
            nulls=found[f"{at} nulls"],
            distinct=found[f"{at} distinct"],
            rises=found.get(f"{at} rises"),
            falls=found.get(f"{at} falls"),
            span=None if low is None or high is None else float(high - low + 1),
            deviation=found.get(f"{at} deviation"),
            length=found.get(f"{at} length"),
            whole=bool(found.get(f"{at} whole", True)),
            dates=found.get(f"{at} dates") or 0,
            texts=found.get(f"{at} texts") or [],
        )

    return [None if dtype is None else column(at, dtype) for at, dtype in enumerate(dtypes)]


def _is(dtype: pl.DataType, *types: type[pl.DataType]) -> bool:
    return issubclass(dtype.base_type(), types)


def _aggregates(value: pl.Expr, dtype: pl.DataType) -> dict[str, pl.Expr]:
    """The statistics that a role depends on, each one number."""
    if _is(dtype, pl.Null):
        return {"nulls": pl.len(), "distinct": pl.lit(0)}
    if dtype.is_float():
        # Nulls stay null; NaNs and infinities become null.
        value = pl.when(value.is_finite()).then(value)
    there = value.drop_nulls()
    aggregates = {"nulls": value.null_count(), "distinct": there.n_unique()}
    if _is(dtype, pl.String):
        aggregates["length"] = value.str.len_chars().mean()
    if _is(dtype, *_WORDS):
        # The pattern is matched once for each distinct value, of which a column of dates as text has few.
        words = there.unique().cast(pl.String)
        aggregates["dates"] = words.str.contains(_DATE).sum()
        # In an order that says nothing of them.
        aggregates["texts"] = words.sort_by(words.hash(0)).head(_READ).implode()
        numbers = there.cast(pl.String).str.strip_chars().cast(pl.Float64, strict=False).cast(pl.Int64, strict=False)
        aggregates |= _order_and_span(numbers.drop_nulls())
    if dtype.is_integer() and not _is(dtype, pl.Int8, pl.UInt8, pl.Int16, pl.UInt16):
        aggregates["dates"] = _is_date(there).sum()
    if dtype.is_float():
        aggregates["whole"] = (there == there.round()).all() & (there.abs() < _WHOLE).all()
    if dtype.is_integer() or dtype.is_float():
        aggregates |= _order_and_span(there)
    return aggregates


def _order_and_span(there: pl.Expr) -> dict[str, pl.Expr]:
    """How often numbers rise and fall, and over which range. Comparisons are exact where differences overflow."""
    order = {"rises": (there > there.shift(1)).sum(), "falls": (there < there.shift(1)).sum()}
    return order | {"low": there.min(), "high": there.max(), "deviation": there.cast(pl.Float64).std()}


def _refusal(name: str, dtype: pl.DataType) -> str | None:
    """Why a fit can't take the column, or None."""
    if name == "*" or (name.startswith("^") and name.endswith("$")):
        return "pl.col reads this name as a pattern: rename the column"
    if "\0" in name:
        return "Polars can't pass a name with a NUL byte to a plugin: rename the column"
    if _is(dtype, pl.Struct):
        return "a fit takes no nested column: unnest the struct, and give its fields"
    if dtype.is_numeric() or dtype.is_temporal() or _is(dtype, pl.Boolean, pl.Null, *_WORDS):
        return None
    return f"a fit takes no {dtype}: make numbers of it, such as its length"


def _is_date(value: pl.Expr) -> pl.Expr:
    """Whether integers are dates of eight digits, such as 20260131."""
    month, day = value // 100 % 100, value % 100
    return value.is_between(1900_01_01, 2099_12_31) & month.is_between(1, 12) & day.is_between(1, 31)


def _partition_keys(frame: pl.DataFrame | pl.LazyFrame) -> set[str]:
    """The keys in the paths of a scan's files, ``key=value``, of which its plan shows the first."""
    if isinstance(frame, pl.DataFrame):
        return set()
    scans = re.findall(r"SCAN \[(.*)", frame.explain(optimized=False))
    return {unquote(key) for scan in scans for key in _KEY.findall(scan)}


def _role(column: _Column) -> tuple[Role, str]:
    """Return what a column is, and why."""
    if _is(column.dtype, pl.Null):
        return "constant", "the dtype Null has no values"
    if column.rows == 0:
        return "feature", "no rows to judge by"
    if column.known == 0:
        return "constant", f"no value in {_count(column.rows, 'row')}"
    if column.distinct == 1 and column.nulls == 0:
        return "constant", "one distinct value"
    found = _role_of_words(column) if _is(column.dtype, *_WORDS) else _role_of_numbers(column)
    return found or ("feature", _distinct(column))


def _role_of_words(column: _Column) -> tuple[Role, str] | None:
    distinct, known = column.distinct, column.known
    if distinct > 1 and column.dates > _NEARLY_ALL * distinct and known > _FEW:
        return "text", f"{_distinct(column)}, written as dates: later ones are all new; parse them, as str.to_date does"
    if not _core.words_are_ids(distinct, known):
        return None
    meaning = _core.meaning(column.texts)
    if meaning == "clock":
        return None
    if meaning == "number":
        # Whole numbers are ids, or counters, as they are in a column of integers.
        whole = sum(_WHOLE_NUMBER.fullmatch(text) is not None for text in column.texts)
        return _role_of_numbers(column) if whole > _NEARLY_ALL * len(column.texts) else None
    if column.length is not None and column.length > _LONG and distinct > known / 2:
        return "text", f"{distinct:,} distinct strings, {column.length:.0f} characters on average"
    return "id", _distinct(column)


def _role_of_numbers(column: _Column) -> tuple[Role, str] | None:
    rises, falls = column.rises, column.falls
    if rises is None or falls is None or column.span is None:
        return None
    if column.dtype.is_float() and not (column.whole and column.nulls):
        return None
    if column.dates == column.known > _FEW and column.distinct > 1 and 0 in (rises, falls):
        direction = "rise" if rises else "fall"
        return "counter", f"{_distinct(column)}, dates that {direction} with the rows: later ones are all new"
    how = _core.numbering(column.known, rises, falls, column.span, column.deviation or 0.0, column.distinct)
    if how is None:
        return None
    if how == "ids":
        return "id", _distinct(column)
    along = rises if how == "rises" else falls
    return "counter", f"{how} with the rows, in {along:,} of {_count(column.known - 1, 'step')}"


def _distinct(column: _Column) -> str:
    if column.distinct == column.known and column.known > 1:
        return f"every one of the {column.known:,} values occurs once"
    rows = f"{column.known:,} of {column.rows:,} rows" if column.nulls else _count(column.rows, "row")
    return f"{_count(column.distinct, 'distinct value')} in {rows}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
