"""Command line: `python -m benches.reliability [kills disk queries fits models] [--kills 1000] [--seconds 600] …`.

Each section prints what it found, and fails if a contract is broken. It needs Polars and the plugin alone, and Linux.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform

SECTIONS = {"kills": "files", "disk": "files", "queries": "memory", "fits": "memory", "models": "memory"}


def main() -> None:
    """Try what was asked for."""
    parser = argparse.ArgumentParser(prog="benches.reliability", description=__doc__)
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--fits", type=int, default=300)
    parser.add_argument("--models", type=int, default=2_000)
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores")
    for name in arguments.sections or list(SECTIONS):
        getattr(importlib.import_module(f".{SECTIONS[name]}", __package__), name)(arguments)


if __name__ == "__main__":
    main()
