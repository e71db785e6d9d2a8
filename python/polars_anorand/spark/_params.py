"""The parameters of estimators and models, in the shape of Spark ML."""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false
# pyright: reportUntypedBaseClass=false, reportUntypedFunctionDecorator=false, reportAttributeAccessIssue=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pyspark.ml.param import Param, Params, TypeConverters
from pyspark.ml.param.shared import HasInputCols, HasOutputCol, HasPredictionCol, HasSeed
from pyspark.sql.types import StructType

from polars_anorand.spark import _frames
from polars_anorand.spark._worker import Outputs

if TYPE_CHECKING:
    from typing_extensions import Self


class HasOutputs(HasOutputCol, HasPredictionCol):
    """The parameters of the columns that scoring adds to a frame."""

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
    rarityCol = Param(  # noqa: N815
        Params._dummy(),
        "rarityCol",
        "a column for how rare the score is: one in 10 ** rarity ordinary rows scores as high; none if empty",
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
            rarityCol="",
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
            rarity=get("rarityCol") or None,
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

    def setRarityCol(self, value: str) -> Self:  # noqa: N802
        """Set the name of the rarity's column; none if empty."""
        return self._set(rarityCol=value)

    def setReasonsCol(self, value: str) -> Self:  # noqa: N802
        """Set the name of the column of reasons; none if empty."""
        return self._set(reasonsCol=value)

    def setNumReasons(self, value: int) -> Self:  # noqa: N802
        """Set the number of features in the column of reasons."""
        return self._set(numReasons=value)


class HasFit(HasInputCols, HasSeed, HasOutputs):
    """The parameters of a fit."""

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


class HasGroups(HasFit):
    """The parameters of fits of groups."""

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
