"""Contract: the evidence against a cell follows from the model file alone, as recomputed in float64."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST

import polars_anorand as anorand

TOLERANCE = 1e-6
"""In nats, beside the rounding of what is returned as Float32."""

ROWS = 700


def raw() -> pl.DataFrame:
    """Columns of each nature, which depend on one another in each of the ways that are looked for."""
    rng = np.random.default_rng(7)
    province = rng.choice(["Utrecht", "Gelderland", "Antwerpen", "Namur", "Bayern", "Hessen"], ROWS)
    country = {"Utrecht": "NL", "Gelderland": "NL", "Antwerpen": "BE", "Namur": "BE", "Bayern": "DE", "Hessen": "DE"}
    price = {"Utrecht": 3.5, "Gelderland": 4.25, "Antwerpen": 12.0, "Namur": 2.75, "Bayern": 8.0, "Hessen": 30.0}
    quantity = rng.integers(1, 40, ROWS)
    x = rng.lognormal(2, 0.7, ROWS).round(2)
    hour = np.where(rng.random(ROWS) < 0.95, 6 + (quantity % 3), 15)
    start = [
        datetime(2023, 1, 2) + timedelta(days=int(day), hours=int(of), minutes=int(minute))
        for day, of, minute in zip(rng.integers(0, 300, ROWS), hour, rng.integers(0, 60, ROWS), strict=True)
    ]
    minutes = rng.integers(10, 300, ROWS)
    shipped = [date(2022, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 250, ROWS)]
    amount = rng.normal(50, 5, ROWS).round(1)
    written = [f"{each:.1f}" for each in amount]
    written[3], written[90], written[200] = "48.1 kg", "n/a", "1,050.5"
    day = [f"{at.month}/{at.day}/{at.year}" for at in shipped]
    day[5] = "2022-03-04"
    job = rng.choice(["job_7 nightly", "job_8 daily", "import", "Export"], ROWS, p=[0.4, 0.3, 0.28, 0.02])
    weight = {"job_7 nightly": 10.0, "job_8 daily": 25.0, "import": 3.0, "Export": 80.0}
    # A rate of each country, a power with a level of each province, and a line with an offset of each job.
    rate = {"NL": 0.21, "BE": 0.06, "DE": 0.19}
    tax = [round(float(of) * rate[country[each]], 2) for each, of in zip(province, x, strict=True)]
    noise = np.random.default_rng(8)
    level = {"Utrecht": 40, "Gelderland": 2, "Antwerpen": 9, "Namur": 300, "Bayern": 1, "Hessen": 20}
    toll = [level[each] * float(of) ** 1.6 for each, of in zip(province, x, strict=True)] * noise.normal(1, 0.03, ROWS)
    fare = [4 * weight[each] + 0.5 * int(n) for each, n in zip(job, minutes, strict=True)] + noise.normal(0, 1, ROWS)
    height = noise.normal(40, 9, ROWS).round()
    opens = [f"{at.hour:02}:{at.minute // 30 * 30:02}" for at in start]
    frame = pl.DataFrame(
        {
            "province": province,
            "country": [country[each] for each in province],
            "code": [f"{country[each]}-{1000 + at % 37}" for at, each in enumerate(province)],
            "quantity": quantity,
            "price": [price[each] for each in province],
            "total": [price[each] * int(n) for each, n in zip(province, quantity, strict=True)],
            "x": x,
            "double": 2 * x + rng.normal(0, 0.01, ROWS).round(3),
            "start": start,
            "end": [at + timedelta(minutes=int(n)) for at, n in zip(start, minutes, strict=True)],
            "minutes": minutes,
            "shipped": shipped,
            "amount": written,
            "day": day,
            "gaps": pl.Series(rng.normal(size=ROWS)).set(pl.Series(rng.random(ROWS) < 0.02), None),
            "age": np.where(rng.random(ROWS) < 0.02, 999, rng.integers(18, 80, ROWS)),
            "job": job,
            "weight": [weight[each] * float(of) for each, of in zip(job, rng.normal(1, 0.05, ROWS), strict=True)],
            "opens": opens,
            "lasts": pl.Series(minutes * 60_000_000).cast(pl.Duration("us")),
            "clock": pl.Series([at.time() for at in start]),
            "flag": rng.random(ROWS) < 0.01,
            "paid": [f"${each:,.2f}" for each in rng.lognormal(6, 1, ROWS)],
            "load": [f"{each:.1f} kg".replace(".", ",") for each in rng.normal(20, 4, ROWS)],
            "around": rng.normal(1.5, 1, ROWS).round(3),
            "bonus": [
                None if of == "import" else float(at) for of, at in zip(job, rng.normal(5, 1, ROWS), strict=True)
            ],
            "tax": tax,
            "toll": toll.round(2),
            "fare": fare.round(1),
            "height": height,
            "mass": (1000 + 0.5 * height + noise.normal(0, 1, ROWS)).round(3),
        }
    )
    country_of_few = pl.when(pl.int_range(ROWS).is_in([17, 400])).then(pl.lit("Utrehct")).otherwise("province")
    # Two rows break the rule that a total is price · quantity.
    total = pl.when(pl.int_range(ROWS).is_in([50, 333])).then(1.0).otherwise("total")
    return frame.with_columns(province=country_of_few, total=total)


def strange(frame: pl.DataFrame) -> pl.DataFrame:
    """A row for each fault, beside rows as they are."""
    faults: list[dict[str, Any]] = [
        {"paid": "12.50"}, {"paid": "€5.00"}, {"paid": "-$4.00"}, {"paid": "$9,000,000.00"}, {"paid": "$ 20"},
        {"load": "12,5 g"}, {"load": "12.5 kg"}, {"load": "1.000,5kg"}, {"load": "kg"},
        {"around": 0.0}, {"around": -0.5}, {"bonus": None}, {"job": "import"},
        {"tax": 0.4}, {"tax": -1.0}, {"x": 0.0, "tax": 0.0}, {"toll": 11.0}, {"toll": -2.0}, {"x": None},
        {"fare": 300.0}, {"job": None}, {"minutes": None}, {"job": "new", "fare": 60.0},
        {"height": 61.0}, {"height": 23.0}, {"height": 40.5}, {"mass": 1005.0},
        {"end": datetime(2022, 12, 1)}, {"start": datetime(2023, 12, 20, 7)},
        {"province": "Bayren"}, {"province": "Paris"}, {"country": "DE"}, {"country": "nl"}, {"country": "XX"},
        {"code": "NL 1001"}, {"code": "DE-99999"}, {"quantity": 400}, {"quantity": -3}, {"price": 99.0}, {"price": 3.5},
        {"total": 1.0}, {"total": 0.0}, {"x": 1e6}, {"x": -2.0}, {"double": 0.0}, {"start": datetime(2023, 5, 5, 3)},
        {"end": datetime(2021, 1, 1)}, {"minutes": 9_000}, {"shipped": date(1970, 1, 1)}, {"amount": "12 kg"},
        {"amount": "51.25"}, {"amount": "5e9"}, {"day": "2022-05-05"}, {"day": "5/6/1999"}, {"day": "soon"},
        {"gaps": None}, {"age": 999}, {"age": 230}, {"age": 40.5}, {"job": "jop_7 nightly"}, {"job": "Jürgen\ufffd"},
        {"flag": None}, {"province": None, "total": None}, {"amount": "N/A"},
        {"weight": 24.0}, {"weight": -1.0}, {"opens": "3 o'clock"}, {"opens": "2:30"}, {"opens": "7:30 p.m."},
        {"lasts": timedelta(days=9)}, {"clock": time(23, 59)}, {"job": "new"},
        {"start": datetime(9999, 12, 31)}, {"job": "a b c 1 2 3 ..."},
    ]  # fmt: skip
    rows = frame.with_columns(pl.col("age").cast(pl.Float64))
    spoilt = [
        rows[9 * at].with_columns(pl.lit(value, dtype=rows.schema[name]).alias(name) for name, value in each.items())
        for at, each in enumerate(faults)
    ]
    return pl.concat([*spoilt, rows.head(60)])


def given(frame: pl.DataFrame, model: anorand.Model) -> tuple[np.ndarray, dict[int, list[str]]]:
    """The rows as the reference takes them, and the texts that the model does not know."""
    columns, texts = [], {}
    for j, series in enumerate(frame.select(model.features)):
        if (known := model.categories.get(series.name)) is None:
            columns.append(series.to_physical().cast(pl.Float64).fill_null(float("nan")).to_numpy())
            continue
        codes = {text: code for code, text in enumerate(known)}
        texts[j] = [text for text in series.unique(maintain_order=True).drop_nulls() if text not in codes]
        codes |= {text: len(known) + at for at, text in enumerate(texts[j])}
        columns.append(np.array([np.nan if text is None else codes[text] for text in series], dtype=float))
    return np.stack(columns, axis=1), texts


@pytest.fixture(scope="module")
def frame() -> pl.DataFrame:
    return raw()


@pytest.fixture(scope="module")
def model(frame: pl.DataFrame) -> anorand.Model:
    rows = frame.with_columns(pl.col("age").cast(pl.Float64))
    return anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())


def test_every_relation_is_among_those_that_are_recomputed(model: anorand.Model) -> None:
    cells = reference.metadata(model.to_bytes())["cells"]
    assert {each["aim"] for each in cells["targets"]} == {"value", "number", "hour", "presence"}
    relations = {next(iter(parent["relation"])) for each in cells["targets"] for parent in each["parents"]}
    assert relations == {"category", "groups", "line", "line_in_groups", "two"}
    lines = [parent["relation"].get("line_in_groups") for each in cells["targets"] for parent in each["parents"]]
    shapes = [each.get("shape") for each in lines if each is not None]
    assert {None if of is None else (of["parent_is_log"], of["child_is_log"]) for of in shapes} >= {None, (True, True)}
    of_bins = [
        each["column"]
        for each in cells["targets"]
        for parent in each["parents"]
        if each["aim"] == "value" and cells["coders"][parent["coder"]][1] == "bin"
    ]
    assert model.features.index("height") in of_bins
    assert [(each["low"], each["high"]) for each in cells["orders"]] == [(6, 7), (8, 9)]
    assert any(parent.get("is_rule") for each in cells["targets"] for parent in each["parents"])
    assert {each["nature"]["meaning"] for each in cells["columns"]} == {"category", "number", "date", "clock"}


def test_evidence_against_each_cell_is_recomputed_from_the_file(frame: pl.DataFrame, model: anorand.Model) -> None:
    rows = strange(frame)
    expected = reference.cells(model.to_bytes(), *given(rows, model))
    found = rows.select(anorand.cells(model.features, model)).unnest("cells").to_numpy()
    for j, name in enumerate(model.features):
        np.testing.assert_allclose(
            found[:, j], np.logaddexp(0, expected.cells[:, j]), atol=TOLERANCE, rtol=1e-6, err_msg=name
        )
    assert (found > 3).sum() > 30


def test_scores_are_eq_8_and_that_evidence(frame: pl.DataFrame, model: anorand.Model) -> None:
    """Of the features that are one input, which the reading of the networks takes."""
    rows = strange(frame)
    expected = reference.score(model.to_bytes(), *given(rows, model))
    scores = rows.select(anorand.score(model.features, model)).to_series().to_numpy()
    np.testing.assert_allclose(scores, expected, atol=1e-5, rtol=0)
