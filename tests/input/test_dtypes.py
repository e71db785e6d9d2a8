"""Contract: which dtypes are features, what they count, and that others are refused when a schema is resolved."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST, internals
from verbs import FITTING

import polars_anorand as anorand

INTEGERS = [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.Int128, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64]
FLOATS = [pl.Float32, pl.Float64]
NUMBERS = [*INTEGERS, *FLOATS, pl.Decimal(12, 2)] + [
    getattr(pl, name) for name in ("Float16", "UInt128") if hasattr(pl, name)
]

UNITS = ("ms", "us", "ns")
TEMPORAL = [
    pl.Date(),
    pl.Time(),
    *[pl.Datetime(unit) for unit in UNITS],
    *[pl.Datetime(unit, "Europe/Paris") for unit in UNITS],
    *[pl.Duration(unit) for unit in UNITS],
]

REFUSED = {
    "binary": "pl.lit(b'x')",
    "null": "pl.lit(None)",
    "list": "pl.concat_list('n')",
    "array": "pl.concat_list('n').list.to_array(1)",
    "struct": "pl.struct('n')",
    "object": "pl.Series('bad', [object()], dtype=pl.Object)",
}

PROGRAM = """
import polars as pl
import polars_anorand as anorand

frame = pl.DataFrame({{"n": [1.0]}}).with_columns({expression}.alias("bad"))
for verb in {verbs}:
    try:
        frame.lazy().select(getattr(anorand, verb)(["n", "bad"])).collect_schema()
    except pl.exceptions.PolarsError as error:
        print("refused:", error)
print("alive:", pl.DataFrame({{"n": [1]}}).lazy().select(pl.col("n") + 1).collect().item())
"""


@pytest.fixture(scope="module")
def numbers() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame({"n": rng.integers(0, 100, 200), "x": rng.normal(size=200)})


@pytest.mark.parametrize("dtype", NUMBERS, ids=str)
def test_every_number_counts_the_same(numbers: pl.DataFrame, dtype: pl.DataType) -> None:
    expected = numbers.cast({"n": pl.Float64}).select(anorand.score(pl.all(), **FAST)).to_series()
    scores = numbers.cast({"n": dtype}).select(anorand.score(pl.all(), **FAST)).to_series()
    assert scores.equals(expected)


def test_a_boolean_is_0_and_1(numbers: pl.DataFrame) -> None:
    flags = numbers.with_columns(n=pl.col("n") > 50)
    expected = flags.cast({"n": pl.Float64}).select(anorand.score(pl.all(), **FAST)).to_series()
    assert flags.select(anorand.score(pl.all(), **FAST)).to_series().equals(expected)


@pytest.mark.parametrize("dtype", TEMPORAL, ids=str)
def test_temporal_features_fit_and_score(numbers: pl.DataFrame, dtype: pl.DataType) -> None:
    physical = pl.Int32 if dtype == pl.Date else pl.Int64
    times = numbers.with_columns(n=(pl.col("n") * 86_400).cast(physical).cast(dtype))
    options: dict[str, Any] = {**internals(temporal="number", combination="robust"), **FAST}
    scores = times.select(anorand.score(pl.all(), **options)).to_series()
    # The same numbers in another unit, which scaling takes out again.
    expected = numbers.select(anorand.score(pl.all(), **options)).to_series()
    np.testing.assert_allclose(scores.to_numpy(), expected.to_numpy(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", [pl.Datetime, pl.Duration])
def test_time_units_do_not_matter(numbers: pl.DataFrame, kind: type[pl.Datetime] | type[pl.Duration]) -> None:
    def frame(unit: str) -> pl.DataFrame:
        milliseconds = (pl.col("n").cast(pl.Int64) * 1_000).cast(kind("ms"))
        return numbers.with_columns(n=milliseconds.cast(kind(unit)))

    model = frame("us").select(anorand.fit(pl.all(), **FAST)).item()
    by_unit = [frame(unit).select(anorand.score(pl.all(), model)).to_series() for unit in UNITS]
    assert by_unit[0].equals(by_unit[1])
    assert by_unit[1].equals(by_unit[2])


def test_a_model_of_numbers_scores_any_number(numbers: pl.DataFrame) -> None:
    model = numbers.select(anorand.fit(pl.all(), **FAST)).item()
    expected = numbers.select(anorand.score(pl.all(), model)).to_series()
    scores = numbers.cast({"n": pl.Int16}).select(anorand.score(pl.all(), model)).to_series()
    assert scores.equals(expected)


def test_another_kind_than_the_models_is_refused(numbers: pl.DataFrame) -> None:
    model = numbers.select(anorand.fit(pl.all(), **FAST)).item()
    dates = numbers.with_columns(n=pl.col("n").cast(pl.Int32).cast(pl.Date))
    with pytest.raises(pl.exceptions.PolarsError, match='"n" is a date .* fitted on a number'):
        dates.select(anorand.score(pl.all(), model))


@pytest.mark.parametrize("name", REFUSED)
def test_a_refused_dtype_is_named_when_the_schema_is_resolved_and_python_lives(name: str) -> None:
    program = PROGRAM.format(expression=REFUSED[name], verbs=[verb.name for verb in FITTING])
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    refusals = [line for line in run.stdout.splitlines() if line.startswith("refused:")]
    assert len(refusals) == len(FITTING), run.stdout + run.stderr
    for refusal in refusals:
        assert 'feature "bad" has dtype' in refusal
        assert "cast it" in refusal
    assert "alive: 2" in run.stdout


def test_a_model_that_is_not_binary_is_refused(numbers: pl.DataFrame) -> None:
    with pytest.raises(pl.exceptions.PolarsError, match='model column "n" has dtype i64, expected Binary'):
        numbers.lazy().select(anorand.score(["x"], pl.col("n"))).collect_schema()


def test_a_column_of_an_arrow_extension_type_is_refused_by_its_name() -> None:
    pyarrow = pytest.importorskip("pyarrow")

    class Labelled(pyarrow.ExtensionType):
        def __init__(self) -> None:
            super().__init__(pyarrow.float64(), "test.labelled")

        def __arrow_ext_serialize__(self) -> bytes:
            return b""

    values = pyarrow.ExtensionArray.from_storage(Labelled(), pyarrow.array([1.0, 2.0]))
    frame = pl.DataFrame(pyarrow.table({"n": [1.0, 2.0], "sex": values}))
    if not str(frame.schema["sex"]).startswith("Extension"):
        pytest.skip("this Polars takes the type's values")
    refused = r'the column "sex" has the Arrow extension type "test.labelled".*ext\.storage\(\)'
    for query in [anorand.score(pl.all()), anorand.fit("n", by="sex"), anorand.score("n", by=pl.struct("sex"))]:
        with pytest.raises(pl.exceptions.PolarsError, match=refused):
            frame.lazy().select(query).collect_schema()
    stored = frame.with_columns(pl.col("sex").ext.storage())
    assert stored.select(anorand.score(pl.all(), **FAST)).to_series().null_count() == 0
