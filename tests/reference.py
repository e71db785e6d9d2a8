"""The slow, obvious reading of a model file: float64, one equation of the paper after the other."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load

Array = npt.NDArray[np.float64]


@dataclass
class Heads:
    """Both heads' probabilities for some rows, and the latent (z0, z1)."""

    nd: Array
    ae: Array
    latent: Array


def metadata(data: bytes) -> dict[str, Any]:
    """The JSON entry of a model file, read without any library."""
    (length,) = struct.unpack("<Q", data[:8])
    entry: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["anorand"])
    return entry


def heads(data: bytes, rows: Array) -> Heads:
    """Eq. 1 and 6 for unscaled rows, columns in the model's order; of a fleet of one."""
    tensors = {name: tensor.astype(np.float64) for name, tensor in load(data).items()}
    x = (rows - tensors["scaling.offset"]) / tensors["scaling.scale"]
    depth = len(metadata(data)["options"]["hidden"]) + 1

    def block(name: str, value: Array) -> tuple[Array, Array]:
        """The last hidden layer and the output of a block."""
        hidden = value
        for at in range(depth):
            hidden = value
            value = value @ tensors[f"{name}.{at}.weight"][0] + tensors[f"{name}.{at}.bias"][0]
            if at < depth - 1:
                value = np.maximum(value, 0.0)
        return hidden, value

    z0, logit = block("nd", x)
    _, z1 = block("encoder", x)
    latent = np.concatenate([z0, z1], axis=1)
    _, reconstruction = block("decoder", latent)
    error = np.linalg.norm(x - reconstruction, axis=1)
    return Heads(nd=sigmoid(logit[:, 0]), ae=sigmoid(error), latent=latent)


def alpha(training: Heads) -> float:
    """Eq. 7, from the training rows."""
    q_nd, q_ae = np.quantile(training.nd, 0.75), np.quantile(training.ae, 0.75)
    return float(q_ae / (q_nd + q_ae))


def score(data: bytes, rows: Array) -> Array:
    """Eq. 8."""
    both = heads(data, rows)
    weight = metadata(data)["alpha"]
    combined: Array = (1.0 - weight) * both.ae + weight * both.nd
    return combined


def sigmoid(value: Array) -> Array:
    """The logistic function."""
    result: Array = 1.0 / (1.0 + np.exp(-value))
    return result
