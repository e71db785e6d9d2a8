"""Contract: where one feature makes outliers of most rows of a query, `detect` says so, once."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand

ROWS = 400
"""The rows of a load."""


def load(at: int) -> pl.DataFrame:
    """A day's rows: of each of them only the amount and the quantity are worth fitting on."""
    random = np.random.default_rng(at)
    return pl.DataFrame(
        {
            "amount": random.gamma(3, 30, ROWS).round(2),
            "order": np.arange(at * ROWS, (at + 1) * ROWS, dtype=float),
            "batch": [f"load_{at:04}"] * ROWS,
            "region": ["north" if at < 5 else "south"] * ROWS,
            "quantity": random.integers(1, 9, ROWS),
        }
    )


def model(*features: str) -> anorand.Model:
    """A model of the first five loads."""
    rows = pl.concat(load(at) for at in range(5)).select(features)
    with warnings.catch_warnings():
        # Of loads that look like ids, and of counters.
        warnings.simplefilter("ignore")
        return anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())


def said(rows: pl.DataFrame | pl.LazyFrame, of: anorand.Model, **options: object) -> list[str]:
    """The warnings of a detection."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows.lazy().select(anorand.detect(of.features, of, **options)).collect()
    return [str(one.message) for one in caught]


@pytest.mark.parametrize(
    ("feature", "example"),
    [
        ("order", "order is 2399; most are"),
        ("batch", "batch is load_0005, as in no training row"),
        ("region", "region is south, as in no training row"),
    ],
    ids=["a counter that became a float", "a key of the files", "a column that had one value"],
)
def test_the_column_that_makes_outliers_of_the_next_load_is_named(feature: str, example: str) -> None:
    of = model("amount", feature, "quantity")
    assert said(load(4), of) == []
    (message,) = said(load(5), of)
    assert message.startswith(f"anorand: 100 % of {ROWS} rows are outliers, where 1 % were expected, and ")
    assert f'"{feature}" is a reason of most of them ({example}' in message
    assert "leave it out of the features" in message
    assert "fit a model on newer rows" in message


def test_of_two_such_columns_the_first_is_named() -> None:
    (message,) = said(load(5), model("amount", "region", "batch", "quantity"))
    assert '"region" is a reason of most of them' in message


def test_a_query_in_many_batches_is_warned_once_and_the_next_query_again(tmp_path: Path) -> None:
    of = model("amount", "batch")
    pl.concat(load(at) for at in range(5, 25)).write_parquet(tmp_path / "rows.parquet", row_group_size=200)
    verb = anorand.detect(of.features, of)
    with pl.Config() as config, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        config.set_streaming_chunk_size(100)
        for queries in (1, 2, 3):
            found = pl.scan_parquet(tmp_path / "rows.parquet").select(verb).collect(engine="streaming")
            assert found.unnest("anomaly")["outlier"].all()
            assert len(caught) == queries


def test_a_model_from_a_file_and_whole_frames_are_warned_too(tmp_path: Path) -> None:
    of = model("amount", "batch")
    of.save(tmp_path / "model.safetensors")
    rows = load(5)
    with pytest.warns(UserWarning, match='"batch" is a reason of most of them'):
        rows.select(anorand.detect(["amount", "batch"], tmp_path / "model.safetensors"))
    with pytest.warns(UserWarning, match='"batch" is a reason of most of them'):
        of.detect(rows)
    with pytest.warns(UserWarning, match='"batch" is a reason of most of them'):
        _, outliers = anorand.split(rows, of)
    assert outliers.height == ROWS


def test_a_model_without_cells_gives_no_example() -> None:
    rows = pl.concat(load(at) for at in range(5)).select("amount", "order")
    of = anorand.Model(rows.select(anorand.fit(pl.all(), preset="paper", epochs=5)).item())
    (message,) = said(load(500), of)
    assert '"order" is a reason of most of them: if' in message


def test_few_rows_are_no_reason_for_a_warning() -> None:
    of = model("amount", "batch")
    assert said(load(5).head(49), of) == []
    assert len(said(load(5).head(50), of)) == 1
    nulls = pl.concat([load(5).head(49), load(5).clear(ROWS)])
    assert len(said(nulls, of)) == 0


def test_outliers_for_several_reasons_are_no_reason_for_a_warning() -> None:
    random = np.random.default_rng(0)
    rows = pl.DataFrame(random.normal(size=(2_000, 6)))
    of = anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())
    far = random.normal(size=(600, 6))
    # Each row is far out in a column of its own.
    far[np.arange(600), np.arange(600) % 6] = 1e4
    assert said(pl.DataFrame(far), of) == []
    assert said(pl.DataFrame(far[: 6 * 60 : 6]), of) != []


def test_half_of_the_rows_are_no_reason_for_a_warning() -> None:
    of = model("amount", "batch")
    half = pl.concat([load(4), load(5)])
    assert said(half, of) == []
    assert len(said(pl.concat([half, load(5).head(9)]), of)) == 1


def test_who_asks_for_many_outliers_is_not_warned() -> None:
    of = model("amount", "batch")
    assert said(load(5), of, contamination=0.4) == []
    assert said(load(5), of, threshold=0.0) == []
    assert len(said(load(5), of, threshold=of.threshold(0.05))) == 1


def test_the_query_goes_on_where_warnings_are_errors(tmp_path: Path) -> None:
    model("amount", "batch").save(tmp_path / "model.safetensors")
    load(5).write_parquet(tmp_path / "rows.parquet")
    program = """
import polars as pl, polars_anorand as anorand
rows = pl.read_parquet("rows.parquet")
print(anorand.Model.load("model.safetensors").detect(rows)["outlier"].sum())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"{ROWS}\n"), done.stderr
    assert '"batch" is a reason of most of them' in done.stderr
