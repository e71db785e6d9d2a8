"""Tables in files: which format a name says, how to scan it, and how to write it."""

from __future__ import annotations

import glob
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from polars_anorand.model import Model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_FORMATS = {
    ".parquet": "parquet", ".pq": "parquet", ".csv": "csv", ".tsv": "tsv", ".ndjson": "ndjson", ".jsonl": "ndjson",
    ".arrow": "ipc", ".ipc": "ipc", ".feather": "ipc",
}  # fmt: skip
"""The formats of files by their extensions."""

_INFERRED_ROWS = 10_000
"""The number of rows that the dtypes of a CSV or NDJSON file are taken from."""


def scanned(names: Sequence[str], model: Model | pl.DataFrame | None = None) -> pl.LazyFrame:
    """Scan files, patterns and folders of one format.

    What CSV and NDJSON do not say is taken from the model: a category of digits stays text, and what was read as text,
    as a column without any value is, becomes of the kind of the training rows.

    Raises
    ------
    FileNotFoundError
        If a name matches no file.
    ValueError
        For an unknown extension, or for files of several formats.

    """
    files = [file for name in names for file in _matching(name)]
    formats = sorted({_format(file) for file in files})
    if len(formats) != 1:
        raise ValueError(f"the files are of several formats, {', '.join(formats)}: give those of one")
    dtypes = _dtypes(model)
    frame = _scan(formats[0], files, is_hive=any(os.path.isdir(name) for name in names), dtypes=dtypes)
    if formats[0] not in ("csv", "tsv", "ndjson"):
        return frame
    schema = frame.collect_schema()
    # Polars takes a column without any value for text.
    texts = {name: dtypes[name] for name, dtype in schema.items() if dtype == pl.String and dtypes.get(name) in _KINDS}
    return frame.with_columns(_KINDS[kind](pl.col(name)) for name, kind in texts.items())


def write(frame: pl.LazyFrame, path: str | None) -> None:
    """Write a frame to a file in the format of its name, or as CSV to stdout, batch by batch where Polars can.

    Raises
    ------
    ValueError
        For an unknown extension.

    """
    if path is None:
        for at, batch in enumerate(_batches(frame)):
            sys.stdout.write(batch.write_csv(include_header=at == 0))
        return
    kind = _format(path)
    if kind in ("csv", "tsv"):
        frame.sink_csv(path, separator="\t" if kind == "tsv" else ",")
    else:
        sinks = {"parquet": frame.sink_parquet, "ndjson": frame.sink_ndjson, "ipc": frame.sink_ipc}
        cast("Any", sinks[kind])(path)


def _batches(frame: pl.LazyFrame) -> Iterator[pl.DataFrame]:
    """Yield the rows in batches, the first one even if there are none."""
    yield frame.collect_schema().to_frame()
    if hasattr(frame, "collect_batches"):
        yield from frame.collect_batches(maintain_order=True)
    else:
        yield frame.collect()


def _matching(name: str) -> list[str]:
    """Return the files of a name: itself, those of a pattern, or those in a folder."""
    if os.path.isdir(name):
        found = sorted(str(file) for file in Path(name).rglob("*") if file.suffix in _FORMATS and file.is_file())
    elif os.path.exists(name):
        found = [name]
    else:
        found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise FileNotFoundError(f"no file is named {name!r}, or matches it")
    return found


def _format(name: str) -> str:
    path = Path(name)
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix.lower() not in _FORMATS:
        raise ValueError(f"{name}: the extension says no format; known are {', '.join(_FORMATS)}")
    return _FORMATS[suffix.lower()]


def _scan(kind: str, files: list[str], *, is_hive: bool, dtypes: dict[str, str]) -> pl.LazyFrame:
    sources: Any = files
    if kind == "parquet":
        return pl.scan_parquet(sources, hive_partitioning=is_hive)
    if kind == "ipc":
        return pl.scan_ipc(sources, hive_partitioning=is_hive)
    if kind == "ndjson":
        return pl.scan_ndjson(sources, infer_schema_length=_INFERRED_ROWS)
    separator = "\t" if kind == "tsv" else ","
    as_text = pl.scan_csv(sources, separator=separator, infer_schema_length=0)
    # As numbers, codes such as 01234 would lose their zeros.
    codes = as_text.head(_INFERRED_ROWS).select(pl.all().str.contains(r"^0\d+$").any()).collect().row(0, named=True)
    words = {
        name: pl.String for name, is_code in codes.items() if is_code or dtypes.get(name) in ("str", "cat", "enum")
    }
    return pl.scan_csv(
        sources,
        separator=separator,
        schema_overrides=words,
        try_parse_dates=True,
        infer_schema_length=_INFERRED_ROWS,
    )


def _dtypes(model: Model | pl.DataFrame | None) -> dict[str, str]:
    """Return the dtypes of a model's training columns, as :attr:`Model.dtypes` writes them."""
    if isinstance(model, pl.DataFrame):
        first = model["model"].drop_nulls().head(1).to_list()
        model = Model(first[0]) if first else None
    return {} if model is None else {name: dtype.partition("[")[0] for name, dtype in model.dtypes.items()}


def _number(text: pl.Expr) -> pl.Expr:
    return text.cast(pl.Float64)


_KINDS: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    **dict.fromkeys(["i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "f64"], _number),
    "bool": lambda text: text == "true",
    "date": lambda text: text.str.to_date("%Y-%m-%d"),
    "datetime": lambda text: text.str.to_datetime(time_unit="us"),
    "time": lambda text: text.str.to_time("%H:%M:%S%.f"),
}
"""How a column that was read as text becomes one of the training column's kind."""
