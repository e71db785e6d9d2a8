"""Contract: scores are the paper's equations. Each is recomputed in float64 from the model file alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES

import polars_anorand as anorand

TOLERANCE = 1e-5


@pytest.mark.parametrize("preset", ["paper", "default"])
@pytest.mark.parametrize(
    "options", [{}, {"hidden": [8]}, {"hidden": [12, 9, 5], "latent": 3}, {"members": 3, "combination": "probability"}]
)
def test_scores_are_equation_8(frame: pl.DataFrame, preset: str, options: dict[str, object]) -> None:
    data = frame.select(anorand.fit(FEATURES, preset=preset, **FAST, **options)).item()
    expected = reference.score(data, frame.select(FEATURES).to_numpy())
    scores = frame.select(anorand.score(FEATURES, data)).to_series().to_numpy()
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=0)
    assert scores.std() > 100 * TOLERANCE, "scores that hardly differ would agree with anything"


def test_scores_of_rows_far_outside_the_training_range_are_equation_8(
    frame: pl.DataFrame, model: anorand.Model
) -> None:
    far = frame.select(FEATURES) * 20.0 + 5.0
    expected = reference.score(model.to_bytes(), far.to_numpy())
    scores = far.select(anorand.score(FEATURES, model)).to_series().to_numpy()
    np.testing.assert_allclose(scores, expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("kind", ["probability", "robust"])
@pytest.mark.parametrize("preset", ["paper", "default"])
def test_alpha_is_equation_7_on_the_training_rows(frame: pl.DataFrame, preset: str, kind: str) -> None:
    data = frame.select(anorand.fit(FEATURES, preset=preset, combination=kind, **FAST)).item()
    training = reference.heads(data, frame.select(FEATURES).to_numpy())
    expected = reference.combiner(training, kind)
    stored = reference.metadata(data)["combiner"]
    assert stored.keys() == expected.keys()
    for part in stored.keys() - {"kind"}:
        assert stored[part] == pytest.approx(expected[part], abs=TOLERANCE), part
    assert anorand.Model(data).alpha == stored["alpha"]


def test_scaling_is_min_max_of_the_training_rows(frame: pl.DataFrame, model: anorand.Model) -> None:
    tensors = reference.load(model.to_bytes())
    rows = frame.select(FEATURES).to_numpy()
    np.testing.assert_array_equal(tensors["scaling.offset"], rows.min(axis=0))
    np.testing.assert_allclose(tensors["scaling.scale"], rows.max(axis=0) - rows.min(axis=0), rtol=1e-15)
    np.testing.assert_array_equal(tensors["median"], np.median(rows, axis=0))


def test_a_threshold_lies_between_the_rows_that_are_flagged_and_the_others(
    scores: pl.Series, model: anorand.Model
) -> None:
    ranked = np.sort(scores.to_numpy())
    for contamination in [0.3, 0.1, 0.05, 0.01, 0.002, 1e-9]:
        flagged = max(1, int(np.ceil(contamination * len(ranked) - 1e-9)))
        below, above = ranked[-flagged - 1 : len(ranked) - flagged + 1]
        assert model.threshold(contamination) == (float(below) + float(above)) / 2


def test_a_fit_on_the_rows_it_scores_is_a_fit_then_a_score(frame: pl.DataFrame, scores: pl.Series) -> None:
    together = frame.select(anorand.score(FEATURES, **FAST)).to_series()
    assert together.equals(scores)
