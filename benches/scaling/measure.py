"""CPU seconds and memory of this process and of all below it: Spark's JVM and its Python workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from time import process_time, thread_time
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")
Process = tuple[int, int]
"""Its id and when it was started: ids come again."""


def cpu_here(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the CPU seconds of this process alone, not those of Spark's that are idle or end."""
    before = process_time()
    result = call()
    return result, process_time() - before


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the CPU seconds of this process and all below it.

    They are looked at all the time: Spark ends idle workers, and what such a one has spent is in no other's account.
    """
    seen: dict[Process, int] = {}
    look(seen)
    before = sum(seen.values())
    is_done, own = Event(), [0.0]

    def watch() -> None:
        while not is_done.wait(0.5):
            look(seen)
        own[0] = thread_time()

    watcher = Thread(target=watch)
    watcher.start()
    try:
        result = call()
    finally:
        is_done.set()
        watcher.join()
    look(seen)
    return result, (sum(seen.values()) - before) / TICKS - own[0]


def look(seen: dict[Process, int]) -> None:
    """Note the ticks that each process has spent itself."""
    for process in descendants():
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended: what it had spent is noted
        seen[process, int(fields[19])] = int(fields[11]) + int(fields[12])


def descendants() -> list[int]:
    """The ids of this process and all below it."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [os.getpid()]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def command(process: int) -> str:
    """What the process was started as."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def highest(process: int) -> float:
    """The most memory that the process had at once, in MB."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmHWM")), 0.0)
