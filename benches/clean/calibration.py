"""How many new normal rows lie above the 1 % line: `python -m benches.clean.calibration ODDBENCH ADBENCH`.

A model is fitted on clean rows of a set: OddBench's training rows, or half of the normal rows of a set of ADBench. Of
the other normal rows, 1 % should score above `Model.threshold(0.01)`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

import polars_anorand as anorand
from benches.common.datasets import load_novelty_split
from benches.common.models import table

from .sets import add_arguments, read

LINE = 0.01
LEAST_ROWS = 300
"""New rows of a set, so that three of them are expected above the line."""
WITHIN = (0.003, 0.03)
PRESETS: tuple[anorand.Preset, ...] = ("default", "novelty")


def pairs(options: argparse.Namespace) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Of each set its name, rows to fit on, and new normal rows."""
    for data in read(options):
        yield data.name, data.train, data.test.filter(pl.Series(~data.anomalies))
    for path in sorted(options.adbench.glob("*.parquet")):
        split = load_novelty_split(path, seed=0)
        yield path.stem, table(split.train), table(split.test[split.test_labels == 0])


def main() -> None:
    """Measure, and print quantiles of the shares, and the sets that are farthest off."""
    parser = argparse.ArgumentParser(prog="benches.clean.calibration", description=__doc__)
    add_arguments(parser)
    parser.add_argument("adbench", type=Path, help="folder of *.parquet with features and `label`")
    options = parser.parse_args()
    rows = []
    for name, train, new in pairs(options):
        if new.height >= LEAST_ROWS:
            for preset in PRESETS:
                model = anorand.train(train, train.columns, preset=preset, seed=0)
                scores = new.select(anorand.score(pl.all(), model)).to_series()
                above = float((scores > model.threshold(LINE)).mean())
                rows.append({"set": name, "preset": preset, "rows": train.height, "new": new.height, "above": above})
    frame = pl.DataFrame(rows)
    for (preset,), of_preset in frame.group_by("preset", maintain_order=True):
        shares = of_preset["above"].to_numpy()
        quantiles = ", ".join(f"{np.quantile(shares, q):.4f}" for q in (0.05, 0.25, 0.5, 0.75, 0.95))
        inside = ((shares >= WITHIN[0]) & (shares <= WITHIN[1])).mean()
        print(f"{preset}, {len(shares)} sets: quantiles {quantiles}; within {WITHIN} {inside:.0%}")
        print(of_preset.sort("above", descending=True).head(8))


if __name__ == "__main__":
    main()
