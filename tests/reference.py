"""The slow, obvious reading of a model file: float64, one equation of the paper after the other."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

Array = npt.NDArray[np.float64]


@dataclass
class Heads:
    """Both heads of some rows before their sigmoids: each the mean over the members."""

    logit: Array
    error: Array


def metadata(data: bytes) -> dict[str, Any]:
    """The JSON entry of a model file, read without any library."""
    (length,) = struct.unpack("<Q", data[:8])
    entry: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["anorand"])
    return entry


@dataclass
class Pass:
    """What one member makes of some rows."""

    x: Array
    logit: Array
    latent: Array
    reconstruction: Array


def members(data: bytes, rows: Array) -> Iterator[Pass]:
    """Each member's forward pass, for unscaled rows with their columns in the model's order."""
    tensors = load(data)
    scaled = (rows - tensors["scaling.offset"]) / tensors["scaling.scale"]
    if metadata(data)["options"]["scaling"] == "asinh":
        scaled = np.arcsinh(scaled)
    depth = len(metadata(data)["options"]["hidden"]) + 1

    def block(name: str, member: int, value: Array) -> tuple[Array, Array]:
        """The last hidden layer and the output of a block."""
        hidden = value
        for at in range(depth):
            hidden = value
            weight, bias = (tensors[f"{name}.{at}.{part}"][member].astype(np.float64) for part in ("weight", "bias"))
            value = value @ weight + bias
            if at < depth - 1:
                value = np.maximum(value, 0.0)
        return hidden, value

    for member, inputs in enumerate(tensors["inputs"]):
        x = scaled[:, inputs]
        z0, logit = block("nd", member, x)
        _, z1 = block("encoder", member, x)
        latent = np.concatenate([z0, z1], axis=1)  # eq. 1
        _, reconstruction = block("decoder", member, latent)
        yield Pass(x, logit[:, 0], latent, reconstruction)


def heads(data: bytes, rows: Array) -> Heads:
    """ND's logit, and the norm of eq. 6."""
    passes = list(members(data, rows))
    errors = [np.linalg.norm(each.x - each.reconstruction, axis=1) for each in passes]
    return Heads(logit=np.mean([each.logit for each in passes], axis=0), error=np.mean(errors, axis=0))


def latent(data: bytes, rows: Array) -> Array:
    """The members' latents, one after the other."""
    return np.concatenate([each.latent for each in members(data, rows)], axis=1)


def combiner(training: Heads, kind: str) -> dict[str, Any]:
    """What the score needs of the training rows' heads: eq. 7, on probabilities or on centred heads."""
    if kind == "probability":
        nd, ae = (np.quantile(sigmoid(head), 0.75) for head in (training.logit, training.error))
        return {"kind": kind, "alpha": ae / (nd + ae)}
    both = (training.logit, training.error)
    median = [np.median(head) for head in both]
    spread = [
        max(np.quantile(head, 0.75) - middle, 1e-3 * head.std() + 1e-9)
        for head, middle in zip(both, median, strict=True)
    ]
    return {"kind": kind, "alpha": spread[1] / (spread[0] + spread[1]), "median": median, "spread": spread}


def score(data: bytes, rows: Array) -> Array:
    """Eq. 8."""
    both = heads(data, rows)
    how = metadata(data)["combiner"]
    alpha = how["alpha"]
    if how["kind"] == "probability":
        probability: Array = (1.0 - alpha) * sigmoid(both.error) + alpha * sigmoid(both.logit)
        return probability
    combined = (1.0 - alpha) * (both.error - how["median"][1]) + alpha * (both.logit - how["median"][0])
    unit = how["spread"][0] * how["spread"][1] / (how["spread"][0] + how["spread"][1])
    return sigmoid(np.arcsinh(combined / unit) / 2.0)


def sigmoid(value: Array) -> Array:
    """The logistic function."""
    result: Array = 1.0 / (1.0 + np.exp(-value))
    return result
