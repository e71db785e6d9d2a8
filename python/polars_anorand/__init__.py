"""Anomaly detection as Polars expressions: AnoRand networks, fitted, stored and applied inside the query engine.

Importing this package gives every Polars expression an ``anorand`` namespace::

    models = frame.select(pl.col("x", "y").anorand.fit(seed=0))
    frame.lazy().with_columns(pl.col("x", "y").anorand.score("model.safetensors"))
"""

from polars_anorand._options import FitOptions
from polars_anorand.devices import devices
from polars_anorand.drift import drift
from polars_anorand.functions import cells, detect, embed, explain, fit, score
from polars_anorand.model import Model
from polars_anorand.namespace import Anorand, anorand
from polars_anorand.profile import features, profile
from polars_anorand.progress import progress
from polars_anorand.report import report
from polars_anorand.scan import fit_scan

__all__ = [
    "Anorand", "FitOptions", "Model", "anorand", "cells", "detect", "devices", "drift", "embed", "explain", "features",
    "fit", "fit_scan", "profile", "progress", "report", "score",
]  # fmt: skip
