"""Contract: what several processes count of the same rows gives the same model, however the rows are spread."""

from __future__ import annotations

import math
import random
from typing import Any

import polars as pl
import pytest

import polars_anorand as anorand
from polars_anorand.scan import _parts

FAST: anorand.FitOptions = {"epochs": 2, "min_steps": 0, "members": 3}
ROWS = 3000
EVERY = pl.int_range(ROWS, eager=True)
FRAME = pl.DataFrame(
    {
        "x": (EVERY * 7919 % 1009).cast(pl.Float64) / 7,
        "n": EVERY * 31 % 57,
        "c": (EVERY * 17 % 23).cast(pl.String),
        "t": pl.datetime_range(
            pl.datetime(2025, 1, 1), pl.datetime(2025, 1, 1, 0, ROWS // 60 - 1, 59), "1s", eager=True
        ),
    }
).with_columns(pl.when(EVERY % 13 != 0).then(pl.col("x", "c")))


def fitted(parts: list[list[pl.DataFrame]], options: Any = FAST, given: int = ROWS) -> anorand.Model:
    """The model of rows that lie in several processes, where 200 of them are the sample."""
    training = _parts.training(options)
    counts = [part for frames in parts for part in _parts.counts_of_rows(frames, training)]
    data = _parts.fit_counted(FRAME.head(200), merged(False, counts), training, given)
    scores = [part for frames in parts for part in _parts.counts_of_scores(frames, data)]
    return anorand.Model(_parts.calibrated(data, merged(True, scores)))


def merged(of_scores: bool, counts: list[tuple[int, str]]) -> list[str]:
    """As the workers of three processes bring the parts together, in any order."""
    random.Random(0).shuffle(counts)
    processes = [[text for part, text in counts if part % 3 == number] for number in range(3)]
    return [text for process in processes for text in _parts.together(of_scores, process)]


def test_a_model_does_not_depend_on_the_processes_that_count() -> None:
    whole = fitted([[FRAME]])
    assert fitted([[FRAME.head(1)], [], [FRAME.slice(1, 1998), FRAME.slice(1999, 1)], [FRAME.tail(1000)]]) == whole
    shuffled = FRAME.sample(fraction=1, shuffle=True, seed=1)
    assert fitted([[shuffled.slice(at, 300)] for at in range(0, ROWS, 300)]) == whole


@pytest.mark.parametrize("missing", ["indicator", "null"])
def test_it_has_the_counts_the_extremes_and_the_thresholds_of_all_rows(missing: str) -> None:
    options: Any = {**FAST, "missing": missing}
    found = fitted([[FRAME.head(1000)], [FRAME.tail(2000)]], options)
    exact = anorand.Model(FRAME.select(anorand.fit(pl.all(), **options)).item())
    assert found.training["rows"] == exact.training["rows"] == (ROWS if missing == "indicator" else ROWS - 231)
    assert found.training["sampled"] <= 200
    same = ["minimum", "maximum", "missing", "categories"]
    assert found.statistics.select(same).equals(exact.statistics.select(same))
    assert found.categories == exact.categories
    scores = FRAME.select(anorand.score(pl.all(), found)).to_series().drop_nulls()
    assert found.training["rows"] == len(scores)
    for contamination in [0.001, 0.01, 0.2]:
        lowest = scores.sort()[-math.ceil(contamination * len(scores) - 1e-9)]
        assert (scores > found.threshold(contamination)).sum() == (scores >= lowest).sum()


def test_rows_that_change_between_two_reads_are_an_error() -> None:
    with pytest.raises(
        ValueError, match="had 2,999 rows when it was read first, and 3,000 .* must not change in a fit"
    ):
        fitted([[FRAME]], given=2999)
    training = _parts.training(FAST)
    counts = [text for _, text in _parts.counts_of_rows([FRAME], training)]
    data = _parts.fit_counted(FRAME.head(200), counts, training, ROWS)
    scores = [text for _, text in _parts.counts_of_scores([FRAME.head(2998)], data)]
    with pytest.raises(ValueError, match="had 3,000 rows when it was read first, and 2,998"):
        _parts.calibrated(data, scores)


def test_counts_that_lack_a_part_or_are_damaged_are_an_error() -> None:
    training = _parts.training(FAST)
    counts = [text for _, text in _parts.counts_of_rows([FRAME], training)]
    assert len(counts) > 10
    cases = [(counts[:-1], "some counts are missing"), ([*counts, counts[-1]], "or were added twice")]
    for some, message in cases:
        with pytest.raises(pl.exceptions.PolarsError, match=message):
            _parts.fit_counted(FRAME.head(200), some, training, ROWS)
    with pytest.raises(ValueError, match="not counts of rows"):
        _parts.fit_counted(FRAME.head(200), [counts[0][:-9]], training, ROWS)
    with pytest.raises(pl.exceptions.PolarsError, match="the sample's features are not those that were counted"):
        _parts.fit_counted(FRAME.head(200).select("x", "n"), counts, training, ROWS)
    with pytest.raises(pl.exceptions.PolarsError, match="no rows were counted"):
        _parts.fit_counted(FRAME.head(200), [], training, 0)
