"""Figure 7: AnoRand beside autoencoders, on ones with a few sevens among scikit-learn's digits.

The images and the options are those with which examples/digits.py draws figure 6. Every draw takes other sevens; a
model is fitted on all images without labels and scores the same images, as the paper's is. The plain autoencoder is
AnoRand's with w = 0, scored by its reconstruction error alone, since its noise detection has learned nothing. The
variational autoencoder is PyOD's, with the paper's widths and the same number of epochs as AnoRand. The method has no
variational part, so this project does not implement one.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler

import polars_anorand as anorand
from benches.common.datasets import Split
from benches.common.detectors import PYOD_VERSION, Detector, anorand_detector
from benches.common.evaluation import METRICS, evaluate
from benches.common.heads import heads

from . import output

SHARE_OF_SEVENS = 0.05

TRAINING: anorand.FitOptions = {"preset": "paper", "epochs": 1000, "learning_rate": 1e-3}
"""The paper's network; its 200 epochs at 1e-4 are a few hundred small steps on so few images."""


def plain_autoencoder() -> Detector:
    """AnoRand's with w = 0; its score is the norm of eq. 6, which no verb returns alone."""
    options: anorand.FitOptions = TRAINING | {"loss_weight": 0.0}

    def score(model: anorand.Model, rows: np.ndarray) -> np.ndarray:
        return heads(model, rows).error

    return Detector("plain autoencoder", anorand_detector("", options).fit, score, version=None)


def variational_autoencoder() -> Detector:
    """PyOD's, of the paper's widths."""

    def fit(rows: np.ndarray, seed: int) -> Any:
        scaler = MinMaxScaler().fit(rows)
        model = importlib.import_module("pyod.models.vae").VAE(
            encoder_neuron_list=[32, 16],
            latent_dim=16,
            decoder_neuron_list=[16, 32],
            dropout_rate=0.0,
            batch_size=128,
            epoch_num=TRAINING["epochs"],
            lr=TRAINING["learning_rate"],
            random_state=seed,
            verbose=0,
        )
        return scaler, model.fit(scaler.transform(rows))

    def score(fitted: Any, rows: np.ndarray) -> np.ndarray:
        scaler, model = fitted
        return model.decision_function(scaler.transform(rows))

    return Detector("variational autoencoder (PyOD)", fit, score, PYOD_VERSION)


MODELS = {
    model.name: model
    for model in [
        anorand_detector("AnoRand (paper)", TRAINING),
        anorand_detector("AnoRand", {}),
        plain_autoencoder(),
        variational_autoencoder(),
    ]
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many draws, and which models."""
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))


def images(seed: int) -> Split:
    """The images of a draw, to be fitted and scored alike."""
    pixels, digits = load_digits(return_X_y=True)
    ones, sevens = pixels[digits == 1], pl.DataFrame(pixels[digits == 7])
    few = sevens.sample(round(len(ones) * SHARE_OF_SEVENS / (1 - SHARE_OF_SEVENS)), seed=seed).to_numpy()
    drawn, is_seven = np.concatenate([ones, few]), np.repeat([False, True], [len(ones), len(few)])
    return Split(drawn, is_seven, drawn, is_seven)


def run(options: argparse.Namespace) -> None:
    """Measure, write, draw."""
    splits = [images(draw) for draw in range(options.draws)]
    results = []
    for name in options.models:
        results += [evaluate(MODELS[name], "digits", split, draw) for draw, split in enumerate(splits)]
        print(name, file=sys.stderr)
    runs = output.runs(results)
    summary = output.summary(runs, "detector")
    settings = {"draws": options.draws, "rows": len(splits[0].test), "sevens": int(splits[0].test_labels.sum())}
    output.write_json(options.out / "figure7.json", settings, summary=summary, runs=runs)
    output.write_markdown(options.out / "figure7.md", summary)
    output.save(_picture(runs, options.models), options.out / "figure7.png")


def _picture(runs: pl.DataFrame, order: list[str]) -> alt.HConcatChart:
    """A box a model."""
    group = alt.Y("detector:N").sort(order).title(None)
    return alt.hconcat(*(output.boxes(runs, group, metric).properties(width=280, height=130) for metric in METRICS))
