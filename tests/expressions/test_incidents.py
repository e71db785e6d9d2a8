"""Contract: `incidents` groups the outliers of a frame by their first reason, the expected value, and time."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand
from polars_anorand.incidents._words import in_common

PRICES = {"book": 12.0, "lamp": 30.0, "desk": 249.0, "clock": 24.0, "shelf": 99.0}
ROWS = 8_000
FEATURES = ["day", "item", "article", "price"]
COLUMNS = ["feature", "why", "expected", "rows", "first", "last", "values", "where", "row", "example", "score"]


def sales() -> pl.DataFrame:
    """A year of sales in ten shops that are nearly always open; an item has one number and one price."""
    rng = np.random.default_rng(1)
    item = rng.choice(list(PRICES), ROWS)
    return pl.DataFrame(
        {
            "day": [date(2026, 1, 1) + timedelta(days=at * 365 // ROWS) for at in range(ROWS)],
            "item": item,
            "article": [f"{[*PRICES].index(each):03}" for each in item],
            "price": [PRICES[each] for each in item],
            "shop": rng.integers(1, 11, ROWS),
            "code": rng.integers(1, 11, ROWS),
            "open": rng.random(ROWS) < 0.99,
            "note": [f"{at:05}" for at in range(ROWS)],
        }
    ).with_columns(code=pl.format("shop number {}", "shop"))


def is_wrong(first: date, last: date) -> pl.Expr:
    return pl.col("day").is_between(first, last) & (pl.col("item") == "book")


MAY = is_wrong(date(2026, 5, 3), date(2026, 5, 8))
DECEMBER = is_wrong(date(2026, 12, 19), date(2026, 12, 20))


@pytest.fixture(scope="module")
def model() -> anorand.Model:
    return anorand.train(sales(), FEATURES, seed=0)


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Two shops sell books at the price of a desk in a week of May, and one of them in December; a day is missing."""
    place = pl.int_range(pl.len())
    shop = pl.when(MAY).then(3 + 4 * (place % 2)).when(DECEMBER).then(7).otherwise("shop")
    return sales().with_columns(
        shop.alias("shop"),
        pl.format("shop number {}", shop).alias("code"),
        pl.when(MAY | DECEMBER).then(249.0).otherwise("price").alias("price"),
        pl.when(place == 2_500).then(None).otherwise("day").alias("day"),
    )


@pytest.fixture(scope="module")
def threshold(table: pl.DataFrame, model: anorand.Model) -> float:
    """The score above which are the rows with a fault, and no others."""
    faults = table.filter(MAY | DECEMBER).height + 1
    highest = model.score(table)["score"].top_k(faults + 1).to_list()
    assert highest[-2] > highest[-1]
    return float(highest[-1])


@pytest.fixture(scope="module")
def found(table: pl.DataFrame, model: anorand.Model, threshold: float) -> pl.DataFrame:
    return anorand.incidents(table, model, threshold=threshold)


def test_rows_of_one_cause_are_one_incident(table: pl.DataFrame, found: pl.DataFrame) -> None:
    rows = table.filter(MAY).height
    assert rows >= 5
    assert found.columns == COLUMNS
    assert found.select("why", "expected", "rows", "first", "last", "values").row(0) == (
        "price does not go with its article", "12", rows, date(2026, 5, 3), date(2026, 5, 8), "249",
    )  # fmt: skip


def test_the_columns_in_which_it_is_concentrated_are_named(table: pl.DataFrame, found: pl.DataFrame) -> None:
    """Those are the shops, once, and the item; nearly all rows are from open shops, and each has a note of its own."""
    first, second = found["where"][0].split("; ")
    assert first in {"shop 3, 7", "shop 7, 3", "item book", "article 000"}
    assert {first, second} & {"shop 3, 7", "shop 7, 3"}
    assert not any("shop" in (where or "") for where in found.filter(pl.col("rows") < 3)["where"])


def test_the_example_is_the_row_with_the_highest_score(
    table: pl.DataFrame, model: anorand.Model, found: pl.DataFrame, threshold: float
) -> None:
    detected = model.detect(table, threshold=threshold).with_row_index()
    of_may = detected.filter("outlier", MAY)
    row = found.row(0, named=True)
    assert row["score"] == of_may["score"].max()
    example = detected.row(row["row"], named=True)
    assert (example["why"], example["score"]) == (row["example"], row["score"])
    assert row["row"] == of_may.filter(score=row["score"])["index"].min()


def test_the_same_cause_at_another_time_is_another_incident(table: pl.DataFrame, found: pl.DataFrame) -> None:
    of_book = found.filter(why="price does not go with its article", expected="12")
    assert of_book["rows"].to_list() == [table.filter(MAY).height, table.filter(DECEMBER).height]
    assert of_book["first"].to_list()[1] >= date(2026, 12, 19)


def test_every_outlier_is_in_one_incident(table: pl.DataFrame, model: anorand.Model) -> None:
    for share in [0.001, 0.01, 0.2]:
        found = anorand.incidents(table, model, contamination=share)
        assert found["rows"].sum() == model.detect(table, contamination=share)["outlier"].sum()
        order = found.select(-pl.col("rows").cast(pl.Int64), "feature", "why")
        assert order.equals(order.sort(pl.all(), nulls_last=True))


def test_a_lazy_frame_gives_the_same(
    table: pl.DataFrame, model: anorand.Model, found: pl.DataFrame, threshold: float
) -> None:
    assert anorand.incidents(table.lazy(), model.to_bytes(), threshold=threshold).equals(found)


def test_the_order_of_the_rows_changes_their_numbers_alone(
    table: pl.DataFrame, model: anorand.Model, found: pl.DataFrame, threshold: float
) -> None:
    turned = anorand.incidents(table.reverse(), model, threshold=threshold)
    same = pl.exclude("row", "example", "where", "values")
    assert turned.select(same).equals(found.select(same))


def test_a_missing_value_is_an_incident_of_its_own(found: pl.DataFrame) -> None:
    (row,) = found.filter(feature="day").iter_rows(named=True)
    assert (row["why"], row["rows"], row["row"]) == ("day is missing, as in no training row", 1, 2_500)
    assert {row["first"], row["last"], row["values"]} == {None}


@pytest.mark.parametrize(("items", "incidents"), [([*PRICES][:4], 4), ([*PRICES][:5], 1)])
def test_an_expected_value_of_a_quarter_of_the_rows_is_an_incident_of_its_own(
    model: anorand.Model, items: list[str], incidents: int
) -> None:
    """Each of the items has the price of the next one."""
    of_next = dict(zip(items, [PRICES[each] for each in [*items[1:], items[0]]], strict=True))
    rows = pl.DataFrame({"item": items * 3, "day": [date(2026, 6, 1)] * 3 * len(items)})
    articles = {each: f"{at:03}" for at, each in enumerate(PRICES)}
    rows = rows.with_columns(
        article=pl.col("item").replace_strict(articles), price=pl.col("item").replace_strict(of_next)
    )
    found = anorand.incidents(rows, model, contamination=0.001)
    assert set(found["why"]) == {"price does not go with its article"}
    assert found["rows"].to_list() == [3 * len(items) // incidents] * incidents
    assert found["expected"].null_count() == (incidents == 1)


def test_without_times_there_is_no_first_and_last() -> None:
    table = sales()
    timeless = anorand.train(table, ["item", "price"], seed=0)
    found = anorand.incidents(
        table.with_columns(price=pl.when(MAY | DECEMBER).then(249.0).otherwise("price")), timeless
    )
    assert found.columns == [name for name in COLUMNS if name not in ("first", "last")]
    assert found["rows"][0] == table.filter(MAY | DECEMBER).height
    by_day = anorand.incidents(
        table.with_columns(price=pl.when(MAY | DECEMBER).then(249.0).otherwise("price")), timeless, time="day"
    )
    assert by_day["rows"][:2].to_list() == [table.filter(MAY).height, table.filter(DECEMBER).height]


def test_times_that_are_missing_or_far_away_do_not_keep_rows_together(
    model: anorand.Model, table: pl.DataFrame, threshold: float
) -> None:
    """With one row in the year 9999 and one without a day, those of May are still apart from them."""
    december = table.with_row_index().filter(DECEMBER)["index"]
    place = pl.int_range(pl.len())
    day = pl.when(place == december[0]).then(date(9999, 12, 31)).when(place == december[1]).then(None).otherwise("day")
    found = anorand.incidents(table.with_columns(day.alias("day")), model, threshold=threshold)
    of_may = found.filter(first=date(2026, 5, 3))
    assert of_may["last"].to_list() == [date(2026, 5, 8)]
    assert of_may["rows"].to_list() == [table.filter(MAY).height]


def test_no_outlier_is_no_incident(model: anorand.Model, table: pl.DataFrame, found: pl.DataFrame) -> None:
    none = anorand.incidents(table, model, threshold=1.0)
    assert none.schema == found.schema
    assert none.is_empty()
    assert anorand.incidents(table.clear(), model).schema == found.schema


def test_a_column_may_have_the_name_of_a_result(frame: pl.DataFrame) -> None:
    names = {"a": "anomaly", "b": "incident", "c": "row"}
    named = frame.rename(names).with_columns(place=pl.lit(1), time=pl.lit("x"), why=pl.lit("y"))
    model = anorand.Model(named.select(anorand.fit([*names.values()], **FAST)).item())
    found = anorand.incidents(named, model)
    assert found["rows"].sum() == model.detect(named.drop("why"))["outlier"].sum() > 0


def test_a_model_of_the_published_method_names_the_feature_alone(frame: pl.DataFrame) -> None:
    model = anorand.Model(frame.select(anorand.fit(pl.all(), preset="paper", epochs=2)).item())
    found = anorand.incidents(frame, model)
    assert set(found["why"]) <= {"a is unusual", "b is unusual", "c is unusual", "no value alone stands out"}


def test_wrong_arguments_are_refused(model: anorand.Model, table: pl.DataFrame) -> None:
    with pytest.raises(TypeError, match="frame must be a polars DataFrame or LazyFrame, got list"):
        anorand.incidents([1], model)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="known when the query is built"):
        anorand.incidents(table, pl.col("model"))
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="time='date' is not a column of the frame"):
        anorand.incidents(table, model, time="date")
    with pytest.raises(TypeError, match="time='shop' has dtype Int64, expected a Date or Datetime: cast it"):
        anorand.incidents(table, model, time="shop")
    with pytest.raises(TypeError, match=r"time must be the name of a column, a str, got 3 \(int\)"):
        anorand.incidents(table, model, time=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a contamination or a threshold, not both"):
        anorand.incidents(table, model, contamination=0.1, threshold=0.5)


NAMES = ["price", "zip", "zip_code", "town", "quantity", "sent at"]


@pytest.mark.parametrize(
    ("feature", "value", "sentence", "words"),
    [
        ("price", "64.99", "price is 64.99; with zip_code 01907 it is 7.25 in 99 % of 312 rows",
         "price does not go with its zip_code"),
        ("price", "640", "price is 640; with zip 7 it is 12 to 18", "price does not go with its zip"),
        ("price", None, "price is missing; with no zip it is 12 in 90 % of 9 rows", "price does not go with its zip"),
        ("price", "7", "price is 7; with town beginning with AA it is 5 to 6", "price does not go with its town"),
        ("price", "7", "price is 7; with sent at on a Monday it is 5 to 6", "price does not go with its sent at"),
        ("price", "7", "price is 7, with town Rome in 0.1 % of 800 rows", "price is unusual with its town"),
        ("town", "Rome", "town is Rome, but price is 3; with town Rome it is 5", "town does not go with its price"),
        ("sent at", "03:10", "sent at is at 03 h; with town Rome it is 15 h in 98 % of 90 rows",
         "the hour of sent at does not go with its town"),
        ("price", "7", "price is 7; quantity × zip is 12 to 13", "price is not quantity × zip"),
        ("price", "7", "price is 7; most are 10 to 12", "price is unusual: most are 10 to 12"),
        ("zip", "9", "zip is 9, as in no training row", "zip is new: no training row has such a value"),
        ("zip", "9", "zip is 9, as in 0.1 % of the training rows", "zip has a value that few rows have"),
        ("price", "-7", "price is -7, which is below zero, as in 0.1 % of the rows", "price is below zero, as few are"),
        ("zip", "7.5", "zip is 7.5, which is not whole, as in no other row", "zip is not whole, as most are"),
        ("zip", "7", "zip is 7, as in the known anomalies", "zip is as in the known anomalies"),
        ("zip", "7", "zip is 7, which is unusual among similar rows", "zip is unusual among similar rows"),
        ("zip", "7", "zip is 7, unlike most rows", "zip is unlike most rows"),
        ("town", None, "missing, as in no training row", "town is missing, as in no training row"),
        ("town", None, "missing, as in 0.2 % of the training rows", "town is missing, as in few rows"),
        ("price", "n/a; x", "'n/a; x' among numbers", "price is a text among numbers"),
        ("zip", "3/5/21", "'3/5/21' is not written as most are (year-month-day)",
         "zip is not written as most are (year-month-day)"),
        ("town", "KÃ¶ln", "'KÃ¶ln' was read in another encoding than it was written in",
         "town was read in another encoding than it was written in"),
        ("town", "Rmoe", "'Rmoe' looks like 'Rome'", "town is nearly another value, which more rows have"),
        ("town", "r0m\ne", "'r0m\ne' has another form than most, as 'Rome' has", "town has another form than most"),
        ("zip", "99999", "99999 seems to stand for a missing value, as in 1 % of the rows",
         "zip is 99999, which seems to stand for a missing value"),
        ("town", "Rome", None, "town is unusual"),
        ("town", "Rome", "a sentence of a later version", "town is unusual"),
    ],
)  # fmt: skip
def test_words_say_what_sentences_have_in_common(
    feature: str, value: str | None, sentence: str | None, words: str
) -> None:
    assert in_common(feature, value, sentence, NAMES) == words


@pytest.mark.filterwarnings("ignore:anorand")
def test_all_sentences_of_a_dirty_table_are_known() -> None:
    """A table with a fault of each kind: no reason is of a kind that ``in_common`` has no words for."""
    rng = np.random.default_rng(2)
    rows = 1_500
    quantity, price = rng.integers(1, 9, rows), rng.integers(500, 4_000, rows) / 100
    city = rng.choice(["Springfield", "Riverton", "Lakewood", "Fairview"], rows)
    day = [date(2024, 1, 1) + timedelta(days=int(each)) for each in rng.integers(0, 700, rows)]
    clean = pl.DataFrame(
        {
            "city": city,
            "state": [{"S": "MA", "R": "NH", "L": "VT", "F": "ME"}[each[0]] for each in city],
            "quantity": quantity,
            "price": price,
            "total": (quantity * price).round(2),
            "written": [f"{each:%Y-%m-%d}" for each in day],
            "sent": [
                each + timedelta(days=int(more)) for each, more in zip(day, rng.integers(1, 6, rows), strict=True)
            ],
            "weight": [f"{each:.1f}" for each in rng.normal(20, 3, rows)],
        }
    )
    faults: dict[str, list[object]] = {
        "city": ["Sprnigfield", None, "Köln".encode().decode("latin-1"), "x0-9"],
        "state": ["TX", "NH", None],
        "quantity": [900, -1, None],
        "total": [1.5, -3.0, 99_999.0],
        "written": ["3/5/2024", "9999-12-31", "soon"],
        "sent": [date(2030, 1, 1), None],
        "weight": ["12 kg", "200.0", "999"],
    }
    dirty, at = clean, 0
    for name, values in faults.items():
        for value in values:
            at += 7
            wrong = pl.lit(value, dtype=clean.schema[name])
            dirty = dirty.with_columns(pl.when(pl.int_range(pl.len()) == at).then(wrong).otherwise(name).alias(name))
    model = anorand.train(dirty, dirty.columns, seed=0)
    found = anorand.incidents(dirty, model, contamination=0.03)
    assert found.height > 10
    assert [why for why in found["why"] if why.endswith(" is unusual")] == []
