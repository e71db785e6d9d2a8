"""Contract: `benches/dirty` reads tables of which the wrong cells are known, and compares rankings with these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from conftest import FAST

from benches.dirty.figures import Figures, figures, first_right, highest
from benches.dirty.rankings import Ranking, by_rarity, rankings, rarity
from benches.dirty.report import Result, render, summary, to_frame
from benches.dirty.tables import DirtyTable, read_tables

CELLS = np.array([[0.9, 0.0], [0.1, 0.2], [0.0, 0.8], [0.1, 0.0]])
WRONG = np.array([[True, False], [False, False], [False, True], [False, False]])


def table_in(folder: Path, csv: str, errors: pl.DataFrame | str) -> None:
    folder.mkdir()
    (folder / "dirty.csv").write_text(csv)
    if isinstance(errors, str):
        (folder / "error_mask.csv").write_text(errors)
    else:
        errors.write_parquet(folder / "errors.parquet")


def test_a_table_is_read_without_its_numbering_column(tmp_path: Path) -> None:
    table_in(tmp_path / "t", "Index,size,kind\n1,2.5,a\n2,,\n", "Index,size,kind\n1,0,0\n0,1,0\n")
    (table,) = read_tables(tmp_path)
    assert table.name == "t"
    assert table.rows.to_dict(as_series=False) == {"size": [2.5, None], "kind": ["a", None]}
    assert table.wrong.tolist() == [[False, False], [True, False]]


def test_wrong_cells_may_lie_in_a_parquet_file(tmp_path: Path) -> None:
    table_in(tmp_path / "t", "a,b\nx,1\ny,2\n", pl.DataFrame({"a": [True, False], "b": [False, False]}))
    (table,) = read_tables(tmp_path, rows=1, columns=1)
    assert table.rows.to_dict(as_series=False) == {"a": ["x"]}
    assert table.wrong.tolist() == [[True]]


def test_a_table_and_its_errors_have_one_shape(tmp_path: Path) -> None:
    table_in(tmp_path / "t", "a,b\nx,1\n", "a\n1\n")
    with pytest.raises(ValueError, match=r"dirty.csv has \(1, 2\) cells, and its errors are of \(1, 1\)"):
        list(read_tables(tmp_path))
    with pytest.raises(ValueError, match="for u; there are t"):
        read_tables(tmp_path, ["u"])


def test_a_perfect_ranking_has_perfect_figures() -> None:
    assert figures(WRONG, Ranking(CELLS.sum(axis=1), CELLS)) == Figures(1.0, 1.0, 1.0, 1.0)


def test_the_cells_of_a_ranking_are_judged_apart_from_its_rows() -> None:
    upside_down = figures(WRONG, Ranking(-CELLS.sum(axis=1), CELLS))
    assert upside_down == Figures(0.0, 0.0, None, 1.0)  # no row among the highest has a wrong cell
    assert figures(WRONG, Ranking(CELLS.sum(axis=1), None)) == Figures(1.0, 1.0, None, None)


def test_rows_have_no_figures_if_all_of_them_are_wrong() -> None:
    all_wrong = figures(np.array([[True, False], [False, True]]), Ranking(np.array([1.0, 0.0]), np.eye(2)))
    assert all_wrong == Figures(None, None, 1.0, 1.0)


def test_the_highest_cell_is_right_in_a_share_of_the_wrong_rows() -> None:
    cells = np.array([[3.0, 1.0], [3.0, 1.0], [0.0, 1.0]])
    wrong = np.array([[True, False], [False, True], [False, False]])
    assert first_right(wrong, cells) == 0.5
    assert first_right(wrong[2:], cells[2:]) is None


def test_the_highest_hundredth_takes_ties_along() -> None:
    assert highest(np.arange(250.0)).nonzero()[0].tolist() == [248, 249]
    assert highest(np.array([1.0, 2.0, 2.0])).tolist() == [False, True, True]


def test_a_value_is_as_rare_as_its_frequency_or_that_of_its_bin() -> None:
    kinds = pl.Series("kind", ["a", "a", "a", None])
    assert rarity(kinds).to_numpy() == pytest.approx(-np.log([0.75, 0.75, 0.75, 0.25]))
    numbers = pl.Series("n", [*np.arange(96.0), None, None])
    bins = rarity(numbers).to_numpy()
    assert bins[:96] == pytest.approx(np.full(96, -np.log(3 / 98)), rel=0.4)
    assert bins[96:] == pytest.approx(-np.log(2 / 98))


def test_a_row_is_as_rare_as_its_values_together() -> None:
    ranking = by_rarity(pl.DataFrame({"a": ["x", "x", "y"], "b": [1, 2, 2]}))
    assert ranking.cells is not None
    assert ranking.rows == pytest.approx(ranking.cells.sum(axis=1))
    assert ranking.rows.argmin() == 1


def test_each_method_ranks_rows_and_becomes_a_line_of_the_report() -> None:
    rng = np.random.default_rng(0)
    rows = pl.DataFrame({"size": rng.normal(size=120), "kind": rng.choice(["a", "b"], 120)})
    wrong = np.zeros((120, 2), dtype=bool)
    wrong[0, 0] = True
    table = DirtyTable("t", pl.concat([rows.head(1).with_columns(size=50.0), rows.tail(119)]), wrong)
    results = []
    for method, rank in rankings(FAST).items():
        ranking = rank(table.rows)
        assert ranking.rows.shape == (120,)
        assert ranking.cells is None or ranking.cells.shape == (120, 2)
        results.append(Result("t", method, 0.1, figures(table.wrong, ranking)))
    frame = to_frame(results)
    assert summary(frame).height == len(rankings(FAST)) == 3
    assert frame.filter(method="IsolationForest")["row_auc"].item() > 0.9
    assert "| t     | AnoRand " in render(frame)
