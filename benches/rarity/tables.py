"""Clean tables: made ones of many kinds, and those of files."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

Array = npt.NDArray[np.float64]

SIZES = (50, 200, 1_000, 5_000, 20_000)
"""Training rows of made tables."""

NEW_ROWS = 100_000
"""New rows of a made table: ten of them should lie above the line of 10⁻⁴."""


@dataclass(frozen=True)
class Table:
    """Rows to fit on, and new rows from where they come from. `half` says to which half of the tables it belongs."""

    name: str
    kind: str
    half: int
    train: pl.DataFrame
    new: pl.DataFrame


def independent(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Numbers that do not depend on one another."""
    return _frame(rng.normal(size=(rows, 6)))


def correlated(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Ten numbers of three common causes, and noise."""
    causes = np.random.default_rng(7).normal(size=(3, 10))
    return _frame(rng.normal(size=(rows, 3)) @ causes + 0.3 * rng.normal(size=(rows, 10)))


def bounded(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Numbers that end somewhere."""
    return _frame(np.column_stack([rng.uniform(size=(rows, 3)), rng.beta(2, 5, size=(rows, 2))]))


def heavy(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Numbers with heavy tails: Student's t with three degrees of freedom, and log-normal ones."""
    return _frame(np.column_stack([rng.standard_t(3, size=(rows, 3)), rng.lognormal(sigma=1.2, size=(rows, 2))]))


def clusters(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Three clusters, one of them of 3 % of the rows."""
    centres = np.random.default_rng(3).normal(scale=4, size=(3, 5))
    return _frame(centres[rng.choice(3, rows, p=[0.6, 0.37, 0.03])] + rng.normal(size=(rows, 5)))


def rounded(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Small whole numbers, so that many rows are alike."""
    whole = [rng.poisson(2, rows), rng.poisson(0.3, rows), rng.binomial(5, 0.4, rows), rng.geometric(0.5, rows)]
    return _frame(np.column_stack(whole).astype(float))


def few_distinct(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Categories that make a few different rows."""
    plan = rng.choice(["free", "pro", "team"], rows, p=[0.6, 0.3, 0.1])
    status = rng.choice(["active", "cancelled"], rows, p=[0.9, 0.1])
    country = rng.choice(["AT", "BE", "CH", "DE"], rows, p=[0.55, 0.3, 0.12, 0.03])
    return pl.DataFrame({"plan": plan, "status": status, "country": country})


def zipf(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Categories of which most values are rare: some of the new rows have one that no training row has."""
    names = rng.zipf(1.7, rows).clip(max=100_000)
    return pl.DataFrame({"name": names.astype(str), "size": rng.normal(size=rows), "price": rng.lognormal(size=rows)})


def mixed(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Prices that depend on a category, with times and missing values."""
    usual = np.random.default_rng(5).lognormal(3, 1, size=30)
    shares = 1 / np.arange(1, 31)
    article = rng.choice(30, rows, p=shares / shares.sum())
    count = rng.geometric(0.4, rows)
    start = datetime.datetime(2026, 1, 5, 8)
    minutes = 1_440 * (7 * rng.integers(0, 20, rows) + rng.integers(0, 5, rows)) + rng.normal(240, 90, rows).astype(int)
    frame = pl.DataFrame(
        {
            "article": [f"a{at}" for at in article],
            "count": count,
            "price": (usual[article] * rng.lognormal(sigma=0.05, size=rows)).round(2),
            "discount": rng.exponential(0.05, rows),
            "minutes": minutes,
        }
    )
    return frame.with_columns(
        total=pl.col("price") * pl.col("count"),
        discount=pl.when(pl.lit(pl.Series(rng.random(rows) > 0.2))).then("discount"),
        time=pl.lit(start) + pl.duration(minutes="minutes"),
    ).drop("minutes")


def related(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Numbers that follow from others, with little noise."""
    x = rng.uniform(-3, 3, size=(rows, 2))
    noise = rng.normal(scale=0.05, size=(rows, 3))
    return _frame(
        np.column_stack([x, x.sum(axis=1) + noise[:, 0], x[:, 0] ** 2 + noise[:, 1], np.sin(x[:, 1]) + noise[:, 2]])
    )


def sparse(rng: np.random.Generator, rows: int) -> pl.DataFrame:
    """Numbers most of which are zero."""
    amounts = rng.exponential(size=(rows, 8)) * (rng.random((rows, 8)) < 0.15)
    return _frame(amounts.round(2))


KINDS: dict[str, Callable[[np.random.Generator, int], pl.DataFrame]] = {
    make.__name__: make
    for make in (
        independent, correlated, bounded, heavy, clusters, rounded, few_distinct, zipf, mixed, related, sparse,
    )
}  # fmt: skip


def made_tables(seeds: int, sizes: tuple[int, ...] = SIZES, new_rows: int = NEW_ROWS) -> Iterator[Table]:
    """Tables of each kind and size, one for each seed."""
    for number, (kind, make) in enumerate(KINDS.items()):
        for rows in sizes:
            for seed in range(seeds):
                rng = np.random.default_rng([number, rows, seed])
                frame = make(rng, rows + new_rows)
                yield Table(f"{kind} {rows} {seed}", kind, seed % 2, frame.head(rows), frame.slice(rows))


def read_tables(folder: Path) -> Iterator[Table]:
    """Of each set in a folder, half of its normal training rows to fit on; the others, and normal test rows, are new.

    A set is a file NAME.parquet with features, `part` ("train" or "test") and `label` (1 is an anomaly).
    """
    for number, path in enumerate(sorted(folder.glob("*.parquet"))):
        rows = pl.read_parquet(path)
        normal = rows.filter(pl.col("label") == 0).sample(fraction=1.0, shuffle=True, seed=0)
        train = normal.filter(part="train").head(normal.filter(part="train").height // 2)
        drawn = normal.with_row_index().filter(part="train").head(train.height)["index"]
        new = normal.with_row_index().filter(~pl.col("index").is_in(drawn)).drop("index")
        yield Table(path.stem, "real", number % 2, train.drop("part", "label"), new.drop("part", "label"))


def _frame(columns: Array) -> pl.DataFrame:
    return pl.DataFrame(columns, schema=[f"x{at}" for at in range(columns.shape[1])])
