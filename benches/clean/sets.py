"""The sets, and the training rows with some of the anomalies among them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

Array = np.ndarray


@dataclass(frozen=True)
class Set:
    """Rows to fit on, rows to score, and which of these are anomalies."""

    name: str
    train: pl.DataFrame
    test: pl.DataFrame
    anomalies: Array


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The folder, and how many of its sets."""
    parser.add_argument("folder", type=Path, help="folder of *.parquet with f0, f1, …, `part` and `label`")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each N-th set")


def read(options: argparse.Namespace) -> Iterator[Set]:
    """The sets that the command line asks for."""
    paths = sorted(options.folder.glob("*.parquet"))[:: options.every]
    if not paths:
        raise FileNotFoundError(f"no *.parquet in {options.folder}")
    for path in paths:
        rows = pl.read_parquet(path)
        train, test = (rows.filter(part=part) for part in ("train", "test"))
        features = [name for name in rows.columns if name not in ("part", "label")]
        yield Set(path.stem, train.select(features), test.select(features), test["label"].to_numpy() == 1)


def contaminated(clean: Set, share: float) -> Set | None:
    """The same with anomalies of the test rows as that share of the training rows; None if that were most of them."""
    count = round(share * clean.train.height / (1 - share))
    anomalies = np.flatnonzero(clean.anomalies)
    if 2 * count > len(anomalies):
        return None
    moved = np.random.default_rng(0).permutation(anomalies)[:count]
    stays = np.setdiff1d(np.arange(clean.test.height), moved)
    train = pl.concat([clean.train, clean.test[moved]])
    return Set(clean.name, train, clean.test[stays], clean.anomalies[stays])
