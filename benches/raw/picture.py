"""The faults that each detector finds, by kind, as grouped bars in an SVG: one panel for each training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

import polars as pl

from .report import by_fault

TITLE = "Share of planted faults that are found"
WIDTH = 800
LEFT, RIGHT = 48, 16
HEADER = 78
"""Height of the title and the legend, above the first panel."""

PLOT = 160
ABOVE, BELOW = 44, 34
"""Room of a panel above its plot, for its title, and below, for the names of the faults."""

GAP = 3
GROUP_SHARE = 0.8
"""The part of a group's width that is bars."""

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
COLORS = ("#2f6db3", "#e39b3c", "#a3adb8")
INK, FAINT, PAPER = "#24292f", "#d8dee4", "#ffffff"
FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def draw(frame: pl.DataFrame) -> str:
    """The picture of the frame of results."""
    kinds = frame["training"].unique(maintain_order=True).to_list()
    names = frame["detector"].unique(maintain_order=True).to_list()
    panel_height = ABOVE + PLOT + BELOW
    height = HEADER + panel_height * len(kinds) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{TITLE}" font-family="{FONT}" fill="{INK}">',
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        text(LEFT, 30, TITLE, size=18, weight=600),
        *legend(names),
    ]
    for at, kind in enumerate(kinds):
        shares = by_fault(frame.filter(training=kind)).select("fault", *names)
        parts += panel(HEADER + panel_height * at + ABOVE, f"trained on {kind} rows", shares)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(names: Sequence[str]) -> Iterator[str]:
    """A square of each detector's color, and its name."""
    left = float(LEFT)
    for name, color in zip(names, COLORS, strict=True):
        yield rectangle(left, 47, 13, 13, color)
        yield text(left + 19, 58, name, size=14)
        left += 48 + 7 * len(name)


def panel(top: float, title: str, shares: pl.DataFrame) -> Iterator[str]:
    """Axis, title and bars; the plot starts at `top`. The shares have one row for each group."""
    yield text(LEFT, top - 22, title, size=15, weight=600)
    for tick in TICKS:
        y = top + PLOT * (1 - tick)
        yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:g}" y2="{y:g}" stroke="{FAINT if tick else INK}"/>'
        yield text(LEFT - 8, y + 4, f"{tick:g}", size=12, anchor="end")
    width = (WIDTH - LEFT - RIGHT) / shares.height
    for at, (fault, *values) in enumerate(shares.iter_rows()):
        middle = LEFT + width * (at + 0.5)
        yield from bars(middle, top + PLOT, width * GROUP_SHARE, values)
        yield text(middle, top + PLOT + 20, fault, size=13, anchor="middle")


def bars(middle: float, base: float, width: float, values: Sequence[float | None]) -> Iterator[str]:
    """The bars of one group, each with its value above it; none where nothing was measured."""
    step = width / len(values)
    for at, (value, color) in enumerate(zip(values, COLORS, strict=True)):
        if value is None:
            continue
        left = middle - width / 2 + step * at
        yield rectangle(left + GAP / 2, base - PLOT * value, step - GAP, PLOT * value, color)
        yield text(left + step / 2, base - PLOT * value - 4, f"{value:.2f}", size=11, anchor="middle")


def rectangle(x: float, y: float, width: float, height: float, color: str) -> str:
    """A filled rectangle."""
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{color}"/>'


def text(x: float, y: float, words: str, *, size: int, weight: int = 400, anchor: str = "start") -> str:
    """A line of text on the baseline `y`, with a margin of paper that covers the lines behind it."""
    placed = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}"'
    margin = f'stroke="{PAPER}" stroke-width="3" paint-order="stroke"'
    return f"<text {placed} {margin}>{escape(words)}</text>"
