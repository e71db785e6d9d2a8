"""Contract: the package, the crate, the citation and the changelog speak of one version."""

from __future__ import annotations

import re
from pathlib import Path

import polars_anorand as anorand

ROOT = Path(__file__).parents[2]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_package_has_the_version_of_the_crate() -> None:
    assert re.findall(r'^\[workspace\.package\]\nversion = "(.*)"$', text("Cargo.toml"), re.MULTILINE) == [
        anorand.__version__
    ]


def test_the_citation_names_the_version() -> None:
    assert re.findall(r"^version: (.*)$", text("CITATION.cff"), re.MULTILINE) == [anorand.__version__]


def test_the_changelog_has_an_entry_of_the_version_or_says_that_it_will_be_the_next() -> None:
    first = re.split(r"^## ", text("CHANGELOG.md"), flags=re.MULTILINE)[1]
    assert first.startswith(("Unreleased", anorand.__version__))
    assert anorand.__version__ in first
