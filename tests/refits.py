"""Rows for tests of fits that go on from a model."""

from __future__ import annotations

import numpy as np
import polars as pl

FEATURES = ["x", "y", "word", "gaps"]


def rows(count: int, seed: int, at: float = 0.0, words: tuple[str, ...] = ("a", "a", "b")) -> pl.DataFrame:
    """Points near a line, moved by ``at``, beside a category and a column with gaps."""
    random = np.random.default_rng(seed)
    x = random.normal(size=count) + at
    return pl.DataFrame(
        {
            "x": x,
            "y": 2 * x + random.normal(scale=0.1, size=count),
            "word": random.choice(words, size=count),
            "gaps": [None if row % 10 == 0 else row % 7 for row in range(count)],
        }
    )
