"""Anomaly detection as Polars expressions: AnoRand networks, fitted, stored and applied inside the query engine.

A model of a frame, and the outliers of another one, each with the reasons::

    model = anorand.train(frame)
    outliers = model.detect(today).filter("outlier")

Importing this package also gives every Polars expression an ``anorand`` namespace::

    models = frame.select(pl.col("x", "y").anorand.fit(seed=0))
    frame.lazy().with_columns(pl.col("x", "y").anorand.score("model.safetensors"))
"""

from polars_anorand import _polars_anorand as _core
from polars_anorand._options import FitOptions
from polars_anorand.devices import devices
from polars_anorand.drift import drift
from polars_anorand.frames import split
from polars_anorand.functions import cells, detect, embed, explain, fit, score
from polars_anorand.incidents import incidents
from polars_anorand.model import Model
from polars_anorand.namespace import Anorand, anorand
from polars_anorand.profile import features, profile
from polars_anorand.progress import progress
from polars_anorand.report import report
from polars_anorand.scan import train

__version__ = _core.VERSION
__all__ = [
    "Anorand", "FitOptions", "Model", "__version__", "anorand", "cells", "detect", "devices", "drift", "embed",
    "explain", "features", "fit", "incidents", "profile", "progress", "report", "score", "split", "train",
]  # fmt: skip
