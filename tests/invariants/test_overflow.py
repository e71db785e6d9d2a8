"""Contract: a finite row has a score that is a number, however far out it is, and then counts as an outlier."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import internals

import polars_anorand as anorand

COLUMNS = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return pl.DataFrame(np.random.default_rng(0).normal(size=(300, 4)), schema=COLUMNS)


def wildly_trained(rows: pl.DataFrame, **options: Any) -> anorand.Model:
    """With the largest of some learning rates with which the training does not diverge."""
    for rate in [1.0, 0.5, 0.2]:
        try:
            return anorand.Model(rows.select(anorand.fit(COLUMNS, learning_rate=rate, **options)).item())
        except pl.exceptions.ComputeError as error:
            assert "diverged" in str(error)  # noqa: PT017
    pytest.fail("each of these trainings diverges")


@pytest.mark.parametrize("preset", ["default", "paper"])
@pytest.mark.parametrize(("width", "value"), [(128, 1e308), (256, 1e5), (256, -1e308)])
def test_activations_that_overflow_mean_far_out(rows: pl.DataFrame, preset: Any, width: int, value: float) -> None:
    model = wildly_trained(
        rows,
        preset=preset,
        members=2,
        hidden=[width] * 4,
        min_steps=60,
        epochs=1,
        **internals(schedule="constant", max_features=1.0),
    )
    far = pl.DataFrame({name: [value] for name in COLUMNS})
    found = far.select(anorand.detect(COLUMNS, model), anorand.explain(COLUMNS, model))
    anomaly = found["anomaly"].struct.unnest().row(0, named=True)
    assert 0 < anomaly["score"] < 1
    if preset == "default":  # the probabilities of such a paper's network are 1 for every row
        assert anomaly["percentile"] == 1
        assert anomaly["outlier"] is True
    contributions = found["explanation"].struct.unnest().row(0)
    assert np.isfinite(contributions).all()
    start = anomaly["score"] - sum(contributions)
    assert np.abs(reference.ordinary_scores(model.to_bytes()) - start).min() < 1e-3
