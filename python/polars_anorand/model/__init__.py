"""A fitted model, as a Python value."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from polars_anorand import _paths
from polars_anorand import _polars_anorand as _core
from polars_anorand._options import CONTAMINATION, number
from polars_anorand.model import _findings, _plot, _statistics
from polars_anorand.model._values import of_feature

if TYPE_CHECKING:
    from collections.abc import Mapping

    import altair as alt
    import polars as pl

    from polars_anorand._options import Precision

    Frame = TypeVar("Frame", pl.DataFrame, pl.LazyFrame)


class Model:
    """A fitted AnoRand model: the bytes of one safetensors file.

    ``fit()`` returns such bytes in a Binary column; ``score()`` takes a ``Model``, its bytes, or the path of its file.

    Parameters
    ----------
    data
        The bytes of a model file.

    Raises
    ------
    ValueError
        If the bytes are not a model: empty, truncated, damaged, or of another format version.

    Examples
    --------
    >>> import polars as pl
    >>> import polars_anorand as anorand
    >>> frame = pl.DataFrame({"x": [1.0, 1.1, 0.9, 1.2, 9.0], "y": [2, 2, 3, 2, 9]})
    >>> model = anorand.Model(frame.select(pl.col("x", "y").anorand.fit(epochs=5, min_steps=0)).item())
    >>> model
    Model(features=['x', 'y'], preset='default', training_rows=5)
    >>> 0 < model.alpha < 1
    True

    """

    __slots__ = ("_bytes", "_metadata")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        given = cast("object", data)
        if not isinstance(given, (bytes, bytearray, memoryview)):
            raise TypeError(f"a Model is made from bytes, got {type(given).__name__}; Model.load(path) reads a file")
        self._bytes = bytes(data)
        self._metadata: dict[str, Any] = json.loads(_core.model_metadata(self._bytes))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read a model file; a leading ``~`` is the home folder.

        Raises
        ------
        OSError
            If the file can't be read, or is a device, a pipe or a socket.
        ValueError
            If it is not a model, or if the path is a URL: pass the bytes of a remote file to ``Model``.

        """
        file = Path(_paths.to_read(path))
        data = _paths.read(file)
        try:
            return cls(data)
        except ValueError as error:
            raise ValueError(f"{error} (in the file {file})") from None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to a file: to a temporary file beside it, which is synced and renamed, so that a file that is
        there is replaced whole or not at all. A link stays a link. A leading ``~`` is the home folder.

        Raises
        ------
        OSError
            If the file can't be written, or is a device, a pipe or a socket; as by ``open``, the kind of error and its
            ``errno`` say why.
        ValueError
            If the path is a URL: write :meth:`to_bytes` with a client of your own.

        """
        _core.write_file(_paths.to_write(path), self._bytes)

    def to_bytes(self) -> bytes:
        """The bytes of the model file."""
        return self._bytes

    @property
    def features(self) -> list[str]:
        """The names of the features, in the model's order."""
        return [feature["name"] for feature in self._metadata["features"]]

    @property
    def dtypes(self) -> dict[str, str]:
        """The training columns' dtypes, as text."""
        return {feature["name"]: feature["dtype"] for feature in self._metadata["features"]}

    @property
    def options(self) -> dict[str, Any]:
        """All options of the fit, with their defaults and the constants of the preset."""
        found: dict[str, Any] = json.loads(_core.model_options(self._bytes))
        return found

    @property
    def kept_odds(self) -> float | None:
        """The odds that a row of shuffled values is farther from the kept rows than a training row, at least 1.

        ``kept_weight`` was multiplied with it. None where the model keeps no rows.
        """
        odds: float | None = self._metadata.get("kept_odds")
        return odds

    @property
    def alpha(self) -> float:
        """The weight of the noise-detection head in the score, 0 to 1 (eq. 7 of the paper)."""
        return float(self._metadata["combiner"]["alpha"])

    @property
    def members(self) -> int:
        """How many networks the model consists of; ``distilled`` says how many a distilled one comes from."""
        return int(self._metadata["members"])

    @property
    def distilled(self) -> dict[str, Any] | None:
        """Of a model that was fitted with ``distil=True``, what its one network was distilled from; None for any other.

        ``members``: the number of networks of the ensemble; ``hidden`` and ``latent``: the widths of the one network;
        ``correlation``: Spearman's rank correlation between the scores of both, cells left out, over the training
        rows, or 16,384 of them.

        Examples
        --------
        >>> import polars as pl
        >>> import polars_anorand as anorand
        >>> frame = pl.DataFrame({"x": [float(i % 97) for i in range(500)], "y": [float(i % 89) for i in range(500)]})
        >>> model = anorand.Model(frame.select(pl.all().anorand.fit(distil=True)).item())
        >>> model.members, model.distilled["members"], model.distilled["correlation"] > 0.9
        (1, 5, True)

        """
        found = self._metadata.get("distilled")
        return None if found is None else dict(found)

    @property
    def embedding_width(self) -> int:
        """How many numbers an embedding has: (z0, z1) of each member in turn."""
        widths = self.distilled or self.options
        return self.members * int(widths["hidden"][-1] + widths["latent"])

    @property
    def categories(self) -> dict[str, dict[str, int]]:
        """Of each String, Categorical or Enum feature, how many training rows had which value, most frequent first.

        A feature with more than 65,536 values, or values of very long text, keeps the most frequent.
        """
        counted = zip(self.features, _core.model_categories(self._bytes), strict=True)
        return {name: dict(zip(found[0], found[1], strict=True)) for name, found in counted if found is not None}

    @property
    def reference(self) -> dict[str, Any]:
        """The row of medians: each feature's training median, as a value of its kind.

        It is what stands in for missing values with ``missing="impute"``, and no row that :func:`explain` compares
        with. The median of a category is the value whose frequency is the median row's. A time with a zone is that of
        its clocks. The value is None if the feature is mostly missing, or is a date or time scored by its calendar
        parts.
        """
        counted, medians = _core.model_categories(self._bytes), _core.model_medians(self._bytes)
        of = zip(self._metadata["features"], counted, medians, strict=True)
        return {
            feature["name"]: None if median is None else of_feature(feature, found, median)
            for feature, found, median in of
        }

    @property
    def statistics(self) -> pl.DataFrame:
        """Where the training values of each feature lay: a frame with a row for each feature, in the model's order.

        ``feature`` and ``dtype`` (String); ``minimum``, ``low`` (the 5 % quantile), ``lower_quartile``, ``median``,
        ``upper_quartile``, ``high`` (the 95 % quantile) and ``maximum`` (Float64, each a training value; null for a
        time and for a category); ``missing`` (Float64: the share of the rows that the fit used without a value);
        ``categories`` (of a category, its 20 most frequent values: a list of structs of ``value`` and ``share``); and
        ``usual`` (String), for people to read: the middle 90 % of the values, or the values of 90 % of the rows, at
        most five; a time with a zone as its clocks show it.

        What :func:`polars_anorand.cells` know is in ``meaning`` (String: category, number, date or time of day, also
        where it is written as text), ``placeholders`` (list of String: values that stand for missing ones), and
        ``depends_on`` (list of String: the columns, or the pairs of them, that predict this one, best first). These are
        null for a model of ``preset="paper"``, which has no cells.

        Examples
        --------
        >>> import polars as pl
        >>> import polars_anorand as anorand
        >>> frame = pl.DataFrame({"x": [float(i) for i in range(101)], "kind": ["a", "b"] * 50 + ["c"]})
        >>> model = anorand.Model(frame.select(pl.all().anorand.fit(epochs=1, min_steps=0)).item())
        >>> model.statistics.select("feature", "low", "median", "high", "usual").rows()
        [('x', 5.0, 50.0, 95.0, '5 to 95'), ('kind', None, None, None, 'a, b')]

        """
        return _statistics.of_features(
            self._metadata["features"],
            self.training["rows"],
            _core.model_quantiles(self._bytes),
            _core.model_categories(self._bytes),
            _findings.read(_core.model_findings(self._bytes), self.features),
        )

    @property
    def labels(self) -> dict[str, int] | None:
        """Of a fit with labels, how many training rows were ``anomalies``, ``normal`` and ``unlabelled``."""
        found = self._metadata["labels"]
        return None if found is None else dict(found)

    @property
    def training(self) -> dict[str, Any]:
        """What the training did: ``rows``, ``epochs``, ``steps``, both losses ``before`` and ``after``, and ``losses``.

        The last is a list of ``epochs`` (trained until then), ``cross_entropy`` (eq. 3) and ``reconstruction`` (eq. 2),
        at most 21 of them, evenly spread from the first epoch to the last. They are means over the members, on an epoch
        that is not trained on.
        """
        found = dict(self._metadata["training"])
        between = [{"epochs": each["epochs"], **each["losses"]} for each in found.pop("between")]
        ends = [{"epochs": 0, **found["before"]}, {"epochs": found["epochs"], **found["after"]}]
        return {**found, "losses": [ends[0], *between, ends[1]]}

    def plot(self) -> alt.FacetChart:
        """The losses of the training, epoch by epoch, as a chart of the package altair.

        Raises
        ------
        ImportError
            If altair is missing: ``pip install "polars-anorand[report]"``.

        """
        return _plot.losses(self.training["losses"])

    def plot_row(self, row: pl.DataFrame | pl.LazyFrame | Mapping[str, object]) -> alt.LayerChart:
        """One row as a picture: the evidence that each value is wrong, and why, as a chart of the package altair.

        Parameters
        ----------
        row
            A frame of one row, or a dict of the features' values; more columns may be in it.

        Returns
        -------
        altair.LayerChart
            A bar for each cell, the strongest evidence first, at most 30: what :func:`polars_anorand.cells` gives, in
            nats. Beside it stands the sentence of :func:`polars_anorand.detect`, where the value is a reason for the
            row's score, whether the row is an outlier or not.

        Raises
        ------
        ImportError
            If altair is missing: ``pip install "polars-anorand[report]"``.
        TypeError, ValueError
            If it is not one row, lacks a feature, or has a missing value that the model does not score; and for a model
            of ``preset="paper"``, which finds no evidence of single cells.
        ComputeError
            For a value of another kind than the model's feature.

        Examples
        --------
        >>> import polars as pl
        >>> import polars_anorand as anorand
        >>> frame = pl.DataFrame({"city": ["Bonn", "Lyon"] * 100, "country": ["DE", "FR"] * 100})
        >>> model = anorand.train(frame)
        >>> chart = model.plot_row({"city": "Lyon", "country": "DE"})
        >>> chart.to_dict()["data"]["values"][0]["cell"]
        'country: DE'

        """
        return _plot.cells(importlib.import_module("polars_anorand._row").cells_of(self, row))

    def threshold(self, contamination: float) -> float:
        """The score that separates the training rows that are outliers at a contamination from the others.

        See :func:`polars_anorand.detect` for which these are. What is above it is an outlier.

        Parameters
        ----------
        contamination
            Above 0 and below 1. Of less than one training row, such as 1e-6, it is the score that this share of
            ordinary rows should reach.

        Raises
        ------
        TypeError, ValueError
            If it is no number, or out of range.

        Examples
        --------
        >>> import polars as pl
        >>> import polars_anorand as anorand
        >>> frame = pl.DataFrame({"x": [float(i % 7) for i in range(100)]})
        >>> model = anorand.Model(frame.select(pl.col("x").anorand.fit(epochs=1, min_steps=0)).item())
        >>> model.threshold(1e-6) > model.threshold(0.01) >= model.threshold(0.1)
        True

        """
        share = number("contamination", contamination)
        if share is None:
            raise TypeError("contamination must be a number above 0 and below 1, got None")
        return _core.model_threshold(self._bytes, share)

    def score(self, frame: Frame, *, prefix: str = "", device: str = "auto", precision: Precision = "float32") -> Frame:
        """Score the rows of a frame: its columns, and ``score``.

        Parameters
        ----------
        frame
            A DataFrame or a LazyFrame that has the model's features; other columns stay as they are. A LazyFrame is not
            collected: the result is one that streams.
        prefix
            What the names of the new columns begin with. The frame may have no column of such a name.
        device, precision
            As :func:`polars_anorand.score`.

        Returns
        -------
        DataFrame of a DataFrame, LazyFrame of a LazyFrame
            With ``score`` as :func:`polars_anorand.score` gives it.

        Raises
        ------
        TypeError, ValueError
            At once, for what is no frame of Polars, and for a frame that has a column of a new one's name.
        PolarsError
            At once, for a frame that lacks a feature; and from the query, as :func:`polars_anorand.score`.

        Examples
        --------
        >>> import polars as pl
        >>> import polars_anorand as anorand
        >>> frame = pl.DataFrame({"x": [*range(9)] * 11 + [500], "y": [*range(0, 18, 2)] * 11 + [900]})
        >>> anorand.train(frame).score(frame).top_k(1, by="score").select("x", "y").row(0)
        (500, 900)

        """
        return cast("Frame", _on_frames().score(self, frame, prefix=prefix, device=device, precision=precision))

    def detect(
        self,
        frame: Frame,
        *,
        contamination: float | None = None,
        threshold: float | None = None,
        explain: int = 3,
        prefix: str = "",
        device: str = "auto",
        precision: Precision = "float32",
    ) -> Frame:
        """Find the outliers of a frame: its columns, ``score``, ``percentile``, ``rarity``, ``outlier`` and ``why``.

        Parameters
        ----------
        frame, prefix, device, precision
            As :meth:`score`.
        contamination, threshold
            As :func:`polars_anorand.detect`.
        explain
            The most reasons that ``why`` has, at least 1.

        Returns
        -------
        DataFrame of a DataFrame, LazyFrame of a LazyFrame
            With ``score``, ``percentile``, ``rarity`` (Float32) and ``outlier`` (Boolean) as the fields of
            :func:`polars_anorand.detect`; and ``why`` (String): the reasons of an outlier in words, each as
            ``feature: why``, with ``; `` between them, as ``price: 900; most are 2.5 to 4``; null for any other row. A
            model of ``preset="paper"`` names the features alone.

        Raises
        ------
        TypeError, ValueError, PolarsError
            As :meth:`score` and :func:`polars_anorand.detect`.

        Examples
        --------
        >>> import polars as pl
        >>> import polars_anorand as anorand
        >>> frame = pl.DataFrame({"x": [*range(9)] * 11 + [500], "y": [*range(0, 18, 2)] * 11 + [900]})
        >>> found = anorand.train(frame).detect(frame)
        >>> found.columns
        ['x', 'y', 'score', 'percentile', 'rarity', 'outlier', 'why']
        >>> found.filter("outlier").select("x", "y").rows(), found["why"].null_count()
        ([(500, 900)], 99)

        """
        return cast(
            "Frame",
            _on_frames().detect(
                self,
                frame,
                contamination=contamination,
                threshold=threshold,
                explain=explain,
                prefix=prefix,
                device=device,
                precision=precision,
            ),
        )

    def explain(
        self,
        frame: Frame,
        *,
        top: int | None = None,
        prefix: str = "",
        device: str = "auto",
        precision: Precision = "float32",
    ) -> Frame:
        """Explain the scores of a frame: its columns, and ``explanation``, as :func:`polars_anorand.explain` gives it.

        Parameters
        ----------
        frame, prefix, device, precision
            As :meth:`score`.
        top
            As :func:`polars_anorand.explain`. It takes many times as long as a score: filter the rows first.

        Raises
        ------
        TypeError, ValueError, PolarsError
            As :meth:`score`.

        """
        found = _on_frames().explain(self, frame, top=top, prefix=prefix, device=device, precision=precision)
        return cast("Frame", found)

    def cells(self, frame: Frame, *, prefix: str = "") -> Frame:
        """Tell which cells of a frame are wrong: its columns, and ``cells``, as :func:`polars_anorand.cells` gives it.

        Parameters
        ----------
        frame, prefix
            As :meth:`score`.

        Raises
        ------
        TypeError, ValueError, PolarsError
            As :meth:`score`.

        """
        return cast("Frame", _on_frames().cells(self, frame, prefix=prefix))

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self.features[:5])) + (", …" if len(self.features) > 5 else "")
        preset, rows = self.options["preset"], self.training["rows"]
        return f"Model(features=[{shown}], preset={preset!r}, training_rows={rows})"

    def summary(self) -> str:
        """What the model is, as HTML: its features with their usual values, its threshold, and its training."""
        combiner, threshold = self._metadata["combiner"], self.threshold(CONTAMINATION)
        described = _plot.described(self.options, self.training, threshold, combiner, self.members)
        return _plot.summary(described, self.statistics.iter_rows(named=True), self.training)

    def _repr_html_(self) -> str:
        """The model as it is shown in a notebook."""
        return self.summary()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self._bytes == other._bytes

    def __hash__(self) -> int:
        return hash(self._bytes)

    def __reduce__(self) -> tuple[type[Model], tuple[bytes]]:
        return (Model, (self._bytes,))


def _on_frames() -> Any:
    """The verbs on frames: a module that needs this one, which is therefore imported when a verb is called."""
    return importlib.import_module("polars_anorand.frames")
