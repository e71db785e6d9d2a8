"""Figures 3 and 4: one option of the paper's network takes one value after the other, on several draws of data."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict

import altair as alt
import polars as pl

import polars_anorand as anorand
from benches.quality.detectors import anorand_detector
from benches.quality.evaluation import evaluate

from . import output, synthetic


def add_arguments(parser: argparse.ArgumentParser, values: list[float]) -> None:
    """The data, and the values that the option takes."""
    synthetic.add_arguments(parser)
    parser.add_argument("--values", type=float, nargs="+", default=values)
    parser.add_argument("--preset", choices=["paper", "default"], default="paper")


def run(options: argparse.Namespace, option: str, title: str) -> None:
    """Measure, write, draw."""
    data = synthetic.from_options(options)
    results = []
    for draw in range(options.draws):
        split = data.draw(draw)
        for value in options.values:
            fit_options: anorand.FitOptions = {"preset": options.preset}
            fit_options |= {option: value}  # type: ignore[misc]  # the option's name is a variable
            results.append(evaluate(anorand_detector(f"{value:g}", fit_options), option, split, draw))
        print(f"{option}: draw {draw + 1} of {options.draws}", file=sys.stderr)
    runs = output.runs(results).with_columns(pl.col("detector").cast(pl.Float64).alias(option))
    summary = output.summary(runs, option)
    settings = asdict(data) | {"draws": options.draws, "preset": options.preset}
    output.write_json(options.out / f"{options.experiment}.json", settings, summary=summary, runs=runs)
    output.write_markdown(options.out / f"{options.experiment}.md", summary)
    output.save(_picture(runs, option, title), options.out / f"{options.experiment}.png")


def _picture(runs: pl.DataFrame, option: str, title: str) -> alt.HConcatChart:
    """Both AUCs as the paper draws them: a box a value."""
    group = alt.X(f"{option}:O").title(title).axis(labelAngle=0, format="~g")
    return alt.hconcat(
        *(output.boxes(runs, group, metric).properties(width=330, height=220) for metric in output.METRICS)
    )
