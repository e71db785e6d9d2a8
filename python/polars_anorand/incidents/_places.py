"""The columns in which the rows of an incident have few values, such as the shops that it comes from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_VALUES = 3
"""The most values that are named of a column."""
_COLUMNS = 2
"""The most columns that are named of an incident."""
_DISTINCT = 50
"""A column with more values than this names none."""
_COVERED = 0.8
"""The least share of the incident's rows that have these values."""
_LIFT = 2.0
"""How many times as large as in all rows that share is at least."""
_EACH = 3
"""The least rows for each value that is named."""
_CHANCE = math.log(1_000)
"""Chance would bring it together less than once in a thousand times."""

_Value = tuple[Any, int]
"""A value, and its rows."""


def places(frame: pl.LazyFrame, outliers: pl.DataFrame, incidents: pl.Series, features: Sequence[str | None],
           time: str | None) -> list[str | None]:  # fmt: skip
    """Return for each incident in which values of which columns its rows are concentrated, as "shop 3, 12".

    Parameters
    ----------
    frame
        All rows.
    outliers, incidents
        The outliers, and the number of each one's incident.
    features
        The feature of each incident, which is no such column.
    time
        The column of times, which is none either.

    """
    names = [name for name, dtype in outliers.schema.items() if _has_few_values(dtype) and name != time]
    ranked = {name: _most_frequent(outliers[name], incidents) for name in names}
    most = {name: of_incidents for name, of_incidents in ranked.items() if of_incidents}
    counts = pl.collect_all(
        [frame.group_by(pl.col(name).alias("value")).len().top_k(_DISTINCT + 1, by="len") for name in most]
    )
    found: dict[int, list[tuple[float, int, str, str]]] = {}
    for (name, of_incidents), counted in zip(most.items(), counts, strict=True):
        if counted.height > _DISTINCT:
            continue
        rows_of = dict(counted.rows())
        for incident, values, rows in of_incidents:
            evidence = _evidence(values, rows, rows_of)
            if name != features[incident] and evidence > _CHANCE:
                text = f"{name} {', '.join(_text(value) for value, _ in values)}"
                # Of columns that say the same, as a name and its code do, the shorter one is first.
                found.setdefault(incident, []).append((-round(evidence, 6), len(text), text, name))
    return [_named(sorted(found.get(at, [])), outliers.filter(incidents == at)) for at in range(len(features))]


def _named(ranked: list[tuple[float, int, str, str]], rows: pl.DataFrame) -> str | None:
    """Return the texts of the first columns, but of none that follows from one before it."""
    named: list[str] = []
    texts: list[str] = []
    for _, _, text, name in ranked:
        follows = any(rows.select(other, name).n_unique() == rows[other].n_unique() for other in named)
        if len(named) < _COLUMNS and not follows:
            named.append(name)
            texts.append(text)
    return "; ".join(texts) or None


def _has_few_values(dtype: pl.DataType) -> bool:
    return dtype.is_integer() or isinstance(dtype, (pl.String, pl.Categorical, pl.Enum, pl.Boolean))


def _most_frequent(column: pl.Series, incidents: pl.Series) -> list[tuple[int, list[_Value], int]]:
    """Return of each incident the fewest values that cover most of its rows, if these are few, and its rows."""
    counted = pl.DataFrame({"incident": incidents, "value": column}).group_by("incident", "value").len()
    ranked = counted.sort("incident", "len", "value", descending=[False, True, False]).with_columns(
        rows=pl.col("len").sum().over("incident")
    )
    first = ranked.group_by("incident", maintain_order=True).head(_VALUES)
    found: list[tuple[int, list[_Value], int]] = []
    for part in first.partition_by("incident", maintain_order=True):
        rows = int(part["rows"][0])
        values = list(_covering(part.select("value", "len").rows(), rows))
        if sum(count for _, count in values) >= max(_COVERED * rows, _EACH * len(values)):
            found.append((int(part["incident"][0]), values, rows))
    return found


def _covering(values: list[_Value], rows: int) -> Iterator[_Value]:
    covered = 0
    for value, count in values:
        if covered >= _COVERED * rows:
            return
        covered += count
        yield value, count


def _evidence(values: list[_Value], rows: int, rows_of: dict[Any, int]) -> float:
    """Return how unlikely it is, in nats, that the rows of an incident come from so few values by chance.

    Chernoff's bound for the values' share, for the values of that number that suit best.
    """
    expected = sum(rows_of.get(value, count) for value, count in values) / sum(rows_of.values())
    share = sum(count for _, count in values) / rows
    if share < _LIFT * expected:
        return 0.0
    others = 0.0 if share == 1 else (1 - share) * math.log((1 - share) / (1 - expected))
    return rows * (share * math.log(share / expected) + others) - math.log(math.comb(len(rows_of), len(values)))


def _text(value: object) -> str:
    if value is None:
        return "missing"
    return str(value).lower() if isinstance(value, bool) else str(value)
