"""Contract: what users write type-checks in mypy and pyright, both strict, and runs.

The type checkers read this file (`make lint`), and pytest runs it. They can't see a namespace that is registered at run
time: ``anorand(expr)`` is the same object, typed, and so are the functions.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

import polars_anorand as anorand
from polars_anorand import FitOptions, Model

QUICK: FitOptions = {"epochs": 1, "min_steps": 0, "hidden": [8, 4], "missing": "impute"}


def flights() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "delay": [2.0, 4.0, -3.0, 0.0, 1301.0, 5.0, 1.0, -2.0],
            "distance": [1400, 1089, 1576, 762, 4983, 1065, 229, 944],
            "carrier": ["UA", "DL"] * 4,
            "label": [False, False, None, False, True, True, None, False],
        }
    )


def test_the_functions(tmp_path: Path) -> None:
    features = ["delay", "distance"]
    data: bytes = flights().select(anorand.fit(features, path=tmp_path / "model.safetensors", **QUICK)).item()
    model = Model(data)
    scored: pl.DataFrame = flights().with_columns(
        anorand.score(features, model),
        anorand.detect(pl.col(features), tmp_path / "model.safetensors", contamination=0.1),
        anorand.explain(pl.struct(features), data, top=1),
        anorand.embed(features, pl.lit(data), width=model.embedding_width),
    )
    assert scored.width == 8


def test_the_accessor() -> None:
    x = anorand.anorand(pl.col("delay", "distance"))
    lazy: pl.LazyFrame = flights().lazy().with_columns(x.score(labels="label", **QUICK))
    models: pl.DataFrame = (
        flights().select(x.fit(by=["carrier"], small_groups="error", min_group_rows=2, **QUICK)).unnest("model")
    )
    per_carrier = flights().group_by("carrier").agg(x.fit(**QUICK))
    joined = (
        flights().join(per_carrier, on="carrier").with_columns(x.detect(pl.col("model")), x.score(name="own", **QUICK))
    )
    assert (lazy.collect().height, models.height, joined.height) == (8, 2, 8)


def test_drift_has_one_type_for_each_kind_of_argument() -> None:
    model = Model(flights().select(anorand.fit(["delay", "distance"], **QUICK)).item())
    eager: pl.DataFrame = anorand.drift(flights(), model)
    lazy: pl.DataFrame = anorand.drift(flights().lazy(), model, contamination=0.1)
    named: pl.Expr = anorand.drift(["delay", pl.col("distance")], model)
    one: pl.Expr = anorand.drift(pl.col("delay", "distance"), model, name="moved")
    accessor: pl.Expr = anorand.anorand(pl.col("delay", "distance")).drift(model)
    assert (eager.height, lazy.height) == (3, 3)
    assert flights().select(named, one, accessor.alias("again")).columns == ["drift", "moved", "again"]


def test_the_model(tmp_path: Path) -> None:
    model = Model(flights().select(anorand.fit("delay", **QUICK)).item())
    model.save(tmp_path / "model.safetensors")
    threshold: float = Model.load(str(tmp_path / "model.safetensors")).threshold(contamination=0.25)
    names: list[str] = model.features
    assert names == ["delay"]
    assert 0 < threshold < 1
