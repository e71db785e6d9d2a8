"""Contract: a browser shows the page that `report` writes, and sorts, filters and saves its table."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from browser import model_of, shops, shown
from polars.testing import assert_frame_equal

import polars_anorand as anorand


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    return shops()


@pytest.fixture(scope="module")
def model(table: pl.DataFrame) -> anorand.Model:
    return model_of(table)


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


TRY = """
<script>
const done = new Promise((resolve) => {
  const wait = () => document.body.dataset.charts ? resolve() : setTimeout(wait, 50);
  wait();
});
done.then(async () => {
  const rows = [...document.querySelectorAll("#outliers tbody tr")];
  const head = (name) => [...document.querySelectorAll("#outliers th")].find((th) => th.dataset.name === name);
  const shown = () => [...document.querySelectorAll("#outliers tbody tr")].filter((row) => !row.hidden);
  const numbers = () => shown().map((row) => row.cells[0].textContent);
  const search = (text) => {
    const input = document.getElementById("search");
    input.value = text;
    input.dispatchEvent(new Event("input"));
  };
  const seen = {};
  const sort = (name) => { head(name).querySelector("button").click(); return head(name).getAttribute("aria-sort"); };
  seen.first = [head("score").getAttribute("aria-sort"), numbers()];
  seen.once = [sort("price"), numbers()];
  seen.twice = [sort("price"), numbers()];
  seen.sorted = [...document.querySelectorAll("#outliers th[aria-sort]")].map((th) => th.dataset.name);
  seen.missing = [sort("gust"), numbers(), sort("gust"), numbers()];
  seen.text = [sort("shop"), numbers()];
  search("PRICE north");
  seen.filtered = [numbers(), document.getElementById("count").textContent, document.getElementById("all").hidden];
  let blob = null;
  URL.createObjectURL = (given) => { blob = given; return "#"; };
  document.getElementById("csv").click();
  seen.part = await blob.text();
  document.getElementById("all").click();
  seen.all = [numbers().length, document.getElementById("search").value, document.getElementById("all").hidden];
  document.getElementById("csv").click();
  seen.whole = await blob.text();
  document.querySelector("button[data-shows]").click();
  seen.incident = numbers();
  seen.elements = document.querySelectorAll("main b, main i, main img").length;
  seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  seen.cue = document.querySelector(".cue").hidden;
  document.body.dataset.seen = JSON.stringify(seen);
});
</script>
"""


def tried(path: Path, folder: Path, width: int = 1280) -> dict[str, Any]:
    """What a browser shows when the table of a page is sorted, filtered and downloaded."""
    page, end, rest = path.read_text().rpartition("</body>")
    (folder / "tried.html").write_text(f"{page}{TRY}{end}{rest}")
    body = re.search(r'data-seen="([^"]*)"', shown(folder / "tried.html", folder, width))
    assert body is not None
    found: dict[str, Any] = json.loads(html.unescape(body[1]))
    return found


@pytest.fixture(scope="module")
def seen(table: pl.DataFrame, model: anorand.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("table")
    anorand.report(table, model, path=folder / "report.html", contamination=0.05, source="shops.csv")
    return tried(folder / "report.html", folder)


@pytest.fixture(scope="module")
def outliers(table: pl.DataFrame, model: anorand.Model) -> pl.DataFrame:
    """The rows that the page lists, in its order."""
    detected = model.detect(table.with_row_index("row"), contamination=0.05)
    return detected.filter("outlier").sort("score", "row", descending=[True, False])


def numbers(rows: pl.DataFrame) -> list[str]:
    return rows["row"].cast(pl.String).to_list()


def test_the_table_sorts_by_each_column(seen: dict[str, Any], outliers: pl.DataFrame) -> None:
    assert outliers.height > 20
    assert seen["first"] == ["descending", numbers(outliers)]
    by_price = outliers.sort("price", descending=True, maintain_order=True)
    assert seen["once"] == ["descending", numbers(by_price)]
    by_price = by_price.sort("price", maintain_order=True)
    assert seen["twice"] == ["ascending", numbers(by_price)]
    assert seen["sorted"] == ["price"]


def test_missing_values_are_last_in_both_orders(seen: dict[str, Any], outliers: pl.DataFrame) -> None:
    known = outliers.drop_nulls("gust").height
    assert 0 < known < outliers.height
    descending, first, ascending, second = seen["missing"]
    assert (descending, ascending) == ("descending", "ascending")
    assert first[:known] == numbers(outliers.drop_nulls("gust").sort("gust", descending=True))
    assert second[:known] == first[:known][::-1]


def test_the_table_filters_by_words_and_by_findings(
    seen: dict[str, Any], table: pl.DataFrame, model: anorand.Model, outliers: pl.DataFrame
) -> None:
    rows, count, is_hidden = seen["filtered"]
    north = outliers.filter(pl.col("why").str.contains("price") & (pl.col("shop") == "north"))
    assert sorted(rows) == sorted(numbers(north))
    assert (count, is_hidden) == (f"{north.height} of {outliers.height} rows", False)
    assert seen["all"] == [outliers.height, "", True]
    first = anorand.incidents(table, model, contamination=0.05).row(0, named=True)
    assert len(seen["incident"]) == first["rows"]
    assert str(first["row"]) in seen["incident"]


def test_the_csv_has_the_rows_that_are_shown_with_their_exact_values(
    seen: dict[str, Any], outliers: pl.DataFrame
) -> None:
    whole, part = (pl.read_csv(seen[name].encode(), try_parse_dates=True) for name in ("whole", "part"))
    columns = ["row", "score", "why", "day", "shop", "price", "country", "gust"]
    assert whole.columns == columns
    expected = outliers.select(columns).cast({"row": pl.Int64, "score": pl.Float64})
    assert_frame_equal(whole.sort("row"), expected.sort("row"), abs_tol=1e-7, rel_tol=0)
    assert whole["price"].sort().equals(outliers["price"].sort())
    assert part.height == len(seen["filtered"][0]) < whole.height


def test_texts_of_cells_are_no_elements_of_the_page(seen: dict[str, Any]) -> None:
    assert seen["elements"] == 0


def test_on_a_narrow_screen_the_table_scrolls_by_itself_and_says_so(
    table: pl.DataFrame, model: anorand.Model, tmp_path: Path, seen: dict[str, Any]
) -> None:
    anorand.report(table, model, path=tmp_path / "report.html", contamination=0.05, by="day")
    narrow = tried(tmp_path / "report.html", tmp_path, width=500)
    assert (seen["overflow"], narrow["overflow"]) == (0, 0)
    assert (seen["cue"], narrow["cue"]) == (True, False)
