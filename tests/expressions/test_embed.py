"""Contract: `embed` is the latent (z0, z1) of eq. 1, of each member in turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import reference
from conftest import FAST, FEATURES

import polars_anorand as anorand

PAPER: anorand.FitOptions = {"preset": "paper", "epochs": 2}


@pytest.fixture(scope="module")
def paper(frame: pl.DataFrame) -> anorand.Model:
    return anorand.Model(frame.select(anorand.fit(FEATURES, **PAPER)).item())


def test_the_papers_network_embeds_in_twice_its_latent(frame: pl.DataFrame, paper: anorand.Model) -> None:
    lazy = frame.lazy().select(anorand.embed(FEATURES, paper))
    assert lazy.collect_schema() == {"embedding": pl.Array(pl.Float32, 32)}
    assert lazy.collect().schema == {"embedding": pl.Array(pl.Float32, 32)}
    assert paper.embedding_width == 2 * paper.options["latent"] == 32


@pytest.mark.parametrize("options", [PAPER, FAST, {"members": 3, "hidden": [7, 5, 4], "latent": 3, **FAST}], ids=str)
def test_it_is_the_latent_of_the_equations(frame: pl.DataFrame, options: anorand.FitOptions) -> None:
    data = frame.select(anorand.fit(FEATURES, **options)).item()
    out = frame.select(anorand.embed(FEATURES, data)).to_series().to_numpy()
    expected = reference.latent(data, frame.to_numpy().astype(np.float64))
    assert out.shape == expected.shape
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-4)


def test_the_model_may_be_a_path_bytes_or_a_series(frame: pl.DataFrame, paper: anorand.Model, tmp_path: Path) -> None:
    paper.save(tmp_path / "model.safetensors")
    expected = frame.select(anorand.embed(FEATURES, paper))
    series = pl.Series([None, paper.to_bytes()], dtype=pl.Binary).gather([1] * frame.height)
    for model in [tmp_path / "model.safetensors", paper.to_bytes(), series]:
        assert frame.select(anorand.embed(FEATURES, model)).equals(expected)


def test_a_model_that_is_an_expression_needs_the_width(frame: pl.DataFrame, paper: anorand.Model) -> None:
    with pytest.raises(TypeError, match=r"give it, width=Model\(…\)\.embedding_width"):
        anorand.embed(FEATURES, pl.col("model"))
    with_model = frame.with_columns(model=pl.lit(paper.to_bytes()))
    out = with_model.select(anorand.embed(FEATURES, pl.col("model"), width=32))
    assert out.equals(frame.select(anorand.embed(FEATURES, paper)))


def test_another_width_is_an_error_that_names_both(frame: pl.DataFrame, paper: anorand.Model) -> None:
    with pytest.raises(pl.exceptions.ComputeError, match=r"has 32 numbers \(1 members\), but width=31"):
        frame.select(anorand.embed(FEATURES, paper, width=31))
    with pytest.raises(pl.exceptions.ComputeError, match="width must be a whole number from 1 on, got 0"):
        frame.lazy().select(anorand.embed(FEATURES, paper, width=0)).collect_schema()


def test_a_missing_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="none.safetensors"):
        anorand.embed(FEATURES, tmp_path / "none.safetensors")


def test_a_missing_value_and_a_missing_model_give_nulls(frame: pl.DataFrame, paper: anorand.Model) -> None:
    gapped = frame.head(4).with_columns(
        a=pl.when(pl.int_range(pl.len()) != 1).then("a"),
        m=pl.when(pl.int_range(pl.len()) != 2).then(pl.lit(paper.to_bytes())),
    )
    out = gapped.select(anorand.embed(FEATURES, pl.col("m"), width=32)).to_series()
    assert out.is_null().to_list() == [False, True, True, False]


def test_no_rows_have_no_embeddings(frame: pl.DataFrame, paper: anorand.Model) -> None:
    assert frame.clear().select(anorand.embed(FEATURES, paper)).schema == {"embedding": pl.Array(pl.Float32, 32)}


def test_it_streams(frame: pl.DataFrame, paper: anorand.Model, tmp_path: Path) -> None:
    many = pl.concat([frame] * 10)
    many.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    lazy = pl.scan_parquet(tmp_path / "rows.parquet").select(anorand.embed(FEATURES, paper))
    streamed = lazy.collect(engine="streaming").to_series().to_numpy()
    np.testing.assert_allclose(
        streamed, many.select(anorand.embed(FEATURES, paper)).to_series().to_numpy(), rtol=0, atol=1e-5
    )
