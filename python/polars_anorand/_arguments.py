"""Turns a verb's arguments into a call of the plugin: into its inputs and its kwargs."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import polars as pl

from polars_anorand import _frames, _paths, _register
from polars_anorand._options import check, integer
from polars_anorand.model import Model
from polars_anorand.progress import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from polars_anorand._options import Precision, SmallGroups

Columns: TypeAlias = "str | pl.Expr | Iterable[str | pl.Expr]"
"""Columns, selectors or expressions, of any number of columns; a struct stands for its fields."""

Labels: TypeAlias = "str | pl.Expr | pl.Series"
"""One column of labels."""

ModelLike: TypeAlias = "str | os.PathLike[str] | bytes | Model | pl.Expr | pl.Series"
"""A model: the path of a file, the bytes of one, a :class:`Model`, or an expression of Binary that has one model for
all rows or one for each row."""


class FromRows(enum.Enum):
    """Stands for a model that is fitted on the rows themselves: the default of a verb that can do so.

    None does not, since it is what a look-up that found no model returns.
    """

    FROM_ROWS = "a model fitted on the rows"

    def __repr__(self) -> str:
        return "FROM_ROWS"


FROM_ROWS = FromRows.FROM_ROWS

SMALL_GROUPS: SmallGroups = "null"
MIN_GROUP_ROWS = 20
"""The defaults of a fit by groups."""


def group_arguments(small_groups: object, min_group_rows: object) -> list[str]:
    """The names of the arguments for groups that differ from their defaults."""
    given = {"small_groups": small_groups != SMALL_GROUPS, "min_group_rows": min_group_rows != MIN_GROUP_ROWS}
    return [name for name, is_given in given.items() if is_given]


class Training:
    """The checked arguments of a fit: the plugin's kwargs, and the inputs that come with the features.

    With ``has_models``, the models to go on from don't come with the rows, and ``init`` is None.
    """

    def __init__(
        self,
        options: Mapping[str, object],
        labels: Labels | None,
        by: Columns | None,
        small_groups: SmallGroups,
        min_group_rows: int,
        progress: bool | Literal["always"] = False,
        init: ModelLike | None = None,
        replay: str | pl.Expr | pl.Series | None = None,
        *,
        has_models: bool = False,
    ) -> None:
        self.progress = shown(progress)
        text("small_groups", small_groups)
        if by is None and (given := group_arguments(small_groups, min_group_rows)):
            raise TypeError(
                f"{' and '.join(given)} go with by, which fits a model for each group: give by, or leave them out"
            )
        is_refit = init is not None or has_models
        is_file = isinstance(init, (str, os.PathLike))
        checked = check(options)
        self.kwargs: dict[str, Any] = {
            "options": checked.options,
            "loss_weights": checked.loss_weights,
            "labels": labels is not None,
            "by": by is not None,
            "small_groups": small_groups,
            "min_group_rows": integer("min_group_rows", min_group_rows, low=2),
            "init": init is not None and not is_file,
            "init_path": _paths.as_argument(_paths.to_read(init)) if isinstance(init, (str, os.PathLike)) else None,
            "replay": replay is not None,
        }
        if is_refit and checked.loss_weights:
            raise TypeError("a fit with init goes on with one loss_weight, got a list of them to choose from")
        if not is_refit and replay is not None:
            raise TypeError("replay marks the rows that the model of init has seen: give init, or leave replay out")
        self._parts: list[pl.Expr] = []
        if labels is not None:
            self._parts.append(pl.struct(_column("labels", labels)).alias("labels"))
        if by is not None:
            self._parts.append(pl.struct(by).alias("by"))
        if init is not None and not is_file:
            self._parts.append(_model_value(init, "init").alias("init"))
        if replay is not None:
            self._parts.append(_column("replay", replay).alias("replay"))

    @property
    def is_packed(self) -> bool:
        """Whether the input has more than the features, which are then its field ``features``."""
        return bool(self._parts)

    @property
    def has_groups(self) -> bool:
        """Whether there is a model for each group."""
        return bool(self.kwargs["by"])

    def input(self, features: Columns) -> pl.Expr:
        """The features as one input, together with labels and keys if there are any."""
        packed = struct(features)
        return pl.struct([packed.alias("features"), *self._parts]) if self._parts else packed


def applied(
    function: str,
    features: Columns,
    model: ModelLike | Training,
    placement: dict[str, str],
    name: str,
    more: dict[str, Any],
) -> pl.Expr:
    """A call that applies a model, or fits one on the rows themselves; ``more`` are the verb's own kwargs."""
    apply: dict[str, Any] = {
        "model": None,
        "training": None,
        "progress": None,
        **placement,
        "name": text("name", name),
    }
    if isinstance(model, Training):
        apply["training"] = model.kwargs
        apply["progress"] = model.progress
        args = [model.input(features)]
    elif isinstance(model, (str, os.PathLike)):
        apply["model"] = _paths.as_argument(_paths.to_read(model))
        args = [struct(features)]
    else:
        args = [struct(features), _model_value(model)]
    kwargs = {"apply": apply, **more} if more else apply
    register = _register.whole_column if isinstance(model, Training) else _register.elementwise
    return register(function, args, kwargs).alias(name)


def placed(device: str, precision: Precision) -> dict[str, str]:
    """The plugin's kwargs for the device and the precision."""
    return {"device": text("device", device), "precision": text("precision", precision)}


def struct(features: Columns) -> pl.Expr:
    """Columns as one input, which keeps their names, and lets Polars run groups in parallel."""
    _frames.refuse(features)
    if isinstance(features, (list, tuple)) and not features:
        raise ValueError("there is no feature: the list is empty")
    return pl.struct(features)


def text(name: str, value: object) -> str:
    """A str, or an error that names the argument."""
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, got {value!r} ({type(value).__name__})")
    return value


def unused(name: str, taken: Iterable[str]) -> str:
    """A name for a result that its caller never sees: one that no column has."""
    columns = set(taken)
    while name in columns:
        name += "_"
    return name


def _column(name: str, column: object) -> pl.Expr:
    if isinstance(column, str):
        return pl.col(column)
    if isinstance(column, pl.Series):
        # An error names it. No feature is likely to have that name.
        return pl.lit(column if column.name else column.alias(f"{name}="))
    if isinstance(column, pl.Expr):
        return column
    raise TypeError(f"{name} must be a column's name, an expression or a Series, got {type(column).__name__}")


def _model_value(model: object, name: str = "model") -> pl.Expr:
    if isinstance(model, pl.Expr):
        return model
    if isinstance(model, Model):
        return pl.lit(model.to_bytes(), dtype=pl.Binary)
    if isinstance(model, (bytes, bytearray)):
        return pl.lit(bytes(model), dtype=pl.Binary)
    if isinstance(model, memoryview):
        return pl.lit(model.tobytes(), dtype=pl.Binary)
    if isinstance(model, pl.Series):
        return pl.lit(model)
    if isinstance(model, (pl.DataFrame, pl.LazyFrame)):
        raise TypeError(
            f"{name} must be one model, got a {type(model).__name__}: pass fitted.item() of one model; of a model "
            "for each group, join the frame to the rows, and pass pl.col('model')"
        )
    raise TypeError(
        f"{name} must be a path, bytes, a Model, or an expression or Series of Binary, got {type(model).__name__}"
    )


def known_model(model: ModelLike) -> Model | None:
    """The model, if it is known before the query runs, as it is not from an expression.

    Raises
    ------
    OSError, ValueError
        If a path or bytes are given, and are not a model.

    """
    if isinstance(model, Model):
        return model
    if isinstance(model, (bytes, bytearray, memoryview)):
        return Model(model)
    if isinstance(model, (str, os.PathLike)):
        return Model.load(model)
    if isinstance(model, pl.Series):
        first = model.drop_nulls().head(1).to_list()
        return Model(first[0]) if first else None
    return None


def one_model(what: str, model: ModelLike) -> Model:
    """The one model that the function ``what`` compares all rows with.

    Raises
    ------
    TypeError
        If it is an expression, or can't be a model.
    OSError, ValueError
        If it can't be read, or if a Series has no model or several.

    """
    if isinstance(model, pl.Series):
        models = model.drop_nulls().unique()
        if len(models) != 1:
            raise ValueError(
                f"{what} compares with one model, got a Series of {len(models) or 'no'} models: pass one of them, or "
                f"call {what} for each group with its own"
            )
    known = known_model(model)
    if known is None:
        raise TypeError(
            f"{what} needs a model that is known when the query is built: a path, bytes or a Model, "
            f"got {type(model).__name__}"
        )
    return known
