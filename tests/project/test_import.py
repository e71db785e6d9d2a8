"""Contract: where libtorch is missing or another, the import says what it found, what it needs, and how to get it.

And Polars opens the library that was imported.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import polars_anorand

ISOLATED = """
import sys
sys.path[:0] = {paths!r}
import builtins, ctypes
opened = []
original = ctypes.CDLL.__init__
ctypes.CDLL.__init__ = lambda self, name, *rest, **more: (opened.append(name), original(self, name, *rest, **more))[1]
try:
    import polars_anorand
except ImportError as error:
    print(error)
print("opened", [name for name in opened if name and "torch" in str(name)])
"""


def imported(paths: list[Path]) -> str:
    program = ISOLATED.format(paths=[str(path) for path in paths])
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return run.stdout


def fake_torch(folder: Path, version: str | None) -> Path:
    (folder / "torch" / "lib").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text("raise AssertionError('torch must not be imported')")
    if version is not None:
        (folder / "torch" / "version.py").write_text(f"__version__ = '{version}'\n")
    return folder


def test_another_version_is_named(tmp_path: Path) -> None:
    out = imported([fake_torch(tmp_path, "2.9.1+cu128")])
    assert "version 2.9.1+cu128" in out
    assert "needs libtorch 2.11.0" in out
    assert "pip install --no-deps torch==2.11.0" in out
    assert "opened []" in out


def test_a_torch_without_libraries_is_an_import_error(tmp_path: Path) -> None:
    out = imported([fake_torch(tmp_path, "2.11.0")])
    assert "torch 2.11.0 can't be loaded" in out
    assert "pip install" in out


def test_a_missing_torch_is_an_import_error(tmp_path: Path) -> None:
    program = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
try:
    import polars_anorand
except ImportError as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "no torch package is installed" in run.stdout
    assert "pip install --no-deps torch==2.11.0" in run.stdout


def test_the_import_does_not_import_torch() -> None:
    program = "import sys, polars_anorand; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def importable_torch() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    run = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False)
    return run.returncode == 0


@pytest.mark.parametrize(
    "order", ["import torch, polars_anorand as anorand", "import polars_anorand as anorand, torch"]
)
def test_it_works_beside_the_users_own_torch(order: str) -> None:
    if not importable_torch():
        pytest.skip("this torch can't be imported (installed without its CUDA libraries); `make test TORCH=full` can")
    program = f"""
import polars as pl
{order}
frame = pl.DataFrame({{"a": [1.0, 2.0, 3.0, 9.0]}})
frame = frame.with_columns(anorand.score("a", epochs=1, min_steps=0))
print(frame.height, (torch.ones(3) @ torch.ones(3)).item(), torch.get_num_threads() >= 1)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["4", "3.0", "True"]


def test_polars_opens_the_plugin_whatever_other_libraries_are_beside_it(tmp_path: Path) -> None:
    installed = Path(polars_anorand.__file__).parent
    package = shutil.copytree(installed, tmp_path / "polars_anorand", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ["_a.so", "m.so", "z.so"]:
        (package / name).write_bytes(b"not a library")
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import polars as pl
import polars_anorand as anorand
assert anorand.__file__.startswith({str(tmp_path)!r})
print(pl.DataFrame({{"a": [1.0, 2.0, 9.0]}}).select(anorand.score("a", epochs=1, min_steps=0)).height)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["3"]
