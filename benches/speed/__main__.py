"""Command line: `python -m benches.speed [SECTION …]`; `--help` names the sections.

`gpu` needs a GPU (see benches/gpu.sh) and is left out unless it is asked for. The first three need
benches/requirements.txt, and torch with its CUDA libraries (`make build engine TORCH=full`); `distilled` and
`presets` need benches/requirements.txt alone.
Every comparison measures both sides in one run, on the number of threads that POLARS_MAX_THREADS says (all cores if it
is not set). Only ratios mean anything on a shared machine.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform

import polars as pl

from benches.common.workloads import THREADS

# Imported when asked for, since not all that they need is always installed.
SECTIONS = {
    "scoring": "comparisons",
    "fitting": "comparisons",
    "ensembles": "comparisons",
    "distilled": "distilled",
    "presets": "presets",
    "startup": "startup",
    "parts": "startup",
    "growth": "growth",
    "memory": "growth",
    "streaming": "streaming",
    "gpu": "gpu",
}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benches.speed", description=__doc__)
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    print(f"{platform.machine()}, {os.cpu_count()} cores, {THREADS} threads; Polars {pl.__version__}")
    for name in parser.parse_args().sections or [name for name in SECTIONS if name != "gpu"]:
        getattr(importlib.import_module(f".{SECTIONS[name]}", __package__), name)()


if __name__ == "__main__":
    main()
