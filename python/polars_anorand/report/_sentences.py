"""Writes what the page says in words: of what it is, what was found, and what to be wary of."""

from __future__ import annotations

import html
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from polars_anorand import _polars_anorand as _core
from polars_anorand.report._tables import rows_of

if TYPE_CHECKING:
    from polars_anorand.report._findings import Findings

_FIRST = 7
"""The findings that are shown at once; the others are folded away."""
_MANY = 0.5
"""Above this share of outliers, something is different in all rows."""
_BLAMED = 3
"""The most columns that are named for it."""
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December"]  # fmt: skip
"""As ``strftime`` gives them, but in any locale."""


class About(NamedTuple):
    """What a page is of."""

    title: str
    source: str | None
    """What the rows come from, such as a file's name."""
    model: str | None
    """The name of the model's file."""


def heading(about: About, found: Findings) -> tuple[str, str]:
    """Return the page's title, as a browser's tab has it, and the line below its heading."""
    day = _day(datetime.now(timezone.utc).date())
    rows = _count(found.counts["rows"], "row")
    fitted = f"fitted on {_count(found.model.training['rows'], 'row')}"
    version = f"polars-anorand {_core.VERSION}"
    parts = [
        day,
        f"frame of {rows}" if about.source is None else f"{rows} of {about.source}",
        f"model {about.model}, {fitted}" if about.model else f"model {fitted}",
        version,
    ]
    return " · ".join([about.title, *parts]), " · ".join(parts)


def summary(found: Findings) -> str:
    """Say how many rows are outliers."""
    rows, unscored, outliers = (found.counts[name] for name in ("rows", "unscored", "outliers"))
    scored = rows - unscored
    share = outliers / scored if scored else 0.0
    expected = f"{100 * found.contamination:g}% of the training rows"
    text = f"{rows:,} rows, {outliers:,} of them outliers ({share:.2%}; {expected})"
    return text + (f", {unscored:,} without a score" if unscored else "")


def warning(found: Findings) -> str:
    """Say that most rows are outliers, and which columns make them so; nothing where most are ordinary."""
    scored = found.counts["rows"] - found.counts["unscored"]
    share = found.counts["outliers"] / scored if scored else 0.0
    if share <= _MANY:
        return ""
    blamed = [row for row in found.blamed.iter_rows(named=True) if row["share"] > _MANY][:_BLAMED]
    new = [row["feature"] for row in blamed if row["new"] > _MANY]
    others = [row["feature"] for row in blamed if row["new"] <= _MANY]
    said = [_listed(names, word) for names, word in [(new, "new"), (others, "unlike the training rows")] if names]
    why = ", ".join(said) or "they differ from the training rows in many columns"
    return f'<p class="warning" role="alert">{share:.0%} of the rows are outliers: {html.escape(why)}.</p>'


def findings(found: Findings) -> str:
    """List the incidents as sentences, those with the most rows first."""
    if found.incidents.is_empty():
        return "<p>No row is an outlier.</p>"
    listed = set(found.detected["incident"])
    items = [_finding(at, each, is_listed=at in listed) for at, each in enumerate(rows_of(found.incidents))]
    first, others = items[:_FIRST], items[_FIRST:]
    text = f'<ol class="findings">{"".join(first)}</ol>'
    if others:
        more = f'<ol class="findings" start="{_FIRST + 1}">{"".join(others)}</ol>'
        text += f"<details><summary>{_count(len(others), 'more finding')}</summary>{more}</details>"
    return text


def undrawn(found: Findings) -> str:
    """Say that rows are left out of the chart of times."""
    if not found.undrawn:
        return ""
    verb = "is" if found.undrawn == 1 else "are"
    far = f"{_count(found.undrawn, 'row')} {verb} so far from the others in time that the chart leaves them out."
    return f'<p class="quiet">{far}</p>'


def drifted(found: Findings) -> str:
    """Say which features have drifted."""
    names = found.drift.filter("drifted").drop_nulls("feature")["feature"].to_list()
    return f"<p>{html.escape('Drifted: ' + ', '.join(names) if names else 'No feature has drifted')}.</p>"


def _finding(at: int, incident: dict[str, Any], *, is_listed: bool) -> str:
    details = [_count(incident["rows"], "row")]
    if incident.get("first") is not None:
        details.append(period(incident["first"], incident["last"]))
    details += [incident["where"]] if incident["where"] else []
    details += [f"expected {incident['expected']}"] if incident["expected"] is not None else []
    if incident["values"] is not None and incident["feature"] is not None:
        details.append(f"{incident['feature']} {incident['values']}")
    example = f"such as row {incident['row']} (score {incident['score']:.4f}): {incident['example']}"
    button = f' <button type="button" data-shows="{at}">Show the rows</button>' if is_listed else ""
    lines = [
        f"<strong>{html.escape(incident['why'])}</strong>",
        f"<span>{html.escape(' · '.join(details))}{button}</span>",
        f'<span class="quiet">{html.escape(example)}</span>',
    ]
    return f"<li>{''.join(lines)}</li>"


def period(first: object, last: object) -> str:
    """Write from when to when an incident lasted, as "3 to 5 May 2026"."""
    if not (isinstance(first, date) and isinstance(last, date)):
        return f"{first}" if first == last else f"{first} to {last}"
    if (first.year, first.month, first.day) == (last.year, last.month, last.day):
        clocks = [f"{at:%H:%M}" for at in (first, last) if isinstance(at, datetime)]
        return ", ".join([_day(first), *([" to ".join(dict.fromkeys(clocks))] if clocks else [])])
    start = _day(first)
    if first.year == last.year:
        start = f"{first.day}" if first.month == last.month else start.removesuffix(f" {first.year}")
    return f"{start} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _listed(names: list[str], word: str) -> str:
    """Write "month and time_hour are new"."""
    listed = " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]
    return f"{listed} {'are' if len(names) > 1 else 'is'} {word}"
