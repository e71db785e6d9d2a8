"""Whether the default preset's constants are chosen for these sets: `python -m benches.quality.leave_out FOLDER`.

Many times over, the sets are halved by chance. Of the constants below, those with the best mean AUC-PR on one half are
chosen, and measured on the other, which had no part in the choice, beside the preset as it is and PyOD's detectors.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from benches.common.datasets import add_arguments, asked_paths
from benches.common.detectors import BASELINES, Detector, anorand_detector
from benches.common.evaluation import Cache, add_cache_argument, evaluate_cached
from benches.common.models import internals

PRESET = "as it is"
# Each constant of the preset on its own, by half and by twice or so.
VARIANTS: dict[str, dict[str, Any]] = {
    PRESET: {},
    "members=20": {"members": 20},
    "max_samples=128": {"max_samples": 128},
    "max_samples=512": {"max_samples": 512},
    "max_features=0.2": internals(max_features=0.2),
    "max_features=0.6": internals(max_features=0.6),
    "noise_margin=0.25": internals(noise_margin=0.25),
    "noise_margin=1": internals(noise_margin=1.0),
    "synthetic_fraction=0.25": internals(synthetic_fraction=0.25),
    "loss_weight=0.1": {"loss_weight": 0.1},
    "loss_weight=0.5": {"loss_weight": 0.5},
    "150 steps": {"min_steps": 150, **internals(max_epochs=100)},
    "600 steps": {"min_steps": 600, **internals(max_epochs=200)},
    "max_epochs=50": internals(max_epochs=50),
    "max_epochs=300": internals(max_epochs=300),
    "scaling=asinh": internals(scaling="asinh"),
    "scaling=minmax": internals(scaling="minmax"),
    "combination=robust": internals(combination="robust"),
    "kept_rows=0": {"kept_rows": 0},
    "kept_rows=16": {"kept_rows": 16},
    "kept_rows=64": {"kept_rows": 64},
    "kept_draws=20": internals(kept_draws=20),
    "kept_neighbors=1": internals(kept_neighbors=1),
    "kept_neighbors=3": internals(kept_neighbors=3),
    "kept_weight=0.25": internals(kept_weight=0.25),
    "kept_weight=1": internals(kept_weight=1.0),
}
HALVINGS = 1_000


def main() -> None:
    """Measure the variants, halve, print."""
    parser = argparse.ArgumentParser(prog="benches.quality.leave_out", description=__doc__)
    add_arguments(parser)
    add_cache_argument(parser)
    options = parser.parse_args()
    paths = asked_paths(options)
    cache = Cache(options.cache)

    def measured(detector: Detector) -> np.ndarray:
        """Mean AUC-PR over the seeds, a number for each set."""
        print(detector.name, file=sys.stderr)
        seeds = range(options.seeds)
        return np.array(
            [np.mean([evaluate_cached(detector, path, seed, cache).auc_pr for seed in seeds]) for path in paths]
        )

    variants = {name: measured(anorand_detector(name, changes)) for name, changes in VARIANTS.items()}
    print(f"mean AUC-PR on all {len(paths)} sets, {options.seeds} seeds")
    for name, values in variants.items():
        print(f"  {name:26}{values.mean():.3f}")
    report(variants, {detector.name: measured(detector) for detector in BASELINES})


def report(variants: Mapping[str, np.ndarray], others: Mapping[str, np.ndarray]) -> None:
    """What a choice by one half reaches on the other."""
    rng = np.random.default_rng(0)
    names, sets = list(variants), len(variants[PRESET])
    chosen_names, results = [], []
    for _ in range(HALVINGS):
        order = rng.permutation(sets)
        seen, unseen = order[: sets // 2], order[sets // 2 :]
        chosen = max(names, key=lambda name, seen=seen: variants[name][seen].mean())
        chosen_names.append(chosen)
        results.append(
            [values[unseen].mean() for values in (variants[chosen], variants[PRESET], *others.values())],
        )
    reached = np.array(results)
    print(f"{HALVINGS} halvings, mean AUC-PR on the half that had no part in the choice; how often the choice is above")
    for at, name in enumerate(["chosen on the other half", f"the preset {PRESET}", *others]):
        above = f"{np.mean(reached[:, 0] > reached[:, at]):5.0%}" if at else ""
        print(f"  {name:26}{reached[:, at].mean():.3f} {above}")
    often = {name: chosen_names.count(name) / HALVINGS for name in names}
    print("chosen: " + ", ".join(f"{name} {share:.0%}" for name, share in often.items() if share >= 0.03))


if __name__ == "__main__":
    main()
