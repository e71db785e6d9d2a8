"""Command line: `python -m benches.relations [--only TEXT ...] [--json FILE] [--picture FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path

import polars as pl

from . import page
from .catalogue import INVISIBLE, KINDS, asked_kinds
from .detectors import detectors
from .protocol import Result, measure
from .report import read_frame, render, to_frame, to_json


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Which kinds, how many rows and draws of each, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.relations", description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000, help="training rows of each table")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="only kinds with one of these texts in their name")
    parser.add_argument("--invisible", action="store_true", help="instead, faults in a third of a column")
    parser.add_argument("--kwargs", type=json.loads, default={}, metavar="JSON", help="options of AnoRand's fit")
    parser.add_argument("--detectors", nargs="+", metavar="NAME", help="only these detectors")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    parser.add_argument("--read", type=Path, metavar="FILE", help="take results that --json wrote; measure nothing")
    parser.add_argument("--page", action="store_true", help="print the table of docs/quality.md instead")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw them here, as SVG")
    return parser.parse_args(arguments)


def measure_all(options: argparse.Namespace) -> pl.DataFrame:
    """The results that the options ask for, one kind after the other."""
    compared = detectors(options.kwargs)
    if options.detectors:
        compared = {name: compared[name] for name in options.detectors}
    results: list[Result] = []
    for kind in asked_kinds(options.only, INVISIBLE if options.invisible else KINDS):
        for seed in range(options.seeds):
            results += measure(kind, options.rows, seed, compared)
            print(f"{kind.name}, seed {seed}", file=sys.stderr)
    return to_frame(results)


def main() -> None:
    """Measure or read, print the tables, write the JSON and the picture."""
    # Some kinds have a column of texts that hardly repeat, and a fit warns of each.
    warnings.simplefilter("ignore", UserWarning)
    options = parse_arguments()
    frame = read_frame(options.read) if options.read else measure_all(options)
    print(page.table(frame) if options.page else render(frame))
    if options.json:
        options.json.write_text(to_json(frame))
    if options.picture:
        # Imported here, since the benches run without altair.
        from .picture import draw  # noqa: PLC0415

        options.picture.write_text(draw(frame))


if __name__ == "__main__":
    main()
