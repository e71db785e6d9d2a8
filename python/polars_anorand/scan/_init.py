"""The models that fits of a scan go on from: one model, or a frame with a model for each group."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import polars as pl

from polars_anorand.model import Model
from polars_anorand.scan._groups import INIT

if TYPE_CHECKING:
    from collections.abc import Mapping

OneModel: TypeAlias = "str | os.PathLike[str] | bytes | Model"
"""A model that is known before a scan is read: a file's path, the bytes of one, or a :class:`Model`."""

ModelsOfGroups: TypeAlias = "OneModel | pl.DataFrame | pl.LazyFrame"
"""One model for all groups, or a frame of their keys and ``model``."""

_MODEL = "model"
FALLBACK = "fallback"
"""The column that marks the groups whose model is that of all rows."""


class Init:
    """The models, at hand before the scan is read.

    Parameters
    ----------
    init
        What the user gave; None for fits that start anew.
    keys
        The names and dtypes of the keys of groups; None for one fit of all rows.

    Raises
    ------
    TypeError, ValueError
        For what is not a model, nor a frame of one model a group.
    OSError
        For a file that can't be read.

    """

    def __init__(self, init: ModelsOfGroups | None, keys: Mapping[str, Any] | None) -> None:
        self.of_groups: pl.DataFrame | None = None
        """The keys and ``model``, in the frame's order, where each group has a model of its own."""
        one: list[bytes] = []
        if isinstance(init, (pl.DataFrame, pl.LazyFrame)):
            self.of_groups = _of_groups(init, keys)
        elif init is not None:
            one = [_bytes(init, has_groups=keys is not None)]
        self._models = pl.Series(one, dtype=pl.Binary) if self.of_groups is None else self.of_groups[_MODEL]

    def learn_from_all(self) -> bool:
        """Return whether the options of any model let each member learn from all its rows."""
        found = (Model(data) for data in cast("list[bytes]", self._models.drop_nulls().to_list()))
        return any(model.options["max_samples"] == 0 for model in found)

    def inputs(self, part: pl.DataFrame | None = None) -> list[pl.Expr]:
        """Return the inputs of a call: all models, or those of a part of the groups; an empty list without models."""
        models = self._models if part is None or self.of_groups is None else part[INIT]
        return [] if self._models.is_empty() else [pl.lit(models)]


def _bytes(init: object, *, has_groups: bool) -> bytes:
    if isinstance(init, Model):
        return init.to_bytes()
    if isinstance(init, (bytes, bytearray)):
        return bytes(init)
    if isinstance(init, memoryview):
        return init.tobytes()
    if isinstance(init, (str, os.PathLike)):
        try:
            return Model.load(cast("str | os.PathLike[str]", init)).to_bytes()
        except ValueError as error:
            raise ValueError(f"init: {error}") from None
    frame = ", or a frame of the keys of by and 'model'" if has_groups else ""
    advice = "" if has_groups else "; a model for each group takes by="
    raise TypeError(
        f"init of train must be a path, bytes, a Model{frame}, known before the scan is read, got "
        f"{type(init).__name__}{advice}"
    )


def _of_groups(init: pl.DataFrame | pl.LazyFrame, keys: Mapping[str, Any] | None) -> pl.DataFrame:
    if keys is None:
        raise TypeError(
            f"init is a {type(init).__name__}, which has a model for each group: give by=, the keys of the groups, or "
            "one model as a path, bytes or a Model"
        )
    schema = init.lazy().collect_schema()
    for name, dtype in {**keys, _MODEL: pl.Binary}.items():
        if name not in schema:
            raise ValueError(
                f"init has no column {name!r}, expected the keys of by and 'model', as train(by=…) returns them; it "
                f"has {schema.names()}"
            )
        if schema[name] != dtype:
            raise TypeError(
                f"init has dtype {schema[name]} for {name!r}, expected {dtype}, as the scan has: cast the column"
            )
    is_own = ~pl.col(FALLBACK) if FALLBACK in schema and FALLBACK not in keys else pl.lit(value=True)
    found = init.lazy().select(*keys, pl.when(is_own).then(_MODEL)).collect()
    twice = found.filter(found.select(*keys).is_duplicated()).head(1)
    if twice.height:
        raise ValueError(
            f"init has more than one model for the group {twice.drop(_MODEL).row(0)}, expected one row for each group: "
            "leave the latest one of each"
        )
    return found
