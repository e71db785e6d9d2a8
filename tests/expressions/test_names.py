"""Contract: features are matched by name; results have fixed names, and never take the place of a feature."""

from __future__ import annotations

import polars as pl
import pytest
from conftest import FAST, FEATURES
from verbs import VERBS, Verb, every_verb

import polars_anorand as anorand


def test_the_order_of_the_columns_does_not_matter(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    assert frame.select(anorand.score(["c", "a", "b"], model)).to_series().equals(scores)


def test_a_missing_column_is_named(frame: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match='needs "b"'):
        frame.select(anorand.score(["a", "c"], model))


def test_an_unexpected_column_is_named(frame: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match='does not know "d"'):
        frame.with_columns(d=1).select(anorand.score([*FEATURES, "d"], model))


def test_a_renamed_column_is_both(frame: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match='needs "b", not among the columns given'):
        frame.rename({"b": "B"}).select(anorand.score(["a", "B", "c"], model))


def test_names_are_checked_without_rows_too(frame: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match='needs "b"'):
        frame.clear().select(anorand.score(["a", "c"], model))


def test_duplicate_names_are_refused(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match="multiple fields with name 'a'"):
        frame.select(anorand.fit(["a", "a"], **FAST))


def test_any_name_will_do(frame: pl.DataFrame) -> None:
    names = ["", "with space", 'quote"', "naïve 🙂", "__metadata__", "nd.0.weight", "line\nbreak"]
    renamed = pl.DataFrame({name: frame["a"] * at for at, name in enumerate(names, 1)})
    model = anorand.Model(renamed.select(anorand.fit(pl.all(), **FAST)).item())
    assert model.features == names
    assert renamed.select(anorand.score(pl.all(), model)).to_series().null_count() == 0


def test_a_struct_is_its_fields(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    packed = frame.select(s=pl.struct(FEATURES))
    assert packed.select(anorand.score("s", model)).to_series().equals(scores)
    assert frame.select(anorand.score(pl.struct(FEATURES), model)).to_series().equals(scores)


def test_a_single_column_needs_no_struct(frame: pl.DataFrame) -> None:
    model = anorand.Model(frame.select(pl.col("a").anorand.fit(**FAST)).item())
    assert model.features == ["a"]
    assert frame.select(pl.col("a").anorand.score(model)).to_series().null_count() == 0


@pytest.mark.parametrize("verb", [verb for verb in VERBS if not verb.compares], ids=str)
def test_a_result_never_takes_the_place_of_a_feature(frame: pl.DataFrame, verb: Verb) -> None:
    name = verb.result
    renamed = frame.rename({"a": name})
    features = [name, "b", "c"]
    model = renamed.select(anorand.fit(features, name="bytes", **FAST)).item()
    with pytest.raises(pl.exceptions.ComputeError, match=f'the feature "{name}" has the name of the result'):
        renamed.lazy().with_columns(verb.call(features, model)).collect_schema()
    out = renamed.with_columns(verb.call(features, model, name="result"))
    assert out.columns == [*renamed.columns, "result"]
    assert out.select(renamed.columns).equals(renamed)


@every_verb
def test_a_result_has_the_name_that_is_given(frame: pl.DataFrame, model: anorand.Model, verb: Verb) -> None:
    assert frame.select(verb.call(FEATURES, model)).columns == [verb.result]
    assert frame.select(verb.call(FEATURES, model, name="a result")).columns == ["a result"]
    assert frame.select(verb.call(FEATURES, model).alias("other")).columns == ["other"]
    with pytest.raises(TypeError, match="name must be a str, got 3"):
        verb.call(FEATURES, model, name=3)
