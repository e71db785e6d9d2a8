"""An extension of mkdocstrings: a docstring's role, such as ``:func:`score```, is a link on the site.

The name is looked up where the docstring stands, as Sphinx does. A name that no page has is an error of
``mkdocs build --strict``.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|meth|attr):`([^`]+)`")


class Roles(griffe.Extension):
    """Turns roles into links."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Write the links of an object's docstring, of which the name is the last part of what stands in the source."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(r"[`\1`][\1]", obj.docstring.value)
