"""Contract: a fit on a scan by groups gives each group the model of a scan of its rows alone, and that of `fit(by=)`
while they fit into the sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand
from polars_anorand.scan._groups import Groups

FEATURES = ["x", "y", "word"]
ROWS = 9_000


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Groups of 6,000, 2,991 and 9 rows, mixed, of which one has a null key."""
    random = np.random.default_rng(4)
    kind = np.where(np.arange(ROWS) % 1_000 == 3, "tiny", np.where(np.arange(ROWS) % 3 == 0, "small", "large"))
    return pl.DataFrame(
        {
            "kind": kind,
            "x": random.normal(size=ROWS),
            "y": random.integers(0, 9, size=ROWS),
            "word": random.choice(["a", "b"], size=ROWS),
        }
    ).with_columns(kind=pl.when(pl.col("kind") != "small").then("kind"), day=pl.date(2024, 1, 1))


def fitted(table: pl.DataFrame, **options: Any) -> pl.DataFrame:
    """As by a fit of all rows."""
    return table.select(anorand.fit(FEATURES, **FAST, **options)).unnest("model")


@pytest.mark.parametrize("by", ["kind", ["kind", "day"], pl.col("day").dt.year().alias("x")])
def test_groups_that_fit_into_the_sample_have_the_bytes_of_fit(table: pl.DataFrame, by: Any) -> None:
    expected = fitted(table, by=by, min_group_rows=2)
    assert anorand.train(table.lazy(), FEATURES, by=by, min_group_rows=2, **FAST).equals(expected)
    assert anorand.train(table, FEATURES, by=by, min_group_rows=2, sample=6_000, **FAST).schema == expected.schema


def test_a_group_beyond_the_sample_has_the_model_of_a_scan_of_its_rows(table: pl.DataFrame) -> None:
    models = anorand.train(table, FEATURES, by="kind", min_group_rows=2, sample=500, seed=3, **FAST)
    assert models["kind"].to_list() == [None, "large", "tiny"]
    for kind, model in models.iter_rows():
        rows = table.filter(pl.col("kind").eq_missing(pl.lit(kind, dtype=pl.String)))
        assert model == anorand.train(rows, FEATURES, sample=500, seed=3, **FAST).to_bytes()
    trained = [anorand.Model(model).training for model in models["model"]]
    assert [(found["rows"], found["sampled"]) for found in trained[:2]] == [(2_997, 500), (5_994, 500)]
    uncalibrated = anorand.train(table, FEATURES, by="kind", sample=500, calibrate="sample", min_group_rows=2, **FAST)
    assert [anorand.Model(model).training.get("scored") for model in uncalibrated["model"]] == [500, 500, None]


def test_batches_and_parts_do_not_matter(table: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = anorand.train(table, FEATURES, by=["kind", "word"], sample=500, min_group_rows=2, **FAST)
    for at, rows in enumerate(table.iter_slices(1_301)):
        rows.write_parquet(tmp_path / f"{at}.parquet", row_group_size=400)
    monkeypatch.setattr(Groups, "SAMPLED_ROWS", 600)
    monkeypatch.setattr(Groups, "SCORED_ROWS", 100)
    scan = pl.scan_parquet(tmp_path / "*.parquet")
    again = anorand.train(scan, FEATURES, by=["kind", "word"], sample=500, min_group_rows=2, **FAST)
    assert again.equals(models)
    assert models.height == 6


def test_labels_go_with_their_rows(table: pl.DataFrame) -> None:
    labelled = table.with_columns(label=pl.int_range(ROWS) % 50 == 0)
    options: dict[str, Any] = {"by": "day", "labels": "label", "members": 1, "min_steps": 20}
    models = anorand.train(labelled, FEATURES, sample=ROWS, **options)
    assert models.equals(labelled.select(anorand.fit(FEATURES, **options)).unnest("model"))
    sampled = anorand.train(labelled, FEATURES, sample=4_000, **options)
    assert sum((anorand.Model(sampled["model"].item()).labels or {}).values()) == 4_000


def test_a_group_too_small_gets_a_null_and_a_warning_or_an_error(table: pl.DataFrame) -> None:
    with pytest.warns(UserWarning, match=r'1 of 3 groups are too small .* "tiny" .* needs at least 20 rows .* got 9'):
        models = anorand.train(table, FEATURES, by="kind", sample=10, **FAST)
    # Too small is a group with few rows, not one with few in the sample.
    assert models["model"].is_null().to_list() == [False, False, True]
    with pytest.raises(pl.exceptions.ComputeError, match=r'at least 20 rows .*\(in the group "tiny"\)'):
        anorand.train(table, FEATURES, by="kind", small_groups="error", **FAST)


def test_a_group_without_a_usable_row_is_too_small(table: pl.DataFrame) -> None:
    gapped = table.with_columns(x=pl.when(pl.col("kind") != "tiny").then("x"))
    with pytest.warns(UserWarning, match=r"2 of 3 groups are too small .* null, \"tiny\" .* got 0 without a null"):
        models = anorand.train(gapped, FEATURES, by="kind", missing="null", **FAST)
    with pytest.warns(UserWarning, match="2 of 3 groups"):
        assert models.equals(fitted(gapped, by="kind", missing="null"))


def test_ten_thousand_groups_have_ten_thousand_models() -> None:
    rows = pl.DataFrame({"key": [row % 10_000 for row in range(40_000)]}).with_columns(
        x=(pl.col("key") * 7_919 % 101).cast(pl.Float64), y=pl.int_range(40_000) * 31 % 17
    )
    options: dict[str, Any] = {"members": 1, "min_steps": 1, "epochs": 1, "hidden": [2], "latent": 1}
    models = anorand.train(rows.lazy(), ["x", "y"], by="key", min_group_rows=2, sample=3, calibrate="sample", **options)
    assert models["key"].to_list() == list(range(10_000))
    trained = anorand.Model(models["model"][1_234]).training
    assert (trained["rows"], trained["sampled"]) == (4, 3)


def test_no_row_gives_no_group(table: pl.DataFrame) -> None:
    models = anorand.train(table.clear().lazy(), FEATURES, by="kind")
    assert models.schema == {"kind": pl.String, "model": pl.Binary}
    assert models.height == 0


def test_what_makes_no_sense_is_refused(table: pl.DataFrame) -> None:
    with pytest.raises(TypeError, match="takes a path for one model, not with by"):
        anorand.train(table, FEATURES, by="kind", path="model")  # type: ignore[call-overload]
    with pytest.raises(pl.exceptions.ComputeError, match='a key of by= is named "model"'):
        anorand.train(table, FEATURES, by=pl.col("kind").alias("model"))
    with pytest.raises(pl.exceptions.ComputeError, match="small_groups must be"):
        anorand.train(table, FEATURES, by="kind", small_groups="none")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"with labels, .*sample="):
        anorand.train(table, FEATURES, by="kind", labels="x")


@pytest.mark.parametrize("key", ["anorand group", "anorand key 0", "anorand input", "anorand model", "anorand rows"])
def test_a_key_may_have_any_name(table: pl.DataFrame, key: str) -> None:
    renamed = table.rename({"kind": key, "x": "anorand score"})
    features = ["anorand score", "y", "word"]
    options: dict[str, Any] = {"sample": 500, "min_group_rows": 2, **FAST}
    models = anorand.train(renamed, features, by=key, **options)
    assert models.columns == [key, "model"]
    assert models["model"].null_count() == 0


def test_a_group_without_a_value_in_its_sample_has_a_model() -> None:
    rng = np.random.default_rng(0)
    rare = [None if row % 2 == 0 and row not in (8, 9_000, 15_000) else 0.5 for row in range(20_000)]
    table = pl.DataFrame({"g": [row % 2 for row in range(20_000)], "rare": rare, "x": rng.normal(size=20_000)})
    models = anorand.train(table, ["rare", "x"], by="g", sample=500, missing="impute", **FAST)
    assert models["model"].null_count() == 0


def test_groups_that_change_between_the_passes_are_refused(table: pl.DataFrame) -> None:
    reads = []

    def read(rows: pl.DataFrame) -> pl.DataFrame:
        reads.append(rows.height)
        return rows.head(rows.height - len(reads))

    with pytest.raises(ValueError, match="must not change in a fit"):
        anorand.train(table.lazy().map_batches(read), FEATURES, by="day", sample=500, **FAST)


def test_with_a_fallback_a_small_group_has_the_model_of_all_rows() -> None:
    rows = pl.DataFrame(
        {
            "shop": ["a"] * 200 + ["b"] * 200 + ["c"] * 5,
            "x": [float(i % 7) for i in range(405)],
            "y": [i % 5 for i in range(405)],
        }
    )
    found = anorand.train(rows, ["x", "y"], by="shop", fallback=True, seed=1, **FAST)  # without a warning
    assert found.schema == {"shop": pl.String, "model": pl.Binary, "fallback": pl.Boolean}
    assert found["fallback"].to_list() == [False, False, True]
    assert found["model"][2] == anorand.train(rows, ["x", "y"], seed=1, **FAST).to_bytes()
    with pytest.warns(UserWarning, match="too small"):
        own = anorand.train(rows, ["x", "y"], by="shop", seed=1, **FAST)
    assert found["model"].head(2).equals(own["model"].head(2))
    # A group that has become large enough starts anew, as if it had had no model.
    more = pl.concat([rows, rows.tail(5).sample(50, with_replacement=True, seed=0)])
    later = [anorand.train(more, ["x", "y"], by="shop", init=init, **FAST) for init in (found, own)]
    assert later[0].equals(later[1])
    assert later[0]["model"].null_count() == 0


def test_a_fallback_that_no_group_needs_changes_nothing_else() -> None:
    rows = pl.DataFrame({"shop": ["a", "b"] * 100, "x": [float(i % 7) for i in range(200)]})
    found = anorand.train(rows, ["x"], by="shop", fallback=True, **FAST)
    assert found.drop("fallback").equals(anorand.train(rows, ["x"], by="shop", **FAST))
    assert not found["fallback"].any()


def test_a_fallback_is_refused_where_it_means_nothing() -> None:
    rows = pl.DataFrame({"fallback": ["a", "b"] * 100, "x": [float(i % 7) for i in range(200)]})
    for arguments in [{}, {"by": "fallback", "small_groups": "error"}]:
        with pytest.raises(TypeError, match="fallback=True goes with by, and with small_groups='null'"):
            anorand.train(rows, ["x"], fallback=True, **arguments, **FAST)
    with pytest.raises(ValueError, match="'fallback', which is a key of by: give the key another name"):
        anorand.train(rows, ["x"], by="fallback", fallback=True, **FAST)
