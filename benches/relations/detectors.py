"""The detectors of `benches/raw`, with a coding that takes dates and says which values are missing."""

from __future__ import annotations

from functools import partial

import polars_anorand as anorand
from benches.common import table_detectors as raw
from benches.common.coding import coding_of


def detectors(options: anorand.FitOptions) -> dict[str, raw.Fit]:
    """All detectors by name. The options are AnoRand's."""
    return raw.detectors(options) | {
        "column rules": partial(raw.fit_rules, code=coding_of),
        "IsolationForest": partial(raw.fit_forest, code=coding_of),
    }
