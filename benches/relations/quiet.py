"""Tables without a fault, in which a detector that looks for relations could see some that are not there."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl

from .kinds import Kind, beside, unequal

FEW_ROWS = 200
SYLLABLES = ("ba", "do", "fi", "ga", "ke", "lu", "mo", "ni", "pa", "ro", "se", "tu", "va", "zo")
FIRST_NAMES = (
    "Anna",
    "Hanna",
    "Hannah",
    "Jon",
    "John",
    "Joan",
    "Eric",
    "Erik",
    "Maria",
    "Marie",
    "Mario",
    "Lena",
    "Lina",
    "Nina",
)
LAST_NAMES = (
    "Meyer",
    "Meier",
    "Maier",
    "Smith",
    "Smyth",
    "Olsen",
    "Olson",
    "Hansen",
    "Hanson",
    "Brown",
    "Braun",
    "Clark",
    "Clarke",
)


def independent(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Columns that have nothing to do with one another."""
    colors = ["red", "blue", "green", "white", "black"]
    return pl.DataFrame({"color": rng.choice(colors, count), "grade": rng.integers(1, 7, count), **beside(count, rng)})


def ids_of_words(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """A text of words for each row, which hardly any other row has."""
    words = ["".join(parts) for parts in product(SYLLABLES, repeat=2)]
    ids = [" ".join(rng.choice(words, 3)) for _ in range(count)]
    return pl.DataFrame({"id": ids, **beside(count, rng)})


def many_rare_values(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Categories of which a few are common, and thousands are rare."""
    tail = rng.zipf(1.5, count).clip(max=100_000)
    other = rng.zipf(1.7, count).clip(max=100_000)
    return pl.DataFrame({"part": [f"p{at}" for at in tail], "shop": [f"s{at}" for at in other], **beside(count, rng)})


def names_of_people(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Names that are all a letter away from others."""
    first = rng.choice(FIRST_NAMES, count, p=unequal(len(FIRST_NAMES), 1.5))
    last = rng.choice(LAST_NAMES, count, p=unequal(len(LAST_NAMES), 1.5))
    return pl.DataFrame({"first": first, "last": last, **beside(count, rng)})


def ties(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Numbers of few values, most of which are 0."""
    kinds = {f"count {at}": rng.poisson(0.1 * (at + 1), count) for at in range(5)}
    return pl.DataFrame({**kinds, "half": rng.integers(0, 5, count) / 2, **beside(count, rng)})


def sixty_columns(count: int, rng: np.random.Generator) -> pl.DataFrame:
    """Numbers, a few of which depend on a common cause, and categories."""
    cause = rng.normal(size=count)
    numbers = {f"number {at}": (at % 3 * cause + rng.normal(size=count)).round(3) for at in range(35)}
    categories = {f"kind {at}": rng.choice(list("abcdefghij")[: 2 + at % 8], count) for at in range(25)}
    return pl.DataFrame({**numbers, **categories})


KINDS = [
    Kind("no fault: independent columns", independent),
    Kind("no fault: ids of words", ids_of_words),
    Kind("no fault: many rare values", many_rare_values),
    Kind("no fault: names of people", names_of_people),
    Kind("no fault: 200 rows", independent, most_rows=FEW_ROWS),
    Kind("no fault: ties", ties),
    Kind("no fault: 60 columns", sixty_columns),
]
