"""Contract: a `Model` is a value, and its file is written whole or not at all."""

from __future__ import annotations

import copy
import os
import pickle
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand
from polars_anorand import _polars_anorand as _core


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


def test_it_differs_from_a_model_of_another_seed(frame: pl.DataFrame, model: anorand.Model) -> None:
    same, other = (anorand.Model(frame.select(anorand.fit(FEATURES, seed=seed, **FAST)).item()) for seed in (0, 1))
    assert model == same != other
    assert len({model, same, other}) == 2


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


def test_a_file_that_is_replaced_hands_on_its_permissions(
    frame: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    for mode in [0o600, 0o640, 0o666]:
        path.write_bytes(b"old")
        path.chmod(mode)
        model.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == mode
        frame.select(anorand.fit(FEATURES, path=path, **FAST))
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_other_threads_run_while_a_model_is_parsed_and_written(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": range(20), "b": range(20)})
    wide: anorand.FitOptions = {"members": 1, "hidden": [3_000, 1_500], "epochs": 1, "min_steps": 0, "batch_size": 2}
    files = [frame.select(anorand.fit(["a", "b"], seed=seed, max_samples=2, **wide)).item() for seed in range(9)]
    longest, stop = [0.0], threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not stop.is_set():
            now = time.perf_counter()
            longest[0], last = max(longest[0], now - last), now

    def share_of_standstill(call: Callable[[], object]) -> float:
        longest[0], begun = 0.0, time.perf_counter()
        call()
        taken = time.perf_counter() - begun
        time.sleep(0.02)  # the other thread sees how long it stood still
        return longest[0] / taken

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        parsed = [share_of_standstill(lambda data=data: _core.model_metadata(data)) for data in files]  # type: ignore[misc]
        written = [share_of_standstill(lambda: _core.write_file(str(tmp_path / "model"), files[0])) for _ in range(9)]
    finally:
        stop.set()
        thread.join()
    # The best of nine, since a busy machine may stop any thread for a while.
    assert min(parsed) < 0.4, parsed
    assert min(written) < 0.4, written


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


@contextmanager
def fit_under_way(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that fits a model to a path, and has claimed its temporary file; killed at the end."""
    program = f"""
import polars as pl, polars_anorand as anorand
print("ready", flush=True)
pl.DataFrame({{"a": range(1000)}}).select(anorand.fit("a", path={str(path)!r}, epochs=1_000_000))
"""
    before = len(os.listdir(path.parent))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            deadline = time.monotonic() + 60
            while len(os.listdir(path.parent)) == before and time.monotonic() < deadline:
                time.sleep(0.05)
            assert len(os.listdir(path.parent)) == before + 1, "the fit has begun, and claimed a temporary file"
            yield process
        finally:
            process.send_signal(signal.SIGKILL)


def test_a_killed_fit_leaves_the_file_as_it_was(model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    with fit_under_way(path):
        pass
    assert anorand.Model.load(path) == model


def test_what_a_killed_fit_left_is_removed_by_the_next_one_to_that_path(
    frame: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    path = tmp_path / "model"
    for again in [lambda: model.save(path), lambda: frame.select(anorand.fit(FEATURES, path=path, **FAST))]:
        with fit_under_way(path):
            pass
        model.save(tmp_path / "model-2")
        assert len([name for name in os.listdir(tmp_path) if name.endswith(".tmp")]) == 1, "of another path: kept"
        again()
        assert sorted(os.listdir(tmp_path)) == ["model", "model-2"]


def test_a_fit_under_way_keeps_its_temporary_file(model: anorand.Model, tmp_path: Path) -> None:
    with fit_under_way(tmp_path / "model"):
        model.save(tmp_path / "model")
        assert len([name for name in os.listdir(tmp_path) if name.endswith(".tmp")]) == 1


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


def test_a_contamination_that_is_no_number_is_refused_by_name(model: anorand.Model) -> None:
    for given in ["1%", None, [0.01]]:
        with pytest.raises(TypeError, match="contamination must be a number"):
            model.threshold(given)  # type: ignore[arg-type]


def test_a_path_is_not_bytes() -> None:
    with pytest.raises(TypeError, match="Model.load"):
        anorand.Model("model.safetensors")
