"""Runs a page's code as a reader who pastes it: its blocks one after the other, in one namespace and one folder.

``python tests/pages.py README.md docs/tutorial.md`` writes into pages what their blocks print now.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(python|sh|output)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str = "python") -> list[str]:
    """The blocks of one language."""
    return [code for kind, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def run(page: Path, folder: Path) -> dict[str, object]:
    """Run the blocks of Python and of the shell, and compare what they print with the outputs that follow them.

    ``folder`` is the working folder, which the caller has changed into. The namespace of the Python blocks is returned.
    """
    names: dict[str, object] = {}
    text = page.read_text(encoding="utf-8")
    assert text == _with_outputs(text, page.name, folder, names), f"{page.name} prints something else than it shows"
    return names


def _with_outputs(text: str, name: str, folder: Path, names: dict[str, object]) -> str:
    """Run the blocks of a page, and return the page with what the last block before each output has printed."""
    printed, parts, end = "", [], 0
    for block in _BLOCK.finditer(text):
        kind, code = block.groups()
        if kind == "output":
            parts += [text[end : block.start(2)], printed]
            end = block.end(2)
        elif kind == "sh":
            printed = _shell(code, folder)
        else:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, name, "exec"), names)
            printed = out.getvalue()
    return "".join([*parts, text[end:]])


def _shell(code: str, folder: Path) -> str:
    """Run a block of the shell, where ``anorand`` is the command of this package, and a failing line ends it."""
    commands = folder / ".commands"
    commands.mkdir(exist_ok=True)
    command = commands / "anorand"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m polars_anorand "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-ec", code], cwd=folder, env={**os.environ, "PATH": path}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{code}\n{done.stderr}"
    return done.stdout


def _main() -> None:
    """Write the outputs of the pages that are named."""
    for page in [Path(name).absolute() for name in sys.argv[1:]]:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            page.write_text(
                _with_outputs(page.read_text(encoding="utf-8"), page.name, Path(folder), {}), encoding="utf-8"
            )
            os.chdir(page.parent)


if __name__ == "__main__":
    _main()
