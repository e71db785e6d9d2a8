"""What the sentences of several rows have in common."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_ABOUT_TEXTS = [
    (r" among numbers such as .*", "is not written as the other numbers are"),
    (r" among (.*)", r"is a text among \1"),
    (r" stands for a missing value, .*", "is a text that stands for a missing value"),
    (r" is not written as most are (.*)", r"is not written as most are \1"),
    (r" was read in another encoding .*", "was read in another encoding than it was written in"),
    (r" looks like .*", "is nearly another value, which more rows have"),
    (r" has another form than most.*", "has another form than most"),
]
"""What follows a text in quotes, and what is true of all such texts."""
_ABOUT_VALUES = [
    (r"; most are (.*)", r"is unusual: most are \1"),
    (r", (after|before|above|below) (.+), which is .*", r"is \1 its \2"),
    (r", as in no .*", "is new: no training row has such a value"),
    (r", which is below zero.*", "is below zero, as few are"),
    (r", which is not whole.*", "is not whole, as most are"),
    (r", which is unusual among similar rows", "is unusual among similar rows"),
    (r", unlike most rows", "is unlike most rows"),
    (r", as in the known anomalies", "is as in the known anomalies"),
    (r", as in .*", "has a value that few rows have"),
    (r"; (?!with )(.+) is .*", r"is not \1"),
]
"""What follows "price is 640", and what is true of all such values."""


def in_common(feature: str, value: str | None, sentence: str | None, names: Sequence[str]) -> str:
    """Return what a reason's sentence says, without what belongs to its row alone.

    "price is 64.99; with sku 1007 it is 7.25 in 99 % of 312 rows" becomes "price does not go with its sku". The
    sentences are those of ``src/cells/reason.rs`` and ``src/cells/by_parent.rs``.

    Parameters
    ----------
    feature, value, sentence
        Of one reason. The sentence is None for a model of ``preset="paper"``.
    names
        The model's features.

    """
    if sentence is None:
        return f"{feature} is unusual"
    shown = "missing" if value is None else value
    hour = re.match(rf"{re.escape(feature)} is at (\d\d h|missing)", sentence)
    if hour:
        return _beside(f"the hour of {feature}", sentence[hour.end() :], names) or f"{feature} is unusual"
    rest = _after(f"{feature} is {shown}", sentence)
    if rest is not None:
        said = _beside(feature, rest, names) or _matching(_ABOUT_VALUES, feature, rest)
    elif value is None:
        is_new = sentence.startswith("missing, as in no ")
        said = f"{feature} is missing, as in no training row" if is_new else f"{feature} is missing, as in few rows"
    elif _after(f"{shown} seems to stand for a missing value", sentence) is not None:
        said = f"{feature} is {shown}, which seems to stand for a missing value"
    else:
        said = _matching(_ABOUT_TEXTS, feature, _after(f"'{shown}'", sentence) or "")
    return said or f"{feature} is unusual"


def _beside(subject: str, rest: str, names: Sequence[str]) -> str | None:
    """Return what is said of a value beside another one of its row."""
    for beginning, said in [
        ("; with ", "does not go with"),
        (", but ", "does not go with"),
        (", with ", "is unusual with"),
    ]:
        other = _after(beginning, rest)
        # "no zip" stands for a missing one. Of "zip" and "zip_code", the longer name is meant.
        found = [name for name in names if other is not None and other.startswith((name, f"no {name}"))]
        if found:
            return f"{subject} {said} its {max(found, key=len)}"
    return None


def _matching(phrases: list[tuple[str, str]], feature: str, rest: str) -> str | None:
    for pattern, phrase in phrases:
        found = re.fullmatch(pattern, rest, re.DOTALL)
        if found:
            return f"{feature} {found.expand(phrase)}"
    return None


def _after(beginning: str, text: str) -> str | None:
    return text[len(beginning) :] if text.startswith(beginning) else None
