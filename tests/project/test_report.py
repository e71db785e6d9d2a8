"""Contract: `report` writes one HTML file that shows in a browser what a model makes of rows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from conftest import FAST

import polars_anorand as anorand

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")

ROWS = 600
FEATURES = ["price", "country", "gust"]


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    rng = np.random.default_rng(5)
    price = rng.lognormal(3.0, 0.5, ROWS)
    price[17] = 1e5
    return pl.DataFrame(
        {
            "day": [date(2026, 1, 1) + timedelta(days=at // 20) for at in range(ROWS)],
            "shop": rng.choice(["north", "</script><b>south", "<!--<script>", "@@rows@@", 'we"st'], ROWS),
            "price": price,
            "country": rng.choice(["DE", "</script>", "<i>IT"], ROWS),
            "gust": pl.Series(rng.normal(size=ROWS)).set(pl.Series(rng.random(ROWS) < 0.7), None),
        }
    )


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> anorand.Model:
    return anorand.Model(table.select(anorand.fit(FEATURES, **FAST)).item())


def shown(path: Path, folder: Path) -> str:
    """The page as a browser has it when its scripts are done."""
    if BROWSER is None:
        pytest.skip("chromium is missing, so the report is not opened in a browser: apt-get install chromium")
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={folder / 'browser'}",
        "--virtual-time-budget=60000", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout


@pytest.mark.parametrize(("by", "charts"), [(None, 3), ("day", 4), ("shop", 4)])
def test_a_browser_shows_all_charts_without_an_error(
    table: pl.DataFrame, model: anorand.Model, tmp_path: Path, by: str | None, charts: int
) -> None:
    path = tmp_path / "report.html"
    anorand.report(table.lazy(), model, path=path, by=by)
    page = shown(path, tmp_path)
    body = re.search(r"<body[^>]*>", page)
    assert body is not None
    assert f'data-charts="{charts}"' in body.group()
    assert 'data-failures=""' in body.group()


def test_it_says_what_detect_and_drift_find(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    anorand.report(table, model, path=path, contamination=0.02, top=5, title="Prices & shops")
    page = path.read_text()
    assert "<h1>Prices &amp; shops</h1>" in page
    assert "600 rows, 12 of them outliers (2.00%; 2% of the training rows)" in page
    assert "price is 100000; most are" in page
    assert page.index("price is 100000") < page.index("<h2>Drift</h2>")
    rows = page.split("<h2>Highest rows</h2>")[1].split("<h2>Drift</h2>")[0]
    assert rows.count("<tr>") == 6


def specs(path: Path) -> dict[str, Any]:
    """What the page gives to its charts; no text in it can end the script, or begin another one."""
    found = re.search(r"^const specs = (.*);$", path.read_text(), flags=re.MULTILINE)
    assert found is not None
    assert "<" not in found[1]
    read: dict[str, Any] = json.loads(found[1])
    return read


def test_texts_stay_what_they_are(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    anorand.report(table, model, path=path, by="shop", title="@@bundle@@ & @@specs@@")
    assert "<h1>@@bundle@@ &amp; @@specs@@</h1>" in path.read_text()
    data = specs(path)["groups"]["data"]["values"]
    assert {each["group"] for each in data} == set(table["shop"])


def test_thresholds_of_small_shares_are_told_apart(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    anorand.report(table, model, path=path, contamination=0.0007)
    (lines,) = [layer for layer in specs(path)["scores"]["layer"] if layer["mark"]["type"] == "rule"]
    shares = [each["training rows above"] for each in lines["data"]["values"]]
    assert shares == ["5%", "1%", "0.1%", "0.07%"]
    assert "0.07% of the training rows" in path.read_text()


def test_of_rows_with_equal_scores_the_first_are_listed(tmp_path: Path) -> None:
    table = pl.DataFrame({"number": range(600), "x": [float(row % 3) for row in range(600)]})
    model = table.select(anorand.fit("x", **FAST)).item()
    path = tmp_path / "report.html"
    anorand.report(table.lazy(), model, path=path, top=4)
    rows = path.read_text().split("<h2>Highest rows</h2>")[1].split("<h2>Drift</h2>")[0]
    scores = table.select(anorand.score("x", model)).to_series()
    first = scores.eq(scores.max()).arg_true().head(4).to_list()
    assert re.findall(r"<tr><td>[^<]*</td><td>[^<]*</td><td>(\d+)</td>", rows) == [str(row) for row in first]


def test_it_loads_nothing(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    anorand.report(table, model, path=path)
    page = re.sub(r"<script>.*?</script>", "", path.read_text(), flags=re.DOTALL)
    assert len(page) < 50_000
    assert not re.search(r"<(?:script|link|img)|url\(", page)


def test_rows_without_a_score_are_counted(table: pl.DataFrame, tmp_path: Path) -> None:
    model = anorand.Model(table.select(anorand.fit(["price"], missing="null", **FAST)).item())
    gapped = table.with_columns(price=pl.when(pl.int_range(pl.len()) >= 10).then("price"))
    anorand.report(gapped, model, path=tmp_path / "report.html")
    assert "10 without a score" in (tmp_path / "report.html").read_text()


def test_a_column_that_is_named_as_the_result_is_kept(
    table: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    named = table.with_columns(anomaly=pl.lit("kept"))
    anorand.report(named, model, path=tmp_path / "report.html", by="anomaly")
    assert ">kept<" in (tmp_path / "report.html").read_text()


def test_a_file_that_is_there_stays_where_the_query_fails(
    table: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_text("before")
    with pytest.raises(pl.exceptions.PolarsError, match="price"):
        anorand.report(table.drop("price"), model, path=path)
    with pytest.raises(pl.exceptions.ColumnNotFoundError, match="by='city'"):
        anorand.report(table, model, path=path, by="city")
    assert path.read_text() == "before"


def test_arguments_of_another_type_are_refused_at_once(table: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(TypeError, match="frame must be a polars DataFrame or LazyFrame, got list"):
        anorand.report([1], model)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="known when the query is built"):
        anorand.report(table, pl.col("model"))
    with pytest.raises(ValueError, match="top"):
        anorand.report(table, model, top=0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"by": ["shop"]}, TypeError, r"by must be the name of one column, a str, got \['shop'\] \(list\)"),
        ({"by": "list"}, TypeError, r"by='list' has dtype List\(String\), which has no values to count by"),
        ({"by": "struct"}, TypeError, "by='struct' has dtype Struct"),
        ({"by": "bytes"}, TypeError, "by='bytes' has dtype Binary"),
        ({"by": "took"}, TypeError, "by='took' has dtype Duration"),
        ({"by": "day", "every": "1x"}, ValueError, "every must be a step of time .* got '1x': .*'x' not supported"),
        ({"by": "day", "every": 7}, TypeError, r"every must be a str, got 7 \(int\)"),
        ({"path": "."}, IsADirectoryError, "path is a folder, expected the path of an HTML file"),
    ],
    ids=str,
)
def test_what_it_can_not_do_is_said_by_the_parameters_name(
    table: pl.DataFrame,
    model: anorand.Model,
    tmp_path: Path,
    given: dict[str, Any],
    error: type[Exception],
    message: str,
) -> None:
    more = table.with_columns(
        list=pl.concat_list("shop"), struct=pl.struct("shop"), bytes=pl.lit(b"x"), took=pl.duration(days=1)
    )
    with pytest.raises(error, match=message):
        anorand.report(more, model, **{"path": tmp_path / "report.html", **given})
    assert not (tmp_path / "report.html").exists()


def test_several_models_are_refused(table: pl.DataFrame, model: anorand.Model) -> None:
    with pytest.raises(ValueError, match="report compares with one model, got a Series of 2 models"):
        anorand.report(table, pl.Series("model", [model.to_bytes(), b"another"]))


def test_values_have_digits_that_tell_them_from_what_is_usual(tmp_path: Path) -> None:
    pressure = [101_325 + at % 9 + at % 7 / 8 for at in range(900)]
    table = pl.DataFrame({"anomaly": [*pressure, 101_333.25], "y": [float(at % 97) for at in range(900)] + [1e6]})
    model = anorand.Model(table.select(anorand.fit(pl.all(), **FAST)).item())
    anorand.report(table, model, path=tmp_path / "report.html", top=1)
    page = (tmp_path / "report.html").read_text()
    assert "y is 1000000; most are" in page
    assert "<td>101333</td><td>1000000</td>" in page
    assert "<td>101325 to 101333</td>" in page
    assert "e+05" not in re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)


def test_without_altair_it_says_what_to_install(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["altair"] = None
import polars as pl, polars_anorand as anorand
frame = pl.DataFrame({"x": [1.0, 2.0, 4.0, 8.0]})
model = frame.select(anorand.fit("x", epochs=1, min_steps=0)).item()
try:
    anorand.report(frame, model, path=sys.argv[1])
except ImportError as error:
    print(error)
"""
    path = tmp_path / "report.html"
    out = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True).stdout
    assert "polars-anorand[report]" in out
    assert not path.exists()


FAR = {
    "date": pl.Series([0] * 99 + [2**31 - 1], dtype=pl.Int32).cast(pl.Date),
    "year 10183": pl.Series([0] * 99 + [3_000_000], dtype=pl.Int32).cast(pl.Date),
    "datetime": pl.Series([0] * 99 + [2**62]).cast(pl.Datetime("us")),
    "zone": pl.Series([0] * 99 + [260_000_000_000_000_000]).cast(pl.Datetime("ms", "Europe/Berlin")),
    "duration": pl.Series([0] * 99 + [2**62]).cast(pl.Duration("ms")),
}


@pytest.mark.parametrize(
    ("kind", "text"),
    [("date", "about the year 5881581"), ("year 10183", "about the year 10184"), ("datetime", "about the year 148109"),
     ("zone", "about the year 8241042"), ("duration", "53,375,995,583 days")],
)  # fmt: skip
def test_a_time_that_python_has_no_type_for_is_shown(tmp_path: Path, kind: str, text: str) -> None:
    rows = pl.DataFrame({"x": [float(at % 7) for at in range(100)], "t": FAR[kind]})
    model = anorand.Model(rows.select(anorand.fit(["x", "t"], min_steps=5)).item())
    by = None if kind == "duration" else "t"
    anorand.report(rows, model, path=tmp_path / "far.html", by=by)
    assert f"<td>{text}</td>" in (tmp_path / "far.html").read_text(encoding="utf-8")
