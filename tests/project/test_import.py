"""Contract: all work on a CPU goes without torch; what needs a GPU says what is missing, and how to get it.

And Polars opens the library that was imported.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import polars_anorand
from polars_anorand import _libtorch

PACKAGE = Path(polars_anorand.__file__).parent

WITHOUT_TORCH = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "torch" else find(name, *rest)
"""


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_verb_works_on_a_cpu_without_torch() -> None:
    program = f"""{WITHOUT_TORCH}
import polars as pl, polars_anorand as anorand
frame = pl.DataFrame({{"a": [1.0, 2.0, 3.0, 9.0, 5.0, 4.0], "g": [1, 1, 1, 2, 2, 2], "y": [0, 1, 1, 0, 0, 0]}})
fast = {{"epochs": 1, "min_steps": 0}}
model = anorand.Model(frame.select(anorand.fit("a", **fast)).item())
out = frame.lazy().select(
    anorand.score("a", model), anorand.detect("a", model), anorand.explain("a", model), anorand.embed("a", model),
    anorand.score("a", name="own", **fast), anorand.score("a", by="g", min_group_rows=2, name="groups", **fast),
    anorand.score("a", labels="y", name="labelled", **fast), anorand.score("a", preset="paper", name="paper", **fast),
).collect()
print(out.null_count().sum_horizontal().item(), out.width)
print([line for line in open("/proc/self/maps") if "torch" in line or "libc10" in line])
"""
    assert run(program).split("\n")[:2] == ["0 8", "[]"]


def test_the_plugin_is_not_linked_against_libtorch() -> None:
    readelf = shutil.which("readelf")
    if readelf is None or sys.platform != "linux":
        pytest.skip("there is no readelf here")
    for library in PACKAGE.glob("*.so"):
        dynamic = subprocess.run([readelf, "-d", library], capture_output=True, text=True, check=True).stdout
        # Only these lines: an address may have "c10" in it as well.
        needed = [line for line in dynamic.split("\n") if "(NEEDED)" in line]
        assert needed
        assert not [line for line in needed if "torch" in line or "c10" in line]


def test_the_import_imports_no_torch_and_looks_for_none() -> None:
    program = """
import importlib.util, sys
import polars  # which looks for it
find, asked = importlib.util.find_spec, []
importlib.util.find_spec = lambda name, *rest: asked.append(name) or find(name, *rest)
import polars_anorand
print("torch" in sys.modules, "torch" in asked)
"""
    assert run(program).split() == ["False", "False"]


@pytest.mark.torch
def test_the_engine_and_libtorch_are_found() -> None:
    engine, libtorch = _libtorch.locate()
    assert engine.parent == PACKAGE / "torch"
    assert list(libtorch.glob("libtorch_cpu.*"))


def test_each_version_that_is_accepted_is_run_by_make() -> None:
    makefile = (Path(__file__).parents[2] / "Makefile").read_text()
    versions = re.findall(r"^TORCH_(?:VERSION|OTHERS) := (.*)$", makefile, re.MULTILINE)
    assert tuple(" ".join(versions).split()) == _libtorch.TESTED


def fake_torch(folder: Path, version: str | None) -> Path:
    (folder / "torch" / "lib").mkdir(parents=True)
    (folder / "torch" / "__init__.py").write_text("raise AssertionError('torch must not be imported')")
    if version is not None:
        (folder / "torch" / "version.py").write_text(f"__version__ = '{version}'\n")
    return folder


def located(prelude: str) -> str:
    return run(f"""{prelude}
from polars_anorand import _libtorch
try:
    print(_libtorch.locate())
except ImportError as error:
    print(error)
""")


@pytest.mark.torch
def test_a_missing_torch_is_named_with_what_brings_it() -> None:
    out = located(WITHOUT_TORCH)
    assert "no torch package is installed" in out
    assert "pip install 'polars-anorand[torch]'" in out


@pytest.mark.torch
@pytest.mark.parametrize("version", ["2.9.1+cu128", "3.0.0", None])
def test_another_version_is_named(tmp_path: Path, version: str | None) -> None:
    out = located(f"import sys; sys.path.insert(0, {str(fake_torch(tmp_path, version))!r})")
    assert f"is version {version or 'unknown'}, expected {_libtorch.TESTED[0]}" in out
    assert "pip install 'polars-anorand[torch]'" in out


@pytest.mark.torch
@pytest.mark.parametrize("version", _libtorch.TESTED)
def test_a_tested_version_is_accepted_whatever_it_was_built_for(tmp_path: Path, version: str) -> None:
    out = located(f"import sys; sys.path.insert(0, {str(fake_torch(tmp_path, version + '+cu130'))!r})")
    assert "polars_anorand_torch" in out
    assert str(tmp_path) in out


def importable_torch() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False
    done = subprocess.run([sys.executable, "-c", "import torch"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.torch
@pytest.mark.parametrize(
    "order", ["import torch, polars_anorand as anorand", "import polars_anorand as anorand, torch"]
)
def test_it_works_beside_the_users_own_torch(order: str) -> None:
    if not importable_torch():
        pytest.skip(
            "this torch can't be imported (installed without its CUDA libraries); `make test-engine TORCH=full` can"
        )
    program = f"""
import polars as pl
{order}
frame = pl.DataFrame({{"a": [1.0, 2.0, 3.0, 9.0]}})
frame = frame.with_columns(anorand.score("a", epochs=1, min_steps=0))
print(frame.height, (torch.ones(3) @ torch.ones(3)).item(), torch.get_num_threads() >= 1)
"""
    assert run(program).split() == ["4", "3.0", "True"]


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
    assert run(program).split() == ["3"]
