"""Contract: a fit on a scan with `init` is the fit with `init` on its rows while they fit into the sample; beyond, what
all rows have is added to what the model has counted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, internals
from refits import FEATURES, rows

import polars_anorand as anorand
from polars_anorand.scan._groups import Groups

MONTH = rows(3_000, 0)
DAY = rows(2_000, 1, at=0.5, words=("a", "b", "b"))


def fitted(frame: pl.DataFrame, **options: Any) -> anorand.Model:
    """As by a fit of all rows."""
    return anorand.Model(frame.select(anorand.fit(FEATURES, **options)).item())


@pytest.fixture(scope="module")
def month() -> anorand.Model:
    return fitted(MONTH, seed=3, **FAST)


def by_key(*parts: tuple[str | None, pl.DataFrame]) -> pl.DataFrame:
    """Parts of a table, mixed, with the key of each."""
    frame = pl.concat([part.with_columns(key=pl.lit(key, dtype=pl.String)) for key, part in parts])
    return frame.sample(fraction=1.0, shuffle=True, seed=1)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        ({"seed": 3}, {"min_steps": 60}),
        ({"preset": "paper", "epochs": 2, "seed": 5}, {"learning_rate": 0.01}),
        ({"preset": "novelty", "kept_rows": 100, **FAST}, {}),
        ({"missing": "impute", **internals(scaling="asinh"), **FAST}, {"seed": 9}),
        (FAST, {"distil": True}),
        (FAST, {"labels": "label"}),
        (FAST, {"replay": pl.col("old")}),
    ],
)
def test_rows_that_fit_into_the_sample_give_the_bytes_of_fit(first: dict[str, Any], again: dict[str, Any]) -> None:
    model = fitted(MONTH, **first)
    old = pl.int_range(pl.len()) % 5 == 0
    day = DAY.with_columns(label=pl.int_range(pl.len()) % 50 == 0, old=old)
    expected = day.select(anorand.fit(FEATURES, init=model, **again)).item()
    for features in [FEATURES, FEATURES[::-1]]:
        assert anorand.train(day.lazy(), features, sample=2_000, init=model, **again).to_bytes() == expected


def test_the_model_may_come_as_a_path_as_bytes_or_as_a_model(month: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "month.safetensors"
    month.save(path)
    ways: list[Any] = [month, month.to_bytes(), path, str(path)]
    assert len({anorand.train(DAY, FEATURES, sample=500, init=way).to_bytes() for way in ways}) == 1
    # It is read before the file is written again.
    again = anorand.train(DAY, FEATURES, sample=500, init=path, path=path)
    assert anorand.Model.load(path) == again
    assert again == anorand.train(DAY, FEATURES, sample=500, init=month)


def test_the_order_of_the_features_does_not_matter(month: anorand.Model) -> None:
    orders = [FEATURES, FEATURES[::-1], ["word", "gaps", "x", "y"]]
    assert len({anorand.train(DAY, order, sample=500, init=month).to_bytes() for order in orders}) == 1


def test_counts_and_extremes_are_those_of_the_earlier_rows_and_of_all_rows(month: anorand.Model) -> None:
    model = anorand.train(DAY.lazy(), FEATURES[::-1], sample=300, init=month)
    both = pl.concat([MONTH, DAY])
    assert (model.training["rows"], model.training["sampled"]) == (5_000, 300)
    assert model.categories["word"] == dict(both["word"].value_counts().iter_rows())
    whole = fitted(both, **FAST)
    for column in ["minimum", "maximum", "missing"]:
        assert model.statistics[column].to_list() == whole.statistics[column].to_list(), column
    assert anorand.train(DAY, FEATURES, sample=300, init=model).training["rows"] == 7_000


def test_seed_and_missing_are_the_models_where_they_are_not_given() -> None:
    first = fitted(MONTH, seed=5, missing="null", **FAST)
    model = anorand.train(DAY, FEATURES, sample=300, init=first)
    # Without the tenth of the rows that has a gap.
    assert (model.training["rows"], model.training["sampled"]) == (2_700 + 1_800, 300)
    assert (model.options["seed"], model.options["missing"]) == (5, "null")
    assert anorand.train(DAY, FEATURES, sample=300, init=first, seed=5) == model
    assert anorand.train(DAY, FEATURES, sample=300, init=first, seed=6).options["seed"] == 6


def test_what_only_the_earlier_rows_or_rows_beyond_the_sample_had_is_not_new(month: anorand.Model) -> None:
    day = DAY.with_columns(
        word=pl.when(pl.int_range(pl.len()) % 1_000 == 0).then(pl.lit("rare")).otherwise(pl.lit("a"))
    )
    model = anorand.train(day, FEATURES, sample=20, init=month)

    def score(word: str) -> pl.Series:
        return DAY.with_columns(word=pl.lit(word)).select(anorand.score(FEATURES, model)).to_series()

    for known in ["b", "rare"]:
        assert (score(known) < score("new")).all(), known


def test_the_sample_stands_for_all_rows_beside_the_models() -> None:
    """A model of few rows, and very many that lie elsewhere: usual is where most rows are."""
    month, day = rows(1_000, 2), rows(20_000, 3, at=6.0)
    first = fitted(month, **FAST)
    whole = fitted(day, init=first)
    sampled = anorand.train(day, FEATURES, sample=2_000, init=first)
    both = pl.concat([month, day]).sample(2_000, seed=1)
    scores = [both.select(anorand.score(FEATURES, model)).to_series().rank() for model in (whole, sampled)]
    # Nearly as between a fit and a scan of the day alone, 0.955.
    assert np.corrcoef(scores[0], scores[1])[0, 1] > 0.93
    flagged = [
        day.select(anorand.detect(FEATURES, model)).unnest("anomaly")["outlier"].mean() for model in (whole, sampled)
    ]
    assert flagged == [pytest.approx(0.01, abs=1e-3)] * 2


def test_thresholds_are_those_of_all_rows_of_the_scan(month: anorand.Model) -> None:
    model = anorand.train(DAY, FEATURES, sample=300, init=month)
    scores = DAY.select(anorand.score(FEATURES, model)).to_series()
    for contamination in [0.01, 0.2]:
        assert (scores > model.threshold(contamination)).mean() == pytest.approx(contamination, rel=0.06)
    assert model.training["scored"] == 2_000
    sample = anorand.train(DAY, FEATURES, sample=300, init=month, calibrate="sample")
    assert sample.training["scored"] == 300
    assert sample.training["rows"] == model.training["rows"]


def test_batches_do_not_matter(month: anorand.Model, tmp_path: Path) -> None:
    model = anorand.train(DAY, FEATURES, sample=300, init=month)
    for at, part in enumerate(DAY.iter_slices(701)):
        part.write_parquet(tmp_path / f"{at}.parquet", row_group_size=100)
    assert anorand.train(pl.scan_parquet(tmp_path / "*.parquet"), FEATURES, sample=300, init=month) == model


def test_replayed_rows_are_sampled_and_not_counted_again(month: anorand.Model) -> None:
    old = MONTH.head(1_000).with_columns(old=pl.lit(True))
    both = pl.concat([DAY.with_columns(old=pl.lit(None, dtype=pl.Boolean)), old])
    model = anorand.train(both, FEATURES, sample=600, init=month, replay="old")
    assert (model.training["rows"], model.training["sampled"]) == (5_000, 600)
    assert model.categories == anorand.train(DAY, FEATURES, sample=600, init=month).categories
    assert model != anorand.train(both, FEATURES, sample=600, init=month, replay=pl.lit(False))


def test_more_replayed_rows_than_the_model_has_seen_are_refused() -> None:
    few = fitted(DAY.head(100), **FAST)
    for sample in [400, 2_000]:
        with pytest.raises(pl.exceptions.ComputeError, match="replay marks 2000 rows, .* was fitted on 100"):
            anorand.train(DAY, FEATURES, sample=sample, init=few, replay=pl.lit(True))


def test_each_group_goes_on_from_its_own_model() -> None:
    early = by_key(("a", rows(300, 0)), ("b", rows(300, 1)), (None, rows(300, 2)), ("gone", rows(300, 3)))
    models = anorand.train(early, FEATURES, by="key", **FAST)
    later = by_key(("new", rows(200, 4)), ("a", rows(200, 5)), ("b", rows(200, 6)), (None, rows(200, 7)))
    without_b = models.with_columns(model=pl.when(pl.col("key").ne_missing("b")).then("model"))
    # A join of Polars' own keeps null keys apart.
    joined = later.join(without_b, on="key", how="left", nulls_equal=True, maintain_order="left")
    expected = joined.select(anorand.fit(FEATURES, by="key", init=pl.col("model"), **FAST)).unnest("model")
    for init in [without_b, without_b.lazy(), without_b.reverse().select("model", "key", day=0)]:
        assert anorand.train(later, FEATURES, by="key", init=init, **FAST).equals(expected)
    trained = {key: anorand.Model(model).training["rows"] for key, model in expected.iter_rows()}
    assert trained == {"new": 200, "a": 500, "b": 200, None: 500}


def test_a_group_beyond_the_sample_has_the_model_of_a_scan_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    early = by_key(("a", rows(300, 0)), ("b", rows(300, 1)), ("c", rows(300, 2)))
    # A seed and a policy of its own.
    of = {"a": {"seed": 1}, "b": {"seed": 2, "missing": "null"}, "c": {}}
    models = pl.concat(
        [
            early.filter(key=key).select("key", fit).head(1)
            for key, fit in (
                (key, anorand.fit(FEATURES, **FAST, **options).alias("model")) for key, options in of.items()
            )
        ]
    )
    later = by_key(("a", rows(700, 5)), ("b", rows(700, 6)), ("c", rows(200, 7)), ("new", rows(700, 8)))
    found = anorand.train(later, FEATURES, by="key", init=models, sample=400, **FAST)
    for key, model in found.iter_rows():
        own = dict(models.iter_rows()).get(key)
        alone = anorand.train(later.filter(key=key), FEATURES, sample=400, init=own, **FAST)
        assert model == alone.to_bytes(), key
    trained = {key: anorand.Model(model).training for key, model in found.iter_rows()}
    assert {key: (of["rows"], of["sampled"]) for key, of in trained.items() if key in "abc"} == {
        "a": (1_000, 400),
        "b": (270 + 630, 400),
        "c": (500, 200),
    }
    monkeypatch.setattr(Groups, "SAMPLED_ROWS", 500)
    monkeypatch.setattr(Groups, "SCORED_ROWS", 100)
    assert anorand.train(later, FEATURES, by="key", init=models, sample=400, **FAST).equals(found)


def test_one_model_is_where_every_group_goes_on_from(month: anorand.Model) -> None:
    later = by_key(("a", rows(300, 5)), ("b", rows(100, 6)))
    expected = later.select(anorand.fit(FEATURES, by="key", init=month)).unnest("model")
    assert anorand.train(later, FEATURES, by="key", init=month).equals(expected)
    assert [anorand.Model(model).training["rows"] for model in expected["model"]] in ([3_300, 3_100], [3_100, 3_300])


def test_no_model_yet_is_no_error() -> None:
    later = by_key(("a", rows(100, 5)))
    none = pl.DataFrame(schema={"key": pl.String, "model": pl.Binary})
    new = anorand.train(later, FEATURES, by="key", **FAST)
    assert anorand.train(later, FEATURES, by="key", init=none, **FAST).equals(new)


def test_replayed_rows_and_labels_go_with_their_groups(month: anorand.Model) -> None:
    later = by_key(("a", rows(300, 5)), ("new", rows(300, 6))).with_columns(
        old=pl.int_range(pl.len()) % 3 == 0, label=pl.int_range(pl.len()) % 20 == 0
    )
    models = pl.DataFrame({"key": ["a"], "model": [month.to_bytes()]})
    options: dict[str, Any] = {"by": "key", "labels": "label", "replay": "old", **FAST}
    joined = later.join(models, on="key", how="left", maintain_order="left")
    expected = joined.select(anorand.fit(FEATURES, init=pl.col("model"), **options)).unnest("model")
    assert anorand.train(later, FEATURES, sample=300, init=models, **options).equals(expected)
    sampled = anorand.train(later, FEATURES, sample=100, init=models, **options)
    seen = later.filter("old", key="a").height
    trained = {key: anorand.Model(model).training["rows"] for key, model in sampled.iter_rows()}
    assert trained == {"a": 3_000 + 300 - seen, "new": 300}


def unread(frame: pl.DataFrame) -> pl.LazyFrame:
    """A scan that must not be read."""

    def read(_: pl.Series) -> pl.Series:
        raise AssertionError("the scan was read")

    return frame.lazy().with_columns(pl.col("x").map_batches(read, return_dtype=pl.Float64))


def test_a_scan_that_is_read_says_so(month: anorand.Model) -> None:
    with pytest.raises(AssertionError, match="the scan was read"):
        anorand.train(unread(DAY), FEATURES, init=month)


@pytest.mark.parametrize(
    ("init", "options", "expected"),
    [
        (None, {"members": 10}, "init= was fitted with members=5, got members=10; .* leave members out"),
        (None, {"hidden": [8]}, r"got hidden=\[8\]"),
        (None, {"learning_rate": 0}, "learning_rate must be"),
        (b"no model", {}, r"not a model: .*\(the model of init\)"),
        ((MONTH, {"distil": True}), {}, "distilled from an ensemble .* without distil=True"),
        ((MONTH.with_columns(x="word"), {}), {}, r'feature "x" is a .* cast the column \(the model of init\)'),
        (
            (MONTH.rename({"x": "z"}), {}),
            {},
            r'the model needs "z", not among the columns given .*\(the model of init\)',
        ),
    ],
)
def test_what_can_not_go_on_is_refused_before_the_scan_is_read(
    month: anorand.Model, init: Any, options: dict[str, Any], expected: str
) -> None:
    if isinstance(init, tuple):
        frame, fit = init
        init = frame.select(anorand.fit(pl.all(), **FAST, **fit)).item()
    given = month.to_bytes() if init is None else init
    with pytest.raises(pl.exceptions.PolarsError, match=expected):
        anorand.train(unread(DAY), FEATURES, init=given, **options)
    models = pl.DataFrame({"key": ["a", "b"], "model": [None, given]})
    of_row = expected.replace(r"\(the model of init\)", r"\(the model in row 1 of init\)")
    with pytest.raises(pl.exceptions.PolarsError, match=of_row):
        anorand.train(unread(by_key(("a", DAY))), FEATURES, by="key", init=models, **options)


def test_what_makes_no_sense_is_refused_before_the_scan_is_read(month: anorand.Model, tmp_path: Path) -> None:
    scan, keyed = unread(DAY), unread(by_key(("a", DAY)))
    models = pl.DataFrame({"key": ["a"], "model": [month.to_bytes()]})
    call: Any = anorand.train
    for given, error, expected in [
        (pl.col("model"), TypeError, "init of train must be a path, bytes, a Model, .* got Expr; .* takes by="),
        (models, TypeError, "init is a DataFrame, .* give by="),
        (tmp_path / "none", FileNotFoundError, "none"),
        (__file__, ValueError, r"init: .*not a model.*in the file .*test_train_refit"),
        ("s3://bucket/model", ValueError, "must be a local file"),
    ]:
        with pytest.raises(error, match=expected):
            call(scan, FEATURES, init=given)
    for given, error, expected in [
        (pl.col("model"), TypeError, "a Model, or a frame of the keys of by and 'model', .* got Expr$"),
        (models.rename({"key": "other"}), ValueError, "init has no column 'key', .* it has"),
        (models.drop("model"), ValueError, "init has no column 'model'"),
        (models.with_columns(key=1), TypeError, "init has dtype .*32 for 'key', expected String, .* cast the column"),
        (models.with_columns(model=pl.lit("a")), TypeError, "init has dtype String for 'model', expected Binary"),
        (pl.concat([models, models]), ValueError, r"more than one model for the group \('a',\), .* leave the latest"),
    ]:
        with pytest.raises(error, match=expected):
            call(keyed, FEATURES, by="key", init=given)
    with pytest.raises(TypeError, match="goes on with one loss_weight"):
        call(scan, FEATURES, init=month, loss_weight=[0.2, 0.4])
    with pytest.raises(TypeError, match="give init, or leave replay out"):
        call(scan, FEATURES, replay="old")
    with pytest.raises(pl.exceptions.PolarsError, match="replay has dtype .*64, expected Boolean"):
        call(scan, FEATURES, init=month, replay="y")
    paper = fitted(MONTH, preset="paper", epochs=1)
    with pytest.raises(TypeError, match=r"with max_samples=0 of the model of init, .* sample="):
        call(scan, FEATURES, init=paper)
