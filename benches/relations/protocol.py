"""What is measured on a kind of table: detectors fitted on clean and on dirty rows, then asked about new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from benches.common.table_detectors import Detector, Fit, Training, share

from .kinds import Fault, Kind

CLEAN_ROWS = 4_000
BROKEN_ROWS = 200
DIRTY_SHARE = 0.01


@dataclass(frozen=True)
class Findings:
    """Shares of the broken rows, of a kind with a fault.

    `named` and `related` are None if nothing is found, and for detectors that give no reasons.
    """

    found: float
    named: float | None
    related: float | None


@dataclass(frozen=True)
class Result:
    """What one detector found on one draw of a kind: `findings` is None for a kind without a fault."""

    kind: str
    seed: int
    training: str
    detector: str
    findings: Findings | None
    clean: float


def measure(kind: Kind, rows: int, seed: int, detectors: Mapping[str, Fit]) -> Iterator[Result]:
    """All results of one draw of a kind."""
    rng = np.random.default_rng([seed, *kind.name.encode()])
    trained = list(trainings(kind, rows, rng))
    clean = kind.make(CLEAN_ROWS, rng)
    broken = None if kind.fault is None else Broken(kind.fault, kind.fault.plant(kind.make(BROKEN_ROWS, rng), 1.0, rng))
    for training in trained:
        for name, fit in detectors.items():
            detector = fit(training.rows, training.contamination, seed)
            findings = None if broken is None else broken.findings(detector)
            yield Result(kind.name, seed, training.kind, name, findings, share(detector.flags(clean)))


def trainings(kind: Kind, rows: int, rng: np.random.Generator) -> Iterator[Training]:
    """The clean rows and, where there is a fault, the dirty ones."""
    made = kind.make(min(rows, kind.most_rows or rows), rng)
    if kind.fault is None:
        yield Training("clean", made, 0.01)
        return
    yield Training("clean", kind.fault.plant(made, kind.fault.standing, rng), 0.01)
    yield Training("dirty", kind.fault.plant(made, max(DIRTY_SHARE, kind.fault.standing), rng), 0.02)


@dataclass(frozen=True)
class Broken:
    """Rows that all have the fault."""

    fault: Fault
    rows: pl.DataFrame

    def findings(self, detector: Detector) -> Findings:
        """How many are flagged; for how many of these the first reason is the right column, or a related one."""
        flags = detector.flags(self.rows)
        blamed = detector.blames(self.rows.filter(flags)) if flags.any() else None
        if blamed is None:
            return Findings(share(flags), None, None)
        related = blamed.is_in([self.fault.column, *self.fault.relation])
        return Findings(share(flags), share(blamed == self.fault.column), share(related))
