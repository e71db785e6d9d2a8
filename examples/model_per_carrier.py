"""One model a carrier: what is odd for one airline is daily work for another.

Run it with ``make demo``.
"""

from __future__ import annotations

import time

import polars as pl
from flights import FEATURES, readable, show, written_once

import polars_anorand as anorand

FEWEST = 100
"""Flights in January for a carrier to have a model."""


def main() -> None:
    """Fit a model for each carrier on January, and score each flight of the year by its own carrier's."""
    folder = written_once()
    started = time.perf_counter()
    models = (
        pl.read_parquet(folder / "01.parquet")
        .filter(pl.len().over("carrier") >= FEWEST)
        .group_by("carrier", maintain_order=True)
        .agg(anorand.fit(FEATURES))
    )
    print(f"\nFitted {models.height} models, one a carrier, in {time.perf_counter() - started:.1f} s.")

    scored = (
        pl.scan_parquet(folder / "*.parquet")
        .join(models.lazy(), on="carrier")
        .with_columns(anorand.score(FEATURES, pl.col("model")))
        .drop("model")
    )
    strangest = scored.filter(pl.col("score") == pl.col("score").max().over("carrier")).unique("carrier").collect()
    print("The strangest flight of each carrier, by the carrier's own model:")
    table = strangest.sort("score", descending=True)
    show(pl.concat([table.select("airline"), readable(table)], how="horizontal"))


if __name__ == "__main__":
    main()
