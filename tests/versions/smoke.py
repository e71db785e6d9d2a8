"""What must work on every Polars and CPython that the package declares; run by ``python tests/versions``."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import polars as pl

import polars_anorand as anorand

QUICK: anorand.FitOptions = {"epochs": 2, "min_steps": 0}
FEATURES = ["a", "b", "kind"]


def main() -> None:
    """Every verb, eager, lazy, streaming and grouped."""
    frame = pl.DataFrame(
        {
            "a": [float(at % 7) for at in range(200)],
            "b": [at % 5 for at in range(200)],
            "kind": ["x", "y", "x", "z"] * 50,
            "g": ["p", "q"] * 100,
            "label": [at % 20 == 0 for at in range(200)],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model = anorand.Model(frame.select(anorand.fit(FEATURES, path=path, **QUICK)).item())
        assert anorand.Model.load(path) == model
        x = pl.col(FEATURES)
        lazy = frame.lazy().select(
            x.anorand.score(path),  # type: ignore[attr-defined]
            anorand.detect(x, model, contamination=0.1),
            anorand.explain(x, model),
            anorand.explain(x, model, top=2, name="top"),
            anorand.embed(x, model),
        )
        out = lazy.collect()
        assert out.schema == (lazy.collect_schema() if hasattr(lazy, "collect_schema") else lazy.schema)
        assert out["score"].is_between(0, 1).all()
        assert out["score"].n_unique() > 20
        assert out["anomaly"].struct.field("score").equals(out["score"])

        frame.write_parquet(Path(folder) / "rows.parquet")
        scan = pl.scan_parquet(Path(folder) / "rows.parquet").with_columns(anorand.score(x, path))
        scan.filter(pl.col("score") > model.threshold(0.1)).sink_parquet(Path(folder) / "odd.parquet")
        assert 0 < pl.read_parquet(Path(folder) / "odd.parquet").height < 60

    scores = out["score"]
    plan = frame.lazy().select(anorand.score(x, model)).serialize()
    source = io.BytesIO(plan) if isinstance(plan, bytes) else io.StringIO(plan)
    assert pl.LazyFrame.deserialize(source).collect()["score"].equals(scores)

    assert set(FEATURES) <= set(anorand.profile(frame.lazy())["column"])
    assert anorand.features(frame)
    assert anorand.profile(pl.DataFrame()).is_empty()
    categorical = frame.with_columns(pl.col("kind").cast(pl.Categorical))
    assert categorical.select(anorand.score(x, model)).to_series().equals(scores)

    models = frame.group_by("g", maintain_order=True).agg(anorand.fit(x, **QUICK))
    by = frame.select(anorand.fit(x, by="g", **QUICK)).unnest("model")
    assert by.rows() == models.rows()
    joined = frame.join(models, on="g", how="left").select(anorand.score(x, pl.col("model"))).to_series()
    assert joined.equals(frame.select(anorand.score(x, by="g", **QUICK)).to_series())
    assert joined.equals(frame.select(anorand.score(x, **QUICK).over("g")).to_series())

    supervised = frame.select(anorand.score(x, labels="label", **QUICK)).to_series()
    assert supervised.null_count() == 0
    message = ""
    try:
        frame.lazy().select(anorand.score(x, epochs=0)).collect()
    except pl.exceptions.ComputeError as error:
        message = str(error)
    assert "epochs must be a whole number from 1 to 1000000, got 0" in message
    print(f"CPython {sys.version.split()[0]}, Polars {pl.__version__}: every verb works")


if __name__ == "__main__":
    main()
