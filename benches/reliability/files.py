"""A model file is the old one or the new one, whole: when the writer is killed, and when the disk is full."""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import subprocess
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import polars as pl

import polars_anorand as anorand

OPTIONS: anorand.FitOptions = {"epochs": 2, "min_steps": 0, "members": 8, "hidden": [64, 32]}


def fit(path: Path, seed: int) -> None:
    """A fit of a few milliseconds, of which a good part is the write."""
    rows = pl.DataFrame({"a": [float(i % 17) for i in range(400)], "b": [float(i % 23) for i in range(400)]})
    rows.select(anorand.fit(["a", "b"], path=path, seed=seed, **OPTIONS))


def in_child(work: Callable[[], None]) -> int:
    """Run it in a fork. This process starts no threads, so that a fork is a sound and quick copy."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except Exception:  # os._exit says nothing of it
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def done(work: Callable[[], None], what: str) -> None:
    """Run it in a fork; how the fork ended is part of the error, if it did not go well."""
    code = os.waitstatus_to_exitcode(os.waitpid(in_child(work), 0)[1])
    if code != 0:
        ended = f"signal {signal.Signals(-code).name}" if code < 0 else f"the error above (exit code {code})"
        raise AssertionError(f"{what}: its process ended by {ended}")


def kills(arguments: argparse.Namespace) -> None:
    """SIGKILL at a random moment of `fit(path=)`: from before the fit to after the write."""
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.safetensors"
        durations = []
        for _ in range(5):
            start = time.perf_counter()
            done(lambda: fit(path, 0), "the first fits")
            durations.append(time.perf_counter() - start)
        longest = 1.2 * sorted(durations)[2]
        outcomes = {"killed, the old file": 0, "killed, the new file": 0, "done before the kill": 0}
        left = most_left = 0
        before = path.read_bytes()
        for seed in range(1, arguments.kills + 1):

            def replace(seed: int = seed) -> None:
                fit(path, seed)

            child = in_child(replace)
            time.sleep(draw.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
            status = os.waitpid(child, 0)[1]
            after = path.read_bytes()

            def check(seed: int = seed, old: bool = after == before) -> None:
                assert anorand.Model.load(path).options["seed"] == seed or old, "another model than the old or the new"

            done(check, f"reading the file after kill {seed}, {len(after)} bytes, {len(before)} before")
            if not os.WIFSIGNALED(status):
                outcomes["done before the kill"] += 1
            else:
                outcomes["killed, the old file" if after == before else "killed, the new file"] += 1
            before = after
            left = len(list(Path(name).glob(".anorand-*")))
            most_left = max(most_left, left)
        done(lambda: fit(path, 0), "the last fit")
        assert not list(Path(name).glob(".anorand-*")), "a fit leaves the temporary files of killed ones"
    print(f"{arguments.kills} kills within {1e3 * longest:.0f} ms: {outcomes}; no file was damaged")
    print(f"  at most {most_left} temporary files were left at a time, none after the next fit")


def disk(arguments: argparse.Namespace) -> None:  # noqa: ARG001
    """A limit on the size of files, and a file system that is full: an error, the old file intact, nothing left."""
    with tempfile.TemporaryDirectory() as name:

        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, 4_096))

        refuses(Path(name) / "model.safetensors", limit, "a limit of 4,096 bytes")
    with tempfile.TemporaryDirectory() as name:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", name], check=False).returncode == 0
        if not mounted:
            print("a full file system: not tried, since no tmpfs can be mounted here")
            return
        try:
            path = Path(name) / "model.safetensors"

            def fill() -> None:
                with (Path(name) / "others").open("wb", buffering=0) as file:
                    try:
                        while file.write(bytes(4_096)):
                            pass
                    except OSError:
                        return

            refuses(path, fill, "a full file system")
        finally:
            subprocess.run(["umount", name], check=True)


def refuses(path: Path, constrain: Callable[[], None], what: str) -> None:
    """A fit and a save that can't write fail with the path and the reason, and leave the old file."""
    done(lambda: fit(path, 0), what)
    before = path.read_bytes()

    def attempt() -> None:
        model = anorand.Model(before)
        constrain()
        for write in [lambda: fit(path, 1), lambda: model.save(path)]:
            try:
                write()
            except (OSError, pl.exceptions.ComputeError) as error:
                if str(path) not in str(error):
                    raise AssertionError(f"{what}: an error without the path") from error
                print(f"{what}: {type(error).__name__}: {str(error).replace(str(path), '…')}", flush=True)
            else:
                raise AssertionError(f"{what}: nothing was said")

    done(attempt, what)
    assert path.read_bytes() == before, f"{what}: the old file is gone"
    assert not list(path.parent.glob(".anorand-*")), f"{what}: a temporary file is left"
