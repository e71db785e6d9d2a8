"""Contract: the command ``anorand`` does from a shell what the functions do, and says by its exit code how it went.

Each test runs it as a process.
"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import polars_anorand as anorand

COMMANDS = ["profile", "train", "score", "detect", "drift", "report"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "polars_anorand", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)


def table(rows: int = 600) -> pl.DataFrame:
    """A counter, an amount of which one is absurd, codes with leading zeros, and a few rows of a second shop."""
    random = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "id": range(rows),
            "price": random.gamma(3, 10, rows).round(2),
            "code": random.choice(["01234", "02345"], rows),
            "shop": ["a"] * (rows - 30) + ["b"] * 30,
        }
    ).with_columns(price=pl.when(pl.col("id") == 77).then(5000.0).otherwise("price"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table in each format and in partitions, and a model of it."""
    folder = tmp_path_factory.mktemp("cli")
    rows = table()
    rows.write_csv(folder / "sales.csv")
    rows.write_csv(folder / "sales.tsv", separator="\t")
    rows.write_ndjson(folder / "sales.ndjson")
    rows.write_ipc(folder / "sales.arrow")
    rows.write_parquet(folder / "sales.parquet")
    for at, month in enumerate(["2026-01", "2026-02"]):
        (folder / "parts" / f"month={month}").mkdir(parents=True)
        rows[at * 300 : at * 300 + 300].write_parquet(folder / "parts" / f"month={month}" / "rows.parquet")
        rows[at * 300 : at * 300 + 300].write_csv(folder / f"part{at}.csv")
    found = run(folder, "train", "sales.parquet", "--model", "sales.safetensors")
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def expected(folder: Path) -> pl.DataFrame:
    return anorand.Model.load(folder / "sales.safetensors").detect(table())


def test_train_writes_the_model_of_the_columns_that_are_worth_fitting_on(folder: Path) -> None:
    written = anorand.Model.load(folder / "sales.safetensors")
    assert written == anorand.train(table())
    assert written.features == ["price", "code", "shop"]
    found = run(
        folder, "train", "sales.csv", "--model", "of_two.safetensors", "--columns", "price, code", "--seed", "3"
    )
    assert found.returncode == 0, found.stderr
    assert anorand.Model.load(folder / "of_two.safetensors") == anorand.train(table(), ["price", "code"], seed=3)


@pytest.mark.parametrize(
    "files",
    [["sales.csv"], ["sales.tsv"], ["sales.ndjson"], ["sales.arrow"], ["sales.parquet"], ["part0.csv", "part1.csv"],
     ["part?.csv"], ["parts"]],
)  # fmt: skip
def test_every_format_pattern_and_folder_has_the_same_scores(
    folder: Path, expected: pl.DataFrame, files: list[str]
) -> None:
    found = run(folder, "score", *files, "--model", "sales.safetensors", "--out", "scored.parquet")
    assert (found.returncode, found.stderr) == (0, "")
    scored = pl.read_parquet(folder / "scored.parquet")
    assert scored["score"].equals(expected["score"])
    assert scored["code"].equals(expected["code"])  # with their zeros
    assert ("month" in scored.columns) == (files == ["parts"])


@pytest.mark.parametrize("name", ["scored.csv", "scored.ndjson", "scored.arrow"])
def test_a_result_is_written_in_the_format_of_its_name(folder: Path, expected: pl.DataFrame, name: str) -> None:
    assert run(folder, "score", "sales.csv", "--model", "sales.safetensors", "--out", name).returncode == 0
    read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "arrow": pl.read_ipc}[name.partition(".")[2]]
    scores = read(folder / name)["score"].cast(pl.Float32)
    assert np.allclose(scores, expected["score"], atol=1e-6)


def test_without_out_the_rows_are_csv_on_stdout(folder: Path, expected: pl.DataFrame) -> None:
    found = run(folder, "score", "sales.csv", "--model", "sales.safetensors")
    assert found.stdout.splitlines()[0] == "id,price,code,shop,score"
    assert len(found.stdout.splitlines()) == 601


def test_detect_writes_the_outliers_with_their_reasons_in_words(folder: Path, expected: pl.DataFrame) -> None:
    arguments = ["detect", "sales.csv", "--model", "sales.safetensors"]
    found = run(folder, *arguments, "--out", "outliers.csv")
    assert found.returncode == 0
    outliers = expected.filter("outlier")
    assert found.stderr == f"anorand: {outliers.height} of 600 rows are outliers ({outliers.height / 600:.2%})\n"
    written = pl.read_csv(folder / "outliers.csv", schema_overrides={"code": pl.String})
    assert written.columns == ["id", "price", "code", "shop", "score", "percentile", "rarity", "why"]
    assert written.select("id", "why").equals(outliers.select("id", "why"))
    assert written.filter(pl.col("id") == 77)["why"].item().startswith("price: 5000; most are ")
    assert run(folder, *arguments, "--all", "--out", "all.parquet").returncode == 0
    assert pl.read_parquet(folder / "all.parquet").equals(expected)
    one = run(folder, *arguments, "--contamination", "0.001", "--explain", "1").stdout.splitlines()
    assert len(one) == 2
    assert one[1].startswith("77,5000.0,01234," if table()["code"][77] == "01234" else "77,5000.0,02345,")


def test_fail_on_is_an_exit_code_of_1_above_that_share(folder: Path, expected: pl.DataFrame) -> None:
    share = expected["outlier"].mean()
    arguments = ["detect", "sales.csv", "--model", "sales.safetensors", "--fail-on"]
    assert run(folder, *arguments, str(share)).returncode == 0
    assert run(folder, *arguments, str(share - 0.001)).returncode == 1


def test_without_a_model_the_rows_are_fitted_themselves(folder: Path, expected: pl.DataFrame) -> None:
    found = run(folder, "detect", "sales.parquet", "--all", "--out", "own.parquet")
    assert found.returncode == 0, found.stderr
    assert pl.read_parquet(folder / "own.parquet").equals(expected)


def test_by_fits_and_applies_a_model_for_each_group(folder: Path) -> None:
    assert run(folder, "train", "sales.parquet", "--by", "shop", "--model", "shops.parquet").returncode == 0
    models = anorand.train(table(), by="shop")
    assert pl.read_parquet(folder / "shops.parquet").equals(models)
    assert run(folder, "score", "sales.csv", "--model", "shops.parquet", "--out", "by.parquet").returncode == 0
    features = anorand.Model(models["model"][0]).features
    expected = table().join(models, on="shop").with_columns(anorand.score(features, pl.col("model"))).drop("model")
    assert pl.read_parquet(folder / "by.parquet").sort("id").equals(expected.sort("id"))
    detected = run(folder, "detect", "sales.csv", "--by", "shop", "--contamination", "0.001")
    header, *flagged = [line.partition(",")[0] for line in detected.stdout.splitlines()]
    assert header == "id"
    # One of each group's rows is above the threshold at most.
    assert "77" in flagged
    assert len(flagged) <= table()["shop"].n_unique()
    refused = run(folder, "drift", "sales.csv", "--model", "shops.parquet")
    assert (refused.returncode, "train without --by" in refused.stderr) == (2, True)


def test_profile_and_drift_are_tables(folder: Path) -> None:
    lines = run(folder, "profile", "sales.csv").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["column", "id", "price", "code", "shop"]
    assert lines[1].split()[4] == "counter"
    assert run(folder, "profile", "sales.parquet", "--out", "profile.csv").returncode == 0
    assert pl.read_csv(folder / "profile.csv").equals(anorand.profile(table()).drop("notes"))
    assert run(folder, "profile", "parts").stdout.count("partition key") == 1
    lines = run(folder, "drift", "sales.csv", "--model", "sales.safetensors").stdout.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [
        [name, "False"] for name in ["price", "code", "shop", "(scores)"]
    ]


def test_report_writes_a_page(folder: Path) -> None:
    pytest.importorskip("altair")
    found = run(folder, "report", "sales.csv", "--model", "sales.safetensors", "--by", "shop", "--out", "page.html")
    assert (found.returncode, found.stderr) == (0, "")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "<title>sales.csv · " in page
    about = (
        f"600 rows of sales.csv · model sales.safetensors, fitted on 600 rows · polars-anorand {anorand.__version__}"
    )
    assert about in page
    found = run(folder, "report", "part0.csv", "part1.csv", "--columns", "price,code", "--out", "page.html")
    assert (found.returncode, found.stderr) == (0, "")
    page = (folder / "page.html").read_text(encoding="utf-8")
    assert "600 rows of part0.csv, part1.csv · model fitted on 600 rows · " in page


def test_a_column_without_a_value_is_one_of_missing_values(folder: Path) -> None:
    empty = table().head(20).with_columns(price=pl.lit(None, dtype=pl.Float64))
    empty.write_csv(folder / "empty.csv")
    assert run(folder, "score", "empty.csv", "--model", "sales.safetensors", "--out", "empty.parquet").returncode == 0
    expected = anorand.Model.load(folder / "sales.safetensors").score(empty)
    assert pl.read_parquet(folder / "empty.parquet")["score"].equals(expected["score"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "nope.csv", "--model", "sales.safetensors"], "no file is named 'nope.csv', or matches it"),
        (["score", "sales.csv", "--model", "nope.safetensors"], "nope.safetensors"),
        (["score", "sales.safetensors", "--model", "sales.safetensors"], "the extension says no format"),
        (["score", "sales.csv", "sales.parquet", "--model", "sales.safetensors"], "of several formats, csv, parquet"),
        (["score", "sales.csv", "--model", "sales.safetensors", "--out", "x.xls"], "the extension says no format"),
        (["train", "sales.csv", "--model", "m.safetensors", "--columns", "nope"], 'unable to find column "nope"'),
        (["train", "sales.csv", "--model", "m.safetensors", "--by", "shop"], "name a .parquet file"),
        (["detect", "sales.csv", "--contamination", "5"], "contamination must be a number above 0 and below 1, got 5"),
        (["detect", "sales.csv", "--model", "sales.safetensors", "--by", "shop"], "--columns and --by are for a fit"),
        (["detect"], "required: FILE"),
        ([], "required: COMMAND"),
    ],
)
def test_an_error_is_an_exit_code_of_2_and_a_line_that_says_why(
    folder: Path, arguments: list[str], message: str
) -> None:
    found = run(folder, *arguments)
    assert (found.returncode, found.stdout) == (2, "")
    assert message in found.stderr
    assert "Traceback" not in found.stderr
    assert "expression" not in found.stderr


def test_a_text_among_numbers_is_an_error_that_names_the_file_and_the_way_out(folder: Path) -> None:
    price = pl.when(pl.col("id") == 3).then(pl.lit("n/a")).otherwise(pl.col("price").cast(pl.String))
    table(50).with_columns(price=price).write_csv(folder / "bad.csv")
    found = run(folder, "detect", "bad.csv", "--model", "sales.safetensors")
    assert (found.returncode, found.stdout) == (2, "")
    for part in ("'price'", "n/a", "mend them, or train on rows that have some", "(reading bad.csv)"):
        assert part in found.stderr


def test_a_ragged_file_is_named_without_options_that_the_command_lacks(folder: Path) -> None:
    (folder / "ragged.csv").write_text("id,price\n1,2.5\n2,3.5,4\n")
    found = run(folder, "detect", "ragged.csv")
    assert found.returncode == 2
    assert "(reading ragged.csv)" in found.stderr
    assert "truncate_ragged_lines" not in found.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example(folder: Path, command: str) -> None:
    found = run(folder, command, "--help")
    assert found.returncode == 0
    assert f"example:\n  anorand {command} " in found.stdout


def test_a_reader_that_has_enough_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m polars_anorand score sales.csv --model sales.safetensors | head -1"
    found = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")


def test_a_terminal_shows_progress_and_a_file_none(folder: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "polars_anorand", "train", "sales.csv", "--model", "again.safetensors"]
    with subprocess.Popen(command, cwd=folder, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                read = os.read(ours, 4096)
            except OSError:  # what Linux says at the end
                break
            if not read:
                break
            shown += read
        assert process.wait() == 0
    os.close(ours)
    assert b"\r\x1b[K" in shown


def test_the_version_is_that_of_the_package(folder: Path) -> None:
    assert run(folder, "--version").stdout.strip() == anorand.__version__
