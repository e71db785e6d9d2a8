"""Tables and JSON from results."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from benches.common.evaluation import METRICS, Result


def to_frame(results: Iterable[Result]) -> pl.DataFrame:
    """One row a detector and data set: means over the seeds, and the rank on the set by AUC-PR.

    ``alike`` is the number of seeds with which all rows have the same score, since the detector could not be fitted, or
    divides by zero.
    """
    frame = pl.DataFrame([vars(result) for result in results])
    means = frame.group_by("dataset", "detector").agg(
        pl.col(*METRICS, "fit_seconds", "score_seconds").mean(),
        pl.len().alias("seeds"),
        (pl.col("auc_roc") == 0.5).sum().alias("alike"),
    )
    rank = pl.col("auc_pr").rank("average", descending=True).over("dataset")
    return means.with_columns(rank.alias("rank")).sort("dataset", "detector")


def summary(frame: pl.DataFrame) -> pl.DataFrame:
    """One row a detector: means over the data sets, best mean AUC-PR first."""
    columns = pl.col(*METRICS, "rank", "fit_seconds", "score_seconds").mean()
    return (
        frame.group_by("detector")
        .agg(columns, (pl.col("rank") == 1).sum().alias("wins"), pl.len().alias("datasets"), pl.col("alike").sum())
        .sort("auc_pr", descending=True)
    )


def by_dataset(frame: pl.DataFrame, metric: str = "auc_pr") -> pl.DataFrame:
    """One row a data set, one column a detector."""
    order = summary(frame)["detector"].to_list()
    return frame.pivot(on="detector", index="dataset", values=metric).select("dataset", *order).sort("dataset")


def render(frame: pl.DataFrame) -> str:
    """The summary and the per-set table as text."""
    with pl.Config(
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=240,
        float_precision=3,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
    ):
        return f"{summary(frame)}\n\nAUC-PR\n{by_dataset(frame)}"


def render_published(frame: pl.DataFrame, published: pl.DataFrame) -> str:
    """Mean AUC-ROC on the sets that were published as well: of another protocol, and of other draws of rows."""
    names = pl.col("dataset").str.to_lowercase()
    sets = published.with_columns(names).rename({name: f"{name} (published)" for name in published.columns[1:]})
    both = by_dataset(frame, "auc_roc").with_columns(names).join(sets, on="dataset").drop("dataset")
    means = both.mean().unpivot(variable_name="detector", value_name="auc_roc").sort("auc_roc", descending=True)
    with pl.Config(tbl_rows=-1, float_precision=3, tbl_hide_dataframe_shape=True, tbl_hide_column_data_types=True):
        return f"AUC-ROC on {len(both)} sets, beside published figures of another protocol\n{means}"


def to_json(frame: pl.DataFrame) -> dict:
    """The same as plain data."""
    return {"summary": summary(frame).to_dicts(), "datasets": frame.to_dicts()}
