"""The time of explanations beside scores, and beside TreeSHAP on scikit-learn's IsolationForest."""

from __future__ import annotations

import polars as pl
import shap
from sklearn.ensemble import IsolationForest

import polars_anorand as anorand
from benches.common.models import model_of
from benches.common.workloads import BRIEF, cpu_seconds, frame, seconds

ROWS = 8_000
REPEATS = 7


def measure() -> None:
    """Ratios of CPU times for each row."""
    for features in (15, 30, 60, 200):
        rows = frame(ROWS, features)
        for preset in ("paper", "default"):
            model = model_of(rows.head(5_000), preset=preset, **BRIEF)
            of = times(rows, model)
            print(
                f"{features} features, {preset}: explain {of['explain'] / of['score']:.0f} × the CPU time of a score, "
                f"top=3 {of['top'] / of['score']:.0f} ×; beside detect, explain=3 {of['detect'] / of['plain']:.2f} ×, "
                f"spread=True {of['spread'] / of['plain']:.2f} ×"
            )
    beside_tree_shap()


def times(rows: pl.DataFrame, model: anorand.Model) -> dict[str, float]:
    """Seconds of CPU time for each row of each call."""
    many = pl.concat([rows] * 10)
    calls = {
        "score": (many, anorand.score(pl.all(), model)),
        "plain": (many, anorand.detect(pl.all(), model)),
        "spread": (many, anorand.detect(pl.all(), model, spread=True)),
        "detect": (many, anorand.detect(pl.all(), model, explain=3)),
        "explain": (rows, anorand.explain(pl.all(), model)),
        "top": (rows, anorand.explain(pl.all(), model, top=3)),
    }
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(REPEATS):
        # In turn, so that what else runs on the machine hits all of them.
        for name, (of, call) in calls.items():
            best[name] = min(best[name], cpu_seconds(lambda of=of, call=call: of.select(call)) / of.height)
    return best


def beside_tree_shap() -> None:
    """TreeSHAP of 100 trees, on the same rows; it runs on one thread."""
    rows = frame(ROWS, 30)
    forest = IsolationForest(random_state=0).fit(rows.to_numpy())
    explainer = shap.TreeExplainer(forest)
    few = rows.head(500).to_numpy()
    theirs = seconds(lambda: explainer.shap_values(few), 3) / len(few)
    for preset in ("paper", "default"):
        model = model_of(rows.head(5_000), preset=preset, **BRIEF)
        ours = seconds(lambda model=model: rows.select(anorand.explain(pl.all(), model)), 3) / rows.height
        print(f"{preset}: explains {theirs / ours:.0f} × the rows a second of TreeSHAP on IsolationForest")
