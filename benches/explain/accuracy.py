"""How near explanations are to integrals by 4,096 midpoints, in NumPy and float64."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl

import polars_anorand as anorand
from benches.common.models import internals, model_of

sys.path.append(str(Path(__file__).parents[2] / "tests"))
import reference

ROWS = 3_000
EXPLAINED = 15
"""Of each set, of the highest scored rows and of all rows."""
STEPS = 4_096


def measure(paths: list[Path]) -> None:
    """The share of rows whose largest contribution is that of the same feature, and the difference to it."""
    for preset in ("default", "paper"):
        options: anorand.FitOptions = {"preset": preset}
        if preset == "paper":
            # What the reference can explain: heads before their sigmoids.
            options.update(internals(combination="robust"))
        same, differences = [], []
        for path in paths:
            rows = pl.read_parquet(path).drop("label")
            rows = rows.sample(min(rows.height, ROWS), seed=0, shuffle=True)
            model = model_of(rows, **options)
            scores = rows.select(anorand.score(pl.all(), model)).to_series()
            chosen = np.concatenate([scores.arg_sort(descending=True).head(EXPLAINED), np.arange(EXPLAINED)])
            rows = rows[chosen.tolist()]
            found = rows.select(anorand.explain(pl.all(), model)).unnest("explanation").to_numpy()
            expected = reference.explain(model.to_bytes(), rows.to_numpy().astype(np.float64), STEPS)
            same.append((found.argmax(axis=1) == expected.argmax(axis=1)).mean())
            largest = np.abs(expected).max(axis=1).clip(1e-9)
            differences.append(np.median(np.abs(found - expected).max(axis=1) / largest))
            print(
                f"{preset:8} {path.stem:25} same largest {same[-1]:.3f}, difference {differences[-1]:.4f}", flush=True
            )
        print(
            f"{preset}: {len(paths)} sets, same largest feature in {np.mean(same):.4f} of the rows, "
            f"median difference {np.median(differences):.4f} of the largest contribution"
        )
