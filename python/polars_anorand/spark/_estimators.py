"""Estimators: one fits a model on the driver, the other fits one for each group on the workers."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import polars as pl
from pyspark import keyword_only
from pyspark.ml import Estimator
from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.sql import functions as F  # noqa: N812  # as all of Spark's users call it
from pyspark.sql.types import BinaryType, StructField, StructType

from polars_anorand import functions
from polars_anorand._arguments import unused
from polars_anorand.model import Model
from polars_anorand.scan import _parts
from polars_anorand.spark import _frames
from polars_anorand.spark._models import AnoRandModel, GroupedAnoRandModel, given_model
from polars_anorand.spark._params import HasFit, HasGroups
from polars_anorand.spark._storage import Stored
from polars_anorand.spark._worker import on_worker

if TYPE_CHECKING:
    from typing_extensions import Self

InitModel: TypeAlias = "Model | bytes | str | os.PathLike[str] | AnoRandModel"
"""A model to go on from."""


class AnoRand(Estimator, HasFit, Stored):
    """Fits one model, on the driver.

    Up to ``maxRows`` rows come to the driver as they are, and the model has the same bytes as
    :func:`polars_anorand.fit`'s on them. Of more rows, a sample of ``maxRows`` comes, which depends on the rows'
    contents and on the seed alone, and a warning says so. The workers count all rows: missing values, the rows of each
    category, the lowest and the highest value of each feature. After the fit they score all rows, for the quantiles
    from which thresholds and percentiles are taken. So the frame is read several times, and must not change meanwhile.
    As with :func:`polars_anorand.train`, quartiles and the shares of usual values are those of the sample. The model
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
        of a quantile is exact up to 262,144 different scores; beyond, it is rounded to 2e-5 of itself where no tie is.
        ``"sample"``: those of the sample; the rows are not read for them.
    percentileCol, rarityCol, reasonsCol, numReasons
        Further columns of the model, none where the name is empty: the share of the training rows with a lower score;
        its ``rarity``, as :func:`polars_anorand.detect` gives it; and for outliers the ``numReasons`` features that add
        most to the score, as an array of structs of ``feature`` and ``contribution``.
    options
        Further options of the fit; see :class:`polars_anorand.FitOptions`.
    initModel
        A model to go on from, as ``init`` of :func:`polars_anorand.train`: a :class:`polars_anorand.Model`, its
        bytes, the path of its file on the driver, or an :class:`AnoRandModel`. It is saved with the estimator.

    Examples
    --------
    .. code-block:: python

        model = AnoRand(inputCols=["delay", "distance"], contamination=0.01).fit(flights)
        model.transform(flights).where("predictedLabel = 1").show()
        model = AnoRand(inputCols=["delay", "distance"], initModel=model, options={"min_steps": 60}).fit(next_day)

    """

    __module__ = "polars_anorand.spark"

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
        rarityCol: str = "",  # noqa: N803
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
        self._init = None if given is None else given_model(given, "initModel")
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
            training = _parts.training(options, self._init)
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
        features, training = sample.columns, _parts.training(self._fit_options(), self._init)
        count = on_worker("count_rows", 1, features, training)
        counts = _frames.counted(dataset, features, count, of_scores=False)
        data = _parts.fit_counted(sample, counts, training, rows, self._init)
        is_calibrated = self.getCalibrate() == "all"
        if is_calibrated:
            count = on_worker("count_scores", 1, features, data)
            counts = _frames.counted(dataset, features, count, of_scores=True)
            data = _parts.calibrated(data, counts, self._init)
        of_sample = "; thresholds and percentiles are the sample's, since calibrate is 'sample'"
        warnings.warn(
            f"AnoRand was fitted on the driver, on a sample of {sample.height:,} of {rows:,} rows, with the counts and "
            f"extremes of all{'' if is_calibrated else of_sample}: maxRows sets the size of the sample, and "
            "GroupedAnoRand fits groups on the workers",
            stacklevel=4,
        )
        return data


class GroupedAnoRand(Estimator, HasGroups, Stored):
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
    inputCols, outputCol, predictionCol, contamination, seed, percentileCol, rarityCol, reasonsCol,
    numReasons, options
        As for :class:`AnoRand`.

    Examples
    --------
    .. code-block:: python

        model = GroupedAnoRand(by=["carrier"], inputCols=["delay", "distance"]).fit(flights)
        model.models.show()  # carrier, model
        model.transform(flights).where("predictedLabel = 1").show()

    """

    __module__ = "polars_anorand.spark"

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
        rarityCol: str = "",  # noqa: N803
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
