"""All kinds of tables, in the order in which they are reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from . import arithmetic, invisible, lookups, markers, quiet, rates, texts, times
from .kinds import Kind

MODULES = (lookups, arithmetic, rates, times, texts, markers, quiet)

KINDS = {kind.name: kind for module in MODULES for kind in module.KINDS}


INVISIBLE = {kind.name: kind for kind in invisible.KINDS}


def asked_kinds(only: Iterable[str] | None, catalogue: Mapping[str, Kind] = KINDS) -> list[Kind]:
    """All kinds, or those of which the name has one of these texts in it."""
    if only is None:
        return list(catalogue.values())
    texts_asked = list(only)
    if unknown := [text for text in texts_asked if not any(text in name for name in catalogue)]:
        raise ValueError(f"no kind has {', '.join(unknown)} in its name; there are: {'; '.join(catalogue)}")
    return [kind for name, kind in catalogue.items() if any(text in name for text in texts_asked)]
