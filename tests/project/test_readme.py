"""Contract: the README's code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

import polars_anorand as anorand

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_first_lines_and_the_screen_of_code_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first_lines, raw_table, screen = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    for code in [f"{first_lines}\n{raw_table}", screen]:
        exec(compile(code, "README.md", "exec"), {})
    assert anorand.Model.load("flights.safetensors").features == ["dep_delay", "air_time", "distance"]
    assert pl.read_parquet("strange.parquet").schema["score"] == pl.Float32
