"""Contract: a fit on a scan is the fit on its rows while they fit into the sample; beyond, counts, extremes and
thresholds are those of all rows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from conftest import FAST, internals

import polars_anorand as anorand

ROWS = 60_000
FEATURES = ["x", "heavy", "word", "gaps"]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Rows with a heavy tail, a value of three rows, and gaps in some column."""
    random = np.random.default_rng(5)
    words = np.where(np.arange(ROWS) % 20_000 == 7, "rare", random.choice(["a", "b"], size=ROWS))
    return pl.DataFrame(
        {
            "x": random.normal(size=ROWS),
            "heavy": random.standard_t(1.5, size=ROWS),
            "word": words,
            "gaps": [None if row % 100 == 0 else row % 7 for row in range(ROWS)],
        }
    )


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> anorand.Model:
    return anorand.train(table.lazy(), FEATURES, sample=6_000, seed=1)


@pytest.mark.parametrize(
    "options", [{}, {"preset": "paper", "epochs": 2}, {"missing": "impute"}, {"loss_weight": [0.1, 0.4]}]
)
def test_a_table_of_no_more_rows_than_the_sample_gives_the_bytes_of_fit(table: pl.DataFrame, options: dict) -> None:
    rows = table.head(2_000)
    expected = rows.select(anorand.fit(FEATURES, seed=2, **options)).item()
    for sample in [2_000, 50_000]:
        assert anorand.train(rows.lazy(), FEATURES, sample=sample, seed=2, **options).to_bytes() == expected


def test_labels_are_part_of_the_sample(table: pl.DataFrame) -> None:
    rows = table.head(2_000).with_columns(label=pl.int_range(2_000) % 50 == 0)
    expected = rows.select(anorand.fit(FEATURES, labels="label")).item()
    assert anorand.train(rows.lazy(), FEATURES, labels="label", sample=2_000).to_bytes() == expected
    sampled = anorand.train(rows.lazy(), FEATURES, labels="label", sample=1_000)
    assert sampled.labels is not None
    assert sum(sampled.labels.values()) == 1_000


@pytest.mark.filterwarnings("ignore:.*one value in all training rows")
@pytest.mark.parametrize("rows", [20_000, 300_000])
def test_ties_are_flagged_and_placed_as_by_fit(rows: int) -> None:
    usual = rows - rows // 250
    table = pl.DataFrame({"status": ["ok"] * usual + ["failed"] * (rows - usual), "k": [at % 4 for at in range(rows)]})
    scanned = anorand.train(table, pl.all(), sample=5_000, **FAST)
    found = table.with_columns(anorand.detect(pl.all(), scanned)).unnest("anomaly")
    assert found["outlier"].sum() == rows - usual
    below = (found["score"].rank("min") - 1) / rows
    assert (found["percentile"] - below).abs().max() <= 1.1e-3
    constant = pl.DataFrame({"status": ["ok"] * rows})
    scanned = anorand.train(constant, pl.all(), sample=5_000, **FAST)
    assert constant.select(anorand.detect(pl.all(), scanned)).unnest("anomaly")["outlier"].sum() == 0


def test_exceptions_below_and_above_a_constant_that_the_sample_lacks_are_scored() -> None:
    rng = np.random.default_rng(0)
    corrections = np.zeros(20_000)
    corrections[[5_000, 11_000]] = [-5.0, 7.0]
    table = pl.DataFrame({"correction": corrections, "amount": rng.lognormal(size=20_000)})
    for seed in range(3):
        model = anorand.train(table, pl.all(), sample=1_000, seed=seed, **FAST)
        assert table.select(anorand.score(pl.all(), model)).to_series().is_between(0, 1).all()


@pytest.mark.parametrize("missing", ["indicator", "impute"])
def test_a_feature_without_a_value_in_the_sample_has_those_of_the_other_rows(missing: Any) -> None:
    rng = np.random.default_rng(0)
    rare = [float(row) if row in (7, 9_000, 15_000) else None for row in range(20_000)]
    words = ["word" if row == 8_000 else None for row in range(20_000)]
    table = pl.DataFrame({"rare": rare, "words": words, "x": rng.normal(size=20_000)})
    model = anorand.train(table, pl.all(), sample=500, missing=missing, **FAST)
    assert table.select(anorand.score(pl.all(), model)).to_series().null_count() == 0


def test_a_table_that_changes_between_the_passes_is_refused(table: pl.DataFrame) -> None:
    reads = []

    def read(rows: pl.DataFrame) -> pl.DataFrame:
        reads.append(rows.height)
        return rows.head(rows.height - len(reads))

    scan = table.lazy().map_batches(read)
    with pytest.raises(ValueError, match="must not change in a fit"):
        anorand.train(scan, FEATURES, sample=1_000, **FAST)


def test_a_feature_may_have_the_name_that_scores_have_in_a_scan(table: pl.DataFrame) -> None:
    renamed = table.rename({"x": "anorand score", "heavy": "anorand model"})
    model = anorand.train(renamed, pl.all(), sample=1_000, **FAST)
    assert model.training["rows"] == ROWS


def test_batches_do_not_matter(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    for at, rows in enumerate(table.iter_slices(17_001)):
        rows.write_parquet(tmp_path / f"{at}.parquet", row_group_size=1_000)
    again = anorand.train(pl.scan_parquet(tmp_path / "*.parquet"), FEATURES, sample=6_000, seed=1)
    assert again.to_bytes() == model.to_bytes()


def test_the_model_says_what_it_has_seen(table: pl.DataFrame, model: anorand.Model) -> None:
    assert {name: model.training.get(name) for name in ["rows", "sampled", "scored"]} == {
        "rows": ROWS,
        "sampled": 6_000,
        "scored": None,
    }
    uncalibrated = anorand.train(table, FEATURES, sample=6_000, seed=1, calibrate="sample")
    assert uncalibrated.training["scored"] == 6_000


def test_thresholds_are_those_of_all_rows(table: pl.DataFrame, model: anorand.Model) -> None:
    scores = table.select(anorand.score(FEATURES, model)).to_series()
    for contamination in [0.001, 0.01, 0.2]:
        assert (scores > model.threshold(contamination)).mean() == pytest.approx(contamination, rel=0.02)
    flagged = table.select(anorand.detect(FEATURES, model, contamination=0.01)).unnest("anomaly")
    assert flagged["outlier"].sum() == ROWS // 100


def test_counts_are_those_of_all_rows(table: pl.DataFrame, model: anorand.Model) -> None:
    counted = dict(table["word"].value_counts().iter_rows())
    assert model.categories["word"] == counted
    whole = anorand.Model(table.select(anorand.fit(FEATURES, seed=1)).item())
    for feature in ["x", "heavy", "gaps"]:
        ours, exact = model.statistics.filter(feature=feature), whole.statistics.filter(feature=feature)
        for column in ["missing", "minimum", "maximum"]:
            assert ours[column].item() == exact[column].item(), (feature, column)


def test_what_was_seen_once_is_not_taken_for_what_was_never_seen(table: pl.DataFrame, model: anorand.Model) -> None:
    usual = {"x": [0.0] * 3, "heavy": [0.0] * 3, "gaps": [3] * 3}
    rare, never = (
        pl.DataFrame({**usual, "word": words}).select(anorand.score(FEATURES, model)).to_series()[1]
        for words in (["a", "rare", "b"], ["a", "new", "b"])
    )
    assert rare < never
    ends = table["heavy"].sort()
    highest = pl.DataFrame({"x": 0.0, "heavy": [ends[-1], ends[-1] * 1.0001], "word": "a", "gaps": 3})
    seen, beyond = highest.select(anorand.score(FEATURES, model)).to_series()
    assert seen < beyond


@pytest.mark.parametrize(
    "values", [[-3.0], [-3.0, 5.0], [datetime(2024, 1, 1)], [True], [True, False], [timedelta(hours=3)], ["a", "b"]]
)
def test_a_feature_may_have_values_in_rows_that_are_not_in_the_sample_only(values: list[Any]) -> None:
    rare = {777 * (at + 1): value for at, value in enumerate(values)}
    table = pl.DataFrame(
        {"y": [float(row % 97) for row in range(20_000)], "rare": [rare.get(row) for row in range(20_000)]}
    )
    model = anorand.train(table, ["y", "rare"], sample=200, **FAST)
    known = model.statistics.row(by_predicate=pl.col("feature") == "rare", named=True)
    assert known["missing"] == pytest.approx(1 - len(values) / 20_000, abs=1e-6)
    scores = table[[*rare, 5]].select(pl.all().anorand.score(model)).to_series()
    assert scores.is_finite().all()


def test_a_far_cluster_that_the_sample_may_miss_is_not_beyond_all_rows(table: pl.DataFrame) -> None:
    far = table.with_columns(x=pl.when(pl.int_range(ROWS) % 15_000 == 9).then(30 + pl.col("x") / 100).otherwise("x"))
    model = anorand.train(far, FEATURES, sample=600, seed=1)
    highest = far["x"].max()
    assert model.statistics["maximum"][0] == highest
    assert isinstance(highest, float)
    rows = pl.DataFrame({"x": [highest, highest + 1], "heavy": 0.0, "word": "a", "gaps": 3})
    known, beyond = rows.select(anorand.score(FEATURES, model)).to_series()
    assert known < beyond


def test_quartiles_have_the_rank_error_of_the_sample(table: pl.DataFrame, model: anorand.Model) -> None:
    ranks = {"lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75}
    for feature in ["x", "heavy"]:
        found = model.statistics.filter(feature=feature)
        for column, expected in ranks.items():
            rank = (table[feature] <= found[column].item()).mean()
            # Four standard errors of a share in 6,000 rows.
            assert rank == pytest.approx(expected, abs=4 * (expected * (1 - expected) / 6_000) ** 0.5), (
                feature,
                column,
            )


def test_rows_that_a_fit_skips_are_not_counted(table: pl.DataFrame) -> None:
    skipping = anorand.train(table, FEATURES, sample=6_000, missing="null")
    assert skipping.training["rows"] == ROWS - ROWS // 100


def test_the_file_is_written_whole(table: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model = anorand.train(table, FEATURES, sample=6_000, path=path)
    assert anorand.Model.load(path) == model
    assert list(tmp_path.iterdir()) == [path]


def test_what_must_be_said_is_asked_for(table: pl.DataFrame) -> None:
    with pytest.raises(TypeError, match="frame must be a polars DataFrame or LazyFrame, got dict"):
        anorand.train({"x": [1.0]}, "x")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match=r"with labels, .*sample="):
        anorand.train(table, FEATURES, labels="x")
    with pytest.raises(TypeError, match=r"with max_samples=0, .*sample="):
        anorand.train(table, FEATURES, max_samples=0)
    with pytest.raises(ValueError, match="sample must be at least 2 rows, got 1"):
        anorand.train(table, FEATURES, sample=1)
    with pytest.raises(ValueError, match='calibrate must be "all" or "sample", got \'none\''):
        anorand.train(table, FEATURES, calibrate="none")  # type: ignore[arg-type]
    with pytest.raises(pl.exceptions.ComputeError, match=r"seed must be .* from 0 to 9223372036854775807, got -1"):
        anorand.train(table, FEATURES, seed=-1)
    with pytest.raises(pl.exceptions.PolarsError, match="at least 2 rows"):
        anorand.train(table.clear(), FEATURES)
    with pytest.raises(pl.exceptions.PolarsError, match="members"):
        anorand.train(table, FEATURES, members=0)


def test_a_fit_of_more_than_a_million_rows_looks_at_a_million_in_any_order_and_counts_all() -> None:
    numbers = np.random.default_rng(0).normal(size=1_200_000)
    frame = pl.DataFrame({"x": numbers, "y": np.abs(numbers).round(1), "word": ["a"] * 1_199_999 + ["once"]})
    fit = anorand.fit(["x", "y", "word"], members=2, **internals(max_features=1.0))
    model = anorand.Model(frame.select(fit).item())
    assert frame.reverse().select(fit).item() == model.to_bytes()
    assert [model.training[name] for name in ["rows", "sampled", "scored"]] == [1_200_000, 1_000_000, 1_000_000]
    assert model.categories["word"] == {"a": 1_199_999, "once": 1}
    assert model.statistics["maximum"][0] == numbers.max()
    flagged = frame.select(anorand.detect(["x", "y", "word"], model)).unnest("anomaly")["outlier"].mean()
    assert flagged == pytest.approx(0.01, rel=0.05)


def test_the_features_are_by_default_those_worth_fitting_on(table: pl.DataFrame) -> None:
    rows = table.head(1_000).with_columns(id=pl.int_range(1_000), label=pl.int_range(1_000) % 50 == 0)
    expected = anorand.train(rows, ["x", "heavy", "word", "gaps", "label"], **FAST)
    assert anorand.train(rows, **FAST) == anorand.train(rows.lazy(), **FAST) == expected
    labelled = anorand.train(rows, labels="label", sample=1_000, **FAST)
    assert labelled.features == ["x", "heavy", "word", "gaps"]
    for by in ["word", ["word"], pl.col("word"), cs.by_name("word"), pl.col("word").alias("key")]:
        models = anorand.train(rows.filter(pl.col("word") != "rare"), by=by, **FAST)["model"]
        assert anorand.Model(models[0]).features == ["x", "heavy", "gaps", "label"]


def test_a_feature_of_one_value_is_warned_of() -> None:
    rows = pl.DataFrame({"x": [float(i % 7) for i in range(100)], "year": [2026] * 100, "unit": ["kg"] * 100})
    with pytest.warns(UserWarning, match="one value in all training rows of 'year', 'unit': any other value will be"):
        anorand.train(rows, ["x", "year", "unit"], **FAST)
    anorand.train(rows, **FAST)
    anorand.train(rows.head(20), ["x", "year"], **FAST)
    gaps = rows.with_columns(year=pl.when(pl.int_range(100) % 9 > 0).then("year"))
    anorand.train(gaps, ["x", "year"], **FAST)
