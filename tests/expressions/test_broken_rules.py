"""Contract: a row that breaks what nearly all rows keep to is flagged, even in a table of numbers alone.

Networks see nothing there: each value is an ordinary one, and so is the row's place among the others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand

ROWS = 2_000
BROKEN = [20, 411, 1_300, 1_999]
Table = dict[str, np.ndarray]


def numbers() -> Table:
    rng = np.random.default_rng(3)
    return {
        "a": rng.normal(size=ROWS).round(3),
        "amount": rng.lognormal(3, 0.8, ROWS).round(2),
        "tax": rng.exponential(20, ROWS).round(2),
        "b": rng.uniform(0, 1, ROWS).round(3),
    }


def _copy(table: Table) -> np.ndarray:
    return table["amount"].copy()


def _in_another_currency(table: Table) -> np.ndarray:
    return (table["amount"] * 1.19).round(2)


def _sum(table: Table) -> np.ndarray:
    return table["amount"] + table["tax"]


@pytest.mark.parametrize("rule", [_copy, _in_another_currency, _sum])
@pytest.mark.parametrize("preset", ["default", "novelty"])
def test_a_number_that_does_not_follow_is_flagged(rule: Callable[[Table], np.ndarray], preset: str) -> None:
    table = numbers()
    follows = rule(table)
    follows[BROKEN] *= [0.5, 1.3, 2.0, 0.8]
    frame = pl.DataFrame(table | {"follows": follows})
    options = {"contamination": 0.01, "explain": 1}
    train = frame if preset == "default" else frame.filter(~pl.int_range(pl.len()).is_in(BROKEN))
    model = anorand.Model(train.select(pl.all().anorand.fit(seed=0, preset=preset)).item())
    found = frame.select(pl.all().anorand.detect(model, **options)).unnest("anomaly")
    assert found["outlier"][BROKEN].all()
    reasons = found["reasons"].list.first().struct.unnest()
    assert set(reasons["feature"][BROKEN]) <= {"follows", "amount", "tax"}
    assert reasons["why"][BROKEN[0]].startswith(("follows is", "amount is", "tax is"))


@pytest.mark.parametrize("kind", [float, str])
def test_a_code_of_another_group_is_flagged(kind: type[float] | type[str]) -> None:
    rng = np.random.default_rng(5)
    group = rng.integers(0, 25, ROWS)
    code = (group * 7) % 9
    code[BROKEN] = (code[BROKEN] + [1, 3, 5, 2]) % 9
    frame = pl.DataFrame(numbers() | {"group": group.astype(float), "code": [kind(of) for of in code]})
    found = frame.select(pl.all().anorand.detect(explain=1, seed=0, contamination=0.01)).unnest("anomaly")
    assert found["outlier"][BROKEN].all()
    reasons = found["reasons"].list.first().struct.unnest()
    assert set(reasons["feature"][BROKEN]) <= {"group", "code"}


def test_a_relation_with_noise_is_no_rule() -> None:
    table = numbers()
    rng = np.random.default_rng(9)
    frame = pl.DataFrame(table | {"near": table["amount"] * rng.normal(1, 0.1, ROWS)})
    model = anorand.Model(frame.select(pl.all().anorand.fit(seed=0)).item())
    cells = frame.select(pl.all().anorand.cells(model)).unnest("cells")
    # One over the rate of an event would be 6 nats and more.
    assert cells["near"].quantile(0.999) < 6


def test_a_broken_rule_counts_where_another_one_holds() -> None:
    rng = np.random.default_rng(2)
    few = BROKEN[:3]
    net = rng.lognormal(5, 1, ROWS).round(2)
    tax = (net * 0.19).round(2)
    tax[few] = (net[few] * 0.07).round(2)
    frame = pl.DataFrame({"net": net, "tax": tax, "gross": (net + tax).round(2)})
    found = frame.select(pl.all().anorand.detect(explain=1, seed=0, contamination=0.01)).unnest("anomaly")
    assert found["outlier"][few].all()
    assert found["reasons"].list.first().struct.field("why")[BROKEN[0]].startswith(("tax is", "net is", "gross is"))


def test_numbers_that_go_on_through_zero_have_no_odd_sign_and_no_odd_zero() -> None:
    rng = np.random.default_rng(4)
    around = rng.normal(1.5, 1, ROWS).round(3)
    around[BROKEN[0]] = 0.0
    positive = rng.normal(20, 3, ROWS).round(3)
    positive[BROKEN[1]] = 0.0
    frame = pl.DataFrame({"around": around, "positive": positive})
    model = anorand.Model(frame.select(pl.all().anorand.fit(seed=0)).item())
    cells = frame.select(pl.all().anorand.cells(model)).unnest("cells")
    assert cells["around"][BROKEN[0]] < 1
    assert cells["positive"][BROKEN[1]] > 5
