"""A report: what a model finds in given rows, as one HTML file."""

from __future__ import annotations

import errno
import os

import polars as pl

from polars_anorand import _frames, _paths
from polars_anorand import _polars_anorand as _core
from polars_anorand._arguments import ModelLike, one_model, text
from polars_anorand._options import CONTAMINATION, integer, number
from polars_anorand.model._plot import altair
from polars_anorand.report._findings import Findings
from polars_anorand.report._page import page
from polars_anorand.report._sentences import About


def report(
    frame: pl.DataFrame | pl.LazyFrame,
    model: ModelLike,
    *,
    path: str | os.PathLike[str] = "report.html",
    by: str | None = None,
    every: str = "1d",
    contamination: float = CONTAMINATION,
    top: int = 500,
    title: str | None = None,
    source: str | None = None,
) -> None:
    """Write an HTML file that shows how a model sees rows. It needs nothing else: no server, no network.

    The findings come first: :func:`incidents` as sentences. Then follow the outliers in a table that can be sorted,
    filtered and downloaded as CSV in the page, the share of outliers by time or group, the distribution of the scores
    with thresholds, drift, and what the model is. Where more than half of the rows are outliers, the page first says
    which columns make them so.

    Parameters
    ----------
    frame
        Rows with the model's features, eager or lazy. Of a LazyFrame, the outliers alone are collected.
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
        The most outliers that are listed, those with the highest scores, at least 1.
    title
        The heading of the page; by default the source, or the number of the rows.
    source
        What the rows come from, such as the name of a file. The page names it, as it names the day, the version of this
        package, and the model's file.

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
    for name, words in (("title", title), ("source", source)):
        if words is not None:
            text(name, words)
    found = Findings(given.lazy(), known, CONTAMINATION if share is None else share, rows, by, every)
    file: str | None = os.path.basename(os.fspath(model)) if isinstance(model, (str, os.PathLike)) else None
    about = About(title or source or f"{found.counts['rows']:,} rows", source, file)
    _core.write_file(destination, page(about, found, charts).encode())
