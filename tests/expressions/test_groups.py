"""Contract: with `by`, one call fits a model for each group, each as if its rows had been fitted alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, FEATURES

import polars_anorand as anorand


@pytest.fixture(scope="module")
def grouped(frame: pl.DataFrame) -> pl.DataFrame:
    """Four groups, of 250, 150, 97 and 3 rows, mixed."""
    keys = np.random.default_rng(2).permutation(np.repeat(["b", "a", "d", "c"], [250, 150, 97, 3]))
    return frame.with_columns(g=pl.Series(keys))


@pytest.fixture(scope="module")
def uneven() -> pl.DataFrame:
    """Three groups, of 21, 20 and 5 rows, mixed; a row of the first two has a null."""
    rng = np.random.default_rng(3)
    keys = rng.permutation(np.repeat(["b", "a", "c"], [21, 20, 5]))
    rows = pl.DataFrame({"g": keys} | {name: rng.normal(size=46) for name in FEATURES})
    is_first = pl.int_range(pl.len()).over("g") == 0
    return rows.with_columns(a=pl.when(~is_first | (pl.col("g") == "c")).then("a"))


def models(frame: pl.DataFrame, **options: object) -> pl.DataFrame:
    """The models of all groups, of small ones too unless said otherwise."""
    options = {"min_group_rows": 2, **FAST, **options}
    return frame.select(anorand.fit(FEATURES, **options)).unnest("model")  # type: ignore[arg-type]


def with_models(frame: pl.DataFrame) -> list[str]:
    """The groups that have a model, in the order of their names."""
    return frame.drop_nulls("model")["g"].sort().to_list()


def test_a_groups_model_is_the_one_of_its_rows_alone(grouped: pl.DataFrame) -> None:
    fitted = models(grouped, by="g")
    assert fitted["g"].to_list() == grouped["g"].unique(maintain_order=True).to_list()
    for key, model in fitted.iter_rows():
        assert model == grouped.filter(pl.col("g") == key).select(anorand.fit(FEATURES, **FAST)).item()


def test_the_schema_is_known_before_the_query_runs(grouped: pl.DataFrame) -> None:
    lazy = grouped.lazy().select(anorand.fit(FEATURES, by="g", min_group_rows=2, **FAST))
    expected = {"model": pl.Struct({"g": pl.String, "model": pl.Binary})}
    assert lazy.collect_schema() == expected
    assert lazy.collect().schema == expected


def test_models_go_back_to_their_rows_by_a_join(grouped: pl.DataFrame) -> None:
    joined = grouped.join(models(grouped, by="g"), on="g", maintain_order="left")
    scored = joined.with_columns(anorand.score(FEATURES, pl.col("model")))
    assert scored["score"].equals(grouped.select(anorand.score(FEATURES, by="g", min_group_rows=2, **FAST)).to_series())


def test_scores_by_group_are_those_over_groups(grouped: pl.DataFrame) -> None:
    by = grouped.select(anorand.score(FEATURES, by="g", min_group_rows=2, **FAST)).to_series()
    assert by.equals(grouped.select(anorand.score(FEATURES, **FAST).over("g")).to_series())


def test_detect_by_group_has_one_threshold_a_group(grouped: pl.DataFrame) -> None:
    out = grouped.with_columns(anorand.detect(FEATURES, by="g", min_group_rows=2, contamination=0.1, **FAST)).unnest(
        "anomaly"
    )
    shares = out.filter(pl.col("g") != "c").group_by("g").agg(pl.col("outlier").mean())
    assert shares["outlier"].is_between(0.08, 0.12).all()


def test_keys_may_be_several_columns_of_any_dtype(grouped: pl.DataFrame) -> None:
    keyed = grouped.with_columns(
        day=pl.date(2024, 1, 1) + pl.duration(days=pl.int_range(pl.len()) % 2), g=pl.col("g").cast(pl.Categorical)
    )
    fitted = keyed.filter(pl.col("g") != "c").pipe(models, by=["g", "day"])
    assert fitted.schema == pl.Schema({"g": pl.Categorical(), "day": pl.Date(), "model": pl.Binary()})
    assert fitted.height == 6
    for key, day, model in fitted.iter_rows():
        rows = keyed.filter(pl.col("g") == key, pl.col("day") == day)
        assert model == rows.select(anorand.fit(FEATURES, **FAST)).item()


def test_a_null_is_a_key(grouped: pl.DataFrame) -> None:
    gapped = grouped.with_columns(g=pl.when(pl.col("g") != "a").then("g"))
    fitted = models(gapped, by="g")
    assert fitted.height == 4
    model = fitted.filter(pl.col("g").is_null())["model"].item()
    assert model == grouped.filter(pl.col("g") == "a").select(anorand.fit(FEATURES, **FAST)).item()


def test_the_order_of_the_groups_and_of_their_rows_does_not_matter(grouped: pl.DataFrame) -> None:
    shuffled = models(grouped.sample(fraction=1, shuffle=True, seed=1), by="g").sort("g")
    assert shuffled.equals(models(grouped, by="g").sort("g"))


def test_a_group_too_small_gets_a_null_and_a_warning(grouped: pl.DataFrame) -> None:
    lonely = grouped.with_columns(g=pl.when(pl.int_range(pl.len()) == 9).then(pl.lit("alone")).otherwise("g"))
    with pytest.warns(
        UserWarning, match=r'1 of 5 groups are too small .* "alone" \(the fit of a group needs at least 2 rows'
    ):
        fitted = models(lonely, by="g")
    assert fitted.filter(pl.col("model").is_null())["g"].to_list() == ["alone"]
    with pytest.warns(UserWarning, match="1 of 5 groups"):
        scores = lonely.select(anorand.score(FEATURES, by="g", min_group_rows=2, **FAST)).to_series()
    assert scores.is_null().arg_true().to_list() == [9]


def test_a_group_too_small_is_an_error_if_asked(grouped: pl.DataFrame) -> None:
    lonely = grouped.with_columns(g=pl.when(pl.int_range(pl.len()) == 9).then(pl.lit("alone")).otherwise("g"))
    with pytest.raises(pl.exceptions.ComputeError, match=r'at least 2 rows .*\(in the group "alone"\)'):
        models(lonely, by="g", small_groups="error")


def test_a_group_of_fewer_usable_rows_than_min_group_rows_is_too_small(uneven: pl.DataFrame) -> None:
    # Of the 20 rows of "a", one has a null. Of the 21 of "b", 20 are left.
    with pytest.warns(UserWarning, match=r"2 of 3 groups are too small .*min_group_rows=20\), got"):
        fitted = uneven.select(anorand.fit(FEATURES, by="g", missing="null", **FAST)).unnest("model")
    assert with_models(fitted) == ["b"]
    with pytest.warns(UserWarning, match=r'1 of 3 groups .* "c" \(.* at least 20 rows \(min_group_rows=20\), got 5\);'):
        assert with_models(models(uneven, by="g", min_group_rows=20, missing="impute")) == ["a", "b"]
    with pytest.warns(UserWarning, match=r"3 of 3 groups .*min_group_rows=21\), got"):
        assert with_models(models(uneven, by="g", min_group_rows=21, missing="null")) == []


def test_min_group_rows_lets_small_groups_have_models(uneven: pl.DataFrame) -> None:
    fitted = models(uneven, by="g", min_group_rows=5)
    assert with_models(fitted) == ["a", "b", "c"]
    alone = uneven.filter(pl.col("g") == "c").select(anorand.fit(FEATURES, **FAST)).item()
    assert fitted.filter(pl.col("g") == "c")["model"].item() == alone


@pytest.mark.parametrize("verb", [anorand.score, anorand.detect])
def test_rows_of_a_small_group_get_nulls(uneven: pl.DataFrame, verb: Callable[..., pl.Expr]) -> None:
    filled = uneven.fill_null(0.0)
    with pytest.warns(UserWarning, match='1 of 3 groups are too small .* "c"'):
        out = filled.with_columns(verb(FEATURES, by="g", name="out", **FAST))
    values = pl.col("out").struct.field("score") if verb is anorand.detect else pl.col("out")
    assert out.filter(values.is_null())["g"].unique().to_list() == ["c"]
    assert out.filter(values.is_not_null())["g"].n_unique() == 2
    assert (
        filled.select(verb(FEATURES, by="g", min_group_rows=5, name="out", **FAST))
        .select(values.is_null().any())
        .item()
        is False
    )


def test_the_error_of_a_small_group_names_the_group_and_the_limit(uneven: pl.DataFrame) -> None:
    few = uneven.filter(pl.col("g") == "a")
    lacking = (
        r"at least 20 rows \(min_group_rows=20\), got 19 without a null, NaN or infinity in a feature, of 20 rows "
        r'\(in the group "a"\)'
    )
    with pytest.raises(pl.exceptions.ComputeError, match=lacking):
        models(few, by="g", min_group_rows=20, small_groups="error", missing="null")


def test_min_group_rows_is_a_whole_number_from_2_on(grouped: pl.DataFrame) -> None:
    for verb in (anorand.fit, anorand.score, anorand.detect):
        with pytest.raises(TypeError, match="min_group_rows must be an int, got 2.5"):
            verb(FEATURES, by="g", min_group_rows=2.5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="min_group_rows must be a whole number from 2 to"):
            verb(FEATURES, by="g", min_group_rows=2**63)
        for low in (1, 0, -3):
            with pytest.raises(
                pl.exceptions.ComputeError, match=f"min_group_rows must be a whole number from 2 .* got {low}"
            ):
                grouped.lazy().select(verb(FEATURES, by="g", min_group_rows=low)).collect_schema()


def test_an_error_of_any_kind_leaves_the_other_groups_their_models(grouped: pl.DataFrame) -> None:
    # Without any value of a feature, there is nothing to fill its gaps with.
    gapped = grouped.with_columns(a=pl.when(pl.col("g").ne_missing("a")).then("a"))
    options: dict[str, Any] = {"by": "g", "missing": "impute", "min_group_rows": 2}
    failed = r'1 of 4 groups have no model and get a null, since their fit failed: "a" \(feature "a" has no value'
    with pytest.warns(UserWarning, match=failed):
        fitted = models(gapped, **options)
    assert fitted.filter(pl.col("model").is_null())["g"].to_list() == ["a"]
    with pytest.warns(UserWarning, match=failed):
        scores = gapped.select("g", anorand.score(FEATURES, **options, **FAST))
    assert scores.filter(pl.col("score").is_null())["g"].unique().to_list() == ["a"]
    with pytest.raises(pl.exceptions.ComputeError, match=r'feature "a" has no value .*\(in the group "a"\)'):
        models(gapped, **options, small_groups="error")


KEYS = {
    "zone": pl.datetime(2024, 1, 1, time_zone="Europe/Berlin"),
    "struct": pl.struct(day=pl.lit(2**31 - 1, dtype=pl.Int32).cast(pl.Date), text=pl.lit("a\0b")),
    "struct of a zone": pl.struct(at=pl.datetime(2024, 1, 1, time_zone="UTC")),
    "list of a zone": pl.concat_list(pl.datetime(2024, 1, 1, time_zone="UTC")),
    "zero byte": pl.lit("a\0b"),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_any_kind_has_a_name_in_the_warning(grouped: pl.DataFrame, kind: str) -> None:
    lonely = grouped.select(*FEATURES, key=pl.when(pl.int_range(pl.len()) < 5).then(KEYS[kind]))
    with pytest.warns(UserWarning, match="1 of 2 groups are too small"):
        assert lonely.select(anorand.fit(FEATURES, by="key", **FAST)).unnest("model")["model"].null_count() == 1
    with pytest.raises(pl.exceptions.ComputeError, match="in the group "):
        lonely.select(anorand.fit(FEATURES, by="key", small_groups="error", **FAST))


def test_a_value_that_the_call_refuses_is_an_error_of_the_call(grouped: pl.DataFrame) -> None:
    gapped = grouped.with_columns(a=pl.when(pl.int_range(pl.len()) != 4).then("a"))
    with pytest.raises(pl.exceptions.ComputeError, match=r'missing="error".*\(in the group'):
        models(gapped, by="g", missing="error")


def test_no_rows_have_no_groups(grouped: pl.DataFrame) -> None:
    assert models(grouped.clear(), by="g").schema == {"g": pl.String, "model": pl.Binary}
    assert grouped.clear().select(anorand.score(FEATURES, by="g", min_group_rows=2, **FAST)).schema == {
        "score": pl.Float32
    }


def test_many_groups(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 60, 300)
    many = pl.DataFrame({"k": np.repeat(np.arange(300), sizes), "a": rng.normal(size=sizes.sum())})
    many = many.with_columns(b=pl.col("a") ** 2).sample(fraction=1, shuffle=True, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = many.with_columns(anorand.score(["a", "b"], by="k", min_group_rows=2, **FAST))
    assert out["score"].null_count() == 0
    for key in (0, 17, 299):
        rows = many.filter(pl.col("k") == key)
        alone = rows.select(anorand.score(["a", "b"], **FAST)).to_series()
        assert out.filter(pl.col("k") == key)["score"].equals(alone)


def test_a_key_named_as_the_models_is_refused(grouped: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='a key of by= is named "model"'):
        grouped.rename({"g": "model"}).lazy().select(anorand.fit(FEATURES, by="model", **FAST)).collect_schema()


def test_a_path_can_not_hold_many_models() -> None:
    with pytest.raises(TypeError, match="not with by"):
        anorand.fit(FEATURES, by="g", path="models.safetensors")


def test_another_policy_is_refused_when_the_schema_is_resolved(grouped: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='small_groups must be "null" or "error", got "drop"'):
        grouped.lazy().select(anorand.fit(FEATURES, by="g", small_groups="drop")).collect_schema()  # type: ignore[arg-type]


def test_groups_beside_a_model_are_refused_at_once(model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="go without a model, got a model and by"):
        anorand.score(FEATURES, model, by="g")


def test_what_is_said_of_small_groups_without_groups_is_refused(grouped: pl.DataFrame, model: anorand.Model) -> None:
    given: list[tuple[dict[str, Any], str]] = [
        ({"min_group_rows": 3}, "min_group_rows"),
        ({"small_groups": "error"}, "small_groups"),
        ({"small_groups": "error", "min_group_rows": 3}, "small_groups and min_group_rows"),
    ]
    for arguments, names in given:
        for verb in [anorand.fit, anorand.score, anorand.detect]:
            with pytest.raises(TypeError, match=f"^{names} go with by, .* give by, or leave them out"):
                verb(FEATURES, **arguments)
        with pytest.raises(TypeError, match=f"^{names} go with by"):
            anorand.train(grouped, FEATURES, **arguments)
        for applied in [anorand.score, anorand.detect]:
            with pytest.raises(TypeError, match=f"got a model and {names.replace(' and ', ', ')}: leave out"):
                applied(FEATURES, model, **arguments)
