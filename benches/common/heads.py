"""The two heads of a model, which no verb returns alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from safetensors.numpy import load

import polars_anorand as anorand

from .models import table


@dataclass(frozen=True)
class Heads:
    """Both heads of some rows before their sigmoids, each the mean over the members."""

    logit: np.ndarray
    error: np.ndarray


def heads(model: anorand.Model, rows: np.ndarray) -> Heads:
    """The output of noise detection, and the reconstruction error of eq. 6.

    They are computed from the embedding (z0, z1) and the layers in the model's file that follow it.
    """
    tensors = load(model.to_bytes())
    scaled = (rows - tensors["scaling.offset"]) / tensors["scaling.scale"]
    if model.options["scaling"] == "asinh":
        scaled = np.arcsinh(scaled)
    embedded = table(rows).select(anorand.embed(pl.all(), model)).to_series().to_numpy()
    latents = embedded.reshape(len(rows), model.members, -1)
    widths = model.options["hidden"]

    def layer(name: str, at: int, member: int, value: np.ndarray) -> np.ndarray:
        weight, bias = (tensors[f"{name}.{at}.{part}"][member].astype(np.float64) for part in ("weight", "bias"))
        output: np.ndarray = value @ weight + bias
        return output

    logits, errors = [], []
    for member, inputs in enumerate(tensors["inputs"]):
        latent = latents[:, member]
        logits.append(layer("nd", len(widths), member, latent[:, : widths[-1]])[:, 0])
        value = latent
        for at in range(len(widths)):
            value = np.maximum(layer("decoder", at, member, value), 0.0)
        reconstruction = layer("decoder", len(widths), member, value)
        errors.append(np.linalg.norm(scaled[:, inputs] - reconstruction, axis=1))
    return Heads(np.mean(logits, axis=0), np.mean(errors, axis=0))
