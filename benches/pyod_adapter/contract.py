"""What PyOD expects of a detector: its attributes, shapes, ranges and errors. A check is a sentence and a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pyod.utils.data import generate_data
from scipy.stats import spearmanr
from sklearn.base import clone, is_outlier_detector
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

Check = Callable[["Case"], bool]


class Case:
    """A fitted detector, and rows that it was fitted on and that it was not."""

    def __init__(self, detector: Any) -> None:
        shared = {"n_features": 10, "contamination": detector.contamination, "random_state": 42}
        self.train, self.test, _, self.labels = generate_data(n_train=200, n_test=100, **shared)
        self.detector = detector.fit(self.train)


def is_share(numbers: Any) -> bool:
    """Whether all numbers lie from 0 to 1."""
    return bool(np.min(numbers) >= 0 and np.max(numbers) <= 1)


def raises(error: type[Exception], call: Callable[[], object]) -> bool:
    """Whether a call fails in this way."""
    try:
        call()
    except error:
        return True
    return False


def training(case: Case) -> bool:
    """The training rows have a score and a label each, and those above the threshold are outliers."""
    fitted = case.detector
    above = (fitted.decision_scores_ > fitted.threshold_).astype(int)
    return len(fitted.decision_scores_) == len(case.train) and np.array_equal(fitted.labels_, above)


def contamination(case: Case) -> bool:
    """As many training rows are outliers as the contamination says."""
    return int(case.detector.labels_.sum()) == round(case.detector.contamination * len(case.train))


def scores(case: Case) -> bool:
    """New rows have a score each, higher for outliers: an area under the ROC curve of 0.8 at least."""
    found = case.detector.decision_function(case.test)
    return found.shape == (len(case.test),) and float(roc_auc_score(case.labels, found)) >= 0.8


def same_scores(case: Case) -> bool:
    """The training rows have the scores of the training when they come again."""
    return np.array_equal(case.detector.decision_function(case.train), case.detector.decision_scores_)


def labels(case: Case) -> bool:
    """Labels are 0 or 1."""
    found = case.detector.predict(case.test)
    return found.shape == case.labels.shape and set(found) <= {0, 1}


def probabilities(case: Case) -> bool:
    """Probabilities of both methods are shares that add up to 1; another method is a ValueError."""
    found = [case.detector.predict_proba(case.test, method=method) for method in ["linear", "unify"]]
    right = all(is_share(each) and np.allclose(each.sum(axis=1), 1) for each in found)
    return right and raises(ValueError, lambda: case.detector.predict_proba(case.test, method="other"))


def confidences(case: Case) -> bool:
    """Labels and probabilities come with confidences, which are shares."""
    by_label = case.detector.predict(case.test, return_confidence=True)[1]
    by_probability = case.detector.predict_proba(case.test, return_confidence=True)[1]
    return by_label.shape == case.labels.shape and is_share(by_label) and np.array_equal(by_label, by_probability)


def rejection(case: Case) -> bool:
    """Labels may be rejected as -2; the expected rates of rejection are shares, the cost is not negative."""
    found, (rate, most, cost) = case.detector.predict_with_rejection(case.test, return_stats=True, c_r=0.1)
    return set(found) <= {-2, 0, 1} and is_share([rate, most]) and cost >= 0


def ranks(case: Case) -> bool:
    """Ranks among the training rows follow the scores."""
    found = case.detector.decision_function(case.test)
    plain, normal = (case.detector._predict_rank(case.test, normalized=normalized) for normalized in [False, True])
    follow = spearmanr(found, plain).statistic > 0.99
    return bool(follow and plain.max() <= len(case.train) and is_share(normal))


def fit_predict(case: Case) -> bool:
    """A fit that predicts gives the training labels."""
    again = clone(case.detector)
    return np.array_equal(again.fit_predict(case.train), case.detector.labels_)


def cloned(case: Case) -> bool:
    """A clone has the same parameters and is not fitted; its fit gives the same scores."""
    copy = clone(case.detector)
    same = copy.get_params() == case.detector.get_params()
    unfitted = raises(NotFittedError, lambda: copy.predict(case.test))
    return same and unfitted and np.array_equal(copy.fit(case.train).decision_scores_, case.detector.decision_scores_)


def parameters(case: Case) -> bool:
    """Parameters can be read and set; a contamination of 0 or above a half is a ValueError."""
    changed = clone(case.detector).set_params(contamination=0.2).fit(case.train)
    wrong = [raises(ValueError, lambda share=share: type(case.detector)(contamination=share)) for share in [0.0, 0.6]]
    return int(changed.labels_.sum()) == 40 and all(wrong)


def refused(case: Case) -> bool:
    """Rows with NaN or of another number of features are a ValueError."""
    nan = np.full((3, 10), np.nan)
    return all(raises(ValueError, lambda rows=rows: case.detector.predict(rows)) for rows in [nan, np.zeros((3, 4))])


def tags(case: Case) -> bool:
    """scikit-learn takes it for a detector of outliers."""
    return bool(is_outlier_detector(case.detector))


CHECKS: list[Check] = [
    training,
    contamination,
    scores,
    same_scores,
    labels,
    probabilities,
    confidences,
    rejection,
    ranks,
    fit_predict,
    cloned,
    parameters,
    refused,
    tags,
]
