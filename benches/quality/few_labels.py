"""What a few known anomalies are worth: `python -m benches.quality.few_labels FOLDER [--seeds 3]`.

For each set, the AUC-PR on the test rows without labels, and with 3, 10, 30 and 100 of the training rows' anomalies
known, the other rows unlabelled; with 100 also by networks of both blocks (`loss_weight=0.5`) in the place of
classifiers. A set that has fewer anomalies among its training rows is left out of that column.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from benches.common.datasets import Split
from benches.common.detectors import anorand_score
from benches.common.models import model_of, table

from .by_set import measure_sets

COUNTS = [3, 10, 30, 100]
BOTH_BLOCKS = {"loss_weight": 0.5}


def main() -> None:
    """Measure, print a row for each set, and for each count the means over the sets that have it."""
    names = ["none", *map(str, COUNTS), "both"]
    rows = measure_sets("benches.quality.few_labels", __doc__, names, measured)
    none, known = rows[:, 0], rows[:, 1:]
    most = known[~np.isnan(known[:, -1])]
    print(f"{COUNTS[-1]} known, {len(most)} sets: classifiers {most[:, -2].mean():.3f}, both {most[:, -1].mean():.3f}")
    for at, count in enumerate(COUNTS):
        there = ~np.isnan(known[:, at])
        gains = known[there, at] - none[there]
        with_them, without = known[there, at].mean(), none[there].mean()
        print(
            f"{count} known anomalies, {there.sum()} sets: {with_them:.3f} for {without:.3f}; "
            f"worse by more than 0.01 on {(gains < -0.01).sum()}, at worst by {-gains.min():.3f}"
        )


def measured(split: Split, seed: int) -> list[float]:
    """AUC-PR on the test rows: without labels, with each number of known anomalies (NaN if too few), by both blocks."""

    def reached(labels: pl.Series | None, **options: float) -> float:
        model = model_of(table(split.train), seed=seed, labels=labels, **options)
        return float(average_precision_score(split.test_labels, anorand_score(model, split.test)))

    anomalies = np.random.default_rng(seed).permutation(np.flatnonzero(split.train_labels))

    def known(count: int) -> pl.Series:
        return pl.Series([1 if row in anomalies[:count] else None for row in range(len(split.train))], dtype=pl.Int8)

    found = [reached(known(count)) if count <= len(anomalies) else float("nan") for count in COUNTS]
    both = reached(known(COUNTS[-1]), **BOTH_BLOCKS) if COUNTS[-1] <= len(anomalies) else float("nan")
    return [reached(None), *found, both]


if __name__ == "__main__":
    main()
