"""Scoring, fitting and ensembles against the machine's limit and against what users would take instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import torch
from pyod.models.auto_encoder import AutoEncoder
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand
from benches.common.models import internals, model_of
from benches.common.workloads import BRIEF, THREADS, frame, network_flops, seconds

from .rivals import eager_fit, sgemm_flops


def scoring() -> None:
    """Rows a second from Polars columns to a Polars column, and the share of the machine's limit."""
    limit = sgemm_flops(THREADS)
    print(f"sgemm, {THREADS} threads: {limit / 1e9:.0f} GFLOP/s")
    train, rows = frame(5_000, 30), frame(400_000, 30)
    few = rows.head(40_000)
    forest = IsolationForest(random_state=0, n_jobs=THREADS).fit(train.to_numpy())
    forest_rate = few.height / seconds(lambda: forest.score_samples(few.to_numpy()))
    torch.set_num_threads(THREADS)
    encoder = AutoEncoder(epoch_num=1, verbose=0, random_state=0).fit(train.to_numpy())
    encoder_rate = few.height / seconds(lambda: encoder.decision_function(few.to_numpy()))
    networks: dict[str, Any] = {"kept_rows": 0, **internals(combination="robust")}
    for preset, options, inputs in [
        ("paper", {"preset": "paper"}, 30),
        ("networks of default", networks, 9),
        ("default", {}, 9),
    ]:
        model = model_of(train, **BRIEF, **options)
        flops = model.members * network_flops(inputs)
        rate = rows.height / seconds(lambda model=model: rows.select(anorand.score(pl.all(), model)))
        print(
            f"score, {preset:19} d = 30: {rate / 1e6:5.2f} M rows/s, {rate * flops / limit:4.0%} of sgemm; "
            f"{rate / forest_rate:5.0f} × IsolationForest.score_samples, "
            f"{rate / encoder_rate:5.0f} × PyOD AutoEncoder.decision_function"
        )


def fitting() -> None:
    """Fits against eager PyTorch, PyOD and scikit-learn, and against the time of the arithmetic."""
    limit = sgemm_flops(1)
    rows = frame(20_000, 20)
    epochs = 20
    model = model_of(rows, preset="paper", epochs=epochs)
    ours = seconds(lambda: model_of(rows, preset="paper", epochs=epochs))
    eager = eager_seconds(lambda: eager_fit(rows.to_numpy(), epochs))
    arithmetic = 3 * network_flops(20) * rows.height * 1.03 * epochs / limit
    print(
        f"fit, paper, 20,000 × 20, {epochs} epochs: {eager / ours:.1f} × as fast as eager PyTorch; "
        f"{ours / arithmetic:.1f} × its arithmetic at sgemm speed, {ours / model.training['steps'] * 1e6:.0f} µs a step"
    )
    rows = frame(10_000, 20)
    numbers = rows.to_numpy()
    ours = seconds(lambda: model_of(rows))
    both = seconds(lambda: rows.select(anorand.score(pl.all())))
    encoder = seconds(lambda: AutoEncoder(verbose=0, random_state=0).fit(numbers), 1)
    forest = seconds(lambda: IsolationForest(random_state=0, n_jobs=THREADS).fit(numbers).score_samples(numbers))
    print(
        f"fit, default, 10,000 × 20: {encoder / ours:.0f} × as fast as PyOD's AutoEncoder; fit and score take "
        f"{both / forest:.1f} × as long as IsolationForest's"
    )


def eager_seconds(work: Callable[[], object]) -> float:
    """On one thread or on all: so small products are often slower on more."""
    times = []
    for threads in sorted({1, THREADS}):
        torch.set_num_threads(threads)
        times.append(seconds(work, 1))
    return min(times)


def ensembles() -> None:
    """One model a group: `by=`, `group_by().agg(fit)`, and separate fits in eager PyTorch."""
    groups, size, features = 1_000, 500, 10
    rows = frame(groups * size, features).with_columns(key=pl.int_range(pl.len()) % groups)
    x = pl.exclude("key")
    options: anorand.FitOptions = {"preset": "paper", "epochs": 20}
    by = seconds(lambda: rows.select(anorand.fit(x, by="key", **options)), 1)
    grouped = seconds(lambda: rows.group_by("key").agg(anorand.fit(x, **options)), 1)
    tried = 5
    parts = [rows.filter(pl.col("key") == key).select(x).to_numpy() for key in range(tried)]
    eager = eager_seconds(lambda: [eager_fit(part, 20) for part in parts]) * groups / tried
    print(
        f"{groups:,} groups × {size} rows × {features} features, paper's network, 20 epochs: by= is "
        f"{eager / by:.0f} × as fast as eager PyTorch (of {tried} groups), "
        f"{grouped / by:.2f} × as fast as group_by().agg(fit)"
    )
