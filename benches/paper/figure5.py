"""Figure 5: AUC and times on synthetic data, beside PyOD's detectors with their defaults.

Of the paper's detectors, COF and SOD are left out: both need every pair of 20,000 rows. Its MLP on synthetic labels is
figure 3 at w = 1.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

import altair as alt
import polars as pl

from benches.common.detectors import DETECTORS, SLOW, Detector, pyod_detector
from benches.common.evaluation import evaluate

from . import output, synthetic

SLOW_NAMES = frozenset(SLOW) | {"VAE"}
COMPARED: dict[str, Detector] = DETECTORS | {
    "GMM": pyod_detector("GMM", "gmm"),
    "VAE": pyod_detector("VAE", "vae"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The data, and which detectors."""
    synthetic.add_arguments(parser)
    parser.add_argument("--slow-draws", type=int, default=3, help="draws for detectors that take minutes")
    parser.add_argument("--detectors", nargs="+", choices=COMPARED, default=list(COMPARED))


def run(options: argparse.Namespace) -> None:
    """Measure, write, draw."""
    data = synthetic.from_options(options)
    splits = [data.draw(draw) for draw in range(options.draws)]
    results = []
    for name in options.detectors:
        count = options.slow_draws if name in SLOW_NAMES else options.draws
        results += [evaluate(COMPARED[name], "synthetic", split, draw) for draw, split in enumerate(splits[:count])]
        print(name, file=sys.stderr)
    runs = output.runs(results)
    summary = output.summary(runs, "detector").sort("auc_pr_mean", descending=True)
    settings = asdict(data) | {"draws": options.draws, "slow_draws": options.slow_draws}
    output.write_json(options.out / "figure5.json", settings, summary=summary, runs=runs)
    output.write_markdown(options.out / "figure5.md", summary)
    output.save(_picture(runs, summary["detector"].to_list()), options.out / "figure5.png")


def _picture(runs: pl.DataFrame, order: list[str]) -> alt.HConcatChart:
    """A box a detector, best first, for both AUCs and for the time of a fit."""
    named = alt.Y("detector:N").sort(order).title(None)
    bare = named.axis(labels=False, ticks=False)
    seconds = alt.X("mean(fit_seconds):Q").title("seconds a fit, mean").scale(type="log")
    panels = [
        output.boxes(runs, named, "auc_pr"),
        output.boxes(runs, bare, "auc_roc"),
        alt.Chart(runs).mark_point(filled=True).encode(bare, seconds.axis(values=[0.01, 0.1, 1, 10, 100])),
    ]
    return alt.hconcat(*(panel.properties(width=200, height=250) for panel in panels))
