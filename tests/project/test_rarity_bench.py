"""Contract: `benches/rarity` draws new rows from where a table's training rows come from, and counts them by line."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from conftest import FAST

from benches.rarity.protocol import measure, with_absurd_numbers
from benches.rarity.report import render, to_frame
from benches.rarity.tables import KINDS, Table, made_tables, read_tables


@pytest.mark.parametrize("table", list(made_tables(1, (50,), 100)), ids=lambda table: table.kind)
def test_a_made_table_has_training_rows_and_new_ones_of_the_same_columns(table: Table) -> None:
    assert (table.train.height, table.new.height) == (50, 100)
    assert table.train.schema == table.new.schema
    assert not table.new.equals(table.train)


def test_each_kind_has_tables_in_both_halves() -> None:
    halves = [(table.kind, table.half) for table in made_tables(2, (50,), 10)]
    assert sorted(halves) == sorted((kind, half) for kind in KINDS for half in (0, 1))


def test_rows_above_a_line_are_those_above_the_threshold_and_by_rarity() -> None:
    tables = [table for table in made_tables(1, (200,), 3_000) if table.kind in ("independent", "few_distinct")]
    measured = [measure(table, FAST) for table in tables]
    results = [result for results, _ in measured for result in results]
    assert [(result.line, result.beyond) for result in results] == [(1e-2, False), (1e-3, True)] * 2
    for result in results:
        assert 0 <= result.above < 300
        # Beyond the training rows, a threshold is where the rarity says so, but for that of one row.
        assert not result.beyond or result.above <= result.rarer
    extremes = [extreme for _, extreme in measured]
    assert [extreme.found is None for extreme in extremes] == [False, True]
    text = render(to_frame(results), pl.DataFrame(extremes))
    assert "| independent " in text
    assert "the line of a millionth" in text


def test_an_absurd_number_is_far_above_all_training_rows() -> None:
    table = Table("t", "made", 0, pl.DataFrame({"x": [1, 3]}), pl.DataFrame({"x": [2, 2]}))
    absurd = with_absurd_numbers(table)
    assert absurd is not None
    assert absurd["x"].to_list() == [2_003] * 20


def test_of_a_read_set_normal_rows_alone_are_used(tmp_path: Path) -> None:
    rows = pl.DataFrame({"f0": [float(at) for at in range(100)], "part": ["train", "test"] * 50})
    rows = rows.with_columns(label=(pl.col("part") == "test").cast(pl.Int8) * (pl.col("f0") > 50).cast(pl.Int8))
    rows.write_parquet(tmp_path / "set.parquet")
    (table,) = read_tables(tmp_path)
    assert (table.train.height, table.new.height) == (25, 25 + 25)
    both = pl.concat([table.train, table.new])["f0"].sort()
    assert both.equals(rows.filter(label=0)["f0"].sort())
