"""One wheel on the oldest, last 1.x and newest Polars, and on every CPython that is here: ``make test-versions``.

It installs the wheel into fresh environments, which have no torch.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

OLDEST, LAST_ONE, NEWEST = "polars==1.0.0", "polars<2", "polars>=2,<3"
CPYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
FOLDER = Path("target/versions")
SMOKE = Path(__file__).with_name("smoke.py")


def main() -> None:
    """Run the smoke program on every pair of a Polars and a CPython that can be had."""
    (wheel,) = sorted(Path("target/wheels").glob("*.whl"))
    # Every Polars on this CPython, and the newest on every other.
    runs = [(HERE, Path(sys.executable), polars) for polars in (OLDEST, LAST_ONE, NEWEST)]
    for version in CPYTHONS:
        program = interpreter(version)
        if version != HERE and program is not None:
            runs.append((version, program, NEWEST))
            if version == CPYTHONS[0]:
                runs.append((version, program, OLDEST))
        elif version != HERE:
            print(f"CPython {version}: not on this machine, not tried")
    shutil.rmtree(FOLDER, ignore_errors=True)
    for at, (version, program, polars) in enumerate(runs):
        python = environment(FOLDER / f"{at}-{version}", program, polars, wheel)
        subprocess.run([python, "-W", "error", SMOKE], check=True)


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
