"""AnoRand on Ray Data: ``pip install 'polars-anorand[ray]'``.

Both classes take Arrow tables and return Arrow tables. Ray runs one task on each CPU, so let each task use one thread:
``ray.init(runtime_env={"env_vars": {"POLARS_MAX_THREADS": "1"}})``.
"""

# pyright: reportMissingImports=false, reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnusedImport=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

try:
    import pyarrow as pa
    import ray.data as _ray  # noqa: F401  # these classes are of no use without it
except ImportError as error:
    raise ImportError(f"polars_anorand.ray needs Ray Data: pip install 'polars-anorand[ray]' ({error})") from error

from polars_anorand._arguments import known_model
from polars_anorand._arrow import detected, fit_group
from polars_anorand.model import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from polars_anorand._options import FitOptions

__all__ = ["FitGroups", "Scorer"]


class Scorer:
    """Scores batches of rows: adds the fields of :func:`polars_anorand.detect`, ``reasons`` with ``explain``.

    Parameters
    ----------
    model
        A Model, its bytes, or the path of a file on every node.
    contamination, threshold, explain
        As for :func:`polars_anorand.detect`.
    prefix
        Of the names of the columns that it adds.

    Raises
    ------
    TypeError, ValueError, OSError
        When it is made, for what is not a model; when it is called, for a column that it would add and that is there.
    PolarsError
        When it is called, as :func:`polars_anorand.detect`.

    Examples
    --------
    .. code-block:: python

        flights.map_batches(
            Scorer,
            fn_constructor_kwargs={"model": model},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=2),
        )

    """

    def __init__(
        self,
        model: Model | bytes | str | os.PathLike[str],
        *,
        contamination: float | None = None,
        threshold: float | None = None,
        explain: int | None = None,
        prefix: str = "",
    ) -> None:
        known = known_model(model)
        if known is None:
            raise TypeError(f"model must be a Model, its bytes or the path of its file, got {type(model).__name__}")
        self._model, self._features = known.to_bytes(), known.features
        self._contamination, self._threshold, self._explain = contamination, threshold, explain
        self._prefix = prefix

    def __call__(self, batch: pa.Table) -> pa.Table:
        """The batch with the new columns."""
        found = detected(
            batch,
            self._model,
            self._features,
            contamination=self._contamination,
            threshold=self._threshold,
            explain=self._explain,
        ).to_arrow()
        for name, column in zip(found.column_names, found.columns, strict=True):
            if self._prefix + name in batch.column_names:
                raise ValueError(f"a batch has a column {self._prefix + name!r} already: drop it, or give a prefix")
            batch = batch.append_column(self._prefix + name, column)
        return batch


class FitGroups:
    """Fits a model for each group: the keys and ``model`` (binary), null for a group that is too small.

    Parameters
    ----------
    by
        The keys, as for ``groupby``.
    features, min_group_rows, **options
        As for :func:`polars_anorand.fit`; the features are names.

    Examples
    --------
    .. code-block:: python

        flights.groupby("carrier").map_groups(
            FitGroups,
            fn_constructor_args=[["carrier"], ["delay", "distance"]],
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=2),
        )

    """

    def __init__(
        self,
        by: str | Sequence[str],
        features: Sequence[str],
        *,
        min_group_rows: int = 20,
        **options: Unpack[FitOptions],
    ) -> None:
        self._by = [by] if isinstance(by, str) else list(by)
        self._features, self._min_group_rows, self._options = list(features), min_group_rows, options

    def __call__(self, group: pa.Table) -> pa.Table:
        """The keys and the model of one group."""
        return fit_group(self._by, self._features, self._min_group_rows, self._options, group)
