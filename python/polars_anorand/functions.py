"""The verbs as plain functions, which type checkers see. The namespace calls them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal, cast

import polars as pl

from polars_anorand import _paths, _register
from polars_anorand._arguments import (
    FROM_ROWS,
    Columns,
    FromRows,
    Labels,
    ModelLike,
    Training,
    applied,
    group_arguments,
    known_model,
    placed,
    text,
)
from polars_anorand._options import integer, number, unknown

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions, Precision, SmallGroups


def fit(
    features: Columns,
    *,
    labels: Labels | None = None,
    by: Columns | None = None,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    device: str = "auto",
    precision: Precision = "float32",
    path: str | os.PathLike[str] | None = None,
    init: ModelLike | None = None,
    replay: str | pl.Expr | pl.Series | None = None,
    progress: bool | Literal["always"] = False,
    name: str = "model",
    **options: Unpack[FitOptions],
) -> pl.Expr:
    """Fit a model on all rows. The result is one value: the bytes of the model.

    Parameters
    ----------
    features
        The columns to learn from: integers, floats, Decimal, Boolean, Date, Datetime, Duration, Time, String,
        Categorical or Enum. A struct stands for its fields.
    labels
        One column of known labels: True or 1 is an anomaly, False or 0 is a normal row, and null is an unlabelled row,
        which counts as normal. The known anomalies take the place of synthetic ones (§6 of the paper, table 2). There
        must be at least two anomalies, and two other rows.
    by
        One or more key columns. Fits one model for each group, all in one call.
    small_groups
        With ``by``, what happens to a group that is too small for a model: ``"null"`` gives it a null model, with one
        warning for all such groups; ``"error"`` is an error.
    min_group_rows
        With ``by``, a group is too small if a fit can use fewer rows of it, at least 2. The rows that
        ``missing="null"`` skips don't count. A tiny group is no base for a model.
    device
        ``"auto"`` (a GPU where it pays, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; see
        :func:`polars_anorand.devices`.
    precision
        The precision of products on a GPU: ``"float32"``, or ``"tf32"``, which rounds their factors to 10 bits. A CPU
        always computes in float32.
    path
        Also saves the model to this file, atomically. Leave it out in a ``group_by``, where each group would write to
        the same file: a second model for it is an error.
    init
        A model to go on from, given as to :func:`score`. Its networks are trained further, and the new rows are added
        to its counts and extremes. Options that are not given are the model's. Those that its networks depend on
        (``preset``, ``missing``, ``encode``, ``members``, ``hidden``, ``latent``) must agree. An expression must have
        the same model in all rows of a fit, so that each group may have its own. If all are null, the fit is a new one.
        A distilled model is refused.
    replay
        With ``init``, a Boolean column that is True for rows that the model has seen, which are given again so that it
        does not forget them. Half of the rows that are drawn for a member are replayed ones, if there are enough. A
        member that is trained on all rows (``max_samples=0``) takes them like any others. They are not counted again.
    progress
        True shows a progress bar in a terminal or a notebook, ``"always"`` shows it anywhere. It needs tqdm
        (``pip install 'polars-anorand[progress]'``). :class:`polars_anorand.progress` shows the progress of whole
        queries.
    name
        The name of the result. No feature may have it, since the result would replace it in ``with_columns``.
    **options
        The options of the fit; see :class:`polars_anorand.FitOptions`.

    Returns
    -------
    Expr
        An aggregation of dtype Binary. With ``by``, there is one row for each group, in the order in which the groups
        appear: a struct of the keys and ``model`` (Binary), which ``.struct.unnest()`` turns into columns.

    Raises
    ------
    TypeError
        At once, for an option that does not exist or has the wrong type.
    ValueError
        At once, for a path that is a URL, or an integer beyond 64 bits.
    ComputeError
        From the query: an option out of its range, a column of another dtype, fewer than two rows without a missing
        value, labels that are not 0 or 1 or that a fit can't learn from, a path that can't be written.

    Warns
    -----
    UserWarning
        From the query: a feature that looks like an id or a counter, ``missing="null"`` that skips more than half of
        the rows, groups too small for a model.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9], "g": ["a", "a", "a", "b", "b"]})
    >>> frame.select(anorand.fit(["x", "y"], epochs=5, min_steps=0)).schema
    Schema([('model', Binary)])
    >>> by_group = anorand.fit(["x", "y"], by="g", min_group_rows=2, epochs=5, min_steps=0)
    >>> models = frame.select(by_group).unnest("model")
    >>> models.select("g", pl.col("model").bin.size() > 0).rows()
    [('a', True), ('b', True)]

    """
    if by is not None and path is not None:
        raise TypeError("fit takes a path for one model, not with by, which fits one for each group")
    training = Training(options, labels, by, small_groups, min_group_rows, progress, init, replay)
    kwargs = {
        "training": training.kwargs,
        **placed(device, precision),
        "path": None if path is None else _paths.as_argument(_paths.to_write(path)),
        "progress": training.progress,
        "name": text("name", name),
    }
    register = _register.rows_of_groups if training.has_groups else _register.aggregation
    return register("anorand_fit", [training.input(features)], kwargs).alias(name)


def score(
    features: Columns,
    model: ModelLike | FromRows = FROM_ROWS,
    *,
    labels: Labels | None = None,
    by: Columns | None = None,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    device: str = "auto",
    precision: Precision = "float32",
    progress: bool | Literal["always"] = False,
    name: str = "score",
    **options: Unpack[FitOptions],
) -> pl.Expr:
    """The anomaly score of every row: the higher, the more anomalous.

    Parameters
    ----------
    features
        The columns that the model was fitted on, in any order. They are matched by name.
    model
        The model, or a model for each row. Without it, a model is fitted on the rows themselves, or on the rows of
        each group of ``by``.
    labels, by, small_groups, min_group_rows, progress, **options
        The arguments of the fit, without a model; see :func:`fit`. Rows of a group too small for a model get a null.
    device
        ``"auto"`` (a GPU where it pays, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:N"``; see
        :func:`polars_anorand.devices`.
    precision
        The precision of products on a GPU: ``"float32"``, or ``"tf32"``, which rounds their factors to 10 bits. A CPU
        always computes in float32.
    name
        The name of the result. No feature may have it, since the result would replace it in ``with_columns``.

    Returns
    -------
    Expr
        Float32 in (0, 1). With a model it is elementwise, so that Polars can stream it. Null for a null model, and for
        a row with a null, NaN or infinity in a feature if the model was fitted with ``missing="null"``.

    Raises
    ------
    TypeError
        At once, for fit options beside a model, for an option that does not exist, or for a model of another type.
    ValueError
        At once, for a model's path that is a URL: pass the bytes of a remote file.
    ComputeError
        From the query: not a model, a feature that is missing, unexpected or of another kind.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9]})
    >>> model = frame.select(anorand.fit(["x", "y"], epochs=5, min_steps=0)).item()
    >>> frame.lazy().with_columns(anorand.score(["x", "y"], model)).collect_schema()["score"]
    Float32

    """
    source = _source(model, options, labels, by, small_groups, min_group_rows, progress)
    return applied("anorand_score", features, source, placed(device, precision), name, {})


def detect(
    features: Columns,
    model: ModelLike | FromRows = FROM_ROWS,
    *,
    contamination: float | None = None,
    threshold: float | None = None,
    explain: int | None = None,
    spread: bool = False,
    labels: Labels | None = None,
    by: Columns | None = None,
    small_groups: SmallGroups = "null",
    min_group_rows: int = 20,
    device: str = "auto",
    precision: Precision = "float32",
    progress: bool | Literal["always"] = False,
    name: str = "anomaly",
    **options: Unpack[FitOptions],
) -> pl.Expr:
    """Score every row, place it among the training rows, and call it an outlier or not, in one pass.

    Parameters
    ----------
    features, model, labels, by, small_groups, min_group_rows, device, precision, progress, name, **options
        As :func:`score`.
    contamination
        The share of the training rows to call outliers, above 0 and below 1. The default is 0.01, unless ``threshold``
        is given. Outliers are the smallest set of the highest-scored training rows, whole ties together, that holds at
        least that share of them, and all rows that score as high. If the set were more than three times that, or half
        of the rows, only the rows above its lowest score are outliers: so large a tie is ordinary. Training rows are
        judged without themselves, so that scored anew, a few less of them are outliers. Of a share of less than
        one training row, such as 1e-6, outliers are the rows whose ``rarity`` says that so few ordinary rows score as
        high. Another share needs no other fit.
    threshold
        The score above which a row is an outlier, 0 to 1, instead of ``contamination``.
    explain
        The number of reasons to give for an outlier, at least 1: the features that add most to its score, each with a
        sentence. Only outliers are explained, so that it costs little where few rows are flagged.
    spread
        Whether to say how far the members of the ensemble agree; a distilled model has none, and is refused.

    Returns
    -------
    Expr
        A struct: ``score`` (Float32, as :func:`score`), ``percentile`` (Float32, 0 to 1: the share of the training rows
        with a lower score: exact among the highest 4,096, to 0.001 below them), ``rarity`` (Float32, from 0 on: about
        one in 10 ** rarity ordinary rows scores as high, also beyond all training rows), and ``outlier`` (Boolean).
        With ``spread=True`` also ``spread`` (Float32, 0 to 0.5): the standard deviation of the members' scores, each
        eq. 8 with the member's own heads; 0 for one member. With ``explain=k`` also ``reasons``: for an outlier a list
        of at most k reasons, the largest first, and null for other rows. A reason is a struct of ``feature`` (String),
        ``contribution`` (Float32, that of :func:`explain`), ``value`` and ``expected`` (String, null where there is
        none), and ``why`` (String: a sentence; null for a model of ``preset="paper"``, which has no :func:`cells`).
        Every contribution is above 0, and at least 5 % of the largest. The fields are null where the score is.

    Warns
    -----
    UserWarning
        Once for each query, if more than half of the rows of a batch of 50 or more are outliers, one feature is a
        reason of most of them, and at most a quarter was expected. Such a feature numbers the rows or names their file,
        had one value in the training rows, or has changed for good.

    Raises
    ------
    TypeError, ValueError
        At once, as :func:`score`, and a TypeError for both ``contamination`` and ``threshold``.
    ComputeError
        From the query, as :func:`score`, and for a contamination or a threshold out of its range.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [*range(9)] * 11 + [500], "y": [*range(0, 18, 2)] * 11 + [900]})
    >>> flagged = frame.with_columns(anorand.detect(["x", "y"], contamination=0.01))
    >>> flagged.filter(pl.col("anomaly").struct.field("outlier")).select("x", "y").rows()
    [(500, 900)]
    >>> outliers = frame.select(anorand.detect(["x", "y"], explain=2)).unnest("anomaly").filter("outlier")
    >>> outliers["reasons"].list.first().struct.field("value").to_list()
    ['500']

    """
    if contamination is not None and threshold is not None:
        raise TypeError("detect takes a contamination or a threshold, not both")
    if not isinstance(cast("object", spread), bool):
        raise TypeError(f"spread must be a bool, got {spread!r} ({type(spread).__name__})")
    more = {
        "contamination": number("contamination", contamination),
        "threshold": number("threshold", threshold),
        "spread": spread,
        "explain": integer("explain", explain),
    }
    source = _source(model, options, labels, by, small_groups, min_group_rows, progress)
    return applied("anorand_detect", features, source, placed(device, precision), name, more)


def explain(
    features: Columns,
    model: ModelLike,
    *,
    top: int | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    name: str = "explanation",
) -> pl.Expr:
    """What each feature adds to a row's score, compared with an ordinary training row.

    A model keeps at most 256 training rows that do not score among the highest tenth. A row is compared with the one
    that is most like it among those that score lower: the contributions add up to the row's score minus that row's
    score, to 1e-3. So ``score − Σ contributions`` is the score of the row compared with. A row of medians would not do:
    where columns depend on one another, no table has it, and it is itself strange.

    The difference of both scores is shared out between the parts of the score, the networks and the :func:`cells`, by
    Shapley values. What the evidence against cells adds goes to each cell by its own difference. What the networks add
    is shared out by integrated gradients (Sundararajan, Taly and Yan, 2017) along the straight line between the rows,
    in scaled features; what the distance from kept rows adds, by the squared differences of both rows. A row is
    explained alike in any chunking, to 1e-5. :func:`detect` says in words why.

    Parameters
    ----------
    features, model, device, precision, name
        As :func:`score`.
    top
        The number of largest contributions to give, with the features' names; at least 1. All of them, if None.

    Returns
    -------
    Expr
        A struct with a Float32 field for each feature, in the order in which the features are given. With ``top``, a
        list of structs of ``feature`` (String) and ``contribution`` (Float32), the largest first. Null where the score
        is; fields of a struct are null then.

    Raises
    ------
    TypeError, ValueError, ComputeError
        As :func:`score`.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [*range(9)] * 11 + [4], "y": [*range(0, 18, 2)] * 11 + [900]})
    >>> model = frame.select(anorand.fit(["x", "y"])).item()
    >>> frame.tail(1).select(anorand.explain(["x", "y"], model, top=1)).item()[0]["feature"]
    'y'

    """
    more = {"top": integer("top", top)}
    return applied("anorand_explain", features, model, placed(device, precision), name, more)


def cells(features: Columns, model: ModelLike, *, name: str = "cells") -> pl.Expr:
    """The evidence that each value of a row is wrong, in nats.

    ``e`` is how much likelier a value is if its cell is wrong than if it is right. A cell's evidence is ln(1 + e)::

        e = events + (0.3 · rare + 0.5 · far) · min(1, 1 / r) + Σ 1 / r

    Events are what few training rows have: a missing value, a text among numbers, a date written in another way, a
    number that stands for a missing one, a number far out, a text that is nearly a commoner one, or of an unusual
    shape. ``rare`` and ``far`` are how rare the value is and how far out the number is in its own column. ``r`` is how
    much likelier the row's other values make this one: there is one for its value, its hour and its number, each as far
    as other columns predict it. Where two cells disagree only with each other, the evidence is that of the one that
    other columns determine best.

    It is always computed on a CPU, so that there is no argument ``device``.

    Parameters
    ----------
    features, model, name
        As :func:`score`.

    Returns
    -------
    Expr
        A struct with a Float32 field for each feature, in the order in which the features are given: the nats, near 0
        where nothing speaks against the cell. It is elementwise, so that Polars can stream it. The fields are null for
        a null model, and for a row with a missing value if the model was fitted with ``missing="null"``. Else a missing
        value is a value like any other, which is evidence where few rows miss it.

    Raises
    ------
    TypeError, ValueError
        As :func:`score`.
    ComputeError
        From the query, as :func:`score`, and for a model of ``preset="paper"``, which has no cells.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"city": ["Bonn", "Lyon"] * 100, "country": ["DE", "FR"] * 100})
    >>> model = frame.select(anorand.fit(["city", "country"], epochs=1, min_steps=0)).item()
    >>> odd = pl.DataFrame({"city": ["Bonn", "Lyon"], "country": ["DE", "DE"]})
    >>> found = odd.select(anorand.cells(["city", "country"], model)).unnest("cells")
    >>> found.select(pl.max_horizontal(pl.all()) > 3).to_series().to_list()
    [False, True]

    """
    given = {"device": "cpu", "precision": "float32"}
    return applied("anorand_cells", features, model, given, name, {})


def embed(
    features: Columns,
    model: ModelLike,
    *,
    width: int | None = None,
    device: str = "auto",
    precision: Precision = "float32",
    name: str = "embedding",
) -> pl.Expr:
    """Where the model sees a row: the latent (z0, z1) of eq. 1.

    z0 is the last hidden layer of the noise-detection block, z1 the encoder's latent. A model of several members has
    one such pair for each, one after the other: members share no axes, so that their mean would mean nothing.

    Parameters
    ----------
    features, model, device, precision, name
        As :func:`score`.
    width
        How many numbers an embedding has: ``Model.embedding_width``. Only needed for a model that is an expression,
        which can't be asked before the query runs.

    Returns
    -------
    Expr
        ``Array(Float32, width)``; null where the score is. Its numbers are infinite or NaN for a row so far out that
        the network's activations go beyond the range of Float32.

    Raises
    ------
    TypeError
        At once, as :func:`score`, and where the width can't be known and is not given.
    OSError, ValueError
        At once, if the model's file or bytes can't be read.
    ComputeError
        From the query, as :func:`score`, and for a model of another width.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9]})
    >>> model = frame.select(anorand.fit(["x", "y"], preset="paper", epochs=5)).item()
    >>> frame.select(anorand.embed(["x", "y"], model)).schema
    Schema([('embedding', Array(Float32, shape=(32,)))])

    """
    if width is None:
        known = known_model(model)
        if known is None:
            raise TypeError(
                "embed can't know the embedding's width from a model that is an expression: give it, "
                "width=Model(…).embedding_width"
            )
        width = known.embedding_width
    more = {"width": integer("width", width)}
    return applied("anorand_embed", features, model, placed(device, precision), name, more)


def _source(
    model: ModelLike | FromRows,
    options: FitOptions,
    labels: Labels | None,
    by: Columns | None,
    small_groups: SmallGroups,
    min_group_rows: int,
    progress: bool | Literal["always"],
) -> ModelLike | Training:
    """The model of a call, or how to fit one."""
    if isinstance(model, FromRows):
        return Training(options, labels, by, small_groups, min_group_rows, progress)
    others = {"labels": labels, "by": by, "progress": progress or None}
    if cast("object", model) is None:
        raise TypeError("model is None; leave it out to fit a model on the rows themselves")
    unknown(options)
    given = [*options, *[name for name, value in others.items() if value is not None]]
    given += group_arguments(small_groups, min_group_rows)
    if given:
        raise TypeError(
            f"options of a fit go without a model, got a model and {', '.join(given)}: leave out the options to score "
            "with the model, or the model to fit one"
        )
    return model
