"""Runs a page's code as a reader who pastes it: its blocks one after the other, in one namespace and one folder."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
_BLOCK = re.compile(r"^```(python|sh|output)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, language: str = "python") -> list[str]:
    """The blocks of one language."""
    return [code for kind, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == language]


def run(page: Path, folder: Path) -> dict[str, object]:
    """Run the blocks of Python and of the shell, and compare what the last one before an output has printed with it.

    ``folder`` is the working folder, which the caller has changed into. The namespace of the Python blocks is returned.
    """
    names: dict[str, object] = {}
    printed = ""
    for kind, code in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "output":
            assert printed == code, f"{page.name} should show\n{printed}"
        elif kind == "sh":
            printed = _shell(code, folder)
        else:
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(code, page.name, "exec"), names)
            printed = out.getvalue()
    return names


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
