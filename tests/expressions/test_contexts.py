"""Contract: the verbs work wherever Polars takes an expression, and give there what they give eagerly.

docs/expressions.md says what each context means, and which have no meaning.
"""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import polars.selectors as cs
import pytest
from conftest import FAST, FEATURES
from verbs import APPLYING, Verb, every_applying_verb, every_verb

import polars_anorand as anorand


@pytest.fixture(scope="module")
def grouped(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(id=pl.int_range(pl.len()), g=pl.int_range(pl.len()) % 3)


def close(one: pl.Series, other: pl.Series) -> None:
    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "features",
    [["a", "b", "c"], pl.col("a", "b", "c"), pl.exclude("id", "g"), pl.selectors.by_name("a", "b", "c"),
     [pl.col("a"), pl.col("b", "c")], pl.struct("a", "b", "c")],
    ids=["names", "columns", "exclude", "selector", "list", "struct"],
)  # fmt: skip
def test_features_come_in_many_forms(grouped: pl.DataFrame, scores: pl.Series, features: object) -> None:
    out = grouped.select(anorand.score(features, **FAST)).to_series()
    assert out.equals(scores)


def test_one_model_a_group(grouped: pl.DataFrame) -> None:
    models = grouped.group_by("g", maintain_order=True).agg(anorand.fit(FEATURES, **FAST))
    assert models.schema["model"] == pl.Binary
    for key, model in models.iter_rows():
        alone = grouped.filter(pl.col("g") == key).select(anorand.fit(FEATURES, **FAST)).item()
        assert model == alone


def test_a_group_of_one_row_is_an_error_that_quotes_the_row_and_names_the_remedy(grouped: pl.DataFrame) -> None:
    lonely = grouped.with_columns(
        g=pl.when(pl.col("id") == 7).then(99).otherwise("g"), a=pl.when(pl.col("id") == 7).then(0.125).otherwise("a"),
        note=pl.lit("a comment that is too long to be quoted"),
    )  # fmt: skip
    features = ["a", "note", "c"]
    row = re.escape('the group with the row {a=0.125, note="a comment that is too l…, c=')
    message = rf"at least 2 rows, got 1; in a group_by or over, .*{row}\d+}}: give by= instead"
    for query in [
        lonely.lazy().group_by("g").agg(anorand.fit(features, **FAST)),
        lonely.lazy().select(anorand.fit(features, **FAST).over("g")),
        lonely.lazy().select(anorand.score(features, **FAST).over("g")),
    ]:
        with pytest.raises(pl.exceptions.ComputeError, match=message):
            query.collect()
    with pytest.warns(UserWarning, match="1 of 4 groups are too small .* 99"):
        scores = lonely.select(anorand.score(features, by="g", **FAST)).to_series()
    assert scores.is_null().arg_true().to_list() == [7]


def test_one_model_a_row_after_a_join(grouped: pl.DataFrame) -> None:
    models = grouped.group_by("g").agg(anorand.fit(FEATURES, **FAST))
    joined = grouped.join(models, on="g").with_columns(anorand.score(FEATURES, pl.col("model"))).sort("id")
    for key, model in models.iter_rows():
        part = grouped.filter(pl.col("g") == key)
        close(joined.filter(pl.col("g") == key)["score"], part.select(anorand.score(FEATURES, model)).to_series())


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_one_model_a_row_in_both_engines(grouped: pl.DataFrame, engine: str) -> None:
    models = grouped.group_by("g").agg(anorand.fit(FEATURES, **FAST))
    lazy = grouped.lazy().join(models.lazy(), on="g").with_columns(anorand.score(FEATURES, pl.col("model")))
    eager = grouped.join(models, on="g").with_columns(anorand.score(FEATURES, pl.col("model"))).sort("id")
    close(lazy.collect(engine=engine).sort("id")["score"], eager["score"])


def test_fit_and_score_over_groups(grouped: pl.DataFrame) -> None:
    over = grouped.with_columns(anorand.score(FEATURES, **FAST).over("g"))
    for key in range(3):
        part = grouped.filter(pl.col("g") == key)
        close(over.filter(pl.col("g") == key)["score"], part.select(anorand.score(FEATURES, **FAST)).to_series())


def test_scores_in_a_group_by(grouped: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    lists = grouped.group_by("g").agg("id", anorand.score(FEATURES, model))
    close(lists.explode("id", "score").sort("id")["score"], scores)
    highest = grouped.group_by("g", maintain_order=True).agg(anorand.score(FEATURES, model).max())
    expected = grouped.with_columns(scores.alias("score")).group_by("g", maintain_order=True).agg(pl.col("score").max())
    close(highest["score"], expected["score"])


def test_a_model_fitted_inside_the_same_query(frame: pl.DataFrame, scores: pl.Series) -> None:
    out = frame.lazy().select(anorand.score(FEATURES, anorand.fit(FEATURES, **FAST))).collect()
    close(out["score"], scores)


def test_a_fit_broadcasts_like_any_aggregation(frame: pl.DataFrame, model: anorand.Model) -> None:
    out = frame.with_columns(anorand.fit(FEATURES, **FAST))
    assert out.height == frame.height
    assert out["model"].n_unique() == 1
    assert out["model"][0] == model.to_bytes()


def test_a_predicate_goes_below_the_score(grouped: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    grouped.write_parquet(tmp_path / "rows.parquet")
    lazy = (
        pl.scan_parquet(tmp_path / "rows.parquet").with_columns(anorand.score(FEATURES, model)).filter(pl.col("g") == 1)
    )
    assert "SELECTION" in lazy.explain()
    expected = grouped.filter(pl.col("g") == 1).select(anorand.score(FEATURES, model))
    close(lazy.collect()["score"], expected["score"])


def test_a_score_in_an_expression(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    score = anorand.score(FEATURES, model)
    flagged = frame.select(pl.when(score > scores.median()).then(pl.lit("odd")).otherwise(pl.lit("usual"))).to_series()
    assert (flagged == "odd").equals((scores > scores.median()).alias(flagged.name))
    assert flagged.n_unique() == 2


def test_a_plan_travels_to_another_process(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, tmp_path: Path
) -> None:
    frame.write_parquet(tmp_path / "rows.parquet")
    model.save(tmp_path / "model.safetensors")
    for number, source in enumerate([model, tmp_path / "model.safetensors"]):
        lazy = pl.scan_parquet(tmp_path / "rows.parquet").select(anorand.score(FEATURES, source))
        lazy.serialize(tmp_path / "plan")
        # The plan has all that it takes: the other process need not import the package.
        program = f"""
import polars as pl
pl.LazyFrame.deserialize(open({str(tmp_path / "plan")!r}, "rb")).collect().write_parquet({str(tmp_path / "out")!r})
"""
        run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert run.returncode == 0, f"{number}: {run.stderr}"
        assert pl.read_parquet(tmp_path / "out")["score"].equals(scores)


def test_an_expression_travels_too(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    expression = pl.Expr.deserialize(anorand.score(FEATURES, model).meta.serialize())
    assert frame.select(expression).to_series().equals(scores)


def test_one_struct_row_goes_to_every_model(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    models = pl.Series([model.to_bytes()] * 3)
    out = frame.head(1).select(anorand.score(pl.struct(FEATURES).first(), pl.lit(models))).to_series()
    close(out, pl.Series([scores[0]] * 3, dtype=pl.Float32))


@pytest.fixture(scope="module")
def hourly(grouped: pl.DataFrame) -> pl.DataFrame:
    return grouped.with_columns(time=datetime(2024, 1, 1) + pl.duration(hours=pl.col("id")))


def test_one_model_a_window_of_time(hourly: pl.DataFrame, model: anorand.Model) -> None:
    """group_by_dynamic."""
    windows = hourly.group_by_dynamic("time", every="5d").agg(
        anorand.fit(FEATURES, **FAST), anorand.score(FEATURES, model).max(), own=anorand.score(FEATURES, **FAST).max()
    )
    assert windows.height == 5
    for start, fitted, highest, own in windows.iter_rows():
        rows = hourly.filter(pl.col("time").is_between(start, start + timedelta(days=5), closed="left"))
        assert fitted == rows.select(anorand.fit(FEATURES, **FAST)).item()
        assert highest == pytest.approx(rows.select(anorand.score(FEATURES, model).max()).item(), abs=1e-6)
        assert own == pytest.approx(rows.select(anorand.score(FEATURES, **FAST).max()).item(), abs=1e-6)


def test_a_score_of_each_rolling_window_is_that_of_its_last_row(
    hourly: pl.DataFrame, model: anorand.Model, scores: pl.Series
) -> None:
    rolled = hourly.rolling("time", period="1d").agg(anorand.score(FEATURES, model).last())
    close(rolled["score"], scores)


def test_a_fit_in_a_rolling_window_needs_rows(hourly: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match="at least 2 rows, got 1; .* the group with the row {a="):
        hourly.head(5).rolling("time", period="1d").agg(anorand.fit(FEATURES, **FAST))


def test_a_branch_of_when_is_the_score_of_all_rows(
    frame: pl.DataFrame, model: anorand.Model, scores: pl.Series
) -> None:
    """Polars computes both branches for all rows: a condition does not choose what a fit sees."""
    positive = (frame["a"] > 0).to_list()
    expected = pl.Series([score if keep else None for score, keep in zip(scores, positive, strict=True)])
    for expression in [anorand.score(FEATURES, model), anorand.score(FEATURES, **FAST)]:
        close(frame.select(pl.when(pl.col("a") > 0).then(expression)).to_series(), expected)


@pytest.mark.parametrize(
    "selector",
    [
        cs.numeric() - cs.by_name("id", "g"),
        cs.exclude("id", "g"),
        cs.matches("^[abc]$"),
        cs.first() | cs.by_index(1, 2),
    ],
    ids=["numeric", "exclude", "matches", "set"],
)
def test_selectors(grouped: pl.DataFrame, model: anorand.Model, scores: pl.Series, selector: pl.Expr) -> None:
    assert grouped.select(anorand.score(selector, model)).to_series().equals(scores)
    assert grouped.select(selector.anorand.score(model)).to_series().equals(scores)  # type: ignore[attr-defined]
    assert grouped.select(selector.anorand.fit(**FAST)).item() == model.to_bytes()  # type: ignore[attr-defined]


@every_verb
@pytest.mark.parametrize("lazy", [False, True])
def test_no_column_is_an_error(frame: pl.DataFrame, model: anorand.Model, lazy: bool, verb: Verb) -> None:
    expression = verb.call(cs.string(), model)
    with pytest.raises(pl.exceptions.PolarsError, match="expected at least 1 input"):
        frame.lazy().select(expression).collect_schema() if lazy else frame.select(expression)
    with pytest.raises(pl.exceptions.PolarsError, match="expected at least 1 input"):
        pl.DataFrame().select(expression)
    with pytest.raises(ValueError, match="there is no feature: the list is empty"):
        verb.call([], model)


def test_empty_frames_have_the_schema_of_full_ones(frame: pl.DataFrame, model: anorand.Model) -> None:
    verbs = [
        *(verb.call(FEATURES, model) for verb in APPLYING),
        *(verb.fit(FEATURES, name=f"own {verb}") for verb in APPLYING if verb.fits),
        anorand.explain(FEATURES, model, top=1, name="top"),
    ]
    full = frame.select(verbs)
    for empty in [frame.clear().select(verbs), frame.lazy().filter(pl.lit(False)).select(verbs).collect()]:
        assert empty.schema == full.schema == frame.lazy().select(verbs).collect_schema()
        assert empty.height == 0


def test_plans_can_be_read(frame: pl.DataFrame, model: anorand.Model) -> None:
    lazy = frame.lazy().with_columns(anorand.score(FEATURES, model), anorand.fit(FEATURES, **FAST))
    for engine in ["in-memory", "streaming"]:
        plan = lazy.explain(engine=engine)  # type: ignore[arg-type]
        assert "anorand_score" in plan
        assert "anorand_fit" in plan
        assert len(plan) < 5_000
    assert str(anorand.score(FEATURES, model)).count("anorand_score") == 1


def test_an_unused_score_is_not_computed(frame: pl.DataFrame) -> None:
    broken = frame.lazy().with_columns(anorand.score(FEATURES, b"not a model"))
    assert broken.select("a").collect().equals(frame.select("a"))


def test_several_queries_at_once(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    lazy = frame.lazy()
    scored, fitted, own = pl.collect_all(
        [
            lazy.select(anorand.score(FEATURES, model)),
            lazy.select(anorand.fit(FEATURES, **FAST)),
            lazy.select(anorand.score(FEATURES, **FAST)),
        ]
    )
    close(scored["score"], scores)
    close(own["score"], scores)
    assert fitted.item() == model.to_bytes()


def test_batches(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    lazy = frame.lazy().with_columns(id=pl.int_range(pl.len())).with_columns(anorand.score(FEATURES, model))
    batches = pl.concat(list(lazy.collect_batches(chunk_size=70)))
    close(batches.sort("id")["score"], scores)


@pytest.mark.parametrize("kind", ["parquet", "ipc", "ndjson"])
def test_sinks(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series, tmp_path: Path, kind: str) -> None:
    lazy = frame.lazy().with_columns(id=pl.int_range(pl.len())).with_columns(
        anorand.score(FEATURES, model), anorand.detect(FEATURES, model), anorand.explain(FEATURES, model)
    )  # fmt: skip
    getattr(lazy, f"sink_{kind}")(tmp_path / "out")
    read = getattr(pl, f"read_{kind}")(tmp_path / "out").sort("id")
    close(read["score"].cast(pl.Float32), scores)
    close(read["anomaly"].struct.field("score").cast(pl.Float32), scores)


def test_sql(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    scored = frame.lazy().with_columns(id=pl.int_range(pl.len())).with_columns(anorand.score(FEATURES, model))
    context = pl.SQLContext(scored=scored)
    strangest = context.execute("SELECT id, score FROM scored ORDER BY score DESC LIMIT 3").collect()
    assert strangest["id"].to_list() == scores.arg_sort(descending=True)[:3].to_list()
    assert (
        context.execute("SELECT count(*) AS n FROM scored WHERE score > 0.5").collect().item() == (scores > 0.5).sum()
    )


def test_frames_from_pandas_and_arrow(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    for other in [pl.from_pandas(frame.to_pandas()), pl.DataFrame(frame.to_pandas()), pl.from_arrow(frame.to_arrow())]:
        assert isinstance(other, pl.DataFrame)
        assert other.select(anorand.score(FEATURES, model)).to_series().equals(scores)


def test_ordering_and_ranking_by_a_score(frame: pl.DataFrame, model: anorand.Model, scores: pl.Series) -> None:
    indexed = frame.with_row_index()
    expected = scores.arg_sort(descending=True).to_list()
    assert indexed.sort(anorand.score(FEATURES, model), descending=True)["index"].to_list() == expected
    top = indexed.top_k(5, by=anorand.score(FEATURES, model))
    assert sorted(top["index"].to_list()) == sorted(expected[:5])


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_thousands_of_models_in_one_batch(engine: str) -> None:
    """A model column after a join, each model in a few rows, mixed."""
    rng = np.random.default_rng(0)
    keys = np.repeat(np.arange(2_000), 4)
    rows = pl.DataFrame({"k": keys, "a": rng.normal(size=8_000), "b": rng.normal(size=8_000)})
    rows = rows.sample(fraction=1, shuffle=True, seed=0)
    tiny: anorand.FitOptions = {"members": 1, "hidden": [2], "latent": 1, "epochs": 1, "min_steps": 0}
    models = rows.select(anorand.fit(["a", "b"], by="k", min_group_rows=2, **tiny)).unnest("model")
    assert models["model"].n_unique() == 2_000
    joined = rows.lazy().join(models.lazy(), on="k").select("k", "a", anorand.score(["a", "b"], pl.col("model")))
    expected = rows.select("k", "a", anorand.score(["a", "b"], by="k", min_group_rows=2, **tiny))
    close(joined.collect(engine=engine).sort("k", "a")["score"], expected.sort("k", "a")["score"])  # type: ignore[call-overload]


@every_applying_verb
def test_every_verb_in_groups(grouped: pl.DataFrame, model: anorand.Model, verb: Verb) -> None:
    plain = grouped.select(verb.call(FEATURES, model)).to_series()
    lists = grouped.group_by("g").agg("id", verb.call(FEATURES, model)).explode("id", verb.result).sort("id")
    over = grouped.select(verb.call(FEATURES, model).over("g")).to_series()
    for grouped_result in [lists[verb.result], over]:
        assert grouped_result.dtype == plain.dtype
        np.testing.assert_allclose(numbers(grouped_result), numbers(plain), rtol=0, atol=1e-5)


def numbers(result: pl.Series) -> np.ndarray:
    """A verb's result as a matrix of a row for each row."""
    if isinstance(result.dtype, pl.Struct):
        fields = pl.concat_list(pl.all().cast(pl.Float32)).list.to_array(len(result.struct.fields))
        result = result.struct.unnest().select(fields).to_series()
    return result.to_numpy()


def test_expressions_as_features(frame: pl.DataFrame) -> None:
    computed = [pl.col("a").abs(), (pl.col("b") / 100).alias("ratio"), pl.col("c").log1p()]
    expected = frame.select(computed).select(anorand.score(pl.all(), **FAST)).to_series()
    assert frame.select(anorand.score(computed, **FAST)).to_series().equals(expected)


def test_a_constant_feature_broadcasts(frame: pl.DataFrame, model: anorand.Model) -> None:
    expected = frame.with_columns(c=pl.lit(3)).select(anorand.score(FEATURES, model)).to_series()
    assert frame.select(anorand.score(["a", "b", pl.lit(3).alias("c")], model)).to_series().equals(expected)


def test_a_model_of_each_list(frame: pl.DataFrame) -> None:
    lists = frame.select(pl.col("a").reshape((5, 100)).arr.to_list())
    out = lists.select(pl.col("a").list.eval(anorand.score(pl.element(), **FAST)))
    for at, scored in enumerate(out.to_series()):
        alone = frame.slice(100 * at, 100).select(anorand.score(pl.col("a").alias(""), **FAST)).to_series()
        close(scored, alone)
