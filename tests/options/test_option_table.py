"""Contract: an option has the same name, defaults and range wherever it is written down, and in what the plugin does.

That is: the table in src/options/table.rs, ``FitOptions`` with its documentation, and the README's list.
"""

from __future__ import annotations

import ast
import inspect
import pydoc
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import internals

import polars_anorand as anorand
from polars_anorand._options import CONTAMINATION, Internals

ROOT = Path(__file__).parents[2]
PUBLIC = anorand.FitOptions.__annotations__.keys()
ALL = PUBLIC | Internals.__annotations__.keys()
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
    """The text of each option in what ``help(anorand.FitOptions)`` shows."""
    text = inspect.cleandoc(anorand.FitOptions.__doc__ or "").partition("Attributes\n----------\n")[2]
    entries = re.split(r"^(\w+) : ", text, flags=re.MULTILINE)[1:]
    # The first line of an entry is the type.
    return {name: " ".join(entry.partition("\n")[2].split()) for name, entry in batched(entries)}


def batched(entries: list[str]) -> list[tuple[str, str]]:
    return list(zip(entries[::2], entries[1::2], strict=True))


def fitted(**options: Any) -> dict[str, Any]:
    frame = pl.DataFrame({"x": [float(at % 7) for at in range(20)]})
    return anorand.Model(frame.select(anorand.fit("x", **options)).item()).options


def test_the_table_has_the_options_of_the_python_side() -> None:
    names = [row.name for row in TABLE]
    assert len(names) == len(set(names))
    assert {"preset", *names} == ALL


def test_at_most_16_options_are_public() -> None:
    assert len(PUBLIC) <= 16
    assert not PUBLIC & Internals.__annotations__.keys()


def test_the_readme_lists_the_options() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"^The options are .*?\.$", readme, re.DOTALL | re.MULTILINE)
    names = re.findall(r"`(\w+)`", listed)
    assert len(names) == len(set(names))
    assert set(names) == PUBLIC


def test_help_shows_every_public_option() -> None:
    assert list(documentation()) == list(anorand.FitOptions.__annotations__)
    shown = pydoc.render_doc(anorand.FitOptions, renderer=pydoc.plaintext)
    assert all(f"{name} : " in shown for name in PUBLIC)


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


@pytest.mark.parametrize("row", [row for row in NUMERIC if row.name in PUBLIC], ids=lambda row: row.name)
def test_the_documentation_of_a_number_says_its_defaults(row: Row) -> None:
    text = documentation()[row.name]
    number = r"(\[[\d, ]+\]|[\d.,]*\d)"
    (default,) = re.findall(rf"\bDefault {number}", text)
    assert value(default.replace(",", "")) == row.default
    for word, expected in [("paper", row.paper), ("with labels", row.labelled), ("novelty", row.of("novelty"))]:
        said = re.findall(rf"\b{word} {number}", text)
        assert value((said[0] if said else default).replace(",", "")) == expected


def refused(name: str, number: float) -> bool:
    try:
        given = {name: number} if name in PUBLIC else internals(**{name: number})
        pl.LazyFrame({"x": [1.0]}).select(anorand.fit("x", **given)).collect_schema()
    except (pl.exceptions.ComputeError, ValueError) as error:
        assert name in str(error)  # noqa: PT017
        return True
    return False


@pytest.mark.parametrize("row", NUMERIC, ids=lambda row: row.name)
def test_the_ranges_of_the_table_are_those_of_the_plugin(row: Row) -> None:
    low, high = row.limits if len(row.limits) == 2 else (0, *row.limits)
    step = 1 if row.kind == "Whole" else 1e-6
    first = low + step if row.kind == "Positive" else low
    for inside in [first, high]:
        assert not refused(row.name, inside)
    for outside in [first - step, high + step]:
        assert refused(row.name, outside)


def test_the_default_contamination_is_the_plugins() -> None:
    frame = pl.DataFrame({"x": [float(at) for at in range(1_000)]})
    model = frame.select(anorand.fit("x", epochs=1, min_steps=0)).item()
    by_default, given = (
        frame.select(anorand.detect("x", model, **arguments)).unnest("anomaly")
        for arguments in ({}, {"contamination": CONTAMINATION})
    )
    assert by_default.equals(given)
    assert f"DEFAULT_CONTAMINATION: f64 = {CONTAMINATION};" in (ROOT / "src" / "options" / "mod.rs").read_text()
