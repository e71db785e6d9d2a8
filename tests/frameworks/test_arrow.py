"""Contract: on Arrow tables, as Ray's and Spark's workers have them, columns may have any name."""

from __future__ import annotations

import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand
from polars_anorand._arrow import detected, fit_group


@pytest.mark.parametrize("name", ["model", "score", "anomaly", "found", "group"])
def test_features_may_be_called_as_results_are(frame: pl.DataFrame, name: str) -> None:
    rows = frame.rename({"a": name}).with_columns(key=pl.lit("k"))
    features = [name, "b", "c"]
    fitted = fit_group(["key"], features, 20, FAST, rows.to_arrow())
    model = fitted["model"][0].as_py()
    assert anorand.Model(model).features == features
    found = detected(rows.to_arrow(), model, features, contamination=0.05)
    expected = rows.select(anorand.detect(features, model, contamination=0.05, name="result")).unnest("result")
    assert found.equals(expected)
