"""The options of a fit: their types, checked when an expression is built. Their ranges are the plugin's to check."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any, Literal, TypedDict

Preset = Literal["default", "paper"]
Missing = Literal["null", "impute", "error"]


class FitOptions(TypedDict, total=False):
    """Options of :func:`polars_anorand.fit`; what is not given is the preset's.

    Each is checked against its range when the query's schema is resolved; an error names the option, the value and
    the range.
    """

    preset: Preset
    """``"default"``, or ``"paper"``: the paper's hyper-parameters."""
    seed: int
    """Seed of every random draw: the same seed, data and options give the same model on the CPU."""
    missing: Missing
    """What a null, NaN or infinity in a feature does, in the fit and in every later score."""
    loss_weight: float
    """w of eq. 4, 0 to 1: the share of the noise-detection loss."""
    noise_std: float
    """Standard deviation of the synthetic anomalies' noise, in the scaled space, above 0 and at most 1000."""
    noise_fraction: float
    """Share of the rows that synthetic anomalies are made from, above 0 and at most 0.5."""
    synthetic_fraction: float
    """Share of synthetic anomalies in the training set, above 0 and at most 0.9."""
    neighbors: int
    """Nearest neighbours of SMOTE, 1 to 1,000."""
    hidden: Sequence[int]
    """Widths of the hidden layers of ND block and encoder, 1 to 8 of them, each 1 to 4,096."""
    latent: int
    """Width of the encoder's latent z1, 1 to 4,096."""
    epochs: int
    """Passes over the training set, 1 to 1,000,000."""
    min_steps: int
    """Epochs are added until there are so many optimiser steps, 0 to 100,000,000."""
    batch_size: int
    """Rows an optimiser step, 1 to 1,000,000."""
    learning_rate: float
    """Adam's step size, above 0 and at most 1."""


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool):
        raise TypeError
    number = operator.index(value)  # type: ignore[arg-type]  # a TypeError is the check
    if not -(2**63) <= number < 2**63:
        raise OverflowError
    return number


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError
    return float(value)


def _integers(value: object) -> list[int]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise TypeError
    return [_integer(item) for item in value]


_TYPES: dict[str, tuple[str, Callable[[object], Any]]] = {
    "preset": ("a str", _text),
    "seed": ("an int", _integer),
    "missing": ("a str", _text),
    "loss_weight": ("a number", _number),
    "noise_std": ("a number", _number),
    "noise_fraction": ("a number", _number),
    "synthetic_fraction": ("a number", _number),
    "neighbors": ("an int", _integer),
    "hidden": ("a sequence of ints", _integers),
    "latent": ("an int", _integer),
    "epochs": ("an int", _integer),
    "min_steps": ("an int", _integer),
    "batch_size": ("an int", _integer),
    "learning_rate": ("a number", _number),
}


def typed(options: Mapping[str, object]) -> dict[str, Any]:
    """The options as plain Python values, those that are None left out.

    Raises
    ------
    TypeError
        For an option that does not exist, or a value of another type; the message names it.
    ValueError
        For an integer beyond 64 bits.

    """
    checked: dict[str, Any] = {}
    for name, value in options.items():
        if name not in _TYPES:
            raise TypeError(f"there is no option {name!r}; the options of a fit are {', '.join(_TYPES)}")
        expected, convert = _TYPES[name]
        if value is None:
            continue
        try:
            checked[name] = convert(value)
        except TypeError:
            raise TypeError(f"{name} must be {expected}, got {value!r} ({type(value).__name__})") from None
        except OverflowError:
            raise ValueError(f"{name} must fit into 64 bits, got {value!r}") from None
    return checked
