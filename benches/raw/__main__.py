"""Command line: `python -m benches.raw FOLDER [--only NAME ...] [--json FILE] [--picture FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benches.common.table_detectors import detectors

from .picture import draw
from .protocol import Result, measure
from .report import render, to_frame, to_json
from .tables import DROPPED, read_tables


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Which tables, how many rows and draws of each, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.raw", description=__doc__)
    parser.add_argument("folder", type=Path, help=f"folder of *.parquet, and {DROPPED}: the columns of each to drop")
    parser.add_argument("--rows", type=int, default=12_000, help="the most rows to draw of a table")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these tables")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON", help="options of AnoRand's fit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw them here, as SVG")
    return parser.parse_args(arguments)


def measure_all(options: argparse.Namespace) -> list[Result]:
    """All results that the options ask for, one table after the other."""
    compared = detectors(options.options)
    results: list[Result] = []
    for table in read_tables(options.folder, options.only):
        for seed in range(options.seeds):
            results += measure(table, options.rows, seed, compared)
            print(f"{table.name}, seed {seed}", file=sys.stderr)
    return results


def main() -> None:
    """Measure, print the tables, write the JSON and the picture."""
    options = parse_arguments()
    frame = to_frame(measure_all(options))
    print(render(frame))
    if options.json:
        options.json.write_text(to_json(frame))
    if options.picture:
        options.picture.write_text(draw(frame))


if __name__ == "__main__":
    main()
