"""Results of a bench as Markdown tables and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping

import polars as pl


def markdown() -> pl.Config:
    """Within this context, a printed frame is a whole Markdown table."""
    return pl.Config(
        tbl_formatting="MARKDOWN",
        tbl_rows=-1,
        tbl_cols=-1,
        tbl_width_chars=240,
        float_precision=2,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
    )


def to_json(parts: Mapping[str, pl.DataFrame]) -> str:
    """An object with a list of rows for each part, and a line for each row."""
    lists = (
        f'"{name}": [\n' + ",\n".join(json.dumps(row) for row in part.to_dicts()) + "\n]"
        for name, part in parts.items()
    )
    return "{\n" + ",\n".join(lists) + "\n}\n"
