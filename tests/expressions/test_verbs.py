"""Contract: each public verb is a function and a method of the namespace, with one name, dtype and kind of call.

The verbs are the rows of ``tests/verbs.py``; what else holds for each is in the other files of this folder.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import polars as pl
from conftest import FAST, FEATURES
from verbs import VERBS, Verb, every_applying_verb, every_fitting_verb, every_verb

import polars_anorand as anorand

ROWS = {verb.name for verb in VERBS}


def public(owner: object, names: list[str]) -> dict[str, inspect.Signature]:
    """The functions among the public names that return an expression."""
    functions = {name: getattr(owner, name) for name in names if not name.startswith("_")}
    signatures = {name: inspect.signature(each) for name, each in functions.items() if inspect.isfunction(each)}
    return {name: each for name, each in signatures.items() if str(each.return_annotation).endswith("Expr")}


def test_every_public_function_that_returns_an_expression_has_a_row() -> None:
    assert public(anorand, anorand.__all__).keys() == ROWS


def test_every_method_of_the_namespace_has_a_row() -> None:
    methods = {name for name in vars(anorand.Anorand) if not name.startswith("_")}
    assert methods == public(anorand.Anorand, dir(anorand.Anorand)).keys() == ROWS


@every_verb
def test_the_function_and_the_method_take_the_same_arguments(verb: Verb) -> None:
    _, *of_function = inspect.signature(verb.function).parameters.values()
    _, *of_method = inspect.signature(getattr(anorand.Anorand, verb.name)).parameters.values()
    assert of_function == of_method
    assert of_function[0].name == "model" or not verb.applies
    assert (inspect.Parameter.VAR_KEYWORD in {each.kind for each in of_function}) == verb.fits


@every_verb
def test_the_function_and_the_method_return_the_same(frame: pl.DataFrame, model: anorand.Model, verb: Verb) -> None:
    by_function = frame.select(verb.call(FEATURES, model))
    takes_model = verb.applies or verb.compares
    arguments = [model] if takes_model else []
    options = {} if takes_model else FAST
    for namespace in [pl.col(FEATURES).anorand, anorand.anorand(pl.col(FEATURES))]:
        assert frame.select(getattr(namespace, verb.name)(*arguments, **options)).equals(by_function)


@every_verb
def test_the_name_and_the_dtype_are_known_before_the_query_runs(
    frame: pl.DataFrame, model: anorand.Model, verb: Verb
) -> None:
    lazy = frame.lazy().select(verb.call(FEATURES, model))
    expected = {verb.result: verb.dtype(FEATURES, model)}
    assert lazy.collect_schema() == expected
    assert lazy.collect().schema == expected


@every_fitting_verb
def test_without_a_model_the_name_and_the_dtype_are_the_same(
    frame: pl.DataFrame, model: anorand.Model, verb: Verb
) -> None:
    lazy = frame.lazy().select(verb.fit(FEATURES))
    expected = {verb.result: verb.dtype(FEATURES, model)}
    assert lazy.collect_schema() == expected
    assert lazy.collect().schema == expected


def filtered(frame: pl.DataFrame, folder: Path, expression: pl.Expr) -> pl.LazyFrame:
    """A filter on another column after the verb, over a Parquet scan."""
    frame.with_columns(g=pl.int_range(pl.len()) % 3).write_parquet(folder / "rows.parquet")
    return pl.scan_parquet(folder / "rows.parquet").with_columns(expression).filter(pl.col("g") == 1)


@every_applying_verb
def test_with_a_model_a_verb_is_elementwise(
    frame: pl.DataFrame, model: anorand.Model, tmp_path: Path, verb: Verb
) -> None:
    """Polars moves a filter on another column below it, into the scan."""
    lazy = filtered(frame, tmp_path, verb.call(FEATURES, model, name="result"))
    assert "SELECTION" in lazy.explain()
    assert lazy.collect().height == len(range(1, frame.height, 3))


@every_fitting_verb
def test_without_a_model_a_verb_sees_all_rows(frame: pl.DataFrame, tmp_path: Path, verb: Verb) -> None:
    """A filter on another column stays above it."""
    lazy = filtered(frame, tmp_path, verb.fit(FEATURES, name="result"))
    assert "SELECTION" not in lazy.explain()
    whole = frame.with_columns(verb.fit(FEATURES, name="result"))
    assert lazy.collect()["result"].equals(whole["result"].gather_every(3, 1))
