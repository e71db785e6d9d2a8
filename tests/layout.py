"""Reads which file of the source code imports which, and says where the layers are not kept.

A room is a folder of ``src`` with its door, ``mod.rs``, or a single file. Code of tests is not looked at.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

Parts = tuple[str, ...]
"""A path in Rust, without the leading ``crate``; a file is named by its module."""


def python_violations(folder: Path, layers: Sequence[str], doors: Collection[str] = ()) -> list[str]:
    """The imports of a package that do not go down, or that reach into a folder.

    ``layers`` are the package's modules, lowest first; ``report._page`` is a file of the folder ``report``, and
    ``report`` is its ``__init__.py``. Only the folder itself may import its files, except for those in ``doors``.
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
            elif inner and there != here and target not in doors:
                violations.append(f"{name} imports {target}: it goes past the door of {there}")
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


def rust_violations(source: Path, allowed: Mapping[str, Collection[str]], doors: Collection[str]) -> list[str]:
    """What the files of a crate import against ``allowed``: for each room, the rooms that it may import.

    Other rooms may import names at a room's door only, ``crate::room::Name``, or at one of the further ``doors``, such
    as ``room::inner``. Files of a room may not import each other in a circle. ``lib.rs`` may import everything.
    """
    crate = Crate(source)
    folders = sorted({file.parent for file in source.rglob("*.rs")} - {source})
    violations = [
        f"{folder.relative_to(source)} has no mod.rs" for folder in folders if not (folder / "mod.rs").exists()
    ]
    violations += [f"{room} is in no layer" for room in sorted(crate.rooms - allowed.keys())]
    for file in crate.files.values():
        if file.module and file.module[0] in allowed:
            said: Parts = ("",)
            for path in sorted(set(file.paths)):
                complaint = _complaint(crate, file, path, allowed, doors)
                if complaint and path[: len(said)] != said:  # not again for what is below
                    violations.append(f"{file.name} uses crate::{'::'.join(path)}: {complaint}")
                    said = path
    return violations + [f"a circle: {' → '.join(circle)}" for circle in crate.circles()]


def _complaint(
    crate: Crate, file: RustFile, path: Parts, allowed: Mapping[str, Collection[str]], doors: Collection[str]
) -> str | None:
    """What is wrong with a path that a file uses, if anything is."""
    here, there = file.module[0], path[0]
    if there == here:
        return None
    if there not in crate.rooms:
        return "a name of lib.rs, which is above all rooms"
    if there not in allowed[here]:
        return f"{there} is not below {here}"
    opened = [tuple(door.split("::")) for door in [there, *doors]]
    depth = max(len(door) for door in opened if path[: len(door)] == door)
    if path[: depth + 1] in crate.files and len(path) > depth + 1:
        return f"it goes past the door of {'::'.join(path[:depth])}"
    return None


@dataclass
class Crate:
    """The files of a crate, by their modules."""

    source: Path
    files: dict[Parts, RustFile] = field(init=False)

    def __post_init__(self) -> None:
        named = {_module(file.relative_to(self.source)): file for file in sorted(self.source.rglob("*.rs"))}
        texts = {module: _without_text(file.read_text(encoding="utf-8")) for module, file in named.items()}
        of_tests = {(*module, name) for module, text in texts.items() for name in re.findall(_TEST_MODULE, text)}
        kept = [module for module in named if not any(module[: len(test)] == test for test in of_tests)]
        self.files = {}
        for module in kept:
            children = {other[-1] for other in kept if other[:-1] == module and other}
            name = str(named[module].relative_to(self.source))
            self.files[module] = RustFile(name, module, _without_tests(texts[module]), children)

    @property
    def rooms(self) -> set[str]:
        """The modules of ``lib.rs``."""
        return {module[0] for module in self.files if module}

    def circles(self) -> list[list[str]]:
        """Files of one room that import each other in a circle: for each such set of files, one circle."""
        edges = {module: sorted(self._siblings(file)) for module, file in self.files.items()}
        done: set[Parts] = set()
        circles: list[list[str]] = []

        def visit(module: Parts, path: list[Parts]) -> None:
            if module in path:
                circle = [*path[path.index(module) :], module]
                circles.append([self.files[each].name for each in circle])
            elif module not in done:
                for other in edges[module]:
                    visit(other, [*path, module])
                done.add(module)

        for module in edges:
            visit(module, [])
        return circles

    def _siblings(self, file: RustFile) -> set[Parts]:
        """The files of the same room that a file uses, other than the doors that it is behind itself."""
        used = {self._defining_file(path) for path in file.own_paths if path[:1] == file.module[:1]}
        return {other for other in used if other != file.module[: len(other)]}

    def _defining_file(self, path: Parts) -> Parts:
        """The file that a path leads to, through the doors that pass a name on."""
        for _ in range(len(self.files)):
            length = max(length for length in range(len(path) + 1) if path[:length] in self.files)
            module, rest = path[:length], path[length:]
            passed_on = self.files[module].passed_on.get(rest[0]) if rest else None
            if passed_on is None:
                return module
            path = (*passed_on, *rest[1:])
        return path[:1]


@dataclass
class RustFile:
    """A file's text without comments, strings and tests, and the paths in it."""

    name: str
    module: Parts
    text: str
    children: set[str]

    @cached_property
    def _imports(self) -> list[tuple[bool, str, Parts]]:
        """For each name that is imported: whether it is passed on, the name here, and where it is from."""
        imports = []
        for statement in _USE.finditer(self.text):
            for path, name in _tree(self.text, statement.end()):
                absolute = self._absolute(path, {})
                if absolute is not None:
                    imports.append((statement[1] is not None, name, absolute))
        return imports

    @cached_property
    def passed_on(self) -> dict[str, Parts]:
        """The names of ``pub use``, and where they are from."""
        return {name: path for is_public, name, path in self._imports if is_public}

    @cached_property
    def _in_code(self) -> list[Parts]:
        """The paths outside of ``use``."""
        names = {name: path for _, name, path in self._imports}
        code = re.sub(_USE.pattern + r"[^;]*;", " ", self.text)
        found = (_tree(code, start.start())[0][0] for start in re.finditer(r"(?<![\w:])[A-Za-z_]\w*\s*::", code))
        absolute = (self._absolute(path, names) for path in found)
        return [path for path in absolute if path]

    @cached_property
    def paths(self) -> list[Parts]:
        """All that it uses of the crate."""
        return [path for _, _, path in self._imports if path] + self._in_code

    @cached_property
    def own_paths(self) -> list[Parts]:
        """All that it uses of the crate for itself, rather than to pass it on."""
        return [path for is_public, _, path in self._imports if path and not is_public] + self._in_code

    def _absolute(self, path: Parts, names: Mapping[str, Parts]) -> Parts | None:
        """The path from the crate's root, or None for one of another crate."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first == "self":
            return self.module + rest
        if first == "super":
            base = self.module[:-1]
            while rest[:1] == ("super",):
                base, rest = base[:-1], rest[1:]
            return base + rest
        if first in self.children:
            return (*self.module, *path)
        return names[first] + rest if first in names else None


_TEXT = re.compile(
    r"""//[^\n]* | /\*.*?\*/ | \br(\#*)".*?"\1 | "(?:\\.|[^"\\])*" | '(?:\\.[^']*|[^'\\])'""",
    re.DOTALL | re.VERBOSE,
)
_TEST = r"#\[cfg\((?:all\()?test\b[^\]]*\]"
_TEST_MODULE = _TEST + r"\s*mod\s+(\w+)\s*;"
_USE = re.compile(r"(\bpub(?:\s*\([^)]*\))?\s+)?\buse\s+(?:::)?")
_IDENTIFIER = re.compile(r"\s*(?:r#)?([A-Za-z_]\w*|\*)")


def _module(file: Path) -> Parts:
    parts = file.with_suffix("").parts
    return parts[:-1] if parts[-1] in {"mod", "lib"} else parts


def _without_text(code: str) -> str:
    """Without comments and literals, in which anything may stand."""
    return _TEXT.sub(" ", code)


def _without_tests(code: str) -> str:
    """Without the items that are compiled for tests only."""
    while test := re.search(_TEST, code):
        end, depth = test.end(), 0
        while end < len(code):
            depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(code[end], 0)
            if depth < 0:  # the end of what the item is in
                break
            end += 1
            if depth == 0 and code[end - 1] in ";}":
                break
        code = code[: test.start()] + code[end:]
    return code


def _tree(code: str, at: int) -> list[tuple[Parts, str]]:
    """The paths of a tree such as ``a::{b, c::d as e}``, each with the name by which it is known here."""
    return _branch(code, at)[0]


def _branch(code: str, at: int) -> tuple[list[tuple[Parts, str]], int]:
    path: Parts = ()
    while part := _IDENTIFIER.match(code, at):
        path, at = (*path, part[1]), part.end()
        separator = re.compile(r"\s*::\s*").match(code, at)
        if separator is None:
            break
        at = separator.end()
        if code[at : at + 1] == "{":
            leaves, at = _list(code, at + 1)
            return [_below(path, leaf, name) for leaf, name in leaves], at
    renamed = re.compile(r"\s+as\s+(\w+)").match(code, at)
    name = renamed[1] if renamed else (path[-1] if path else "")
    return [(path, name)], renamed.end() if renamed else at


def _list(code: str, at: int) -> tuple[list[tuple[Parts, str]], int]:
    leaves: list[tuple[Parts, str]] = []
    while not (end := re.compile(r"[\s,]*\}").match(code, at)):
        at = re.compile(r"[\s,]*").match(code, at).end()  # type: ignore[union-attr]
        found, after = _branch(code, at)
        if after == at:
            raise ValueError(f"an import that can't be read: {code[at : at + 40]!r}")
        leaves, at = leaves + found, after
    return leaves, end.end()


def _below(path: Parts, leaf: Parts, name: str) -> tuple[Parts, str]:
    """``a::{self}`` is ``a``."""
    if leaf == ("self",):
        return path, path[-1] if name == "self" else name
    return path + leaf, name
