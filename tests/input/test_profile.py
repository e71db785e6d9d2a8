"""Contract: profile() says what each column of a raw table is, and features() names those worth fitting on."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import polars_anorand as anorand

ROWS = 1_500


@pytest.fixture(scope="module")
def raw() -> pl.DataFrame:
    """A column of each role, and of many dtypes."""
    rng = np.random.default_rng(0)
    numbers = rng.permutation(ROWS)
    return pl.DataFrame(
        {
            "row": range(ROWS),
            "permuted": numbers,
            "hash": [f"{number * 7919 % 10_007:08x}-{number}" for number in numbers],
            "time": [datetime(2024, 1, 1) + timedelta(minutes=int(at)) for at in range(ROWS)],
            "day": [date(2024, 1, 1) + timedelta(days=int(at % 40)) for at in numbers],
            "price": rng.lognormal(size=ROWS),
            "count": rng.integers(0, 40, ROWS),
            "money": [Decimal(int(cents)) / 100 for cents in rng.integers(0, 500, ROWS)],
            "country": rng.choice(["DE", "FR", "ZA"], ROWS),
            "flag": rng.random(ROWS) < 0.5,
            "unit": ["kg"] * ROWS,
            "nothing": pl.Series([None] * ROWS),
            "sometimes": [None if at % 3 else 1.0 for at in numbers],
            "gaps": [[None, float("nan"), float("inf"), 1.0, 2.0][at % 5] for at in numbers],
            "comment": [f"the customer of row {at} wrote at some length about it" for at in range(ROWS)],
            "tags": [["a"]] * ROWS,
            "nested": [{"x": 1}] * ROWS,
        }
    ).with_columns(pl.col("country").cast(pl.Categorical).alias("category"))


ROLES = {
    "row": "counter", "permuted": "id", "hash": "id", "time": "counter", "day": "feature", "price": "feature",
    "count": "feature", "money": "feature", "country": "feature", "flag": "feature", "unit": "constant",
    "nothing": "constant", "sometimes": "feature", "gaps": "feature", "comment": "text", "tags": "unsupported",
    "nested": "unsupported", "category": "feature",
}  # fmt: skip


def roles(frame: pl.DataFrame | pl.LazyFrame) -> dict[str, str]:
    return dict(anorand.profile(frame).select("column", "role").iter_rows())


def test_each_role_is_found(raw: pl.DataFrame) -> None:
    assert roles(raw) == ROLES
    reasons = dict(anorand.profile(raw).select("column", "reason").iter_rows())
    assert reasons["unit"] == "one value in all rows"
    assert reasons["permuted"] == "1,500 different integers in 1,500 rows"
    assert "unnest it" in reasons["nested"]
    assert "rises with the rows, in 100% of them" in reasons["row"]


def test_a_lazy_frame_is_profiled_alike(raw: pl.DataFrame) -> None:
    assert anorand.profile(raw.lazy()).equals(anorand.profile(raw))


def test_missing_values_of_all_kinds_are_counted(raw: pl.DataFrame) -> None:
    found = anorand.profile(raw).filter(pl.col("column").is_in(["gaps", "sometimes", "nothing", "price"]))
    assert dict(found.select("column", "nulls").iter_rows()) == {
        "price": 0, "nothing": ROWS, "sometimes": 1_000, "gaps": 900,
    }  # fmt: skip
    assert dict(found.select("column", "distinct").iter_rows())["gaps"] == 2


def test_features_go_into_a_fit(raw: pl.DataFrame) -> None:
    names = anorand.features(raw)
    assert names == [name for name, role in ROLES.items() if role == "feature"]
    options: anorand.FitOptions = {"min_steps": 5, "missing": "impute"}
    assert raw.select(pl.col(*names).anorand.fit(**options)).item()  # type: ignore[attr-defined]


def test_no_feature_is_an_error_that_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="no column is worth fitting on: 'a' is constant"):
        anorand.features(pl.DataFrame({"a": [1, 1, 1]}))
    with pytest.raises(ValueError, match="there are none"):
        anorand.features(pl.DataFrame())


def test_few_rows_say_little() -> None:
    assert roles(pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [7, 7, 7]})) == {
        "a": "feature", "b": "feature", "c": "constant",
    }  # fmt: skip
    assert roles(pl.DataFrame({"a": [1]}).clear()) == {"a": "feature"}


def test_integers_that_are_all_different_may_be_measurements() -> None:
    populations = [int(number) for number in np.random.default_rng(0).lognormal(14, 1, 50)]
    assert len(set(populations)) == 50
    assert roles(pl.DataFrame({"population": populations})) == {"population": "feature"}


@pytest.mark.parametrize("wrong", [[1, 2], {"a": [1]}, None, pl.Series([1])])
def test_another_input_is_refused(wrong: object) -> None:
    for function in (anorand.profile, anorand.features):
        with pytest.raises(TypeError, match="takes a DataFrame or a LazyFrame, got"):
            function(wrong)  # type: ignore[operator]


VALUES = st.one_of(
    st.lists(st.integers(-(2**40), 2**40), min_size=30, max_size=30),
    st.lists(st.floats(width=32), min_size=30, max_size=30),
    st.lists(st.one_of(st.none(), st.text(max_size=5)), min_size=30, max_size=30),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=30, max_size=30),
)


@given(st.dictionaries(st.text(alphabet="abcdef", min_size=1, max_size=3), VALUES, min_size=1, max_size=4))
def test_every_feature_is_one_that_a_fit_accepts(columns: dict[str, list[object]]) -> None:
    frame = pl.DataFrame(columns, strict=False)
    found = anorand.profile(frame)
    assert found["column"].to_list() == frame.columns
    names = found.filter(pl.col("role") == "feature")["column"].to_list()
    if names:
        assert frame.lazy().select(anorand.fit(names)).collect_schema() == {"model": pl.Binary}
