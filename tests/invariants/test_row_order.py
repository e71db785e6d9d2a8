"""Contract: the order of the training rows does not matter: the same rows in any order give the same model."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import internals

import polars_anorand as anorand

FEATURES = ["a", "b", "zero", "few", "kind"]

OPTIONS: list[dict[str, Any]] = [
    {"min_steps": 20},
    {"preset": "novelty", "min_steps": 20},
    {"distil": True, "members": 4, "min_steps": 20},
    {"min_steps": 20, **internals(scaling="minmax")},
    {"preset": "paper", "epochs": 2},
    {"labels": "y", "min_steps": 20, "members": 2},
    {"min_steps": 20, "missing": "impute", **internals(scaling="asinh")},
    {"min_steps": 20, "members": 2, "loss_weight": [0.2, 0.8]},
]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    """400 rows, some of them alike but for the sign of a zero, some with missing values."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "a": rng.integers(0, 5, 400).astype(float),
            "b": rng.normal(size=400).round(1),
            "zero": rng.choice([0.0, -0.0], 400),
            "few": rng.choice([0.0, -0.0, 1.0], 400),
            "kind": rng.choice(["x", "y", "z"], 400, p=[0.7, 0.2, 0.1]),
            "y": rng.random(400) < 0.1,
            "g": rng.integers(0, 4, 400),
        }
    )
    return frame.with_columns(pl.when(pl.int_range(400) % 37 != 5).then("a"))


@pytest.mark.parametrize("options", OPTIONS)
def test_any_order_and_chunking_gives_the_same_model(rows: pl.DataFrame, options: dict[str, Any]) -> None:
    model = rows.select(anorand.fit(FEATURES, **options)).item()
    parts = [rows.sort("b"), rows.reverse(), rows.sample(fraction=1, shuffle=True, seed=1)]
    parts.append(pl.concat([rows[200:], rows[:90], rows[90:200]], rechunk=False))
    for other in parts:
        assert other.select(anorand.fit(FEATURES, **options)).item() == model


def test_groups_survive_a_repartition(rows: pl.DataFrame) -> None:
    def models(frame: pl.DataFrame) -> pl.DataFrame:
        return frame.select(anorand.fit(FEATURES, by="g", min_steps=20)).unnest("model").sort("g")

    assert models(rows).equals(models(rows.sample(fraction=1, shuffle=True, seed=2)))
    by_key = rows.group_by("g").agg(anorand.fit(FEATURES, min_steps=20)).sort("g")
    assert by_key.equals(models(rows))


def test_flags_are_of_rows_and_not_of_places(rows: pl.DataFrame) -> None:
    flagged = rows.with_row_index().with_columns(anorand.detect(FEATURES, contamination=0.05, min_steps=20))
    shuffled = rows.with_row_index().sample(fraction=1, shuffle=True, seed=3)
    shuffled = shuffled.with_columns(anorand.detect(FEATURES, contamination=0.05, min_steps=20)).sort("index")
    assert shuffled.equals(flagged)
