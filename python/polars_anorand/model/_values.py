"""The numbers that a model keeps of its features, as values of the features' kinds."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo


def text(number: float, *near: float) -> str:
    """Write a number for people to read: with at least 4 digits, and enough to tell it from the numbers ``near`` it."""
    if not math.isfinite(number):
        return str(number)
    for digits in range(4, 17):
        shown = _text(number, digits)
        if all(other == number or _text(other, digits) != shown for other in near):
            return shown
    return repr(number)


def _text(number: float, digits: int) -> str:
    if not math.isfinite(number) or abs(number) >= 1e15:
        return f"{number:.{digits}g}"
    # A whole number, and the whole part of another one, are not rounded.
    return f"{number:.{max(digits, len(str(int(abs(number)))))}g}"


def of_feature(feature: dict[str, Any], found: tuple[list[str], list[int], int] | None, number: float) -> object:
    """A number of a feature, as a model describes it, as a value of its kind; a time of a zone as the zone's clocks."""
    value = of_number(feature["kind"], found, number)
    zone = feature["dtype"].partition(", ")[2].rstrip("]") if feature["kind"] == "Datetime" else ""
    if not zone or not isinstance(value, datetime):
        return value
    try:
        return value.replace(tzinfo=timezone.utc).astimezone(ZoneInfo(zone))
    except (OverflowError, KeyError, ValueError):
        # A zone that Python does not know, or a time at the end of its range.
        return value.replace(tzinfo=timezone.utc)


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
