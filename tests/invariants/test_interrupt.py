"""Contract: Ctrl-C ends a call with KeyboardInterrupt, leaves no file and no thread at work, and the next call works.

Each query runs in a process of its own, which sends itself the signal once the call is under way. Without it, it would
run for hours.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("the plugin does not listen to Ctrl-C on Windows", allow_module_level=True)

PROGRAM = """
import os, signal, sys, threading, time
import numpy as np
import polars as pl
import polars_anorand as anorand
from polars_anorand import _polars_anorand as core

numbers = np.random.default_rng(0)
names = ["a", "b", "c", "d"]
frame = pl.DataFrame({name: numbers.normal(size=600) for name in names}).with_columns(key=pl.int_range(0, 600) % 6)
LONG = {"min_steps": 100_000_000, "hidden": [64, 32]}
model = frame.select(anorand.fit(names, members=200)).item()
many = pl.concat([frame] * 20_000)

def interrupt():
    # Once the call is under way: before, a signal is Polars' own to see.
    while not counters.read():
        time.sleep(0.01)
    time.sleep(0.1)
    os.kill(os.getpid(), signal.SIGINT)

counters = core.Counters()
core.watch_calls(counters)
interrupter = threading.Thread(target=interrupt)
"""

QUERIES = {
    "select": "frame.select(anorand.fit(names, **LONG))",
    "lazy": "frame.lazy().select(anorand.fit(names, **LONG)).collect()",
    "paper": "frame.select(anorand.fit(names, preset='paper', epochs=1_000_000))",
    "score": "frame.with_columns(anorand.score(names, **LONG))",
    "by": "frame.select(anorand.fit(names, by='key', **LONG))",
    "group_by": "frame.group_by('key').agg(anorand.fit(names, **LONG))",
    "grid": "frame.select(anorand.fit(names, loss_weight=[0.2, 0.4, 0.8], **LONG))",
    "path": "frame.select(anorand.fit(names, path=sys.argv[1], **LONG))",
    "train": "anorand.train(frame, names, path=sys.argv[1], **LONG)",
    "train by": "anorand.train(frame, names, by='key', **LONG)",
    "init": "frame.select(anorand.fit(names, init=model, min_steps=100_000_000))",
    "explain": "many.select(anorand.explain(names, model))",
    "explain, lazy": "many.lazy().select(anorand.explain(names, model)).collect()",
}


def ran(program: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["done"]), done.stderr


@pytest.mark.parametrize("query", QUERIES)
def test_ctrl_c_ends_it_and_the_next_call_works(query: str, tmp_path: Path) -> None:
    program = f"""
raised = []
interrupter.start()
try:
    try:
        {QUERIES[query]}
    except BaseException as error:
        raised.append(type(error))
        time.sleep(0.2)
except KeyboardInterrupt as second:  # Polars may have raised one of its own before Python's
    raised = [type(second.__context__)]
assert raised == [KeyboardInterrupt], raised
before = time.process_time()
time.sleep(0.5)
assert time.process_time() - before < 0.2, "a thread is at work"
assert frame.select(anorand.fit(names)).item() == frame.select(anorand.fit(names)).item()
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
print("done")
"""
    ran(program, str(tmp_path / "model.safetensors"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["during a call before it", "before any call"])
def test_a_call_that_begins_after_the_signal_ends_too(moment: str) -> None:
    """Polars makes several calls for a query, which begin when their inputs are there."""
    ran(f"""
def slow(values):
    if {moment!r} == "before any call":
        os.kill(os.getpid(), signal.SIGINT)
    time.sleep(1)
    return values

later = anorand.fit([pl.col("a").map_batches(slow, return_dtype=pl.Float64), "b"], **LONG)
raised = []
try:
    try:
        if {moment!r} == "before any call":
            frame.select(later)
        else:
            interrupter.start()
            frame.select(anorand.fit(names, **LONG), later.alias("later"))
    except BaseException as error:
        raised.append(type(error))
        time.sleep(0.2)
except KeyboardInterrupt as second:
    raised = [type(second.__context__)]
assert raised == [KeyboardInterrupt], raised
assert frame.select(anorand.fit(names)).item() == frame.select(anorand.fit(names)).item()
print("done")
""")


def test_an_error_of_polars_is_itself_after_an_interrupt() -> None:
    ran("""
interrupter.start()
try:
    frame.select(anorand.fit(names, **LONG))
except KeyboardInterrupt:
    pass
assert "__init__" not in vars(pl.exceptions.ComputeError)
try:
    frame.select(anorand.fit(names, members=0))
except pl.exceptions.ComputeError as error:
    assert "members" in str(error)
print("done")
""")


def test_a_query_on_another_thread_ends_with_an_error_and_the_main_thread_with_the_interrupt() -> None:
    ran("""
def work():
    try:
        frame.select(anorand.fit(names, **LONG))
    except BaseException as error:
        found.append(error)

found = []
thread = threading.Thread(target=work)
try:
    thread.start()
    interrupt()
    time.sleep(10)
    raise AssertionError("no interrupt")
except KeyboardInterrupt:
    pass
thread.join()
assert isinstance(found[0], pl.exceptions.ComputeError) and "stopped by an interrupt" in str(found[0]), found
# An error of this thread is itself, afterwards.
try:
    frame.select(anorand.fit(names, members=0))
except pl.exceptions.ComputeError as error:
    assert "members" in str(error)
print("done")
""")


def test_a_handler_of_ones_own_is_called_and_stays() -> None:
    ran("""
calls = []
def handler(signal, frame):
    calls.append(signal)

signal.signal(signal.SIGINT, handler)
interrupter.start()
try:
    frame.select(anorand.fit(names, **LONG))
    raise AssertionError("not stopped")
except pl.exceptions.ComputeError as error:
    assert "stopped by an interrupt" in str(error)
assert calls == [signal.SIGINT] and signal.getsignal(signal.SIGINT) is handler
os.kill(os.getpid(), signal.SIGINT)
time.sleep(0.1)
assert calls == [signal.SIGINT] * 2
print("done")
""")


def test_a_signal_that_is_ignored_is_ignored() -> None:
    ran("""
signal.signal(signal.SIGINT, signal.SIG_IGN)
interrupter.start()
frame.select(anorand.fit(names, members=100))
interrupter.join()
frame.select(anorand.fit(names))
print("done")
""")


def test_a_program_whose_main_thread_never_runs_python_can_go_on_after_a_signal() -> None:
    """As one that embeds Python: the interpreter's main thread waits in C, and other threads make the queries."""
    ran("""
import ctypes

def work():
    interrupter.start()
    try:
        frame.select(anorand.fit(names, **LONG))
    except pl.exceptions.ComputeError as error:
        assert "interrupt" in str(error), error
    time.sleep(2.5)
    expected = frame.select(anorand.fit(names, members=1, min_steps=1))
    assert expected.equals(frame.select(anorand.fit(names, members=1, min_steps=1)))
    print("done", flush=True)
    os._exit(0)

signal.signal(signal.SIGINT, lambda *_: None)
threading.Thread(target=work).start()
# The signal goes to another thread.
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
ctypes.CDLL(None).poll(None, 0, 100_000)
""")
