"""Command line: `python -m benches.long [scan plain ranks refit] [--rows 50000000] [--folder /tmp]`.

`scan` fits a Parquet file that need not fit into memory, `plain` a table in memory, `ranks` says how far quantiles of a
sample are from those of all rows, and `refit` goes on from a model of a month day by day. Each measures both sides in
one run. `scan` writes 40 bytes a row into a folder of its own, and removes it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
from pathlib import Path

import polars as pl

SECTIONS = {"scan": "scan", "plain": "scan", "ranks": "scan", "refit": "refit"}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benches.long", description=__doc__)
    parser.add_argument("sections", nargs="*", help=", ".join(SECTIONS))
    parser.add_argument("--rows", type=int, default=50_000_000, help="of the scan")
    parser.add_argument("--folder", type=Path, default=None, help="where the scan's rows are written")
    given = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, {pl.thread_pool_size()} threads; Polars {pl.__version__}")
    for name in given.sections or SECTIONS:
        measure = getattr(importlib.import_module(f".{SECTIONS[name]}", __package__), name)
        measure(given.rows, given.folder) if name == "scan" else measure()


if __name__ == "__main__":
    main()
