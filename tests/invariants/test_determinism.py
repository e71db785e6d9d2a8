"""Contract: the same seed, data and options give the same model, to the byte, whatever the threads and the chunks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand

PROGRAM = """
import hashlib
import numpy as np, polars as pl, polars_anorand as anorand
rng = np.random.default_rng(3)
frame = pl.DataFrame({"a": rng.normal(size=40_000), "b": rng.normal(size=40_000)})
model = frame.select(anorand.fit(["a", "b"], epochs=1, min_steps=0)).item()
scores = frame.select(anorand.score(["a", "b"], model)).to_series().to_numpy()
print(hashlib.sha256(model + scores.tobytes()).hexdigest())
"""


def fitted(frame: pl.DataFrame, **options: int) -> bytes:
    data: bytes = frame.select(anorand.fit(FEATURES, **FAST, **options)).item()
    return data


def test_the_same_seed_gives_the_same_bytes(frame: pl.DataFrame) -> None:
    assert fitted(frame, seed=4) == fitted(frame, seed=4)


def test_another_seed_gives_another_model(frame: pl.DataFrame) -> None:
    assert fitted(frame, seed=4) != fitted(frame, seed=5)


@pytest.mark.parametrize("chunks", [2, 7, 100])
def test_chunks_do_not_matter(frame: pl.DataFrame, chunks: int) -> None:
    parts = [frame[at::chunks] for at in range(chunks)]
    chunked = pl.concat(parts, rechunk=False)
    assert chunked.n_chunks() == chunks
    assert fitted(chunked) == fitted(chunked.rechunk())


def test_threads_do_not_matter() -> None:
    digests = set()
    for threads in ["1", "2"]:
        environment = os.environ | {"POLARS_MAX_THREADS": threads, "OMP_NUM_THREADS": threads}
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(run.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == len(hashlib.sha256().hexdigest())


THREADS = """
from pathlib import Path
import polars as pl
import polars_anorand as anorand
frame = pl.DataFrame({"a": [float(at % 13) for at in range(5_000)]})
frame.select(anorand.score("a", epochs=1, min_steps=0))
names = [(task / "comm").read_text() for task in Path("/proc/self/task").iterdir()]
print(sum(name.startswith("anorand-") for name in names))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted in /proc")
@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"POLARS_ANORAND_THREADS": "3"}, 3),
        ({"POLARS_MAX_THREADS": "2"}, 2),
        ({"POLARS_ANORAND_THREADS": "1", "POLARS_MAX_THREADS": "4"}, 1),
    ],
)
def test_threads_are_bounded(environment: dict[str, str], expected: int) -> None:
    run = subprocess.run(
        [sys.executable, "-c", THREADS], env=os.environ | environment, capture_output=True, text=True, check=True
    )
    assert int(run.stdout) == expected


@pytest.mark.parametrize("threads", ["0", "many"])
def test_a_number_of_threads_that_is_none_is_refused(threads: str) -> None:
    environment = os.environ | {"POLARS_ANORAND_THREADS": threads}
    run = subprocess.run([sys.executable, "-c", THREADS], env=environment, capture_output=True, text=True, check=False)
    assert "POLARS_ANORAND_THREADS must be a whole number from 1 to " in run.stderr
    assert f'got "{threads}"' in run.stderr


def test_the_row_order_of_the_options_does_not_matter(frame: pl.DataFrame) -> None:
    one = frame.select(anorand.fit(FEATURES, epochs=2, min_steps=0, seed=1)).item()
    other = frame.select(anorand.fit(FEATURES, seed=1, min_steps=0, epochs=2)).item()
    assert one == other
