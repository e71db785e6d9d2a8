"""Command line: `python -m benches.explain [FOLDER]`.

Without a folder, what explanations cost, which needs the package shap of benches/requirements.txt. With a folder of
*.parquet (features f0… and `label`), how near they are to 4,096 midpoints in NumPy and float64. Each comparison
measures both sides in one run.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform

import polars as pl

from benches.common.datasets import add_arguments, asked_paths


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benches.explain", description=__doc__)
    add_arguments(parser, folder_is_optional=True)
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores; Polars {pl.__version__}")
    # Imported when asked for, since not all that they need is always installed.
    if options.folder is None:
        importlib.import_module(".cost", __package__).measure()
    else:
        importlib.import_module(".accuracy", __package__).measure(asked_paths(options))


if __name__ == "__main__":
    main()
