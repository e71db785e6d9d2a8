"""What each part of the score is worth: `python -m benches.clean.ablation ODDBENCH ADBENCH [--every N]`.

Networks, neighbours and cells, alone and together: on clean training rows of OddBench with `preset="novelty"`, and on
the sets of ADBench without labels with `preset="default"`, one seed. The networks alone are `kept_rows=0` and
`combination="robust"`; neighbours alone are the largest `kept_weight`; cells alone are the sum of what the formula of
docs/score.md takes of each cell.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

import polars_anorand as anorand
from benches.common.datasets import load_split
from benches.common.models import internals, table

from .sets import Array, Set, add_arguments, read

PARTS: dict[str, dict[str, Any]] = {
    "networks": {"kept_rows": 0, **internals(combination="robust")},
    "neighbours": internals(combination="robust", kept_weight=1_000.0),
    "networks and neighbours": internals(combination="robust"),
    "networks and cells": {"kept_rows": 0},
    "neighbours and cells": internals(kept_weight=1_000.0),
    "all": {},
}


def scores(data: Set, options: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    """The scores of the test rows by each part, and by parts together."""
    for name, of_part in PARTS.items():
        model = data.train.select(anorand.fit(pl.all(), **options, **of_part)).item()
        yield name, data.test.select(anorand.score(pl.all(), model)).to_series().to_numpy()
    evidence = data.test.select(anorand.cells(pl.all(), model)).unnest("cells").to_numpy()
    yield "cells", np.log1p(0.02 * np.maximum(evidence, 0)).sum(axis=1)


def without_labels(folder: Path) -> Iterator[Set]:
    """The sets of ADBench, but for the features of images."""
    for path in sorted(folder.glob("*.parquet")):
        if "MVTec" not in path.stem:
            split = load_split(path, seed=0)
            yield Set(path.stem, table(split.train), table(split.test), split.test_labels == 1)


def main() -> None:
    """Measure, and print a row for each part."""
    parser = argparse.ArgumentParser(prog="benches.clean.ablation", description=__doc__)
    add_arguments(parser)
    parser.add_argument("adbench", type=Path, help="folder of *.parquet with features and `label`")
    options = parser.parse_args()
    groups = {
        "OddBench, novelty": (read(options), "novelty"),
        "ADBench, default": (without_labels(options.adbench), "default"),
    }
    for title, (sets, preset) in groups.items():
        rows = [
            {
                "part": name,
                "pr": average_precision_score(data.anomalies, found),
                "roc": roc_auc_score(data.anomalies, found),
            }
            for data in sets
            for name, found in scores(data, {"preset": preset, "seed": 0})
        ]
        means = (
            pl.DataFrame(rows)
            .group_by("part", maintain_order=True)
            .agg(pl.len().alias("sets"), pl.mean("pr", "roc").round(3))
        )
        print(title)
        print(means)


if __name__ == "__main__":
    main()
