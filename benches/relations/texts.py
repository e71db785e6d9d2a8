"""Kinds in which the shape of a text is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase
from typing import Any

import numpy as np
import polars as pl

from .kinds import Fault, Kind, beside, pick, unequal

STATIONS = ["Harborside", "Cedarville", "Northgate", "Millbrook", "Elmhurst", "Stonebridge", "Westfield", "Kingsport"]
STATIONS += ["Ravenwood", "Thornbury", "Oakdale", "Plainview"]
BRANCH_PLACEHOLDERS = ("N/A", "-", "?", "unknown")


def stations(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Names of a few places."""
    names = rng.choice(STATIONS, count, p=unequal(len(STATIONS)))
    return pl.DataFrame({"station": names, **beside(count, rng)})


def misspelt(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """One letter is left out, doubled or another."""
    name: str = row["station"]
    at = int(rng.integers(1, len(name)))
    letter = pick([letter for letter in ascii_lowercase if letter != name[at]], rng)
    return name[:at] + pick(["", 2 * name[at], letter], rng) + name[at + 1 :]


def placeholder(_row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """A text that stands for an unknown value."""
    return pick(BRANCH_PLACEHOLDERS, rng)


def loads(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Numbers that are texts."""
    load = rng.lognormal(3, 0.8, count).round(1)
    return pl.DataFrame({"load": load.astype(str), **beside(count, rng)})


def with_unit(row: Mapping[str, Any], rng: np.random.Generator) -> object:
    """The same number with a unit."""
    return row["load"] + pick([" kg", "kg"], rng)


KINDS = [
    Kind("typo", stations, Fault("station", misspelt, pl.col("station").is_in(STATIONS))),
    Kind("placeholder", stations, Fault("branch", placeholder, ~pl.col("branch").is_in(BRANCH_PLACEHOLDERS))),
    Kind("unit in a number", loads, Fault("load", with_unit, pl.col("load").str.contains(r"^[\d.]+$"))),
]
