"""A hook of mkdocs: a link out of docs/ is a link where the file is read, and text on the site."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s#]+)(#[^)\s]*)?\)")


def on_page_markdown(markdown: str, /, *, page: Any, **_: Any) -> str:
    """Take the links that leave docs/; one whose file is not there is an error."""
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def text(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        if not target.exists():
            raise FileNotFoundError(f"docs/{page.file.src_uri} links to {link[2]}, which is not there")
        return link[0] if target.is_relative_to(ROOT / "docs") else link[1]

    return _LINK.sub(text, markdown)
