"""Contract: options that ask for more memory than there can be are refused when a plan is built, and end no process."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import polars as pl
import pytest
from conftest import internals

import polars_anorand as anorand

HUGE: list[dict[str, Any]] = [
    {"members": 1_000, "hidden": [4_096] * 8, "latent": 4_096},
    {"members": 1, "hidden": [4_096] * 8, "latent": 4_096},
    {"members": 1_000, "hidden": [512] * 2},
]


@pytest.mark.parametrize("options", HUGE)
def test_an_ensemble_that_is_too_large_is_refused_when_the_plan_is_built(options: dict[str, Any]) -> None:
    lazy = pl.LazyFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, 4.0]})
    for verb in (anorand.fit, anorand.score, anorand.detect):
        with pytest.raises(
            pl.exceptions.ComputeError, match=r"make \d+ parameters, expected at most 134217728"
        ) as caught:
            lazy.select(verb(["a", "b"], **options)).collect_schema()
        assert f"members={options['members']}" in str(caught.value)
        assert "fewer members or narrower layers" in str(caught.value)


def test_it_is_refused_in_a_process_of_its_own_too() -> None:
    """An abort would take the interpreter with it."""
    program = f"""
import polars as pl, polars_anorand as anorand
for options in {HUGE!r}:
    try:
        pl.DataFrame({{"a": [1.0, 2.0, 3.0]}}).select(anorand.fit("a", **options))
    except pl.exceptions.ComputeError:
        print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["refused"] * len(HUGE)


def test_the_largest_batch_and_epoch_that_options_allow_fit() -> None:
    frame = pl.DataFrame({"a": [float(at) for at in range(200)], "b": [2.0 * at for at in range(200)]})
    model = frame.select(
        anorand.fit(["a", "b"], batch_size=1_000_000, members=1, **internals(synthetic_fraction=0.9, max_epochs=1))
    )
    assert model.item()


NO_CELLS = internals(combination="robust")
"""The memory is that of networks: what the cells need comes before."""

BEYOND_MEMORY: list[tuple[str, int, dict[str, Any]]] = [
    ("cells", 200, {}),
    ("networks", 600, {"hidden": [4_096] * 2, "latent": 4_096, "members": 1, **NO_CELLS}),
    ("networks in training", 1_000, {"hidden": [4_096] * 2, "latent": 4_096, "members": 1, **NO_CELLS}),
    ("synthetic anomalies", 400, {"preset": "paper", "members": 20, **internals(synthetic_fraction=0.9)}),
    ("rows of a batch", 350, {
        "batch_size": 1_000_000, "max_samples": 0, "members": 1,
        **internals(synthetic_fraction=0.9, max_features=1.0, combination="robust"),
    }),
    ("rows of all members", 400, {"max_samples": 0, "members": 1_000, **NO_CELLS}),
]  # fmt: skip
"""What there is no memory for, the megabytes that there are, and the options."""


@pytest.mark.parametrize(("what", "room", "options"), BEYOND_MEMORY, ids=[what for what, *_ in BEYOND_MEMORY])
def test_a_fit_beyond_memory_is_an_error_and_not_an_abort(what: str, room: int, options: dict[str, Any]) -> None:
    program = f"""
import numpy as np, polars as pl, polars_anorand as anorand, resource
rows = pl.DataFrame(np.random.default_rng(0).normal(size=(100_000, 100)))
# Threads, and all that is made once, before there is a limit.
rows.head(5_000).select(anorand.fit(pl.all(), members=2, min_steps=1))
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + ({room} << 20),) * 2)
try:
    rows.select(anorand.fit(pl.all(), **{options!r}))
except pl.exceptions.ComputeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"the {what} need" in done.stdout
    assert "fewer members" in done.stdout


def test_embeddings_beyond_memory_are_an_error() -> None:
    program = """
import polars as pl, polars_anorand as anorand, resource
frame = pl.DataFrame({"a": [1.0, 2.0, 3.0, 9.0]})
wide = {"members": 200, "hidden": [2], "latent": 4_096, "epochs": 1, "min_steps": 0}
model = anorand.Model(frame.select(anorand.fit("a", **wide)).item())
rows = pl.select(a=pl.int_range(200_000) * 1.0)
resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
try:
    rows.select(anorand.embed("a", model))
except pl.exceptions.ComputeError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "the embeddings need" in done.stdout
    assert "fewer members" in done.stdout
