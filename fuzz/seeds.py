"""Writes the smallest models of each kind into corpus/loader, from which the fuzzer of the loader starts.

``python fuzz/seeds.py``, with the plugin built. Small files are read fast, so that the fuzzer gets through more.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

import polars_anorand as anorand

FOLDER = Path(__file__).parent / "corpus" / "loader"
SMALL: anorand.FitOptions = {"hidden": [1], "latent": 1, "members": 1, "epochs": 1, "min_steps": 0}
ROWS = 40


def main() -> None:
    """A number; a number that a category explains and a time; the other presets; labels; one network of an ensemble."""
    x = [float(i % 7) for i in range(ROWS)]
    kind = ["ab"[i % 2] for i in range(ROWS)]
    frame = pl.DataFrame(
        {
            "x": x,
            "y": [number + 100 * (name == "a") for number, name in zip(x, kind, strict=True)],
            "kind": kind,
            "label": [number == 6 for number in x],
            "time": [datetime(2026, 1, 1) + timedelta(hours=5 * i) for i in range(ROWS)],
        }
    )
    fits: dict[str, pl.Expr] = {
        "number": anorand.fit("x", **SMALL),
        "mixed": anorand.fit(["y", "kind", "time"], **SMALL),
        "paper": anorand.fit("x", preset="paper", **SMALL),
        "kept": anorand.fit("x", preset="novelty", kept_rows=2, **SMALL),
        "labelled": anorand.fit("x", labels=pl.col("label"), **SMALL),
    }
    FOLDER.mkdir(parents=True, exist_ok=True)
    models: dict[str, bytes] = {name: frame.select(fit).item() for name, fit in fits.items()}
    models["distilled"] = distilled(frame.select(anorand.fit("x", kept_rows=0, **SMALL)).item())
    for name, model in models.items():
        (FOLDER / f"{name}.safetensors").write_bytes(model)


def distilled(model: bytes) -> bytes:
    """A model of one network, as if it were distilled: a real one is larger. The fuzzer puts the checksum right."""
    length = int.from_bytes(model[:8], "little")
    header = json.loads(model[8 : 8 + length])
    entry = json.loads(header["__metadata__"]["anorand"])
    entry["options"]["distil"] = True
    widths = {name: entry["options"][name] for name in ("hidden", "latent")}
    entry["distilled"] = {"members": entry["members"], **widths, "correlation": 0.5}
    header["__metadata__"]["anorand"] = json.dumps(entry, separators=(",", ":"))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + model[8 + length :]


if __name__ == "__main__":
    main()
