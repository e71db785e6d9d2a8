"""The options of a fit: their types, checked when an expression is built. Their ranges are the plugin's to check."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from types import UnionType
from typing import Any, Literal, NamedTuple, TypedDict, Union, cast, get_args, get_origin, get_type_hints

Preset = Literal["default", "paper", "novelty"]
Missing = Literal["null", "indicator", "impute", "error"]
Encode = Literal["frequency", "onehot", "error"]
Temporal = Literal["calendar", "number"]
Scaling = Literal["minmax", "robust", "asinh"]
Precision = Literal["float32", "tf32"]
SmallGroups = Literal["null", "error"]
Noise = Literal["smote", "uniform"]
Schedule = Literal["constant", "cosine"]
Combination = Literal["probability", "robust", "surprisal", "novelties"]


class FitOptions(TypedDict, total=False):
    """Options of :func:`polars_anorand.fit`; what is not given is the preset's.

    Each is checked against its range when the query's schema is resolved; an error names the option, the value and
    the range.

    Most may also be a list of values, or several of them lists: then the best of all combinations is chosen, by how
    well it tells held-out rows from uniform noise (with labels: from held-out known anomalies); of those that are
    within one standard error of the best, the first. ``Model.candidates`` has what each reached.

    Defaults "with labels" are for at least ten known anomalies, or other rows that are known to be normal. With fewer
    anomalies among unlabelled rows, they are those without labels but for ``max_samples=1000, max_features=1.0,
    synthetic_fraction=0.1, loss_weight=0.5``.
    """

    preset: Preset
    """``"default"``: an ensemble of the paper's networks, each on a few rows and features, with noise around the data;
    ``"paper"``: the paper's one network and hyper-parameters; ``"novelty"``, for training rows that are normal: the
    default with ``kept_rows=4096, kept_draws=1, kept_neighbors=5, kept_weight=2``. With labels, ``"novelty"`` is
    ``"default"``."""
    seed: int
    """Seed of every random draw: the same seed, data and options give the same model on the CPU. Default 0."""
    missing: Missing
    """What a null, NaN or infinity in a feature does, in the fit and in every later score: ``"indicator"`` (default):
    it is information, every row trains and has a score, and a missing value is surprising where few training rows
    had one; ``"null"`` (paper): a fit skips the row, with a warning if it skips more than half of all, and its score
    is null; ``"impute"``: the training median stands in; ``"error"``."""
    encode: Encode
    """What becomes of a String, Categorical or Enum feature: ``"frequency"`` (paper): a value counts as its
    log-frequency in the training rows, and one that was not seen as rarer than any that was; ``"onehot"`` (default):
    the same, and each of up to 8 values that at least 5 % of the training rows have is an input of its own, so that
    its role in combinations is seen; ``"error"``."""
    temporal: Temporal
    """What becomes of a Date, Datetime or Time feature: ``"calendar"`` (default): what recurs in it, as the hour of the
    day, the day of the week and of the month, and the month of the year, each where the training rows span two of the
    cycle; ``"number"`` (paper): the time since 1970, or since midnight."""
    scaling: Scaling | Sequence[Scaling]
    """``"robust"``: the training range, held to 20 interquartile ranges beyond the quartiles, becomes 0 to 1, and
    distances beyond it count by their logarithm (default); ``"minmax"``: the training range becomes 0 to 1 (paper);
    ``"asinh"``: asinh of the distance from the median in robust standard deviations (default with labels)."""
    members: int | Sequence[int]
    """Networks of the ensemble, whose heads are averaged, 1 to 1,000. All together have at most 134,217,728 parameters.
    Default 20, with labels 6, paper 1."""
    max_samples: int | Sequence[int]
    """Rows that a member is trained on, drawn for it; 0: all. Without labels at most half of all rows are drawn. With
    labels, known anomalies are never left out, and the rows are drawn from the others. Default 256, with labels 0,
    paper 0."""
    max_features: float | Sequence[float]
    """Share of the features that a member sees, drawn for it, at least 2; above 0, at most 1. Default 0.3, with labels
    1, paper 1."""
    kept_rows: int | Sequence[int]
    """Training rows of each draw that the model keeps, none of them a known anomaly, and of several draws at most a
    sixteenth of all rows; the distance from the nearest of them, in scaled features and in their asinh (of one draw: in
    their asinh and in their ranks' log odds), is added to the reconstruction error. 0: none; at most 65,536. A score
    then compares each row with all of them. Default 32, with labels 0, paper 0, novelty 4,096."""
    kept_draws: int | Sequence[int]
    """Draws of kept rows, 1 to 1,000, whose distances are averaged: an anomaly is far from most small draws of rows,
    even where another anomaly is near it. Default 20, with labels 1, paper 1, novelty 1."""
    kept_neighbors: int | Sequence[int]
    """Nearest rows of each draw whose distances are averaged, 1 to 5, the k-th nearest with the weight
    1 / √k. Default 2, with labels 1, paper 1, novelty 5."""
    kept_weight: float | Sequence[float]
    """Weight of the distances from kept rows beside each other part of the score, in spreads over the training rows,
    above 0 and at most 1000. It is multiplied with the odds that a row whose values come from different training rows
    is farther from them than a training row (``Model.kept_odds``): where features depend on one another, distances tell
    more than single values. Default 0.5, with labels 2, paper 2, novelty 2."""
    distil: bool
    """Whether one network that learns the scores of the whole ensemble, kept rows included, takes its place, to score
    and explain at the speed of one network. ``Model.distilled`` says how well it has learned them, and a fit warns if
    it has not. A distilled model has no ``spread``, and no fit can start from it (``init=``). Default False."""
    noise: Noise | Sequence[Noise]
    """Synthetic anomalies: ``"uniform"`` in the data's widened box, fresh in each epoch (default), or ``"smote"``: a
    few rows, grown by SMOTE, with Gaussian noise (paper, §5.1)."""
    noise_margin: float | Sequence[float]
    """``"uniform"``: how far the noise reaches beyond the data on each side, in ranges of the data, 0 to 1000.
    Default 0.5."""
    noise_std: float | Sequence[float]
    """``"smote"``: standard deviation of the noise, in the scaled space, above 0 and at most 1000. Default 1."""
    noise_fraction: float | Sequence[float]
    """``"smote"``: share of the rows that synthetic anomalies are made from, above 0 and at most 0.5. Default 0.02."""
    neighbors: int | Sequence[int]
    """``"smote"``: nearest neighbours, 1 to 1,000. Default 5."""
    synthetic_fraction: float | Sequence[float]
    """Share of synthetic anomalies in the training set, above 0 and at most 0.9. Default 0.5; with labels 0.1, besides
    one known anomaly for each other row; paper 0.05, and none with labels."""
    loss_weight: float | Sequence[float]
    """w of eq. 4, 0 to 1: the share of the noise-detection loss. Default 0.2, with labels 0.5, paper 0.2."""
    hidden: Sequence[int] | Sequence[Sequence[int]]
    """Widths of the hidden layers of ND block and encoder, 1 to 8 of them, each 1 to 4,096. Default [32, 16], with
    labels [64, 32], paper [32, 16]."""
    latent: int | Sequence[int]
    """Width of the encoder's latent z1, 1 to 4,096. Default 16."""
    epochs: int | Sequence[int]
    """Passes over a member's rows, 1 to 1,000,000. Default 1, paper 200."""
    min_steps: int | Sequence[int]
    """Least number of optimiser steps, 0 to 100,000,000: epochs are added until it is reached. Default 300, with labels
    1,500, paper 0."""
    max_epochs: int | Sequence[int]
    """Upper bound on epochs, 1 to 1,000,000; avoids overfitting small tables. Default 100; with labels, for the paper,
    and where ``min_steps`` is given: no bound."""
    batch_size: int | Sequence[int]
    """Rows an optimiser step, synthetic ones included, 2 to 1,000,000. Default 128."""
    learning_rate: float | Sequence[float]
    """Adam's step size, above 0 and at most 1. Default 0.003, paper 0.0001."""
    schedule: Schedule | Sequence[Schedule]
    """The step size falls to 0 along a ``"cosine"`` (default), or stays ``"constant"`` (paper)."""
    combination: Combination | Sequence[Combination]
    """What eq. 7 and 8 combine: the heads' ``"probability"`` (paper), or the heads before their sigmoids, from their
    medians on, ``"robust"``; ``"surprisal"`` (default without labels): the same, joined with how surprising each value
    is in its own column; ``"novelties"`` (default with ten labels or more): the probabilities, but for values far more
    surprising than any of the training rows', which have the highest scores."""


LARGEST = 2**63 - 1
"""The plugin's integers have 64 bits."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError
    number = operator.index(value)  # type: ignore[arg-type]  # a TypeError is the check
    if not -LARGEST <= number <= LARGEST:
        raise OverflowError
    return number


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError
    return float(value)


def _integers(value: object) -> list[int]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError
    return [_integer(item) for item in cast("Sequence[object]", value)]


class _Option(NamedTuple):
    """What the annotation of an option says about its values."""

    expected: str
    convert: Callable[[object], Any]
    is_sequence: bool
    choosable: bool
    """Whether a list of values may be given, to choose from."""


_KINDS: dict[object, tuple[str, Callable[[object], Any]]] = {
    Literal: ("a str", _text),
    bool: ("a bool", _flag),
    int: ("an int", _integer),
    float: ("a number", _number),
    Sequence: ("a sequence of ints", _integers),
}


def _read(annotation: Any) -> _Option:
    """``T``, or ``T | Sequence[T]`` for an option that can be chosen from a list."""
    is_union = get_origin(annotation) in (Union, UnionType)
    value, *choice = get_args(annotation) if is_union else (annotation,)
    kind = get_origin(value) or value
    return _Option(*_KINDS[kind], is_sequence=kind is Sequence, choosable=bool(choice))


OPTIONS: dict[str, _Option] = {name: _read(annotation) for name, annotation in get_type_hints(FitOptions).items()}
"""Read from :class:`FitOptions`, the one place where an option is declared on this side."""


def number(name: str, value: object) -> float | None:
    """A number that is not an option of a fit, checked in the same way."""
    if value is None:
        return None
    try:
        return _number(value)
    except TypeError:
        raise TypeError(f"{name} must be a number, got {value!r} ({type(value).__name__})") from None


def integer(name: str, value: object, low: int = 1) -> int | None:
    """An integer that is not an option of a fit, checked in the same way; its lower limit is the plugin's to check."""
    if value is None:
        return None
    try:
        return _integer(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {value!r} ({type(value).__name__})") from None
    except OverflowError:
        raise ValueError(f"{name} must be a whole number from {low} to {LARGEST}, got {value!r}") from None


MOST_CANDIDATES = 1_000


def candidates(options: Mapping[str, object]) -> list[dict[str, Any]]:
    """The options as plain Python values, those that are None left out; all combinations of those that are lists.

    Raises
    ------
    TypeError
        For an option that does not exist, or a value of another type; the message names it.
    ValueError
        For an integer beyond 64 bits, a list without a value, or too many combinations.

    """
    choices: dict[str, list[Any]] = {}
    for name, value in options.items():
        if name not in OPTIONS:
            raise TypeError(f"there is no option {name!r}; the options of a fit are {', '.join(OPTIONS)}")
        if value is None:
            continue
        values = _listed(name, value)
        if not values:
            raise ValueError(f"{name} has no value to choose from, got {value!r}")
        choices[name] = [_converted(name, value) for value in values]
    count = math.prod(len(values) for values in choices.values())
    if count > MOST_CANDIDATES:
        raise ValueError(f"the lists of options have {count} combinations, expected at most {MOST_CANDIDATES}")
    return [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]


def _listed(name: str, value: object) -> list[object]:
    """The values that an option is to be chosen from; one, if it is not a list of them."""
    option = OPTIONS[name]
    if not option.choosable or isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        return [value]
    values = list(cast("Sequence[object]", value))
    if option.is_sequence and not any(isinstance(item, Sequence) for item in values):
        return [value]
    return values


def _converted(name: str, value: object) -> object:
    option = OPTIONS[name]
    try:
        return option.convert(value)
    except TypeError:
        raise TypeError(f"{name} must be {option.expected}, got {value!r} ({type(value).__name__})") from None
    except OverflowError:
        # The plugin, which knows the ranges, can't be sent such a number. Seeds alone go up to the limit.
        expected = f"must be a whole number from 0 to {LARGEST}" if name == "seed" else "is out of its range"
        raise ValueError(f"{name} {expected}, got {value!r}") from None
