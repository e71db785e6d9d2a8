"""Fits on many rows: memory, CPU time, and whether thresholds and what is rare are those of all rows."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import polars_anorand as anorand

PART = 1_000_000
FEATURES = [*(f"f{at}" for at in range(8)), "heavy", "kind"]

CHILD = """
import json, resource, sys
import polars as pl
import polars_anorand as anorand

def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime

path, features, how = sys.argv[1], sys.argv[2].split(","), sys.argv[3]
begun = used()
if how == "scan":
    model = anorand.train(pl.scan_parquet(path), features)
else:
    frame = pl.read_parquet(path, columns=features)
    begun = used()
    model = anorand.Model(frame.select(anorand.fit(features)).item())
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
model.save(sys.argv[4])
print(json.dumps({"peak": peak, "cpu": used() - begun}))
"""


def table(seed: int, rows: int = PART, *, rare: bool = False) -> pl.DataFrame:
    """Four pairs of features that depend on one another, a heavy tail, and a category.

    ``rare`` adds three rows of a rare value, and a cluster of 20 rows far from all others.
    """
    random = np.random.default_rng(seed)
    first = random.normal(size=(rows, 4)).astype(np.float32)
    second = first + 0.2 * random.normal(size=(rows, 4)).astype(np.float32)
    columns = {f"f{at}": numbers for at, numbers in enumerate(np.hstack([first, second]).T)}
    kinds = pl.Series(random.choice(["a", "b", "c", "d"], size=rows, p=[0.5, 0.3, 0.15, 0.05]))
    heavy = random.standard_t(1.5, size=rows).astype(np.float32)
    frame = pl.DataFrame({**columns, "heavy": heavy, "kind": kinds})
    if not rare:
        return frame
    is_rare, is_far = pl.int_range(rows) < 3, pl.int_range(rows).is_between(100, 119)
    return frame.with_columns(
        kind=pl.when(is_rare).then(pl.lit("rare")).otherwise("kind"),
        f0=pl.when(is_far).then(pl.col("f0") / 10 + 12).otherwise("f0").cast(pl.Float32),
    )


def fitted(path: Path, how: str) -> tuple[anorand.Model, float, float]:
    """The model, the peak of memory in GiB and the CPU seconds of a process of its own."""
    target = path.parent / "model.safetensors" if path.suffix else path.parent.parent / "model.safetensors"
    command = [sys.executable, "-c", CHILD, str(path), ",".join(FEATURES), how, str(target)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    return anorand.Model.load(target), found["peak"], found["cpu"]


def above(model: anorand.Model) -> float:
    """The share of unseen rows above the model's own 1 % threshold."""
    limit = model.threshold(0.01)
    scores = [table(10**6 + seed).select(anorand.score(FEATURES, model)).to_series() for seed in range(2)]
    return float((pl.concat(scores) > limit).mean() or 0.0)


def scan(rows: int, folder: Path | None) -> None:
    """A fit on a Parquet file of ``rows`` rows, beside one on its first million."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        parts = Path(name) / "parts"
        parts.mkdir()
        extremes: list[float] = []
        for part in range(rows // PART):
            frame = table(part, rare=part == rows // PART // 2)
            extremes.append(float(frame["heavy"].max() or 0.0))  # type: ignore[arg-type]
            frame.write_parquet(parts / f"{part:04}.parquet", compression="uncompressed")
        size = sum(path.stat().st_size for path in parts.iterdir())
        whole, peak, cpu = fitted(parts / "*.parquet", "scan")
        first, first_peak, first_cpu = fitted(parts / "0000.parquet", "scan")
        print(f"train of {rows:,} rows x {len(FEATURES)}, {size / 2**30:.1f} GiB of Parquet")
        print(f"  peak of memory: {peak:.2f} GiB; of its first million rows: {first_peak:.2f} GiB")
        million = cpu / rows * 1e6
        print(
            f"  CPU seconds: {cpu:.0f}, {million:.2f} a million rows; {million / first_cpu:.2f} x the first million's"
        )
        shares = [f"{100 * above(model):.3f} %" for model in (whole, first)]
        print(f"  unseen rows above its 1 % threshold: {shares[0]}; of the first million's: {shares[1]}")
        statistics = whole.statistics.filter(feature="heavy")
        print(f"  highest value is that of all rows: {statistics['maximum'].item() == max(extremes)}")
        print(f"  rows of the rare value: {whole.categories['kind']['rare']} (3 in {rows:,})")
        usual = table(7, 1).with_columns(kind=pl.lit("a"))
        words = [usual.with_columns(kind=pl.lit(kind)) for kind in ("a", "rare", "new")]
        print(f"  scores of a row, with the rare value, and with a new one: {scored(whole, *words)}")
        far = [usual.with_columns(f0=pl.lit(at, dtype=pl.Float32)) for at in (12.0, 13.0)]
        print(f"  scores of the row in the far cluster of 20 rows, and beyond it: {scored(whole, *far)}")


def scored(model: anorand.Model, *rows: pl.DataFrame) -> str:
    """The scores of rows, for people to read."""
    scores = pl.concat(rows).select(anorand.score(FEATURES, model)).to_series()
    return ", ".join(f"{score:.3f}" for score in scores)


def plain() -> None:
    """A fit of tables in memory: 2 and 20 million rows."""
    with tempfile.TemporaryDirectory() as name:
        for millions in (2, 20):
            path = Path(name) / f"{millions}.parquet"
            pl.concat([table(part) for part in range(millions)]).write_parquet(path)
            model, peak, cpu = fitted(path, "plain")
            print(f"fit of {millions} million rows x {len(FEATURES)} in memory: {cpu:.1f} CPU s, peak {peak:.2f} GiB")
            print(f"  unseen rows above its 1 % threshold: {100 * above(model):.3f} %")


def ranks() -> None:
    """How far the quantiles of a million rows of 20 million are from those of all, in ranks."""
    random = np.random.default_rng(0)
    rows = np.sort(random.standard_t(1.5, size=20 * PART))
    shares = np.arange(1, 20) / 20
    errors = []
    for _ in range(20):
        sample = np.sort(random.choice(rows, size=PART, replace=False))
        found = sample[(shares * (PART - 1)).astype(int)]
        errors.append(np.abs(np.searchsorted(rows, found) / rows.size - shares))
    of_all = np.array(errors)
    print("quantiles of a sample of a million, 20 samples of 20 million rows: error of the rank")
    deviation = np.sqrt((of_all[:, 9] ** 2).mean())
    print(f"  of the median, twice its standard deviation: {200 * deviation:.3f} % of the rows")
    print(f"  the largest of all 5 % quantiles and samples: {100 * of_all.max():.3f} % of the rows")
