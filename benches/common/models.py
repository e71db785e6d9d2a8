"""Tables and models as the benches make them. Only Polars and NumPy are needed, as on the machine of benches/gpu.sh."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

import polars_anorand as anorand


def table(rows: np.ndarray) -> pl.DataFrame:
    """The rows as polars_anorand takes them: columns f0, f1 and so on."""
    return pl.DataFrame(rows, schema=[f"f{at}" for at in range(rows.shape[1])])


def internals(**constants: Any) -> dict[str, Any]:
    """The argument of a fit that changes constants of the presets, which are not public options."""
    return {"_internals": constants}


def model_of(rows: pl.DataFrame, **options: Any) -> anorand.Model:
    """A model fitted on all columns."""
    return anorand.Model(rows.select(anorand.fit(pl.all(), **options)).item())
