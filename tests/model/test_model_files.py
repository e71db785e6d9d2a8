"""Contract: a file that is not a model, or not a whole one, is an error that says what is wrong with it."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import re
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES, internals
from safetensors.numpy import load, save

import polars_anorand as anorand


def rebuilt(data: bytes, change: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None) -> bytes:
    """The file with some of its metadata or tensors changed, as another program would write it."""
    entry = reference.metadata(data) | (change or {})
    return save(load(data) | (tensors or {}), {"anorand": json.dumps(entry)})


def sealed(entry: dict[str, Any], tensors: dict[str, Any]) -> bytes:
    """A file of these parts with the right checksum, as somebody with another program could write it."""
    text = json.dumps(entry)
    checksum = zlib.crc32(text.encode())
    for name in sorted(tensors.keys() - {"checksum"}):
        checksum = zlib.crc32(tensors[name].tobytes(), checksum)
    return save(tensors | {"checksum": np.array([checksum], dtype=np.uint32)}, {"anorand": text})


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


@pytest.mark.parametrize(("version", "advice"), [(2, "upgrade"), (2**32, "upgrade"), (0, "fit the model again")])
def test_another_format_version_is_refused(model: anorand.Model, version: int, advice: str) -> None:
    message = refusal(rebuilt(model.to_bytes(), {"format": version}))
    assert f"format version {version}" in message
    assert advice in message


def test_a_later_format_is_named_before_its_unknown_fields(model: anorand.Model) -> None:
    assert "upgrade" in refusal(rebuilt(model.to_bytes(), {"format": 2, "new": 1, "options": "others"}))


@pytest.mark.parametrize("at", [(), ("options",), ("training",), ("combiner",), ("features", 0)])
def test_an_unknown_field_of_a_known_format_is_refused(model: anorand.Model, at: tuple[str | int, ...]) -> None:
    entry: Any = reference.metadata(model.to_bytes())
    part = entry
    for key in at:
        part = part[key]
    part["new"] = 1
    assert "unknown field `new`" in refusal(sealed(entry, load(model.to_bytes())))


def test_an_unknown_tensor_is_refused(model: anorand.Model) -> None:
    assert 'has no tensor "new"' in refusal(rebuilt(model.to_bytes(), tensors={"new": np.zeros(1)}))


def test_another_number_of_members_is_refused(model: anorand.Model) -> None:
    message = refusal(rebuilt(model.to_bytes(), {"members": model.members + 1}))
    assert f"an ensemble of {model.members + 1} networks" in message


@pytest.mark.parametrize("members", [0, 10**12])
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


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_regular_file_is_refused_at_once(frame: pl.DataFrame, tmp_path: Path, kind: str) -> None:
    """To open a pipe would wait for its other end, and the device has no end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    given = path if kind == "pipe" else Path("/dev/zero")
    with pytest.raises(pl.exceptions.ComputeError, match="is a device, a pipe or a socket"):
        frame.select(anorand.score(FEATURES, given))
    with pytest.raises(pl.exceptions.ComputeError, match="is a device, a pipe or a socket"):
        frame.select(anorand.fit(FEATURES, init=given, **FAST))
    with pytest.raises(OSError, match="is a device, a pipe or a socket") as caught:
        anorand.Model.load(given)
    assert (caught.value.errno, caught.value.filename) == (errno.EINVAL, str(given))


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


def test_a_file_that_changed_in_place_and_says_the_old_time_is_read_again(
    frame: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    """As `cp -p`, `tar` and `rsync -t` leave it."""
    path = tmp_path / "model.safetensors"
    others = (anorand.Model(frame.select(anorand.fit(FEATURES, seed=seed, **FAST)).item()) for seed in range(1, 60))
    other = next(each for each in others if len(each.to_bytes()) == len(model.to_bytes()))
    scores = []
    for given in (model, other):
        path.write_bytes(given.to_bytes())
        os.utime(path, (1e9, 1e9))
        scores.append(frame.select(anorand.score(FEATURES, path)).to_series())
        assert scores[-1].equals(frame.select(anorand.score(FEATURES, given)).to_series())
    assert not scores[0].equals(scores[1])


def test_a_header_of_megabytes_is_refused_in_a_moment(of_all_kinds: anorand.Model) -> None:
    data = of_all_kinds.to_bytes()
    entry = reference.metadata(data)
    entry["encoding"][3] = ["value", *({"is": code} for code in range(200_000))]
    entry["frequencies"][3]["remembered"] = 2**39
    begun = time.perf_counter()
    message = refusal(sealed(entry, load(data)))
    assert time.perf_counter() - begun < 2
    assert 'the inputs of feature "name" are 200001, expected at most' in message


@pytest.fixture(scope="module")
def of_all_kinds() -> anorand.Model:
    """A small model with numbers, a date, categories and labels."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "x": rng.normal(size=60),
            "day": pl.Series(rng.integers(0, 9_999, 60)).cast(pl.Int32).cast(pl.Date),
            "wait": pl.Series(rng.integers(0, 9_999, 60)).cast(pl.Duration("ms")),
            "name": rng.choice(["a", "b", "naïve"], 60),
            "label": rng.random(60) < 0.3,
        }
    )
    fit = anorand.fit(
        pl.exclude("label"),
        labels="label",
        members=2,
        hidden=[4, 3],
        latent=2,
        min_steps=5,
        missing="impute",
        **internals(combination="robust"),
    )
    return anorand.Model(frame.select(fit).item())


def test_a_file_that_is_sealed_again_is_read(of_all_kinds: anorand.Model) -> None:
    data = of_all_kinds.to_bytes()
    again = anorand.Model(sealed(reference.metadata(data), load(data)))
    assert again.categories == of_all_kinds.categories


NUMBERS = [0, -1, 1, 2, 3, 60, 10**6, 2**31, 2**40, 2**63, 2**64 - 1, 0.5, -0.5, 1.5, 1e-12, 1e30, -1e30, 1e300, 5e-324]
OTHERS: list[Any] = [None, True, "", "x", "robust", "Category", "Date", [], [1], {}]
FLOATS = [0.0, -1.0, 1.0, 0.5, 2.0, 1e-40, 1e-12, 1e12, -1e12, 1e30, -1e30, 3e38, math.inf, -math.inf, math.nan]


def leaves(part: Any) -> Iterator[Callable[[Any], None]]:
    """A setter for each value of some JSON."""
    for key in part if isinstance(part, dict) else range(len(part)):
        yield lambda value, key=key: part.__setitem__(key, value)  # type: ignore[misc]
        if isinstance(part[key], (dict, list)):
            yield from leaves(part[key])


def mutant(data: bytes, rng: random.Random) -> bytes:
    """The file with one to three of its values changed, and a right checksum."""
    entry, tensors = reference.metadata(data), load(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        if rng.random() < 0.5:
            rng.choice(list(leaves(entry)))(rng.choice([*NUMBERS, *NUMBERS, *OTHERS]))
            continue
        name = rng.choice(sorted(tensors.keys() - {"checksum"}))
        changed = tensors[name].copy()
        at = rng.randrange(changed.size)
        if changed.dtype.kind == "f":
            with np.errstate(over="ignore"):
                changed.flat[at] = rng.choice(FLOATS)
        else:
            changed.flat[at] = rng.randrange(int(np.iinfo(changed.dtype).max) + 1) if rng.random() < 0.5 else at
        tensors[name] = changed
    return sealed(entry, tensors)


def test_a_file_with_other_values_and_a_right_checksum_works_or_is_refused(of_all_kinds: anorand.Model) -> None:
    rng = random.Random(0)
    data = of_all_kinds.to_bytes()
    properties = [name for name, value in vars(anorand.Model).items() if isinstance(value, property)]
    row = pl.DataFrame(
        {"x": [0.1, -1e300], "day": [9, -9], "wait": [10**6, 5], "name": ["a", "new"]},
        schema_overrides={"day": pl.Int32, "wait": pl.Int64},
    ).cast({"day": pl.Date, "wait": pl.Duration("ms")})
    loaded = 0
    for _ in range(1_500):
        changed = mutant(data, rng)
        try:
            model = anorand.Model(changed)
        except ValueError:
            continue
        loaded += 1
        assert {name for name in properties if getattr(model, name) is NotImplemented} == set()
        assert 0.0 <= model.threshold(0.01) <= 1.0
        assert "Model(" in repr(model)
        if set(model.features) == set(row.columns) and same_kinds(model, of_all_kinds):
            scores = row.select(anorand.score(pl.all(), model)).to_series()
            assert scores.is_not_nan().all(), reference.metadata(changed)
    assert loaded > 50, "mutants that are all refused show nothing"


def same_kinds(model: anorand.Model, other: anorand.Model) -> bool:
    """Whether both score the same columns."""
    kinds = [[feature["kind"] for feature in reference.metadata(of.to_bytes())["features"]] for of in (model, other)]
    return kinds[0] == kinds[1]


def set_at(name: str, at: int, number: float) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Puts a number into a tensor."""

    def change(entry: dict[str, Any], tensors: dict[str, Any]) -> None:
        tensors[name] = tensors[name].copy()
        tensors[name].flat[at] = number

    return change


def in_entry(*keys: Any, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Puts a value into the metadata."""

    def change(entry: dict[str, Any], tensors: dict[str, Any]) -> None:
        part: Any = entry
        for key in keys[:-1]:
            part = part[key]
        part[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (in_entry("members", value=1_000_000), "networks"),
        (in_entry("members", value=2**63), "can't be read|networks"),
        (in_entry("options", "hidden", value=[4_096] * 8), "is missing|needs"),
        (in_entry("options", "hidden", value=[2**40]), "widths"),
        (set_at("nd.0.weight", 0, math.nan), "not a finite number"),
        (set_at("decoder.0.bias", 0, math.inf), "not a finite number"),
        (set_at("scaling.scale", 0, 0.0), "scal|spread"),
        (set_at("scaling.scale", 0, math.nan), "scal|spread"),
        (set_at("scores.quantiles", 0, 0.99), "score"),
        (set_at("scores.highest", 0, 2.0), "score"),
        (set_at("kept.rows", 0, math.nan), "kept rows is not finite"),
        (set_at("kept.unit", 1, -1.0), "unit of its kept rows"),
        (set_at("kept.centre", 0, math.inf), "centre of its kept rows"),
        (set_at("kept.scale", 0, 0.0), "kept rows"),
        (in_entry("kept_odds", value=0.5), "odds of its kept rows"),
        (in_entry("kept_odds", value=None), "odds of its kept rows"),
        (in_entry("options", "kept_neighbors", value=6), "out of range"),
        (set_at("inputs", 0, 10**6), "sees an input"),
        (set_at("inputs", 0, -1), "sees an input"),
    ],
)
def test_a_hostile_model_with_a_right_checksum_is_refused(
    model: anorand.Model, change: Callable[[dict[str, Any], dict[str, Any]], None], reason: str
) -> None:
    entry, tensors = reference.metadata(model.to_bytes()), load(model.to_bytes())
    change(entry, tensors)
    assert re.search(reason, refusal(sealed(entry, tensors)))


REFIT = """
import resource, sys
import polars as pl, polars_anorand as anorand
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
rows = pl.DataFrame({"x": [float(row % 7) for row in range(60)], "word": ["a", "b", "c"] * 20})
try:
    model = rows.select(anorand.fit(pl.all(), init=sys.argv[1], min_steps=1)).item()
    print("a model of", anorand.Model(model).training["rows"])
except pl.exceptions.PolarsError as error:
    print(error)
"""


@pytest.mark.parametrize(("rare", "found"), [(2**40, f"a model of {2**40 + 120}"), (2**60, f"at most {2**48}")])
def test_a_refit_of_a_model_that_speaks_of_very_many_rare_values_takes_no_memory_for_each(
    tmp_path: Path, rare: int, found: str
) -> None:
    """In a process of its own, which memory that can't be had would abort."""
    rows = pl.DataFrame({"x": [float(row % 7) for row in range(60)], "word": ["a", "b", "c"] * 20})
    data = rows.select(anorand.fit(pl.all(), min_steps=1)).item()
    entry = reference.metadata(data)
    entry["frequencies"][1] |= {"rare_values": rare, "rare_rows": rare}
    entry["training"] |= {"rows": rare + 60, "sampled": 60, "scored": 60}
    (tmp_path / "model").write_bytes(sealed(entry, load(data)))
    command = [sys.executable, "-c", REFIT, str(tmp_path / "model")]
    process = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert process.returncode == 0, process.stderr
    assert found in process.stdout


@pytest.mark.parametrize("shift", [-4, 4, 2**62])
def test_tensors_that_overlap_or_leave_the_file_are_refused(model: anorand.Model, shift: int) -> None:
    data = model.to_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    begin, end = header["nd.0.weight"]["data_offsets"]
    header["nd.0.weight"]["data_offsets"] = [begin + shift, end + shift]
    text = json.dumps(header).encode()
    assert "can't be read as safetensors" in refusal(struct.pack("<Q", len(text)) + text + data[8 + length :])
