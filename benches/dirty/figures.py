"""How well a ranking agrees with what is known to be wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score

from .rankings import Ranking

TOP_SHARE = 0.01


@dataclass(frozen=True)
class Figures:
    """The four figures of `benches/dirty`, each None where it has no meaning."""

    row_auc: float | None
    precision: float | None
    first: float | None
    cell_ap: float | None


def figures(wrong: np.ndarray, ranking: Ranking) -> Figures:
    """The figures of a ranking, for cells of which it is known whether they are wrong."""
    wrong_rows: np.ndarray = wrong.max(axis=1)
    both_kinds = bool(wrong_rows.any() and not wrong_rows.all())
    top = highest(ranking.rows)
    return Figures(
        row_auc=float(roc_auc_score(wrong_rows, ranking.rows)) if both_kinds else None,
        precision=float(wrong_rows[top].mean()) if both_kinds else None,
        first=None if ranking.cells is None else first_right(wrong[top], ranking.cells[top]),
        cell_ap=None if ranking.cells is None else float(average_precision_score(wrong.ravel(), ranking.cells.ravel())),
    )


def highest(rows: np.ndarray) -> np.ndarray:
    """Whether each row is among the highest 1 %; with ties at the limit, more are."""
    count = max(1, int(len(rows) * TOP_SHARE))
    top: np.ndarray = rows >= np.sort(rows)[-count]
    return top


def first_right(wrong: np.ndarray, cells: np.ndarray) -> float | None:
    """Of the rows with a wrong cell, the share whose highest cell is wrong; None if there is no such row."""
    has_one: np.ndarray = wrong.max(axis=1)
    if not has_one.any():
        return None
    first = cells[has_one].argmax(axis=1)
    return float(np.take_along_axis(wrong[has_one], first[:, None], axis=1).mean())
