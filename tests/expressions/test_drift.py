"""Contract: `drift` finds what has moved away from the training rows, and only that."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES
from polars.testing import assert_frame_equal
from verbs import DRIFT

import polars_anorand as anorand


def table(seed: int, rows: int = 4_000) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    return pl.DataFrame(
        {
            "price": rng.lognormal(3.0, 1.0, rows),
            "pieces": rng.integers(0, 4, rows),
            "rain": np.where(rng.random(rows) < 0.93, 0.0, rng.exponential(size=rows)),
            "gust": pl.Series(rng.normal(size=rows)).set(pl.Series(rng.random(rows) < 0.6), None),
            "paid": rng.random(rows) < 0.9,
            "country": rng.choice(["DE", "FR", "IT", "ZA"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "wait": pl.Series(rng.integers(0, 10**9, rows)).cast(pl.Duration("us")),
            "at": [datetime(2026, 1, 1) + timedelta(minutes=int(each)) for each in rng.integers(0, 80_000, rows)],
        }
    )


@pytest.fixture(scope="module")
def model() -> anorand.Model:
    return anorand.Model(table(0).select(anorand.fit(pl.all(), **FAST)).item())


def drifted(rows: pl.DataFrame, model: anorand.Model) -> list[str | None]:
    return anorand.drift(rows, model).filter("drifted")["feature"].to_list()


def test_other_rows_of_the_same_kind_have_not_drifted(model: anorand.Model) -> None:
    for seed in range(1, 6):
        found = anorand.drift(table(seed), model)
        assert found["drifted"].any() is False
        assert found["psi"].max() < 0.03
        assert found["outliers"][-1] == pytest.approx(0.01, abs=0.01)


def test_few_rows_have_not_drifted_by_chance(model: anorand.Model) -> None:
    several = [drifted(table(seed, 40), model) for seed in range(1, 30)]
    assert sum(map(len, several)) <= 2


@pytest.mark.parametrize(
    ("feature", "change"),
    [
        ("price", pl.col("price") * 1.6),
        ("pieces", pl.col("pieces") + 1),
        ("rain", pl.when(pl.col("price") > 20).then(pl.col("rain") + 0.1).otherwise("rain")),
        ("gust", pl.col("gust") + 1),
        ("gust", pl.col("gust").fill_null(0.0)),
        ("paid", ~pl.col("paid")),
        ("country", pl.when(pl.col("price") > 60).then(pl.lit("XX")).otherwise("country")),
        ("country", pl.when(pl.col("price") > 20).then(pl.lit("IT")).otherwise("country")),
        ("wait", pl.col("wait") * 3),
    ],
)
def test_the_column_that_shifts_leads(model: anorand.Model, feature: str, change: pl.Expr) -> None:
    shifted = table(1).with_columns(change.alias(feature))
    found = anorand.drift(shifted.lazy(), model)
    assert found["feature"][0] == feature
    assert [name for name in found.filter("drifted")["feature"] if name is not None] == [feature]


def test_the_numbers_are_those_of_the_rows(model: anorand.Model) -> None:
    rows = table(1)
    found = {row["feature"]: row for row in anorand.drift(rows, model).iter_rows(named=True)}
    training = {row["feature"]: row for row in model.statistics.iter_rows(named=True)}
    for name in ["price", "pieces", "gust"]:
        for field, share in [("lower_quartile", 0.25), ("median", 0.5), ("upper_quartile", 0.75)]:
            assert found[name][field] == rows[name].quantile(share, "nearest")
            assert found[name][f"training_{field}"] == training[name][field]
        assert found[name]["missing"] == rows[name].null_count() / rows.height
    assert found["country"]["unseen"] == 0
    unseen = rows.with_columns(country=pl.lit("XX"))
    assert anorand.drift(unseen, model).filter(feature="country")["unseen"].item() == 1
    flagged = rows.select(anorand.detect(pl.all(), model)).unnest("anomaly")["outlier"].mean()
    assert found[None]["outliers"] == flagged
    assert found[None]["training_outliers"] == pytest.approx(0.01, abs=1e-6)


def test_the_index_is_its_formula() -> None:
    training = pl.DataFrame({"x": [float(at) for at in range(101)]})
    model = anorand.Model(training.select(anorand.fit("x", **FAST)).item())
    rows = pl.DataFrame({"x": [5.0] * 30 + [55.0] * 10})
    edges = [-np.inf, *(10.0 * at for at in range(1, 10)), np.inf]
    p, q = (np.histogram(-frame["x"].to_numpy(), -np.array(edges)[::-1])[0][::-1] for frame in (training, rows))
    p, q = ((np.append(counts, 0) + 0.5) / (counts.sum() + 5.5) for counts in (p, q))
    expected = ((q - p) * np.log(q / p)).sum()
    assert anorand.drift(rows, model)["psi"][0] == pytest.approx(expected)


def test_later_times_are_no_drift(model: anorand.Model) -> None:
    later = table(1).with_columns(pl.col("at") + pl.duration(days=56))
    found = anorand.drift(later, model)
    assert found.filter(feature="at").select("drifted", "psi").row(0) == (False, None)


def test_days_with_drift_are_found_by_group(model: anorand.Model) -> None:
    days = pl.concat(
        table(day, 800).with_columns(day=pl.lit(date(2026, 5, day)), price=pl.col("price") * (3 if day == 3 else 1))
        for day in range(1, 5)
    )
    by_day = days.lazy().group_by("day").agg(pl.exclude("day").anorand.drift(model)).explode("drift").unnest("drift")  # type: ignore[attr-defined]
    found = by_day.collect().filter("drifted", pl.col("feature").is_not_null())
    assert found.select("day", "feature").rows() == [(date(2026, 5, 3), "price")]


def test_the_aggregation_is_the_frame(frame: pl.DataFrame) -> None:
    model = anorand.Model(frame.select(anorand.fit(FEATURES, **FAST)).item())
    listed = frame.select(anorand.drift(FEATURES, model)).explode("drift").unnest("drift")
    assert listed.schema == DRIFT
    assert listed.sort("feature").equals(anorand.drift(frame, model).sort("feature"))
    assert listed["feature"].to_list() == [*model.features, None]


def test_no_rows_have_no_drift(model: anorand.Model) -> None:
    found = anorand.drift(table(1).clear(), model)
    assert found.height == 9
    assert not found["drifted"].fill_null(value=False).any()


def test_the_training_rows_have_not_drifted_whatever_is_done_with_missing_values() -> None:
    gaps = pl.DataFrame(
        {
            "x": [None if at % 3 == 0 else float(at % 11) for at in range(900)],
            "y": [float(at % 97) for at in range(900)],
        }
    )
    every: list[anorand.FitOptions] = [{"missing": "indicator"}, {"missing": "impute"}, {"missing": "null"}]
    for options in [*every, {"preset": "paper"}]:
        model = anorand.Model(gaps.select(anorand.fit(pl.all(), **{**FAST, **options})).item())
        found = anorand.drift(gaps, model)
        assert found["drifted"].any() is False, options
        assert found["psi"].max() < 0.01, options
        x = found.filter(feature="x").row(0, named=True)
        assert x["missing"] == pytest.approx(1 / 3)
        # A fit that leaves such rows out does not know how many they were.
        leaves_out = model.options["missing"] == "null"
        assert x["training_missing"] == (None if leaves_out else pytest.approx(1 / 3))


def test_a_shift_is_found_beside_rows_that_a_model_can_not_score() -> None:
    gaps = table(0).select("price", rain=pl.when(pl.int_range(pl.len()) % 5 > 0).then("rain"))
    model = anorand.Model(gaps.select(anorand.fit(pl.all(), missing="null", **FAST)).item())
    assert drifted(gaps.with_columns(pl.col("price") * 1.6), model)[0] == "price"


def test_unseen_values_that_training_lets_expect_are_no_drift() -> None:
    rng = np.random.default_rng(0)
    rows = pl.DataFrame({"k": (rng.zipf(1.7, 9_000) % 100_000).astype(str), "x": rng.normal(size=9_000)})
    model = anorand.Model(rows[:5_000].select(anorand.fit(pl.all(), **FAST)).item())
    rest = rows[5_000:]
    found = anorand.drift(rest, model).filter(feature="k").row(0, named=True)
    assert found["unseen"] > 0.01, "the share that a rule without an expectation would call drift"
    assert not found["drifted"]
    by_day = rest.group_by(day=pl.int_range(pl.len()) // 40).agg(anorand.drift(["k", "x"], model))
    days = by_day.explode("drift").unnest("drift").filter(feature="k")
    assert days.height == 100
    assert days["drifted"].sum() <= 2
    # New values beyond those are drift.
    moved = rest.with_columns(k=pl.when(pl.int_range(pl.len()) % 20 == 0).then(pl.lit("new")).otherwise("k"))
    # The cells say how rare a new value is, so that the scores drift with it.
    assert drifted(moved, model) in (["k"], ["k", None])


def test_one_new_value_among_forty_rows_is_no_drift_and_several_are(model: anorand.Model) -> None:
    country = pl.when(pl.int_range(pl.len()) < 1).then(pl.lit("XX")).otherwise("country")
    assert "country" not in drifted(table(3, 40).with_columns(country=country), model)
    country = pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("XX")).otherwise("country")
    assert "country" in drifted(table(3, 40).with_columns(country=country), model)


def test_a_constant_that_falls_has_drifted() -> None:
    rows = pl.DataFrame({"x": [float(at % 50) for at in range(500)], "constant": [5.0] * 500})
    model = anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())
    for other in [4.0, 6.0]:
        assert drifted(rows.with_columns(constant=pl.lit(other)), model)[0] == "constant"


def test_it_costs_little_more_than_a_score_whatever_the_number_of_features() -> None:
    rng = np.random.default_rng(0)

    def cost(work: Callable[[], object]) -> float:
        def once() -> float:
            start = time.process_time()
            work()
            return time.process_time() - start

        return min(once() for _ in range(3))

    rows = pl.DataFrame({f"c{at}": rng.normal(size=2_000) for at in range(300)})
    model = anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())
    score = cost(lambda: rows.select(anorand.score(pl.all(), model)))
    assert cost(lambda: anorand.drift(rows, model)) < 10 * score
    assert cost(lambda: rows.select(anorand.drift(pl.all(), model))) < 10 * score


def test_features_may_be_called_anything(frame: pl.DataFrame) -> None:
    rows = frame.rename({"a": "anomaly", "b": "drift", "c": "feature"})
    model = anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())
    assert set(anorand.drift(rows, model)["feature"]) == {"anomaly", "drift", "feature", None}


def test_a_missing_feature_is_named(model: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match="price"):
        anorand.drift(table(1).drop("price"), model)


def test_what_it_can_not_compare_is_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="known when the query is built"):
        anorand.drift(table(1), pl.col("model"))
    with pytest.raises(ValueError, match="drift compares with one model, got a Series of 2 models: pass one of them"):
        anorand.drift(table(1), pl.Series("models", [model.to_bytes(), b"another"]))
    with pytest.raises(ValueError, match="a Series of no models"):
        anorand.drift(table(1), pl.Series("models", [None], dtype=pl.Binary))
    one = pl.Series("models", [model.to_bytes(), None, model.to_bytes()])
    assert anorand.drift(table(1), one).equals(anorand.drift(table(1), model))
    with pytest.raises(ValueError, match="contamination must be a number above 0 and below 1, got 1"):
        anorand.drift(table(1), model, contamination=1.0)
    with pytest.raises(TypeError, match="contamination must be a number"):
        anorand.drift(table(1), model, contamination="1%")  # type: ignore[call-overload]


def test_it_is_an_aggregation_in_every_context(frame: pl.DataFrame) -> None:
    drift = anorand.drift(FEATURES, frame.select(anorand.fit(FEATURES, **FAST)).item())
    minute = pl.datetime(2026, 1, 1) + pl.duration(minutes=pl.int_range(pl.len()))
    timed = frame.with_columns(g=pl.int_range(pl.len()) % 3, t=minute)

    def close(found: pl.DataFrame, *parts: pl.DataFrame) -> None:
        """Sums may be in another order within a group."""
        expected = pl.concat([part.select(drift) for part in parts])
        assert_frame_equal(
            found.select(pl.col("drift").explode()).unnest("drift"), expected.explode("drift").unnest("drift")
        )

    groups = [timed.filter(g=key) for key in range(3)]
    close(timed.group_by("g", maintain_order=True).agg(drift), *groups)
    over = timed.select("g", drift.over("g"))
    assert over.height == timed.height
    close(over[[0, 1, 2, 498]], *groups, groups[0])
    close(timed.group_by_dynamic("t", every="2h").agg(drift), *[timed[at : at + 120] for at in range(0, 500, 120)])
    close(timed[:9].rolling("t", period="4m").agg(drift)[8:], timed[5:9])
    close(timed.with_columns(drift)[499:], timed)
    assert frame.clear().select(drift).height == 1


def test_a_models_own_rows_have_not_drifted_where_scores_tie() -> None:
    rows = 10_000
    own = pl.DataFrame({"status": ["ok"] * (rows - 50) + ["failed"] * 50, "retries": [0] * (rows - 50) + [3] * 50})
    model = anorand.Model(own.select(anorand.fit(pl.all(), **FAST)).item())
    found = anorand.drift(own, model)
    assert found["drifted"].any() is False
    assert found["training_outliers"][-1] == found["outliers"][-1] == 0.005


def test_few_rows_with_an_outlier_have_not_drifted_and_many_have(model: anorand.Model) -> None:
    def alarm(rows: int, outliers: int) -> bool:
        some = table(3, rows).with_row_index("at_row")
        is_odd = pl.col("at_row") < outliers
        some = some.with_columns(pl.when(is_odd).then(1e9).otherwise("price").alias("price")).drop("at_row")
        found = anorand.drift(some, model)
        assert found["outliers"][-1] >= outliers / rows
        return bool(found["drifted"][-1])

    assert not alarm(20, 1)
    assert alarm(20, 8)
    assert alarm(2_000, 120)


def test_a_model_of_a_sample_is_compared_by_what_the_sample_knows() -> None:
    several = []
    for seed in range(20):
        trained = anorand.train(table(seed, 20_000), pl.all(), sample=200, seed=seed, calibrate="sample", **FAST)
        several += drifted(table(100 + seed, 20_000), trained)
    assert len(several) <= 3
