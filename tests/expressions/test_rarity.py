"""Contract: about one in 10 ** `rarity` ordinary rows scores as high, also beyond all training rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES, internals

import polars_anorand as anorand


def detected(frame: pl.DataFrame, *model: anorand.Model | bytes, **options: Any) -> pl.DataFrame:
    return frame.select(anorand.detect(FEATURES, *model, **options)).unnest("anomaly")


def away(frame: pl.DataFrame, steps: int = 400) -> pl.DataFrame:
    """Rows on the way from an ordinary one to one that is absurd."""
    return (
        frame.head(1)
        .join(pl.DataFrame({"b": np.geomspace(1, 1e9, steps)}), how="cross")
        .select("a", pl.col("b_right").alias("b"), "c")
    )


@pytest.mark.parametrize(
    "options", [{}, {"preset": "novelty"}, {"preset": "paper"}, {"distil": True, "members": 10}], ids=str
)
def test_it_rises_with_the_score_and_is_finite(frame: pl.DataFrame, options: dict[str, Any]) -> None:
    model = anorand.train(frame, FEATURES, **options, **FAST)
    found = pl.concat([detected(frame, model), detected(away(frame), model)]).sort("score")
    assert found["rarity"].dtype == pl.Float32
    assert found["rarity"].is_sorted()
    assert found["rarity"].is_finite().all()
    assert found["rarity"].min() >= 0


def test_it_has_no_jump_where_the_training_rows_end(frame: pl.DataFrame, model: anorand.Model) -> None:
    found = detected(away(frame, 20_000), model).sort("score")
    steps = found.select(pl.col("score", "rarity").diff()).drop_nulls()
    assert found["rarity"].max() > math.log10(frame.height) + 2
    small = steps.filter(pl.col("score") < 1e-3)
    assert small.height > 15_000
    assert small["rarity"].max() < 0.1


def test_it_is_the_rank_of_a_training_row_below_the_highest_twentieth(frame: pl.DataFrame) -> None:
    # Without cells: with them, training rows are judged without themselves, and score lower as new rows.
    model = anorand.train(frame, FEATURES, **internals(combination="robust"), **FAST)
    found = detected(frame, model).sort("score", descending=True)
    ranks = np.arange(1, frame.height + 1)
    np.testing.assert_allclose(found["rarity"][20:], -np.log10(ranks / frame.height)[20:], atol=1e-5)
    # The highest one is as rare as one of so many rows may be.
    assert math.log10(frame.height) - 0.5 < found["rarity"][0] < math.log10(frame.height) + 1.5


def test_a_millionth_flags_a_gross_outlier_and_no_training_row(frame: pl.DataFrame, model: anorand.Model) -> None:
    gross = frame.head(3).with_columns(b=pl.Series([1e4, 1e6, 1e9]))
    found = detected(pl.concat([frame, gross]), model, contamination=1e-6)
    assert found["outlier"].arg_true().to_list() == [500, 501, 502]
    assert found["outlier"].equals((found["rarity"] > 6).alias("outlier"))
    # Two absurd values are still told apart.
    assert found["rarity"][500] < found["rarity"][501] < found["rarity"][502]
    assert model.threshold(1e-9) > model.threshold(1e-6) > model.threshold(1e-3) > found["score"][:500].quantile(0.99)


def test_without_a_model_a_millionth_flags_what_is_so_rare_among_its_own_rows(frame: pl.DataFrame) -> None:
    assert not detected(frame, contamination=1e-6, **FAST)["outlier"].any()
    gross = frame.with_columns(b=pl.when(pl.int_range(pl.len()) == 7).then(1e9).otherwise("b"))
    assert detected(gross, contamination=1e-6, **FAST)["outlier"].arg_true().to_list() == [7]
    # What several training rows are is not so rare.
    copies = frame.with_columns(b=pl.when(pl.int_range(pl.len()) < 4).then(1e9).otherwise("b")).with_columns(
        pl.when(pl.int_range(pl.len()) < 4).then(pl.col("a", "c").first()).otherwise(pl.col("a", "c"))
    )
    assert not detected(copies, contamination=1e-6, **FAST)["outlier"].any()


@pytest.mark.parametrize("rows", [2, 3, 10])
def test_a_few_training_rows_claim_little(frame: pl.DataFrame, rows: int) -> None:
    model = anorand.train(frame.head(rows), FEATURES, **FAST)
    found = detected(pl.concat([frame.head(rows), away(frame)]), model)
    assert found["rarity"].is_finite().all()
    assert found["rarity"][:rows].max() <= 2


def test_a_table_of_one_row_again_and_again_has_a_rarity() -> None:
    table = pl.DataFrame({"x": [3.0] * 100, "y": ["a"] * 100})
    model = anorand.Model(table.select(anorand.fit(["x", "y"], **FAST)).item())
    found = pl.concat([table, pl.DataFrame({"x": [3.0, 900.0], "y": ["b", "a"]})]).select(
        anorand.detect(["x", "y"], model, contamination=1e-6)
    )
    rarity = found.unnest("anomaly")["rarity"]
    assert rarity[:100].max() == 0
    assert (rarity[100:] > 0).all()


def test_it_is_null_where_the_score_is(frame: pl.DataFrame) -> None:
    gapped = frame.with_columns(a=pl.when(pl.int_range(pl.len()) != 3).then("a"))
    model = anorand.train(gapped, FEATURES, missing="null", **FAST)
    assert detected(gapped, model)["rarity"].is_null().arg_true().to_list() == [3]


def test_it_is_that_of_each_groups_own_rows(frame: pl.DataFrame) -> None:
    grouped = frame.with_columns(g=pl.int_range(pl.len()) % 2)
    models = anorand.train(grouped, FEATURES, by="g", **FAST)
    joined = grouped.join(models, on="g", how="left", maintain_order="left")
    found = joined.select("g", anorand.detect(FEATURES, pl.col("model"))).unnest("anomaly")
    for key, model in models.select("g", "model").iter_rows():
        own = detected(grouped.filter(g=key), model)
        assert found.filter(g=key)["rarity"].equals(own["rarity"])


def test_of_a_scan_larger_than_its_sample_it_counts_all_rows() -> None:
    rng = np.random.default_rng(0)
    table = pl.DataFrame(rng.normal(size=(20_000, 3)), schema=FEATURES)
    model = anorand.train(table, FEATURES, sample=1_000, **FAST)
    found = detected(table, model).sort("score", descending=True)
    for rank in (50, 500, 5_000):
        assert 10.0 ** -found["rarity"][rank - 1] == pytest.approx(rank / 20_000, abs=1.1e-3)


def test_it_streams(frame: pl.DataFrame, model: anorand.Model) -> None:
    lazy = away(frame).lazy().select(anorand.detect(FEATURES, model, contamination=1e-6))
    streamed = lazy.collect(engine="streaming").unnest("anomaly")
    assert streamed.equals(detected(away(frame), model, contamination=1e-6))
