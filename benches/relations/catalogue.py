"""All kinds of tables, in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Iterable

from . import arithmetic, lookups, markers, quiet, texts, times
from .kinds import Kind

KINDS = {kind.name: kind for module in (lookups, arithmetic, times, texts, markers, quiet) for kind in module.KINDS}


def asked_kinds(only: Iterable[str] | None) -> list[Kind]:
    """All kinds, or those of which the name has one of these texts in it."""
    if only is None:
        return list(KINDS.values())
    texts_asked = list(only)
    if unknown := [text for text in texts_asked if not any(text in name for name in KINDS)]:
        raise ValueError(f"no kind has {', '.join(unknown)} in its name; there are: {'; '.join(KINDS)}")
    return [kind for name, kind in KINDS.items() if any(text in name for text in texts_asked)]
