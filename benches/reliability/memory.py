"""Memory stays flat, and rows right: eight queries at once, many fits, many models."""

from __future__ import annotations

import argparse
import gc
import os
import threading
import time
from pathlib import Path

import polars as pl

import polars_anorand as anorand

QUICK: anorand.FitOptions = {"epochs": 1, "min_steps": 0, "members": 2}
QUERIES = 8


def resident() -> float:
    """MiB of memory that the process holds."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1_024
    raise RuntimeError("/proc/self/status has no VmRSS")


def table(rows: int, seed: int) -> pl.DataFrame:
    """Numbers, nulls and a category; another table for each seed."""
    numbers = pl.arange(rows, eager=True)
    return pl.DataFrame(
        {
            "a": (numbers * (2 * seed + 7) % 101).cast(pl.Float64),
            "b": numbers.map_elements(lambda i: None if i % 31 == 0 else (i + seed) % 13, return_dtype=pl.Int64),
            "kind": (numbers % (3 + seed)).cast(pl.String),
        }
    )


def queries(arguments: argparse.Namespace) -> None:
    """Eight threads, each with its own table, model and kind of query, compared to the bit with what it gave alone."""
    tables = [table(20_000, seed) for seed in range(QUERIES)]
    x = pl.col("a", "b", "kind")
    models = [anorand.Model(rows.select(anorand.fit(x, **QUICK)).item()) for rows in tables]
    plans = [
        rows.lazy().select(anorand.score(x, model) if at % 2 else anorand.detect(x, model, contamination=0.05))
        for at, (rows, model) in enumerate(zip(tables, models, strict=True))
    ]
    expected = [plan.collect() for plan in plans]
    until = time.monotonic() + arguments.seconds
    counts, wrong = [0] * QUERIES, [0] * QUERIES

    def work(at: int) -> None:
        while time.monotonic() < until:
            engine = "streaming" if counts[at] % 2 else "in-memory"
            found = plans[at].collect(engine=engine)  # type: ignore[call-overload]
            wrong[at] += int(not found.equals(expected[at]))
            counts[at] += 1

    threads = [threading.Thread(target=work, args=(at,)) for at in range(QUERIES)]
    for thread in threads:
        thread.start()
    held = []
    while any(thread.is_alive() for thread in threads):
        held.append(resident())
        time.sleep(max(arguments.seconds / 100, 0.1))
    fifth = max(len(held) // 5, 1)
    second, last = held[fifth : 2 * fifth] or held, held[-fifth:]
    print(
        f"{sum(counts)} queries of 20,000 rows, {QUERIES} at once, {arguments.seconds} s: {sum(wrong)} with a wrong row"
    )
    print(f"  memory: {max(second):.0f} MiB at most in the second fifth of the time, {max(last):.0f} MiB in the last")
    assert not any(wrong)
    assert min(counts) > 0


def fits(arguments: argparse.Namespace) -> None:
    """Fits one after the other in one process."""
    rows = table(2_000, 0)
    held = []
    for seed in range(arguments.fits):
        rows.select(anorand.fit(pl.all(), seed=seed, **QUICK))
        if seed % max(arguments.fits // 10, 1) == 0:
            held.append(resident())
    held.append(resident())
    print(f"{arguments.fits} fits, MiB: {' '.join(f'{each:.0f}' for each in held)}")


def models(arguments: argparse.Namespace) -> None:
    """Models that differ, each scored with once: what is kept of them is within the cache's budget.

    The budget is that of ``POLARS_ANORAND_CACHE_MIB``; a small one is reached in this run.
    """
    budget = int(os.environ.get("POLARS_ANORAND_CACHE_MIB", "1024"))
    rows = table(200, 0)
    held, sizes = [], 0
    for seed in range(arguments.models):
        model = anorand.Model(rows.select(anorand.fit(pl.all(), seed=seed, **QUICK)).item())
        sizes += len(model.to_bytes())
        assert rows.select(anorand.score(pl.all(), model)).to_series().null_count() == 0
        if seed % max(arguments.models // 10, 1) == 0:
            held.append(resident())
    held.append(resident())
    listed = " ".join(f"{each:.0f}" for each in held)
    print(
        f"{arguments.models} models of {sizes / arguments.models / 1e3:.0f} KB, a budget of {budget} MiB, MiB: {listed}"
    )
    print(f"  {held[-1] - held[0]:.0f} MiB more than after the first, {sizes / 2**20:.0f} MiB of files")
    # The budget counts what a model's parts hold; the allocator rounds it up.
    assert held[-1] - held[0] < 1.5 * budget + 10
