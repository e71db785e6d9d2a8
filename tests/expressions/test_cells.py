"""Contract: `cells` says how strongly each value is taken for wrong: the most where the fault is."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


def fitted(frame: pl.DataFrame, **options: Any) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(pl.all(), **{**FAST, **options})).item())


def evidence(frame: pl.DataFrame, model: object) -> pl.DataFrame:
    return frame.select(anorand.cells(frame.columns, model)).unnest("cells")


@pytest.fixture(scope="module")
def related() -> pl.DataFrame:
    """A table of which each column follows from others, but for what it begins with."""
    rng = np.random.default_rng(1)
    rows = 600
    country = {"Utrecht": "NL", "Gelderland": "NL", "Antwerpen": "BE", "Namur": "BE", "Bayern": "DE", "Hessen": "DE"}
    province = rng.choice(list(country), rows)
    article = rng.choice(["bolt", "nut", "gear", "frame", "wheel"], rows)
    price = {"bolt": 0.5, "nut": 0.3, "gear": 12.0, "frame": 240.0, "wheel": 55.0}
    x = rng.normal(50, 10, rows).round(2)
    return pl.DataFrame(
        {
            "province": province,
            "country": [country[each] for each in province],
            "article": article,
            "price": [price[each] for each in article],
            "x": x,
            "y": (2 * x + rng.normal(0, 0.2, rows)).round(2),
            "amount": [f"{each:.1f}" for each in rng.normal(20, 3, rows)],
            "checked": rng.random(rows) < 0.4,
            "due": [date(2024, 1, 1) + timedelta(days=int(day)) for day in rng.integers(0, 200, rows)],
        }
    )


FAULTS = [
    ("country", "DE", {"province": "Utrecht"}),
    ("price", 240.0, {"article": "nut"}),
    ("y", 40.0, {"x": 50.0}),
    ("province", "Antwrepen", {"country": "BE"}),
    ("amount", "21.5 kg", {}),
    ("checked", None, {}),
    ("due", date(9999, 12, 31), {}),
]


@pytest.mark.parametrize(("column", "value", "others"), FAULTS, ids=[column for column, *_ in FAULTS])
def test_the_cell_that_is_wrong_has_the_most_evidence(
    related: pl.DataFrame, column: str, value: object, others: dict[str, object]
) -> None:
    model = fitted(related)
    usual = related.filter(**others) if others and column != "y" else related
    if column == "y":
        usual = related.filter((pl.col("x") - 50).abs() < 3)
    rows = usual.head(20)
    spoilt = rows.with_columns(pl.lit(value, dtype=rows.schema[column]).alias(column))
    found = evidence(spoilt, model)
    assert found[column].min() > 3.5
    assert [found.columns[at] for at in found.to_numpy().argmax(axis=1)] == [column] * rows.height
    clean = evidence(rows, model)[column]
    assert clean.max() < found[column].min()


def test_an_ordinary_row_has_little_evidence(related: pl.DataFrame) -> None:
    found = evidence(related, fitted(related)).to_numpy()
    assert (found > 0).all()
    assert np.median(found) < 1.0
    assert np.quantile(found, 0.95) < 2.5


def test_the_fields_are_the_features_as_given(frame: pl.DataFrame, model: anorand.Model) -> None:
    shuffled = ["c", "a", "b"]
    lazy = frame.lazy().select(anorand.cells(shuffled, model))
    dtype = pl.Struct(dict.fromkeys(shuffled, pl.Float32))
    assert lazy.collect_schema() == {"cells": dtype}
    out = lazy.collect()
    assert out.schema == {"cells": dtype}
    assert out.unnest("cells").select(FEATURES).equals(evidence(frame.select(FEATURES), model))


def test_a_row_has_the_same_evidence_alone_and_among_others(related: pl.DataFrame) -> None:
    model = fitted(related)
    together = evidence(related, model)
    assert evidence(related[::-1], model)[::-1].equals(together)
    assert pl.concat(evidence(related[at], model) for at in range(0, 600, 97)).equals(together[::97])


def test_it_streams(related: pl.DataFrame, tmp_path: Path) -> None:
    model = fitted(related)
    many = pl.concat([related] * 8)
    many.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    lazy = pl.scan_parquet(tmp_path / "rows.parquet").select(anorand.cells(pl.all(), model))
    assert lazy.collect(engine="streaming").unnest("cells").equals(evidence(many, model))


def test_each_row_is_judged_by_its_model(frame: pl.DataFrame) -> None:
    """As each group by that of its own, after ``fit(by=)`` and a join."""
    grouped = frame.with_columns(g=pl.int_range(pl.len()) % 2)
    models = grouped.select(anorand.fit(FEATURES, by="g", **FAST)).unnest("model")
    joined = grouped.join(models, on="g", how="left", maintain_order="left")
    found = joined.with_columns(anorand.cells(FEATURES, pl.col("model")))
    for key, model in models.iter_rows():
        part = frame.filter(grouped["g"] == key)
        expected = evidence(part.select(FEATURES), model)
        assert found.filter(g=key).select("cells").unnest("cells").equals(expected)


def test_a_missing_value_is_null_or_evidence_as_the_model_says(frame: pl.DataFrame) -> None:
    gapped = frame.select(FEATURES).head(4).with_columns(a=pl.when(pl.int_range(pl.len()) != 1).then("a"))
    by_indicator = evidence(gapped, fitted(frame.select(FEATURES)))
    assert by_indicator["a"].arg_max() == 1
    assert by_indicator["a"][1] > 5
    by_null = evidence(gapped, fitted(frame.select(FEATURES), missing="null"))
    assert [set(row) == {None} for row in by_null.rows()] == [False, True, False, False]
    by_median = evidence(gapped, fitted(frame.select(FEATURES), missing="impute"))
    assert by_median.null_count().sum_horizontal().item() == 0
    assert by_median["a"][1] < by_indicator["a"][1]


def test_a_null_model_gives_nulls(frame: pl.DataFrame, model: anorand.Model) -> None:
    rows = frame.head(3).with_columns(m=pl.Series([None, model.to_bytes(), None], dtype=pl.Binary))
    found = rows.select(anorand.cells(FEATURES, pl.col("m"))).unnest("cells")
    assert [set(row) == {None} for row in found.rows()] == [True, False, True]


def test_no_rows_have_no_evidence(frame: pl.DataFrame, model: anorand.Model) -> None:
    expression = anorand.cells(FEATURES, model)
    assert frame.clear().select(expression).schema == frame.lazy().select(expression).collect_schema()


def test_the_published_method_has_no_cells(frame: pl.DataFrame) -> None:
    model = fitted(frame.select(FEATURES), preset="paper")
    with pytest.raises(pl.exceptions.ComputeError, match=r'has no cells, since preset="paper" .* or use explain'):
        frame.select(anorand.cells(FEATURES, model))
    assert model.statistics["meaning"].null_count() == len(FEATURES)


def test_a_device_is_no_argument(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="device"):
        anorand.cells(FEATURES, model, device="cpu")  # type: ignore[call-arg]


@pytest.mark.parametrize("size", [1e-300, 1e150, 1e300, 1.7e308])
def test_numbers_near_the_ends_of_their_type_are_fitted_and_judged(size: float) -> None:
    rng = np.random.default_rng(0)
    of_one = rng.uniform(-1, 1, 300)
    frame = pl.DataFrame(
        {
            "huge": of_one * size,
            "same": of_one * size / 2,
            "small": of_one,
            "code": rng.integers(0, 4, 300),
            "word": rng.choice(["x", "y"], 300),
        }
    )
    found = evidence(frame, fitted(frame))
    assert found.height == 300
    assert found.select(pl.all().is_finite().all()).row(0) == (True,) * 5
