"""Contract: imports go down the layers, in Python and in Rust, and docs/architecture.md names every room.

``tests/layout.py`` reads the imports. What it finds is tested here too, on small made-up sources.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from layout import imports, python_violations, rust_violations

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python" / "polars_anorand"
SOURCE = ROOT / "src"
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")

LAYERS = [
    "_polars_anorand",
    "_libtorch",
    "_options",
    "_paths",
    "_register",
    "model._values",
    "model._plot",
    "model._statistics",
    "model",
    "profile",
    "progress",
    "_arguments",
    "devices",
    "functions",
    "drift",
    "report._findings",
    "report._charts",
    "report._tables",
    "report._page",
    "report",
    "scan._groups",
    "scan._init",
    "scan._passes",
    "scan",
    "scan._parts",
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
    "__init__",
]
"""The modules of the package, lowest first: each may import those before it. A folder is its ``__init__.py``."""

PYTHON_DOORS = {"model._plot", "model._values", "scan._parts"}
"""Files of a folder that other files of the package may import too; users import none of them."""

GROUND = {"job", "memory", "options", "pool", "simd"}
ROOMS: dict[str, set[str]] = {
    "job": set(),
    "memory": set(),
    "options": set(),
    "pool": {"job"},
    "simd": set(),
    "data": {*GROUND},
    "engine": {*GROUND},
    "model": {"data", "engine", *GROUND},
    "scoring": {"model", "data", "engine", *GROUND},
    "device": {"scoring", "model", "data", "engine", *GROUND},
    "fit": {"scoring", "model", "data", "engine", *GROUND},
    "query": {"fit", "device", "scoring", "model", "data", "engine", *GROUND},
    "fuzzing": {"fit", "scoring", "model", "data", "engine", *GROUND},
    "plugin": {"query", "fit", "device", "scoring", "model", "data", "engine", *GROUND},
}
"""For each room of the crate, the rooms that it may import. lib.rs may import all."""

DOORS = {"engine::cpu", "engine::torch", "query::verbs"}
"""Rooms within rooms with a door of their own."""


def test_the_packages_imports_go_down() -> None:
    assert python_violations(PACKAGE, LAYERS, PYTHON_DOORS) == []


def test_the_architecture_names_every_module_of_the_package() -> None:
    files = {file.relative_to(PACKAGE) for file in PACKAGE.rglob("*.py") if file.name != "__init__.py"}
    folders = {f"{file.parent}/" for file in files if file.parent != Path()}
    names = {file.name for file in files} | folders
    assert {name for name in names if f"`{name}`" not in ARCHITECTURE} == set()


def test_the_crates_imports_go_down_and_through_doors() -> None:
    assert rust_violations(SOURCE, ROOMS, DOORS) == []


def test_every_declared_room_is_there() -> None:
    there = {path.stem for path in SOURCE.iterdir()} - {"lib"}
    assert there == ROOMS.keys()


def test_the_architecture_names_every_room() -> None:
    rooms = {f"{path.name}/" if path.is_dir() else path.name for path in SOURCE.iterdir()}
    assert {room for room in rooms if f"`{room}`" not in ARCHITECTURE} == set()


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


def test_a_python_import_past_the_door_of_a_folder_is_found(tmp_path: Path) -> None:
    layers = ["low._part", "low._shared", "low", "high._own", "high", "__init__"]
    files = {
        "low/_part.py": "",
        "low/_shared.py": "from p.low._part import x\n",
        "low/__init__.py": "from p.low import _part, _shared\n",
        "high/_own.py": "from p.low import x\nfrom p.low._shared import y\n",
        "high/__init__.py": "from p.high import _own\nfrom p import low\n",
        "__init__.py": "from p.high import x\n",
    }
    doors = {"low._shared"}
    assert python_violations(written(tmp_path / "p", files), layers, doors) == []
    for line in ["from p.low import _part", "from p.low._part import x", "import p.low._part"]:
        written(tmp_path / "p", {"high/__init__.py": f"{line}\n"})
        complaint = "high/__init__.py imports low._part: it goes past the door of low"
        assert python_violations(tmp_path / "p", layers, doors) == [complaint]
    written(tmp_path / "p", {**files, "low/_part.py": "from p import low\n"})
    assert python_violations(tmp_path / "p", layers, doors) == ["low/_part.py imports low, which is not below it"]
    written(tmp_path / "p", {**files, "low/new.py": ""})
    assert "low/new.py is in no layer" in python_violations(tmp_path / "p", layers, doors)


def test_a_python_module_in_no_layer_is_found(tmp_path: Path) -> None:
    written(tmp_path / "p", {"__init__.py": "", "new.py": ""})
    assert python_violations(tmp_path / "p", ["__init__"]) == ["new.py is in no layer"]


SOUND = {
    "lib.rs": "mod base;\nmod left;\nmod right;\nmod top;\npub use top::deep::Deep;\npub use left::Left;\n",
    "base.rs": "use polars::prelude::*;\npub struct Base;\n",
    "left/mod.rs": "mod first;\nmod second;\npub mod inner;\npub use first::First;\npub(crate) use second::*;\n",
    "left/first.rs": "use super::second::{self, Second};\nuse crate::base::Base;\nfn f() { second::g(super::h()) }\n",
    "left/second.rs": "use std::{fmt, io::{self, Read}};\nuse super::Left;\n",
    "left/inner/mod.rs": "mod far;\npub use far::Far;\n",
    "left/inner/far.rs": "use super::super::first::First;\nuse crate::left::second::Second;\n",
    "right.rs": "use crate::base::{self, Base as B};\nfn f() -> base::Base { base::Kind::Some(1) }\n",
    "top/mod.rs": "mod deep;\n#[cfg(test)]\nmod checks;\nuse self::deep::Deep;\nuse crate::left::inner::Far;\n",
    "top/deep.rs": "use crate::{base, left::{First, inner::{self, Far}}, right};\nfn f() { right::f(inner::g()) }\n",
    "top/checks.rs": "use crate::not_a_room::Anything;\n",
}
ALLOWED: dict[str, set[str]] = {
    "base": set(),
    "left": {"base"},
    "right": {"base"},
    "top": {"left", "right", "base"},
}
INNER = {"left::inner"}


@pytest.mark.parametrize(
    ("file", "line", "complaint"),
    [
        ("base.rs", "use crate::left::First;", "base.rs uses crate::left::First: left is not below base"),
        ("right.rs", "use crate::left::First;", "right.rs uses crate::left::First: left is not below right"),
        ("left/first.rs", "fn f() { crate::top::g() }", "left/first.rs uses crate::top::g: top is not below left"),
        ("left/inner/far.rs", "use crate::{base, top};", "left/inner/far.rs uses crate::top: top is not below left"),
        ("left/first.rs", "use super::super::right::f;", "left/first.rs uses crate::right::f: right is not below left"),
        ("base.rs", "use crate::Deep;", "base.rs uses crate::Deep: a name of lib.rs, which is above all rooms"),
        (
            "top/deep.rs",
            "use crate::left::first::First;",
            "top/deep.rs uses crate::left::first::First: it goes past the door of left",
        ),
        (
            "base.rs",
            "use crate::right::R;\nfn f() { R::g(R::h()) }",
            "base.rs uses crate::right::R: right is not below base",
        ),
        (
            "top/deep.rs",
            "use crate::left;\nfn f() { left::second::g() }",
            "top/deep.rs uses crate::left::second::g: it goes past the door of left",
        ),
        (
            "top/deep.rs",
            "use crate::left::{First, inner::{far::{Far}}};",
            "top/deep.rs uses crate::left::inner::far::Far: it goes past the door of left::inner",
        ),
        ("left/second.rs", "use super::first::f;", "a circle: left/first.rs → left/second.rs → left/first.rs"),
        ("left/second.rs", "use crate::left::First;", "a circle: left/first.rs → left/second.rs → left/first.rs"),
        (
            "left/second.rs",
            "use super::inner::Far;",
            "a circle: left/first.rs → left/second.rs → left/inner/far.rs → left/first.rs",
        ),
        ("new/mod.rs", "", "new is in no layer"),
        ("top/shut/file.rs", "", "top/shut has no mod.rs"),
    ],
)
def test_a_rust_import_that_does_not_go_down_through_a_door_is_found(
    tmp_path: Path, file: str, line: str, complaint: str
) -> None:
    assert rust_violations(written(tmp_path, SOUND), ALLOWED, INNER) == []
    written(tmp_path, {file: f"{line}\n{SOUND.get(file, '')}"})
    assert complaint in rust_violations(tmp_path, ALLOWED, INNER)


@pytest.mark.parametrize(
    "text",
    [
        "// use crate::top::Deep;\n/* crate::top::f() */\n//! [`crate::top`]",
        'const A: &str = "crate::top::f";\nconst B: &str = r#"use crate::top::"Deep";"#;\nconst C: char = \'"\';',
        "#[cfg(test)]\nmod tests {\n    use crate::top::Deep;\n    fn f() { if true { crate::top::g() } }\n}",
        "#[cfg(test)]\nuse crate::top::{Deep, f};",
        "#[cfg(all(test, unix))]\n#[allow(unused)]\nfn f(x: [u8; 3]) { crate::top::g() }",
        "struct S { a: u8, #[cfg(test)] b: crate::top::Deep }",
    ],
)
def test_comments_strings_and_tests_are_not_looked_at(tmp_path: Path, text: str) -> None:
    written(tmp_path, {**SOUND, "base.rs": text})
    assert rust_violations(tmp_path, ALLOWED, INNER) == []
    written(tmp_path, {"base.rs": f"{text}\nuse crate::top::f;"})
    assert rust_violations(tmp_path, ALLOWED, INNER) == ["base.rs uses crate::top::f: top is not below base"]
