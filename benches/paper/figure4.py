"""Figure 4: AUC as the noise that makes synthetic anomalies grows."""

from __future__ import annotations

import argparse

from . import sweep

VALUES = [round(0.02 + step / 10, 2) for step in range(11)]
"""Among them the two at which the paper sees a change, 0.32 and 0.52."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """As for every sweep."""
    sweep.add_arguments(parser, VALUES)


def run(options: argparse.Namespace) -> None:
    """Measure, write, draw."""
    sweep.run(options, "noise_std", "standard deviation of the noise")
