"""Contract: a `Model` is a value, and its file is written whole or not at all."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


def test_it_says_what_it_is(model: anorand.Model) -> None:
    assert model.features == FEATURES
    assert model.dtypes == {"a": "f64", "b": "f64", "c": "i64"}
    assert model.options["epochs"] == FAST["epochs"]
    assert model.training["rows"] == 500
    assert repr(model) == "Model(features=['a', 'b', 'c'], preset='default', training_rows=500)"


def test_it_is_equal_to_its_copies(model: anorand.Model) -> None:
    for other in [anorand.Model(model.to_bytes()), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)]:
        assert other == model
        assert hash(other) == hash(model)
    assert model != model.to_bytes()


def test_save_and_load(model: anorand.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    assert anorand.Model.load(tmp_path / "model.safetensors") == model
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_every_form_of_a_model_scores_the_same(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    data = model.to_bytes()
    column = pl.Series("m", [data] * frame.height, dtype=pl.Binary)
    for form in [path, str(path), data, model, pl.lit(data), pl.Series([data]), column]:
        assert frame.select(anorand.score(FEATURES, form)).to_series().equals(scores), type(form)


def test_fit_writes_what_it_returns(frame: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    data = frame.select(anorand.fit(FEATURES, path=path, **FAST)).item()
    assert path.read_bytes() == data


def test_a_new_file_has_the_usual_permissions(model: anorand.Model, tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    model.save(tmp_path / "model")
    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_a_link_stays_a_link(model: anorand.Model, tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "target")
    model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert anorand.Model.load(tmp_path / "target") == model


def test_a_failed_fit_leaves_the_file_as_it_was(frame: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises(pl.exceptions.PolarsError):
        frame.clear().select(anorand.fit(FEATURES, path=path, **FAST))
    assert anorand.Model.load(path) == model
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_a_killed_fit_leaves_the_file_as_it_was(model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    program = f"""
import polars as pl, polars_anorand as anorand
print("ready", flush=True)
pl.DataFrame({{"a": range(1000)}}).select(anorand.fit("a", path={str(path)!r}, epochs=1_000_000))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 60
        while len(os.listdir(tmp_path)) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert len(os.listdir(tmp_path)) == 2, "the fit has begun, and claimed a temporary file"
        process.send_signal(signal.SIGKILL)
    assert anorand.Model.load(path) == model


def test_a_folder_is_refused_before_the_fit(frame: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="is a folder"):
        frame.select(anorand.fit(FEATURES, path=tmp_path, epochs=1_000_000))


def test_a_missing_folder_is_refused_before_the_fit(frame: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="there is no folder"):
        frame.select(anorand.fit(FEATURES, path=tmp_path / "none" / "model", epochs=1_000_000))


def test_a_folder_that_takes_no_file_is_refused_before_the_fit(frame: pl.DataFrame) -> None:
    # Not writable for anyone, root included.
    with pytest.raises(pl.exceptions.ComputeError, match="can't be written"):
        frame.select(anorand.fit(FEATURES, path="/proc/model", epochs=1_000_000))


@pytest.mark.parametrize("contamination", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_a_contamination_out_of_range_is_refused(model: anorand.Model, contamination: float) -> None:
    with pytest.raises(ValueError, match="contamination must be a number above 0 and below 1"):
        model.threshold(contamination)


def test_a_path_is_not_bytes() -> None:
    with pytest.raises(TypeError, match="Model.load"):
        anorand.Model("model.safetensors")
