"""Contract: with `labels`, known anomalies take the place of synthetic ones."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import polars as pl
import pytest
from conftest import FAST
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import average_precision_score

import polars_anorand as anorand

PRESETS = pytest.mark.parametrize("preset", ["paper", "default"])


@pytest.fixture(scope="module")
def cancer() -> pl.DataFrame:
    """scikit-learn's breast cancer set, malignant rows as anomalies, thinned to 1 in 10; shuffled."""
    bunch = load_breast_cancer()
    names = [str(name) for name in bunch.feature_names]
    frame = pl.DataFrame(bunch.data, schema=names).with_columns(label=pl.Series(bunch.target == 0))
    malignant = frame.filter("label").head(40)
    return pl.concat([frame.filter(~pl.col("label")), malignant]).sample(fraction=1, shuffle=True, seed=0)


X = pl.exclude("label")


def quality(cancer: pl.DataFrame, **options: Any) -> float:
    """AUC-PR on the rows that were not trained on, mean of three folds."""

    def one(fold: int) -> float:
        held_out = pl.int_range(pl.len()) % 3 == fold
        model = cancer.filter(~held_out).select(anorand.fit(X, seed=fold, **options)).item()
        test = cancer.filter(held_out).with_columns(anorand.score(X, model))
        return float(average_precision_score(test["label"], test["score"]))

    return float(np.mean([one(fold) for fold in range(3)]))


def test_labels_make_a_better_detector(cancer: pl.DataFrame) -> None:
    supervised = quality(cancer, labels="label")
    assert supervised > 0.9
    assert supervised > quality(cancer) + 0.1


def test_the_papers_preset_learns_from_labels(cancer: pl.DataFrame) -> None:
    assert quality(cancer, labels="label", preset="paper", learning_rate=1e-3) > 0.85


def test_some_labels_are_better_than_none(cancer: pl.DataFrame) -> None:
    every_other = pl.when(pl.int_range(pl.len()) % 2 == 0).then("label")
    assert quality(cancer, labels=every_other) > quality(cancer) + 0.1


def few(count: int) -> pl.Expr:
    """Labels of the first anomalies, this number of them; the other rows have none."""
    return pl.when(pl.col("label") & (pl.col("label").cum_sum() <= count)).then("label")


def test_three_labels_do_no_harm(cancer: pl.DataFrame) -> None:
    assert quality(cancer, labels=few(3)) > quality(cancer) - 0.01


def test_with_few_labels_neighbours_and_cells_stay_a_part_of_the_score(cancer: pl.DataFrame) -> None:
    def options(**given: Any) -> dict[str, Any]:
        return anorand.Model(cancer.select(anorand.fit(X, seed=0, **given)).item()).options

    unlabelled, labelled, changed = options(), options(labels="label"), options(labels=few(9))
    of_other_parts = ["kept_rows", "kept_draws", "kept_neighbors", "kept_weight", "combination"]
    assert changed == labelled | {name: unlabelled[name] for name in of_other_parts}
    assert options(labels=few(10)) == labelled
    assert options(labels=few(9), members=3) == changed | {"members": 3}
    assert options(labels=few(9), latent=2) == options(labels="label", latent=2)
    others_are_normal = pl.when(few(9)).then(True).otherwise(False)
    assert options(labels=others_are_normal) == labelled
    assert options(labels=few(2), preset="paper") == options(preset="paper")


def test_each_groups_labels_decide_on_its_defaults(cancer: pl.DataFrame) -> None:
    groups = cancer.with_columns(group=pl.int_range(pl.len()) % 2, labels=few(14))
    of_groups = groups.select(
        anorand.fit(pl.exclude("label", "group", "labels"), labels="labels", by="group", members=2)
    )
    counts = groups.group_by("group").agg(pl.col("labels").sum()).sort("group")["labels"].to_list()
    assert min(counts) < 10
    models = of_groups.unnest("model").sort("group")["model"].to_list()
    kept = [anorand.Model(model).options["kept_rows"] for model in models]
    assert kept == [32 if count < 10 else 0 for count in counts]


@PRESETS
@pytest.mark.parametrize("dtype", [pl.Boolean, pl.UInt8, pl.Int64, pl.Float64], ids=str)
def test_booleans_and_numbers_are_the_same_labels(cancer: pl.DataFrame, preset: Any, dtype: Any) -> None:
    as_boolean = cancer.select(anorand.fit(X, labels="label", preset=preset, **FAST)).item()
    as_other = cancer.select(anorand.fit(X, labels=pl.col("label").cast(dtype), preset=preset, **FAST)).item()
    assert as_boolean == as_other


@PRESETS
def test_an_unlabelled_row_counts_as_normal(cancer: pl.DataFrame, preset: Literal["default", "paper"]) -> None:
    some = pl.when("label").then("label")
    whole, partial = (
        anorand.Model(cancer.select(anorand.fit(X, labels=labels, preset=preset, loss_weight=0.5, **FAST)).item())
        for labels in ["label", some]
    )
    assert whole.labels == {"anomalies": 40, "normal": 357, "unlabelled": 0}
    assert partial.labels == {"anomalies": 40, "normal": 0, "unlabelled": 357}
    scores = [cancer.select(anorand.score(X, model)).to_series() for model in (whole, partial)]
    assert scores[0].equals(scores[1])


def test_a_model_without_labels_says_so(model: anorand.Model) -> None:
    assert model.labels is None


def test_labels_may_be_a_name_an_expression_or_a_series(cancer: pl.DataFrame) -> None:
    series = cancer["label"].alias("elsewhere")
    models = [
        cancer.select(anorand.fit(X, labels=labels, **FAST)).item()
        for labels in ["label", pl.col("label"), ~(~pl.col("label")), series]
    ]
    assert all(model == models[0] for model in models)


def test_fit_and_score_in_one_go(cancer: pl.DataFrame) -> None:
    model = cancer.select(anorand.fit(X, labels="label", **FAST)).item()
    expected = cancer.select(anorand.score(X, model))
    assert cancer.select(anorand.score(X, labels="label", **FAST)).equals(expected)
    flagged = cancer.select(anorand.detect(X, labels="label", **FAST)).unnest("anomaly")
    assert flagged["score"].equals(expected["score"])


def test_a_row_with_a_missing_feature_has_no_label(cancer: pl.DataFrame) -> None:
    gapped = cancer.with_columns(pl.when(pl.int_range(pl.len()) >= 10).then("mean radius").alias("mean radius"))
    options: anorand.FitOptions = {"missing": "null", **FAST}
    dropped = gapped.select(anorand.fit(X, labels="label", **options)).item()
    assert dropped == cancer.slice(10).select(anorand.fit(X, labels="label", **options)).item()


def test_labels_of_each_group(cancer: pl.DataFrame) -> None:
    grouped = cancer.with_columns(g=pl.int_range(pl.len()) % 2)
    features = pl.exclude("label", "g")
    models = grouped.group_by("g").agg(anorand.fit(features, labels="label", **FAST)).sort("g")
    by = grouped.select(anorand.fit(features, labels="label", by="g", **FAST)).unnest("model").sort("g")
    assert by.equals(models)
    for key, model in models.iter_rows():
        alone = grouped.filter(pl.col("g") == key).select(anorand.fit(features, labels="label", **FAST)).item()
        assert model == alone


@pytest.mark.parametrize("value", [2, -1, 0.5, float("nan")])
def test_another_value_is_refused_with_its_row(cancer: pl.DataFrame, value: float) -> None:
    odd = (
        pl.when(pl.int_range(pl.len()) == 7)
        .then(pl.lit(value, dtype=pl.Float64))
        .otherwise(pl.col("label").cast(pl.Float64))
    )
    with pytest.raises(
        pl.exceptions.ComputeError, match=r'labels "literal" have .* in row 7, expected 1 for an anomaly'
    ):
        cancer.select(anorand.fit(X, labels=odd, **FAST))


def test_a_series_without_a_name_is_called_by_its_parameter(cancer: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='labels "labels=" have dtype str'):
        cancer.select(anorand.fit(X, labels=pl.Series(["a"] * cancer.height), **FAST))


def test_another_dtype_is_refused_when_the_schema_is_resolved(cancer: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='labels "label" have dtype str, expected Boolean'):
        cancer.lazy().select(anorand.fit(X, labels=pl.col("label").cast(pl.String), **FAST)).collect_schema()
    with pytest.raises(TypeError, match="labels must be a column's name, an expression or a Series, got int"):
        anorand.fit(X, labels=3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (pl.lit(False), r"at least 2 anomalies .* got 0, beside 397 normal rows and 0 unlabelled"),
        (pl.lit(None), r"at least 2 anomalies .* got 0, beside 0 normal rows and 397 unlabelled"),
        (pl.int_range(pl.len()) == 5, r"at least 2 anomalies .* got 1"),
        (pl.lit(True), r"at least 2 rows that are normal .* got 0, beside 397 anomalies"),
    ],
)
def test_labels_of_one_class_and_too_few_anomalies_are_refused(
    cancer: pl.DataFrame, labels: pl.Expr, complaint: str
) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=complaint):
        cancer.select(anorand.fit(X, labels=labels, **FAST))


def test_labels_among_the_features_are_refused(cancer: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='the labels "label" are among the features'):
        cancer.lazy().select(anorand.fit(pl.all(), labels="label", **FAST)).collect_schema()


def test_two_columns_of_labels_are_refused(cancer: pl.DataFrame) -> None:
    two = cancer.with_columns(other="label")
    with pytest.raises(pl.exceptions.ComputeError, match="labels must be one column, got 2"):
        two.select(anorand.fit(pl.exclude("label", "other"), labels=pl.col("label", "other"), **FAST))


def test_labels_beside_a_model_are_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="go without a model, got a model and labels"):
        anorand.score(X, model, labels="label")


def test_a_labelled_fit_has_defaults_of_its_own(cancer: pl.DataFrame) -> None:
    def options(**given: Any) -> dict[str, Any]:
        return anorand.Model(cancer.select(anorand.fit(X, **FAST, **given)).item()).options

    labelled, unlabelled = options(labels="label"), options()
    changed = {name: value for name, value in labelled.items() if value != unlabelled[name]}
    assert changed == {
        "scaling": "asinh",
        "members": 6,
        "max_samples": 0,
        "max_features": 1.0,
        "kept_rows": 0,
        "kept_draws": 1,
        "kept_neighbors": 1,
        "kept_weight": 2.0,
        "synthetic_fraction": 0.1,
        "loss_weight": 1.0,
        "hidden": [64, 64],
        "latent": 0,
        "batch_size": 256,
        "learning_rate": 0.002,
        "combination": "novelties",
    }
    joint = options(labels="label", loss_weight=0.5)
    assert {name: value for name, value in joint.items() if value != labelled[name]} == {
        "loss_weight": 0.5,
        "hidden": [64, 32],
        "latent": 16,
        "batch_size": 128,
        "learning_rate": 0.003,
    }
    assert options(labels="label", preset="paper") == options(preset="paper")
    assert options(labels="label", members=3)["members"] == 3


def test_a_reason_of_a_usual_value_is_that_known_anomalies_have_it() -> None:
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"a": rng.uniform(size=600), "b": rng.uniform(size=600)})
    labelled = frame.with_columns(label=pl.col("a").is_between(0.4, 0.6) & (pl.col("b") > 0.5))
    found = labelled.select(anorand.detect(X, labels="label", contamination=0.05, explain=1, seed=0))
    reasons = found.unnest("anomaly").filter("outlier")["reasons"].explode().struct.unnest()
    assert reasons.height == 30
    assert all(why.endswith(", as in the known anomalies") for why in reasons["why"])
