"""CPU seconds and memory of this process and of all below it: Spark's JVM and its Python workers."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_here(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the CPU seconds of this process alone, not those of Spark's that are idle or end."""
    before = process_time()
    result = call()
    return result, process_time() - before


def cpu(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call gives, and the CPU seconds of this process and all below it."""
    before = spent()
    result = call()
    return result, spent() - before


def spent() -> float:
    """CPU seconds of this process and all below it, those that have ended too."""
    ticks = 0
    for process in descendants():
        try:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended: its parent has its time
        ticks += sum(map(int, fields[11:15]))
    return ticks / TICKS


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
