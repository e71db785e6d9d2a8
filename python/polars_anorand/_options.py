"""The options of a fit: their types, checked when an expression is built. The plugin checks their ranges."""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from types import UnionType
from typing import Any, Literal, NamedTuple, TypedDict, Union, cast, get_args, get_origin, get_type_hints

Preset = Literal["default", "paper", "novelty"]
Missing = Literal["null", "indicator", "impute", "error"]
Encode = Literal["frequency", "onehot", "error"]
Precision = Literal["float32", "tf32"]
SmallGroups = Literal["null", "error"]

CONTAMINATION = 0.01
"""The share of the training rows that are outliers by default, as in the plugin."""


class FitOptions(TypedDict, total=False):
    """The options of :func:`polars_anorand.fit`. An option that is not given has the preset's value.

    A value outside its range is an error when the query's schema is resolved; the error names the option, the value
    and the range. With fewer than ten known anomalies, among rows that have no label, ``kept_rows`` is as without
    labels, and all other options are as with labels.

    Attributes
    ----------
    preset : "default", "paper" or "novelty"
        ``"default"`` is an ensemble of the paper's networks: each sees a few rows and features, and noise all around
        the data. ``"paper"`` is the paper's one network with its hyper-parameters. ``"novelty"`` is for training rows
        that are known to be normal: it compares each row with many rows that the model keeps. With labels,
        ``"novelty"`` is the same as ``"default"``.
    seed : int
        The seed of every random draw: the same seed, data and options give the same model on the CPU. Default 0.
    missing : "indicator", "null", "impute" or "error"
        What a null, NaN or infinity in a feature does, in the fit and in every later score. ``"indicator"`` (default):
        it is information. Every row trains and has a score, and a missing value is surprising if few training rows
        had one. ``"null"`` (paper): the fit skips the row, with a warning if it skips more than half of all rows, and
        the row's score is null. ``"impute"``: the training median stands in. ``"error"``: it is an error.
    encode : "onehot", "frequency" or "error"
        What becomes of a String, Categorical or Enum feature. ``"frequency"`` (paper): a value counts as its
        log-frequency in the training rows, and a value that was not seen counts as rarer than any other.
        ``"onehot"`` (default): the same, and each of up to 8 values that at least 5 % of the training rows have is an
        input of its own, so that its role in combinations is seen. ``"error"``: such a feature is an error.
    members : int
        The number of networks of the ensemble, whose heads are averaged, 1 to 1,000. All together have at most
        134,217,728 parameters. Default 5, with labels 6, paper 1.
    max_samples : int
        The number of rows that each member is trained on, drawn for it; 0 means all rows. Without labels, at most half
        of all rows are drawn. With labels, all known anomalies are taken, and this number of the other rows.
        Default 256, with labels 0, paper 0.
    kept_rows : int
        The number of training rows that the model keeps, for each of the 5 draws of the default preset, or for the one
        draw of the others; at most 65,536, and 0 means none. The distances from the nearest kept rows are a part of the
        score. More rows find more anomalies that lie close to normal rows; fewer rows make scores faster. Default 32,
        with labels 0, paper 0, novelty 4,096.
    distil : bool
        Whether one network that learns the scores of the whole ensemble, kept rows included, takes its place, to score
        and explain at the speed of one network. ``Model.distilled`` says how well it has learned them, and a fit warns
        if it has not. A distilled model has no ``spread``, and no fit can go on from it (``init=``). Default False.
    loss_weight : float, or a list of them
        w of eq. 4, 0 to 1: the share of the noise-detection loss. From a list, the fit chooses the value that best
        tells held-out rows from noise, or with labels from held-out known anomalies; of the values within one standard
        error of the best, the first. Default 0.2, with labels 1, paper 0.2. With labels, the networks are classifiers
        without an autoencoder; a value below 1 trains both blocks.
    noise_std : float
        The standard deviation of the paper's noise (section 5.1), in the scaled space, above 0 and at most 1000. Only
        the preset ``"paper"`` makes such noise. Default 1.
    hidden : list of int
        The widths of the hidden layers of ND block and encoder, 1 to 8 of them, each 1 to 4,096. Default [8, 8], with
        labels [64, 64], paper [32, 16].
    latent : int
        The width of the encoder's latent z1, 1 to 4,096. Default 4, paper 16, with labels 0: there is no autoencoder
        unless a width is given.
    epochs : int
        The number of passes over a member's rows, 1 to 1,000,000. Default 1, with labels 40 in at most 1,100 steps
        (every second network: 280), paper 200.
    min_steps : int
        The least number of optimiser steps, 0 to 100,000,000: epochs are added until it is reached. If it is not given,
        at most 100 epochs are added, so that a small table is not overfitted. Default 300, with labels 150, paper 0.
    batch_size : int
        The number of rows of an optimiser step, synthetic ones included, 2 to 1,000,000. Default 128, with labels 256.
    learning_rate : float
        Adam's step size, above 0 and at most 1. Default 0.005, with labels 0.002, paper 0.0001.

    """

    preset: Preset
    seed: int
    missing: Missing
    encode: Encode
    members: int
    max_samples: int
    kept_rows: int
    distil: bool
    loss_weight: float | Sequence[float]
    noise_std: float
    hidden: Sequence[int]
    latent: int
    epochs: int
    min_steps: int
    batch_size: int
    learning_rate: float


class Internals(TypedDict, total=False):
    """The constants of the presets. Only benches and tests change them, as ``_internals={…}``.

    ``src/options/table.rs`` says what each is. None is part of what a version promises.
    """

    temporal: Literal["calendar", "number"]
    scaling: Literal["minmax", "robust", "asinh"]
    max_features: float
    kept_draws: int
    kept_neighbors: int
    kept_weight: float
    noise: Literal["smote", "uniform"]
    noise_margin: float
    noise_fraction: float
    neighbors: int
    synthetic_fraction: float
    max_epochs: int
    schedule: Literal["constant", "cosine"]
    combination: Literal["probability", "robust", "cells", "novelties"]


INTERNALS = "_internals"
"""The name of the argument that changes constants of the presets."""

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


_KINDS: dict[object, _Option] = {
    Literal: _Option("a str", _text),
    bool: _Option("a bool", _flag),
    int: _Option("an int", _integer),
    float: _Option("a number", _number),
    Sequence: _Option("a sequence of ints", _integers),
}


def _read(annotation: Any) -> _Option:
    """The kind of an option's values; of ``T | Sequence[T]``, that of ``T``."""
    value = get_args(annotation)[0] if get_origin(annotation) in (Union, UnionType) else annotation
    return _KINDS[get_origin(value) or value]


def _declared(options: Any) -> dict[str, _Option]:
    return {name: _read(annotation) for name, annotation in get_type_hints(options).items()}


OPTIONS = _declared(FitOptions)
"""The public options, read from :class:`FitOptions`, the one place that declares them in Python."""

_ALL = OPTIONS | _declared(Internals)


def number(name: str, value: object) -> float | None:
    """A number that is not an option of a fit, checked in the same way."""
    if value is None:
        return None
    try:
        return _number(value)
    except TypeError:
        raise TypeError(f"{name} must be a number, got {value!r} ({type(value).__name__})") from None


def integer(name: str, value: object, low: int = 1) -> int | None:
    """An integer that is not an option of a fit, checked in the same way; the plugin checks its lower limit."""
    if value is None:
        return None
    try:
        return _integer(value)
    except TypeError:
        raise TypeError(f"{name} must be an int, got {value!r} ({type(value).__name__})") from None
    except OverflowError:
        raise ValueError(f"{name} must be a whole number from {low} to {LARGEST}, got {value!r}") from None


MOST_LOSS_WEIGHTS = 1_000


class Checked(NamedTuple):
    """Options as plain Python values."""

    options: dict[str, Any]
    loss_weights: list[float]
    """The values to choose from; empty if ``loss_weight`` is not a list."""


def check(given: Mapping[str, object]) -> Checked:
    """The options that are not None.

    Raises
    ------
    TypeError
        For an option that does not exist, or a value of another type; the message names it.
    ValueError
        For an integer beyond 64 bits, or a list without a value, or with too many.

    """
    options = dict(given)
    internals = cast("Mapping[str, object]", options.pop(INTERNALS, None) or {})
    unknown(options)
    for name in internals:
        if name not in _ALL:
            raise TypeError(f"there is no option {name!r}")
    options |= internals
    loss_weights: list[float] = []
    if isinstance(options.get("loss_weight"), Sequence) and not isinstance(options["loss_weight"], (str, bytes)):
        loss_weights = _listed(cast("Sequence[object]", options.pop("loss_weight")))
        options["loss_weight"] = loss_weights[0]
    converted = {name: _converted(name, value) for name, value in options.items() if value is not None}
    return Checked(converted, loss_weights)


def unknown(options: Mapping[str, object]) -> None:
    """Raise a TypeError for an option that does not exist, which says what it may have been meant to be."""
    for name in options:
        if name not in OPTIONS and name != INTERNALS:
            raise TypeError(f"there is no option {name!r}: {_advice(name)}")


def _advice(name: str) -> str:
    if name in _ELSEWHERE:
        return _ELSEWHERE[name]
    meant = _OTHER_NAMES.get(name) or next(iter(difflib.get_close_matches(name, OPTIONS, n=1, cutoff=0.75)), None)
    return f"did you mean {meant}?" if meant else "help(polars_anorand.FitOptions) lists them"


_OTHER_NAMES = {
    "random_state": "seed",
    "random_seed": "seed",
    "n_estimators": "members",
    "max_iter": "epochs",
    "n_epochs": "epochs",
    "n_epoch": "epochs",
    "lr": "learning_rate",
    "hidden_layer_sizes": "hidden",
    "hidden_neurons": "hidden",
    "handle_unknown": "encode",
}
"""What scikit-learn, PyOD and others call an option."""

_ELSEWHERE = {
    "contamination": "a fit needs none; detect(…, contamination=…) says which rows are outliers",
    "threshold": "detect(…, threshold=…) says which rows are outliers",
    "explain": "detect(…, explain=…) gives reasons",
    "spread": "detect(…, spread=True) gives the members' agreement",
    "top": "explain(…, top=…) gives the largest contributions",
    "novelty": 'preset="novelty" is for training rows that are known to be normal',
    "n_jobs": "POLARS_MAX_THREADS sets the number of threads",
    "verbose": "progress=True shows a progress bar",
}
"""Arguments of other functions, and what is no argument here."""


def _listed(values: Sequence[object]) -> list[float]:
    if not values:
        raise ValueError(f"loss_weight has no value to choose from, got {values!r}")
    if len(values) > MOST_LOSS_WEIGHTS:
        raise ValueError(f"loss_weight has {len(values)} values, expected at most {MOST_LOSS_WEIGHTS}")
    return [cast("float", _converted("loss_weight", value)) for value in values]


def _converted(name: str, value: object) -> object:
    option = _ALL[name]
    try:
        return option.convert(value)
    except TypeError:
        raise TypeError(f"{name} must be {option.expected}, got {value!r} ({type(value).__name__})") from None
    except OverflowError:
        # The plugin, which knows the ranges, can't be sent such a number. Only seeds go up to the limit.
        expected = f"must be a whole number from 0 to {LARGEST}" if name == "seed" else "is out of its range"
        raise ValueError(f"{name} {expected}, got {value!r}") from None
