"""A GPU against this machine's CPU, and against the rate at which rows reach it."""

from __future__ import annotations

from typing import Any

import polars as pl
import torch

import polars_anorand as anorand
from benches.common.models import internals, model_of
from benches.common.workloads import BRIEF, THREADS, frame, seconds


def gpu() -> None:
    """Where CUDA pays, in scoring and in fitting, and what it reaches of the bus's rate."""
    second = anorand.devices().row(1, named=True)
    if not second["usable"]:
        raise SystemExit(f"there is no GPU to measure: {second['note']}")
    print(f"{second['device']}: {second['note']}")
    bus = bus_rate()
    print(f"from pinned memory to the GPU: {bus / 1e9:.1f} GB/s")
    scoring(bus)
    fitting()
    groups()


def bus_rate() -> float:
    """Bytes a second of a large copy from pinned memory."""
    source = torch.empty(1 << 28, dtype=torch.uint8, pin_memory=True)
    target = torch.empty_like(source, device="cuda")

    def copy() -> None:
        target.copy_(source, non_blocking=True)
        torch.cuda.synchronize()

    return len(source) / seconds(copy, 5)


def scoring(bus: float) -> None:
    """10 million rows × 30 features, and fewer, for the crossover."""
    rows = frame(1_000_000, 30)
    train = rows.head(5_000)
    for preset in ["paper", "default"]:
        model = model_of(train, preset=preset, device="cpu", **BRIEF)
        for count in [10_000, 100_000, 1_000_000, 10_000_000]:
            part = rows.head(count) if count <= rows.height else pl.concat([rows] * (count // rows.height))
            on_cpu, on_gpu = (score_seconds(part, model, device) for device in ["cpu", "cuda"])
            print(
                f"score, {preset:7} {count:>10,} × 30: GPU {on_cpu / on_gpu:5.1f} × as fast as {THREADS} threads; "
                f"{count / on_gpu / 1e6:6.1f} M rows/s, {count * 120 / on_gpu / bus:4.0%} of the bus"
            )


def score_seconds(rows: pl.DataFrame, model: anorand.Model, device: str) -> float:
    """The time of one pass."""
    return seconds(lambda: rows.select(anorand.score(pl.all(), model, device=device)), 2)


def fitting() -> None:
    """Fleets of a growing number of members, d = 30, batch 128, 100 steps."""
    rows = frame(20_000, 30)
    for members in [1, 10, 100, 1_000]:
        on_cpu, on_gpu = (fit_seconds(rows, members, device) for device in ["cpu", "cuda"])
        print(f"fit, {members:5,} members, 100 steps: GPU {on_cpu / on_gpu:5.1f} × as fast as {THREADS} threads")


def fit_seconds(rows: pl.DataFrame, members: int, device: str) -> float:
    """The time of one fit."""
    options: dict[str, Any] = {
        "preset": "paper",
        **internals(noise="uniform"),
        "max_samples": 256,
        "members": members,
        "epochs": 1,
        "min_steps": 100,
    }
    return seconds(lambda: model_of(rows, device=device, **options), 1)


def groups() -> None:
    """One model a group, trained together on the GPU, with what comes before and after: 1,000 × 600 rows, d = 30."""
    rows = frame(600_000, 30).with_columns(group=pl.int_range(pl.len()) % 1_000)
    options: dict[str, Any] = {
        "preset": "paper",
        **internals(noise="uniform"),
        "max_samples": 256,
        "epochs": 1,
        "min_steps": 100,
    }

    def fit(device: str) -> float:
        features = pl.exclude("group")
        return seconds(lambda: rows.select(anorand.fit(features, by="group", device=device, **options)), 1)

    on_cpu, on_gpu = fit("cpu"), fit("cuda")
    print(f"fit, 1,000 groups, 100 steps each: GPU {on_cpu / on_gpu:5.1f} × as fast as {THREADS} threads")
