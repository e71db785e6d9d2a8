"""Contract: the README's code runs as it stands, prints what it shows, and is short."""

from __future__ import annotations

import ast
from pathlib import Path

import pages
import polars as pl
import pytest

import polars_anorand as anorand

README = pages.ROOT / "README.md"


def test_the_first_example_and_the_screen_of_code_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pages.run(README, tmp_path)
    assert anorand.Model.load("flights.safetensors").features == ["dep_delay", "air_time", "distance"]
    assert pl.read_parquet("strange.parquet").schema["score"] == pl.Float32


def test_the_first_example_is_a_table_and_three_statements() -> None:
    first, screen = pages.blocks(README)
    statements = [each for each in ast.parse(first).body if not isinstance(each, ast.Import)]
    assert len(statements) <= 4
    assert len(screen.splitlines()) <= 50


def test_the_home_page_begins_with_the_same_example() -> None:
    home = pages.ROOT / "docs" / "index.md"
    for language in ["python", "output"]:
        assert pages.blocks(home, language)[0] == pages.blocks(README, language)[0]


def test_the_lines_of_prose_have_at_most_120_columns() -> None:
    for line in README.read_text(encoding="utf-8").splitlines():
        assert len(line) <= 120 or line.startswith(("|", "![")), line
