"""Build the wheel that is published for Linux on x86-64, and check what it asks of a system: ``make wheel``.

The plugin is linked against the symbols of glibc 2.28, by zig. Only its last step differs from ``make build``, so that
both share all that is compiled before it. The engine for GPUs is C++: it stays in the wheel where it was built with an
old libstdc++, as in the manylinux_2_28 image, and is left out where it was not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WHEELS = ROOT / "target" / "wheels"
PLATFORM = "manylinux_2_28_x86_64"
# The newest symbols that the platform has.
NEWEST = {"GLIBC": (2, 28), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11)}
# They come with the extra [torch].
OF_TORCH = ["libtorch.so", "libtorch_cpu.so", "libtorch_cuda.so", "libc10.so", "libc10_cuda.so"]


def main() -> None:
    """Leave one checked wheel in target/wheels."""
    shutil.rmtree(WHEELS, ignore_errors=True)
    built, unpacked = WHEELS / "built", WHEELS / "unpacked"
    linker = ["--", "-C", f"linker={ROOT / 'tools' / 'zig-cc'}"]
    run("maturin", "build", "--release", "--locked", "--auditwheel", "skip", "--out", built, *linker)
    (wheel,) = built.glob("*.whl")
    run("wheel", "unpack", "--dest", unpacked, wheel)
    (contents,) = unpacked.iterdir()
    for engine in (contents / "polars_anorand" / "torch").glob("*.so"):
        if asks := too_new(engine):
            print(f"{engine.name} is left out: it asks for {', '.join(asks)}, which {PLATFORM} lacks")
            engine.unlink()
    wheel.unlink()
    run("wheel", "pack", "--dest-dir", built, contents)
    (wheel,) = built.glob("*.whl")
    excluded = [argument for library in OF_TORCH for argument in ("--exclude", library)]
    run("auditwheel", "repair", "--plat", PLATFORM, *excluded, "--wheel-dir", WHEELS, wheel)
    shutil.rmtree(built)
    shutil.rmtree(unpacked)
    (wheel,) = WHEELS.glob("*.whl")
    if PLATFORM not in wheel.name or "-abi3-" not in wheel.name:
        raise SystemExit(f"the wheel is {wheel.name}, expected an abi3 wheel for {PLATFORM}")
    print(f"{wheel.relative_to(ROOT)}: {wheel.stat().st_size / 1e6:.1f} MB")


def too_new(library: Path) -> list[str]:
    """The versions of symbols that a library needs and the platform lacks."""
    listed = subprocess.run(["objdump", "-p", library], capture_output=True, check=True, text=True).stdout
    needed = set(re.findall(r"\b(GLIBC|GLIBCXX|CXXABI)_([0-9.]+)", listed))
    return sorted(f"{name}_{number}" for name, number in needed if tuple(map(int, number.split("."))) > NEWEST[name])


def run(program: str, *arguments: str | Path) -> None:
    """A program of this interpreter's environment; the others of the environment are found by it too."""
    folder = Path(sys.executable).parent
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([folder / program, *arguments], check=True, cwd=ROOT, env={**os.environ, "PATH": path})


if __name__ == "__main__":
    main()
