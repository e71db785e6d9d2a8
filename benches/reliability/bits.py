"""Digests of models and of what they make of rows: ``python benches/reliability/bits.py``.

Run it on each machine, or with each ``POLARS_ANORAND_SIMD``, and compare the lines. It needs Polars and the plugin.
The rows are made of whole numbers and divisions, so that they have the same bits wherever they are made.
"""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from pathlib import Path
from typing import Any

import polars as pl

import polars_anorand as anorand

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"
GOLDEN_FEATURES = ["amount", "ratio", "count", "day", "wait", "country", "grade"]
FEATURES = ["a", "b", "ab", "count", "kind", "time"]
# Few steps, so that it ends soon where a processor is emulated.
SMALL: dict[str, Any] = {"seed": 3, "members": 3, "min_steps": 100, "_internals": {"max_epochs": 10}}
FITS: dict[str, dict[str, Any]] = {
    "default": {**SMALL},
    "novelty": {"preset": "novelty", **SMALL},
    "paper": {"seed": 3, "preset": "paper", "epochs": 5},
    "imputed": {**SMALL, "missing": "impute", "_internals": {"max_epochs": 10, "scaling": "asinh"}},
}


def rows(count: int) -> pl.DataFrame:
    """Rows of six features of several kinds, and labels: two numbers, their product, a count, a category and a time."""
    numbers = pl.int_range(count, dtype=pl.UInt64, eager=True)
    # Multiplicative hashing: spread over [0, 1), in doubles that are exact.
    a = (numbers * 2_654_435_761 % 2**32) / 2**32
    b = (numbers * 40_503 % 65_536) / 65_536
    frame = pl.DataFrame({"a": a, "b": b, "ab": a * b, "count": numbers * 7 % 101})
    return frame.with_columns(
        kind=pl.when(numbers % 11 < 6).then(pl.lit("often")).when(numbers % 11 < 10).then(pl.lit("at times")),
        time=(1_700_000_000_000_000 + numbers.cast(pl.Int64) * 977_000_003).cast(pl.Datetime("us")),
        label=(numbers % 50 == 0).cast(pl.Int8),
    )


def digest(data: bytes) -> str:
    """The first 16 hexadecimal digits of a SHA-256."""
    return hashlib.sha256(data).hexdigest()[:16]


def results(frame: pl.DataFrame, features: list[str], model: anorand.Model) -> str:
    """A digest of the bits of all that the verbs return."""
    made = frame.select(
        anorand.score(features, model),
        anorand.detect(features, model, contamination=0.05),
        anorand.explain(features, model),
        anorand.embed(features, model),
    )
    return digest(repr(made.rows()).encode())


def main() -> None:
    """A line for each fit and for each golden model."""
    chosen = os.environ.get("POLARS_ANORAND_SIMD", "the best instruction set")
    versions = f"CPython {platform.python_version()}, Polars {pl.__version__}"
    print(f"{platform.machine()}, {chosen}, {versions}", file=sys.stderr)
    given = pl.read_parquet(GOLDEN / "rows.parquet")
    for path in sorted(GOLDEN.glob("*.safetensors")):
        print(f"golden {path.stem}: results {results(given, GOLDEN_FEATURES, anorand.Model.load(path))}")
    frame = rows(1_000)
    print(f"rows {digest(repr(frame.rows()).encode())}")
    for name, options in FITS.items():
        for labels in [None, "label"]:
            data: bytes = frame.select(anorand.fit(FEATURES, labels=labels, **options)).item()
            made = results(frame.head(100), FEATURES, anorand.Model(data))
            print(f"fit {name}{' with labels' if labels else ''}: model {digest(data)} results {made}", flush=True)


if __name__ == "__main__":
    main()
