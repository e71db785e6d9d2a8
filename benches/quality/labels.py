"""Fits with all labels beside forests of trees: `python -m benches.quality.labels FOLDER [--seeds 3]`.

For each set, the AUC-PR on the test rows of `labels=`, of scikit-learn's RandomForestClassifier and of its
HistGradientBoostingClassifier, both with their defaults, and the CPU time of the fit in fits of the RandomForest.
A set with a single anomaly among its training rows is left out.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.metrics import average_precision_score

from benches.common.datasets import Split
from benches.common.detectors import anorand_score
from benches.common.models import model_of, table

from .by_set import measure_sets

LEAST = 2
MANY = 10
CLOSE = 0.01


def main() -> None:
    """Measure, print a row for each set, and the means over the sets."""
    names = ["anorand", "forest", "boosting", "fit ×", "known"]
    rows = measure_sets("benches.quality.labels", __doc__, names, measured)
    rows = rows[~np.isnan(rows).any(axis=1)]
    many = rows[rows[:, 4] >= MANY]
    for sets, title in [(rows, f"mean of {len(rows)} sets"), (many, f"{len(many)} with {MANY} known or more")]:
        print(f"{title:26}" + "".join(f"{mean:9.3f}" for mean in sets.mean(axis=0)))
    behind = rows[:, 1:3].max(axis=1) - rows[:, 0]
    print(
        f"no more than {CLOSE} behind the better of both on {(behind <= CLOSE).sum()}; at worst by {behind.max():.3f}; "
        f"a fit takes {np.median(rows[:, 3]):.1f} of the forest's in the median"
    )


def measured(split: Split, seed: int) -> list[float]:
    """AUC-PR of each, the fit's CPU time over the RandomForest's, the anomalies known; NaN where these are too few."""
    if split.train_labels.sum() < LEAST:
        return [float("nan")] * 5
    labels = pl.Series(split.train_labels)
    start = time.process_time()
    model = model_of(table(split.train), seed=seed, labels=labels)
    ours = time.process_time() - start
    reached, times = [average_precision_score(split.test_labels, anorand_score(model, split.test))], []
    classifiers: list[Any] = [
        RandomForestClassifier(random_state=seed, n_jobs=1),
        HistGradientBoostingClassifier(random_state=seed),
    ]
    for classifier in classifiers:
        start = time.process_time()
        classifier.fit(split.train, split.train_labels)
        times.append(time.process_time() - start)
        reached.append(average_precision_score(split.test_labels, classifier.predict_proba(split.test)[:, 1]))
    return [*map(float, reached), ours / times[0], float(split.train_labels.sum())]


if __name__ == "__main__":
    main()
