"""A browser that opens reports, and the table that the reports in tests are of."""

from __future__ import annotations

import shutil
import subprocess
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

ROWS = 600
FEATURES = ["price", "country", "gust"]


def shops() -> pl.DataFrame:
    """Prices in shops, with texts that must not become HTML, and one absurd price."""
    rng = np.random.default_rng(5)
    price = rng.lognormal(3.0, 0.5, ROWS)
    price[17] = 1e5
    return pl.DataFrame(
        {
            "day": [date(2026, 1, 1) + timedelta(days=at // 20) for at in range(ROWS)],
            "shop": rng.choice(["north", "</script><b>south", "<!--<script>", "@@rows@@", 'we"st'], ROWS),
            "price": price,
            "country": rng.choice(["DE", "</script>", "<i>IT"], ROWS),
            "gust": pl.Series(rng.normal(size=ROWS)).set(pl.Series(rng.random(ROWS) < 0.7), None),
        }
    )


def model_of(table: pl.DataFrame) -> anorand.Model:
    return anorand.Model(table.select(anorand.fit(FEATURES, **FAST)).item())


def shown(path: Path, folder: Path, width: int = 1280) -> str:
    """The page as a browser has it when its scripts are done."""
    if BROWSER is None:
        pytest.skip("chromium is missing, so the report is not opened in a browser: apt-get install chromium")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'browser'}",
        "--virtual-time-budget=60000", f"--window-size={width},900", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout
