"""Contract: a row in which one column is above another one that it never exceeds is flagged, and the reason says so."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand

ROWS = 2_000
BROKEN = [20, 1_300]


def dates() -> tuple[list[date], list[date]]:
    rng = np.random.default_rng(1)
    start = [date(2022, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 900, ROWS)]
    end = [at + timedelta(days=int(days)) for at, days in zip(start, rng.integers(0, 300, ROWS), strict=True)]
    for row in BROKEN:
        end[row] = start[row] - timedelta(days=row // 10)
    return start, end


def test_an_end_before_its_start_is_flagged_and_said() -> None:
    start, end = dates()
    frame = pl.DataFrame({"start": start, "end": end, "kind": ["a", "b", "c", "d"] * (ROWS // 4)})
    found = frame.select(pl.all().anorand.detect(explain=2, seed=0)).unnest("anomaly")
    assert found["outlier"][BROKEN].all()
    reasons = {each["feature"]: each["why"] for each in found["reasons"][20]}
    of_rows = "as in 0.1 % of the training rows"
    assert reasons == {
        "start": f"start is {start[20]}, after end, which is {end[20]}, {of_rows}",
        "end": f"end is {end[20]}, before start, which is {start[20]}, {of_rows}",
    }


def test_numbers_have_orders_too_and_a_missing_one_breaks_none() -> None:
    rng = np.random.default_rng(2)
    low = rng.normal(10, 4, ROWS).round(2)
    high = (low + np.abs(rng.normal(0, 3, ROWS))).round(2)
    frame = pl.DataFrame({"low": low, "high": high, "other": rng.random(ROWS)})
    model = anorand.Model(frame.select(pl.all().anorand.fit(seed=0)).item())
    rows = pl.DataFrame({"low": [12.0, 12.0, 12.0, None], "high": [11.0, 12.0, None, 12.0], "other": [0.5] * 4})
    found = rows.select(pl.all().anorand.detect(model, explain=1)).unnest("anomaly")
    assert found["outlier"][0]
    why = found["reasons"][0][0]["why"]
    assert why in ("low is 12, above high, which is 11, as in no training row",
                   "high is 11, below low, which is 12, as in no training row")  # fmt: skip
    cells = rows.select(pl.all().anorand.cells(model)).unnest("cells")
    assert (cells["low"][:2] > 5).to_list() == [True, False]


@pytest.mark.parametrize("shift", [0.0, 1_000.0])
def test_columns_that_have_nothing_to_do_with_each_other_have_no_order(shift: float) -> None:
    rng = np.random.default_rng(3)
    frame = pl.DataFrame({"a": rng.normal(0, 1, ROWS), "b": rng.normal(shift, 1, ROWS)})
    model = anorand.Model(frame.select(pl.all().anorand.fit(seed=0)).item())
    row = pl.DataFrame({"a": [1.0], "b": [shift - 1.0]})
    cells = row.select(pl.all().anorand.cells(model)).unnest("cells")
    assert cells.select(pl.max_horizontal(pl.all())).item() < 2


def test_a_refit_keeps_an_order_and_lets_go_of_one_that_new_rows_break() -> None:
    start, end = dates()
    frame = pl.DataFrame({"start": start, "end": end})
    first = anorand.Model(frame.select(pl.all().anorand.fit(seed=0)).item())
    bad = pl.DataFrame({"start": [date(2022, 6, 1)], "end": [date(2022, 3, 1)]})

    def evidence(model: anorand.Model) -> float:
        return bad.select(pl.all().anorand.cells(model)).unnest("cells").item(0, "end")

    again = anorand.Model(frame.select(pl.all().anorand.fit(seed=0, init=first)).item())
    assert evidence(again) == pytest.approx(evidence(first), abs=0.5)
    swapped = frame.select(start="end", end="start")
    broken = anorand.Model(swapped.select(pl.all().anorand.fit(seed=0, init=first)).item())
    assert evidence(first) > 5 > evidence(broken)
