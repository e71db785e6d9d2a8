"""Contract: a model says what its training did, in numbers, as a chart and in notebooks."""

from __future__ import annotations

import polars as pl
import pytest
from conftest import internals

import polars_anorand as anorand


def fitted(frame: pl.DataFrame, **options: object) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(pl.all(), **options)).item())  # type: ignore[arg-type]


@pytest.mark.parametrize("preset", ["default", "paper"])
def test_losses_are_kept_from_the_first_epoch_to_the_last(frame: pl.DataFrame, preset: str) -> None:
    training = fitted(frame, preset=preset).training
    losses = training["losses"]
    assert [each["epochs"] for each in losses] == sorted({each["epochs"] for each in losses})
    assert (losses[0]["epochs"], losses[-1]["epochs"]) == (0, training["epochs"])
    assert 10 < len(losses) <= 21
    for name in ["cross_entropy", "reconstruction"]:
        assert losses[0][name] == training["before"][name]
        assert losses[-1][name] == training["after"][name]
        assert losses[0][name] > losses[len(losses) // 2][name] > 0


def test_losses_on_the_way_are_those_of_a_shorter_training(frame: pl.DataFrame) -> None:
    """With a constant learning rate, a training of k epochs is the beginning of a longer one."""
    options = {"preset": "paper", **internals(schedule="constant")}
    long, short = (fitted(frame, epochs=epochs, **options).training for epochs in (40, 20))
    (at_20,) = [each for each in long["losses"] if each["epochs"] == 20]
    for name in ["cross_entropy", "reconstruction"]:
        assert at_20[name] == short["after"][name]


def test_few_epochs_have_two_losses(frame: pl.DataFrame) -> None:
    assert len(fitted(frame, preset="paper", epochs=3).training["losses"]) == 2


def test_the_chart_has_both_losses(model: anorand.Model) -> None:
    spec = model.plot().to_dict()
    values = spec["data"]["values"]
    assert len(values) == 2 * len(model.training["losses"])
    assert {each["loss"] for each in values} == {
        each[name] for each in model.training["losses"] for name in ("cross_entropy", "reconstruction")
    }


def test_a_notebook_shows_a_table(frame: pl.DataFrame) -> None:
    odd = frame.rename({"a": "<script>"})
    shown = fitted(odd, epochs=1, min_steps=0)._repr_html_()
    assert "&lt;script&gt;" in shown
    assert "<script>" not in shown
    assert "500" in shown


def test_a_notebook_shows_features_and_threshold_first_and_losses_folded_away(frame: pl.DataFrame) -> None:
    shown = anorand.train(frame, ["a", "c"], seed=0)
    page = shown._repr_html_()
    first, _, folded = page.partition("<details>")
    for usual in shown.statistics["usual"]:
        assert f"<td>{usual}</td>" in first
    assert f"<td>{shown.threshold(0.01):.4f}, above it 1% of the training rows</td>" in first
    assert "<th>training rows</th><td>500</td>" in first
    for part in ["5 networks (", "% noise detection, ", "distances from kept rows", "evidence of each cell"]:
        assert part in first
    assert "reconstruction error" in folded
    assert "reconstruction error" not in first
