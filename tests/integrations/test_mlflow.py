"""Contract: a model that MLflow stores is the same when it is loaded, and scores as the verbs do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import polars as pl
import pytest
from engines import FAST
from mlflow.models import infer_signature

import polars_anorand as anorand
from polars_anorand import mlflow as anorand_mlflow


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    # MLflow 3 advises a database instead of files; a file store needs no server.
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "store").as_uri())
    mlflow.set_experiment("anorand")
    with mlflow.start_run() as started:
        yield started


def test_a_logged_model_is_loaded_as_it_was(run: Any, model: anorand.Model) -> None:
    logged = anorand_mlflow.log_model(model, "detector")
    assert anorand_mlflow.load_model(logged.model_uri) == model
    assert anorand_mlflow.load_model(f"runs:/{run.info.run_id}/detector") == model


def test_the_pyfunc_scores_as_detect_does(run: Any, frame: pl.DataFrame) -> None:
    # pandas has no dates, and puts decimals and integers with nulls into other types.
    features = ["number", "kind", "instant", "clock", "took"]
    model = anorand.Model(frame.select(anorand.fit(features, **FAST)).item())
    rows = frame.select(features).to_pandas()
    # MLflow drops params that a signature does not name.
    signature = infer_signature(params={"contamination": 0.01})
    predictor = mlflow.pyfunc.load_model(anorand_mlflow.log_model(model, signature=signature).model_uri)
    for contamination in [None, 0.2]:
        found = predictor.predict(rows, params={"contamination": contamination} if contamination else None)
        verb = anorand.detect(features, model, contamination=contamination)
        expected = pl.from_pandas(rows).select(verb).unnest("anomaly")
        assert pl.from_pandas(found).rows() == expected.rows()


def test_nothing_in_the_folder_is_pickled(model: anorand.Model, tmp_path: Path) -> None:
    anorand_mlflow.save_model(model, tmp_path / "model")
    names = {path.name for path in (tmp_path / "model").iterdir()}
    expected = {"MLmodel", "conda.yaml", "model.safetensors", "python_env.yaml", "requirements.txt"}
    assert names == expected
    assert anorand.Model.load(tmp_path / "model" / "model.safetensors") == model
    assert anorand_mlflow.load_model(str(tmp_path / "model")) == model


def test_what_is_wrong_is_said(model: anorand.Model, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="takes a polars_anorand.Model, got bytes"):
        anorand_mlflow.save_model(model.to_bytes(), tmp_path)  # type: ignore[arg-type]
    (tmp_path / "there").touch()
    with pytest.raises(FileExistsError, match="is not empty"):
        anorand_mlflow.save_model(model, tmp_path)
