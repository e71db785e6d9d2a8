"""Command line: `python -m benches.speed [scoring fitting fleets growth memory]`; needs benches/requirements.txt.

Every comparison measures both sides in one run, on as many threads as POLARS_MAX_THREADS says (all cores if it is not
set). Only ratios mean anything on a shared machine.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import tempfile
from pathlib import Path

import numpy as np
import polars as pl
import torch
from pyod.models.auto_encoder import AutoEncoder
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand

from .workloads import eager_fit, frame, model_of, network_flops, seconds, sgemm_flops

THREADS = int(os.environ.get("POLARS_MAX_THREADS", os.cpu_count() or 1))
BRIEF: anorand.FitOptions = {"epochs": 1, "min_steps": 0}
"""A fit that is over at once, for models that are only there to score with."""


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
    for preset, flops in [("paper", network_flops(30)), ("default", 20 * network_flops(9))]:
        model = model_of(train, preset=preset, **BRIEF)
        rate = rows.height / seconds(lambda model=model: rows.select(anorand.score(pl.all(), model)))
        print(
            f"score, {preset:7} d = 30: {rate / 1e6:5.2f} M rows/s, {rate * flops / limit:4.0%} of sgemm; "
            f"{rate / forest_rate:5.0f} × IsolationForest.score_samples, "
            f"{rate / encoder_rate:5.0f} × PyOD AutoEncoder.decision_function"
        )
        explained = few.head(400) if preset == "default" else few.head(4_000)
        cost = seconds(lambda model=model, few=explained: few.select(anorand.explain(pl.all(), model)))
        print(f"  an explanation takes {cost / explained.height * rate:.0f} × as long as a score")


def fitting() -> None:
    """Fits against eager PyTorch, PyOD and scikit-learn, and against the time of the arithmetic."""
    limit = sgemm_flops(1)
    rows = frame(20_000, 20)
    epochs = 3
    model = model_of(rows, preset="paper", epochs=epochs)
    ours = seconds(lambda: model_of(rows, preset="paper", epochs=epochs))
    torch.set_num_threads(THREADS)
    eager = seconds(lambda: eager_fit(rows.to_numpy(), epochs), 2)
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


def fleets() -> None:
    """One model a group: `by=`, `group_by().agg(fit)`, and separate fits in eager PyTorch."""
    groups, size, features = 1_000, 500, 10
    rows = frame(groups * size, features).with_columns(key=pl.int_range(pl.len()) % groups)
    x = pl.exclude("key")
    options: anorand.FitOptions = {"preset": "paper", "epochs": 20}
    by = seconds(lambda: rows.select(anorand.fit(x, by="key", **options)), 1)
    grouped = seconds(lambda: rows.group_by("key").agg(anorand.fit(x, **options)), 1)
    torch.set_num_threads(THREADS)
    tried = 5
    parts = [rows.filter(pl.col("key") == key).select(x).to_numpy() for key in range(tried)]
    eager = seconds(lambda: [eager_fit(part, 20) for part in parts], 1) * groups / tried
    print(
        f"{groups:,} groups × {size} rows × {features} features, paper's network, 20 epochs: by= is "
        f"{eager / by:.0f} × as fast as eager PyTorch (of {tried} groups), "
        f"{grouped / by:.2f} × as fast as group_by().agg(fit)"
    )


def growth() -> None:
    """Time against the size of the work, as ratios to the row before: 2 would be linear, since each doubles."""
    print(
        "fit, default: rows, features; score: rows, features, members. Each doubles; times as multiples of the first."
    )

    def line(name: str, times: list[float]) -> None:
        print(f"  {name:34}" + "".join(f"{time / times[0]:8.2f}" for time in times))

    sizes = [1, 2, 4, 8]
    line("fit, 50,000 … 400,000 rows × 10", [seconds(lambda n=n: model_of(frame(50_000 * n, 10)), 2) for n in sizes])
    line("fit, 5,000 rows × 20 … 160", [seconds(lambda n=n: model_of(frame(5_000, 20 * n)), 2) for n in sizes])
    line("fit, 20 … 160 members", [seconds(lambda n=n: model_of(frame(5_000, 20), members=20 * n), 2) for n in sizes])
    model = model_of(frame(5_000, 20), **BRIEF)

    def scored(rows: pl.DataFrame, model: anorand.Model) -> float:
        return seconds(lambda: rows.select(anorand.score(pl.all(), model)))

    line("score, 100,000 … 800,000 rows × 20", [scored(frame(100_000 * n, 20), model) for n in sizes])
    wide = [(frame(100_000, 20 * n), model_of(frame(2_000, 20 * n), **BRIEF)) for n in sizes]
    line("score, 100,000 rows × 20 … 160", [scored(rows, model) for rows, model in wide])
    many = [model_of(frame(2_000, 20), members=20 * n, **BRIEF) for n in sizes]
    line("score, 20 … 160 members", [scored(frame(100_000, 20), model) for model in many])


def memory() -> None:
    """The peak of resident memory, and the rate, of scoring ever larger Parquet files as streams."""
    features = 10
    model = model_of(frame(5_000, features), preset="paper", **BRIEF)
    part = frame(1_000_000, features)
    with tempfile.TemporaryDirectory() as folder:
        for count in (1, 10, 50):
            files = Path(folder) / str(count)
            files.mkdir()
            for at in range(count):
                part.write_parquet(files / f"{at:02}.parquet")
            scan = pl.scan_parquet(files / "*.parquet").select(anorand.score(pl.all(), model))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            took = seconds(lambda scan=scan: scan.sink_parquet(Path(folder) / "scores.parquet"), 1)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            print(
                f"{count:3} M rows × {features}: {count / took:.2f} M rows/s, peak memory {peak / 2**20:.2f} GiB "
                f"({(peak - before) / 2**20:.2f} GiB more than before)"
            )
            for file in files.iterdir():
                file.unlink()


SECTIONS = {each.__name__: each for each in (scoring, fitting, fleets, growth, memory)}


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="benches.speed", description=__doc__)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []], default=list(SECTIONS))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {THREADS} threads; "
        f"Polars {pl.__version__}, NumPy {np.__version__}, torch {torch.__version__}"
    )
    for name in parser.parse_args().sections or SECTIONS:
        SECTIONS[name]()


if __name__ == "__main__":
    main()
