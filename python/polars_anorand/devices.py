"""What a fit and a score can run on."""

from __future__ import annotations

import polars as pl

from polars_anorand import _polars_anorand as _core


def devices() -> pl.DataFrame:
    """The devices that ``device=`` can name, and for what can't be used, why.

    The first call starts CUDA where there is a GPU, which takes seconds; importing the package or running on the CPU
    never does. A process that is forked afterwards can't use the GPU.

    Returns
    -------
    DataFrame
        A row for each: ``device`` (String, as ``device=`` takes it), ``usable`` (Boolean) and ``note`` (String: what it
        is, or what is missing).

    Examples
    --------
    >>> import polars_anorand as anorand
    >>> anorand.devices().select("device", "usable").row(0)
    ('cpu', True)

    """
    schema = {"device": pl.String, "usable": pl.Boolean, "note": pl.String}
    return pl.DataFrame(_core.devices(), schema=schema, orient="row")
