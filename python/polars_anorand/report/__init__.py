"""A report: a model and how it sees given rows, as one HTML file."""

from __future__ import annotations

import errno
import os

import polars as pl

from polars_anorand import _frames, _paths
from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import ModelLike, one_model
from polars_anorand._options import integer, number
from polars_anorand.model._plot import altair
from polars_anorand.report._findings import Findings
from polars_anorand.report._page import page


def report(
    frame: pl.DataFrame | pl.LazyFrame,
    model: ModelLike,
    *,
    path: str | os.PathLike[str] = "report.html",
    by: str | None = None,
    every: str = "1d",
    contamination: float = 0.01,
    top: int = 20,
    title: str | None = None,
) -> None:
    """Write an HTML file that shows how a model sees rows. It needs nothing else: no server, no network.

    It shows what the model is, the distribution of the scores with thresholds, the share of outliers by time or group,
    the highest rows with the features that add most to their scores, which features have drifted, and what the training
    did.

    Parameters
    ----------
    frame
        Rows with the model's features, eager or lazy. A LazyFrame is not collected whole, but only what the file shows.
    model
        A path, bytes or a :class:`Model`.
    path
        The path of the file; a leading ``~`` is the home folder. A file that exists is replaced atomically.
    by
        A column to count outliers by. A Date or Datetime is taken in steps of ``every``; of any other column, the 50
        most frequent values are shown.
    every
        As in ``polars.Expr.dt.truncate``.
    contamination
        The share of the training rows that count as outliers, above 0 and below 1.
    top
        The number of rows that are listed, at least 1.
    title
        The title of the page. By default it is the path of the model's file, or "AnoRand" for a model in memory.

    Raises
    ------
    ImportError
        If altair or vl-convert-python is missing: ``pip install "polars-anorand[report]"``.
    TypeError, ValueError, OSError
        For an argument of another type, a model that can't be read, or a path that can't be written.
    ColumnNotFoundError
        If ``by`` is no column of the frame, or the frame lacks a feature of the model.
    ComputeError
        From the query, as :func:`polars_anorand.detect`.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [float(i % 50) for i in range(500)], "shop": ["a", "b"] * 250})
    >>> model = anorand.Model(frame.select(pl.col("x").anorand.fit(epochs=1, min_steps=0)).item())
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     anorand.report(frame, model, path=pathlib.Path(folder) / "report.html", by="shop")

    """
    given = _frames.checked(frame)
    known = one_model("report", model)
    _frames.require(given, known.features)
    share = number("contamination", contamination)
    rows = integer("top", top)
    if rows is None or rows < 1:
        raise ValueError(f"top must be a whole number from 1 on, got {top}")
    destination = _paths.to_write(path)
    if os.path.isdir(destination):
        raise IsADirectoryError(errno.EISDIR, "path is a folder, expected the path of an HTML file", destination)
    charts = altair()
    found = Findings(given.lazy(), known, 0.01 if share is None else share, rows, by, every)
    name = title or (os.fspath(model) if isinstance(model, (str, os.PathLike)) else "AnoRand")
    _core.write_file(destination, page(str(name), found, charts).encode())
