"""Both presets beside IsolationForest and KNN on clean training rows: `python -m benches.clean.rivals FOLDER`.

All sets of the folder, not only those with anomalies enough to contaminate the training rows; see `contamination`.
"""

from __future__ import annotations

import argparse

import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

from .contamination import DETECTORS
from .sets import add_arguments, read


def main() -> None:
    """Measure, and print a row for each detector."""
    parser = argparse.ArgumentParser(prog="benches.clean.rivals", description=__doc__)
    add_arguments(parser)
    rows = []
    for data in read(parser.parse_args()):
        for name, scores in DETECTORS.items():
            found = scores(data)
            reached = roc_auc_score(data.anomalies, found), average_precision_score(data.anomalies, found)
            rows.append({"set": data.name, "detector": name, "AUC-ROC": reached[0], "AUC-PR": reached[1]})
    ranked = pl.DataFrame(rows).with_columns(rank=pl.col("AUC-PR").rank(descending=True).over("set"))
    means = ranked.group_by("detector", maintain_order=True).agg(pl.mean("AUC-ROC", "AUC-PR", "rank").round(3))
    print(f"{ranked['set'].n_unique()} sets")
    print(means)


if __name__ == "__main__":
    main()
