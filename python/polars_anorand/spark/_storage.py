"""Writes estimators and models, and reads them again."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import os
from typing import Any

from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter


class Writer(MLWriter):
    """Writes metadata as Spark ML does, so that pipelines can read it, and the model as Parquet in another folder."""

    def __init__(self, instance: Any) -> None:
        super().__init__()
        self.instance = instance

    def save(self, path: str) -> None:
        """Write to any path that Spark can write to."""
        spark = self.sparkSession
        mode = "overwrite" if self.shouldOverwrite else "error"
        metadata = DefaultParamsWriter._get_metadata_to_save(self.instance, spark)
        spark.createDataFrame([(metadata,)], "value string").coalesce(1).write.mode(mode).text(_metadata(path))
        data = self.instance._data(spark)
        if data is not None:
            data.write.mode(mode).parquet(_data(path))


class Reader(MLReader):
    """Reads what :class:`Writer` wrote."""

    def __init__(self, cls: type[Any]) -> None:
        super().__init__()
        self.cls = cls

    def load(self, path: str) -> Any:
        """Read from any path that Spark can read from."""
        spark = self.sparkSession
        metadata = json.loads(spark.read.text(_metadata(path)).first()[0])
        expected = f"{self.cls.__module__}.{self.cls.__name__}"
        if metadata["class"] != expected:
            raise ValueError(f"{path} holds a {metadata['class']}, expected a {expected}")
        instance = self.cls()
        instance._resetUid(metadata["uid"])
        DefaultParamsReader.getAndSetParams(instance, metadata)
        instance._read_data(spark, _data(path))
        return instance


def _metadata(path: str) -> str:
    return os.path.join(path, "metadata")


def _data(path: str) -> str:
    return os.path.join(path, "data")


class Stored(MLReadable, MLWritable):
    """Can be saved and loaded, alone and in a pipeline."""

    def write(self) -> Writer:
        """A writer: ``.write().overwrite().save(path)``."""
        return Writer(self)

    @classmethod
    def read(cls) -> Reader:
        """A reader; ``load(path)`` is the same in short."""
        return Reader(cls)

    def _data(self, spark: Any) -> Any:
        """Return what is to be written in addition to the parameters, as a frame."""
        return None

    def _read_data(self, spark: Any, path: str) -> None:
        """Read what was written in addition to the parameters."""
