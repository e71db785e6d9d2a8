"""Contract: imports of the Python package go down its layers, and docs/architecture.md names every module.

``tests/layout.rs`` is the same for the crate.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "polars_anorand"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

LAYERS = [
    "_polars_anorand",
    "_libtorch",
    "_options",
    "_frames",
    "_paths",
    "_register",
    "model._values",
    "model._plot",
    "model._findings",
    "model._statistics",
    "model",
    "profile",
    "progress",
    "_arguments",
    "devices",
    "functions",
    "drift",
    "scan._groups",
    "scan._init",
    "scan._passes",
    "scan",
    "scan._parts",
    "frames",
    "_row",
    "incidents._words",
    "incidents._places",
    "incidents",
    "report._findings",
    "report._charts",
    "report._tables",
    "report._sentences",
    "report._page",
    "report",
    "_arrow",
    "spark._worker",
    "spark._frames",
    "spark._params",
    "spark._storage",
    "spark._models",
    "spark._estimators",
    "spark._udf",
    "spark",
    "ray",
    "mlflow",
    "sklearn",
    "namespace",
    "_files",
    "cli",
    "__init__",
    "__main__",
]
"""The modules of the package, lowest first: each may import those before it. A folder is its ``__init__.py``."""

INTERFACES = {"model._findings", "model._plot", "model._values", "scan._parts"}
"""Files of a folder that other files of the package may import too; users import none of them."""


def test_the_packages_imports_go_down() -> None:
    assert python_violations(PACKAGE, LAYERS, INTERFACES) == []


def test_the_architecture_names_every_module_of_the_package() -> None:
    files = {file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py") if file.name != "__init__.py"}
    folders = {f"{file.parent}/" for file in files if file.parent != Path()}
    names = {file.name for file in files} | folders
    assert {name for name in names if f"`{name}`" not in ARCHITECTURE} == set()


def test_benches_share_only_what_is_in_common() -> None:
    benches = ROOT / "benches"
    others = {file.stem for folder in ["tests", "examples"] for file in (ROOT / folder).glob("*.py")}
    others.remove("reference")  # The slow reading of a model file is what both compare with.
    for file in benches.glob("*/*.py"):
        imported = [name.split(".") for name in imports(file, "own")]
        assert not others & {first for first, *_ in imported}, file
        assert {rest[0] for first, *rest in imported if first == "benches"} <= {"common"}, file


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("line", "imported"),
    [
        ("from p import high", "high"),
        ("from p.high import x", "high"),
        ("import p.high", "high"),
        ("from . import high", "high"),
        ("from .high import x", "high"),
        ("if TYPE_CHECKING:\n    from p.high import x", "high"),
        ("def f():\n    from p.high import x", "high"),
        ("import p", "__init__"),
        ("from p import Exported", "__init__"),
        ("from p.middle import itself", "middle"),
    ],
)
def test_a_python_import_that_does_not_go_down_is_found(tmp_path: Path, line: str, imported: str) -> None:
    files = {"__init__.py": "from p.high import x\n", "high.py": "from p import low, middle\n", "low.py": "import os\n"}
    layers = ["low", "middle", "high", "__init__"]
    written(tmp_path / "p", {**files, "middle.py": "from p.low import x\nfrom pathlib import Path\n"})
    assert python_violations(tmp_path / "p", layers) == []
    written(tmp_path / "p", {"middle.py": f"from p.low import x\n{line}\n"})
    assert python_violations(tmp_path / "p", layers) == [f"middle.py imports {imported}, which is not below it"]


def test_a_python_import_past_the_interface_of_a_folder_is_found(tmp_path: Path) -> None:
    layers = ["low._part", "low._shared", "low", "high._own", "high", "__init__"]
    files = {
        "low/_part.py": "",
        "low/_shared.py": "from p.low._part import x\n",
        "low/__init__.py": "from p.low import _part, _shared\n",
        "high/_own.py": "from p.low import x\nfrom p.low._shared import y\n",
        "high/__init__.py": "from p.high import _own\nfrom p import low\n",
        "__init__.py": "from p.high import x\n",
    }
    interfaces = {"low._shared"}
    assert python_violations(written(tmp_path / "p", files), layers, interfaces) == []
    for line in ["from p.low import _part", "from p.low._part import x", "import p.low._part"]:
        written(tmp_path / "p", {"high/__init__.py": f"{line}\n"})
        complaint = "high/__init__.py imports low._part: it goes past the interface of low"
        assert python_violations(tmp_path / "p", layers, interfaces) == [complaint]
    written(tmp_path / "p", {**files, "low/_part.py": "from p import low\n"})
    assert python_violations(tmp_path / "p", layers, interfaces) == ["low/_part.py imports low, which is not below it"]
    written(tmp_path / "p", {**files, "low/new.py": ""})
    assert "low/new.py is in no layer" in python_violations(tmp_path / "p", layers, interfaces)


def test_a_python_module_in_no_layer_is_found(tmp_path: Path) -> None:
    written(tmp_path / "p", {"__init__.py": "", "new.py": ""})
    assert python_violations(tmp_path / "p", ["__init__"]) == ["new.py is in no layer"]


def python_violations(folder: Path, layers: Sequence[str], interfaces: Collection[str] = ()) -> list[str]:
    """The imports of a package that do not go down, or that reach into a folder.

    ``layers`` are the package's modules, lowest first; ``report._page`` is a file of the folder ``report``, and
    ``report`` is its ``__init__.py``. Only the folder itself may import its files, except for those in ``interfaces``.
    """
    modules = {_python_module(file.relative_to(folder)): file for file in sorted(folder.rglob("*.py"))}
    violations = [
        f"{modules[name].relative_to(folder)} is in no layer" for name in sorted(modules.keys() - set(layers))
    ]
    for module, file in modules.items():
        if module not in layers:
            continue
        here, name = module.partition(".")[0], file.relative_to(folder)
        for target in _python_imports(file, folder.name, layers):
            there, _, inner = target.partition(".")
            if layers.index(target) >= layers.index(module):
                violations.append(f"{name} imports {target}, which is not below it")
            elif inner and there != here and target not in interfaces:
                violations.append(f"{name} imports {target}: it goes past the interface of {there}")
    return violations


def _python_module(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imports(file: Path, package: str = "") -> list[str]:
    """The dotted names that a Python file imports, those for type checkers alone included."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(filter(None, [package if node.level else "", node.module]))
            names += [f"{base}.{alias.name}" for alias in node.names]
    return names


def _python_imports(file: Path, package: str, layers: Sequence[str]) -> Iterator[str]:
    """The modules of its package that a file imports."""
    for name in imports(file, package):
        first, *rest = name.split(".")
        if first == package:
            within = [".".join(rest[:depth]) for depth in (2, 1)]
            # What is no module is a name that the package exports.
            yield next((module for module in within if module in layers), "__init__")
