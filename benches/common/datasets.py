"""Labelled data sets and the evaluation protocol: draw, split, score."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from sklearn.model_selection import train_test_split

MAX_ROWS = 10_000
TEST_SHARE = 0.3
LABEL = "label"


@dataclass(frozen=True)
class Split:
    """One seeded split of one data set. The training rows' labels are for supervised methods alone."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


def add_arguments(
    parser: argparse.ArgumentParser, sets: list[str] | None = None, *, folder_is_optional: bool = False
) -> None:
    """The folder, which of its sets, and the seeds."""
    count = "?" if folder_is_optional else None
    parser.add_argument("folder", type=Path, nargs=count, help="folder of *.parquet with features and a 0/1 `label`")
    parser.add_argument("--sets", nargs="+", default=sets, help="only sets whose name contains one of these")
    parser.add_argument("--skip", nargs="*", default=[], help="leave out sets whose name contains one of these")
    parser.add_argument("--seeds", type=int, default=3)


def asked_paths(options: argparse.Namespace) -> list[Path]:
    """The files that the command line asks for."""
    paths = sorted(options.folder.glob("*.parquet"), key=lambda path: path.stem.lower())
    if not paths:
        raise FileNotFoundError(f"no *.parquet in {options.folder}")

    def among(path: Path, parts: list[str]) -> bool:
        return any(part.lower() in path.stem.lower() for part in parts)

    asked = [path for path in paths if options.sets is None or among(path, options.sets)]
    return [path for path in asked if not among(path, options.skip)]


def load_split(path: Path, seed: int) -> Split:
    """Draw at most `MAX_ROWS` rows and split them 70/30, stratified by label."""
    features, labels = _draw(path, seed)
    train, test, train_labels, test_labels = train_test_split(
        features, labels, test_size=TEST_SHARE, stratify=labels, random_state=seed
    )
    return Split(train, train_labels, test, test_labels)


def load_novelty_split(path: Path, seed: int) -> Split:
    """Draw at most `MAX_ROWS` rows; half of the normal ones train, the rest and all anomalies test."""
    features, labels = _draw(path, seed)
    normal = np.flatnonzero(labels == 0)
    train = np.random.default_rng([seed, 1]).permutation(normal)[: len(normal) // 2]
    test = np.setdiff1d(np.arange(len(labels)), train)
    return Split(features[train], labels[train], features[test], labels[test])


def _draw(path: Path, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features `[n, d]` and labels `[n]` of at most `MAX_ROWS` rows."""
    frame = pl.read_parquet(path)
    features = frame.drop(LABEL).to_numpy().astype(np.float64)
    labels = frame[LABEL].to_numpy().astype(np.int64)
    if len(labels) > MAX_ROWS:
        drawn = np.random.default_rng(seed).choice(len(labels), MAX_ROWS, replace=False)
        features, labels = features[drawn], labels[drawn]
    return features, labels


@dataclass(frozen=True)
class Protocol:
    """How a set is split for a seed. The name is part of the cache's keys."""

    name: str
    split: Callable[[Path, int], Split]


CONTAMINATED = Protocol("", load_split)
NOVELTY = Protocol("novelty", load_novelty_split)


def fingerprint(path: Path) -> str:
    """A short digest of the file, so that a cached result is never used for other data."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
