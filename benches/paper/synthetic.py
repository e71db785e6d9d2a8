"""The paper's synthetic data: make_classification with a rare class, which is what must be found.

The paper names the rows and the share of anomalies; all else is scikit-learn's default. With it, 1 % of the labels are
drawn anew at random, so that 5.5 % of the rows are anomalies and some are beyond finding.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split

from benches.common.datasets import Split

ANOMALIES = 0.05


@dataclass(frozen=True)
class Synthetic:
    """What is drawn: rows to train on, half that number of other rows to score, and how hard it is."""

    rows: int = 20_000
    class_sep: float = 1.0
    clean: bool = False

    def draw(self, seed: int) -> Split:
        """One draw; both parts have the same share of anomalies."""
        total = self.rows + self.rows // 2
        features, labels = make_classification(
            total, weights=[1 - ANOMALIES], class_sep=self.class_sep, random_state=seed
        )
        train, test, train_labels, test_labels = train_test_split(
            features, labels, train_size=self.rows, stratify=labels, random_state=seed
        )
        if self.clean:
            train, train_labels = train[train_labels == 0], train_labels[train_labels == 0]
        return Split(train, train_labels, test, test_labels)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may be said about the data, and how many draws of it."""
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--rows", type=int, default=Synthetic.rows, help="training rows")
    parser.add_argument("--class-sep", type=float, default=Synthetic.class_sep, help="how far apart the classes are")
    parser.add_argument("--clean", action="store_true", help="train on normal rows only")


def from_options(options: argparse.Namespace) -> Synthetic:
    """The data that the command line asks for."""
    return Synthetic(options.rows, options.class_sep, options.clean)
