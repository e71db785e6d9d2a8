"""Devices: what there is, why something is not, and that nothing of CUDA is touched unasked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest
from conftest import FEATURES

import polars_anorand as anorand


def run(program: str, **environment: str) -> str:
    """What a program prints, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_cpu_is_there_and_a_gpu_that_is_not_has_a_reason() -> None:
    found = anorand.devices()
    assert found.schema == {"device": pl.String, "usable": pl.Boolean, "note": pl.String}
    assert found.row(0)[:2] == ("cpu", True)
    assert found.height > 1
    assert found["note"].str.len_chars().min() > 0
    for device, usable, _ in found.rows():
        assert device.startswith("cuda:") if usable and device != "cpu" else device in {"cpu", "cuda"}


def test_neither_import_nor_the_cpu_nor_a_small_auto_touches_cuda() -> None:
    loaded = run("""
        import polars as pl
        import polars_anorand as anorand

        frame = pl.DataFrame({"x": range(50), "y": range(0, 100, 2)})
        for device in ["cpu", "auto"]:
            model = frame.select(anorand.fit(["x", "y"], min_steps=1, device=device)).item()
            frame.select(anorand.score(["x", "y"], model, device=device))
            frame.select(anorand.explain(["x", "y"], model, device=device))
        maps = open("/proc/self/maps").read()
        print([name for name in ["libcuda.so", "libtorch", "libc10", "libcudart.so", "anorand_torch"] if name in maps])
    """)
    assert loaded.strip() == "[]"


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "CUDA", ""])
def test_a_name_that_is_no_device_is_refused_when_the_plan_is_built(frame: pl.DataFrame, device: str) -> None:
    for expression in [anorand.fit(FEATURES, device=device), anorand.score(FEATURES, device=device)]:
        with pytest.raises(pl.exceptions.ComputeError, match='device must be "auto", "cpu", "cuda" or "cuda:N", got'):
            frame.lazy().select(expression).collect_schema()


def test_a_precision_is_checked_and_changes_nothing_on_the_cpu(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series
) -> None:
    precise = anorand.score(FEATURES, model, precision="tf32")
    assert frame.select(precise).to_series().equals(scores)
    with pytest.raises(pl.exceptions.ComputeError, match='precision must be "float32" or "tf32", got "half"'):
        frame.lazy().select(anorand.embed(FEATURES, model, precision="half")).collect_schema()  # type: ignore[arg-type]


DRIVER = """
#include <stddef.h>
#include <string.h>
int cuInit(unsigned flags) { return INIT; }
int cuDeviceGetCount(int *count) { *count = COUNT; return 0; }
int cuDeviceGet(int *device, int at) { *device = at; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Made-up GPU", length); return 0; }
int cuDeviceTotalMem_v2(size_t *bytes, int device) { *bytes = (size_t)1 << 33; return 0; }
int cuDriverGetVersion(int *version) { *version = 11080; return 0; }
int cuGetErrorString(int status, const char **text) { *text = "system has unsupported display driver"; return 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to build a driver's stand-in with")
@pytest.mark.parametrize(
    ("init", "count", "reason"),
    [
        (803, 1, 'the NVIDIA driver says "system has unsupported display driver" (cuInit returned 803)'),
        (100, 1, "the NVIDIA driver finds no GPU"),
        (0, 0, "the NVIDIA driver finds no GPU"),
        # The driver has one, and it is libtorch that lacks a library, or does not get on with the driver.
        (0, 1, "libtorch"),
    ],
)
def test_what_the_driver_lacks_is_said(tmp_path: Path, init: int, count: int, reason: str) -> None:
    (tmp_path / "driver.c").write_text(DRIVER)
    library = tmp_path / "libcuda.so.1"
    macros = [f"-DINIT={init}", f"-DCOUNT={count}"]
    subprocess.run(["cc", "-shared", "-fPIC", *macros, "-o", library, tmp_path / "driver.c"], check=True)
    path = f"{tmp_path}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    printed = run(
        """
        import polars as pl
        import polars_anorand as anorand

        print(anorand.devices().row(1))
        frame = pl.DataFrame({"x": range(50), "y": range(0, 100, 2)})
        try:
            frame.select(anorand.score(["x", "y"], device="cuda", min_steps=1))
        except pl.exceptions.ComputeError as error:
            print(error)
        """,
        LD_LIBRARY_PATH=path,
    )
    row, error = printed.strip().split("\n", 1)
    assert row.startswith("('cuda', False")
    assert reason in error
    assert 'device "cuda" can\'t be used: ' in error
    assert 'use device="cpu"' in error


@pytest.mark.torch
@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler to build a driver's stand-in with")
def test_a_gpu_without_torch_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "driver.c").write_text(DRIVER)
    macros = ["-DINIT=0", "-DCOUNT=1"]
    subprocess.run(
        ["cc", "-shared", "-fPIC", *macros, "-o", tmp_path / "libcuda.so.1", tmp_path / "driver.c"], check=True
    )
    path = f"{tmp_path}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    printed = run(
        """
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
        import polars_anorand as anorand
        print(anorand.devices().row(1))
        """,
        LD_LIBRARY_PATH=path,
    )
    assert "no torch package is installed" in printed
    assert "pip install 'polars-anorand[torch]'" in printed
