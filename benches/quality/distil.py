"""How near a distilled network comes to its ensemble: `python -m benches.quality.distil FOLDER`.

For each set, the AUC-PR of both on the rows that were held out, the rank correlation of their scores there, and the
share of the rows that both flag among those that one of them does, of the highest 1 % of the training rows and 5 % of
the others. The protocol is that of `benches.quality`.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

import polars_anorand as anorand
from benches.common.datasets import Split
from benches.common.models import model_of, table

from .by_set import measure_sets
from .seeds import jaccard

NAMES = ["ensemble", "distilled", "ranks", "ranks, training", "top 5 %", "top 1 %, training"]


def measured(split: Split, seed: int) -> list[float]:
    """What is in the columns of the table."""
    train, test = table(split.train), table(split.test)
    ensemble, distilled = (model_of(train, seed=seed, distil=distil) for distil in (False, True))

    def scores(rows: pl.DataFrame) -> list[np.ndarray]:
        return [rows.select(anorand.score(pl.all(), model)).to_series().to_numpy() for model in (ensemble, distilled)]

    unseen, seen = scores(test), scores(train)
    precisions = [float(average_precision_score(split.test_labels, of_model)) for of_model in unseen]
    return [*precisions, rank_correlation(unseen), rank_correlation(seen), jaccard(unseen, 0.05), jaccard(seen, 0.01)]


def rank_correlation(both: list[np.ndarray]) -> float:
    """Spearman's."""
    one, other = (pl.Series(scores) for scores in both)
    return float(pl.select(pl.corr(one, other, method="spearman")).item())


def main() -> None:
    """Measure, print a row for each set, then the means."""
    rows = measure_sets("benches.quality.distil", __doc__, NAMES, measured, title="", width=19)
    print(f"{'mean':26}" + "".join(f"{value:19.3f}" for value in rows.mean(axis=0)))


if __name__ == "__main__":
    main()
