"""Hooks of mkdocs: a link out of docs/ leads to the repository, if its address is known, and no page shows a role."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)\s#]+)(#[^)\s]*)?\)")
_ROLE = re.compile(r":(?:func|class|meth|attr|data|mod|obj|exc|ref):[`<]")


def on_page_markdown(markdown: str, /, *, page: Any, config: Any, **_: Any) -> str:
    """Change the links that leave docs/: without the repository's address they are text. A missing file is an error."""
    folder = (ROOT / "docs" / page.file.src_uri).parent

    def on_site(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        if not target.exists():
            raise FileNotFoundError(f"docs/{page.file.src_uri} links to {link[2]}, which is not there")
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        if not config.repo_url:
            return link[1]
        kind = "tree" if target.is_dir() else "blob"
        file = target.relative_to(ROOT).as_posix()
        return f"[{link[1]}]({config.repo_url.rstrip('/')}/{kind}/main/{file}{link[3] or ''})"

    return _LINK.sub(on_site, markdown)


def on_post_page(output: str, /, *, page: Any, **_: Any) -> str:
    """Refuse a page that shows a role, which tools/griffe_roles.py should have made a link."""
    if found := _ROLE.search(output):
        raise ValueError(f"docs/{page.file.src_uri} shows {output[found.start() : found.start() + 60]!r}, not a link")
    return output
