"""Contract: a row's score depends on the row and the model, not on the rows around it, the engine or the chunks.

To the bit on a CPU: a row is a lane of a vector, whatever the rows beside it are.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import FEATURES

import polars_anorand as anorand


@pytest.fixture(scope="module")
def large() -> pl.DataFrame:
    """More rows than a morsel, and more than one block and chunk of scoring."""
    rng = np.random.default_rng(1)
    rows = 250_000
    return pl.DataFrame(
        {"id": np.arange(rows), "a": rng.normal(size=rows), "b": 100 * rng.normal(size=rows), "c": rng.random(rows)}
    )


@pytest.fixture(scope="module")
def eager(large: pl.DataFrame, model: anorand.Model) -> pl.DataFrame:
    return large.with_columns(anorand.score(FEATURES, model))


def same(one: pl.Series, other: pl.Series) -> None:
    np.testing.assert_array_equal(one.to_numpy(), other.to_numpy())


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_engines_agree(large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame, engine: str) -> None:
    lazy = large.lazy().with_columns(anorand.score(FEATURES, model)).collect(engine=engine)
    same(lazy["score"], eager["score"])


def test_a_stream_from_parquet_agrees(
    large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame, tmp_path: Path
) -> None:
    large.write_parquet(tmp_path / "rows.parquet", row_group_size=10_001)
    model.save(tmp_path / "model.safetensors")
    scored = pl.scan_parquet(tmp_path / "rows.parquet").with_columns(
        anorand.score(FEATURES, tmp_path / "model.safetensors")
    )
    scored.sink_parquet(tmp_path / "scored.parquet")
    same(pl.read_parquet(tmp_path / "scored.parquet").sort("id")["score"], eager["score"])


def test_shuffled_rows_agree(large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame) -> None:
    shuffled = large.sample(fraction=1, shuffle=True, seed=1).with_columns(anorand.score(FEATURES, model))
    same(shuffled.sort("id")["score"], eager["score"])


@pytest.mark.parametrize(("offset", "length"), [(0, 1), (1, 1), (5, 17), (1_000, 1_025), (100_001, 20_000)])
def test_slices_agree(large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame, offset: int, length: int) -> None:
    part = large.slice(offset, length).with_columns(anorand.score(FEATURES, model))
    same(part["score"], eager["score"].slice(offset, length))


def test_one_row_at_a_time_agrees(large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame) -> None:
    for at in range(0, 250_000, 12_497):
        alone = large[at : at + 1].with_columns(anorand.score(FEATURES, model))
        same(alone["score"], eager["score"][at : at + 1])


def test_chunks_agree(large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame) -> None:
    parts = pl.concat([large[:7], large[7:100_000], large[100_000:]], rechunk=False)
    same(parts.with_columns(anorand.score(FEATURES, model))["score"], eager["score"])


def test_a_filter_before_or_after_the_score_agrees(
    large: pl.DataFrame, model: anorand.Model, eager: pl.DataFrame
) -> None:
    threshold = model.threshold(0.05)
    lazy = (
        large.lazy().with_columns(anorand.score(FEATURES, model)).filter(pl.col("score") > threshold, pl.col("a") > 0)
    )
    expected = eager.filter(pl.col("score") > threshold, pl.col("a") > 0)
    assert lazy.collect()["id"].equals(expected["id"])
