"""SQL models, as dbt has them, over scored rows: DuckDB calls the plugin on Arrow batches (duckdb, pyarrow)."""

from __future__ import annotations

import duckdb
import polars as pl
import pyarrow as pa
from flights import FEATURES, written_once

import polars_anorand as anorand


def main() -> None:
    """Register a model as a function of SQL, and ask for the strangest flight of each origin in February."""
    folder = written_once()
    model = anorand.Model(pl.read_parquet(folder / "01.parquet").select(anorand.fit(FEATURES)).item())

    def anomaly_score(rows: pa.ChunkedArray) -> pa.Array:
        return (
            pl.Series("row", rows).to_frame().select(anorand.score("row", model, device="cpu")).to_series().to_arrow()
        )

    sql = duckdb.connect()
    row = duckdb.struct_type(dict.fromkeys(FEATURES, duckdb.sqltype("FLOAT")))
    # Rows with a null have a score too: the plugin gets them as they are.
    sql.create_function("anomaly_score", anomaly_score, [row], "FLOAT", type="arrow", null_handling="special")
    fields = ", ".join(f"{name}: {name}" for name in FEATURES)
    sql.execute(f"""
        CREATE VIEW staged AS SELECT * FROM read_parquet('{folder}/02.parquet');
        CREATE TABLE scored AS SELECT *, anomaly_score({{{fields}}}) AS score FROM staged;
    """)
    query = (
        "SELECT origin, arg_max(flight, score) AS flight, max(score) AS score FROM scored GROUP BY origin ORDER BY 1"
    )
    print(pl.DataFrame(sql.sql(query).to_arrow_table()))


if __name__ == "__main__":
    main()
