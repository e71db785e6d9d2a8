"""The slow, obvious reading of a model's cells: the evidence that a value is wrong, in float64.

``src/cells`` is the specification. What the file does not store (how rare a text is, its shape, its near-duplicates) is
worked out from the vocabulary, as the product does when it opens a file. The product works out in single precision
what it does for each cell.
"""

from __future__ import annotations

import datetime
import itertools
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from reference_texts import (
    FORMATS,
    NearDuplicates,
    Rarity,
    Shapes,
    Tail,
    is_garbled,
    is_marker,
    ln,
    number_in,
    of_event,
    of_share,
    written,
)

Array = npt.NDArray[np.float64]
Texts = dict[int, list[str]]
"""Of a feature that is a category, the texts of the codes beyond its vocabulary, in their order."""

SHARE = 0.02
RARE = 20.0
MOST = 1e5
FAR = (0.75, 2.0)
UNITS = {"Datetime": 86_400e6, "Duration": 3_600e6, "Time": 3_600e9}


def evidence(metadata: dict[str, Any], tensors: dict[str, Any], rows: Array, texts: Texts | None = None) -> Evidence:
    """The evidence against each cell of some rows.

    ``rows`` has the features in the model's order: numbers, codes of categories, times in the units of their kinds, and
    NaN for a missing value. A code beyond the vocabulary is a text of ``texts``.
    """
    return _Model(metadata, tensors, texts or {}).evidence(rows)


@dataclass
class Evidence:
    """``cells`` are ln e, ``parts`` ln(1 + 0.02 e) of all evidence and of the tails; ``all`` and ``tails`` their sums
    over a row, and ``conflict`` the most that other values say against one of its cells.

    Where cells disagree only with each other, one of them has the evidence of the others; the row's sum is that before.
    """

    cells: Array
    parts: Array
    all: Array
    tails: Array
    conflict: Array

    @property
    def of_rows(self) -> Array:
        """What the score takes, ``[3, rows]``."""
        return np.stack([self.all, self.tails, self.conflict])


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
    go_through_zero: bool
    below: Tail
    above: Tail

    def place(self, number: float) -> float:
        """The number on the scale on which numbers are judged."""
        if not self.is_log:
            return number
        return math.log(number) if number > 0 else self.scale.centre - 15 * self.scale.spread

    def away(self, number: float) -> float:
        """Spreads from the centre."""
        return min(max((self.place(number) - self.scale.centre) / self.scale.spread, -1e15), 1e15)

    def is_later(self, day: float) -> bool:
        """Whether a day is after the middle ones, by five times as long as they last, but by one to ten years."""
        most = min(max(5 * (self.middle[1] - self.middle[0]), 366), 3_653)
        return 0 < day - self.middle[1] <= most and day not in self.sentinels

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
        self.zero_is_usual = False
        self.shapes: Shapes | None = None
        self.near: NearDuplicates | None = None
        self.format: tuple[int, int] | None = None
        self.garbled = 0

    def prepare(self) -> None:
        """Works out what follows from the known values."""
        texts, rows_of, _ = self.vocabulary or ([], self.counts.tolist(), 0)
        numbers = self.known.tolist() if self.vocabulary is None else [self.number_of(text) for text in texts]
        self.zero_is_usual = _zero_is_usual(list(zip(numbers, rows_of, strict=True)))
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
        if not self.nature["is_free_text"] and self.meaning == "category":
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
            number = number_in(text, **self.metadata.get("notation", {})) if self.meaning == "number" else None
            return math.nan if number is None else number
        found = written(text)
        if found is None:
            return math.nan
        moment = found.day_first if self.nature["is_day_first"] else found.month_first
        if (self.meaning == "clock") == found.is_clock:
            return moment
        return moment % 1.0 * 24 if self.meaning == "clock" and found.has_clock else math.nan

    def _add_rarity(self, level: Level, count: int) -> None:
        if self.rarity and not (self.vocabulary is None and self._is_later(level.number)):
            level.value += 0.3 * of_share(self.rarity.share(count))
            level.fixed += 0.2 * self.rarity.apart(count)

    def _is_later(self, number: float) -> bool:
        return self.meaning == "date" and self.numbers is not None and self.numbers.is_later(number)

    def _add_size(self, level: Level, number: float) -> None:
        of = self.numbers
        if of is None or math.isnan(number) or self._is_later(number):
            return
        if (sentinel := of.sentinels.get(number)) is not None:
            level.fixed += of_event(sentinel, of.rows)
            return
        away = of.away(number)
        level.far += 0.5 * (of.below if away < 0 else of.above).evidence(_odd(away))
        low, high = of.middle
        width = max(high - low, 4.65 * of.scale.spread)
        beyond = max(low - of.place(number), of.place(number) - high) / width
        events = [of_event(count, of.rows) for least, count in zip(FAR, of.far, strict=True) if beyond >= least]
        level.fixed += 0.5 * max(events, default=0.0)
        odd = [number < 0, number == 0 and not self.zero_is_usual, number != math.trunc(number)]
        known = of.below.own_rows + of.above.own_rows
        most = int(0.1 * known)
        if of.go_through_zero or most < of.odd[0] < int(known) - most:
            odd[:2] = [False, False]
        few = [count for is_odd, count in zip(odd, of.odd, strict=True) if is_odd and count <= most]
        if few and self.meaning == "number":
            level.fixed += of_event(min(few), of.rows)


def _zero_is_usual(counted: list[tuple[float, int]]) -> bool:
    """Whether 0 is neither apart from the five numbers next to it, nor much rarer or more frequent."""
    there = [(number, rows) for number, rows in counted if math.isfinite(number) and rows > 0]
    zeros = sum(rows for number, rows in there if number == 0)
    above = [(number, rows) for number, rows in there if number > 0]
    below = [(-number, rows) for number, rows in there if number < 0]
    side = below if sum(rows for _, rows in below) > sum(rows for _, rows in above) else above
    near = sorted(side)[:5]
    if len(near) < 2:
        return False
    widest = max(b - a for (a, _), (b, _) in itertools.pairwise(near))
    mean = sum(rows for _, rows in near) / len(near)
    return near[0][0] <= 3 * widest and mean <= 10 * (zeros + 0.5) and zeros <= 10 * mean


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
        cycles = {"hour": 24, "weekday": 7, "month": 12, "presence": 1, "value": column._known_count()}
        self.count = cycles.get(form, len(self.parts))
        if form == "bin" and column.numbers:
            self.count = len(column.numbers.edges) + (not column.numbers.edges_are_values)

    def _part(self, text: str) -> str:
        text = text.strip()
        if self.form.startswith("prefix"):
            return text[: int(self.form[-1])]
        parts = re.split(r"[\s_,;/|:-]", text)
        return parts[0] if self.form == "first" else parts[-1]

    def code(self, level: Level) -> int:  # noqa: PLR0911  # a case a form
        """Of one value."""
        if level.is_missing:
            return self.count
        unseen = self.count + 1
        if self.form == "presence":
            return 0
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
        self.orders: list[dict[str, int]] = self.given.get("orders", [])
        # All of the file's numbers were read.
        for name in [name for name in tensors if name.startswith("cells.")]:
            front = self.fronts[name.removeprefix("cells.")]
            assert front.at == len(front.tensor), name

    def _take(self, name: str, count: int = 1) -> Any:
        return self.fronts[name].take(count)

    def _tail(self, knots: int) -> Tail:
        pairs = self._take("tails", knots)
        return Tail(pairs[:, 0], pairs[:, 1], 1.0)

    def _ends(self, knots: list[int]) -> tuple[Tail, Tail]:
        """Shares of either side are of half of the rows at least."""
        below, above = (self._tail(count) for count in knots)
        half = (below.own_rows + above.own_rows) / 2
        return below.among(half), above.among(half)

    def _column(self, metadata: dict[str, Any], vocabulary: tuple[list[str], list[int], int] | None) -> Column:
        ((rows, missing),) = self._take("rows").tolist()
        column = Column(metadata, rows, missing)
        column.known = self._take("known", metadata["known"])
        column.counts = self._take("known_rows", metadata["known"])
        column.vocabulary = vocabulary
        if (of := metadata.get("numbers")) is not None:
            (scales,) = self._take("scales")
            ((rows, near, far, unread, *odd),) = self._take("events").tolist()
            centre, spread = scales[3:5] if of["is_log"] else scales[0:2]
            sentinels = {value: int(count) for value, count in self._take("sentinels", of["sentinels"]).tolist()}
            edges = self._take("edges", of["edges"])
            column.numbers = Numbers(
                of["is_log"], Scale(centre, spread), (scales[6], scales[7]), rows, (near, far), unread, odd, sentinels,
                edges, of["edges_are_values"], of.get("go_through_zero", False), *self._ends(of["knots"]),
            )  # fmt: skip
        column.prepare()
        return column

    def _target(self, metadata: dict[str, Any]) -> Target:
        column = self.columns[metadata["column"]]
        counts: list[int] = []
        if metadata["aim"] == "hour":
            counts = self._take("hours")[0].tolist()
        elif metadata["aim"] == "presence":
            counts = [column.rows - column.missing_rows, column.missing_rows, 0]
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
        if "groups" in sizes:
            codes, rows = self._take("group_codes", sizes["groups"]), self._take("group_rows", sizes["groups"])
            assert (rows > 0).all()
            numbers = self._take("group_numbers", sizes["groups"])
            parent.groups = dict(zip(codes.tolist(), numbers.tolist(), strict=True))
        if relation != "groups":
            (parent.numbers,) = self._take({"line": "lines", "line_in_groups": "slopes", "two": "two"}[relation])
        parent.tail = self._tail(sizes["knots"])
        if metadata.get("is_rule"):
            parent.tail.is_rule = True
        return parent

    def _read_pairs(self, parent: Parent, target: Target) -> None:
        """The ratio p(b|a) / p(b) of each pair, and of a child that a group lacks."""
        ((k0, c, r),) = self._take("smoothing").tolist()
        codes = self._take("pair_parents", parent.sizes["groups"]).tolist()
        sizes = self._take("pair_sizes", parent.sizes["groups"]).tolist()
        all_rows = max(sum(target.counts), 1)
        pairs = [(self._take("pair_children", size).tolist(), self._take("pair_rows", size).tolist()) for size in sizes]
        once, twice = (sum(counts.count(rows) for _, counts in pairs) for rows in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.0
        least = self._least_of_new(parent, target, once / max(sum(sum(counts) for _, counts in pairs), 1))
        for code, (children, counts) in zip(codes, pairs, strict=True):
            rows, alone = sum(counts), counts.count(1)
            k = k0 + c * alone + r * rows
            ratios: dict[int | None, float] = {None: max(k / (rows + k), least)}
            for child, count in zip(children, counts, strict=True):
                share = max(target.counts[child], 0.5) / all_rows
                ratios[child] = (count - discount + k * share) / ((rows - discount + k) * share)
            parent.groups[code] = ratios

    def _least_of_new(self, parent: Parent, target: Target, share: float) -> float:
        """The lowest ratio of a new pair; `share` is about the share of new rows that have one."""
        numbers = self.columns[target.column].numbers
        assert parent.coder is not None
        is_bin = target.aim == "value" and self.coders[parent.coder].form == "bin"
        if not is_bin or numbers is None or numbers.edges_are_values or share == 0:
            return 0.0
        return 1 / max(0.3 * share**-0.7, 1.0)

    def evidence(self, rows: Array) -> Evidence:
        found = Evidence(np.zeros_like(rows), np.zeros((*rows.shape, 2)), *np.zeros((3, len(rows))))
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
                mixed = sum(parent.weight * ratio for parent, ratio in zip(target.parents, ratios, strict=True))
                given = 1 / min([mixed, *self._broken(target, ratios)])
                if target.aim == "presence" and level.is_missing:
                    e -= level.fixed * (1 - min(given, 1.0))
                e += given
                found.conflict[at] = max(found.conflict[at], math.log(given))
                value *= min(given, 1.0) if target.aim == "value" else 1.0
                far *= min(given, 1.0) if target.aim == "number" else 1.0
            for order in self.model.orders:
                if j in (order["low"], order["high"]) and self._number(order["low"]) > self._number(order["high"]):
                    event = of_event(order["broken"], order["rows"])
                    e += event
                    found.conflict[at] = max(found.conflict[at], math.log(event))
            tail = value + far
            found.parts[at, j] = math.log(1 + SHARE * (e + tail)), math.log(1 + SHARE * tail)
            cells.append(math.log(max(e + tail, 1e-6)))
        found.all[at], found.tails[at] = found.parts[at].sum(axis=0)
        if self._name_determined(cells):
            found.parts[at, :, 0] = np.log(1 + SHARE * np.exp(cells))
        found.cells[at] = cells

    @staticmethod
    def _broken(target: Target, ratios: list[float]) -> list[float]:
        """The ratios of the parents whose strict rule a number breaks."""
        evidence = [parent.tail.of_broken_rule() if parent.tail else None for parent in target.parents]
        both = zip(evidence, ratios, strict=True)
        return [ratio for broken, ratio in both if broken is not None and broken >= 500 and ratio <= 1.000001 / broken]

    def _number(self, at: int) -> float:
        """A number that stands for itself; NaN elsewhere."""
        numbers, number = self.model.columns[at].numbers, self.levels[at].number
        return number if numbers and numbers.is_sized(number) else math.nan

    def _ratio(self, target: Target, parent: Parent) -> float:
        if parent.relation == "category":
            assert parent.coder is not None
            assert target.coder is not None
            group = parent.groups.get(self.codes[parent.coder])
            ratio = 1.0 if group is None else group.get(self.codes[target.coder], group[None])
            return min(max(ratio, 1 / MOST), MOST)
        numbers, number = self.model.columns[target.column].numbers, self._number(target.column)
        assert numbers is not None
        assert parent.tail is not None
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
        usual = parent.tail.evidence(_odd(away))
        if ratio < 1 / 0.3:
            ratio = max(ratio, 1 / usual)
        if parent.tail.is_rule and usual >= RARE:
            ratio = 1 / usual
        return min(max(ratio, 1 / MOST), MOST)

    def _expected(self, parent: Parent, numbers: Numbers) -> tuple[tuple[float, float] | None, bool]:
        """A place and a spread, and whether they are of logarithms."""
        if parent.relation == "groups":
            assert parent.coder is not None
            found = parent.groups.get(self.codes[parent.coder])
            return (None if found is None else (found[0], found[1])), numbers.is_log
        first, second = (self._number(at) for at in parent.columns)
        if parent.relation == "line_in_groups":
            return self._on_line_of_group(parent, second)
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

    def _on_line_of_group(self, parent: Parent, other: float) -> tuple[tuple[float, float] | None, bool]:
        """The same for a line of the row's group."""
        assert parent.coder is not None
        shape = parent.sizes.get("shape")
        is_log = shape is not None and shape["child_is_log"]
        found = parent.groups.get(self.codes[parent.coder])
        if found is None:
            return None, is_log
        centre, spread = found
        if shape is None:
            place = centre * other
        else:
            if shape["parent_is_log"]:
                other = math.log(other) if other > 0 else math.nan
            place = centre + float(parent.numbers) * other
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
        against = [parent for target, parent, ratio in self._all() if target.column == at and ratio < 0.2]
        return any(set(parent.columns) <= group for parent in against)

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
    away = min(max(away, -1e15), 1e15)
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
    values = [text[start:stop].decode() for start, stop in itertools.pairwise(offsets)]
    return values, tensors[f"vocabulary.{j}.counts"].tolist(), metadata["frequencies"][j]["rare_rows"]
