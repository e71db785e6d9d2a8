"""Contract: profile() says what each column of a raw table is, and features() names those worth fitting on."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import FAST
from hypothesis import given, settings
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
    "row": "counter", "permuted": "id", "hash": "id", "time": "feature", "day": "feature", "price": "feature",
    "count": "feature", "money": "feature", "country": "feature", "flag": "feature", "unit": "constant",
    "nothing": "constant", "sometimes": "feature", "gaps": "feature", "comment": "text", "tags": "unsupported",
    "nested": "unsupported", "category": "feature",
}  # fmt: skip


ROLE_NAMES = ["feature", "id", "counter", "constant", "text", "unsupported"]


def roles(frame: pl.DataFrame | pl.LazyFrame) -> dict[str, str]:
    return dict(anorand.profile(frame).select("column", "role").iter_rows())


def test_each_role_is_found(raw: pl.DataFrame) -> None:
    assert roles(raw) == ROLES
    reasons = dict(anorand.profile(raw).select("column", "reason").iter_rows())
    assert reasons["unit"] == "one distinct value"
    assert reasons["nothing"] == "the dtype Null has no values"
    assert reasons["permuted"] == "every one of the 1,500 values occurs once"
    assert reasons["sometimes"] == "1 distinct value in 500 of 1,500 rows"
    assert reasons["comment"] == "1,500 distinct strings, 53 characters on average"
    assert "unnest the struct" in reasons["nested"]
    assert reasons["row"] == "rises with the rows, in 1,499 of 1,499 steps"


def test_a_lazy_frame_is_profiled_alike_but_for_notes(raw: pl.DataFrame) -> None:
    lazy = anorand.profile(raw.lazy())
    assert lazy.drop("notes").equals(anorand.profile(raw).drop("notes"))
    assert lazy["notes"].null_count() == lazy.height


def test_notes_say_what_cells_would_know() -> None:
    rng = np.random.default_rng(4)
    price = {"bolt": 0.5, "nut": 0.3, "gear": 12.0, "wheel": 55.0, "frame": 240.0}
    article = rng.choice(list(price), 400).tolist()
    frame = pl.DataFrame(
        {
            "article": article,
            "price": [price[each] for each in article],
            "amount": [f"{each}.5" for each in rng.integers(0, 100, 400)],
            "age": [999 if at % 50 == 7 else int(age) for at, age in enumerate(rng.integers(18, 78, 400))],
            "day": [f"2024-{month:02}-{day:02}" for month, day in rng.integers(1, [13, 29], (400, 2))],
            "plain": rng.integers(0, 97, 400),
        }
    )
    notes = dict(anorand.profile(frame).select("column", "notes").iter_rows())
    assert notes["price"] == "determined by article"
    assert notes["amount"].startswith("numbers as text")
    assert "placeholders of missing values: '999' (8 rows)" in notes["age"]
    assert notes["day"] is None  # dates as text are no feature
    assert notes["plain"] is None
    assert anorand.profile(frame.head(1))["notes"].null_count() == frame.width


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


def role(values: pl.Series | list[object]) -> str:
    return roles(pl.DataFrame({"a": values}))["a"]


def test_counters_rise_or_fall_through_nulls_and_beyond_the_digits_of_a_float() -> None:
    assert role([None if at % 10 == 0 else at for at in range(100)]) == "counter"
    assert role(list(range(100, 0, -1))) == "counter"
    assert role([2**62 + at for at in range(50)]) == "counter"
    assert role(pl.Series([2**64 - 1 - at for at in range(50)], dtype=pl.UInt64)) == "counter"
    assert role([at // 4 for at in range(100)]) == "feature"
    assert role([float(at) for at in range(100)]) == "feature"


def test_a_time_is_a_feature_even_where_the_rows_are_sorted_by_it() -> None:
    days = [date(2024, 1, 1) + timedelta(days=at // 4) for at in range(400)]
    times = pl.Series(days).cast(pl.Datetime("ms", "UTC"))
    assert role(pl.Series(days)) == role(pl.Series(days[::-1])) == role(times) == "feature"
    assert role(times.sample(fraction=1, shuffle=True, seed=0)) == "feature"
    assert role(pl.Series(days).dt.weekday()) == "feature"
    assert role([timedelta(days=at) for at in range(100)]) == "feature"
    assert role([time(at // 5, at % 5) for at in range(100)]) == "feature"


def test_ids_may_have_nulls_and_a_few_repeats() -> None:
    numbers = np.random.default_rng(0).permutation(ROWS)
    assert role([None if number % 50 == 0 else int(number) for number in numbers]) == "id"
    assert role([max(20, int(number)) for number in numbers]) == "id"
    assert role(pl.Series(np.random.default_rng(0).integers(-(2**62), 2**62, ROWS))) == "id"
    assert role(pl.Series([f"k{number}" for number in numbers], dtype=pl.Categorical)) == "id"


def test_strings_that_recur_are_features_in_small_tables_too() -> None:
    cities = np.random.default_rng(0).integers(0, 25, 100)
    assert role([f"city {city}" for city in cities]) == "feature"
    assert role(["", None] * 20) == "feature"
    assert role([""] * 40) == "constant"


def test_what_has_no_value_is_a_constant() -> None:
    assert role([float("nan")] * 30) == role(pl.Series([None] * 30, dtype=pl.Int8)) == "constant"
    assert role(pl.Series([], dtype=pl.Null)) == "constant"
    assert role([7]) == "constant"
    assert role(pl.Series([], dtype=pl.List(pl.Int8))) == "unsupported"
    found = anorand.profile(pl.DataFrame(schema={"a": pl.Int8, "b": pl.String}))
    assert found["reason"].to_list() == ["no rows to judge by"] * 2


def test_names_are_taken_as_they_are() -> None:
    frame = pl.DataFrame({name: [1, 2] * 20 for name in ["*", "^x.*$", "a\0b", "column", "rows", "0 nulls", "", "x1"]})
    assert [name for name, role in roles(frame).items() if role == "unsupported"] == ["*", "^x.*$", "a\0b"]
    assert anorand.features(frame) == ["column", "rows", "0 nulls", "", "x1"]
    assert anorand.profile(pl.DataFrame()).is_empty()
    assert anorand.profile(pl.LazyFrame()).is_empty()


def test_only_the_aggregates_of_a_lazy_frame_are_collected_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    collected: list[pl.DataFrame] = []
    collect = pl.LazyFrame.collect

    def spy(lazy: pl.LazyFrame, *args: object, **kwargs: object) -> pl.DataFrame:
        collected.append(collect(lazy, *args, **kwargs))  # type: ignore[arg-type]
        return collected[-1]

    lazy = pl.LazyFrame({"a": range(1_000), "b": ["x", "y"] * 500})
    monkeypatch.setattr(pl.LazyFrame, "collect", spy)
    anorand.features(lazy)
    assert [frame.height for frame in collected] == [1]


@pytest.mark.parametrize("spread", [1, 0.1])
def test_integer_measurements_that_hardly_repeat_are_features(spread: float) -> None:
    sizes = pl.Series(np.random.default_rng(0).lognormal(20, spread, 3_000)).cast(pl.Int64)
    assert sizes.n_unique() > 2_900
    assert role(sizes) == "feature"


def test_integers_that_are_all_different_may_be_measurements() -> None:
    populations = [int(number) for number in np.random.default_rng(0).lognormal(14, 1, 50)]
    assert len(set(populations)) == 50
    assert roles(pl.DataFrame({"population": populations})) == {"population": "feature"}


@pytest.mark.parametrize("wrong", [[1, 2], {"a": [1]}, None, pl.Series([1])])
def test_another_input_is_refused(wrong: object) -> None:
    for function in (anorand.profile, anorand.features):
        with pytest.raises(TypeError, match="frame must be a polars DataFrame or LazyFrame, got"):
            function(wrong)  # type: ignore[operator]


def test_a_data_frame_of_another_library_is_named_with_its_module() -> None:
    foreign = type("DataFrame", (), {"__module__": "pandas"})
    with pytest.raises(TypeError, match="LazyFrame, got pandas.DataFrame"):
        anorand.profile(foreign())


DTYPES = [
    pl.Boolean, pl.Int8, pl.UInt64, pl.Float32, pl.Decimal(20, 2), pl.String, pl.Categorical, pl.Enum(["a", "b", "c"]),
    pl.Date, pl.Datetime("us", "UTC"), pl.Datetime("ns"), pl.Duration, pl.Time, pl.Null, pl.Binary, pl.List(pl.Int8),
    pl.Struct({"x": pl.Int8}),
    *[getattr(pl, name) for name in ("Float16", "Int128", "UInt128") if hasattr(pl, name)],
]  # fmt: skip


def column(dtype: pl.DataType, at: int, values: list[int | None]) -> pl.Series:
    """A column of the dtype that repeats small numbers, or a stand-in for each."""
    base = pl.Series(f"{at}", values, dtype=pl.Int64)
    if dtype == pl.Null:
        return pl.Series(f"{at}", [None] * len(base))
    if dtype == pl.List(pl.Int8) or dtype == pl.Struct({"x": pl.Int8}):
        return base.map_elements(lambda value: [value] if dtype == pl.List(pl.Int8) else {"x": value}, dtype)
    if dtype in (pl.String, pl.Categorical, pl.Binary) or isinstance(dtype, pl.Enum):
        words = (base % 3).replace_strict({0: "a", 1: "b", 2: "c"}, return_dtype=pl.String)
        return words.cast(dtype)
    return base.cast(dtype)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(DTYPES), min_size=1, max_size=6),
    st.lists(st.none() | st.integers(0, 9), max_size=40),
)
def test_every_feature_is_one_that_a_fit_accepts(dtypes: list[pl.DataType], values: list[int | None]) -> None:
    frame = pl.DataFrame([column(dtype, at, values) for at, dtype in enumerate(dtypes)])
    assert_features_fit(frame)


@settings(deadline=None)
# "model" is the result's own name, which no feature may have.
@given(st.lists(st.text(max_size=5).filter("model".__ne__), min_size=1, max_size=5, unique=True))
def test_every_name_of_a_feature_is_one_that_a_fit_accepts(names: list[str]) -> None:
    assert_features_fit(pl.DataFrame({name: [1.0, 2.5, None] for name in names}))


def assert_features_fit(frame: pl.DataFrame) -> None:
    found = anorand.profile(frame)
    assert found["column"].to_list() == frame.columns
    assert found["role"].is_in(ROLE_NAMES).all()
    expected = found.filter(pl.col("role") == "feature")["column"].to_list()
    if not expected:
        with pytest.raises(ValueError, match="no column is worth fitting on"):
            anorand.features(frame)
        return
    names = anorand.features(frame)
    assert names == expected
    assert frame.lazy().select(pl.col(*names)).collect_schema().names() == names
    assert frame.lazy().select(anorand.fit(pl.col(*names))).collect_schema() == {"model": pl.Binary}


@pytest.mark.parametrize("key", ["dt", "month", "batch"])
def test_a_partition_key_of_a_scan_is_no_feature(tmp_path: Path, key: str) -> None:
    values = {"dt": [20260130, 20260131, 20260201], "month": ["2026-01", "2026-02", "2026-03"], "batch": list("xyz")}
    for value in values[key]:
        folder = tmp_path / f"{key}={value}"
        folder.mkdir()
        pl.DataFrame({"amount": [1.5, 2.5, 3.5] * 20, "carrier": ["UA", "DL"] * 30}).write_parquet(folder / "p.parquet")
    scan = pl.scan_parquet(tmp_path, hive_partitioning=True)
    found = roles(scan)
    assert found == {"amount": "feature", "carrier": "feature", key: "key"}
    assert roles(scan.filter(pl.col("amount") > 2))[key] == "key"
    reason = anorand.profile(scan).filter(pl.col("column") == key)["reason"].item()
    assert reason == "a partition key of the files, 3 distinct values in 180 rows: the next file has another"
    assert roles(pl.scan_parquet(tmp_path, hive_partitioning=False)) == {"amount": "feature", "carrier": "feature"}


def test_a_counter_that_became_floats_through_missing_values_is_a_counter() -> None:
    assert role([None if at % 10 == 0 else float(at) for at in range(100)]) == "counter"
    assert role([float("nan") if at % 10 == 0 else float(at) for at in range(100)]) == "counter"
    assert role(pl.Series([None, *range(100, 0, -1)], dtype=pl.Float32)) == "counter"
    assert role([None if at % 10 == 0 else at / 2 for at in range(100)]) == "feature"
    assert role([None if at % 10 == 0 else float(at % 9) for at in range(100)]) == "feature"
    frame = pl.DataFrame({"a": [None if at % 10 == 0 else float(at) for at in range(100)]})
    with pytest.warns(UserWarning, match='"a" rises with the rows, as counters do'):
        frame.select(anorand.fit("a", **FAST))


def test_dates_as_text_and_as_numbers_in_order_are_no_features() -> None:
    days = [date(2026, 1, 1) + timedelta(days=at // 5) for at in range(300)]
    for form in ["%Y-%m-%d", "%Y-%m", "%d.%m.%Y", "%m/%d/%Y", "%Y%m%d", "%Y-%m-%dT%H:%M:%S"]:
        assert role([day.strftime(form) for day in days]) == "text", form
    numbers = [int(day.strftime("%Y%m%d")) for day in days]
    assert role(numbers) == role(numbers[::-1]) == "counter"
    # Dates of birth stand in any order, and numbers that could be dates are none if one of them is not.
    assert role(numbers[::7] + numbers) == "feature"
    assert role([*numbers, 20269999]) == "feature"
    assert role(["2026-01-01"] * 30) == "constant"
    assert role(["12-34", "56-78"] * 30) == role(["1.5", "2.5"] * 30) == "feature"
