"""What an import costs, and what the cells and the kept rows cost beside the networks."""

from __future__ import annotations

import statistics
import subprocess
import sys
from typing import Any

import polars_anorand as anorand
from benches.common.models import internals, model_of
from benches.common.workloads import BRIEF, frame, seconds

PROGRAM = """
import resource
{imports}
usage = resource.getrusage(resource.RUSAGE_SELF)
pages = int(open("/proc/self/statm").read().split()[1])
print(usage.ru_utime + usage.ru_stime, pages * resource.getpagesize())
"""
RUNS = 15


def startup() -> None:
    """The import beside that of Polars alone: the median of fresh processes, in turn."""
    programs = [PROGRAM.format(imports=f"import {name}") for name in ("polars", "polars_anorand")]
    found: list[list[tuple[float, float]]] = [[], []]
    for _ in range(RUNS):
        for program, runs in zip(programs, found, strict=True):
            out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
            time, memory = map(float, out.split())
            runs.append((time, memory))
    (time, memory), (ours_time, ours_memory) = (
        tuple(statistics.median(run[at] for run in runs) for at in (0, 1)) for runs in found
    )
    print(f"import polars_anorand, above import polars: {1_000 * (ours_time - time):.0f} ms of CPU time")
    print(f"({ours_time / time:.2f} × Polars' own), {(ours_memory - memory) / 2**20:.0f} MiB resident")


PARTS: dict[str, dict[str, Any]] = {"cells": internals(combination="robust"), "kept rows": {"kept_rows": 0}}
"""The options that leave a part of the default preset's score out."""


def parts() -> None:
    """The time of the default preset with each part of its score, as a multiple of the time without it."""
    rows = frame(200_000, 30)
    columns = rows.columns
    model = model_of(frame(5_000, 30), **BRIEF)
    for part, left_out in PARTS.items():
        without = model_of(frame(5_000, 30), **BRIEF, **left_out)
        ratio = seconds(lambda: rows.select(anorand.score(columns, model)), 5) / seconds(
            lambda without=without: rows.select(anorand.score(columns, without)), 5
        )
        print(f"score with the {part}: {ratio:.2f} × without them")
        ratio = seconds(lambda: rows.select(anorand.fit(columns)), 5) / seconds(
            lambda left_out=left_out: rows.select(anorand.fit(columns, **left_out)), 5
        )
        print(f"fit with the {part}, {rows.height:,} rows: {ratio:.2f} × without them")
