"""The one place where a call of the plugin is registered with Polars."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
from polars.plugins import register_plugin_function

from polars_anorand import _polars_anorand as _core

# The file: of a folder, Polars takes whichever library it finds first.
_LIBRARY = Path(_core.__file__)


def elementwise(function: str, args: list[pl.Expr], kwargs: dict[str, Any]) -> pl.Expr:
    """A call whose every output row depends on the same row of its inputs only, so that Polars may stream it."""
    return register_plugin_function(
        plugin_path=_LIBRARY, function_name=function, args=args, kwargs=kwargs, is_elementwise=True
    )


def whole_column(function: str, args: list[pl.Expr], kwargs: dict[str, Any]) -> pl.Expr:
    """A call that needs all rows at once, and returns the same number of rows."""
    return register_plugin_function(plugin_path=_LIBRARY, function_name=function, args=args, kwargs=kwargs)


def rows_of_groups(function: str, args: list[pl.Expr], kwargs: dict[str, Any]) -> pl.Expr:
    """A call that needs all rows at once, and returns one for each group that it finds among them."""
    return register_plugin_function(
        plugin_path=_LIBRARY, function_name=function, args=args, kwargs=kwargs, changes_length=True
    )


def aggregation(function: str, args: list[pl.Expr], kwargs: dict[str, Any]) -> pl.Expr:
    """A call that needs all rows at once, and returns one value."""
    return register_plugin_function(
        plugin_path=_LIBRARY,
        function_name=function,
        args=args,
        kwargs=kwargs,
        returns_scalar=True,
        changes_length=True,
    )
