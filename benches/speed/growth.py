"""How time and memory grow with the work."""

from __future__ import annotations

import resource
import tempfile
from pathlib import Path
from typing import Any

import altair as alt
import polars as pl

import polars_anorand as anorand
from benches.common.models import model_of
from benches.common.workloads import BRIEF, frame, seconds


def growth() -> None:
    """Time against the size of the work: each size doubles, and so should the time where it is linear."""
    sizes = [1, 2, 4, 8]
    found: list[dict[str, object]] = []

    def line(what: str, times: list[float]) -> None:
        multiples = [time / times[0] for time in times]
        print(f"| {what} | " + " | ".join(f"{multiple:.2f}" for multiple in multiples) + " |")
        found.extend({"work": what, "size": n, "time": t} for n, t in zip(sizes, multiples, strict=True))

    print("| | × 1 | × 2 | × 4 | × 8 |")
    print("|---|---|---|---|---|")
    small = frame(5_000, 20)
    line("fit, 50,000 rows × 10 …", [fitted(frame(50_000 * n, 10)) for n in sizes])
    line("fit, 5,000 rows × 20 …", [fitted(frame(5_000, 20 * n)) for n in sizes])
    line("fit, 5,000 rows × 125 …", [fitted(frame(5_000, 125 * n)) for n in sizes])
    line("fit, 10 members …", [fitted(small, members=10 * n) for n in sizes])
    line("fit by group, 100 groups × 500 rows …", [by_group(100 * n) for n in sizes])
    model = model_of(small, **BRIEF)
    line("score, 100,000 rows × 20 …", [scored(frame(100_000 * n, 20), model) for n in sizes])
    wide = [(frame(100_000, 20 * n), model_of(frame(2_000, 20 * n), **BRIEF)) for n in sizes]
    line("score, 100,000 rows × 20 features …", [scored(rows, model) for rows, model in wide])
    many = [model_of(frame(2_000, 20), members=10 * n, **BRIEF) for n in sizes]
    line("score, 10 members …", [scored(frame(100_000, 20), model) for model in many])
    picture = Path("target/bench/growth.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    draw(pl.DataFrame(found)).save(picture, ppi=110)
    print(f"\nDrawn in {picture}.")


def fitted(rows: pl.DataFrame, **options: Any) -> float:
    """Seconds to fit a model on rows."""
    return seconds(lambda: model_of(rows, **options), 2)


def by_group(groups: int) -> float:
    """Seconds for a brief fit of each of ``groups`` groups."""
    rows = frame(500 * groups, 10).with_columns(key=pl.int_range(pl.len()) % groups)
    return seconds(lambda: rows.select(anorand.fit(pl.exclude("key"), by="key", members=4, min_steps=50)), 2)


def scored(rows: pl.DataFrame, model: anorand.Model) -> float:
    """Seconds to score rows."""
    return seconds(lambda: rows.select(anorand.score(pl.all(), model)))


def draw(found: pl.DataFrame) -> alt.LayerChart:
    """Both axes logarithmic; the dashed line is linear growth."""
    axis = alt.Scale(type="log", base=2)
    lines = (
        alt.Chart(found)
        .mark_line(point=True)
        .encode(
            alt.X("size:Q", scale=axis).title("size, as a multiple of the first"),
            alt.Y("time:Q", scale=axis).title("time, as a multiple of the first"),
            alt.Color("work:N").title(None).legend(labelLimit=400),
        )
    )
    linear = alt.Chart(pl.DataFrame({"size": [1, 8], "time": [1, 8]})).mark_line(strokeDash=[5, 4], color="#888")
    chart: alt.LayerChart = (linear.encode(alt.X("size:Q"), alt.Y("time:Q")) + lines).properties(width=420, height=300)
    return chart


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
