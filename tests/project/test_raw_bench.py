"""Contract: `benches/raw` plants faults where a column can carry them, and counts what is found."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from conftest import FAST

from benches.common.table_detectors import detectors
from benches.raw.faults import FAULTS, Case, cases
from benches.raw.picture import draw
from benches.raw.protocol import dirtied, measure
from benches.raw.report import render, summary, to_frame
from benches.raw.tables import Table, read_tables

ROWS = pl.DataFrame(
    {"size": [0.0, 1.0, 2.0, None], "change": [-1.0, 0.0, 1.0, 2.0], "kind": ["a", "b", "a", None]},
)


def case(fault: str, column: str) -> Case:
    (found,) = [case for case in cases(ROWS) if (case.fault, case.column) == (fault, column)]
    return found


def raw_table(rows: int = 200) -> Table:
    rng = np.random.default_rng(0)
    size = rng.lognormal(size=rows)
    kinds = rng.choice(["a", "b", "c"], rows)
    return Table("t", pl.DataFrame({"size": size, "weight": 3 * size + rng.normal(size=rows), "kind": kinds}))


def test_each_column_carries_the_faults_that_it_can() -> None:
    assert {(found.fault, found.column) for found in cases(ROWS)} == {
        ("value × 10", "size"),
        ("sign turned", "size"),
        ("far sentinel", "size"),
        ("beyond the bulk", "size"),
        ("value × 10", "change"),
        ("far sentinel", "change"),
        ("emptied cell", "change"),
        ("beyond the bulk", "change"),
        ("unseen category", "kind"),
    }


def test_no_fault_fits_a_column_of_nulls() -> None:
    assert cases(pl.DataFrame({"size": [None, None]}, schema={"size": pl.Float64})) == []


@pytest.mark.parametrize(
    ("fault", "column", "cells"),
    [
        ("value × 10", "size", [10.0, 20.0]),
        ("sign turned", "size", [-1.0, -2.0]),
        ("far sentinel", "size", [-9999.0] * 3),
        ("unseen category", "kind", ["??"] * 3),
        ("emptied cell", "change", [None] * 4),
        ("beyond the bulk", "size", [pytest.approx(1.98 + 1.5 * 1.96)] * 3),
    ],
)
def test_a_planted_row_had_a_value_and_has_another(fault: str, column: str, cells: list[object]) -> None:
    assert case(fault, column).plant(ROWS)[column].to_list() == cells


def test_only_the_column_with_the_fault_changes() -> None:
    planted = case("value × 10", "size").plant(ROWS)
    assert planted.drop("size").equals(ROWS.drop("size")[1:3])
    assert planted.schema == ROWS.schema


def test_dirty_rows_are_the_clean_ones_with_faults_and_absurd_values() -> None:
    draw_of_rows = raw_table(1_000).draw(1_000, seed=0)
    dirty = dirtied(draw_of_rows, cases(draw_of_rows.rows), seed=0)
    clean = draw_of_rows.train
    assert dirty.height == clean.height + 2  # one for each column of numbers
    assert dirty[9:].equals(clean[7:])  # 1 % with a fault, and those two, come first
    assert not dirty[:7].equals(clean[:7])
    assert dirty[7, "size"] > 1e6
    assert dirty[8, "weight"] > 1e6


def test_a_table_is_read_as_numbers_and_categories(tmp_path: Path) -> None:
    rows = pl.DataFrame({"id": ["x", "y"], "late": [True, False], "n": [1, 2], "v": [1.0, float("nan")]})
    rows.with_columns(kind=pl.Series(["a", "b"], dtype=pl.Categorical)).write_parquet(tmp_path / "t.parquet")
    (tmp_path / "tables.json").write_text('{"t": {"drop": ["id"]}}')
    (table,) = read_tables(tmp_path)
    assert table.rows.to_dict(as_series=False) == {
        "late": [1.0, 0.0],
        "n": [1.0, 2.0],
        "v": [1.0, None],
        "kind": ["a", "b"],
    }
    with pytest.raises(ValueError, match="not in .*tables.json: u; there are t"):
        read_tables(tmp_path, ["u"])


def test_results_become_tables_lines_and_a_picture() -> None:
    frame = to_frame(measure(raw_table(), 200, 0, detectors(FAST)))
    totals = summary(frame)
    assert totals.height == 2 * 3
    assert totals["found"].is_between(0, 1).all()
    rules = totals.filter(detector="column rules", training="clean")
    assert rules["found"].item() > 0.3 > rules["clean"].item()
    assert render(frame).splitlines()[-1].startswith("dirty: found AnoRand ")
    words = [element.text for element in ElementTree.fromstring(draw(frame)).iter() if element.text]
    assert {*FAULTS, "AnoRand", "column rules", "IsolationForest"} <= set(words)
