"""Command line: `python -m benches.rarity [FOLDER] [--seeds N] [--new N] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from .protocol import measure
from .report import render, to_frame, to_json
from .tables import NEW_ROWS, SIZES, Table, made_tables, read_tables


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Which tables, how large, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.rarity", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of *.parquet with `part` and `label`")
    parser.add_argument("--seeds", type=int, default=4, help="made tables of each kind and size")
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="training rows of made tables")
    parser.add_argument("--new", type=int, default=NEW_ROWS, help="new rows of a made table")
    parser.add_argument("--options", type=json.loads, default={}, metavar="JSON", help="options of the fit")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    return parser.parse_args(arguments)


def tables(options: argparse.Namespace) -> Iterator[Table]:
    """The made tables, then those of the folder."""
    yield from made_tables(options.seeds, tuple(options.sizes), options.new)
    if options.folder:
        yield from read_tables(options.folder)


def main() -> None:
    """Measure, print the tables, write the JSON."""
    # A fit warns of columns that hardly vary or repeat, which are some of the made ones.
    warnings.simplefilter("ignore", UserWarning)
    options = parse_arguments()
    results, extremes = [], []
    for table in tables(options):
        of_table, extreme = measure(table, options.options)
        results += of_table
        extremes.append(extreme)
        print(table.name, file=sys.stderr)
    frame, of_extremes = to_frame(results), pl.DataFrame(extremes)
    print(render(frame, of_extremes))
    if options.json:
        options.json.write_text(to_json(frame, of_extremes))


if __name__ == "__main__":
    main()
