const isDark = window.matchMedia("(prefers-color-scheme: dark)");

function draw() {
  const options = {
    mode: "vega-lite",
    actions: false,
    renderer: "svg",
    ...(isDark.matches ? {theme: "dark"} : {}),
    config: {background: "transparent"},
  };
  return Promise.all(Object.entries(specs).map(([name, spec]) => vegaEmbed("#" + name, spec, options)))
    .catch((error) => window.failures.push(String(error)));
}

/** What a cell is sorted by and exported as; null where a value is missing. */
function valueOf(cell) {
  if (cell.classList.contains("null")) return null;
  return cell.dataset.value ?? cell.textContent;
}

function compare(one, other, isNumber) {
  return isNumber ? Number(one) - Number(other) : one.localeCompare(other, undefined, {numeric: true});
}

function quoted(text) {
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function manage(table) {
  const body = table.tBodies[0];
  const headers = [...table.tHead.rows[0].cells];
  const rows = [...body.rows];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const search = document.getElementById("search");
  const count = document.getElementById("count");
  const all = document.getElementById("all");
  let incident = null;

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const isOfIncident = incident === null || row.dataset.incident === incident;
      row.hidden = !(isOfIncident && words.every((word) => texts.get(row).includes(word)));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    count.textContent = `${shown.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
    all.hidden = incident === null && words.length === 0;
  }

  function sort(at) {
    const header = headers[at];
    const isNumber = header.classList.contains("number");
    const isDescending = header.getAttribute("aria-sort") ? header.getAttribute("aria-sort") === "ascending" : isNumber;
    headers.forEach((each) => each.removeAttribute("aria-sort"));
    header.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
    const values = new Map(rows.map((row) => [row, valueOf(row.cells[at])]));
    rows.sort((a, b) => {
      const [one, other] = [values.get(a), values.get(b)];
      // Missing values are last, whichever way round.
      if (one === null || other === null) return (one === null) - (other === null);
      return compare(one, other, isNumber) * (isDescending ? -1 : 1);
    });
    body.append(...rows);
  }

  function download() {
    const shown = rows.filter((row) => !row.hidden).map((row) => [...row.cells].map((cell) => valueOf(cell) ?? ""));
    const lines = [headers.map((header) => header.dataset.name), ...shown].map((line) => line.map(quoted).join(","));
    // By the mark at its beginning, spreadsheets know that the file is UTF-8.
    const file = new Blob(["\ufeff" + lines.join("\r\n") + "\r\n"], {type: "text/csv;charset=utf-8"});
    const link = document.createElement("a");
    link.href = URL.createObjectURL(file);
    link.download = table.dataset.file;
    link.click();
    URL.revokeObjectURL(link.href);
  }

  headers.forEach((header, at) => header.querySelector("button").addEventListener("click", () => sort(at)));
  search.addEventListener("input", filter);
  document.getElementById("csv").addEventListener("click", download);
  all.addEventListener("click", () => { incident = null; search.value = ""; filter(); });
  for (const button of document.querySelectorAll("button[data-shows]")) {
    button.addEventListener("click", () => {
      incident = button.dataset.shows;
      filter();
      document.getElementById("outliers").scrollIntoView({block: "start"});
      all.focus({preventScroll: true});
    });
  }
  filter();
}

/** Says where a table is wider than its place. */
function cue() {
  for (const place of document.querySelectorAll(".wide")) {
    const note = place.previousElementSibling;
    if (note?.classList.contains("cue")) note.hidden = place.scrollWidth <= place.clientWidth + 1;
  }
}

const managed = document.getElementById("outliers");
if (managed) manage(managed);
cue();
window.addEventListener("resize", cue);
isDark.addEventListener("change", draw);
draw().then(() => {
  document.body.dataset.charts = document.querySelectorAll(".chart svg").length;
  document.body.dataset.failures = window.failures.join("; ");
});
