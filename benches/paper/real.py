"""Which real sets an experiment runs on."""

from __future__ import annotations

import argparse
from pathlib import Path

from benches.quality.datasets import dataset_paths


def add_arguments(parser: argparse.ArgumentParser, sets: list[str] | None = None) -> None:
    """The folder, the sets of it, and the seeds."""
    parser.add_argument("folder", type=Path, help="folder of *.parquet with features and a 0/1 `label`")
    parser.add_argument("--sets", nargs="+", default=sets, help="only sets whose name contains one of these")
    parser.add_argument("--seeds", type=int, default=3)


def paths(options: argparse.Namespace) -> list[Path]:
    """The files that the command line asks for."""
    files = dataset_paths(options.folder)
    if options.sets is None:
        return files
    return [path for path in files if any(part.lower() in path.stem.lower() for part in options.sets)]
