"""Contract: progress counts steps, groups and rows, is drawn only where it is asked for, and changes no result."""

from __future__ import annotations

import contextlib
import io
import threading
from collections.abc import Iterator

import polars as pl
import pytest

import polars_anorand as anorand
from polars_anorand import _polars_anorand as core

NAMES = ["x", "y"]
FRAME = pl.DataFrame({"x": [float(i * 7 % 30) for i in range(300)], "y": [float(i % 11) for i in range(300)]})
FRAME = FRAME.with_columns(key=pl.int_range(0, 300) % 3)


def counted(query: pl.LazyFrame) -> dict[str, tuple[int, int]]:
    counters = core.Counters()
    core.watch_calls(counters)
    try:
        query.collect()
    finally:
        core.leave_calls(counters)
    return {unit: (done, expected) for unit, done, expected in counters.read()}


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        """As a terminal does."""
        return True


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """A stderr that is a terminal."""
    stderr = Terminal()
    with contextlib.redirect_stderr(stderr):
        yield stderr


def test_a_fit_counts_the_steps_of_all_members() -> None:
    counts = counted(FRAME.lazy().select(anorand.fit(NAMES, members=3)))
    model = anorand.Model(FRAME.select(anorand.fit(NAMES, members=3)).item())
    steps = 3 * model.training["steps"]
    assert counts == {"steps": (steps, steps)}


def test_groups_are_counted_and_so_are_the_steps_of_all() -> None:
    counts = counted(FRAME.lazy().select(anorand.fit(NAMES, by="key", members=2)))
    assert counts["groups"] == (3, 3)
    assert counts["steps"][0] == counts["steps"][1] > 0


def test_a_choice_counts_the_steps_of_each_candidate() -> None:
    one = counted(FRAME.lazy().select(anorand.fit(NAMES)))["steps"][0]
    done, expected = counted(FRAME.lazy().select(anorand.fit(NAMES, loss_weight=[0.1, 0.2])))["steps"]
    assert done == expected > 2 * one


def test_a_score_without_a_model_knows_its_rows() -> None:
    assert counted(FRAME.lazy().with_columns(anorand.score(NAMES)))["rows"] == (300, 300)


@pytest.mark.parametrize("verb", ["score", "detect", "explain", "embed"])
def test_a_stream_counts_rows_without_a_total(verb: str) -> None:
    model = FRAME.select(anorand.fit(NAMES, members=2)).item()
    query = FRAME.lazy().select(getattr(anorand, verb)(NAMES, model))
    assert counted(query) == {"rows": (300, 0)}


def test_calls_outside_of_the_context_are_not_counted() -> None:
    counters = core.Counters()
    core.watch_calls(counters)
    core.leave_calls(counters)
    FRAME.select(anorand.fit(NAMES, members=2))
    assert counters.read() == []


def test_it_is_drawn_in_a_terminal() -> None:
    with terminal() as stderr:
        FRAME.select(anorand.fit(NAMES, progress=True, name="m"))
    drawn = stderr.getvalue()
    assert "m: 100%" in drawn
    assert "steps/s" in drawn


def test_a_context_draws_the_calls_within_it() -> None:
    with terminal() as stderr:
        model = FRAME.select(anorand.fit(NAMES, members=2)).item()
        assert stderr.getvalue() == ""
        with anorand.progress():
            FRAME.lazy().select(anorand.score(NAMES, model)).collect()
    assert "anorand: 300 rows" in stderr.getvalue()


def test_nothing_is_drawn_elsewhere_unless_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    FRAME.select(anorand.fit(NAMES, progress=True))
    with anorand.progress():
        FRAME.select(anorand.score(NAMES))
    assert capsys.readouterr().err == ""
    FRAME.select(anorand.fit(NAMES, progress="always"))
    assert "model: 100%" in capsys.readouterr().err


def test_it_changes_no_bytes() -> None:
    with anorand.progress():
        watched = FRAME.select(anorand.fit(NAMES, progress=True)).item()
    assert watched == FRAME.select(anorand.fit(NAMES)).item()


def test_a_call_that_fails_ends_its_drawing() -> None:
    with terminal(), pytest.raises(pl.exceptions.ComputeError, match="at least"):
        FRAME.head(1).select(anorand.fit(NAMES, progress=True))
    assert "anorand-progress" not in {thread.name for thread in threading.enumerate()}


def test_what_is_no_progress_is_refused() -> None:
    with pytest.raises(TypeError, match="progress must be True, False or \"always\", got 'yes'"):
        anorand.fit(NAMES, progress="yes")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="go without a model, got a model and progress"):
        anorand.score(NAMES, b"", progress=True)


def test_without_tqdm_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ImportError, match=r"polars-anorand\[progress\]"):
        anorand.fit(NAMES, progress=True)
    with pytest.raises(ImportError, match=r"polars-anorand\[progress\]"):
        anorand.progress()


def rows(shown: anorand.progress) -> int:
    return sum(done for unit, done, _ in shown._counters.read() if unit == "rows")


def test_a_block_within_another_leaves_the_outer_one_counting() -> None:
    scored = FRAME.lazy().select(anorand.score(NAMES, FRAME.select(anorand.fit(NAMES, min_steps=0)).item()))
    with contextlib.redirect_stderr(io.StringIO()), anorand.progress(always=True) as outer:
        scored.collect()
        with anorand.progress(always=True) as inner:
            scored.collect()
        scored.collect()
    assert (rows(outer), rows(inner)) == (900, 300)


def test_a_block_of_another_thread_leaves_the_first_one_counting() -> None:
    scored = FRAME.lazy().select(anorand.score(NAMES, FRAME.select(anorand.fit(NAMES, min_steps=0)).item()))

    def other() -> None:
        with anorand.progress(always=True):
            pass

    with contextlib.redirect_stderr(io.StringIO()), anorand.progress(always=True) as first:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        scored.collect()
    assert rows(first) == 300
