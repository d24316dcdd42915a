"""The book's pages of method: one for each public function of the statistics, each with an example and its check."""

import importlib
import inspect
import json
import pkgutil
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

from cbs_analysis import stats

ROOT = Path(__file__).parents[2]
METHODS = ROOT / "book" / "methods"
PAGES = sorted(METHODS.glob("*.ipynb"))
FUNCTION = re.compile(r"^Function: `(\w+\.\w+)`$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")
HEADINGS = ["## Formula", "## Worked example", "## When not to use it", "## Source"]
HELPERS = {"checks", "groupby"}
"""Modules that serve the other modules: they answer no question of their own."""
HELPER_FUNCTIONS = {"calendar.period_index", "calendar.periods_per_year"}


def public_functions() -> list[str]:
    found = []
    for module in sorted({item.name for item in pkgutil.iter_modules(stats.__path__)} - HELPERS):
        members = vars(importlib.import_module(f"cbs_analysis.stats.{module}"))
        found += [
            f"{module}.{name}"
            for name, member in members.items()
            if inspect.isfunction(member) and f".{module}" in member.__module__ and not name.startswith("_")
        ]
    return sorted(set(found) - HELPER_FUNCTIONS)


def cells(page: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(page.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def text(cell: dict) -> str:
    return "".join(cell["source"])


def prose(page: Path) -> str:
    return "\n\n".join(text(cell) for cell in cells(page, "markdown"))


def test_every_public_function_is_named_on_exactly_one_page() -> None:
    named = Counter(name for page in PAGES for name in FUNCTION.findall(prose(page)))
    functions = public_functions()
    assert {name: named[name] for name in functions} == dict.fromkeys(functions, 1)
    assert sorted(named) == functions


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_sections_in_order(page: Path) -> None:
    first = text(cells(page, "markdown")[0])
    assert first.startswith("# ")
    assert FUNCTION.search(first)
    headings = [line for line in prose(page).splitlines() if line.startswith("## ")]
    assert [heading for heading in headings if heading in HEADINGS] == HEADINGS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_an_example_of_its_function_and_one_check_that_can_fail(page: Path) -> None:
    code = cells(page, "code")
    checks = [cell for cell in code if cell["metadata"].get("tags") == ["check"]]
    examples = [text(cell) for cell in code if cell not in checks]
    module, function = FUNCTION.findall(prose(page))[0].split(".")
    assert 1 <= len(examples) <= 2
    assert any(f"from cbs_analysis.stats.{module} import" in source for source in examples)
    assert any(f"{function}(" in source for source in examples)
    assert len(checks) == 1
    assert re.search(r"^\s*assert", text(checks[0]), re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_stored_without_outputs_and_with_names_for_its_cells(page: Path) -> None:
    notebook = json.loads(page.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    assert {cell["id"] for cell in notebook["cells"]} >= {"intro", "formula", "example", "check", "limits", "source"}
    for cell in cells(page, "code"):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_an_example_reads_no_file(page: Path) -> None:
    source = "\n".join(text(cell) for cell in cells(page, "code"))
    assert not re.search(r"\bopen\(|read_csv|read_text|pathlib|requests|urllib|http", source)


def test_every_indicators_method_has_a_page() -> None:
    indicators = yaml.safe_load((ROOT / "params" / "indicators.yml").read_text(encoding="utf-8"))
    entries = indicators.get("indicators", indicators)
    methods = {entry["method"] for entry in entries.values()}
    assert methods
    assert methods <= {page.stem for page in METHODS.iterdir()}


def test_every_page_is_listed_in_the_index_and_no_link_between_pages_is_dead() -> None:
    index = (METHODS / "index.md").read_text(encoding="utf-8")
    written = {page.name for page in METHODS.iterdir() if page.suffix in (".md", ".ipynb")}
    assert set(LINK.findall(index)) == written - {"index.md"}
    for page in METHODS.iterdir():
        if page.suffix in (".md", ".ipynb"):
            source = prose(page) if page.suffix == ".ipynb" else page.read_text(encoding="utf-8")
            assert set(LINK.findall(source)) <= written, page.name
