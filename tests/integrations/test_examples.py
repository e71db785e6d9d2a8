"""Contract: each example of a data tool runs, and says what its tool is to say; the page on Spark runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("example", "expected"),
    [
        ("pandera_check", ["814 flights are usual", "refused: is_usual"]),
        ("pointblank_step", ["as it is: ", "few enough", "in seconds: ", "too many"]),
        ("dagster_check", ["few_outliers passed 0.0"]),
        ("duckdb_sql", ["EWR", "JFK", "LGA"]),
    ],
)
def test_an_example_runs_and_is_short(example: str, expected: list[str]) -> None:
    path = ROOT / "examples" / f"{example}.py"
    assert len(path.read_text().splitlines()) < 40
    done = subprocess.run([sys.executable, str(path)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-5000:]
    for part in expected:
        assert part in done.stdout


def test_the_code_of_the_page_on_spark_runs(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "how-to" / "spark.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) > 3
    names: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)
    assert names["spark"] is spark
