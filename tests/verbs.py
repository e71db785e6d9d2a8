"""The registry of verbs: one row for each public verb, from which the tests take their cases.

``expressions/test_verbs.py`` fails where a public verb has no row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand


@dataclass(frozen=True)
class Verb:
    """What holds for a verb, whatever the data."""

    name: str
    """Of the function, and of the namespace's method."""
    result: str
    """The default name of the result."""
    dtype: Callable[[list[str], anorand.Model], pl.DataType]
    """Of the result, for these features and this model."""
    applies: bool
    """Whether it takes a model; such a call is elementwise."""
    fits: bool
    """Whether it fits a model on the rows themselves if none is given; such a call needs all rows at once."""
    compares: bool = False
    """Whether it aggregates rows beside a model that is known when the query is built."""

    @property
    def function(self) -> Callable[..., pl.Expr]:
        """The function of the package."""
        function: Callable[..., pl.Expr] = getattr(anorand, self.name)
        return function

    def call(self, features: Any, model: object, **more: Any) -> pl.Expr:
        """The verb with the model, or a brief fit if it is one that makes models."""
        takes_model = self.applies or self.compares
        return self.function(features, model, **more) if takes_model else self.fit(features, **more)

    def fit(self, features: Any, **more: Any) -> pl.Expr:
        """The verb without a model, which fits one briefly."""
        return self.function(features, **{**FAST, **more})

    def __str__(self) -> str:
        return self.name


def _struct_of_features(features: list[str], _: anorand.Model) -> pl.DataType:
    return pl.Struct(dict.fromkeys(features, pl.Float32))


def _embedding(_: list[str], model: anorand.Model) -> pl.DataType:
    return pl.Array(pl.Float32, model.embedding_width)


DRIFT_NUMBERS = [
    "training_lower_quartile", "lower_quartile", "training_median", "median", "training_upper_quartile",
    "upper_quartile", "training_missing", "missing", "unseen", "training_outliers", "outliers",
]  # fmt: skip
DRIFT = {"feature": pl.String, "drifted": pl.Boolean, "psi": pl.Float64, **dict.fromkeys(DRIFT_NUMBERS, pl.Float64)}
REASON = pl.Struct(
    {"feature": pl.String, "contribution": pl.Float32, "value": pl.String, "expected": pl.String, "why": pl.String}
)
ANOMALY = pl.Struct({"score": pl.Float32, "percentile": pl.Float32, "rarity": pl.Float32, "outlier": pl.Boolean})

VERBS = [
    Verb("fit", "model", lambda *_: pl.Binary(), applies=False, fits=True),
    Verb("score", "score", lambda *_: pl.Float32(), applies=True, fits=True),
    Verb("detect", "anomaly", lambda *_: ANOMALY, applies=True, fits=True),
    Verb("explain", "explanation", _struct_of_features, applies=True, fits=False),
    Verb("cells", "cells", _struct_of_features, applies=True, fits=False),
    Verb("embed", "embedding", _embedding, applies=True, fits=False),
    Verb("drift", "drift", lambda *_: pl.List(pl.Struct(DRIFT)), applies=False, fits=False, compares=True),
]
APPLYING = [verb for verb in VERBS if verb.applies]
FITTING = [verb for verb in VERBS if verb.fits]

every_verb = pytest.mark.parametrize("verb", VERBS, ids=str)
every_applying_verb = pytest.mark.parametrize("verb", APPLYING, ids=str)
every_fitting_verb = pytest.mark.parametrize("verb", FITTING, ids=str)
