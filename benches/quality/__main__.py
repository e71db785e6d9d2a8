"""Command line: `python -m benches.quality FOLDER [--detectors A B] [--seeds 3] [--json FILE]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benches.common.datasets import add_arguments, asked_paths
from benches.common.detectors import DETECTORS
from benches.common.evaluation import Cache, Result, add_cache_argument, evaluate_cached

from .report import render, to_frame, to_json


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """What to run, on what, and where results go."""
    parser = argparse.ArgumentParser(prog="benches.quality", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--detectors", nargs="+", choices=DETECTORS, default=list(DETECTORS))
    add_cache_argument(parser)
    parser.add_argument("--json", type=Path, help="write the results here")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> list[Result]:
    """All results that the options ask for, one detector after the other."""
    cache = Cache(options.cache)
    paths = asked_paths(options)
    results = []
    for name in options.detectors:
        for path in paths:
            for seed in range(options.seeds):
                results.append(evaluate_cached(DETECTORS[name], path, seed, cache))
            print(f"{name} {path.stem}", file=sys.stderr)
    return results


def main() -> None:
    """Measure, print the tables, write the JSON."""
    options = parse_arguments()
    frame = to_frame(measure(options))
    print(render(frame))
    if options.json:
        options.json.write_text(json.dumps(to_json(frame), indent=1))


if __name__ == "__main__":
    main()
