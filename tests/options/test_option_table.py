"""Contract: an option has the same name, defaults and range wherever it is written down, and in what the plugin does.

That is: the table in the documentation of src/options.rs, ``FitOptions`` and its documentation, and the README's list.
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
PRESETS = ("default", "paper")
SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


@dataclass(frozen=True)
class Row:
    """A row of the table in src/options.rs."""

    name: str
    defaults: dict[str, Any]
    range: str


def value(text: str) -> Any:
    """A default or a limit: a name, a list of widths, or a number such as 1,000,000, 3e-3 or 2⁶³ − 1."""
    text = text.replace("\\", "").strip("` ")
    if text.startswith("["):
        return ast.literal_eval(text)
    if power := re.fullmatch(r"2([⁰¹²³⁴⁵⁶⁷⁸⁹]+)( − 1)?", text):
        return 2 ** int(power[1].translate(SUPERSCRIPTS)) - (1 if power[2] else 0)
    try:
        number = float(text.replace(",", ""))
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def rows() -> list[Row]:
    source = (ROOT / "src" / "options.rs").read_text(encoding="utf-8")
    found = re.findall(r"^//! \| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| .* \|$", source, re.MULTILINE)
    return [
        Row(name, {"paper": value(paper), "default": value(default)}, limits) for name, paper, default, limits in found
    ]


TABLE = rows()
NUMERIC = [row for row in TABLE if re.search(r"\d", row.range) and "widths" not in row.range]


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
    expected = {row.name: row.defaults[preset] for row in TABLE}
    assert fitted(preset=preset) == {"preset": preset, **expected}


def test_the_preset_is_default_unless_said_otherwise() -> None:
    assert fitted() == fitted(preset="default")


@pytest.mark.parametrize("row", NUMERIC, ids=lambda row: row.name)
def test_the_documentation_of_a_number_says_its_defaults(row: Row) -> None:
    text = documentation()[row.name]
    number = r"(\[[\d, ]+\]|[\d.,]*\d)"
    (default,) = re.findall(rf"\bDefault {number}", text)
    assert value(default) == row.defaults["default"]
    paper = re.findall(rf"\bpaper {number}", text)
    if "for the paper" in text:
        assert "no bound" in text
        assert row.defaults["paper"] == 1_000_000
    else:
        assert row.defaults["paper"] == value(paper[0] if paper else default)


def refused(name: str, number: float) -> bool:
    try:
        pl.LazyFrame({"x": [1.0]}).select(anorand.fit("x", **{name: number})).collect_schema()
    except (pl.exceptions.ComputeError, ValueError) as error:
        assert name in str(error)  # noqa: PT017
        return True
    return False


@pytest.mark.parametrize("row", NUMERIC, ids=lambda row: row.name)
def test_the_ranges_of_the_table_are_those_of_the_plugin(row: Row) -> None:
    is_open = row.range.startswith("above ")
    low, high = map(value, row.range.removeprefix("above ").split(", at most " if is_open else " to "))
    step = 1e-6 if OPTIONS[row.name].expected == "a number" else 1
    first = low + step if is_open else low
    for inside in [first, high]:
        assert not refused(row.name, inside)
    for outside in [first - step, high + step]:
        assert refused(row.name, outside)
