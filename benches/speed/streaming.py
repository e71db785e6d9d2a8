"""Scores of a large Parquet file into another one: rows a second and the peak of memory, each in its own process."""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand
from benches.common.models import model_of
from benches.common.workloads import THREADS, frame

FEATURES, FILES, ROWS_OF_FILE, TRAIN = 10, 20, 1_000_000, 20_000
MODELS: dict[str, dict[str, Any]] = {
    "default": {},
    "novelty": {"preset": "novelty"},
    "distilled": {"distil": True},
    "paper": {"preset": "paper", "epochs": 1},
}
Z_SCORE, FOREST = "Polars' z-score", "IsolationForest, file by file"


def streaming() -> None:
    """Rows a second of each, and its peak of memory."""
    train = frame(TRAIN, FEATURES)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for at in range(FILES):
            frame(ROWS_OF_FILE, FEATURES, seed=at).write_parquet(folder / f"{at:02}.rows")
        train.write_parquet(folder / "train")
        for model, options in MODELS.items():
            model_of(train, seed=0, **options).save(folder / f"{model}.safetensors")
        forest = IsolationForest(random_state=0, n_jobs=THREADS).fit(train.to_numpy())
        (folder / FOREST).write_bytes(pickle.dumps(forest))
        for work in (*MODELS, Z_SCORE, FOREST):
            call = [sys.executable, "-m", "benches.speed.streaming", work, str(folder)]
            print(f"{work:30} {subprocess.run(call, check=True, capture_output=True, text=True).stdout}", end="")


def scores(work: str, folder: Path) -> pl.Expr:
    """The score by a model, or the largest of the columns' z-scores by the same training rows."""
    if work in MODELS:
        return anorand.score(pl.all(), folder / f"{work}.safetensors")
    train = pl.read_parquet(folder / "train")
    away = [((pl.col(of.name) - of.mean()) / of.std()).abs() for of in train]
    return pl.max_horizontal(away).alias("score")


def by_forest(folder: Path) -> None:
    """The forest's scores, file by file: it has no streams."""
    forest = pickle.loads((folder / FOREST).read_bytes())
    for path in sorted(folder.glob("*.rows")):
        rows = pl.read_parquet(path)
        rows.with_columns(score=-forest.score_samples(rows.to_numpy())).write_parquet(path.with_suffix(".scores"))


def main() -> None:
    """One of them, with its figures."""
    work, folder = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    if work == FOREST:
        by_forest(folder)
    else:
        scan = pl.scan_parquet(folder / "*.rows").with_columns(scores(work, folder))
        scan.sink_parquet(folder / "scores")
    took = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{FILES * ROWS_OF_FILE / took / 1e6:.2f} M rows/s, peak memory {peak / 2**20:.2f} GiB")


if __name__ == "__main__":
    main()
