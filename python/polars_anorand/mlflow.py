"""Models as MLflow models: ``pip install 'polars-anorand[mlflow]'``.

A logged model has two flavours: its own, which :func:`load_model` reads, and ``python_function``, which every tool of
MLflow can score with. What is stored is the model's safetensors file; nothing is pickled.
"""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedFunction=false, reportUnnecessaryIsInstance=false, reportAttributeAccessIssue=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

try:
    import pandas as pd
    from mlflow import pyfunc
    from mlflow.artifacts import download_artifacts
    from mlflow.models import Model as _Logged
    from mlflow.utils.environment import _mlflow_conda_env, _PythonEnv
except ImportError as error:
    raise ImportError(
        f"polars_anorand.mlflow needs MLflow and pandas: pip install 'polars-anorand[mlflow]' ({error})"
    ) from error

from polars_anorand import functions
from polars_anorand._arguments import unused
from polars_anorand.model import Model

if TYPE_CHECKING:
    from mlflow.models.model import ModelInfo

__all__ = ["load_model", "log_model", "save_model"]

FLAVOR = "polars_anorand"
_FILE = "model.safetensors"


def log_model(model: Model, name: str = "model", **given: Any) -> ModelInfo:
    """Log a model to the current run.

    Parameters
    ----------
    model
        The model.
    name
        Of the logged model.
    **given
        Of ``mlflow.models.Model.log``, such as ``registered_model_name``, ``signature`` and ``metadata``.

    """
    return _Logged.log(name=name, artifact_path=None, flavor=sys.modules[__name__], model=model, **given)


def save_model(
    model: Model,
    path: str | os.PathLike[str],
    *,
    mlflow_model: Any = None,
    signature: Any = None,
    pip_requirements: list[str] | None = None,
) -> None:
    """Write a model to a new folder, as MLflow lays it out.

    Parameters
    ----------
    model
        The model.
    path
        A folder that is not there yet, or empty.
    mlflow_model
        What describes it, if MLflow has made that already.
    signature
        Of the ``python_function``.
    pip_requirements
        What a server of the model installs; this package with its extra for MLflow if None.

    Raises
    ------
    TypeError
        For what is not a Model.
    FileExistsError
        If there are files in the folder.

    """
    if not isinstance(model, Model):
        raise TypeError(f"save_model takes a polars_anorand.Model, got {type(model).__name__}; Model(bytes) makes one")
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise FileExistsError(f"the folder {folder} is not empty: give a new one")
    model.save(folder / _FILE)
    requirements = pip_requirements or ["polars-anorand[mlflow]"]
    described = mlflow_model or _Logged()
    if signature is not None:
        described.signature = signature
    described.add_flavor(FLAVOR, data=_FILE)
    pyfunc.add_to_model(
        described,
        loader_module=__name__,
        data=_FILE,
        conda_env={"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
    )
    _mlflow_conda_env(path=str(folder / "conda.yaml"), additional_pip_deps=requirements)
    (folder / "requirements.txt").write_text("\n".join(requirements) + "\n", encoding="utf-8")
    _PythonEnv.current().to_yaml(str(folder / "python_env.yaml"))
    described.save(str(folder / "MLmodel"))


def load_model(model_uri: str) -> Model:
    """The plain model of a URI such as ``runs:/…/model``, ``models:/name/1`` or a folder's path.

    Raises
    ------
    MlflowException
        If MLflow can't find it.
    ValueError
        If it is a model of another flavour, or not a model that this version can read.

    """
    folder = Path(download_artifacts(artifact_uri=model_uri))
    flavors = _Logged.load(str(folder)).flavors
    if FLAVOR not in flavors:
        raise ValueError(f"{model_uri} has the flavours {sorted(flavors)}, expected {FLAVOR!r}")
    return Model.load(folder / flavors[FLAVOR]["data"])


class _Predictor:
    """What ``mlflow.pyfunc.load_model(…).predict`` calls."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """``score``, ``percentile``, ``rarity`` and ``outlier`` of each row; ``params`` may have a ``contamination``.

        MLflow passes on only those params that the model's signature names.
        """
        given = params or {}
        if given.keys() - {"contamination"}:
            raise ValueError(f"params has {sorted(given)}, expected nothing but 'contamination'")
        features, name = self.model.features, unused("anomaly", self.model.features)
        verb = functions.detect(features, self.model, contamination=given.get("contamination"), name=name)
        return pl.from_pandas(rows).select(verb).unnest(name).to_pandas()


def _load_pyfunc(path: str) -> _Predictor:
    """Called by MLflow with the path of the model's file."""
    return _Predictor(Model.load(path))
