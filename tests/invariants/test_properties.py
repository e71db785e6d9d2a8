"""Contract: what holds for every table. Shapes, chunks and nulls are hypothesis's to choose."""

from __future__ import annotations

import math
import os
import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, internals
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

import polars_anorand as anorand

# Tables here often lack more than half of their rows' values.
pytestmark = pytest.mark.filterwarnings('ignore:anorand. with missing="null":UserWarning')

VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True, width=64), st.integers(-(2**40), 2**40).map(float), st.none()
)


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """A table of 1 to 5 features, in 1 to 4 chunks, with gaps of every kind."""
    width = draw(st.integers(1, 5))
    chunks = draw(st.lists(st.integers(0, 12), min_size=1, max_size=4))
    names = [f"f{at}" for at in range(width)]

    def chunk(rows: int) -> pl.DataFrame:
        columns = {name: draw(st.lists(VALUES, min_size=rows, max_size=rows)) for name in names}
        return pl.DataFrame(columns, schema=dict.fromkeys(names, pl.Float64))

    return pl.concat([chunk(rows) for rows in chunks], rechunk=False)


def complete(frame: pl.DataFrame) -> pl.Series:
    """Which rows have a finite value in every feature."""
    return frame.select(pl.all_horizontal(pl.all().is_finite().fill_null(value=False))).to_series()


RELAXED = settings(
    max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "60")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@RELAXED
@given(tables(), st.sampled_from(["null", "impute"]))
def test_a_table_fits_or_says_why_and_its_scores_are_sound(frame: pl.DataFrame, missing: str) -> None:
    options = {**FAST, "missing": missing}
    try:
        data = frame.select(anorand.fit(pl.all(), **options)).item()
    except pl.exceptions.ComputeError as error:
        assert "at least 2 rows" in str(error) or "has no value" in str(error)  # noqa: PT017
        return
    scores = frame.select(anorand.score(pl.all(), data)).to_series()
    assert scores.len() == frame.height
    scored = scores.drop_nulls()
    assert scored.is_between(0, 1, closed="none").all()
    if missing == "null":
        assert scores.is_not_null().equals(complete(frame).alias("score"))
    else:
        assert scored.len() == frame.height


@RELAXED
@given(tables(), st.integers(0, 3))
def test_chunks_never_change_a_model(frame: pl.DataFrame, seed: int) -> None:
    def outcome(table: pl.DataFrame) -> object:
        try:
            return table.select(anorand.fit(pl.all(), **{**FAST, "seed": seed})).item()
        except pl.exceptions.ComputeError as error:
            return str(error)

    assert outcome(frame) == outcome(frame.rechunk())


@RELAXED
@given(tables())
def test_scores_are_always_equation_8(frame: pl.DataFrame) -> None:
    try:
        data = frame.select(anorand.fit(pl.all(), preset="paper", epochs=1)).item()
    except pl.exceptions.ComputeError:
        reject()
    rows = frame.filter(complete(frame))
    offset = reference.load(data)["scaling.offset"]
    scale = reference.load(data)["scaling.scale"]
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = (rows.to_numpy() - offset) / scale
    # Beyond it, the plain formula can't say it: the tests of extreme values see to that.
    assume((np.abs(scaled) < 1e5).all())
    scores = rows.select(anorand.score(pl.all(), data)).to_series().to_numpy()
    np.testing.assert_allclose(scores, reference.score(data, rows.to_numpy()), atol=1e-5)
    assert not math.isnan(scores.sum())


@RELAXED
@given(tables(), st.sampled_from(["default", "paper"]), st.sampled_from(["minmax", "asinh"]))
def test_explanations_always_add_up(frame: pl.DataFrame, preset: str, scaling: str) -> None:
    options: dict[str, Any] = {**FAST, "preset": preset, **internals(scaling=scaling)}
    try:
        model = anorand.Model(frame.select(anorand.fit(pl.all(), **options)).item())
    except pl.exceptions.ComputeError:
        reject()
    out = frame.select(anorand.score(pl.all(), model), anorand.explain(pl.all(), model))
    sums = out["explanation"].struct.unnest().sum_horizontal(ignore_nulls=False)
    assert sums.is_null().equals(out["score"].is_null().alias(sums.name))
    # Where all rows are equal, nats are in units of the heads' rounding, which differs between float32 and float64.
    assume(frame.n_unique() > 1)
    start = (out["score"] - sums).drop_nulls().to_numpy()
    ordinary = reference.ordinary_scores(model.to_bytes())
    assert (np.abs(start[:, None] - ordinary).min(axis=1, initial=1) < 1e-3).all()


@RELAXED
@given(tables(), st.lists(st.integers(0, 3), min_size=48, max_size=48))
def test_each_group_is_fitted_as_if_alone(frame: pl.DataFrame, keys: list[int]) -> None:
    keyed = frame.with_columns(key=pl.Series(keys, dtype=pl.Int64).head(frame.height))
    features = pl.exclude("key")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # groups too small
        models = keyed.select(anorand.fit(features, by="key", min_group_rows=2, **FAST)).unnest("model")
    assert models["key"].to_list() == keyed["key"].unique(maintain_order=True).to_list()
    for key, model in models.iter_rows():
        rows = keyed.filter(pl.col("key") == key)
        try:
            alone = rows.select(anorand.fit(features, **FAST)).item()
        except pl.exceptions.ComputeError:
            alone = None
        assert model == alone
