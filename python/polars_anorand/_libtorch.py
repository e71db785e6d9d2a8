"""Finds libtorch and loads it before Polars opens the plugin, or says how to get it.

The plugin needs libtorch's CPU part only. It is taken from the user's own torch package, by full path and without
``import torch``, which would cost seconds and could fail where CUDA's libraries are not installed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import re
import sys
from pathlib import Path

REQUIRED = "2.11.0"
"""The plugin is linked against this version's C++ ABI: no other will do."""

_LEAN = f"pip install --no-deps torch=={REQUIRED} 'nvidia-cuda-runtime==13.0.*' 'nvidia-cuda-cupti==13.0.*'"
_FULL = f"pip install torch=={REQUIRED}"


def load() -> Path:
    """Load libtorch into the process, and return the folder it came from.

    Raises
    ------
    ImportError
        If torch is missing, is of another version, or can't be loaded. Nothing has been loaded then.

    """
    package = _package()
    if package is None:
        raise ImportError(_message("no torch package is installed"))
    version = _version(package)
    if version.partition("+")[0] != REQUIRED:
        raise ImportError(_message(f"the torch package in {package} is version {version}"))
    folder = package / "lib"
    for name in _library_names():
        try:
            ctypes.CDLL(str(folder / name), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise ImportError(_message(f"torch {version} can't be loaded ({error})")) from error
    return folder


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


def _library_names() -> tuple[str, str]:
    if sys.platform == "darwin":
        return "libc10.dylib", "libtorch_cpu.dylib"
    return "libc10.so", "libtorch_cpu.so"


def _message(found: str) -> str:
    if sys.platform == "darwin":
        mend = f"    {_FULL}"
    else:
        mend = f"    {_LEAN}    # 0.5 GB, CPU only\n    {_FULL}    # 5.5 GB, with CUDA"
    return f"polars_anorand needs libtorch {REQUIRED}, from the torch package: {found}. Install it with one of\n{mend}"
