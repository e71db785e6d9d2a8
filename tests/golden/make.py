"""Writes the golden files beside this script: fixed rows, a model of each kind, and what each makes of the rows.

From the first release on, each was written once, by the build that first wrote its format, and is read by every
later one: see tests/model/test_golden.py. Files that are there stay: writing them again with a later build would pin
that build instead. For a new format, add models. Until then, remove the files to write them again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import polars_anorand as anorand

FOLDER = Path(__file__).parent

SMALL: dict[str, Any] = {"hidden": [8, 4], "latent": 2, "batch_size": 32}

FEW: dict[str, Any] = {"members": 3, "max_samples": 64, "min_steps": 60, **SMALL}

MODELS: dict[str, dict[str, Any]] = {
    # All of them are of format 1.
    "default": FEW,
    "paper": {"preset": "paper", "epochs": 10, **SMALL},
    "novelty": {"preset": "novelty", "kept_rows": 100, **FEW},
    "labelled": {"members": 2, "min_steps": 60, **SMALL},
    "classified": {"members": 2, "min_steps": 60, "hidden": [8, 6]},
    "imputed": {**FEW, "missing": "impute", "_internals": {"scaling": "asinh", "combination": "robust"}},
    "chosen": {"members": 2, "max_samples": 64, "min_steps": 30, "loss_weight": [0.2, 0.8], **SMALL},
    "distilled": {"distil": True, **FEW},
}

FEATURES = ["amount", "ratio", "count", "day", "wait", "country", "grade"]


def table() -> pl.DataFrame:
    """200 rows of features of many kinds, a few of them missing, and labels."""
    rng = np.random.default_rng(11)
    amount = rng.lognormal(3.0, 1.0, 200)
    frame = pl.DataFrame(
        {
            "amount": amount,
            "ratio": rng.normal(size=200).astype(np.float32),
            "count": rng.integers(0, 50, 200),
            "day": pl.Series(rng.integers(18_000, 19_000, 200)).cast(pl.Int32).cast(pl.Date),
            "wait": pl.Series(rng.integers(0, 10**9, 200)).cast(pl.Duration("us")),
            "country": rng.choice(["DE", "FR", "IT", "ZA"], 200, p=[0.6, 0.3, 0.08, 0.02]),
            "grade": pl.Series(rng.choice(["a", "b", "c"], 200), dtype=pl.Enum(["a", "b", "c"])),
        }
    )
    holes = pl.Series(rng.random(200) < 0.05)
    labels = pl.Series(rng.random(200) < 0.1)
    return frame.with_columns(
        pl.when(holes).then(None).otherwise("ratio").alias("ratio"),
        pl.when(holes.shift(3, fill_value=False)).then(None).otherwise("country").alias("country"),
        label=pl.when(labels).then(1).when(labels.shift(1, fill_value=False)).then(None).otherwise(0),
    )


def rows(frame: pl.DataFrame) -> pl.DataFrame:
    """Rows to score: some of the table, and some that are far from it."""
    far = frame.head(4).with_columns(
        amount=pl.Series([1e9, -1e300, 0.0, 20.0]),
        country=pl.Series(["XX", "DE", "", "ZA"]),
        count=pl.Series([10**12, 0, 5, 6]),
    )
    return pl.concat([frame[::5], far]).select(FEATURES)


def main() -> None:
    """Write the files that are not there."""
    frame = table()
    given = rows(frame)
    if not (FOLDER / "rows.parquet").exists():
        given.write_parquet(FOLDER / "rows.parquet")
    for name, options in MODELS.items():
        if (FOLDER / f"{name}.safetensors").exists():
            continue
        labels = "label" if name in ("labelled", "classified") else None
        model = anorand.Model(frame.select(anorand.fit(FEATURES, labels=labels, seed=3, **options)).item())
        model.save(FOLDER / f"{name}.safetensors")
        given.select(
            anorand.score(FEATURES, model),
            anorand.detect(FEATURES, model, contamination=0.05),
            anorand.explain(FEATURES, model),
            anorand.embed(FEATURES, model),
        ).write_parquet(FOLDER / f"{name}.parquet")


if __name__ == "__main__":
    main()
