"""Contract: `report` writes one HTML file that says what a model makes of rows."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from browser import model_of, shops
from conftest import FAST

import polars_anorand as anorand
from polars_anorand.report._sentences import period


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return shops()


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> anorand.Model:
    return model_of(table)


def rows_of(page: str) -> list[list[str]]:
    """The cells of the table of outliers, as they are shown."""
    body = page.partition('<table id="outliers"')[2].partition("<tbody>")[2].partition("</tbody>")[0]
    lines = re.findall(r"<tr[^>]*>(.*?)</tr>", body, re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", line, re.DOTALL) for line in lines]


def test_it_says_what_detect_and_drift_find(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    anorand.report(table, model, path=path, contamination=0.02, top=5, title="Prices & shops")
    page = path.read_text()
    assert "<h1>Prices &amp; shops</h1>" in page
    assert "600 rows, 12 of them outliers (2.00%; 2% of the training rows)" in page
    assert "The 5 highest of 12 outliers." in page
    headings = ["Findings", "Outliers", "Scores", "Drift", "Model"]
    assert re.findall("^<h2>(.*)</h2>$", page, re.MULTILINE) == headings
    rows = rows_of(page)
    assert len(rows) == 5
    assert rows[0][0] == "17"
    assert rows[0][2].startswith("<span>price is 100000; most are ")
    assert "No feature has drifted." in page


def test_findings_are_the_incidents_as_sentences(table: pl.DataFrame, model: anorand.Model, tmp_path: Path) -> None:
    found = anorand.incidents(table, model, contamination=0.05, time="day")
    path = tmp_path / "report.html"
    anorand.report(table, model, path=path, contamination=0.05, by="day")
    findings = path.read_text().split("<h2>Findings</h2>")[1].split("<h2>Outliers</h2>")[0]
    assert re.findall("<strong>(.*?)</strong>", findings) == [html.escape(why) for why in found["why"]]
    counts = [int(rows) for rows in re.findall(r"<span>(\d+) rows? · ", findings)]
    assert counts == found["rows"].to_list()
    examples = [int(row) for row in re.findall(r"such as row (\d+) \(score", findings)]
    assert examples == found["row"].to_list()
    assert findings.count("<details>") == (found.height > 7)


@pytest.mark.parametrize(
    ("first", "last", "text"),
    [
        (date(2026, 5, 3), date(2026, 5, 3), "3 May 2026"),
        (date(2026, 5, 3), date(2026, 5, 5), "3 to 5 May 2026"),
        (date(2026, 5, 3), date(2026, 6, 1), "3 May to 1 June 2026"),
        (date(2025, 12, 31), date(2026, 1, 1), "31 December 2025 to 1 January 2026"),
        (datetime(2026, 5, 3, 9), datetime(2026, 5, 3, 9), "3 May 2026, 09:00"),
        (datetime(2026, 5, 3, 9), datetime(2026, 5, 3, 9, 30), "3 May 2026, 09:00 to 09:30"),
        (datetime(2026, 5, 3, 9), datetime(2026, 5, 4, 9), "3 to 4 May 2026"),
        ("about the year 20000", "about the year 20000", "about the year 20000"),
        (date(2026, 5, 3), "about the year 20000", "2026-05-03 to about the year 20000"),
    ],
)
def test_the_time_of_an_incident_is_written_shortly(first: object, last: object, text: str) -> None:
    assert period(first, last) == text


def test_the_title_names_day_source_version_and_model(
    table: pl.DataFrame, model: anorand.Model, tmp_path: Path
) -> None:
    path, file = tmp_path / "report.html", tmp_path / "shops.safetensors"
    model.save(file)
    days = [datetime.now(timezone.utc).date() for _ in range(1)]
    anorand.report(table, file, path=path, source="sales.csv")
    days.append(datetime.now(timezone.utc).date())
    (title,) = re.findall("<title>(.*)</title>", path.read_text())
    rest = f"600 rows of sales.csv · model shops.safetensors, fitted on 600 rows · polars-anorand {anorand.__version__}"
    assert title in {f"sales.csv · {period(day, day)} · {rest}" for day in days}
    anorand.report(table, model, path=path)
    (title,) = re.findall("<title>(.*)</title>", path.read_text())
    assert title.startswith("600 rows · ")
    assert title.endswith(f" · frame of 600 rows · model fitted on 600 rows · polars-anorand {anorand.__version__}")


@pytest.mark.filterwarnings("ignore:anorand")
def test_a_page_of_mostly_outliers_says_which_columns_make_them_so(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    day = [date(2026, 1, 1) + timedelta(days=at // 16) for at in range(900)]
    town = rng.choice(["Bonn", "Lyon"], 900)
    table = pl.DataFrame({"month": [each.month for each in day], "day": day, "town": town}).with_columns(
        country=pl.col("town").replace_strict({"Bonn": "DE", "Lyon": "FR"})
    )
    model = anorand.train(table, table.columns, seed=0)
    path = tmp_path / "report.html"

    def said(later: pl.DataFrame) -> str:
        anorand.report(later, model, path=path, contamination=0.001)
        warnings = re.findall('<p class="warning" role="alert">(.*)</p>', path.read_text())
        return "; ".join(warnings)

    some = [pl.int_range(pl.len()) < part * 900 for part in (0.4, 0.6)]
    december = {"month": pl.lit(12), "day": pl.col("day").dt.offset_by("330d")}
    other = {"country": pl.lit("IT")}
    swapped = {"country": pl.col("country").replace_strict({"DE": "FR", "FR": "DE"})}

    def changed(columns: dict[str, pl.Expr], where: pl.Expr) -> pl.DataFrame:
        return table.with_columns(
            pl.when(where).then(value).otherwise(name).alias(name) for name, value in columns.items()
        )

    assert said(changed(december, some[0])) == ""
    assert said(changed(december, some[1])) == "60% of the rows are outliers: month is new."
    assert said(changed(other, some[1])) == "60% of the rows are outliers: country is new."
    gone = {"town": pl.lit(None, dtype=pl.String)}
    assert said(changed(gone, some[1])) == "60% of the rows are outliers: town is unlike the training rows."
    expected = "60% of the rows are outliers: country and town are unlike the training rows."
    assert said(changed(swapped, some[1])) == expected


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


def test_names_of_columns_are_texts_too(table: pl.DataFrame, tmp_path: Path) -> None:
    odd = table.rename({"price": '<u>"price', "shop": "</th><u>shop"})
    model = anorand.Model(odd.select(anorand.fit(['<u>"price', "gust"], **FAST)).item())
    anorand.report(odd, model, path=tmp_path / "report.html", by="</th><u>shop", source="<u>shops.csv")
    page = re.sub(r"<script>.*?</script>", "", (tmp_path / "report.html").read_text(), flags=re.DOTALL)
    assert page.count("&lt;u&gt;shops.csv") == 4
    assert 'data-name="&lt;u&gt;&quot;price"' in page
    assert "<u>" not in page


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
    anorand.report(table.lazy(), model, path=path, contamination=0.2, top=4)
    scores = table.select(anorand.score("x", model)).to_series()
    first = scores.eq(scores.max()).arg_true().head(4).to_list()
    rows = rows_of(path.read_text())
    assert [(int(row[0]), int(row[3])) for row in rows] == [(row, row) for row in first]


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
    assert rows_of(page)[0][3:] == ["101333", "1000000"]
    assert '<td class="number" data-value="101333.25">101333</td>' in page
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


def test_rows_far_away_in_time_do_not_flatten_the_chart(tmp_path: Path) -> None:
    days = [date(2026, 1, 1) + timedelta(days=at // 10) for at in range(600)]
    beyond = pl.Series([3_000_000], dtype=pl.Int32).cast(pl.Date)
    day = pl.concat([pl.Series([*days, date(1900, 1, 1), None], dtype=pl.Date), beyond])
    rows = pl.DataFrame({"x": [float(at % 7) for at in range(602)] + [1.0], "day": day})
    model = anorand.Model(rows.select(anorand.fit("x", **FAST)).item())
    path = tmp_path / "report.html"
    anorand.report(rows, model, path=path, by="day")
    drawn = [each["group"] for each in specs(path)["groups"]["data"]["values"]]
    assert (min(drawn), max(drawn), len(drawn)) == ("2026-01-01", "2026-03-01", 60)
    assert "2 rows are so far from the others in time that the chart leaves them out." in path.read_text()
