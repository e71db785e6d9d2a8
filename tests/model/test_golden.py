"""Contract: what a model makes of rows stays what it was when it was written.

tests/golden/make.py wrote each file, with the build that first wrote its format.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import reference

import polars_anorand as anorand

GOLDEN = Path(__file__).parent.parent / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.safetensors"))
FORMATS = dict.fromkeys(["chosen", "classified", "default", "distilled", "imputed", "labelled", "novelty", "paper"], 1)
FEATURES = ["amount", "ratio", "count", "day", "wait", "country", "grade"]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return pl.read_parquet(GOLDEN / "rows.parquet")


def close(found: pl.Series, expected: pl.Series, tolerance: float) -> None:
    assert found.is_null().equals(expected.is_null())
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), rtol=tolerance, atol=tolerance)


def test_there_is_a_model_of_each_kind() -> None:
    assert sorted(FORMATS) == NAMES
    formats = {name: reference.metadata((GOLDEN / f"{name}.safetensors").read_bytes())["format"] for name in NAMES}
    assert formats == FORMATS
    assert anorand.Model.load(GOLDEN / "default.safetensors").categories["grade"].keys() == {"a", "b", "c"}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_makes_of_rows_what_it_always_did(rows: pl.DataFrame, name: str) -> None:
    model = anorand.Model.load(GOLDEN / f"{name}.safetensors")
    found = rows.select(
        anorand.score(FEATURES, model),
        anorand.detect(FEATURES, model, contamination=0.05),
        anorand.explain(FEATURES, model),
        anorand.embed(FEATURES, model),
    )
    expected = pl.read_parquet(GOLDEN / f"{name}.parquet")
    assert found.schema == expected.schema
    close(found["score"], expected["score"], 1e-6)
    anomaly, expected_anomaly = found["anomaly"].struct.unnest(), expected["anomaly"].struct.unnest()
    close(anomaly["percentile"], expected_anomaly["percentile"], 1e-5)
    close(anomaly["rarity"], expected_anomaly["rarity"], 1e-3)
    assert anomaly["outlier"].equals(expected_anomaly["outlier"])
    for feature in FEATURES:
        contributions = [frame["explanation"].struct.field(feature) for frame in (found, expected)]
        close(contributions[0], contributions[1], 1e-5)
    for at in range(model.embedding_width):
        latents = [frame["embedding"].arr.get(at) for frame in (found, expected)]
        close(latents[0], latents[1], 1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_that_is_written_again_is_the_same_bytes(rows: pl.DataFrame, name: str, tmp_path: Path) -> None:
    model = anorand.Model.load(GOLDEN / f"{name}.safetensors")
    model.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == (GOLDEN / f"{name}.safetensors").read_bytes()
