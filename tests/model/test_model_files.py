"""Contract: a file that is not a model, or not a whole one, is an error that says what is wrong with it."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES
from safetensors.numpy import load, save

import polars_anorand as anorand


def rebuilt(data: bytes, change: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> bytes:
    """The file with some of its metadata or tensors changed, as another program would write it."""
    entry = reference.metadata(data) | (change or {})
    return save(load(data) | (tensors or {}), {"anorand": json.dumps(entry)})


def refusal(data: bytes) -> str:
    with pytest.raises(ValueError, match="anorand") as caught:
        anorand.Model(data)
    return str(caught.value)


def test_an_empty_file_is_refused() -> None:
    assert "empty" in refusal(b"")


def test_a_truncated_file_is_refused(model: anorand.Model) -> None:
    data = model.to_bytes()
    for length in [1, 7, 8, 9, 100, 1_000, len(data) // 2, len(data) - 1]:
        assert "can't be read as safetensors" in refusal(data[:length])


def test_trailing_bytes_are_refused(model: anorand.Model) -> None:
    assert "can't be read as safetensors" in refusal(model.to_bytes() + b"x")


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 2**32, 10**8])
def test_a_huge_header_length_is_refused(model: anorand.Model, length: int) -> None:
    assert "can't be read as safetensors" in refusal(struct.pack("<Q", length) + model.to_bytes()[8:])


def test_a_flipped_byte_is_refused_or_harmless(model: anorand.Model) -> None:
    data = model.to_bytes()
    (header,) = struct.unpack("<Q", data[:8])
    # All of the header, where a flip can do anything, and a sample of the numbers, where it must be found.
    positions = [*range(8 + header), *random.Random(0).sample(range(8 + header, len(data)), 300)]
    for at in positions:
        flipped = bytearray(data)
        flipped[at] ^= 0x20
        try:
            survivor = anorand.Model(bytes(flipped))
        except ValueError:
            continue
        assert at < 8 + header, f"byte {at} of the numbers"
        # Only the padding between header and numbers, which means nothing.
        assert survivor.options == model.options
        assert survivor.features == model.features
        assert survivor.alpha == model.alpha


def test_a_flipped_byte_of_the_numbers_is_called_damage(model: anorand.Model) -> None:
    flipped = bytearray(model.to_bytes())
    flipped[-10] ^= 1
    assert "damaged" in refusal(bytes(flipped))


@pytest.mark.parametrize(("version", "advice"), [(3, "upgrade"), (1, "fit the model again")])
def test_another_format_version_is_refused(model: anorand.Model, version: int, advice: str) -> None:
    message = refusal(rebuilt(model.to_bytes(), {"format": version}))
    assert f"format version {version}" in message
    assert advice in message


def test_another_number_of_members_is_refused(model: anorand.Model) -> None:
    message = refusal(rebuilt(model.to_bytes(), {"members": model.members + 1}))
    assert f"an ensemble of {model.members + 1} networks" in message


@pytest.mark.parametrize("members", [0, -1, 10**12])
def test_an_impossible_number_of_members_is_refused(model: anorand.Model, members: int) -> None:
    assert f"it has {members} networks" in refusal(rebuilt(model.to_bytes(), {"members": members}))


def test_other_feature_names_are_damage(model: anorand.Model) -> None:
    features = reference.metadata(model.to_bytes())["features"]
    renamed = [feature | {"name": "z" + feature["name"]} for feature in features]
    assert "damaged" in refusal(rebuilt(model.to_bytes(), {"features": renamed}))


def test_a_missing_tensor_is_named(model: anorand.Model) -> None:
    tensors = load(model.to_bytes())
    del tensors["nd.0.weight"]
    data = save(tensors, {"anorand": json.dumps(reference.metadata(model.to_bytes()))})
    assert '"nd.0.weight" is missing' in refusal(data)


def test_another_safetensors_file_is_refused(model: anorand.Model) -> None:
    assert 'without the metadata entry "anorand"' in refusal(save(load(model.to_bytes())))


def test_text_is_refused() -> None:
    assert "can't be read as safetensors" in refusal(b"fold,score\n1,0.5\n" * 100)


def test_a_bad_file_is_named_by_load_and_by_score(frame: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(b"not a model")
    with pytest.raises(ValueError, match="bad.safetensors"):
        anorand.Model.load(path)
    with pytest.raises(pl.exceptions.ComputeError, match="bad.safetensors"):
        frame.select(anorand.score(FEATURES, path))


def test_a_missing_file_is_named(frame: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="none.safetensors"):
        anorand.Model.load(tmp_path / "none.safetensors")
    with pytest.raises(pl.exceptions.ComputeError, match="none.safetensors"):
        frame.select(anorand.score(FEATURES, tmp_path / "none.safetensors"))


def test_a_folder_is_not_a_model(frame: pl.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="is a folder"):
        frame.select(anorand.score(FEATURES, tmp_path))


def test_bad_bytes_in_a_column_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="not a model"):
        frame.select(anorand.score(FEATURES, pl.lit(b"nothing")))


def test_a_model_fitted_again_to_the_same_path_is_read_again(frame: pl.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    scores = []
    for seed in (1, 2):
        frame.select(anorand.fit(FEATURES, path=path, seed=seed, **FAST))
        scores.append(frame.select(anorand.score(FEATURES, path)).to_series())
    assert not scores[0].equals(scores[1])
