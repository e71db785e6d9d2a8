"""Contract: what the environment asks for is followed, or refused by the first call; every instruction set agrees."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

GOLDEN = Path(__file__).parents[1] / "golden"
CPU = Path("/proc/cpuinfo")

PROGRAM = f"""
import polars as pl, polars_anorand as anorand
rows = pl.read_parquet({str(GOLDEN / "rows.parquet")!r})
names = rows.columns
model = rows.select(anorand.fit(names, members=2, min_steps=20, missing="impute")).item()
rows.select(
    anorand.score(names, {str(GOLDEN / "default.safetensors")!r}),
    anorand.explain(names, {str(GOLDEN / "default.safetensors")!r}),
    own=anorand.score(names, model),
).write_parquet("out")
"""


def run(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM], env=os.environ | environment, cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def scores(folder: Path, simd: str) -> pl.DataFrame | None:
    done = run(folder, POLARS_ANORAND_SIMD=simd)
    if "which this CPU has" in done.stderr:
        return None
    assert done.returncode == 0, done.stderr
    return pl.read_parquet(folder / "out")


def test_every_instruction_set_gives_the_same_scores(tmp_path: Path) -> None:
    portable, *others = [scores(tmp_path, simd) for simd in ("portable", "avx2", "avx512")]
    assert portable is not None
    wide = [other for other in others if other is not None]
    flags = CPU.read_text().split() if CPU.exists() else []
    assert len(wide) == ("avx2" in flags) + ("avx512f" in flags)
    if not wide:
        pytest.skip("this CPU has no other set to compare with")
    for other in wide:
        assert other.equals(wide[0]), "sets that fuse products and sums give the same bits"
        assert (other["score"] - portable["score"]).abs().max() < 1e-6  # type: ignore[operator]
        assert (other["own"] - portable["own"]).abs().max() < 1e-3  # type: ignore[operator]


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("POLARS_ANORAND_SIMD", "mmx", "POLARS_ANORAND_SIMD must be one of"),
        ("POLARS_ANORAND_THREADS", "0", "POLARS_ANORAND_THREADS must be a whole number from 1 to"),
        ("POLARS_ANORAND_THREADS", "65536", "POLARS_ANORAND_THREADS must be a whole number from 1 to"),
        ("POLARS_ANORAND_CACHE_MIB", "0", "POLARS_ANORAND_CACHE_MIB must be a whole number of MiB, 1 or more"),
    ],
)
def test_what_can_not_be_followed_is_refused(tmp_path: Path, variable: str, value: str, message: str) -> None:
    done = run(tmp_path, **{variable: value})
    assert done.returncode == 1
    assert message in done.stderr
    assert repr(value).replace("'", '"') in done.stderr


def test_no_threads_at_all_means_all_cores(tmp_path: Path) -> None:
    done = run(tmp_path, POLARS_MAX_THREADS="0")
    # Polars itself may refuse it; the plugin then has no say.
    assert done.returncode == 0 or "anorand" not in done.stderr, done.stderr
