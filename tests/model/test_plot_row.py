"""Contract: `Model.plot_row` draws one row: the evidence against each cell, its value, and why."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "item": ["book", "lamp", "desk"] * 100,
            "price": [12.0, 30.0, 249.0] * 100,
            "at": [datetime(2026, 1, 1 + row % 28, 12) for row in range(300)],
            "row": range(300),
        }
    )


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> anorand.Model:
    return anorand.train(table, ["item", "price", "at"], seed=0)


@pytest.fixture(scope="module")
def odd(table: pl.DataFrame) -> pl.DataFrame:
    return table.head(1).with_columns(price=pl.lit(249.0))


def drawn(chart: Any) -> list[dict[str, Any]]:
    values: list[dict[str, Any]] = chart.to_dict()["data"]["values"]
    return values


def test_it_draws_the_evidence_of_cells_the_strongest_first(model: anorand.Model, odd: pl.DataFrame) -> None:
    cells = drawn(model.plot_row(odd))
    assert sorted(each["cell"] for each in cells) == ["at: 2026-01-01 12:00:00", "item: book", "price: 249"]
    evidence = odd.select(anorand.cells(model.features, model)).unnest("cells").row(0, named=True)
    assert [each["evidence"] for each in cells] == sorted(evidence.values(), reverse=True)
    assert {each["cell"].partition(":")[0]: each["evidence"] for each in cells} == evidence


def test_a_cell_that_is_a_reason_has_its_sentence(model: anorand.Model, odd: pl.DataFrame) -> None:
    said = {each["cell"].partition(":")[0]: each["says"].replace("\n", " ") for each in drawn(model.plot_row(odd))}
    detected = odd.select(anorand.detect(model.features, model, threshold=0.0, explain=3)).unnest("anomaly")
    reasons = {each["feature"]: each["why"] for each in detected["reasons"].item()}
    assert "price" in reasons
    assert {name: text for name, text in said.items() if text} == reasons
    assert "with item book it is 12 in 100 % of" in said["price"]


def test_what_is_expected_is_said_where_the_sentence_does_not(model: anorand.Model) -> None:
    typo = {"item": "bokk", "price": 12.0, "at": datetime(2026, 1, 3, 12)}
    said = {each["cell"]: each["says"].replace("\n", " ") for each in drawn(model.plot_row(typo))}
    reasons = pl.DataFrame(typo).select(anorand.detect(model.features, model, threshold=0.0, explain=3))
    (of_item,) = [each for each in reasons.unnest("anomaly")["reasons"].item() if each["feature"] == "item"]
    assert of_item["expected"] == "book"
    assert "book" in said["item: bokk"]


def test_an_ordinary_row_is_drawn_too(model: anorand.Model, table: pl.DataFrame) -> None:
    assert len(drawn(model.plot_row(table.head(1)))) == 3


def test_a_dict_and_a_lazy_frame_are_rows_too(model: anorand.Model, odd: pl.DataFrame) -> None:
    expected = model.plot_row(odd).to_dict()["data"]
    assert model.plot_row(odd.row(0, named=True)).to_dict()["data"] == expected
    assert model.plot_row(odd.lazy()).to_dict()["data"] == expected


def test_a_missing_value_is_drawn_as_one(model: anorand.Model, odd: pl.DataFrame) -> None:
    row = {**odd.row(0, named=True), "item": None}
    assert "item: missing" in [each["cell"] for each in drawn(model.plot_row(row))]


def test_it_can_be_saved_as_a_picture(model: anorand.Model, odd: pl.DataFrame, tmp_path: Any) -> None:
    model.plot_row(odd).save(tmp_path / "row.svg")
    assert "price: 249" in (tmp_path / "row.svg").read_text(encoding="utf-8")


def test_what_is_no_row_is_refused(model: anorand.Model, table: pl.DataFrame) -> None:
    with pytest.raises(ValueError, match=r"row must be one row, got 300 of them: give frame.slice\(number, 1\), or a"):
        model.plot_row(table)
    with pytest.raises(ValueError, match="row must be one row, got 0 of them"):
        model.plot_row(table.clear())
    with pytest.raises(TypeError, match=r"row must be a frame of one row, or a dict, got 17 \(int\)"):
        model.plot_row(17)  # type: ignore[arg-type]
    for given in (table.head(1).drop("price", "at"), {"item": "book"}):
        with pytest.raises(ValueError, match="row lacks 'price', 'at': it must have all features of the model"):
            model.plot_row(given)
    with pytest.raises(pl.exceptions.PolarsError, match="price"):
        model.plot_row({**table.row(0, named=True), "price": "dear"})


def test_a_row_that_the_model_does_not_score_is_refused(table: pl.DataFrame) -> None:
    model = anorand.train(table, ["item", "price"], missing="null", **FAST)
    with pytest.raises(ValueError, match='a missing value, and the model, fitted with missing="null", does not score'):
        model.plot_row({"item": "book", "price": None})


def test_a_model_of_the_published_method_has_no_cells_to_draw(frame: pl.DataFrame) -> None:
    model = anorand.Model(frame.select(anorand.fit(pl.all(), preset="paper", epochs=2)).item())
    with pytest.raises(ValueError, match='fitted with preset="paper", which finds no evidence of single cells'):
        model.plot_row(frame.head(1))


def test_without_altair_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["altair"] = None
import polars as pl, polars_anorand as anorand
model = anorand.train(pl.DataFrame({"x": [1.0, 2.0, 4.0, 8.0]}), epochs=1, min_steps=0)
try:
    model.plot_row({"x": 2.0})
except ImportError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert "polars-anorand[report]" in out
