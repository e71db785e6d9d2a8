"""Contract: the code of every page of docs/ runs as it is pasted; the reference has every public name."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pages
import pytest

import polars_anorand as anorand

DOCS = pages.ROOT / "docs"
ELSEWHERE = {"spark", "scaling"}
"""Pages whose code needs other engines: tests/integrations has these."""
PAGES = [page for page in sorted(DOCS.rglob("*.md")) if page.stem not in ELSEWHERE and pages.blocks(page)]
MODULES = ["sklearn", "spark", "ray", "mlflow"]
"""Public modules beside the package itself. They are read, not imported, since each needs an extra."""


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_the_code_of_a_page_runs_and_prints_what_the_page_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pages.run(page, tmp_path)


def test_an_everyday_job_takes_at_most_three_lines() -> None:
    _, *jobs = re.split(r"^## ", (DOCS / "how-to" / "everyday-jobs.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert len(jobs) >= 5
    for job in jobs:
        code = "".join(re.findall(r"```(?:python|sh)\n(.*?)```", job, re.DOTALL)).splitlines()
        assert 0 < len(code) <= 3, job


def test_every_public_name_is_in_the_reference() -> None:
    texts = [page.read_text(encoding="utf-8") for page in (DOCS / "reference").glob("*.md")]
    listed = [name for text in texts for name in re.findall(r"^::: polars_anorand\.(\S+)$", text, re.MULTILINE)]
    of_modules = {f"{module}.{name}" for module in MODULES for name in exported(module)}
    assert sorted(listed) == sorted({*anorand.__all__} - {"__version__"} | of_modules)


def test_every_page_of_the_reference_is_in_its_table_and_in_the_menu() -> None:
    table = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    menu = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in (DOCS / "reference").glob("*.md"):
        assert f"reference/{page.name}" in menu
        assert page.stem == "index" or f"]({page.name})" in table


def test_every_module_without_an_underscore_is_named_as_public_or_taken_from_by_the_package() -> None:
    package = Path(anorand.__file__).parent
    public = {path.stem for path in [*package.glob("[!_]*.py"), *package.glob("spark")]}
    taken = set(re.findall(r"^from polars_anorand\.(\w+) import", (package / "__init__.py").read_text(), re.MULTILINE))
    assert public - taken == {*MODULES, "cli"}  # the command has a page of its own


def exported(module: str) -> list[str]:
    """The names in a module's ``__all__``, or its public classes and functions if it has none."""
    package = Path(anorand.__file__).parent
    file = package / module / "__init__.py" if (package / module).is_dir() else package / f"{module}.py"
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    return [name for name in defined if not name.startswith("_")]
