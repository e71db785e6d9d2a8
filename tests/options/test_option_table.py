"""Contract: an option has the same name, defaults and range wherever it is written down, and in what the plugin does.

That is: the table in src/options/table.rs, ``FitOptions`` and its documentation, and the README's list.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import polars_anorand as anorand
from polars_anorand._options import OPTIONS

ROOT = Path(__file__).parents[2]
PRESETS = ("default", "paper", "novelty")
SOURCE = (ROOT / "src" / "options" / "table.rs").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Row:
    """An entry of the table in src/options/table.rs."""

    name: str
    kind: str
    """The kind of its range, as src/options/ranges.rs names it"""
    limits: list[Any]
    paper: Any
    default: Any
    labelled: Any
    """The default of a fit with labels; the paper's stays"""

    def of(self, preset: str) -> Any:
        """The default of a preset."""
        if preset == "novelty" and (own := CONSTANTS.get(f"NOVELTY_{self.name.upper()}")) is not None:
            return own
        return self.paper if preset == "paper" else self.default


def value(text: str) -> Any:
    """A default or a limit in Rust: a number, a constant, widths, or a variant, whose name is lower case."""
    text = text.removesuffix(" as i64").removeprefix("vec!")
    if text in CONSTANTS:
        return CONSTANTS[text]
    if variant := re.fullmatch(r"[A-Z]\w*::(\w+)", text):
        return variant[1].lower()
    literal = ast.literal_eval(text)
    return int(literal) if isinstance(literal, float) and literal.is_integer() else literal


CONSTANTS: dict[str, Any] = {"i64::MAX": 2**63 - 1, "true": True, "false": False}
CONSTANTS |= {name: value(number) for name, number in re.findall(r"const (\w+): \w+ = ([\d_.]+);", SOURCE)}


def rows() -> list[Row]:
    entry = re.compile(
        r"^    (\w+): [\w<>]+ => [\w<>]+, in (\w+)(?:\((.*)\))?,\n +paper (.+), default (.+), labelled (.+);$",
        re.MULTILINE,
    )
    return [
        Row(name, kind, [value(limit) for limit in limits.split(", ") if limit], *map(value, defaults))
        for name, kind, limits, *defaults in entry.findall(SOURCE)
    ]


TABLE = rows()
NUMERIC = [row for row in TABLE if row.kind in {"Whole", "Between", "Positive"}]


def documentation() -> dict[str, str]:
    """The text below each key of FitOptions."""
    (options,) = ast.parse(inspect.getsource(anorand.FitOptions)).body
    assert isinstance(options, ast.ClassDef)
    texts = {}
    for key, text in pairwise(options.body):
        match key, text:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(words))):
                texts[name] = " ".join(words.split())
    return texts


def fitted(**options: Any) -> dict[str, Any]:
    frame = pl.DataFrame({"x": [float(at % 7) for at in range(20)]})
    return anorand.Model(frame.select(anorand.fit("x", **options)).item()).options


def test_the_table_has_the_options_of_the_python_side() -> None:
    names = [row.name for row in TABLE]
    assert len(names) == len(set(names))
    assert {"preset", *names} == anorand.FitOptions.__annotations__.keys()


def test_the_readme_lists_the_options() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^The options are .*?\.$", readme, re.DOTALL | re.MULTILINE)
    names = re.findall(r"`(\w+)`", listed)
    assert len(names) == len(set(names))
    assert set(names) == anorand.FitOptions.__annotations__.keys()


def test_every_option_is_documented() -> None:
    assert documentation().keys() == anorand.FitOptions.__annotations__.keys()


@pytest.mark.parametrize("preset", PRESETS)
def test_the_defaults_of_the_table_are_those_of_a_fit(preset: str) -> None:
    expected = {row.name: row.of(preset) for row in TABLE}
    assert fitted(preset=preset) == {"preset": preset, **expected}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_defaults_with_labels_are_those_of_a_fit_with_labels(preset: str) -> None:
    expected = {row.name: row.paper if preset == "paper" else row.labelled for row in TABLE}
    assert fitted(preset=preset, labels=pl.int_range(pl.len()) % 2 == 0) == {"preset": preset, **expected}


def test_the_preset_is_default_unless_said_otherwise() -> None:
    assert fitted() == fitted(preset="default")


@pytest.mark.parametrize("row", NUMERIC, ids=lambda row: row.name)
def test_the_documentation_of_a_number_says_its_defaults(row: Row) -> None:
    text = documentation()[row.name]
    number = r"(\[[\d, ]+\]|[\d.,]*\d)"
    (default,) = re.findall(rf"\bDefault {number}", text)
    assert value(default.replace(",", "")) == row.default
    if "no bound" in text:
        assert [row.paper, row.labelled] == [1_000_000] * 2
        return
    for word, expected in [("paper", row.paper), ("with labels", row.labelled)]:
        said = re.findall(rf"\b{word} {number}", text)
        assert value((said[0] if said else default).replace(",", "")) == expected


def refused(name: str, number: float) -> bool:
    try:
        pl.LazyFrame({"x": [1.0]}).select(anorand.fit("x", **{name: number})).collect_schema()
    except (pl.exceptions.ComputeError, ValueError) as error:
        assert name in str(error)  # noqa: PT017
        return True
    return False


@pytest.mark.parametrize("row", NUMERIC, ids=lambda row: row.name)
def test_the_ranges_of_the_table_are_those_of_the_plugin(row: Row) -> None:
    low, high = row.limits if len(row.limits) == 2 else (0, *row.limits)
    step = 1e-6 if OPTIONS[row.name].expected == "a number" else 1
    first = low + step if row.kind == "Positive" else low
    for inside in [first, high]:
        assert not refused(row.name, inside)
    for outside in [first - step, high + step]:
        assert refused(row.name, outside)
