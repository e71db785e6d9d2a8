"""One workload, repeated: ``python workload.py score 5``. Run under valgrind by the bench."""

from __future__ import annotations

import sys

import polars as pl

import polars_anorand as anorand

ROWS = 2_000
QUICK: anorand.FitOptions = {"epochs": 1, "min_steps": 0}


def main() -> None:
    """Do it as many times as asked."""
    name, times = sys.argv[1], int(sys.argv[2])
    x = pl.all()
    numbers = pl.arange(ROWS, eager=True)
    rows = pl.DataFrame({f"f{j}": ((numbers * (2 * j + 3)) % 997).cast(pl.Float32) for j in range(20)})
    preset = "paper" if name == "score_paper" else "default"
    model = anorand.Model(rows.select(anorand.fit(x, preset=preset, **QUICK)).item())
    work = {
        "score": anorand.score(x, model),
        "score_paper": anorand.score(x, model),
        "fit": anorand.fit(x, members=4, epochs=40, min_steps=0),
        "explain": anorand.explain(x, model),
    }[name]
    part = rows.head(100) if name == "explain" else rows
    for _ in range(times):
        part.select(work)


if __name__ == "__main__":
    main()
