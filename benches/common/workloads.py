"""Rows, models and the arithmetic that they need."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

import polars_anorand as anorand

THREADS = int(os.environ.get("POLARS_MAX_THREADS", os.cpu_count() or 1))

BRIEF: anorand.FitOptions = {"epochs": 1, "min_steps": 0}
"""A fit that is over at once, for models that are only there to score with."""


def frame(rows: int, features: int, seed: int = 0) -> pl.DataFrame:
    """Correlated Float32 columns, with a few outliers."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, features)) @ rng.normal(size=(features, features))
    numbers[: rows // 100] *= 4
    return pl.DataFrame(numbers.astype(np.float32), schema=[f"f{at}" for at in range(features)])


def seconds(work: Callable[[], Any], repeats: int = 3) -> float:
    """The shortest of a few runs: others use this machine too."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def cpu_seconds(work: Callable[[], Any]) -> float:
    """The time of all of this process's threads, which hardly depends on what else runs."""
    started = time.process_time()
    work()
    return time.process_time() - started


def network_flops(features: int, hidden: tuple[int, ...] = (32, 16), latent: int = 16) -> int:
    """FLOP of a forward pass of one row: two for each weight."""

    def chain(widths: list[int]) -> int:
        return sum(2 * a * b for a, b in pairwise(widths))

    nd = chain([features, *hidden, 1])
    encoder = chain([features, *hidden, latent])
    decoder = chain([hidden[-1] + latent, *reversed(hidden), features])
    return nd + encoder + decoder
