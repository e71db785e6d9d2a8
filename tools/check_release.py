"""Whether a tag is the version of the crates and has an entry in the changelog, which is printed: the release's notes.

``python tools/check_release.py v0.1.0``
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    """Print the changelog's entry of the tag."""
    if len(sys.argv) != 2:
        raise SystemExit("usage: python tools/check_release.py v<version>")
    tag = sys.argv[1]
    version = declared((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    if tag != f"v{version}":
        raise SystemExit(f"the tag is {tag!r}, but Cargo.toml has the version {version!r}: tag v{version}, or raise it")
    print(entry((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version))


def declared(cargo: str) -> str:
    """The workspace's version."""
    found = re.search(r'\[workspace\.package\]\nversion = "([^"]+)"', cargo)
    if found is None:
        raise SystemExit("Cargo.toml has no [workspace.package] that begins with a version")
    return found[1]


def entry(changelog: str, version: str) -> str:
    """What the changelog says of a version."""
    for part in re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        if heading.split()[0].strip("[]") == version:
            if not text.strip():
                raise SystemExit(f"CHANGELOG.md says nothing of {version}")
            return text.strip()
    raise SystemExit(f"CHANGELOG.md has no heading '## {version}': name what changes for users")


if __name__ == "__main__":
    main()
