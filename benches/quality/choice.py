"""Whether the choice of w is worth it: `python -m benches.quality.choice FOLDER [--seeds 3]`.

For each set, the AUC-PR of each value of `loss_weight` alone, and of the one that `fit(loss_weight=[…])` chooses
without labels.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.metrics import average_precision_score

from benches.common.datasets import Split, add_arguments, asked_paths, load_split
from benches.common.detectors import anorand_score
from benches.common.models import model_of, table

# The preset's first: it is what one would take without a choice.
WEIGHTS = [0.2, 0.0, 0.05, 0.5, 0.8, 1.0]


def main() -> None:
    """Measure, print a row for each set, and the means."""
    parser = argparse.ArgumentParser(prog="benches.quality.choice", description=__doc__)
    add_arguments(parser)
    options = parser.parse_args()
    names = [*(f"w={weight}" for weight in WEIGHTS), "chosen"]
    print(f"{'AUC-PR':26}" + "".join(f"{name:>9}" for name in names))
    rows = []
    for path in asked_paths(options):
        splits = [load_split(path, seed) for seed in range(options.seeds)]
        rows.append(np.mean([measured(split, seed) for seed, split in enumerate(splits)], axis=0))
        print(f"{path.stem:26}" + "".join(f"{value:9.3f}" for value in rows[-1]), flush=True)
    print(f"{'mean':26}" + "".join(f"{value:9.4f}" for value in np.mean(rows, axis=0)))


def measured(split: Split, seed: int) -> list[float]:
    """AUC-PR on the test rows: of each weight, then of the choice."""

    def reached(weight: float | list[float]) -> float:
        model = model_of(table(split.train), loss_weight=weight, seed=seed)
        return float(average_precision_score(split.test_labels, anorand_score(model, split.test)))

    return [*(reached(weight) for weight in WEIGHTS), reached(WEIGHTS)]


if __name__ == "__main__":
    main()
