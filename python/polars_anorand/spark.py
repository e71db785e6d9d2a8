"""AnoRand on Spark, in the shape of Spark ML: ``pip install 'polars-anorand[spark]'``.

:class:`AnoRand` fits on the driver, on all rows or on a sample that it can hold, and :class:`AnoRandModel` scores on
the workers, row by row. :class:`GroupedAnoRand` fits a model for each group on the workers. :func:`score_udf` is for
columns and SQL.
Both kinds of sessions work, classic ones and Spark Connect, and streams do with ``transform``.

Every worker needs this package, in the driver's version. Scores are :func:`polars_anorand.score`'s, to the bit.
"""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl

try:
    import pyarrow as _pyarrow  # noqa: F401  # Spark's own requirement of it is optional
    from pyspark import keyword_only
    from pyspark.ml import Estimator
    from pyspark.ml import Model as SparkModel
    from pyspark.ml.param import Param, Params, TypeConverters
    from pyspark.ml.param.shared import HasInputCols, HasOutputCol, HasPredictionCol, HasSeed
    from pyspark.ml.util import DefaultParamsReader, DefaultParamsWriter, MLReadable, MLReader, MLWritable, MLWriter
    from pyspark.sql import functions as F  # noqa: N812  # as all of Spark's users call it
    from pyspark.sql.types import BinaryType, StructField, StructType
except ImportError as error:
    raise ImportError(
        f"polars_anorand.spark needs PySpark and PyArrow: pip install 'polars-anorand[spark]' ({error})"
    ) from error

from polars_anorand import _scan_parts, functions
from polars_anorand import _spark_frames as _frames
from polars_anorand._arguments import known_model, unused
from polars_anorand._spark_worker import Outputs, on_worker
from polars_anorand.model import Model

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["AnoRand", "AnoRandModel", "GroupedAnoRand", "GroupedAnoRandModel", "score_udf"]

InitModel: TypeAlias = "Model | bytes | str | os.PathLike[str] | AnoRandModel"
"""A model to go on from."""


class _HasOutputs(HasOutputCol, HasPredictionCol):
    """What scoring adds to a frame."""

    contamination = Param(
        Params._dummy(),
        "contamination",
        "the share of the training rows to call outliers, above 0 and below 1",
        TypeConverters.toFloat,
    )
    percentileCol = Param(  # noqa: N815
        Params._dummy(),
        "percentileCol",
        "a column for the share of the training rows with a lower score; none if empty",
        TypeConverters.toString,
    )
    reasonsCol = Param(  # noqa: N815
        Params._dummy(),
        "reasonsCol",
        "a column for the features that add most to an outlier's score; none if empty",
        TypeConverters.toString,
    )
    numReasons = Param(  # noqa: N815
        Params._dummy(), "numReasons", "the number of features in reasonsCol", TypeConverters.toInt
    )

    def _set_output_defaults(self) -> None:
        self._setDefault(
            outputCol="outlierScore",
            predictionCol="predictedLabel",
            contamination=0.01,
            percentileCol="",
            reasonsCol="",
            numReasons=3,
        )

    def _outputs(self) -> Outputs:
        get = self.getOrDefault
        wants_reasons = bool(get("reasonsCol"))
        return Outputs(
            score=get("outputCol"),
            label=get("predictionCol") or None,
            percentile=get("percentileCol") or None,
            reasons=get("reasonsCol") or None,
            top=get("numReasons") if wants_reasons else None,
            contamination=get("contamination"),
        )

    def getContamination(self) -> float:  # noqa: N802
        """The share of the training rows to call outliers."""
        return float(self.getOrDefault("contamination"))

    def setContamination(self, value: float) -> Self:  # noqa: N802
        """Set the share of the training rows to call outliers; a model needs no other fit."""
        return self._set(contamination=value)

    def setOutputCol(self, value: str) -> Self:  # noqa: N802
        """Set the name of the score's column."""
        return self._set(outputCol=value)

    def setPredictionCol(self, value: str) -> Self:  # noqa: N802
        """Set the name of the label's column: 1.0 for an outlier, 0.0 for others; none if empty."""
        return self._set(predictionCol=value)

    def setPercentileCol(self, value: str) -> Self:  # noqa: N802
        """Set the name of the percentile's column; none if empty."""
        return self._set(percentileCol=value)

    def setReasonsCol(self, value: str) -> Self:  # noqa: N802
        """Set the name of the column of reasons; none if empty."""
        return self._set(reasonsCol=value)

    def setNumReasons(self, value: int) -> Self:  # noqa: N802
        """Set the number of features in the column of reasons."""
        return self._set(numReasons=value)


class _HasFit(HasInputCols, HasSeed, _HasOutputs):
    """How to fit."""

    options = Param(
        Params._dummy(),
        "options",
        "further options of a fit, by name, as in polars_anorand.FitOptions",
        dict,
    )

    def setInputCols(self, value: Sequence[str]) -> Self:  # noqa: N802
        """Set the features."""
        return self._set(inputCols=list(value))

    def setSeed(self, value: int) -> Self:  # noqa: N802
        """Set the seed, of the sample and of the fit."""
        return self._set(seed=value)

    def setOptions(self, value: Mapping[str, Any]) -> Self:  # noqa: N802
        """Set further options of the fit."""
        return self._set(options=dict(value))

    def _features(self) -> list[str]:
        if not self.isDefined("inputCols") or not self.getInputCols():
            raise ValueError("inputCols is not set: name the columns to learn from, such as inputCols=['a', 'b']")
        return list(self.getInputCols())

    def _fit_options(self) -> dict[str, Any]:
        given = dict(self.getOrDefault("options"))
        if "seed" in given:
            raise ValueError("options has a seed: the seed is a parameter of its own")
        return {**given, "seed": self.getSeed()}


class _HasGroups(_HasFit):
    """How to fit groups."""

    by = Param(Params._dummy(), "by", "the keys of the groups", TypeConverters.toListString)
    minGroupRows = Param(  # noqa: N815
        Params._dummy(), "minGroupRows", "with fewer rows, a group has no model", TypeConverters.toInt
    )
    numPartitions = Param(  # noqa: N815
        Params._dummy(),
        "numPartitions",
        "the number of tasks; 0 for spark.sql.shuffle.partitions",
        TypeConverters.toInt,
    )

    def _set_group_defaults(self) -> None:
        self._set_output_defaults()
        self._setDefault(seed=0, minGroupRows=20, numPartitions=0, options={})

    def setBy(self, value: Sequence[str]) -> Self:  # noqa: N802
        """Set the keys."""
        return self._set(by=list(value))

    def setMinGroupRows(self, value: int) -> Self:  # noqa: N802
        """Set how many rows a group needs for a model."""
        return self._set(minGroupRows=value)

    def setNumPartitions(self, value: int) -> Self:  # noqa: N802
        """Set the number of tasks."""
        return self._set(numPartitions=value)

    def _keys(self, schema: StructType) -> list[str]:
        if not self.isDefined("by") or not self.getOrDefault("by"):
            raise ValueError("by is not set: name the key columns, such as by=['carrier']")
        keys = list(self.getOrDefault("by"))
        _frames.check_keys(schema, keys)
        return keys


class _Writer(MLWriter):
    """Writes metadata as Spark ML does, so that pipelines can read it, and what else there is as Parquet beside it."""

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


class _Reader(MLReader):
    """Reads what :class:`_Writer` wrote."""

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


class _Stored(MLReadable, MLWritable):
    """Can be saved and loaded, alone and in a pipeline."""

    def write(self) -> _Writer:
        """A writer: ``.write().overwrite().save(path)``."""
        return _Writer(self)

    @classmethod
    def read(cls) -> _Reader:
        """A reader; ``load(path)`` is the same in short."""
        return _Reader(cls)

    def _data(self, spark: Any) -> Any:
        """What is to be written beside the parameters, as a frame."""
        return None

    def _read_data(self, spark: Any, path: str) -> None:
        """Take in what was written beside the parameters."""


class AnoRand(Estimator, _HasFit, _Stored):
    """Fits one model, on the driver.

    Up to ``maxRows`` rows come to the driver as they are, and the model has the same bytes as
    :func:`polars_anorand.fit`'s on them. Of more rows, a sample of ``maxRows`` comes, which depends on the rows'
    contents and on the seed alone, and a warning says so. The workers count all rows: missing values, the rows of each
    category, the lowest and the highest value of each feature. After the fit they score all rows, for the quantiles
    from which thresholds and percentiles are taken. So the frame is read several times, and must not change meanwhile.
    As with :func:`polars_anorand.fit_scan`, quartiles and the shares of usual values are those of the sample. The model
    does not depend on partitions.

    Parameters
    ----------
    inputCols
        The features: numbers, decimals, booleans, dates, timestamps, day-time intervals and strings. Timestamps are
        read in UTC; a ``timestamp_ntz`` is read as it is.
    outputCol, predictionCol
        The columns that the model adds: the score (double, 0 to 1, the higher, the more anomalous), and 1.0 for an
        outlier, 0.0 for any other row. No prediction if its name is empty.
    contamination
        The share of the training rows to call outliers; see :func:`polars_anorand.detect`.
    seed
        Of the sample and of the fit, 0 or more.
    maxRows
        The most rows that come to the driver.
    calibrate
        ``"all"``: of more than ``maxRows`` rows, thresholds and percentiles are those of all rows, by rank; the value
        of a quantile below the highest 4,096 scores is rounded to 4e-6 of itself. ``"sample"``: those of the sample;
        the rows are not read for them.
    percentileCol, reasonsCol, numReasons
        Further columns of the model, none where the name is empty: the share of the training rows with a lower score;
        and for outliers the ``numReasons`` features that add most to the score, as an array of structs of ``feature``
        and ``contribution``.
    options
        Further options of the fit; see :class:`polars_anorand.FitOptions`.
    initModel
        A model to go on from, as ``init`` of :func:`polars_anorand.fit_scan`: a :class:`polars_anorand.Model`, its
        bytes, the path of its file on the driver, or an :class:`AnoRandModel`. It is saved with the estimator.

    Examples
    --------
    .. code-block:: python

        model = AnoRand(inputCols=["delay", "distance"], contamination=0.01).fit(flights)
        model.transform(flights).where("predictedLabel = 1").show()
        model = AnoRand(inputCols=["delay", "distance"], initModel=model, options={"min_steps": 60}).fit(next_day)

    """

    maxRows = Param(Params._dummy(), "maxRows", "the most rows that come to the driver", TypeConverters.toInt)  # noqa: N815
    calibrate = Param(
        Params._dummy(),
        "calibrate",
        "whose scores thresholds and percentiles are of, where there are more than maxRows rows: 'all' or 'sample'",
        TypeConverters.toString,
    )

    @keyword_only
    def __init__(
        self,
        *,
        inputCols: Sequence[str] | None = None,  # noqa: N803
        outputCol: str = "outlierScore",  # noqa: N803
        predictionCol: str = "predictedLabel",  # noqa: N803
        contamination: float = 0.01,
        seed: int = 0,
        maxRows: int = 1_000_000,  # noqa: N803
        calibrate: str = "all",
        percentileCol: str = "",  # noqa: N803
        reasonsCol: str = "",  # noqa: N803
        numReasons: int = 3,  # noqa: N803
        options: Mapping[str, Any] | None = None,
        initModel: InitModel | None = None,  # noqa: N803
    ) -> None:
        super().__init__()
        self._set_output_defaults()
        # Spark ML's own default is a hash of the class's name, which may be negative.
        self._setDefault(seed=0, maxRows=1_000_000, calibrate="all", options={})
        self._set(**{name: value for name, value in self._input_kwargs.items() if name != "initModel"})
        self.setInitModel(initModel)

    def setMaxRows(self, value: int) -> Self:  # noqa: N802
        """Set the most rows that come to the driver."""
        return self._set(maxRows=value)

    def getMaxRows(self) -> int:  # noqa: N802
        """The most rows that come to the driver."""
        return int(self.getOrDefault("maxRows"))

    def setCalibrate(self, value: str) -> Self:  # noqa: N802
        """Set whose scores thresholds and percentiles are of: ``"all"`` or ``"sample"``."""
        return self._set(calibrate=value)

    def getCalibrate(self) -> str:  # noqa: N802
        """Whose scores thresholds and percentiles are of."""
        return str(self.getOrDefault("calibrate"))

    def setInitModel(self, value: InitModel | None) -> Self:  # noqa: N802
        """Set the model to go on from; None for a new one."""
        given = value.toModel() if isinstance(value, AnoRandModel) else value
        # Not a Param: Spark writes these as JSON.
        self._init = None if given is None else _model(given, "initModel")
        return self

    def getInitModel(self) -> Model | None:  # noqa: N802
        """The model to go on from, if there is one."""
        return self._init

    def _data(self, spark: Any) -> Any:
        data = None if self._init is None else bytearray(self._init.to_bytes())
        return spark.createDataFrame([(data,)], "model binary").coalesce(1)

    def _read_data(self, spark: Any, path: str) -> None:
        data = spark.read.parquet(path).first()[0]
        self._init = None if data is None else Model(bytes(data))

    def _fit(self, dataset: Any) -> AnoRandModel:
        features, options, most = self._features(), self._fit_options(), self.getMaxRows()
        if most < 2:
            raise ValueError(f"maxRows must be at least 2, got {most}")
        if self.getCalibrate() not in ("all", "sample"):
            raise ValueError(f"calibrate must be 'all' or 'sample', got {self.getCalibrate()!r}")
        _frames.check_fit(dataset.schema, features, **options)
        if self._init is not None:
            training = _scan_parts.training(options, self._init)
            _frames.check_refit(dataset.schema, features, training, self._init)
        sample, rows = _frames.sampled(dataset, features, most, self.getSeed())
        if rows > sample.height:
            data = self._fit_sample(dataset, sample, rows)
        else:
            fit = functions.fit(features, init=self._init, name=unused("model", features), **options)
            data = sample.select(fit).item()
        return self._copyValues(AnoRandModel(data))._resetUid(self.uid)

    def _fit_sample(self, dataset: Any, sample: pl.DataFrame, rows: int) -> bytes:
        """The model from the driver's sample and the workers' counts of all rows."""
        features, training = sample.columns, _scan_parts.training(self._fit_options(), self._init)
        count = on_worker("count_rows", 1, features, training)
        counts = _frames.counted(dataset, features, count, of_scores=False)
        data = _scan_parts.fit_counted(sample, counts, training, rows, self._init)
        is_calibrated = self.getCalibrate() == "all"
        if is_calibrated:
            count = on_worker("count_scores", 1, features, data)
            counts = _frames.counted(dataset, features, count, of_scores=True)
            data = _scan_parts.calibrated(data, counts, self._init)
        of_sample = "; thresholds and percentiles are the sample's, since calibrate is 'sample'"
        warnings.warn(
            f"AnoRand was fitted on the driver, on a sample of {sample.height:,} of {rows:,} rows, with the counts and "
            f"extremes of all{'' if is_calibrated else of_sample}: maxRows sets the size of the sample, and "
            "GroupedAnoRand fits groups on the workers",
            stacklevel=4,
        )
        return data


class AnoRandModel(SparkModel, _HasFit, _Stored):
    """Scores rows by one model, on the workers; ``AnoRandModel(model)`` wraps a :class:`polars_anorand.Model`."""

    def __init__(self, model: Model | bytes | str | os.PathLike[str] | None = None) -> None:
        super().__init__()
        self._set_output_defaults()
        self._setDefault(seed=0, options={})
        self._model = None if model is None else _model(model)

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


class GroupedAnoRand(Estimator, _HasGroups, _Stored):
    """Fits a model for each group, on the workers; in a fit, a worker must hold all rows of a group at once.

    A group with fewer than ``minGroupRows`` rows that a fit can use, or that can't be fitted, has a null model, and its
    rows have null scores. The models have the same bytes as those of :func:`polars_anorand.fit` with ``by``.

    Parameters
    ----------
    by
        The keys. A null is a key like others. No string with a collation, by which values that differ are equal.
    minGroupRows
        With fewer rows, a group has no model; at least 2.
    numPartitions
        The number of tasks that the groups are spread over; 0: ``spark.sql.shuffle.partitions``. It is set, since
        adaptive execution would put all groups into one task where they are small in bytes.
    inputCols, outputCol, predictionCol, contamination, seed, percentileCol, reasonsCol, numReasons, options
        As for :class:`AnoRand`.

    Examples
    --------
    .. code-block:: python

        model = GroupedAnoRand(by=["carrier"], inputCols=["delay", "distance"]).fit(flights)
        model.models.show()  # carrier, model
        model.transform(flights).where("predictedLabel = 1").show()

    """

    @keyword_only
    def __init__(
        self,
        *,
        by: Sequence[str] | None = None,
        inputCols: Sequence[str] | None = None,  # noqa: N803
        outputCol: str = "outlierScore",  # noqa: N803
        predictionCol: str = "predictedLabel",  # noqa: N803
        contamination: float = 0.01,
        seed: int = 0,
        minGroupRows: int = 20,  # noqa: N803
        numPartitions: int = 0,  # noqa: N803
        percentileCol: str = "",  # noqa: N803
        reasonsCol: str = "",  # noqa: N803
        numReasons: int = 3,  # noqa: N803
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._set_group_defaults()
        self._set(**self._input_kwargs)

    def _fit(self, dataset: Any) -> GroupedAnoRandModel:
        features, options = self._features(), self._fit_options()
        keys, fewest = self._keys(dataset.schema), self.getOrDefault("minGroupRows")
        if "model" in keys or set(keys) & set(features):
            raise ValueError(f"by names {keys}: a key can't be a feature too, nor be called 'model'")
        _frames.check_fit(dataset.schema, features, by=pl.lit(0).alias("group"), min_group_rows=fewest, **options)
        schema = StructType([*[dataset.schema[name] for name in keys], StructField("model", BinaryType())])
        names = [*keys, *features]
        fit = on_worker("fit_groups", 1, names, keys, features, fewest, options)
        rows = dataset.select(*[_frames.column(name) for name in names])
        grouped = _frames.in_groups(rows, keys, self.getOrDefault("numPartitions"))
        models = _frames.numbered(grouped).mapInArrow(fit, schema).persist()
        groups, fitted = models.agg(F.count(F.lit(1)), F.count("model")).first()
        if fitted < groups:
            warnings.warn(
                f"{groups - fitted:,} of {groups:,} groups have a null model: they have fewer than {fewest} rows that "
                "a fit can use (minGroupRows), or can't be fitted",
                stacklevel=3,
            )
        return self._copyValues(GroupedAnoRandModel(models))._resetUid(self.uid)


class GroupedAnoRandModel(SparkModel, _HasGroups, _Stored):
    """Scores each group by its own model, on the workers; rows of a group without a model have null scores."""

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


def score_udf(model: Model | bytes | str | os.PathLike[str]) -> Any:
    """A UDF that scores: of the model's features in the model's order, or of one struct of them in any order.

    For SQL, register it: ``spark.udf.register("score", score_udf(model))``. A filter on its result evaluates it twice,
    once for the filter and once for the column: filter before scoring, use ``AnoRandModel.transform``, or
    ``score_udf(model).asNondeterministic()``.

    Raises
    ------
    ValueError, OSError
        At once, if it is not a model.
    ImportError
        At once, on PySpark before 4.1, which has no UDFs of Arrow's types: use ``AnoRandModel.transform`` there.

    """
    known = _model(model)
    try:
        from pyspark.sql.functions import ArrowUDFType, arrow_udf
    except ImportError:
        raise ImportError("score_udf needs PySpark 4.1 or newer; AnoRandModel(model).transform works before") from None
    score = on_worker("score_columns", 0, known.to_bytes(), known.features)
    with warnings.catch_warnings():
        # It would rather have type hints, which a function of any number of columns can't have.
        warnings.simplefilter("ignore", UserWarning)
        return arrow_udf(score, "double", ArrowUDFType.SCALAR)


def _model(model: Model | bytes | str | os.PathLike[str], name: str = "model") -> Model:
    known = known_model(model)
    if known is None:
        raise TypeError(f"{name} must be a Model, its bytes or the path of its file, got {type(model).__name__}")
    return known
