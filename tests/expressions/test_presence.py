"""Contract: which rows have a value is predicted by other columns, as values are."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand

ROWS = 3_000


def customers() -> pl.DataFrame:
    """A lead has no revenue yet, and only those who left have an end."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["lead", "customer", "churned"], ROWS)
    revenue = [
        None if of == "lead" else float(number) for of, number in zip(kind, rng.lognormal(3, 0.5, ROWS), strict=True)
    ]
    end = [
        date(2022, 1, 1) + timedelta(days=int(day)) if of == "churned" else None
        for of, day in zip(kind, rng.integers(0, 700, ROWS), strict=True)
    ]
    return pl.DataFrame({"kind": kind, "revenue": revenue, "end": end, "note": rng.choice(["a", "b"], ROWS)})


def faulty() -> tuple[pl.DataFrame, list[int]]:
    frame = customers()
    rows = [frame["kind"].index_of(kind) for kind in ("lead", "customer", "churned")]
    lead, customer, churned = [row or 0 for row in rows]
    frame[lead, "revenue"] = 20.5
    frame[customer, "revenue"] = None
    frame[churned, "end"] = None
    return frame, [lead, customer, churned]


def test_a_value_against_its_category_and_one_that_lacks_are_flagged_and_said() -> None:
    frame, rows = faulty()
    found = frame.select(pl.all().anorand.detect(explain=1, seed=0)).unnest("anomaly")
    assert found["outlier"][rows].all()
    why = [found["reasons"][row][0]["why"] for row in rows]
    assert why[0].startswith("revenue is 20.5; with kind lead it is missing in 99.9 % of ")
    assert why[1].startswith("revenue is missing; with kind customer it is there in 99.9 % of ")
    assert why[2].startswith("end is missing; with kind churned it is there in 99.9 % of ")


def test_a_rare_missing_value_that_its_category_explains_is_ordinary() -> None:
    rng = np.random.default_rng(1)
    kind = np.where(rng.random(ROWS) < 0.02, "free", "paid")
    price = [
        None if of == "free" else float(number) for of, number in zip(kind, rng.lognormal(3, 0.5, ROWS), strict=True)
    ]
    frame = pl.DataFrame({"kind": kind, "price": price})
    model = anorand.Model(frame.select(pl.all().anorand.fit(seed=0)).item())
    cells = frame.select(pl.all().anorand.cells(model)).unnest("cells")["price"]
    free = pl.Series(kind == "free")
    assert cells.filter(free).max() < 2  # type: ignore[operator]
    lacks = pl.DataFrame({"kind": ["paid"], "price": [None]}, schema=frame.schema)
    assert lacks.select(pl.all().anorand.cells(model)).unnest("cells")["price"][0] > 5


@pytest.mark.parametrize("rows", [200, ROWS])
def test_a_refit_goes_on_with_what_predicts_missing_values(rows: int) -> None:
    frame, (_, customer, _) = faulty()
    first = anorand.Model(customers().select(pl.all().anorand.fit(seed=0)).item())
    again = anorand.Model(customers().tail(rows).select(pl.all().anorand.fit(seed=0, init=first)).item())
    cells = frame[customer].select(pl.all().anorand.cells(again)).unnest("cells")
    assert cells["revenue"][0] > 4


def test_what_predicts_missing_values_does_not_count_as_what_determines_a_column() -> None:
    notes = dict(anorand.profile(customers()).select("column", "notes").rows())
    assert notes["revenue"] is None
    assert notes["end"] is None
