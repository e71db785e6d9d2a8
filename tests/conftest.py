"""Data and models that several tests share."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import settings

import polars_anorand as anorand

# The same draws in each run, so that a change is judged by itself. HYPOTHESIS_PROFILE=random looks for new failures.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

FAST: anorand.FitOptions = {"epochs": 2, "min_steps": 0}
"""Options of a fit that is over at once, for tests that are not about learning."""

FEATURES = ["a", "b", "c"]


def internals(**constants: Any) -> dict[str, Any]:
    """The argument of a fit that changes constants of the presets, which are not public options."""
    return {"_internals": constants}


@pytest.fixture(scope="session")
def frame() -> pl.DataFrame:
    """500 rows of three features of different sizes, without a missing value."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=500)
    return pl.DataFrame({"a": a, "b": 100 * a + rng.normal(size=500), "c": rng.integers(0, 1000, 500)})


@pytest.fixture(scope="session")
def model(frame: pl.DataFrame) -> anorand.Model:
    """A model of the frame's three features."""
    return anorand.Model(frame.select(anorand.fit(FEATURES, **FAST)).item())


@pytest.fixture(scope="session")
def scores(frame: pl.DataFrame, model: anorand.Model) -> pl.Series:
    """The frame's scores by the model."""
    return frame.select(anorand.score(FEATURES, model)).to_series()
