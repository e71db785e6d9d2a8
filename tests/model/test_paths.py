"""Contract: the path of a model is a local file's, and is read in one way by all that take one; a URL is refused."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from conftest import FAST, FEATURES
from verbs import Verb, every_applying_verb

import polars_anorand as anorand

URLS = pytest.mark.parametrize(
    "url",
    [
        "s3://bucket/model.safetensors",
        "gs://bucket/model.safetensors",
        "HTTPS://host/model.safetensors",
        "abfss://container@account/model",
        "file:///tmp/model.safetensors",
        Path("s3://bucket/model.safetensors"),  # one of its slashes is gone
    ],
    ids=str,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("kind", [str, Path])
def test_a_tilde_is_the_home_folder_wherever_a_path_is_taken(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, home: Path, kind: Callable[[str], Any]
) -> None:
    model.save(kind("~/saved"))
    data = frame.select(anorand.fit(FEATURES, path=kind("~/fitted"), **FAST)).item()
    assert sorted(os.listdir(home)) == ["fitted", "saved"]
    assert (home / "fitted").read_bytes() == data
    assert anorand.Model.load(kind("~/saved")) == model
    assert frame.select(anorand.score(FEATURES, kind("~/saved"))).to_series().equals(scores)


def test_a_relative_path_is_that_of_the_folder_in_which_the_expression_was_made(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    model.save("model.safetensors")
    lazy = frame.lazy().select(anorand.score(FEATURES, "model.safetensors"))
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert lazy.collect().to_series().equals(scores)


@URLS
@every_applying_verb
def test_a_url_to_read_is_refused_when_the_expression_is_made(verb: Verb, url: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a local file, got the URL .*fsspec\.open.* and pass the bytes"):
        verb.function(FEATURES, url)


@URLS
def test_a_url_is_refused_by_load_save_and_fit(model: anorand.Model, url: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a local file, got the URL .* and pass the bytes"):
        anorand.Model.load(url)
    for write in [model.save, lambda path: anorand.fit(FEATURES, path=path)]:
        with pytest.raises(ValueError, match=r"must be a local file, got the URL .*to_bytes\(\) with a client"):
            write(url)


def test_a_local_name_that_looks_a_little_like_a_url_is_none(model: anorand.Model, tmp_path: Path) -> None:
    for name in ["2024-01-01T00:00:00", "a:b", "s3:"]:
        model.save(tmp_path / name)
        assert anorand.Model.load(str(tmp_path / name)) == model


def test_a_path_that_is_not_text_is_refused_at_once(model: anorand.Model) -> None:
    for call in [anorand.Model.load, model.save, lambda path: anorand.fit(FEATURES, path=path)]:
        with pytest.raises(TypeError, match=r"path must be a str or an os.PathLike of one, got 3 \(int\)"):
            call(3)


def test_what_can_not_be_written_is_the_os_error_that_python_has_for_it(model: anorand.Model, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    cases: list[tuple[Path, type[OSError], int, str]] = [
        (tmp_path, IsADirectoryError, errno.EISDIR, "is a folder"),
        (tmp_path / "none" / "model", FileNotFoundError, errno.ENOENT, "there is no folder"),
        (file / "model", NotADirectoryError, errno.ENOTDIR, "there is no folder"),
    ]
    for path, kind, number, message in cases:
        with pytest.raises(kind, match=message) as caught:
            model.save(path)
        assert (caught.value.errno, caught.value.filename) == (number, str(path))
    assert os.listdir(tmp_path) == ["file"]


def test_only_a_regular_file_is_replaced(frame: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for given in [path, Path("/dev/null")]:
        with pytest.raises(OSError, match="is a device, a pipe or a socket") as caught:
            model.save(given)
        assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(given))
        with pytest.raises(pl.exceptions.ComputeError, match="is a device, a pipe or a socket"):
            frame.select(anorand.fit(FEATURES, path=given, epochs=1_000_000))
        with pytest.raises(OSError, match="is a device, a pipe or a socket"):
            anorand.report(frame, model, path=given)
    assert (stat.S_ISFIFO(path.stat().st_mode), os.listdir(tmp_path)) == (True, ["pipe"])
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_link_to_a_file_that_is_not_there_yet_stays_a_link(model: anorand.Model, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("model")
    model.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert anorand.Model.load(tmp_path / "model") == model


def test_a_folder_that_takes_no_file_is_an_os_error_with_its_number(model: anorand.Model) -> None:
    # Not writable for anyone, root included.
    with pytest.raises(OSError, match="can't be written") as caught:
        model.save("/proc/model")
    assert caught.value.errno in {errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS}
    assert caught.value.filename == "/proc/model"


def test_a_file_that_can_not_be_written_whole_is_an_error_with_the_systems_number(
    model: anorand.Model, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    model.save(path)
    before = path.read_bytes()
    program = """
import resource, signal, sys
import polars_anorand as anorand

path = sys.argv[1]
model = anorand.Model.load(path)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
try:
    model.save(path)
except OSError as error:
    print(error.errno, error.filename)
"""
    run = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert run.stdout.split(maxsplit=1) == [str(errno.EFBIG), f"{path}\n"]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="paths are Unicode there")
def test_a_path_need_not_be_utf_8(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.model")
    model.save(path)
    assert frame.select(anorand.score(FEATURES, path)).to_series().equals(scores)
    assert anorand.Model.load(path) == model
    fitted = frame.select(anorand.fit(FEATURES, init=path, path=path, **FAST)).item()
    assert anorand.Model.load(path).to_bytes() == fitted


def test_a_query_scores_by_one_model_where_its_file_is_replaced(
    frame: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    path = tmp_path / "model.safetensors"
    other = anorand.Model(frame.select(anorand.fit(FEATURES, seed=9, **FAST)).item())
    model.save(path)
    calls = []

    def replace(rows: pl.DataFrame) -> pl.DataFrame:
        if len(calls) == 1:
            other.save(path)
        calls.append(rows.height)
        return rows

    many = pl.concat([frame] * 400)
    query = many.lazy().map_batches(replace, streamable=True).with_columns(anorand.score(FEATURES, path))
    by_row = query.collect(engine="streaming").group_by(FEATURES).agg(pl.col("score").n_unique())
    assert by_row["score"].max() == 1
    assert len(calls) > 1, "the query came in one part"
    # The next query opens the file again.
    expected = frame.select(anorand.score(FEATURES, other)).to_series()
    for _ in range(2):
        assert query.collect(engine="streaming")["score"].head(frame.height).equals(expected)
