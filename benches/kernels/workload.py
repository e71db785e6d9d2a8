"""What is counted: prints the name of each call of the plugin, and makes it. Run under valgrind by the bench."""

from __future__ import annotations

import polars as pl

import polars_anorand as anorand

ROWS = 2_000
REPETITIONS = 2
QUICK: anorand.FitOptions = {"epochs": 1, "min_steps": 0}


def main() -> None:
    """Each call as often as the repetitions; the last one only ends the count of the one before."""
    x = pl.all()
    numbers = pl.arange(ROWS, eager=True)
    rows = pl.DataFrame({f"f{j}": ((numbers * (2 * j + 3)) % 997).cast(pl.Float32) for j in range(20)})
    default, paper, novelty = (
        anorand.Model(call("set-up", rows, anorand.fit(x, preset=preset, **QUICK)))
        for preset in ("default", "paper", "novelty")
    )
    calls = {
        "score": (rows, anorand.score(x, default)),
        "score_paper": (rows, anorand.score(x, paper)),
        "score_novelty": (rows.head(200), anorand.score(x, novelty)),
        "detect_explain": (rows.head(500), anorand.detect(x, default, explain=3)),
        "explain": (rows.head(100), anorand.explain(x, default)),
        "fit": (rows, anorand.fit(x, members=4, epochs=20, min_steps=0)),
    }
    for name, (part, expression) in calls.items():
        for _ in range(REPETITIONS):
            call(name, part, expression)
    call("set-up", rows.head(1), anorand.score(x, default))


def call(name: str, rows: pl.DataFrame, expression: pl.Expr) -> bytes:
    """The first value of the result."""
    print(name)
    result: bytes = rows.select(expression).item(0, 0)
    return result


if __name__ == "__main__":
    main()
