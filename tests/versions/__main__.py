"""One wheel on the oldest, last 1.x and newest Polars, and on every CPython that is here: ``make test-versions``.

It installs the wheel into fresh environments, which have no torch. First it does what a user does: ``pip install`` into
an empty environment, and the README's code. ``python tests/versions readme`` does that alone.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

LAST_ONE, NEWEST = "polars<2", "polars>=2,<3"
CPYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
FOLDER = Path("target/versions")
SMOKE = Path(__file__).with_name("smoke.py")
ROOT = Path(__file__).parents[2]
README, READER = ROOT / "README.md", Path(__file__).with_name("readme.py")
# What a wheel may bring: Polars, and what Polars is made of.
BROUGHT = {"polars", "polars-anorand", "polars-runtime-32"}


def main() -> None:
    """Run the README on what pip installs, and the smoke program on every pair of a Polars and a CPython."""
    (wheel,) = sorted(Path("target/wheels").glob("*.whl"))
    shutil.rmtree(FOLDER, ignore_errors=True)
    run_readme(wheel)
    if sys.argv[1:] == ["readme"]:
        return
    oldest = oldest_polars()
    # Every Polars on this CPython, and the newest on every other.
    runs = [(HERE, Path(sys.executable), polars) for polars in (oldest, LAST_ONE, NEWEST)]
    for version in CPYTHONS:
        program = interpreter(version)
        if version != HERE and program is not None:
            runs.append((version, program, NEWEST))
            if version == CPYTHONS[0]:
                runs.append((version, program, oldest))
        elif version != HERE:
            print(f"CPython {version}: not on this machine, not tried")
    for at, (version, program, polars) in enumerate(runs):
        python = environment(FOLDER / f"{at}-{version}", program, polars, wheel)
        subprocess.run([python, "-W", "error", SMOKE], check=True)


def oldest_polars() -> str:
    """The oldest Polars that ``pyproject.toml`` allows."""
    # Not by tomllib, which CPython 3.10 lacks.
    found = re.findall(
        r'^    "polars>=([0-9.]+)",$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE
    )
    if len(found) != 1:
        raise SystemExit(f'pyproject.toml asks for "polars>=…" {len(found)} times, expected one line with it')
    return f"polars=={found[0]}"


def run_readme(wheel: Path) -> None:
    """The README's first lines on what ``pip install`` of the wheel alone brings; all of its code with [report]."""
    folder = FOLDER / "readme"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = (folder / "bin" / "python").absolute()
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", wheel], check=True)
    listed = subprocess.run([*pip, "list", "--format", "json"], check=True, capture_output=True, text=True).stdout
    brought = {package["name"].lower().replace("_", "-") for package in json.loads(listed)} - {"pip", "setuptools"}
    if brought != BROUGHT:
        raise SystemExit(f"the wheel brought {sorted(brought)}, expected {sorted(BROUGHT)}")
    work = folder / "work"
    work.mkdir()
    subprocess.run([python, READER.absolute(), README.absolute(), "1"], check=True, cwd=work)
    subprocess.run([*pip, "install", "--quiet", f"{wheel}[report]"], check=True)
    subprocess.run([python, READER.absolute(), README.absolute()], check=True, cwd=work)


def interpreter(version: str) -> Path | None:
    """A CPython of that version, on the path or among pyenv's."""
    candidates = [shutil.which(f"python{version}")]
    candidates += sorted(map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")))
    for candidate in filter(None, candidates):
        # A shim may be there for a version that is not.
        if subprocess.run([candidate, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return Path(candidate)
    return None


def environment(folder: Path, program: Path, polars: str, wheel: Path) -> Path:
    """A fresh environment with the wheel and that Polars."""
    subprocess.run([program, "-m", "venv", folder], check=True)
    python = (folder / "bin" / "python").absolute()
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, polars], check=True)
    subprocess.run([*install, "--no-deps", wheel], check=True)
    return python


if __name__ == "__main__":
    main()
