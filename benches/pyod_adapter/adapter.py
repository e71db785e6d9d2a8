"""A thin adapter: AnoRand with PyOD's base class, which makes labels, probabilities and confidences of scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from pyod.models.base import BaseDetector
from sklearn.utils.validation import check_is_fitted, validate_data

import polars_anorand as anorand

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from typing_extensions import Self


class AnoRand(BaseDetector):
    """Detects outliers by the default preset; the higher a score, the more anomalous the row, as PyOD has it."""

    def __init__(self, contamination: float = 0.1, random_state: int = 0, members: int | None = None) -> None:
        super().__init__(contamination=contamination)
        self.random_state = random_state
        self.members = members

    def fit(self, X: ArrayLike, y: object = None) -> Self:  # noqa: N803
        """Fit a model on the rows of X, ``[rows, features]``."""
        frame = pl.DataFrame(validate_data(self, X))
        self._set_n_classes(y)
        self.model_ = anorand.Model(
            frame.select(anorand.fit(pl.all(), seed=self.random_state, members=self.members)).item()
        )
        self.decision_scores_ = self.decision_function(X)
        self._process_decision_scores()
        return self

    def decision_function(self, X: ArrayLike) -> NDArray[Any]:  # noqa: N803
        """The scores of the rows of X, ``[rows]``."""
        check_is_fitted(self, ["model_"])
        frame = pl.DataFrame(validate_data(self, X, reset=False))
        return frame.select(anorand.score(pl.all(), self.model_)).to_series().to_numpy().astype(np.float64)
