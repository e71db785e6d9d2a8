"""Both presets beside IsolationForest and KNN on clean training rows: `python -m benches.clean.rivals FOLDER`.

All sets of the folder, not only those with anomalies enough to contaminate the training rows; see `contamination`.
`--picture FILE` draws `novelty` beside each of the others, set by set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import altair as alt
import polars as pl

from .contamination import quality
from .sets import add_arguments, read


def main() -> None:
    """Measure, and print a row for each detector."""
    parser = argparse.ArgumentParser(prog="benches.clean.rivals", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the sets here, as an SVG or a PNG")
    options = parser.parse_args()
    rows = [row for data in read(options) for row in quality(data)]
    ranked = pl.DataFrame(rows).with_columns(rank=pl.col("AUC-PR").rank(descending=True).over("set"))
    means = ranked.group_by("detector", maintain_order=True).agg(pl.mean("AUC-ROC", "AUC-PR", "rank").round(3))
    print(f"{ranked['set'].n_unique()} sets")
    print(means)
    if options.picture:
        draw(ranked.pivot("detector", index="set", values="AUC-PR")).save(options.picture, ppi=110)


def draw(sets: pl.DataFrame) -> alt.HConcatChart:
    """A dot for each set: above the diagonal, `novelty` has the higher AUC-PR."""
    diagonal = alt.Chart(pl.DataFrame({"x": [0, 1], "y": [0, 1]})).mark_line(strokeDash=[5, 4], color="#888")

    def beside(other: str) -> alt.LayerChart:
        higher = sets.select((pl.col("novelty") > pl.col(other)).sum()).item()
        dots = alt.Chart(sets).mark_circle(size=28, opacity=0.6, color="#2f6db3")
        places = dots.encode(
            alt.X(f"{other}:Q").title(f"AUC-PR of {other}"), alt.Y("novelty:Q").title("AUC-PR of novelty")
        )
        title = f"novelty is higher on {higher} of {sets.height} sets"
        chart: alt.LayerChart = (diagonal.encode(alt.X("x:Q"), alt.Y("y:Q")) + places).properties(
            width=230, height=230, title=alt.TitleParams(title, fontSize=12)
        )
        return chart

    pictures: alt.HConcatChart = alt.hconcat(*[beside(other) for other in ("KNN", "IForest", "default")])
    return pictures


if __name__ == "__main__":
    main()
