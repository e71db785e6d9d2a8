"""The slow reading of what texts say by themselves, and how rare a number or a value is; see ``reference_cells.py``."""

from __future__ import annotations

import datetime
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

MARKERS = {
    "", "n/a", "na", "nan", "null", "none", "empty", "-", "--", "?", "missing", "nil", "#n/a", "n.a.", "nat", "<na>",
    "(null)", "\\n",
}  # fmt: skip


def of_event(count: float, rows: float) -> float:
    """One over the rate of an event."""
    return (rows + 1) / (count + 0.5)


def of_share(share: float) -> float:
    """The evidence of what a share of the rows exceeds."""
    return 0.3 * share**-0.7


def ln(x: float) -> float:
    """The logarithm to 1e-10, by the same steps, since its last bit says on which side of a knot a number is."""
    mantissa, exponent = math.frexp(x)
    mantissa, exponent = mantissa * 2, exponent - 1
    if mantissa > math.sqrt(2):
        mantissa, exponent = mantissa * 0.5, exponent + 1
    t = (mantissa - 1.0) / (mantissa + 1.0)
    q = t * t
    series = 1.0 + q * (1.0 / 3.0 + q * (0.2 + q * (1.0 / 7.0 + q * (1.0 / 9.0 + q / 11.0))))
    return 2.0 * t * series + exponent * 0.693147180559945309417232121458


SAME = 1e-6
"""Numbers are compared with knots in single precision: what is so near the last one is not beyond it."""
BREAKS = math.log(1 + 30.0**2)
"""From here on, in ln(1 + z²), a number breaks a rule."""


class Tail:
    """How many training rows have at least a number."""

    def __init__(self, knots: Array, at_least: Array, slope: float) -> None:
        self.knots, self.slope = knots, slope
        self.at_least = at_least
        self.own_rows = at_least[0] if len(at_least) else 0.0
        self.is_rule = False
        self.among(0.0)

    def among(self, rows: float) -> Tail:
        """The same, with shares of at least so many rows."""
        self.rows = max(rows, self.own_rows)
        self.of_knots = [of_share((count + 1) / (self.rows + 1)) for count in self.at_least]
        return self

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
            if (rows >= following and len(knots) + 1 < 192) or at == len(falling) - 1:
                knots.append(number)
                at_least.append(rows)
                following = 0.0 if len(knots) < 12 else rows * 1.2
        return cls(np.array(knots[::-1]), np.array(at_least[::-1]), slope)

    def evidence(self, number: float) -> float:
        """That of the share, and of the rule that a number breaks."""
        return max(self._of_share(number), self._of_rule(number))

    def _of_rule(self, number: float) -> float:
        """One over the rate of rows that are 30 spreads or more from what they should be, where few are."""
        return (self.of_broken_rule() or 0.0) if number >= BREAKS else 0.0

    def of_broken_rule(self) -> float | None:
        """The same of any number that breaks the rule; None where there is none."""
        broken = next((rows for knot, rows in zip(self.knots, self.at_least, strict=True) if knot >= BREAKS), 0.0)
        if not self.is_rule or broken > 0.02 * self.own_rows:
            return None
        return (int(self.rows) + 1) / (int(broken) + 0.5)

    def _of_share(self, number: float) -> float:
        """Linear between the knots, and rising beyond the last one."""
        if self.rows <= 0:
            return 0.3
        last = self.knots[-1] if len(self.knots) else 0.0
        if number > last + SAME * (1 + abs(last)):
            return 0.3 * math.exp(0.7 * (math.log(self.rows + 1) + self.slope * min(number - last, 20.0)))
        if not len(self.knots) or number <= self.knots[0]:
            return self.of_knots[0] if len(self.knots) else 0.3
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


def is_marker(text: str) -> bool:
    """Whether a text stands for a missing value."""
    return text.strip().lower() in MARKERS


def number_in(text: str, before: str = "", after: str = "", *, has_decimal_comma: bool = False) -> float | None:
    """The number that a text is, with what is to stand before and after it."""
    if not (before or after or has_decimal_comma):
        whole = "[0-9]+|[0-9]{1,3}(,[0-9]{2,3})*,[0-9]{3}"
        if not re.fullmatch(rf"[-+]?(({whole})(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?", text):
            return None
        number = float(text.replace(",", ""))
        return number if math.isfinite(number) else None
    first, last = (re.escape(unit.strip()) for unit in (before, after))
    digits = r"(?P<digits>[.,]?[0-9](?:[0-9.,]*[0-9])?)"
    found = re.fullmatch(rf"(?P<sign>[-+−]?)\s*{first}\s*{digits}\s*{last}", text)
    found = found or re.fullmatch(rf"{first}\s*(?P<sign>[-+−])\s*{digits}\s*{last}", text)
    if found is None:
        return None
    written = found["digits"]
    if has_decimal_comma:
        if any(len(group) != 3 for group in written.split(",")[0].split(".")[1:]):
            return None
        written = written.translate(str.maketrans(".,", ",."))
    size = number_in(written)
    return size if size is None or found["sign"] not in ("-", "−") else 0.0 - size


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
