"""Table 1 and figure 8: sets of a folder, without labels, ranked beside PyOD's detectors.

The protocol is that of benches.quality, whose results for PyOD's detectors are taken from its cache.
"""

from __future__ import annotations

import argparse
import sys

import altair as alt
import polars as pl

from benches.common import datasets
from benches.common.detectors import BASELINES, OURS, Detector
from benches.common.evaluation import Cache, add_cache_argument, evaluate_cached

from . import output


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The sets, and PyOD's results."""
    datasets.add_arguments(parser)
    names = [detector.name for detector in BASELINES]
    parser.add_argument("--detectors", nargs="+", choices=names, default=names, help="PyOD's to rank among")
    add_cache_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Measure, rank each of ours among PyOD's detectors, write, draw."""
    cache = Cache(options.cache)
    baselines = [detector for detector in BASELINES if detector.name in options.detectors]
    results = []
    for path in datasets.asked_paths(options):
        for detector in [*OURS, *baselines]:
            results += [evaluate_cached(detector, path, seed, cache) for seed in range(options.seeds)]
        print(path.stem, file=sys.stderr)
    runs = output.runs(results)
    means = runs.group_by("dataset", "detector", maintain_order=True).agg(pl.col("auc_pr", "auc_roc").mean())
    ranks = pl.concat([ranked(means, ours) for ours in OURS])
    settings = {"seeds": options.seeds, "baselines": options.detectors}
    places = counted(ranks)
    averages = means.group_by("detector").agg(pl.col("auc_pr", "auc_roc").mean()).sort("auc_pr", descending=True)
    tables = {"places": places, "averages": averages, "ranks": ranks, "means": means}
    output.write_json(options.out / "table1.json", settings, **tables)
    output.write_markdown(options.out / "table1.md", by_dataset(ranks))
    output.write_markdown(options.out / "table1-places.md", places)
    output.write_markdown(options.out / "table1-averages.md", averages)
    output.save(_picture(ranks, means), options.out / "table1.png")


def ranked(means: pl.DataFrame, ours: Detector) -> pl.DataFrame:
    """AUC-PR of one of ours on each set, its rank among PyOD's detectors, and the best of these.

    Our two presets are not ranked beside each other: the paper has one method in its table.
    """
    baselines = ~pl.col("detector").is_in([detector.name for detector in OURS])
    best = means.filter(baselines).sort("auc_pr", descending=True).group_by("dataset", maintain_order=True).first()
    best = best.select("dataset", best="detector", best_auc_pr="auc_pr")
    return (
        means.filter(baselines | (pl.col("detector") == ours.name))
        .with_columns(rank=pl.col("auc_pr").rank("min", descending=True).over("dataset"))
        .filter(pl.col("detector") == ours.name)
        .join(best, on="dataset", maintain_order="left")
    )


def counted(ranks: pl.DataFrame) -> pl.DataFrame:
    """How often each of ours is first, second, third and fourth, as the paper counts."""
    places = {"first": 1, "second": 2, "third": 3, "fourth": 4}
    return ranks.group_by("detector", maintain_order=True).agg(
        *((pl.col("rank") == place).sum().alias(name) for name, place in places.items()),
        pl.len().alias("sets"),
        pl.col("rank", "auc_pr", "auc_roc").mean().name.prefix("mean_"),
        pl.col("best_auc_pr").mean().alias("mean_best_auc_pr"),
    )


def by_dataset(ranks: pl.DataFrame) -> pl.DataFrame:
    """One row a set: AUC-PR and rank of each of ours, and the best of PyOD's detectors."""
    wide = ranks.pivot(on="detector", index=["dataset", "best", "best_auc_pr"], values=["auc_pr", "rank"])
    return wide.select(pl.exclude("best", "best_auc_pr"), "best", "best_auc_pr")


def _picture(ranks: pl.DataFrame, means: pl.DataFrame) -> alt.HConcatChart:
    """As figure 8: ranks over the sets; and beside them the AUC-PR of every detector."""
    by_rank = output.boxes(
        ranks,
        alt.Y("detector:N").title(None),
        "rank",
        alt.Scale(domain=[1, means["detector"].n_unique() - len(OURS) + 1]),
    )
    order = means.group_by("detector").agg(pl.col("auc_pr").median()).sort("auc_pr", descending=True)["detector"]
    by_auc = output.boxes(means, alt.Y("detector:N").title(None).sort(order.to_list()), "auc_pr")
    return alt.hconcat(by_rank.properties(width=260, height=80), by_auc.properties(width=330, height=280))
