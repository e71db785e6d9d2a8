"""Command line: `python -m benches.quality FOLDER [--novelty] [--detectors A B] [--seeds 3] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import polars as pl

from benches.common.datasets import CONTAMINATED, NOVELTY, add_arguments, asked_paths
from benches.common.detectors import DETECTORS, NOVELTY_DETECTORS
from benches.common.evaluation import Cache, Result, add_cache_argument, evaluate_cached

from .report import render, render_published, to_frame, to_json


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """What to run, on what, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.quality", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--novelty", action="store_true", help="train on half of the normal rows, and on nothing else")
    parser.add_argument("--detectors", nargs="+", help="all of the protocol by default")
    parser.add_argument("--published", type=Path, help="CSV of published AUC-ROC by `dataset`, to print beside")
    add_cache_argument(parser)
    parser.add_argument("--json", type=Path, help="write the results here")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> list[Result]:
    """All results that the options ask for, one detector after the other."""
    cache = Cache(options.cache)
    paths = asked_paths(options)
    detectors, protocol = (NOVELTY_DETECTORS, NOVELTY) if options.novelty else (DETECTORS, CONTAMINATED)
    results = []
    for name in options.detectors or detectors:
        for path in paths:
            for seed in range(options.seeds):
                results.append(evaluate_cached(detectors[name], path, seed, cache, protocol))
            print(f"{name} {path.stem}", file=sys.stderr)
    return results


def main() -> None:
    """Measure, print the tables, write the JSON."""
    options = parse_arguments()
    frame = to_frame(measure(options))
    print(render(frame))
    if options.published:
        print(render_published(frame, pl.read_csv(options.published)))
    if options.json:
        options.json.write_text(json.dumps(to_json(frame), indent=1))


if __name__ == "__main__":
    main()
