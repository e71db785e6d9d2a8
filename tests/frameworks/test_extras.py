"""Contract: the package needs no other framework; a module for one that is missing says which extra to install."""

from __future__ import annotations

import subprocess
import sys

import pytest

FRAMEWORKS = {"spark": "pyspark", "ray": "ray", "mlflow": "mlflow", "sklearn": "sklearn"}
"""The modules of the package for others, and what each needs; the extra has the module's name."""


def run(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout


def test_importing_the_package_imports_no_framework() -> None:
    others = {*FRAMEWORKS.values(), "pyarrow", "pandas", "numpy"}
    program = f"""
import sys
import polars
before = set(sys.modules)
import polars_anorand
print(sorted({others} & (set(sys.modules) - before)))
"""
    assert run(program).strip() == "[]"


@pytest.mark.parametrize(("module", "framework"), FRAMEWORKS.items())
def test_a_module_whose_framework_is_missing_names_its_extra(module: str, framework: str) -> None:
    program = f"""
import sys
sys.modules[{framework!r}] = None
try:
    import polars_anorand.{module}
except ImportError as error:
    print(error)
"""
    assert f"pip install 'polars-anorand[{module}]'" in run(program)
