"""Figures 3 and 4: one option of the paper's network takes one value after the other, on several draws of data.

Beside the score, each head is measured alone, and alpha is kept: they tell why the score does what it does.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict
from typing import Any

import altair as alt
import polars as pl
from sklearn.metrics import average_precision_score, roc_auc_score

import polars_anorand as anorand
from benches.common.datasets import Split
from benches.common.detectors import anorand_detector
from benches.common.evaluation import METRICS
from benches.common.heads import heads

from . import output, synthetic

HEADS = {"nd": "noise detection alone", "ae": "autoencoder alone"}


def add_arguments(parser: argparse.ArgumentParser, values: list[float]) -> None:
    """The data, and the values that the option takes."""
    synthetic.add_arguments(parser)
    parser.add_argument("--values", type=float, nargs="+", default=values)


def run(options: argparse.Namespace, option: str, title: str) -> None:
    """Measure, write, draw."""
    data = synthetic.from_options(options)
    rows = []
    for draw in range(options.draws):
        split = data.draw(draw)
        for value in options.values:
            fit_options: anorand.FitOptions = {"preset": "paper"}
            fit_options |= {option: value}  # type: ignore[misc]  # the option's name is a variable
            rows.append({option: value, "draw": draw} | measure(fit_options, split, draw))
        print(f"{option}: draw {draw + 1} of {options.draws}", file=sys.stderr)
    runs = pl.DataFrame(rows)
    further = [f"{head}_{metric}" for head in HEADS for metric in METRICS]
    summary = output.summary(runs, option, [*further, "alpha", "fit_seconds"])
    settings = asdict(data) | {"draws": options.draws}
    output.write_json(options.out / f"{options.experiment}.json", settings, summary=summary, runs=runs)
    output.write_markdown(options.out / f"{options.experiment}.md", summary)
    output.save(_picture(runs, option, title), options.out / f"{options.experiment}.png")


def measure(fit_options: anorand.FitOptions, split: Split, seed: int) -> dict[str, Any]:
    """Both AUCs of the score and of each head, alpha, and how long the fit took."""
    detector = anorand_detector("", fit_options)
    start = time.perf_counter()
    model = detector.fit(split.train, seed)
    seconds = time.perf_counter() - start
    both = heads(model, split.test)
    row: dict[str, Any] = {"alpha": model.alpha, "fit_seconds": seconds}
    for name, scores in [("", detector.score(model, split.test)), ("nd_", both.logit), ("ae_", both.error)]:
        row[f"{name}auc_pr"] = float(average_precision_score(split.test_labels, scores))
        row[f"{name}auc_roc"] = float(roc_auc_score(split.test_labels, scores))
    return row


def _picture(runs: pl.DataFrame, option: str, title: str) -> alt.HConcatChart:
    """Both AUCs as the paper draws them, a box a value; and each head's median as a line."""
    group = alt.X(f"{option}:O").title(title).axis(labelAngle=0, format="~g")
    return alt.hconcat(*(_panel(runs, group, metric) for metric in METRICS))


def _panel(runs: pl.DataFrame, group: alt.X, metric: str) -> alt.LayerChart:
    lines = pl.concat(
        runs.select(str(group.shorthand).partition(":")[0], pl.col(f"{head}_{metric}").alias(metric), head=pl.lit(name))
        for head, name in HEADS.items()
    )
    color = alt.Color("head:N").title(None).scale(range=["#54a24b", "#e45756"]).legend(orient="top")
    line = alt.Chart(lines).mark_line(point=True, opacity=0.8).encode(group, alt.Y(f"median({metric}):Q"), color)
    return (output.boxes(runs, group, metric) + line).properties(width=330, height=220)
