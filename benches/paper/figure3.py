"""Figure 3: AUC as the loss weight w goes from 0, the autoencoder alone, to 1, the noise detection alone."""

from __future__ import annotations

import argparse

from . import sweep

VALUES = [step / 10 for step in range(11)]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """As for every sweep."""
    sweep.add_arguments(parser, VALUES)


def run(options: argparse.Namespace) -> None:
    """Measure, write, draw."""
    sweep.run(options, "loss_weight", "w")
