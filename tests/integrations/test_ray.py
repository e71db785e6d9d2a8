"""Contract: on Ray Data, scores and models are those of Polars, when an actor is killed too."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
import ray
from engines import FAST, FEATURES, ROWS

import polars_anorand as anorand
from polars_anorand.ray import FitGroups, Scorer


class KilledOnce(Scorer):
    """A scorer whose first process dies on its first batch."""

    def __init__(self, model: anorand.Model, folder: Path) -> None:
        super().__init__(model)
        self.folder = folder

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The batch with the new columns, if this is not the first."""
        done = self.folder / "done"
        if not done.exists():
            done.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


@pytest.fixture(scope="module")
def dataset(frame: pl.DataFrame) -> Iterator[Any]:
    # Two, since an actor holds one for as long as it lives, and reading needs one.
    here = str(Path(__file__).parent)
    environment = {"env_vars": {"POLARS_MAX_THREADS": "1", "PYTHONPATH": here}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray.data.from_arrow([frame[at : at + 250].to_arrow() for at in range(0, ROWS, 250)])
    ray.shutdown()


def polars(dataset: Any) -> pl.DataFrame:
    return pl.concat([pl.DataFrame(table) for table in ray.get(dataset.to_arrow_refs()) if table.num_rows])


def scored(dataset: Any, scorer: Any, arguments: dict[str, Any]) -> pl.DataFrame:
    one = ray.data.ActorPoolStrategy(size=1)
    given = {"fn_constructor_kwargs": arguments, "batch_format": "pyarrow", "batch_size": 100, "compute": one}
    return polars(dataset.map_batches(scorer, **given)).sort("id")


def test_scores_are_those_of_polars_to_the_bit(dataset: Any, frame: pl.DataFrame, model: anorand.Model) -> None:
    arguments = {"model": model, "contamination": 0.05, "explain": 2, "prefix": "my_"}
    out = scored(dataset, Scorer, arguments)
    expected = frame.select(anorand.detect(FEATURES, model, contamination=0.05, explain=2)).unnest("anomaly")
    assert out["id"].to_list() == list(range(ROWS))
    for name in ["score", "percentile", "rarity", "outlier", "reasons"]:
        assert out["my_" + name].to_list() == expected[name].to_list()


def test_a_killed_actor_costs_no_row(dataset: Any, model: anorand.Model, scores: list[float], tmp_path: Path) -> None:
    out = scored(dataset, KilledOnce, {"model": model, "folder": tmp_path})
    assert (tmp_path / "done").exists()
    assert out["id"].to_list() == list(range(ROWS))
    assert out["score"].to_list() == scores


def test_models_of_groups_are_those_of_polars_to_the_byte(dataset: Any, frame: pl.DataFrame) -> None:
    features = ["number", "count", "kind"]
    keyed = frame.with_columns(pl.col("key").fill_null("none"))
    data = ray.data.from_arrow([keyed[at : at + 250].to_arrow() for at in range(0, ROWS, 250)])
    groups = data.groupby("key").map_groups(
        FitGroups,
        fn_constructor_args=["key", features],
        fn_constructor_kwargs=FAST,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=1),
    )
    expected = keyed.select(anorand.fit(features, by="key", **FAST)).unnest("model").sort("key")
    assert polars(groups).sort("key").rows() == expected.rows()


def test_a_group_that_is_too_small_has_a_null_model(frame: pl.DataFrame) -> None:
    few = FitGroups("key", ["number"], **FAST)(frame.head(5).to_arrow())
    assert few["model"].to_pylist() == [None]


def test_what_is_wrong_is_said_when_a_scorer_is_made_or_called(frame: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="got int"):
        Scorer(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="model"):
        Scorer(b"no model")
    with pytest.raises(FileNotFoundError):
        Scorer("nowhere.safetensors")
    with pytest.raises(ValueError, match="'score' already: drop it, or give a prefix"):
        Scorer(model)(frame.rename({"id": "score"}).to_arrow())
    with pytest.raises(Exception, match="amount"):
        Scorer(model)(frame.drop("amount").to_arrow())
