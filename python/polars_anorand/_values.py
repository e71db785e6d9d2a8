"""The numbers that a model keeps of its features, as values of the features' kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta


def of_number(kind: str, found: tuple[list[str], list[int], int] | None, number: float) -> object:
    """A feature's number as a value of its kind; None of a category that had no value in the training rows."""
    if found is not None:
        values, counts, rare = found
        if not values:
            return None
        rows = sum(counts) + rare
        return min(zip(values, counts, strict=True), key=lambda pair: abs(math.log(pair[1] / rows) - number))[0]
    try:
        return _FROM_NUMBER[kind](number) if kind in _FROM_NUMBER else number
    except OverflowError:  # beyond what Python's types hold
        return number


_FROM_NUMBER: dict[str, Callable[[float], object]] = {
    "Date": lambda days: date(1970, 1, 1) + timedelta(days=days),
    "Datetime": lambda microseconds: datetime(1970, 1, 1) + timedelta(microseconds=microseconds),
    "Duration": lambda microseconds: timedelta(microseconds=microseconds),
    "Time": lambda nanoseconds: (datetime(1970, 1, 1) + timedelta(microseconds=nanoseconds / 1_000)).time(),
}
"""What the numbers of a kind mean, as in src/data/columns.rs."""
