"""From which contamination on is which preset better: `python -m benches.clean.contamination FOLDER [--every N]`.

Anomalies of the test rows are put among the training rows, as 1, 5 and 10 % of them, and are not scored. Beside both
presets, scikit-learn's IsolationForest, and the distance from the fifth neighbour (KNN) on features min-max scaled by
the training rows. Only sets with anomalies enough for 10 % take part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

import polars_anorand as anorand

from .sets import Array, Set, add_arguments, contaminated, read

SHARES = (0.0, 0.01, 0.05, 0.1)
NEIGHBOURS = 5


def by_preset(preset: anorand.Preset) -> Callable[[Set], Array]:
    """The scores of the test rows by a preset."""

    def scores(data: Set) -> Array:
        model = data.train.select(anorand.fit(pl.all(), preset=preset, seed=0)).item()
        return data.test.select(anorand.score(pl.all(), model)).to_series().to_numpy()

    return scores


def by_forest(data: Set) -> Array:
    """The scores of IsolationForest with its defaults."""
    forest = IsolationForest(random_state=0).fit(data.train.to_numpy())
    return -forest.score_samples(data.test.to_numpy())


def by_neighbours(data: Set) -> Array:
    """The distance from the fifth neighbour."""
    train, test = data.train.to_numpy(), data.test.to_numpy()
    low, high = train.min(axis=0), train.max(axis=0)
    width = np.where(high > low, high - low, 1)
    neighbours = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(train))).fit((train - low) / width)
    return neighbours.kneighbors((test - low) / width)[0].max(axis=1)


DETECTORS: dict[str, Callable[[Set], Array]] = {
    "novelty": by_preset("novelty"),
    "default": by_preset("default"),
    "IForest": by_forest,
    "KNN": by_neighbours,
}


def quality(data: Set) -> list[dict[str, object]]:
    """A row for each detector."""

    def of(name: str) -> dict[str, object]:
        found = DETECTORS[name](data)
        measures = {"AUC-ROC": roc_auc_score, "AUC-PR": average_precision_score}
        reached = {measure: float(measure_of(data.anomalies, found)) for measure, measure_of in measures.items()}
        return {"set": data.name, "detector": name, **reached}

    return [of(name) for name in DETECTORS]


def measured(clean: Set) -> list[dict[str, object]]:
    """A row for each share and detector; none for a set with too few anomalies."""
    sets = [contaminated(clean, share) for share in SHARES]
    rows: list[dict[str, object]] = []
    for share, data in zip(SHARES, sets, strict=True):
        if data is None or None in sets:
            return []
        rows += [{**row, "share": share} for row in quality(data)]
    return rows


def main() -> None:
    """Measure, and print a row for each share."""
    parser = argparse.ArgumentParser(prog="benches.clean.contamination", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results here")
    options = parser.parse_args()
    results = pl.DataFrame([row for data in read(options) for row in measured(data)])
    for measure in ("AUC-PR", "AUC-ROC"):
        means = results.group_by("share", "detector", maintain_order=True).agg(pl.col(measure).mean().round(3))
        print(f"{measure}, mean of {results['set'].n_unique()} sets")
        print(means.pivot("detector", index="share", values=measure))
    if options.json:
        options.json.write_text(json.dumps(results.to_dicts(), indent=1))


if __name__ == "__main__":
    main()
