"""The table of docs/quality.md: kinds as rows, detectors as columns, clean and dirty training in one cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import polars as pl

from .report import by_kind, summary

NAMING = "AnoRand"
"""The detector that gives reasons."""

NOTHING = "–"


def table(frame: pl.DataFrame) -> str:
    """The frame of results as Markdown: a row for each kind, then the means."""
    detectors = frame["detector"].unique(maintain_order=True).to_list()
    means = by_kind(frame)
    faults = means.filter(pl.col("found").is_not_null())
    lines = [
        ["found, clean / dirty training", *detectors, "right column first", "a related one first"],
        ["---"] * (len(detectors) + 3),
        *(_kind(rows, str(kind), detectors) for (kind,), rows in faults.group_by("kind", maintain_order=True)),
        *_means(summary(frame), detectors),
        *(
            [str(kind), *_each(rows, detectors, "clean"), "", ""]
            for (kind,), rows in means.filter(pl.col("found").is_null()).group_by("kind", maintain_order=True)
        ),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _kind(rows: pl.DataFrame, name: str, detectors: Sequence[str]) -> list[str]:
    return [name, *_each(rows, detectors, "found"), _pair(rows, NAMING, "named"), _pair(rows, NAMING, "related")]


def _means(totals: pl.DataFrame, detectors: Sequence[str]) -> Iterator[list[str]]:
    yield _kind(totals, "**mean over the kinds**", detectors)
    yield ["sound rows flagged", *_each(totals, detectors, "clean", digits=3), "", ""]


def _each(rows: pl.DataFrame, detectors: Sequence[str], share: str, digits: int = 2) -> list[str]:
    return [_pair(rows, detector, share, digits) for detector in detectors]


def _pair(rows: pl.DataFrame, detector: str, share: str, digits: int = 2) -> str:
    """The share after clean and after dirty training."""
    values = rows.filter(detector=detector)[share]
    return " / ".join(NOTHING if value is None else f"{value:.{digits}f}" for value in values)
