"""Whether two seeds flag the same rows: `python -m benches.quality.seeds FOLDER [--raw FOLDER]`.

Each set, or raw table, is fitted and scored with several seeds, at most 10,000 of its rows. The highest 1 % of the rows
of two seeds are compared by their Jaccard index: the share of the rows flagged by both among those flagged by either.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import polars_anorand as anorand
from benches.common.datasets import LABEL, MAX_ROWS, add_arguments, asked_paths
from benches.common.models import internals

VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "distil": {"distil": True},
    "distil, members=80": {"distil": True, "members": 80},
    "distil, members=160": {"distil": True, "members": 160},
    "distil, members=80, kept_draws=40": {"distil": True, "members": 80, **internals(kept_draws=40)},
}
SHARE = 0.01


def jaccard(both: list[np.ndarray], share: float = SHARE) -> float:
    """Of the highest share of the rows by two scores, at least one row."""
    count = max(1, round(share * len(both[0])))
    one, other = (set(np.argsort(-scores, kind="stable")[:count].tolist()) for scores in both)
    return len(one & other) / len(one | other)


def agreement(rows: pl.DataFrame, seeds: int, options: dict[str, Any]) -> float:
    """The mean over all pairs of seeds."""
    scores = [
        rows.select(anorand.score(pl.all(), seed=seed, **options)).to_series().to_numpy() for seed in range(seeds)
    ]
    return float(np.mean([jaccard([one, other]) for one, other in combinations(scores, 2)]))


def tables(options: argparse.Namespace) -> dict[str, pl.DataFrame]:
    """The rows of each set without their labels, and the features of each raw table."""
    found = {path.stem: pl.read_parquet(path).drop(LABEL) for path in asked_paths(options)}
    for path in sorted(options.raw.glob("*.parquet")) if options.raw else []:
        frame = pl.read_parquet(path)
        found[f"{path.stem} (raw)"] = frame.select(anorand.features(frame))
    return {name: rows.sample(min(MAX_ROWS, rows.height), seed=0) for name, rows in found.items()}


def main() -> None:
    """Measure, print a row for each table, then the means and the times."""
    parser = argparse.ArgumentParser(prog="benches.quality.seeds", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--raw", type=Path, help="folder of raw tables, *.parquet")
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), help="only these: " + "; ".join(VARIANTS))
    options = parser.parse_args()
    print(f"Jaccard index at {SHARE:.0%}, {options.seeds} seeds: " + "; ".join(options.variants))
    rows, taken = [], dict.fromkeys(options.variants, 0.0)
    for name, frame in tables(options).items():
        rows.append([])
        for variant in options.variants:
            started = time.perf_counter()
            rows[-1].append(agreement(frame, options.seeds, VARIANTS[variant]))
            taken[variant] += time.perf_counter() - started
        print(f"{name:26}{frame.height:7}" + "".join(f"{value:8.3f}" for value in rows[-1]), flush=True)
    print(f"{'mean':33}" + "".join(f"{value:8.3f}" for value in np.mean(rows, axis=0)))
    first = taken[options.variants[0]]
    print(f"{'fit and score, × the first':33}" + "".join(f"{of_variant / first:8.1f}" for of_variant in taken.values()))


if __name__ == "__main__":
    main()
