"""Faults in a third of a column's training rows, where no evidence says which of the two ways to write is wrong.

They are no part of the catalogue and its means. `--invisible` measures them, so that the documentation can say what to
expect.
"""

from __future__ import annotations

from dataclasses import replace

from . import markers, texts, times
from .kinds import Kind

STANDING = 1 / 3


def common(kind: Kind) -> Kind:
    """The kind with its fault in a third of the training rows."""
    if kind.fault is None:
        raise ValueError(f"{kind.name} has no fault")
    return Kind(f"in a third: {kind.name}", kind.make, replace(kind.fault, standing=STANDING))


KINDS = [
    common(kind)
    for kind in (*times.KINDS, *texts.KINDS, *markers.KINDS)
    if kind.name in {"date in another format", "unit in a number", "missing where it is rare"}
]
