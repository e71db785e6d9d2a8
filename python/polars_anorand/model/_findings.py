"""What cells know of columns, as the core finds it, in words."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_MEANINGS = {"category": "category", "number": "number", "date": "date", "clock": "time of day"}
_AS_TEXT = {"number": "numbers as text", "date": "dates as text", "clock": "times of the day as text"}
_DETERMINES = 0.95
"""The share of a column that its parent explains from which on it determines it."""
_LISTED = 5
"""The most placeholders that one note names."""


class Finding(NamedTuple):
    """What is known of one column."""

    meaning: str
    """What its values are: a category, a number, a date or a time of day."""
    is_text: bool
    """Whether it holds numbers or times as text."""
    placeholders: list[tuple[str, int]]
    """The values that stand for missing ones, and their rows."""
    depends_on: list[str]
    """The column, or the two, of each relation that predicts it, best first."""
    is_determined: bool
    """Whether the first of these leaves nearly nothing open."""

    def notes(self) -> str | None:
        """What a reader of the table may not know; None if there is nothing."""
        found = [_AS_TEXT[self.meaning_key]] if self.is_text else []
        if self.placeholders:
            listed = ", ".join(f"{value!r} ({_rows(rows)})" for value, rows in self.placeholders[:_LISTED])
            more = ", …" if len(self.placeholders) > _LISTED else ""
            found.append(f"placeholders of missing values: {listed}{more}")
        if self.depends_on:
            first, *others = self.depends_on
            found.append(f"determined by {first}" if self.is_determined else f"depends on {first}")
            if others:
                found[-1] += f"; also on {', '.join(others)}" if self.is_determined else f", {', '.join(others)}"
        return "; ".join(found) or None

    @property
    def meaning_key(self) -> str:
        """The meaning as the core names it."""
        return next(key for key, meaning in _MEANINGS.items() if meaning == self.meaning)


def read(found: str | None, names: list[str]) -> list[Finding | None]:
    """What is known of each of the columns with these names; None of each if there are no cells."""
    if found is None:
        return [None] * len(names)
    return [_finding(each, names) for each in json.loads(found)]


def _finding(found: dict[str, Any], names: list[str]) -> Finding:
    parents: list[tuple[list[int], float]] = found["parents"]
    return Finding(
        meaning=_MEANINGS[found["meaning"]],
        is_text=found["is_read"],
        placeholders=[(value, rows) for value, rows in found["placeholders"]],
        depends_on=[" and ".join(names[at] for at in columns) for columns, _ in parents],
        is_determined=bool(parents) and parents[0][1] >= _DETERMINES,
    )


def _rows(rows: int) -> str:
    return f"{rows:,} row{'' if rows == 1 else 's'}"
