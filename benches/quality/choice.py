"""Whether the choice of w is worth it: `python -m benches.quality.choice FOLDER [--seeds 3]`.

For each set, the AUC-PR of each value of `loss_weight` alone, and of the one that `fit(loss_weight=[…])` chooses
without labels.
"""

from __future__ import annotations

import numpy as np
from sklearn.metrics import average_precision_score

from benches.common.datasets import Split
from benches.common.detectors import anorand_score
from benches.common.models import model_of, table

from .by_set import measure_sets

# The preset's first: it is what one would take without a choice.
WEIGHTS = [0.2, 0.0, 0.05, 0.5, 0.8, 1.0]


def main() -> None:
    """Measure, print a row for each set, and the means."""
    names = [*(f"w={weight}" for weight in WEIGHTS), "chosen"]
    rows = measure_sets("benches.quality.choice", __doc__, names, measured)
    print(f"{'mean':26}" + "".join(f"{value:9.4f}" for value in np.mean(rows, axis=0)))


def measured(split: Split, seed: int) -> list[float]:
    """AUC-PR on the test rows: of each weight, then of the choice."""

    def reached(weight: float | list[float]) -> float:
        model = model_of(table(split.train), loss_weight=weight, seed=seed)
        return float(average_precision_score(split.test_labels, anorand_score(model, split.test)))

    return [*(reached(weight) for weight in WEIGHTS), reached(WEIGHTS)]


if __name__ == "__main__":
    main()
