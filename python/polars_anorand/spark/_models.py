"""Fitted models, which score on the workers."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false

from __future__ import annotations

import os
from typing import Any

from pyspark.ml import Model as SparkModel

from polars_anorand._arguments import known_model
from polars_anorand.model import Model
from polars_anorand.spark import _frames
from polars_anorand.spark._params import HasFit, HasGroups
from polars_anorand.spark._storage import Stored
from polars_anorand.spark._worker import on_worker


class AnoRandModel(SparkModel, HasFit, Stored):
    """Scores rows by one model, on the workers; ``AnoRandModel(model)`` wraps a :class:`polars_anorand.Model`."""

    __module__ = "polars_anorand.spark"

    def __init__(self, model: Model | bytes | str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self._set_output_defaults()
        self._setDefault(seed=0, options={})
        self._model = None if model is None else given_model(model)

    def toModel(self) -> Model:  # noqa: N802
        """The plain model, which the verbs of this package take, on any machine."""
        if self._model is None:
            raise ValueError("this AnoRandModel has no model: give it one, AnoRandModel(model), or load it")
        return self._model

    def _transform(self, dataset: Any) -> Any:
        model, outputs = self.toModel(), self._outputs()
        schema = _frames.scored_schema(dataset.schema, outputs)
        _frames.check_model(dataset.schema, model, outputs)
        # The bytes go in the function: Spark Connect has no broadcast, and they are few.
        score = on_worker("score_batches", 1, dataset.columns, model.to_bytes(), model.features, tuple(outputs))
        return _frames.numbered(dataset).mapInArrow(score, schema)

    def _data(self, spark: Any) -> Any:
        return spark.createDataFrame([(bytearray(self.toModel().to_bytes()),)], "model binary").coalesce(1)

    def _read_data(self, spark: Any, path: str) -> None:
        self._model = Model(bytes(spark.read.parquet(path).first()[0]))


class GroupedAnoRandModel(SparkModel, HasGroups, Stored):
    """Scores each group by its own model, on the workers; rows of a group without a model have null scores."""

    __module__ = "polars_anorand.spark"

    def __init__(self, models: Any = None) -> None:
        super().__init__()
        self._set_group_defaults()
        self._models = models

    @property
    def models(self) -> Any:
        """A frame of the keys and ``model`` (binary), one row for each group; persisted, ``unpersist()`` frees it."""
        if self._models is None:
            raise ValueError("this GroupedAnoRandModel has no models: fit or load it")
        return self._models

    def _transform(self, dataset: Any) -> Any:
        keys, features, outputs = self._keys(dataset.schema), self._features(), self._outputs()
        schema = _frames.scored_schema(dataset.schema, outputs)
        _frames.check_there(dataset.schema, features, "the models were fitted on")
        _frames.check_keys(dataset.schema, keys, self.models.schema)
        score = on_worker("score_groups", 1, dataset.columns, features, keys, tuple(outputs))
        # A model travels once a group this way; a join would repeat it on each row.
        rows = _frames.with_models(dataset, self.models, keys, self.getOrDefault("numPartitions"))
        return rows.mapInArrow(score, schema)

    def _data(self, spark: Any) -> Any:
        return self.models

    def _read_data(self, spark: Any, path: str) -> None:
        self._models = spark.read.parquet(path)


def given_model(model: Model | bytes | str | os.PathLike[str], name: str = "model") -> Model:
    """Read the model that a user gave; ``name`` is the argument's name, for the error."""
    known = known_model(model)
    if known is None:
        raise TypeError(f"{name} must be a Model, its bytes or the path of its file, got {type(model).__name__}")
    return known
