"""Contract: a call that was meant otherwise is an error at once, which says in one line what to write."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FEATURES

import polars_anorand as anorand


def message(call: Callable[[], object], kind: type[Exception] = TypeError) -> str:
    """The text of the error, which is short."""
    with pytest.raises(kind) as error:
        call()
    assert len(str(error.value)) < 300
    return str(error.value)


@pytest.mark.parametrize("verb", [anorand.fit, anorand.score, anorand.detect])
def test_a_frame_where_columns_are_expected_says_how_a_frame_is_scored(frame: pl.DataFrame, verb: Any) -> None:
    for given in [frame, frame.lazy(), frame.to_dict(as_series=False)]:
        text = message(lambda given=given: verb(given))
        assert "features must be columns, such as pl.col('x', 'y'), got " in text
        assert "anorand.train(frame), and model.score(frame), model.detect(frame)" in text


@pytest.mark.parametrize("verb", [anorand.score, anorand.detect, anorand.explain, anorand.embed])
def test_a_frame_and_a_model_do_too(frame: pl.DataFrame, model: anorand.Model, verb: Any) -> None:
    assert "model.score(frame)" in message(lambda: verb(frame, model))


def test_a_table_of_another_library_says_how_it_becomes_one_of_polars(model: anorand.Model) -> None:
    array = np.zeros((3, 3))
    assert "pl.DataFrame(array) makes one of Polars" in message(lambda: anorand.fit(array))
    assert "pl.DataFrame(array) makes one of Polars" in message(lambda: anorand.train(array))
    pandas = pytest.importorskip("pandas").DataFrame({"a": [1]})
    for call in [anorand.train, anorand.profile, lambda table: anorand.drift(table, model), model.detect]:
        assert "got pandas.DataFrame; pl.from_pandas(frame) makes one of Polars" in message(
            lambda call=call: call(pandas)
        )


def test_none_is_no_model() -> None:
    for call in [anorand.score, anorand.detect, lambda x, model: pl.col(x).anorand.score(model)]:
        text = message(lambda call=call: call("x", None))
        assert text == "model is None; leave it out to fit a model on the rows themselves"
    assert "model must be a path, bytes, a Model, " in message(lambda: anorand.explain("x", None))


def test_a_frame_of_models_is_no_model(frame: pl.DataFrame) -> None:
    models = frame.select(anorand.fit(FEATURES, epochs=1, min_steps=0))
    assert "pass fitted.item() of one model" in message(lambda: anorand.score(FEATURES, models))


def test_bytes_are_no_path(model: anorand.Model) -> None:
    text = message(lambda: anorand.Model.load(model.to_bytes()))
    assert text.endswith("(bytes): Model(data) makes a model of bytes")


@pytest.mark.parametrize(
    ("option", "advice"),
    [
        ("epoch", "did you mean epochs?"),
        ("batchsize", "did you mean batch_size?"),
        ("random_state", "did you mean seed?"),
        ("n_estimators", "did you mean members?"),
        ("max_iter", "did you mean epochs?"),
        ("contamination", "a fit needs none; detect(…, contamination=…) says which rows are outliers"),
        ("n_jobs", "POLARS_MAX_THREADS sets the number of threads"),
        ("colour", "help(polars_anorand.FitOptions) lists them"),
    ],
)
def test_an_option_that_does_not_exist_says_what_was_meant(
    frame: pl.DataFrame, model: anorand.Model, option: str, advice: str
) -> None:
    calls: list[Callable[..., object]] = [
        lambda **more: anorand.fit("x", **more),
        lambda **more: anorand.score("x", **more),
        lambda **more: anorand.score("x", model, **more),
        lambda **more: anorand.train(frame, FEATURES, **more),
    ]
    for call in calls:
        assert message(lambda call=call: call(**{option: 1})) == f"there is no option {option!r}: {advice}"


def test_a_missing_file_whose_name_may_be_a_columns_says_how_a_column_is_given(frame: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=r'a column of models is pl.col\("model"\)'):
        frame.select(pl.col(FEATURES).anorand.score("model"))
    with pytest.raises(pl.exceptions.ComputeError, match=r"can't be read: No such file or directory \(os error 2\)\s"):
        frame.select(pl.col(FEATURES).anorand.score("model.safetensors"))


def test_a_model_without_a_suffix_is_still_a_path(frame: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    found = frame.select(anorand.score(FEATURES, tmp_path / "model")).to_series()
    assert found.equals(frame.select(anorand.score(FEATURES, model)).to_series())


def test_a_frame_that_lacks_a_feature_is_told_which_it_has(
    frame: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    calls: list[Callable[[Any], object]] = [
        model.score,
        model.detect,
        model.explain,
        model.cells,
        lambda given: anorand.split(given, model),
        lambda given: anorand.drift(given, model),
        lambda given: anorand.report(given, model, path=tmp_path / "report.html"),
    ]
    for given in [frame.drop("b", "c"), frame.lazy().drop("b", "c")]:
        for call in calls:
            text = message(lambda call=call, given=given: call(given), pl.exceptions.ColumnNotFoundError)
            assert text.startswith(
                "the frame has no column 'b', 'c', which the model was fitted on; it has 'a': rename"
            )
    wide = pl.DataFrame({f"column {i}": [1] for i in range(200)})
    assert "'column 9' and 190 more" in message(lambda: model.score(wide), pl.exceptions.ColumnNotFoundError)


def test_fit_options_beside_a_model_say_what_to_leave_out(model: anorand.Model) -> None:
    text = message(lambda: anorand.score(FEATURES, model, seed=3, epochs=2))
    assert "got a model and seed, epochs: leave out the options to score with the model" in text


@pytest.mark.parametrize("over", [False, True])
def test_a_path_for_the_models_of_several_groups_is_an_error(frame: pl.DataFrame, tmp_path: Path, over: bool) -> None:
    grouped = frame.head(200).with_columns(group=pl.int_range(pl.len()) % 4)
    fit = anorand.fit(FEATURES, path=tmp_path / "model.safetensors", epochs=1, min_steps=0)
    with pytest.raises(pl.exceptions.ComputeError, match="more than one model for the one path .* leave path out"):
        grouped.with_columns(fit.over("group")) if over else grouped.group_by("group").agg(fit)
    query = grouped.lazy().filter(pl.col("a") < pl.col("a").max()).select(fit)
    for _ in range(2):  # a query that is collected again writes its file again
        (tmp_path / "model.safetensors").unlink()
        data = query.collect().item()
        assert anorand.Model.load(tmp_path / "model.safetensors").to_bytes() == data


def test_a_feature_without_any_value_warns(frame: pl.DataFrame) -> None:
    empty = frame.with_columns(b=pl.lit(float("nan")), d=pl.lit(None, dtype=pl.String))
    with pytest.warns(UserWarning, match="has no value") as shown:
        empty.select(anorand.fit([*FEATURES, "d"], epochs=1, min_steps=0))
    told = [str(each.message).partition(":")[2].partition(":")[0] for each in shown]
    assert sorted(told) == [f' feature "{name}" has no value in any row of the fit' for name in "bd"]
