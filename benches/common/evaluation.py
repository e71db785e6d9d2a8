"""Runs a detector on a split and keeps what was measured in a JSON file."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from sklearn.metrics import average_precision_score, roc_auc_score

from .datasets import CONTAMINATED, Protocol, Split, fingerprint
from .detectors import Detector

METRICS = {"auc_pr": "AUC-PR", "auc_roc": "AUC-ROC"}
"""The measures of a result, and what they are called in tables and pictures."""


@dataclass(frozen=True)
class Result:
    """What one detector reached on one split of one data set."""

    detector: str
    dataset: str
    seed: int
    auc_pr: float
    auc_roc: float
    fit_seconds: float
    score_seconds: float


def add_cache_argument(parser: argparse.ArgumentParser) -> None:
    """Where results of PyOD's detectors are kept."""
    stored = Path(__file__).with_name("baselines.json")
    parser.add_argument("--cache", type=Path, default=stored, help="where results of PyOD's detectors are kept")


class Cache:
    """Results by key in one JSON file, which several processes may share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def get(self, key: str) -> Result | None:
        """The stored result, or None."""
        found = self._read().get(key)
        return Result(**found) if found else None

    def put(self, key: str, result: Result) -> None:
        """Add the result to the file under a lock, and replace the file in one step."""
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            results = self._read() | {key: asdict(result)}
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(_lines(results))
            os.replace(temporary, self._path)

    def _read(self) -> dict[str, dict]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}


def _lines(results: dict[str, dict]) -> str:
    """JSON with one result a line, so that a new result is one line of a diff."""
    entries = (f"{json.dumps(key)}: {json.dumps(results[key])}" for key in sorted(results))
    return "{\n" + ",\n".join(entries) + "\n}\n"


def evaluate(detector: Detector, dataset: str, split: Split, seed: int) -> Result:
    """Fit on the training rows, score the test rows, time both."""
    start = time.perf_counter()
    model = detector.fit(split.train, seed)
    fitted = time.perf_counter()
    scores = detector.score(model, split.test)
    scored = time.perf_counter()
    return Result(
        detector=detector.name,
        dataset=dataset,
        seed=seed,
        auc_pr=float(average_precision_score(split.test_labels, scores)),
        auc_roc=float(roc_auc_score(split.test_labels, scores)),
        fit_seconds=fitted - start,
        score_seconds=scored - fitted,
    )


def evaluate_cached(
    detector: Detector, path: Path, seed: int, cache: Cache, protocol: Protocol = CONTAMINATED
) -> Result:
    """The cached result of this detector, data set and seed; measured only if there is none, or may be none."""
    if detector.version is None:
        return evaluate(detector, path.stem, protocol.split(path, seed), seed)
    parts = [f"{detector.name}@{detector.version}", f"{path.stem}@{fingerprint(path)}", str(seed), protocol.name]
    key = "/".join(part for part in parts if part)
    result = cache.get(key)
    if result is None:
        result = evaluate(detector, path.stem, protocol.split(path, seed), seed)
        cache.put(key, result)
    return result
