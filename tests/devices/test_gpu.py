"""What holds on a GPU. Without one, each test is skipped, and says why there is none.

These need Polars and pytest alone, so that they can be carried to a machine that has little else.
"""

from __future__ import annotations

import math
import random
import subprocess
import sys
import textwrap
import threading

import polars as pl
import pytest

import polars_anorand as anorand

FEATURES = ["a", "b", "c", "d"]
PRESETS = ["default", "paper"]

pytestmark = [pytest.mark.gpu, pytest.mark.torch]


@pytest.fixture(autouse=True)
def gpu() -> None:
    """Skips a test where there is no GPU."""
    second = anorand.devices().row(1, named=True)
    if not second["usable"]:
        pytest.skip(f"no GPU: {second['note']}")


def rows(count: int, seed: int) -> pl.DataFrame:
    """Rows on a curved surface; 1 in 20 is off it (`odd`)."""
    drawn = random.Random(seed)
    table = []
    for at in range(count):
        u, v = drawn.gauss(0, 1), drawn.gauss(0, 1)
        odd = at % 20 == 0
        off = drawn.choice([-4.0, 4.0]) if odd else 0.0
        table.append((u, v, u * v + off, math.sin(u) + 0.1 * drawn.gauss(0, 1), odd))
    return pl.DataFrame(table, schema=[*FEATURES, "odd"], orient="row")


def fitted(frame: pl.DataFrame, device: str, **options: object) -> anorand.Model:
    options = {"epochs": 20, **options}
    return anorand.Model(frame.select(anorand.fit(FEATURES, device=device, **options)).item())


def auc_roc(scores: pl.Series, odd: pl.Series) -> float:
    """The probability that an odd row's score is above another's."""
    ranks = scores.rank("average")
    high, low = odd.sum(), (~odd).sum()
    return (ranks.filter(odd).sum() - high * (high + 1) / 2) / (high * low)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("fit_on", ["cpu", "cuda"])
def test_a_model_scores_alike_on_either_device_wherever_it_was_fitted(preset: str, fit_on: str) -> None:
    frame = rows(3_000, 0)
    model = fitted(frame, fit_on, preset=preset)
    far = frame.vstack(frame.head(50).with_columns(pl.col(FEATURES) * 1e6))
    on_cpu, on_gpu = (
        far.select(anorand.score(FEATURES, model, device=device)).to_series() for device in ["cpu", "cuda"]
    )
    assert (on_cpu - on_gpu).abs().max() < 1e-4


def test_tf32_is_coarser_and_only_where_it_is_asked_for() -> None:
    frame = rows(3_000, 9)
    model = fitted(frame, "cpu")

    def on_gpu(precision: str) -> pl.Series:
        return frame.select(anorand.score(FEATURES, model, device="cuda", precision=precision)).to_series()

    before, coarse, after = on_gpu("float32"), on_gpu("tf32"), on_gpu("float32")
    assert (before - after).abs().max() < 1e-6
    assert 1e-6 < (before - coarse).abs().max() < 0.02


@pytest.mark.parametrize("preset", PRESETS)
def test_detect_explain_and_embed_agree(preset: str) -> None:
    frame = rows(1_000, 1)
    model = fitted(frame, "cpu", preset=preset)

    def on(device: str) -> pl.DataFrame:
        return frame.select(
            anorand.detect(FEATURES, model, device=device).struct.field("score", "percentile"),
            anorand.explain(FEATURES, model, device=device).struct.unnest(),
            anorand.embed(FEATURES, model, device=device).arr.to_struct().struct.unnest(),
        )

    difference = on("cpu") - on("cuda")
    limits = {"percentile": 0.002}
    for column in difference.get_columns():
        assert column.abs().max() < limits.get(column.name, 1e-3), column.name


@pytest.mark.parametrize("preset", PRESETS)
def test_a_fit_is_as_good_as_on_the_cpu(preset: str) -> None:
    # Data, noise and first weights are the same, so that only rounding differs, and what training makes of it.
    train, test = rows(4_000, 2), rows(4_000, 3)
    reached: dict[str, list[float]] = {"cpu": [], "cuda": []}
    for device, values in reached.items():
        for seed in range(3):
            model = fitted(train, device, preset=preset, seed=seed)
            values.append(auc_roc(test.select(anorand.score(FEATURES, model)).to_series(), test["odd"]))
    means = {device: sum(values) / 3 for device, values in reached.items()}
    assert abs(means["cpu"] - means["cuda"]) < 0.02, reached


def test_labels_choices_and_groups_work() -> None:
    frame = rows(2_000, 4).with_columns(group=pl.int_range(pl.len()) % 3)
    reached = {}
    for device in ["cpu", "cuda"]:
        fit = anorand.fit(FEATURES, labels="odd", min_steps=200, device=device)
        labelled = anorand.Model(frame.select(fit).item())
        assert labelled.labels == {"anomalies": frame["odd"].sum(), "normal": (~frame["odd"]).sum(), "unlabelled": 0}
        reached[device] = auc_roc(frame.select(anorand.score(FEATURES, labelled)).to_series(), frame["odd"])
    assert reached["cpu"] > 0.9, reached
    assert abs(reached["cpu"] - reached["cuda"]) < 0.02, reached
    chosen = anorand.Model(frame.select(anorand.fit(FEATURES, loss_weight=[0.2, 0.5], device="cuda")).item())
    assert chosen.options["loss_weight"] in (0.2, 0.5)
    scores = frame.select(anorand.score(FEATURES, by="group", min_steps=20, device="cuda")).to_series()
    assert scores.null_count() == 0
    assert scores.n_unique() > 1_000


@pytest.mark.parametrize("preset", PRESETS)
def test_groups_train_together_and_score_as_on_the_cpu(preset: str) -> None:
    # Groups of two sizes, and one that is too small: two ensembles, and a null.
    sizes = [600] * 20 + [150] * 5 + [4]
    parts = [rows(size, 100 + at).with_columns(group=pl.lit(at)) for at, size in enumerate(sizes)]
    frame = pl.concat(parts)

    def models(device: str) -> pl.DataFrame:
        return frame.select(anorand.fit(FEATURES, by="group", preset=preset, epochs=5, device=device)).unnest("model")

    with pytest.warns(UserWarning, match="1 of 26 groups"):
        on_cpu, on_gpu = models("cpu"), models("cuda")
    assert on_cpu["model"].is_null().to_list() == on_gpu["model"].is_null().to_list() == [False] * 25 + [True]
    scores = [
        frame.join(fitted, on="group", maintain_order="left").select(anorand.score(FEATURES, pl.col("model")))
        for fitted in [on_cpu, on_gpu]
    ]
    # Only rounding differs, and what a short training makes of it.
    assert (scores[0] - scores[1])["score"].abs().max() < 0.05


def test_a_choice_on_the_gpu_is_that_of_the_cpu() -> None:
    frame = rows(2_000, 10)
    chosen = [fitted(frame, device, loss_weight=[1.0, 0.2], min_steps=100) for device in ["cpu", "cuda"]]
    assert chosen[0].options == chosen[1].options


def test_streaming_and_nulls() -> None:
    frame = rows(50_000, 5).with_columns(pl.when(pl.int_range(pl.len()) % 7 > 0).then("a").alias("a"))
    model = fitted(frame, "cuda")
    query = frame.lazy().select(anorand.score(FEATURES, model, device="cuda"))
    streamed, at_once = query.collect(engine="streaming"), query.collect(engine="in-memory")
    assert streamed["score"].null_count() == at_once["score"].null_count() == 0
    # On a GPU, the block that a row is in may decide the order of its sums.
    assert (streamed - at_once)["score"].abs().max() < 1e-5


def test_threads_share_the_device() -> None:
    frame = rows(20_000, 6)
    models = [fitted(frame, "cuda", seed=seed) for seed in range(3)]
    expected = [frame.select(anorand.score(FEATURES, model)).to_series() for model in models]
    failed: list[str] = []

    def work(at: int) -> None:
        for _ in range(5):
            found = frame.select(anorand.score(FEATURES, models[at % 3], device="cuda")).to_series()
            if (found - expected[at % 3]).abs().max() >= 1e-4:
                failed.append(f"thread {at}")
            fitted(frame.head(500), "cuda", seed=at)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


def test_steps_beyond_the_memory_are_an_error_and_the_process_lives() -> None:
    at = pl.int_range(1_000_000, eager=True).cast(pl.Float64)
    many = pl.DataFrame({"a": at.sin(), "b": at.cos(), "c": (at * 0.7).sin(), "d": at % 97})
    # Activations of a batch: some 200 GB.
    options = {"members": 1, "max_samples": 0, "batch_size": 1_000_000, "hidden": [4_096] * 4, "min_steps": 1}
    with pytest.raises(pl.exceptions.ComputeError, match="too little free memory"):
        fitted(many, "cuda", epochs=1, **options)
    frame = rows(200, 7)
    assert frame.select(anorand.score(FEATURES, fitted(frame, "cuda"), device="cuda")).to_series().null_count() == 0


def test_a_gpu_that_is_not_there_is_an_error() -> None:
    with pytest.raises(pl.exceptions.ComputeError, match='device "cuda:99" does not exist'):
        rows(50, 8).select(anorand.score(FEATURES, device="cuda:99"))


def test_a_forked_process_is_told_that_it_can_not_use_the_gpu() -> None:
    program = """
        import os
        import polars_anorand as anorand
        from polars_anorand import _polars_anorand as core

        assert anorand.devices().row(1)[1]
        if os.fork() == 0:
            # Not a query: Polars' own threads do not survive a fork either.
            print(core.devices()[1][2], flush=True)
            os._exit(0)
        os.wait()
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)], capture_output=True, text=True, check=True
    )
    assert "forked" in done.stdout
