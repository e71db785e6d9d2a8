"""Contract: `benches/relations` makes tables that have their relation, and counts what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest
from conftest import FAST

from benches.common.coding import coding_of
from benches.relations import page
from benches.relations.catalogue import INVISIBLE, KINDS, asked_kinds
from benches.relations.detectors import detectors
from benches.relations.kinds import Fault, Kind
from benches.relations.picture import draw
from benches.relations.protocol import Broken, Findings, Result, measure, trainings
from benches.relations.report import compared, flagged, read_frame, render, summary, to_frame, to_json

FAULTS = [(kind, kind.fault) for kind in KINDS.values() if kind.fault]
QUIET = [kind for kind in KINDS.values() if kind.fault is None]


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.mark.parametrize(("kind", "fault"), FAULTS, ids=[kind.name for kind, _ in FAULTS])
def test_a_table_has_its_relation_and_a_fault_breaks_it_in_one_cell(kind: Kind, fault: Fault) -> None:
    sound = kind.make(150, rng())
    broken = fault.plant(sound, 1.0, rng())
    assert sound.select(fault.sound).to_series().to_list() == [True] * 150
    assert broken.select(fault.sound).to_series().to_list() == [False] * 150
    assert broken.schema == sound.schema
    assert broken.drop(fault.column).equals(sound.drop(fault.column))
    assert set(fault.relation) < set(sound.columns)


@pytest.mark.parametrize("kind", QUIET, ids=lambda kind: str(kind.name))
def test_a_table_without_a_fault_is_made_and_trains_clean_only(kind: Kind) -> None:
    (training,) = trainings(kind, 250, rng())
    assert training.rows.height == (kind.most_rows or 250)
    assert training.kind == "clean"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: str(kind.name))
def test_a_draw_is_the_seeds(kind: Kind) -> None:
    assert kind.make(30, rng()).equals(kind.make(30, rng()))


def test_clean_training_has_what_stands_in_it_and_dirty_training_one_per_cent() -> None:
    kind = KINDS["999 for an age"]
    clean, dirty = trainings(kind, 1_000, rng())
    assert [(rows.rows["age"] == 999).sum() for rows in (clean, dirty)] == [4, 10]
    assert [rows.contamination for rows in (clean, dirty)] == [0.01, 0.02]


def test_kinds_are_asked_for_by_a_part_of_their_name() -> None:
    assert [kind.name for kind in asked_kinds(["y = ", "typo"])] == ["y = 2x", "typo"]
    assert asked_kinds(None) == list(KINDS.values())
    with pytest.raises(ValueError, match="no kind has tpyo in its name; there are: price of an article; "):
        asked_kinds(["tpyo"])


@dataclass(frozen=True)
class Blaming:
    """A detector that flags what its rows say, for the reasons that they give."""

    def flags(self, rows: pl.DataFrame) -> pl.Series:
        """The rows that say so."""
        return rows["flag"]

    def blames(self, rows: pl.DataFrame) -> pl.Series:
        """The reasons that the rows give."""
        return rows["reason"]


def unchanged(row: Mapping[str, Any], _rng: np.random.Generator) -> object:
    return row["y"]


def test_found_counts_rows_and_named_and_related_the_first_reasons_of_these() -> None:
    rows = pl.DataFrame(
        {"flag": [True, True, True, True, False], "reason": ["y", "x", "z", "y", "y"]},
    )
    broken = Broken(Fault("y", unchanged, pl.lit(True), relation=("x",)), rows)
    assert broken.findings(Blaming()) == Findings(found=0.8, named=0.5, related=0.75)
    assert Broken(broken.fault, rows.tail(1)).findings(Blaming()) == Findings(0.0, None, None)


def result(kind: str, seed: int, detector: str, findings: Findings | None, clean: float) -> Result:
    return Result(kind, seed, "clean", detector, findings, clean)


RESULTS = to_frame(
    [
        result("a", 0, "AnoRand", Findings(1.0, 0.5, 0.75), 0.01),
        result("a", 1, "AnoRand", Findings(0.0, None, None), 0.03),
        result("a", 0, "column rules", Findings(0.5, None, None), 0.0),
        result("b", 0, "AnoRand", Findings(1.0, 1.0, 1.0), 0.04),
        result("none", 0, "AnoRand", None, 0.1),
    ],
)


def test_means_are_over_seeds_first_and_then_over_kinds() -> None:
    (ours,) = summary(RESULTS).filter(detector="AnoRand").to_dicts()
    assert ours == {
        "training": "clean",
        "detector": "AnoRand",
        "found": 0.75,
        "named": 0.75,
        "related": 0.875,
        "clean": pytest.approx(0.03),
        "quiet": 0.1,
    }


def test_tables_compare_the_detectors_kind_by_kind() -> None:
    assert compared(RESULTS, "clean").rows() == [("a", 0.5, 0.5, 0.5, 0.75), ("b", 1.0, None, 1.0, 1.0)]
    assert flagged(RESULTS, "clean")["kind"].to_list() == ["a", "b", "none"]
    assert "means over the kinds" in render(RESULTS)


def test_the_page_has_clean_and_dirty_training_in_one_cell() -> None:
    both = pl.concat([RESULTS, RESULTS.filter(kind="b").with_columns(training=pl.lit("dirty"), found=0.5)])
    lines = page.table(both).splitlines()
    assert "| b | 1.00 / 0.50 |  | 1.00 / 1.00 | 1.00 / 1.00 |" in lines
    assert "| a | 0.50 | 0.50 | 0.50 | 0.75 |" in lines
    assert "| none | 0.10 |  |  |  |" in lines
    assert {line.count("|") for line in lines} == {6}


def test_a_common_fault_stands_in_a_third_of_the_training_rows() -> None:
    (kind,) = asked_kinds(["unit"], INVISIBLE)
    shares = [training.rows["load"].str.contains("kg").mean() for training in trainings(kind, 300, rng())]
    assert shares == [pytest.approx(1 / 3)] * 2


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(to_json(RESULTS))
    assert read_frame(tmp_path / "results.json").equals(RESULTS)


def test_the_picture_names_detectors_and_kinds_with_a_fault() -> None:
    words = {element.text for element in ElementTree.fromstring(draw(RESULTS)).iter() if element.text}
    assert {"a", "b", "AnoRand", "column rules", "trained on clean rows"} <= words
    assert "none" not in words


def test_a_coding_takes_numbers_times_texts_and_what_is_missing() -> None:
    rows = pl.DataFrame({"n": [1.0, None, 3.0], "t": ["a", "a", None]}).with_columns(day=pl.date(1970, 1, 3))
    coded = rows.select(coding_of(rows))
    assert coded.columns == ["n", "n is missing", "t", "day"]
    assert coded["n"].to_list() == [1.0, 2.0, 3.0]
    assert coded["n is missing"].to_list() == [0.0, 1.0, 0.0]
    assert np.exp(coded["t"].to_numpy()) == pytest.approx([2 / 3, 2 / 3, 1 / 3])
    assert coded["day"].to_list() == [2.0] * 3
    unseen = rows.with_columns(t=pl.lit("new")).select(coding_of(rows))
    assert np.exp(unseen["t"].to_numpy()) == pytest.approx([0.5 / 3] * 3)


def test_each_detector_is_measured_on_clean_and_dirty_training() -> None:
    kind = KINDS["999 for an age"]
    frame = to_frame(measure(kind, 150, 0, detectors(FAST)))
    assert frame.select("training", "detector").n_unique() == frame.height == 2 * 3
    rules = frame.filter(detector="column rules", training="clean")
    assert rules["found"].item() == 1.0
    assert rules["clean"].item() < 0.05
