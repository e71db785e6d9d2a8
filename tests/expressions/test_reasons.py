"""Contract: `detect` also says why a row is an outlier, and how sure it is, in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES, internals
from verbs import ANOMALY, REASON

import polars_anorand as anorand

REASONS = pl.List(REASON)


def detected(frame: pl.DataFrame, model: object, **options: object) -> pl.DataFrame:
    return frame.select(anorand.detect(FEATURES, model, **options)).unnest("anomaly")


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({"explain": 2}, {"reasons": REASONS}),
        ({"spread": True}, {"spread": pl.Float32}),
        ({"explain": 1, "spread": True}, {"spread": pl.Float32, "reasons": REASONS}),
    ],
)
def test_the_fields_are_known_before_the_query_runs(
    frame: pl.DataFrame, model: anorand.Model, options: dict[str, object], more: dict[str, pl.DataType]
) -> None:
    lazy = frame.lazy().select(anorand.detect(FEATURES, model, **options))
    assert lazy.collect_schema() == {"anomaly": pl.Struct({**dict(ANOMALY), **more})}
    assert lazy.collect().schema == lazy.collect_schema()
    assert frame.clear().lazy().select(anorand.detect(FEATURES, model, **options)).collect().schema == {
        "anomaly": pl.Struct({**dict(ANOMALY), **more})
    }


def test_outliers_have_the_reasons_of_explain_and_other_rows_none(frame: pl.DataFrame, model: anorand.Model) -> None:
    found = detected(frame, model, contamination=0.05, explain=2)
    expected = frame.select(anorand.explain(FEATURES, model, top=2)).to_series()
    assert 20 <= found["outlier"].sum() <= 25
    assert found["reasons"].is_not_null().equals(found["outlier"].alias("reasons"))
    for ours, theirs in zip(found["reasons"], expected, strict=True):
        if ours is not None:
            # What matters: nothing below 5 % of the largest.
            kept = [item for item in theirs if item["contribution"] > 0.05 * theirs[0]["contribution"]]
            assert [item["feature"] for item in ours] == [item["feature"] for item in kept]
            amounts = [[item["contribution"] for item in items] for items in (ours, kept)]
            assert amounts[0] == pytest.approx(amounts[1], abs=1e-6)
            assert min(amounts[0]) > 0


def test_a_reason_says_the_value_and_why() -> None:
    country = {"Utrecht": "NL", "Antwerpen": "BE", "Bayern": "DE"}
    province = list(country) * 100
    rows = pl.DataFrame({"province": province, "country": [country[each] for each in province]})
    model = anorand.Model(rows.select(anorand.fit(pl.all(), **FAST)).item())
    odd = pl.DataFrame({"province": ["Utrecht"], "country": ["DE"]})
    (found,) = odd.select(anorand.detect(pl.all(), model, explain=1)).unnest("anomaly")["reasons"].to_list()
    assert [{**found[0], "contribution": None}] == [
        {
            "feature": "country",
            "contribution": None,
            "value": "DE",
            "expected": "NL",
            "why": "country is DE; with province Utrecht it is NL in 100 % of 100 rows",
        }
    ]


def test_a_model_of_the_published_method_has_values_and_no_words(frame: pl.DataFrame) -> None:
    model = anorand.Model(frame.select(anorand.fit(FEATURES, preset="paper", epochs=2)).item())
    reasons = detected(frame, model, explain=1).filter("outlier")["reasons"].list.first().struct.unnest()
    assert reasons["value"].null_count() == 0
    assert reasons["why"].null_count() == reasons["expected"].null_count() == reasons.height


def test_the_other_fields_do_not_change(frame: pl.DataFrame, model: anorand.Model) -> None:
    plain = detected(frame, model)
    assert detected(frame, model, explain=3, spread=True).select(plain.columns).equals(plain)


def test_no_outlier_has_no_reasons(frame: pl.DataFrame, model: anorand.Model) -> None:
    found = detected(frame, model, threshold=1.0, explain=1)
    assert found["reasons"].null_count() == frame.height


def test_more_reasons_than_features_are_at_most_all_of_them(frame: pl.DataFrame, model: anorand.Model) -> None:
    found = detected(frame, model, explain=10).filter("outlier")
    assert found["reasons"].list.len().max() <= len(FEATURES)
    assert found["reasons"].list.len().min() >= 1


@pytest.mark.parametrize("missing", ["null", "indicator"])
def test_a_missing_value_is_null_where_the_model_says_so(frame: pl.DataFrame, missing: str) -> None:
    model = anorand.Model(frame.select(anorand.fit(FEATURES, missing=missing, **FAST)).item())
    gapped = frame.with_columns(a=pl.when(pl.int_range(pl.len()) != 3).then("a"))
    row = detected(gapped, model, explain=1, spread=True).row(3, named=True)
    if missing == "null":
        assert set(row.values()) == {None}
    else:
        assert row["outlier"]
        assert row["reasons"][0]["feature"] == "a"
        assert row["spread"] >= 0


def test_it_streams(frame: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    many = pl.concat([frame] * 10)
    many.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    lazy = pl.scan_parquet(tmp_path / "rows.parquet").select(anorand.detect(FEATURES, model, explain=1, spread=True))
    streamed = lazy.collect(engine="streaming").unnest("anomaly")
    eager = detected(many, model, explain=1, spread=True)
    assert streamed.drop("reasons").equals(eager.drop("reasons"))
    names = [out["reasons"].list.first().struct.field("feature") for out in (streamed, eager)]
    assert names[0].equals(names[1])


def test_each_group_and_each_model_of_a_column_gives_its_own(frame: pl.DataFrame) -> None:
    grouped = frame.with_columns(g=pl.int_range(pl.len()) % 2)
    options = {"contamination": 0.05, "explain": 1, "spread": True}
    by = grouped.with_columns(anorand.detect(FEATURES, by="g", **options, **FAST))
    models = grouped.group_by("g").agg(anorand.fit(FEATURES, **FAST))
    joined = grouped.join(models, on="g", how="left", maintain_order="left").with_columns(
        anorand.detect(FEATURES, pl.col("model"), **options)
    )
    over = grouped.with_columns(anorand.detect(FEATURES, **options, **FAST).over("g"))
    alone = {key: part for (key,), part in grouped.partition_by("g", as_dict=True).items()}
    for key, part in alone.items():
        expected = part.select(anorand.detect(FEATURES, **options, **FAST)).unnest("anomaly")
        assert 250 - 13 <= expected["reasons"].null_count() <= 250 - 10
        for out in (by, joined, over):
            assert out.filter(pl.col("g") == key).select("anomaly").unnest("anomaly").equals(expected)


def test_null_models_and_small_groups_give_nulls(frame: pl.DataFrame, model: anorand.Model) -> None:
    few = frame.head(3).with_columns(m=pl.Series([None, model.to_bytes(), None], dtype=pl.Binary))
    found = few.select(anorand.detect(FEATURES, pl.col("m"), explain=1, spread=True, threshold=0)).unnest("anomaly")
    assert found["reasons"].is_null().to_list() == found["spread"].is_null().to_list() == [True, False, True]


def test_the_spread_is_the_deviation_of_the_scores_of_the_members(frame: pl.DataFrame) -> None:
    """By models of one member each, of the same networks: their heads, combined as the ensemble's are."""
    options: dict[str, Any] = {"members": 5, **internals(combination="robust"), **FAST}
    model = anorand.Model(frame.select(anorand.fit(FEATURES, **options)).item())
    data = model.to_bytes()
    how = reference.metadata(data)["combiner"]
    rows = frame.select(FEATURES).to_numpy()
    scores = []
    places = reference.places(data, reference.scaled(data, reference.inputs(data, rows)))
    distances = sum(placed.distances for placed in places)
    for each in reference.members(data, rows):
        own = reference.Heads(each.logit, np.linalg.norm(each.x - each.reconstruction, axis=1) + distances)
        scores.append(reference.sigmoid(np.arcsinh(reference.combined(own, how["median"], how["spread"])) / 2))
    found = detected(frame, model, spread=True)["spread"]
    np.testing.assert_allclose(found.to_numpy(), np.std(scores, axis=0), atol=1e-5)
    assert found.max() > 0.01


def test_one_member_has_no_spread(frame: pl.DataFrame) -> None:
    model = anorand.Model(frame.select(anorand.fit(FEATURES, members=1, **FAST)).item())
    assert set(detected(frame, model, spread=True)["spread"]) == {0.0}


@pytest.mark.parametrize("explain", [0, -2])
def test_a_number_of_reasons_below_one_is_refused_when_the_schema_is_resolved(
    frame: pl.DataFrame, model: anorand.Model, explain: int
) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=f"explain must be a whole number from 1 on, got {explain}"):
        frame.lazy().select(anorand.detect(FEATURES, model, explain=explain)).collect_schema()


def test_arguments_of_another_type_are_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match=r"explain must be an int, got 1\.5"):
        anorand.detect(FEATURES, model, explain=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="spread must be a bool, got 1"):
        anorand.detect(FEATURES, model, spread=1)  # type: ignore[arg-type]
