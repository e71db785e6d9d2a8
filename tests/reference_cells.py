"""The slow, obvious reading of a model's cells: the evidence that a value is wrong, in float64.

``src/cells`` is the specification. What the file does not store (how rare a text is, its shape, its near-duplicates) is
worked out from the vocabulary, as the product does when it opens a file.
"""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Texts = dict[int, list[str]]
"""Of a feature that is a category, the texts of codes that its vocabulary lacks: the first is that of the first code."""

SHARE = 0.02
MOST = 1e5
FAR = (0.75, 2.0)
MARKERS = {
    "", "n/a", "na", "nan", "null", "none", "empty", "-", "--", "?", "missing", "nil", "#n/a", "n.a.", "nat", "<na>",
    "(null)", "\\n",
}  # fmt: skip
UNITS = {"Datetime": 86_400e6, "Duration": 3_600e6, "Time": 3_600e9}


def evidence(metadata: dict[str, Any], tensors: dict[str, Any], rows: Array, texts: Texts | None = None) -> Evidence:
    """The evidence against each cell of some rows.

    ``rows`` has the features in the model's order: numbers, codes of categories, times in the units of their kinds, and
    NaN for a missing value. A code beyond the vocabulary is a text of ``texts``.
    """
    return _Model(metadata, tensors, texts or {}).evidence(rows)


@dataclass
class Evidence:
    """``cells`` are ln e, ``parts`` ln(1 + 0.02 e) of all evidence and of the tails, and these sums of a row.

    Where cells disagree only with each other, one of them has the evidence of the others; the row's sum is that before.
    """

    cells: Array
    parts: Array
    all: Array
    tails: Array


def of_event(count: float, rows: float) -> float:
    """One over the rate of an event."""
    return (rows + 1) / (count + 0.5)


def of_share(share: float) -> float:
    """The evidence of what a share of the rows exceeds."""
    return 0.3 * share**-0.7


def ln(x: float) -> float:
    """The logarithm to 1e-10, by the same steps: whether a number is beyond a knot of a tail depends on its last bit."""
    mantissa, exponent = math.frexp(x)
    mantissa, exponent = mantissa * 2, exponent - 1
    if mantissa > math.sqrt(2):
        mantissa, exponent = mantissa * 0.5, exponent + 1
    t = (mantissa - 1.0) / (mantissa + 1.0)
    q = t * t
    series = 1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0))))
    return 2.0 * t * series + exponent * 0.693147180559945309417232121458


class Tail:
    """How many training rows have at least a number."""

    def __init__(self, knots: Array, at_least: Array, slope: float) -> None:
        self.knots, self.slope = knots, slope
        self.rows = at_least[0] if len(at_least) else 0.0
        self.of_knots = [of_share((count + 1) / (self.rows + 1)) for count in at_least]

    @classmethod
    def fit(cls, numbers: Iterable[tuple[float, float]], slope: float) -> Tail:
        """From numbers and their rows: the twelve highest as they are, then every fifth more rows."""
        counted: Counter[float] = Counter()
        for number, count in numbers:
            counted[number] += count  # type: ignore[assignment]
        knots: list[float] = []
        at_least: list[float] = []
        rows, following = 0.0, 0.0
        falling = sorted(counted, reverse=True)
        for at, number in enumerate(falling):
            rows += counted[number]
            if rows >= following or at == len(falling) - 1:
                knots.append(number)
                at_least.append(rows)
                following = 0.0 if len(knots) < 12 else rows * 1.2
        return cls(np.array(knots[::-1]), np.array(at_least[::-1]), slope)

    def evidence(self, number: float) -> float:
        """Linear between the knots, and rising beyond the last one."""
        if not len(self.knots) or number <= self.knots[0]:
            return 0.3
        if number > self.knots[-1]:
            beyond = min(number - self.knots[-1], 20.0)
            return 0.3 * math.exp(0.7 * (math.log(self.rows + 1) + self.slope * beyond))
        return float(np.interp(number, self.knots, self.of_knots))


class Rarity:
    """The share of the rows with a value that is no more frequent."""

    def __init__(self, counts: Iterable[int], alone: int) -> None:
        """From the rows of each value; ``alone`` rows have a value of their own."""
        self.counts = np.array(sorted([1] * (alone > 0) + [count for count in counts if count > 0]), dtype=float)
        rows = self.counts.copy()
        if alone > 0:
            rows[0] = alone
        self.below = np.cumsum(rows)
        self.all = rows.sum()

    def rows(self, count: float) -> float:
        """The number of rows with values of at most this many."""
        at = int(np.searchsorted(self.counts, count, side="right"))
        return float(self.below[at - 1]) if at else 0.0

    def share(self, count: float) -> float:
        """A new value is as one of a single row."""
        return min((self.rows(max(count, 1)) + 0.5) / (self.all + 1), 1.0)

    def apart(self, count: float) -> float:
        """The event that no other values are nearly as rare."""
        return float((self.all + 1) / (self.rows(max(8 * max(count, 1), count)) + 0.5))


# Texts


def is_marker(text: str) -> bool:
    """Whether a text stands for a missing value."""
    return text.strip().lower() in MARKERS


def number_in(text: str) -> float | None:
    """The number that a text is."""
    if not re.fullmatch(r"[-+]?(([0-9][0-9,]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", text):
        return None
    number = float(text.replace(",", ""))
    return number if math.isfinite(number) else None


FORMATS = ["YearDashes", "YearSlashes", "Slashes", "Dots", "Dashes", "DayName", "NameDay", "Clock12", "Clock24"]
MONTHS = [
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
]  # fmt: skip
CLOCK = r"(?P<h>[0-9]{1,2}):(?P<m>[0-9]{2})(:(?P<s>[0-9]{2})(\.[0-9]{1,9})?)?( ?(?P<half>[aApP])\.?[mM]\.?)?"
ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})?"
DATES = [
    ("YearDashes", r"(?P<y>[0-9]{4})-(?P<mo>[0-9]{1,2})-(?P<d>[0-9]{1,2})"),
    ("YearSlashes", r"(?P<y>[0-9]{4})/(?P<mo>[0-9]{1,2})/(?P<d>[0-9]{1,2})"),
    ("NameDay", r"(?P<name>[a-zA-Z]+)\.? (?P<d>[0-9]{1,2}),? (?P<y>[0-9]{4}|[0-9]{2})"),
    ("DayName", r"(?P<d>[0-9]{1,2})(?P<symbol>[- ])(?P<name>[a-zA-Z]+)(?P=symbol)(?P<y>[0-9]{4}|[0-9]{2})"),
    ("Slashes", r"(?P<mo>[0-9]{1,2})/(?P<d>[0-9]{1,2})/(?P<y>[0-9]{4}|[0-9]{2})"),
    ("Dots", r"(?P<d>[0-9]{1,2})\.(?P<mo>[0-9]{1,2})\.(?P<y>[0-9]{4}|[0-9]{2})"),
    ("Dashes", r"(?P<d>[0-9]{1,2})-(?P<mo>[0-9]{1,2})-(?P<y>[0-9]{4}|[0-9]{2})"),
]


@dataclass
class Written:
    """A date or a time of the day: days since 1970, or hours."""

    format_number: int
    month_first: float
    day_first: float
    hour: int | None
    is_clock: bool
    has_clock: bool


def _hours(found: re.Match[str]) -> float | None:
    hour, half = int(found["h"]), found["half"]
    if half:
        if hour > 12:
            return None
        hour = hour % 12 + (12 if half in "pP" else 0)
    minute, second = int(found["m"]), int(found["s"] or 0)
    return hour + minute / 60 + second / 3600 if hour < 24 and minute < 60 and second < 60 else None


def _days(year: int, month: int, day: int) -> float:
    try:
        return float((datetime.date(year, month, day) - datetime.date(1970, 1, 1)).days)
    except ValueError:
        return math.nan


def written(text: str) -> Written | None:
    """The date or the time of the day that a text is."""
    if not 4 <= len(text.encode()) <= 40:
        return None
    if (clock := re.fullmatch(CLOCK, text)) and (hours := _hours(clock)) is not None:
        kind = "Clock12" if clock["half"] else "Clock24"
        return Written(FORMATS.index(kind) * 2, hours, hours, int(hours), is_clock=True, has_clock=False)
    for kind, pattern in DATES:
        if (found := re.fullmatch(f"{pattern}(,?[ T]{CLOCK}{ZONE})?", text)) is None:
            continue
        given = found.groupdict()
        year, day = int(given["y"]), int(given["d"])
        if len(given["y"]) == 2:
            year += 2000 if year < 30 else 1900
        if (name := given.get("name")) is not None:
            named = [at for at, each in enumerate(MONTHS) if name.lower() in (each, each[:3])]
            if not named:
                return None
            month = named[0] + 1
        else:
            month = int(given["mo"])
        hours = None
        if given["h"] is not None and (hours := _hours(found)) is None:
            return None
        both = [_days(year, month, day), _days(year, day, month) if kind == "Slashes" else _days(year, month, day)]
        month_first, day_first = (days + (hours or 0.0) / 24 for days in both)
        number = FORMATS.index(kind) * 2 + (hours is not None)
        hour = None if hours is None else int(hours)
        return Written(number, month_first, day_first, hour, is_clock=False, has_clock=hours is not None)
    return None


def is_garbled(text: str) -> bool:
    """Whether a text was read in another encoding than it was written in."""
    if re.search(r"[\x00-\x08\x0e-\x1b]", text) or "\ufffd" in text:
        return True
    return re.search("[ÃÂâ][\x80-\xbf€‚„‡ˆ‰‹Œ™šœ]", text) is not None


def _letters(run: str) -> str:
    first, rest = run[0], run[1:]
    small, large = any(each.islower() for each in rest), any(each.isupper() for each in rest)
    if first.isupper():
        return "M" if small and large else "T" if small else "A"
    if large:
        return "M"
    return "a" if small or first.islower() else "L"


def _class(letter: str) -> str:
    if letter.isalpha():
        return "letter"
    if letter in "0123456789":
        return "digit"
    return "space" if letter.isspace() else "symbol"


def shape(text: str) -> list[object]:
    """Kinds of characters, their pattern, the same with lengths, the length, what is written, the share of digits."""
    runs: list[str] = []
    for letter in text:
        if runs and _class(letter) != "symbol" and _class(runs[-1][0]) == _class(letter):
            runs[-1] += letter
        else:
            runs.append(letter)
    kinds: set[str] = set()
    pattern: list[str] = []
    lengths, digits = "", 0
    for run in runs:
        of = _class(run[0])
        if not run.isascii():
            kinds.add("U")
        if of == "letter":
            symbol = _letters(run)
            kinds |= {"l"} if symbol == "a" else {"u"} if symbol == "A" else {"l", "u"}
        else:
            symbol = {"digit": "9", "space": " ", "symbol": run[0]}[of]
            kinds.add(chr(ord(symbol) & 127))
            digits += len(run) * (of == "digit")
        if len(lengths.encode()) < 60:
            lengths += symbol + (str(len(run)) if of in ("letter", "digit") else "")
        if len(pattern) < 40:
            pattern.append(symbol)
            while len(pattern) >= 4 and pattern[-4:-2] == pattern[-2:]:
                del pattern[-2:]
            if len(pattern) >= 3 and len(set(pattern[-3:])) == 1:
                del pattern[-1:]
    length = len(text) if len(text) < 12 else 12 + int(8 * math.log2(len(text) / 12))
    date = written(text)
    what = 2 + date.format_number if date else int(number_in(text) is not None)
    return [frozenset(kinds), "".join(pattern), lengths, length, what, -(-4 * digits // max(len(text), 1))]


class Shapes:
    """How unusual the shape of a text is in its column."""

    def __init__(self, texts: list[tuple[str, int]]) -> None:
        texts = texts[:: max(-(-len(texts) // (1 << 14)), 1)]
        counted: list[Counter[object]] = [Counter() for _ in range(6)]
        shapes = [(shape(text), count) for text, count in texts]
        for each, count in shapes:
            for at, feature in enumerate(each):
                counted[at][feature] += count
        self.features = [(counts, Rarity(counts.values(), 0)) for counts in counted]
        self.tail = Tail.fit([(self.oddity(each), count) for each, count in shapes], 0.25)

    def oddity(self, of: list[object]) -> float:
        """The most unusual feature, and 0.3 of all."""
        pairs = zip(self.features, of, strict=True)
        nats = [-ln(rarity.share(counts[feature])) for (counts, rarity), feature in pairs]
        return max(0.0, *nats) + 0.3 * sum(nats)

    def evidence(self, text: str, count: int) -> float:
        """Less of a text that many rows have."""
        return self.tail.evidence(self.oddity(shape(text))) * max(count, 1) ** -0.25


def edits(a: str, b: str) -> int:
    """Letters to insert, to take out, to replace, or to exchange with the next one."""
    table = np.zeros((len(a) + 1, len(b) + 1), dtype=int)
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            ways = [table[i - 1, j - 1] + (a[i - 1] != b[j - 1]), table[i - 1, j] + 1, table[i, j - 1] + 1]
            if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
                ways.append(table[i - 2, j - 2] + 1)
            table[i, j] = min(ways)
    return int(table[-1, -1])


class NearDuplicates:
    """Texts that are a few letters from a commoner one."""

    def __init__(self, values: list[str], counts: list[int], rows: int) -> None:
        """From a vocabulary, the most frequent first, in which markers have no rows."""
        self.common = [
            (level, count, text[:257].lower())
            for level, (text, count) in enumerate(zip(values, counts, strict=True))
            if count >= 5 and len(text.encode()) <= 256 and (len(text) >= 4 or _has_letters(text))
        ][:4_000]
        self.evidence = 0.0
        if not self.common:
            return
        chance = self._chance_of_neighbours(sum(counts))
        most = self.common[0][1]
        self.near = []
        rare = near = 0
        for level, (text, count) in enumerate(zip(values, counts, strict=True)):
            is_rare = count > 0 and 5 * count <= most
            self.near.append(is_rare and self._found(text, count, level))
            rare += count * is_rare
            near += count * self.near[-1]
        by_chance = rare / rows * chance + 1 / rows
        share = 1 - min(by_chance / ((near + 0.5) / (rows + 1) + 1 / rows), 1.0)
        self.evidence = 30 * min(share / (1 - share + 1e-9), 100.0)

    def is_near(self, text: str, count: int, level: int | None) -> bool:
        """Of a text of the vocabulary, or a new one."""
        if not self.common:
            return False
        return self.near[level] if level is not None else self._found(text, count, None)

    def _found(self, text: str, count: int, level: int | None) -> bool:
        return 2 <= len(text.encode()) <= 256 and self._has_near(text[:257].lower(), 5 * max(count, 1), level)

    def _has_near(self, text: str, least: int, level: int | None) -> bool:
        pattern = re.sub("[0-9]", "0", text)
        most = 1 if len(text) < 8 else 2 if len(text) < 15 else 3
        tried: Counter[str] = Counter()
        for other, count, common in self.common:
            if count < least or other == level or abs(len(common) - len(text)) > most:
                continue
            theirs = re.sub("[0-9]", "0", common)
            if theirs == pattern:
                if common == text:
                    return True
            elif tried[theirs] < 50:
                tried[theirs] += 1
                if edits(pattern, theirs) <= most and edits(text, common) <= most:
                    return True
        return False

    def _chance_of_neighbours(self, rows: int) -> float:
        head = 0
        covered = 0.0
        while head < len(self.common) and (head == 0 or covered < 0.8 * rows):
            covered += self.common[head][1]
            head += 1
        looked_at = self.common[:head][:: max(-(-head // 400), 1)]
        least = self.common[head - 1][1]
        near = sum(self._has_near(text, least, level) for level, _, text in looked_at)
        return (near + 0.5) / (len(looked_at) + 1)


def _has_letters(text: str) -> bool:
    return len(text) == 3 and any(each.isalpha() for each in text)


# Columns


@dataclass
class Scale:
    """The centre and the spread of numbers or of their logarithms."""

    centre: float
    spread: float


@dataclass
class Numbers:
    """What the numbers of a column are like."""

    is_log: bool
    scale: Scale
    middle: tuple[float, float]
    rows: int
    far: tuple[int, int]
    unread: int
    odd: list[int]
    sentinels: dict[float, int]
    edges: Array
    edges_are_values: bool
    tail: Tail

    def place(self, number: float) -> float:
        """The number on the scale on which numbers are judged."""
        if not self.is_log:
            return number
        return math.log(number) if number > 0 else self.scale.centre - 15 * self.scale.spread

    def away(self, number: float) -> float:
        """Spreads from the centre."""
        return (self.place(number) - self.scale.centre) / self.scale.spread

    def is_sized(self, number: float) -> bool:
        """Whether the number stands for itself."""
        return not math.isnan(number) and number not in self.sentinels

    def bin(self, number: float) -> int | None:
        """The bin of a number that stands for itself; None where it has none."""
        if self.edges_are_values:
            found = np.flatnonzero(self.edges == number)
            return int(found[0]) if len(found) else None
        return int(np.searchsorted(self.edges, number, side="right"))


@dataclass
class Level:
    """One value, and what speaks against it by itself."""

    number: float = math.nan
    hour: int = 24
    is_missing: bool = False
    fixed: float = 0.0
    value: float = 0.0
    far: float = 0.0
    place: int | None = None
    """Among the known values."""
    text: str = ""

    @property
    def by_itself(self) -> float:
        """The nats of the most that speaks against the value by itself."""
        return math.log(max(self.fixed, self.value / 0.3, self.far / 0.5, 1e-6))


class Column:
    """One feature."""

    def __init__(self, metadata: dict[str, Any], rows: int, missing: int) -> None:
        self.metadata = metadata
        self.nature: dict[str, Any] = metadata["nature"]
        self.meaning: str = self.nature["meaning"]
        self.rows, self.missing, self.missing_rows = rows, missing, missing
        self.known, self.counts = np.zeros(0), np.zeros(0, dtype=int)
        self.numbers: Numbers | None = None
        self.vocabulary: tuple[list[str], list[int], int] | None = None
        self.rarity: Rarity | None = None
        self.shapes: Shapes | None = None
        self.near: NearDuplicates | None = None
        self.format: tuple[int, int] | None = None
        self.garbled = 0

    def prepare(self) -> None:
        """Works out what follows from the known values."""
        if self.vocabulary is None:
            others = self.rows - int(self.counts.sum()) - self.missing
            counts = [*self.counts.tolist(), self.missing]
        else:
            texts, given, others = self.vocabulary
            kept = [0 if is_marker(text) else count for text, count in zip(texts, given, strict=True)]
            self.missing_rows = self.missing + sum(given) - sum(kept)
            counts = [*kept, self.missing_rows]
            self._prepare_texts(texts, given, kept)
        if self.nature["is_discrete"]:
            self.rarity = Rarity(counts, max(others, 0))

    def _prepare_texts(self, texts: list[str], given: list[int], kept: list[int]) -> None:
        self.garbled = sum(count for text, count in zip(texts, given, strict=True) if is_garbled(text))
        shown = [(text, count) for text, count in zip(texts, kept, strict=True) if count > 0]
        if sum(count for _, count in shown) >= 20:
            self.shapes = Shapes(shown)
        is_date = self.meaning in ("date", "clock")
        if not self.nature["is_free_text"] and not is_date:
            self.near = NearDuplicates(texts, kept, max(self.rows, 1))
        if is_date:
            counted = [0] * (2 * len(FORMATS))
            for text, count in zip(texts, given, strict=True):
                if (found := written(text.strip())) is not None:
                    counted[found.format_number] += count
            usual = counted.index(max(counted))
            self.format = (usual, sum(counted) - counted[usual])

    def level(self, value: float, others: list[str]) -> Level:
        """Of a number, or of the code of a text."""
        if math.isnan(value):
            return self._missing(self._known_count())
        if self.vocabulary is None:
            number = value / UNITS.get(self.metadata.get("time", ""), 1.0)
            found = np.flatnonzero(self.known == number)
            place = int(found[0]) if len(found) else None
            return self._of_number(number, 0 if place is None else int(self.counts[place]), place)
        texts, counts, _ = self.vocabulary
        code = int(value)
        if code < len(texts):
            return self._of_text(texts[code], counts[code], code)
        return self._of_text(others[code - len(texts)], 0, None)

    def _known_count(self) -> int:
        return len(self.known) if self.vocabulary is None else len(self.vocabulary[0])

    def _missing(self, place: int | None, text: str = "") -> Level:
        return Level(is_missing=True, fixed=of_event(self.missing_rows, self.rows), place=place, text=text)

    def _of_number(self, number: float, count: int, place: int | None) -> Level:
        hour = 24
        if self.meaning == "date" and self.metadata.get("time") == "Datetime":
            hour = min(int(number % 1.0 * 24 + 1e-6), 23)
        elif self.meaning == "clock":
            hour = min(int(number + 1e-6), 23)
        level = Level(number, hour, place=place)
        self._add_rarity(level, count)
        self._add_size(level, number)
        return level

    def _of_text(self, text: str, count: int, place: int | None) -> Level:
        if is_marker(text):
            return self._missing(place, text)
        number = self.number_of(text)
        found = written(text.strip())
        hour = found.hour if found and self.meaning in ("date", "clock") else None
        level = Level(number, 24 if hour is None else hour, place=place, text=text)
        self._add_rarity(level, count)
        if self.shapes:
            level.fixed += self.shapes.evidence(text, count)
        if is_garbled(text):
            level.fixed += max(20.0, min(of_event(self.garbled, self.rows), 1_000.0))
        if self.near and self.near.is_near(text, count, place):
            level.fixed += self.near.evidence
        if self.format and found and found.format_number != self.format[0]:
            level.fixed += of_event(self.format[1], self.rows)
        if self.numbers and math.isnan(number):
            level.fixed += of_event(self.numbers.unread, self.numbers.rows)
        self._add_size(level, number)
        return level

    def number_of(self, text: str) -> float:
        """The number that a text means in this column."""
        text = text.strip()
        if self.meaning in ("category", "number"):
            number = number_in(text) if self.meaning == "number" else None
            return math.nan if number is None else number
        found = written(text)
        if found is None:
            return math.nan
        moment = found.day_first if self.nature["is_day_first"] else found.month_first
        if (self.meaning == "clock") == found.is_clock:
            return moment
        return moment % 1.0 * 24 if self.meaning == "clock" and found.has_clock else math.nan

    def _add_rarity(self, level: Level, count: int) -> None:
        if self.rarity:
            level.value += 0.3 * of_share(self.rarity.share(count))
            level.fixed += 0.2 * self.rarity.apart(count)

    def _add_size(self, level: Level, number: float) -> None:
        of = self.numbers
        if of is None or math.isnan(number):
            return
        if (sentinel := of.sentinels.get(number)) is not None:
            level.fixed += of_event(sentinel, of.rows)
            return
        level.far += 0.5 * of.tail.evidence(_odd(of.away(number)))
        low, high = of.middle
        width = max(high - low, 4.65 * of.scale.spread)
        beyond = max(low - of.place(number), of.place(number) - high) / width
        events = [of_event(count, of.rows) for least, count in zip(FAR, of.far, strict=True) if beyond >= least]
        level.fixed += 0.5 * max(events, default=0.0)
        odd = [number < 0, number == 0, number != math.trunc(number)]
        few = [count for is_odd, count in zip(odd, of.odd, strict=True) if is_odd and count <= int(0.1 * of.rows)]
        if few and self.meaning == "number":
            level.fixed += of_event(min(few), of.rows)


# Codes and parents


class Coder:
    """A column as codes of one form; the next one after the known ones is of missing values, then of all others."""

    def __init__(self, at: int, form: str, column: Column) -> None:
        self.at, self.form, self.column = at, form, column
        self.parts: dict[str, int] = {}
        if form in ("first", "last", "prefix1", "prefix2", "prefix3") and column.vocabulary:
            for text in column.vocabulary[0]:
                if not is_marker(text):
                    self.parts.setdefault(self._part(text), len(self.parts))
        cycles = {"hour": 24, "weekday": 7, "month": 12, "value": column._known_count()}
        self.count = cycles.get(form, len(self.parts))
        if form == "bin" and column.numbers:
            self.count = len(column.numbers.edges) + (not column.numbers.edges_are_values)

    def _part(self, text: str) -> str:
        text = text.strip()
        if self.form.startswith("prefix"):
            return text[: int(self.form[-1])]
        parts = re.split(r"[\s_,;/|:-]", text)
        return parts[0] if self.form == "first" else parts[-1]

    def code(self, level: Level) -> int:
        """Of one value."""
        if level.is_missing:
            return self.count
        unseen = self.count + 1
        if self.form == "value":
            return unseen if level.place is None else level.place
        if self.form == "bin":
            numbers = self.column.numbers
            if numbers is None or not numbers.is_sized(level.number):
                return self.count
            found = numbers.bin(level.number)
            return unseen if found is None else found
        if self.form == "hour":
            return level.hour if level.hour < 24 else self.count
        if self.form in ("weekday", "month"):
            if not abs(level.number) < 1e8:
                return self.count
            date = datetime.date(1970, 1, 1) + datetime.timedelta(days=math.floor(level.number))
            return date.weekday() if self.form == "weekday" else date.month - 1
        return self.parts.get(self._part(level.text), unseen)


@dataclass
class Parent:
    """What one column, or two, say about another one."""

    columns: list[int]
    coder: int | None
    weight: float
    determines: float
    relation: str
    sizes: dict[str, Any]
    tail: Tail | None = None
    groups: dict[int, Any] = field(default_factory=dict)
    numbers: Array = field(default_factory=lambda: np.zeros(0))


@dataclass
class Target:
    """A column, and the parents of its value, its hour or its number."""

    column: int
    aim: str
    coder: int | None
    counts: list[int]
    parents: list[Parent] = field(default_factory=list)


class _Front:
    """A tensor that is taken from the front."""

    def __init__(self, tensor: Any) -> None:
        self.tensor, self.at = tensor, 0

    def take(self, count: int) -> Any:
        self.at += count
        return self.tensor[self.at - count : self.at]


class _Model:
    def __init__(self, metadata: dict[str, Any], tensors: dict[str, Any], texts: Texts) -> None:
        self.given, self.texts = metadata["cells"], texts
        self.fronts = {name.removeprefix("cells."): _Front(each) for name, each in tensors.items()}
        self.columns = [
            self._column(each, _vocabulary(metadata, tensors, j)) for j, each in enumerate(self.given["columns"])
        ]
        self.coders = [Coder(at, form, self.columns[at]) for at, form in self.given["coders"]]
        self.targets = [self._target(each) for each in self.given["targets"]]
        # All of the file's numbers were read.
        for name in [name for name in tensors if name.startswith("cells.")]:
            front = self.fronts[name.removeprefix("cells.")]
            assert front.at == len(front.tensor), name

    def _take(self, name: str, count: int = 1) -> Any:
        return self.fronts[name].take(count)

    def _tail(self, knots: int) -> Tail:
        pairs = self._take("tails", knots)
        return Tail(pairs[:, 0], pairs[:, 1], 1.0)

    def _column(self, metadata: dict[str, Any], vocabulary: tuple[list[str], list[int], int] | None) -> Column:
        ((rows, missing),) = self._take("rows").tolist()
        column = Column(metadata, rows, missing)
        column.known, column.counts = (
            self._take("known", metadata["known"]),
            self._take("known_rows", metadata["known"]),
        )
        column.vocabulary = vocabulary
        if (of := metadata.get("numbers")) is not None:
            (scales,) = self._take("scales")
            ((rows, near, far, unread, *odd),) = self._take("events").tolist()
            centre, spread = scales[3:5] if of["is_log"] else scales[0:2]
            sentinels = {value: int(count) for value, count in self._take("sentinels", of["sentinels"]).tolist()}
            edges = self._take("edges", of["edges"])
            column.numbers = Numbers(
                of["is_log"], Scale(centre, spread), (scales[6], scales[7]), rows, (near, far), unread, odd, sentinels,
                edges, of["edges_are_values"], self._tail(of["knots"]),
            )  # fmt: skip
        column.prepare()
        return column

    def _target(self, metadata: dict[str, Any]) -> Target:
        column = self.columns[metadata["column"]]
        counts: list[int] = []
        if metadata["aim"] == "hour":
            counts = self._take("hours")[0].tolist()
        elif metadata["aim"] == "value":
            counts = column.counts.tolist()
            if column.vocabulary:
                texts, given, _ = column.vocabulary
                counts = [0 if is_marker(text) else count for text, count in zip(texts, given, strict=True)]
            counts.append(column.missing_rows)
            counts.append(max(column.rows - sum(counts), 0))
        target = Target(metadata["column"], metadata["aim"], metadata.get("coder"), counts)
        target.parents = [self._parent(each, target) for each in metadata["parents"]]
        return target

    def _parent(self, metadata: dict[str, Any], target: Target) -> Parent:
        ((weight, determines),) = self._take("parents").tolist()
        ((relation, sizes),) = metadata["relation"].items()
        parent = Parent(metadata["columns"], metadata.get("coder"), weight, determines, relation, sizes)
        if relation == "category":
            self._read_pairs(parent, target)
            return parent
        if relation == "groups":
            codes, rows = self._take("group_codes", sizes["groups"]), self._take("group_rows", sizes["groups"])
            assert (rows > 0).all()
            numbers = self._take("group_numbers", sizes["groups"])
            parent.groups = dict(zip(codes.tolist(), numbers.tolist(), strict=True))
        else:
            (parent.numbers,) = self._take("lines" if relation == "line" else "two")
        parent.tail = self._tail(sizes["knots"])
        return parent

    def _read_pairs(self, parent: Parent, target: Target) -> None:
        """The ratio p(b|a) / p(b) of each pair, and of a child that a group lacks."""
        ((k0, c, r),) = self._take("smoothing").tolist()
        codes = self._take("pair_parents", parent.sizes["groups"]).tolist()
        sizes = self._take("pair_sizes", parent.sizes["groups"]).tolist()
        all_rows = max(sum(target.counts), 1)
        for code, size in zip(codes, sizes, strict=True):
            children = self._take("pair_children", size).tolist()
            counts = self._take("pair_rows", size).tolist()
            rows, alone = sum(counts), counts.count(1)
            k = k0 + c * alone + r * rows
            ratios: dict[int | None, float] = {None: k / (rows + k)}
            for child, count in zip(children, counts, strict=True):
                share = max(target.counts[child], 0.5) / all_rows
                ratios[child] = (count + k * share) / ((rows + k) * share)
            parent.groups[code] = ratios

    def evidence(self, rows: Array) -> Evidence:
        found = Evidence(np.zeros_like(rows), np.zeros((*rows.shape, 2)), np.zeros(len(rows)), np.zeros(len(rows)))
        for at, row in enumerate(rows):
            others = [self.texts.get(j, []) for j in range(len(row))]
            levels = [
                column.level(value, of) for column, value, of in zip(self.columns, row.tolist(), others, strict=True)
            ]
            _Row(self, levels).add_to(found, at)
        return found


class _Row:
    """One row: its values, and what is said about them."""

    def __init__(self, model: _Model, levels: list[Level]) -> None:
        self.model, self.levels = model, levels
        self.codes = [coder.code(levels[coder.at]) for coder in model.coders]
        self.ratios = [[self._ratio(target, parent) for parent in target.parents] for target in model.targets]

    def add_to(self, found: Evidence, at: int) -> None:
        cells = []
        for j, level in enumerate(self.levels):
            e, value, far = level.fixed, level.value, level.far
            for target, ratios in zip(self.model.targets, self.ratios, strict=True):
                if target.column != j:
                    continue
                given = 1 / sum(parent.weight * ratio for parent, ratio in zip(target.parents, ratios, strict=True))
                e += given
                value *= min(given, 1.0) if target.aim == "value" else 1.0
                far *= min(given, 1.0) if target.aim == "number" else 1.0
            tail = value + far
            found.parts[at, j] = math.log(1 + SHARE * (e + tail)), math.log(1 + SHARE * tail)
            cells.append(math.log(max(e + tail, 1e-6)))
        found.all[at], found.tails[at] = found.parts[at].sum(axis=0)
        if self._name_determined(cells):
            found.parts[at, :, 0] = np.log(1 + SHARE * np.exp(cells))
        found.cells[at] = cells

    def _number(self, at: int) -> float:
        """A number that stands for itself; NaN elsewhere."""
        numbers, number = self.model.columns[at].numbers, self.levels[at].number
        return number if numbers and numbers.is_sized(number) else math.nan

    def _ratio(self, target: Target, parent: Parent) -> float:
        if parent.relation == "category":
            assert parent.coder is not None and target.coder is not None
            group = parent.groups.get(self.codes[parent.coder])
            ratio = 1.0 if group is None else group.get(self.codes[target.coder], group[None])
            return min(max(ratio, 1 / MOST), MOST)
        numbers, number = self.model.columns[target.column].numbers, self._number(target.column)
        assert numbers is not None and parent.tail is not None
        expected, is_log = self._expected(parent, numbers)
        if expected is None or math.isnan(number):
            return 1.0
        place, spread = expected
        if not is_log:
            away = (number - place) / spread
        elif numbers.is_log:
            away = (numbers.place(number) - place) / spread
        else:
            away = (math.log(number) - place) / spread if number > 0 else -15.0
        unit = 1.0
        if number > 0 and is_log != numbers.is_log:
            unit = number if numbers.is_log else 1 / number
        ratio = unit * _t(away) / spread / (_wrong(numbers.away(number)) / numbers.scale.spread)
        if ratio < 1 / 0.3:
            ratio = max(ratio, 1 / parent.tail.evidence(_odd(away)))
        return min(max(ratio, 1 / MOST), MOST)

    def _expected(self, parent: Parent, numbers: Numbers) -> tuple[tuple[float, float] | None, bool]:
        """A place and a spread, and whether they are of logarithms."""
        if parent.relation == "groups":
            assert parent.coder is not None
            found = parent.groups.get(self.codes[parent.coder])
            return (None if found is None else (found[0], found[1])), numbers.is_log
        first, second = (self._number(at) for at in parent.columns)
        if parent.relation == "line":
            slope, offset, spread = parent.numbers.tolist()
            if parent.sizes["parent_is_log"]:
                first = math.log(first) if first > 0 else math.nan
            place, is_log = offset + slope * first, parent.sizes["child_is_log"]
        else:
            factor, spread = parent.numbers.tolist()
            with np.errstate(all="ignore"):
                number = {
                    "product": lambda: factor * first * second,
                    "ratio": lambda: float(np.float64(factor * first) / second),
                    "sum": lambda: first + factor * second,
                    "difference": lambda: factor * (first - second),
                }[parent.sizes["operation"]]()
            is_log = parent.sizes["is_log"]
            place = number if not is_log else math.log(number) if number > 0 else math.nan
        return ((place, spread) if math.isfinite(place) else None), is_log

    def _name_determined(self, cells: list[float]) -> bool:
        """Gives the evidence to one of the cells that disagree only with each other, if some do."""
        first = int(np.argmax(cells))
        alone = self.levels[first].by_itself
        most, others = max(alone, 0.7), None
        for target, ratios in zip(self.model.targets, self.ratios, strict=True):
            for parent, ratio in zip(target.parents, ratios, strict=True):
                if target.column == first and -math.log(ratio) > most:
                    most, others = -math.log(ratio), parent.columns
        if others is None or alone > 1.5:
            return False
        group = {first, *others}
        best = first
        for other in others:
            is_near = cells[other] >= cells[first] - 2.5 or self._disputed(other, group)
            if not is_near or self.levels[other].by_itself > 2.5:
                continue
            more = self._by_tenths(other, group) - self._by_tenths(best, group)
            is_number = [self.model.columns[at].meaning != "category" for at in (other, best)]
            is_rather = (is_number[0], other) > (is_number[1], best) if abs(more) <= 0.05 else more > 0
            disputes = [self._disputes(at, group) for at in (other, best)]
            if disputes[0] > disputes[1] or (disputes[0] == disputes[1] and is_rather):
                best = other
        cells[first], cells[best] = cells[best], cells[first]
        for at in group - {best}:
            cells[at] = min(cells[at], cells[best] - 0.01)
        return True

    def _all(self) -> list[tuple[Target, Parent, float]]:
        return [
            (target, parent, ratio)
            for target, ratios in zip(self.model.targets, self.ratios, strict=True)
            for parent, ratio in zip(target.parents, ratios, strict=True)
        ]

    def _disputed(self, at: int, group: set[int]) -> bool:
        return any(
            target.column == at and ratio < 0.2 and set(parent.columns) <= group
            for target, parent, ratio in self._all()
        )

    def _disputes(self, at: int, group: set[int]) -> int:
        others = set()
        for target, parent, ratio in self._all():
            if ratio < 0.2 and len(set(parent.columns)) == 1:
                if target.column == at:
                    others.add(parent.columns[0])
                elif parent.columns[0] == at:
                    others.add(target.column)
        return len(others - group)

    def _by_tenths(self, at: int, group: set[int]) -> float:
        of = [parent.determines for target, parent, _ in self._all() if target.column == at]
        inside = [set(parent.columns) <= group for target, parent, _ in self._all() if target.column == at]
        most = max((share for share, is_inside in zip(of, inside, strict=True) if is_inside), default=0.0)
        return math.floor(most * 10 + 0.5) / 10


def _odd(away: float) -> float:
    return ln(1.0 + away * away)


def _t(z: float) -> float:
    return float(0.375 * (1 + z * z / 4) ** -2.5)


def _wrong(z: float) -> float:
    return 0.7 * _t(z) + 0.3 / (5 * math.pi * (1 + (z / 5) ** 2))


def _vocabulary(metadata: dict[str, Any], tensors: dict[str, Any], j: int) -> tuple[list[str], list[int], int] | None:
    """The texts of a category, their rows, and the rows of those that are not remembered."""
    if f"vocabulary.{j}.text" not in tensors:
        return None
    text = bytes(tensors[f"vocabulary.{j}.text"].tolist())
    offsets = tensors[f"vocabulary.{j}.offsets"].tolist()
    values = [text[start:stop].decode() for start, stop in zip(offsets, offsets[1:], strict=False)]
    return values, tensors[f"vocabulary.{j}.counts"].tolist(), metadata["frequencies"][j]["rare_rows"]
