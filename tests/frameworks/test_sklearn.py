"""Contract: ``polars_anorand.sklearn.AnoRand`` is an estimator like any other, and scores as the verbs do."""

from __future__ import annotations

import inspect
import pickle
from datetime import datetime, timedelta
from typing import Any

import joblib
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from conftest import FAST, FEATURES
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import polars_anorand as anorand
from polars_anorand.sklearn import AnoRand

# Fits warn of the ids and counters that small made-up tables hold.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize(
    ("estimator", "exceptions"),
    [
        (AnoRand(), set[str]()),
        # Both expect an outlier among the training rows, which novelty rules out.
        (AnoRand(novelty=True), {"check_outliers_fit_predict", "check_outliers_train"}),
    ],
    ids=["default", "novelty"],
)
def test_it_passes_all_of_scikit_learns_own_checks(estimator: AnoRand, exceptions: set[str]) -> None:
    found = check_estimator(estimator, on_fail=None)
    # Array API input is only checked where the environment asks for it.
    not_passed = {check["check_name"] for check in found if check["status"] != "passed"}
    assert not_passed - {"check_array_api_input"} == exceptions
    assert len(found) > 40


def test_every_option_of_a_fit_is_a_parameter_and_none_is_changed_by_default() -> None:
    parameters = inspect.signature(AnoRand).parameters
    others = {"contamination", "novelty", "random_state", "device", "precision"}
    assert parameters.keys() - others == anorand.FitOptions.__annotations__.keys() - {"seed"}
    assert {parameters[name].default for name in parameters.keys() - others} == {None}


def test_scores_are_the_negative_of_the_verbs(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    fitted = AnoRand(**FAST).fit(frame)
    assert fitted.model_ == model
    assert fitted.score_samples(frame).tolist() == [-score for score in scores]


def test_predictions_are_those_of_detect(frame: pl.DataFrame, model: anorand.Model) -> None:
    flagged = frame.select(anorand.detect(FEATURES, model, contamination=0.05)).unnest("anomaly")["outlier"]
    predicted = AnoRand(contamination=0.05, **FAST).fit_predict(frame)
    assert (predicted == -1).tolist() == flagged.to_list()
    assert 25 <= flagged.sum() < 30


@pytest.mark.parametrize("name", ["model", "score", "anomaly"])
def test_columns_may_be_called_as_results_are(frame: pl.DataFrame, name: str) -> None:
    expected = AnoRand(**FAST).fit(frame).score_samples(frame)
    renamed = frame.rename({"a": name})
    np.testing.assert_array_equal(AnoRand(**FAST).fit(renamed).score_samples(renamed), expected)


def test_with_novelty_no_training_row_is_an_outlier_but_a_stranger_is(frame: pl.DataFrame) -> None:
    fitted = AnoRand(novelty=True, **FAST).fit(frame)
    assert (fitted.predict(frame) == 1).all()
    assert fitted.predict(pl.DataFrame({"a": [90.0], "b": [-9e4], "c": [5]})).tolist() == [-1]


def test_columns_of_every_kind_go_in_as_they_are(frame: pl.DataFrame) -> None:
    raw = frame.with_columns(
        kind=pl.Series(["red", "green", None, "blue"] * 125),
        at=pl.datetime_range(datetime(2026, 1, 1), datetime(2026, 1, 1) + timedelta(hours=499), "1h", eager=True),
    )
    fitted = AnoRand(**FAST).fit(raw)
    by_verb = raw.select(anorand.score(pl.all(), fitted.model_)).to_series()
    assert fitted.feature_names_in_.tolist() == raw.columns
    assert fitted.score_samples(raw).tolist() == [-score for score in by_verb]


@pytest.mark.parametrize(
    "convert",
    [
        lambda frame: frame.to_pandas(),
        lambda frame: frame.to_pandas().set_index(pd.Index(range(7, 507))),
        lambda frame: frame.to_arrow(),
    ],
    ids=["pandas", "pandas with an index", "arrow"],
)
def test_frames_of_other_libraries_score_the_same(frame: pl.DataFrame, convert: Any) -> None:
    other: pd.DataFrame | pa.Table = convert(frame)
    fitted = AnoRand(**FAST).fit(other)
    assert fitted.feature_names_in_.tolist() == frame.columns
    assert fitted.model_ == AnoRand(**FAST).fit(frame).model_
    assert (fitted.score_samples(other) == fitted.score_samples(frame)).all()


def test_arrays_score_the_same_but_for_the_names(frame: pl.DataFrame) -> None:
    array = frame.to_numpy()
    fitted = AnoRand(**FAST).fit(array)
    named = anorand.Model(pl.DataFrame(array, schema=["x0", "x1", "x2"]).select(anorand.fit(pl.all(), **FAST)).item())
    assert fitted.model_ == named
    assert not hasattr(fitted, "feature_names_in_")


def test_a_nan_is_missing_and_an_infinity_in_an_array_is_an_error(frame: pl.DataFrame) -> None:
    array = frame.to_numpy().copy()
    array[3, 1] = np.nan
    assert np.isfinite(AnoRand(**FAST).fit(array).score_samples(array)).all()
    without = AnoRand(missing="null", **FAST).fit(array)
    assert np.isnan(without.score_samples(array)).nonzero()[0].tolist() == [3]
    assert without.predict(array)[3] == 1
    array[3, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        AnoRand(**FAST).fit(array)


def test_a_lazy_frame_is_refused_by_name(frame: pl.DataFrame) -> None:
    with pytest.raises(TypeError, match="got a LazyFrame: collect it"):
        AnoRand().fit(frame.lazy())


@pytest.mark.parametrize("contamination", [0, 0.6, -1, "auto"])
def test_a_contamination_out_of_range_is_an_error_of_the_fit(frame: pl.DataFrame, contamination: Any) -> None:
    with pytest.raises(ValueError, match="contamination"):
        AnoRand(contamination=contamination).fit(frame)


def test_none_as_the_random_state_draws_another_model_each_time(frame: pl.DataFrame) -> None:
    first, second = (AnoRand(random_state=None, **FAST).fit(frame).model_ for _ in range(2))
    assert first != second
    assert first.options["seed"] != second.options["seed"]


def test_a_pipeline_and_a_grid_search_find_the_better_parameters(frame: pl.DataFrame) -> None:
    rng = np.random.default_rng(1)
    rows = frame.to_numpy()[:300]
    strange = rows[:30].copy()
    strange[:, 1] = rng.permutation(strange[:, 1]) + 300 * rng.choice([-1, 1], 30)
    X, y = np.concatenate([rows, strange]), np.array([1] * 300 + [-1] * 30)  # noqa: N806
    order = rng.permutation(len(X))

    def area(estimator: Any, X: Any, y: Any) -> float:  # noqa: N803
        return float(roc_auc_score(y, estimator.decision_function(X)))

    pipeline = make_pipeline(StandardScaler(), AnoRand(epochs=1, min_steps=0))
    grid = {"anorand__min_steps": [0, 200], "anorand__contamination": [0.1]}
    search = GridSearchCV(pipeline, grid, scoring=area, cv=2, n_jobs=2).fit(X[order], y[order])
    assert search.best_score_ == max(search.cv_results_["mean_test_score"])
    assert search.best_score_ > 0.8
    assert search.predict(X).shape == (330,)


def test_joblib_workers_and_pickle_give_the_same_scores(frame: pl.DataFrame) -> None:
    fitted = AnoRand(**FAST).fit(frame)
    expected = fitted.score_samples(frame)
    parts = joblib.Parallel(n_jobs=2)(joblib.delayed(fitted.score_samples)(frame[at : at + 250]) for at in (0, 250))
    assert (np.concatenate(parts) == expected).all()
    assert (pickle.loads(pickle.dumps(fitted)).score_samples(frame) == expected).all()
    assert clone(fitted).get_params() == fitted.get_params()


def test_frames_whose_names_scikit_learn_does_not_see_are_matched_by_name() -> None:
    random = np.random.default_rng(0)
    rows = pl.DataFrame({"a": random.normal(size=500), "b": 1000 + random.normal(size=500)})

    def batch(frame: pl.DataFrame) -> pa.RecordBatch:
        return frame.to_arrow().combine_chunks().to_batches()[0]

    detector = AnoRand(**FAST).fit(batch(rows))
    expected = AnoRand(**FAST).fit(rows).score_samples(rows)
    for given in [batch(rows), batch(rows.select("b", "a"))]:
        assert detector.score_samples(given).tolist() == expected.tolist()
    with pytest.raises(pl.exceptions.PolarsError, match='needs "a"|does not know "c"'):
        detector.predict(batch(rows.rename({"a": "c"})))
    # A fit on an array knows no names, and goes by the positions.
    by_position = AnoRand(**FAST).fit(rows.to_numpy())
    assert by_position.score_samples(batch(rows.rename({"a": "c"}))).shape == (500,)


def test_a_pandas_column_of_none_has_missing_values() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=100), "n": rng.integers(0, 9, size=100)})
    fitted = AnoRand(min_steps=0).fit(table)
    expected = fitted.score_samples(table.assign(n=float("nan")))
    assert (fitted.score_samples(table.assign(n=None)) == expected).all()
