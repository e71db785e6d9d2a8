"""Command line: `python -m benches.dirty FOLDER [--only NAME ...] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from .figures import figures
from .rankings import rankings
from .report import Result, render, to_frame, to_json
from .tables import ERRORS, MASK, ROWS_FILE, read_tables


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Which tables, how much of each, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.dirty", description=__doc__)
    parser.add_argument("folder", type=Path, help=f"folder of NAME/{ROWS_FILE} with NAME/{ERRORS} or NAME/{MASK}")
    parser.add_argument("--rows", type=int, default=20_000, help="the most rows to read of a table")
    parser.add_argument("--columns", type=int, default=40, help="the most columns to read of a table")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these tables")
    parser.add_argument("--kwargs", type=json.loads, default={}, metavar="JSON", help="options of AnoRand's fit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    return parser.parse_args(arguments)


def measure_all(options: argparse.Namespace) -> Iterator[Result]:
    """All results that the options ask for, one table after the other."""
    for table in read_tables(options.folder, options.only, rows=options.rows, columns=options.columns):
        for method, rank in rankings(options.kwargs).items():
            start = time.process_time()
            ranking = rank(table.rows)
            yield Result(table.name, method, time.process_time() - start, figures(table.wrong, ranking))
        print(table.name, file=sys.stderr)


def main() -> None:
    """Measure, print the tables, write the JSON."""
    # Columns of texts that hardly repeat belong to these tables, and a fit warns of each.
    warnings.simplefilter("ignore", UserWarning)
    options = parse_arguments()
    frame = to_frame(measure_all(options))
    print(render(frame))
    if options.json:
        options.json.write_text(to_json(frame))


if __name__ == "__main__":
    main()
