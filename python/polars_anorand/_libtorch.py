"""Finds libtorch and the engine that is built on it, when a call needs a GPU. Nothing here loads anything.

libtorch is the one of the user's own torch package. It is loaded by full path, without ``import torch``, which would
cost seconds.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

TESTED = ("2.11.0", "2.12.1")
"""The versions that the engine was loaded and run with. It is built against the first one's C++ ABI."""

_MEND = "install one with\n    pip install 'polars-anorand[torch]'"


def locate() -> tuple[Path, Path]:
    """The engine's library, and the folder of libtorch's libraries.

    Raises
    ------
    ImportError
        If torch is missing or of another version, or if this build has no engine; the message says what to do.

    """
    engine = _engine()
    if engine is None:
        raise ImportError("this build of polars-anorand has no libtorch engine: GPUs can't be used")
    package = _package()
    if package is None:
        raise ImportError(f"no torch package is installed; {_MEND}")
    version = _version(package)
    if version.partition("+")[0] not in TESTED:
        tested = " or ".join(TESTED)
        raise ImportError(f"the torch package in {package} is version {version}, expected {tested}; {_MEND}")
    return engine, package / "lib"


def _engine() -> Path | None:
    suffix = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
    found = sorted((Path(__file__).parent / "torch").glob(f"*polars_anorand_torch.{suffix}"))
    return found[0] if found else None


def _package() -> Path | None:
    """The folder of the torch package, whether or not it is imported."""
    try:
        spec = importlib.util.find_spec("torch")
    except ValueError:  # a stand-in module without a spec
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def _version(package: Path) -> str:
    """The version of the files in the folder, which may differ from that of leftover package metadata."""
    try:
        text = (package / "version.py").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    match = re.search(r"^__version__\s*=\s*['\"]([^'\"]+)['\"]", text, re.MULTILINE)
    return match[1] if match else "unknown"
