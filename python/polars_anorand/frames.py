"""The verbs on whole frames: what a model makes of a frame, beside the frame's own columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

import polars as pl

from polars_anorand import _frames, functions
from polars_anorand._arguments import ModelLike, one_model, text, unused
from polars_anorand._options import integer
from polars_anorand.scan import FALLBACK, with_nulls

if TYPE_CHECKING:
    from polars_anorand._options import Precision
    from polars_anorand.model import Model

DETECTED = ("score", "percentile", "rarity", "outlier", "why")
"""The columns that a detection adds."""

MODEL = "model"
"""The column of a frame of models."""

REASONS = 3
"""The number of reasons in ``why`` by default."""

NO_REASON = "no value alone stands out"
"""Why a row is an outlier none of whose values is a reason."""

Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


def score(model: Model, frame: Frame, *, prefix: str, device: str, precision: Precision) -> Frame:
    """See :meth:`polars_anorand.Model.score`."""
    name = _names(frame, model.features, prefix, "score")["score"]
    verb = functions.score(
        model.features, model, device=device, precision=precision, name=unused("score", model.features)
    )
    return frame.with_columns(verb.alias(name))


def detect(
    model: Model,
    frame: Frame,
    *,
    contamination: float | None,
    threshold: float | None,
    explain: int,
    prefix: str,
    device: str,
    precision: Precision,
) -> Frame:
    """See :meth:`polars_anorand.Model.detect`."""
    names = _names(frame, model.features, prefix, *DETECTED)
    verb = _verb(model.features, model, explain, contamination, threshold, device, precision)
    return _beside(frame, verb, names)


def with_models(
    frame: pl.LazyFrame, models: pl.DataFrame, *, contamination: float | None, explain: int | None
) -> pl.LazyFrame:
    """Score each row by the model of its group; with ``explain``, detect as :meth:`polars_anorand.Model.detect`.

    Parameters
    ----------
    frame
        Rows with the keys and the features.
    models
        The keys and ``model``, as ``train(by=…)`` returns them. A row whose group has no model has nulls.
    contamination, explain
        As :meth:`polars_anorand.Model.detect`. ``explain=None`` gives the score alone.

    """
    found = models[MODEL].drop_nulls()
    if found.is_empty():
        raise ValueError("no group has a model: all were too small for one")
    columns = frame.collect_schema().names()
    keys = [name for name in models.columns if name not in (MODEL, FALLBACK)]
    if missing := [name for name in keys if name not in columns]:
        raise ValueError(f"the models are of groups by {', '.join(keys)}; the rows have no {', '.join(missing)}")
    features = one_model("detect", found.head(1)).features
    column = unused(MODEL, columns)
    of_groups = models.lazy().select(*keys, pl.col(MODEL).alias(column))
    how: dict[str, Any] = {"on": keys, "how": "left", **with_nulls()}
    joined = frame.join(of_groups, **how)
    if explain is None:
        verb = functions.score(features, pl.col(column), name=unused("score", features))
        return joined.with_columns(verb.alias(_names(frame, features, "", "score")["score"])).drop(column)
    verb = _verb(features, pl.col(column), explain, contamination)
    return _beside(joined, verb, _names(frame, features, "", *DETECTED)).drop(column)


def explain(model: Model, frame: Frame, *, top: int | None, prefix: str, device: str, precision: Precision) -> Frame:
    """See :meth:`polars_anorand.Model.explain`."""
    name = _names(frame, model.features, prefix, "explanation")["explanation"]
    verb = functions.explain(
        model.features, model, top=top, device=device, precision=precision, name=unused("explanation", model.features)
    )
    return frame.with_columns(verb.alias(name))


def cells(model: Model, frame: Frame, *, prefix: str) -> Frame:
    """See :meth:`polars_anorand.Model.cells`."""
    name = _names(frame, model.features, prefix, "cells")["cells"]
    verb = functions.cells(model.features, model, name=unused("cells", model.features))
    return frame.with_columns(verb.alias(name))


@overload
def split(
    frame: pl.DataFrame,
    model: ModelLike,
    *,
    contamination: float | None = ...,
    threshold: float | None = ...,
    explain: int = ...,
    prefix: str = ...,
    device: str = ...,
    precision: Precision = ...,
) -> tuple[pl.DataFrame, pl.DataFrame]: ...


@overload
def split(
    frame: pl.LazyFrame,
    model: ModelLike,
    *,
    contamination: float | None = ...,
    threshold: float | None = ...,
    explain: int = ...,
    prefix: str = ...,
    device: str = ...,
    precision: Precision = ...,
) -> tuple[pl.LazyFrame, pl.LazyFrame]: ...


def split(
    frame: pl.DataFrame | pl.LazyFrame,
    model: ModelLike,
    *,
    contamination: float | None = None,
    threshold: float | None = None,
    explain: int = REASONS,
    prefix: str = "",
    device: str = "auto",
    precision: Precision = "float32",
) -> tuple[pl.DataFrame | pl.LazyFrame, pl.DataFrame | pl.LazyFrame]:
    """Split a frame into its ordinary rows and its outliers. Every row is in exactly one part, in the frame's order.

    Parameters
    ----------
    frame
        A DataFrame or a LazyFrame that has the model's features.
    model
        A path, bytes or a :class:`Model`.
    contamination, threshold, explain, prefix, device, precision
        As :meth:`Model.detect`.

    Returns
    -------
    ordinary, outliers
        Two frames of the kind of ``frame``. ``ordinary`` has the frame's own columns. ``outliers`` has them and those
        of :meth:`Model.detect`: ``score``, ``percentile``, ``rarity``, ``outlier`` and ``why``. A row without a score,
        such as one with a null if the model was fitted with ``missing="null"``, is among the ordinary ones: nothing is
        known against it. ``model.score(ordinary)`` tells these rows by their null. Two lazy parts that are collected
        each on its own score the rows twice; ``pl.collect_all([ordinary, outliers])`` scores them once.

    Raises
    ------
    TypeError, ValueError, OSError
        As :meth:`Model.detect`, and for a model that can't be read.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [*range(9)] * 11 + [500], "y": [*range(0, 18, 2)] * 11 + [900]})
    >>> ordinary, outliers = anorand.split(frame, anorand.train(frame))
    >>> ordinary.shape, outliers.select("x", "y").rows()
    ((99, 2), [(500, 900)])

    """
    given = cast("pl.DataFrame", _frames.checked(frame))
    detected = detect(
        one_model("split", model),
        given,
        contamination=contamination,
        threshold=threshold,
        explain=explain,
        prefix=prefix,
        device=device,
        precision=precision,
    )
    # A null is no outlier, so that each row is in one part.
    outlier = pl.col(f"{prefix}outlier").fill_null(value=False)
    added = [f"{prefix}{name}" for name in DETECTED]
    return detected.filter(~outlier).drop(added), detected.filter(outlier)


def _names(frame: pl.DataFrame | pl.LazyFrame, features: list[str], prefix: str, *results: str) -> dict[str, str]:
    """Return the columns of the results.

    Raise if the frame has one of them, which would be overwritten, or lacks a feature.
    """
    names = {result: f"{text('prefix', prefix)}{result}" for result in results}
    taken = set(_frames.checked(frame).collect_schema())
    for result, name in names.items():
        if name in taken:
            raise ValueError(
                f"the frame has a column {name!r} already: give the new ones another name, such as "
                f'prefix="anorand_" for "anorand_{result}", or drop the column'
            )
    _frames.require(frame, features)
    return names


def _verb(
    features: list[str],
    model: ModelLike,
    explain: int,
    contamination: float | None,
    threshold: float | None = None,
    device: str = "auto",
    precision: Precision = "float32",
) -> pl.Expr:
    """Return a detection whose name no feature has."""
    if integer("explain", cast("object", explain)) is None:
        raise TypeError("explain must be a number of reasons, at least 1, got None")
    return functions.detect(
        features,
        model,
        contamination=contamination,
        threshold=threshold,
        explain=explain,
        device=device,
        precision=precision,
        name=unused("anomaly", features),
    )


def _beside(frame: Frame, verb: pl.Expr, names: dict[str, str]) -> Frame:
    """Add the fields of a detection, with the reasons as one text."""
    columns: list[str] = frame.collect_schema().names()
    place = unused("anomaly", [*columns, *names.values()])
    fields = pl.col(place).struct
    results = {name: fields.field(name) for name in DETECTED if name != "why"} | {"why": in_words(place)}
    added = [results[result].alias(name) for result, name in names.items()]
    return frame.with_columns(verb.alias(place)).with_columns(added).drop(place)


def in_words(detected: str) -> pl.Expr:
    """Return the reasons of a column of detections as one text; null for a row that is no outlier."""
    fields = pl.col(detected).struct
    reasons = fields.field("reasons")
    feature, sentence = pl.element().struct.field("feature"), pl.element().struct.field("why")
    # Most sentences begin with the feature's name, which need not stand there twice.
    sentence = sentence.str.strip_prefix(feature + " is ")
    # A model of preset="paper" has no sentences.
    reason = pl.coalesce(feature + ": " + sentence, feature)
    texts = reasons.list.eval(reason).list.join("; ")
    return pl.when(reasons.list.len() > 0).then(texts).when(fields.field("outlier")).then(pl.lit(NO_REASON))
