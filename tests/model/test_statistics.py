"""Contract: a model keeps where the training values of each feature lay, and says it in words."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from conftest import FAST, internals

import polars_anorand as anorand


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    rows = 1_001
    start = datetime(2026, 1, 1)
    return pl.DataFrame(
        {
            "speed": rng.lognormal(2.0, 1.0, rows),
            "count": rng.integers(0, 40, rows),
            "gust": pl.Series(rng.normal(size=rows)).set(pl.Series(rng.random(rows) < 0.8), None),
            "empty": pl.Series([None] * rows, dtype=pl.Float64),
            "wet": rng.random(rows) < 0.5,
            "country": rng.choice(["DE", "FR", "IT", "ZA"], rows, p=[0.5, 0.3, 0.15, 0.05]),
            "day": [date(2026, 1, 1) + timedelta(days=at % 100) for at in range(rows)],
            "at": [start + timedelta(hours=at) for at in range(rows)],
        }
    )


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> anorand.Model:
    with pytest.warns(UserWarning, match='"empty" has no value'):
        return anorand.Model(table.select(anorand.fit(pl.all(), **FAST)).item())


def test_numbers_are_the_quantiles_of_the_training_values(table: pl.DataFrame, model: anorand.Model) -> None:
    rows = {row["feature"]: row for row in model.statistics.iter_rows(named=True)}
    assert list(rows) == table.columns
    places = {"minimum": 0, "low": 0.05, "lower_quartile": 0.25, "median": 0.5, "upper_quartile": 0.75, "high": 0.95}
    for name in ["speed", "count", "gust"]:
        values = table[name].drop_nulls().sort()
        for field, share in {**places, "maximum": 1.0}.items():
            assert rows[name][field] == values[int((len(values) - 1) * share + 0.5)], (name, field)
        assert rows[name]["missing"] == pytest.approx(table[name].null_count() / table.height)


def test_times_and_categories_have_no_numbers(model: anorand.Model) -> None:
    other = model.statistics.filter(pl.col("feature").is_in(["country", "day", "at", "empty"]))
    assert other.select("low", "median", "high", "minimum").null_count().sum_horizontal().item() == 16


def test_categories_are_listed_by_their_share(table: pl.DataFrame, model: anorand.Model) -> None:
    (listed,) = model.statistics.filter(feature="country")["categories"].to_list()
    counts = table["country"].value_counts(sort=True, normalize=True)
    assert [each["value"] for each in listed] == counts["country"].to_list()
    assert [each["share"] for each in listed] == pytest.approx(counts["proportion"].to_list())


def test_what_is_usual_is_said_in_words(table: pl.DataFrame, model: anorand.Model) -> None:
    usual = dict(model.statistics.select("feature", "usual").iter_rows())
    low, high = (table["speed"].sort()[at] for at in (50, 950))
    assert usual["speed"] == f"{low:.4g} to {high:.4g}"
    assert usual["gust"].startswith("missing, or -")
    assert usual["empty"] == "missing"
    assert usual["wet"] == "false to true"
    assert usual["country"] == "DE, FR, IT"
    assert usual["day"] == "2026-01-05 to 2026-04-05"
    assert usual["at"] == "2026-01-03 02:00:00 to 2026-02-09 14:00:00"


def test_what_is_usual_has_digits_that_tell_its_ends_apart() -> None:
    rng = np.random.default_rng(0)
    pressure = rng.integers(101_325, 101_334, 900)
    table = pl.DataFrame(
        {"pressure": pressure, "exact": 1.5 + pressure * 1e-9, "large": pressure * 1e12, "few": rng.random(900)}
    )
    model = anorand.Model(table.select(anorand.fit(pl.all(), **FAST)).item())
    usual = dict(model.statistics.select("feature", "usual").iter_rows())
    assert usual["pressure"] == "101325 to 101333"
    assert usual["exact"] == "1.50010132 to 1.50010133"
    assert usual["large"] == "1.0132e+17 to 1.0133e+17"
    assert len(usual["few"]) <= len("0.01234 to 0.1234")


def test_times_with_a_zone_are_those_of_its_clocks() -> None:
    start = datetime(2026, 1, 1, 9)
    at = pl.Series([start + timedelta(hours=hour) for hour in range(101)]).dt.replace_time_zone("America/New_York")
    table = pl.DataFrame({"at": at, "x": [float(row % 7) for row in range(101)]})
    model = anorand.Model(table.select(anorand.fit(pl.all(), **internals(temporal="number"), **FAST)).item())
    assert model.statistics["usual"][0] == "2026-01-01 14:00:00-05:00 to 2026-01-05 08:00:00-05:00"
    assert str(model.reference["at"]) == str(at[50]) == "2026-01-03 11:00:00-05:00"
    again = pl.DataFrame([model.reference], schema=table.schema)
    assert again["at"][0] == at[50]


def test_what_cells_know_is_a_part_of_it(table: pl.DataFrame) -> None:
    continent = pl.col("country").replace_strict({"ZA": "Africa"}, default="Europe")
    frame = table.select("speed", "country", "day", continent=continent)
    model = anorand.Model(frame.select(anorand.fit(pl.all(), **FAST)).item())
    known = {row["feature"]: row for row in model.statistics.iter_rows(named=True)}
    assert [known[name]["meaning"] for name in frame.columns] == ["number", "category", "date", "category"]
    assert known["continent"]["depends_on"] == ["country"]
    assert known["speed"]["depends_on"] == known["speed"]["placeholders"] == []


def test_reasons_in_words(table: pl.DataFrame) -> None:
    """As docs/expressions.md shows them."""
    features = ["speed", "country", "wet"]
    model = anorand.Model(table.select(anorand.fit(features)).item())
    strange = pl.DataFrame({"speed": [10480.0, 9.0, None], "country": ["DE", "XX", "FR"], "wet": [True, False, True]})
    out = strange.select(anorand.detect(features, model, explain=1)).unnest("anomaly")
    first = out["reasons"].list.first().struct.unnest()
    assert first["feature"].to_list() == ["speed", "country", "speed"]
    assert first["value"].to_list() == ["10480", "XX", None]
    assert first["why"].to_list()[1:] == ["country is XX, as in no training row", "missing, as in no training row"]
