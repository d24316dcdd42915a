"""From figures to site: two packs and the book made as a user would, then read back."""

import html
import json
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import nbformat
import pytest

from cbs_analysis.edition import load_edition, load_indicators
from cbs_analysis.home import synthetic_records_dir

ROOT = Path(__file__).resolve().parents[2]
MIME = "application/vnd.cbs.finding+json"
PROMISED = {
    "id", "area_code", "level", "chapter", "function", "statement", "indicator", "value", "lower", "upper", "unit",
    "period", "numerator", "denominator", "comparisons", "flagged", "source", "caveats",
}  # fmt: skip


def run(*command: str, build: Path) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name(command[0])), *command[1:]],
        cwd=ROOT,
        env={**os.environ, "CBS_BUILD": str(build), "CBS_RECORDS": str(synthetic_records_dir())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    run("cbs", "packs", "--area", "5LE", "--area", "SEL", build=folder)
    run("cbs", "publish", build=folder)
    return folder


def findings(build: Path, area: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("cbs", "findings", "--area", area, "--json", build=build))
    return found


def in_notebook(path: Path) -> list[dict[str, Any]]:
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return [output["data"][MIME] for output in outputs if MIME in output.get("data", {})]


def test_every_notebook_is_recorded_and_holds_no_clock_and_no_path(build: Path) -> None:
    record = json.loads((build / "editions" / "2011-12" / "run.json").read_text())["notebooks"]
    assert (
        sorted((item["area_code"], item["status"]) for item in record) == [("5LE", "done")] * 7 + [("SEL", "done")] * 7
    )
    for path in (build / "editions").rglob("*.ipynb"):
        text = path.read_text(encoding="utf-8")
        assert str(ROOT) not in text
        assert str(build) not in text
        assert "duration" not in nbformat.reads(text, as_version=4).metadata.get("papermill", {})


@pytest.mark.parametrize("area", ["5LE", "SEL"])
def test_a_pack_is_the_same_bytes_as_the_reference_pack(build: Path, area: str) -> None:
    for reference in (ROOT / "tests" / "notebooks" / area).glob("*.ipynb"):
        made = build / "editions" / "2011-12" / area / reference.name
        assert made.read_bytes() == reference.read_bytes(), f"{area} {reference.name}"


def test_findings_as_data_are_those_of_the_notebooks_in_order(build: Path) -> None:
    found = findings(build, "5LE")
    edition = load_edition("2011-12", ROOT / "params")
    chapters = edition.chapter_names
    notebooks = [build / "editions" / "2011-12" / "5LE" / f"{chapter}.ipynb" for chapter in chapters]
    assert found == [finding for path in notebooks for finding in in_notebook(path)]
    assert all(set(finding) >= PROMISED for finding in found)
    indicators = [finding["indicator"] for finding in found if finding["indicator"]]
    assert sorted(indicators) == sorted(load_indicators(ROOT / "params", edition))


def test_stock_papermill_gives_the_same_findings(build: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    run("papermill", "notebooks/planned_care.ipynb", str(out), "-r", "area_code", "SEL", build=build)
    assert in_notebook(out) == [finding for finding in findings(build, "SEL") if finding["chapter"] == "planned_care"]


class Page(HTMLParser):
    """The text of a page, its links, and the ids in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text, self.links, self.ids = "", [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids |= {given["id"]} if given.get("id") else set()
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_first_page_gives_messages_that_lead_to_their_findings(build: Path) -> None:
    folder = build / "site" / "packs" / "5LE"
    first = Page(folder / "index.html")
    leads = [link for link in first.links if ".html#" in link and not link.startswith("..")]
    assert len(leads) >= 7 + 20
    for link in leads:
        page, _, anchor = link.partition("#")
        assert anchor in Page(folder / page).ids, link


def test_a_chapters_page_says_what_the_notebook_says(build: Path) -> None:
    text = " ".join(Page(build / "site" / "packs" / "SEL" / "planned_care.html").text.split())
    for finding in findings(build, "SEL"):
        if finding["chapter"] == "planned_care":
            assert " ".join(html.unescape(finding["statement"]).split()) in text
            assert all(caveat in text for caveat in finding["caveats"])


def test_no_link_is_dead_in_the_book_and_no_anchor(build: Path) -> None:
    site = build / "site"
    pages = {path: Page(path) for path in site.rglob("*.html")}
    dead = []
    for path, page in pages.items():
        for link in page.links:
            target, _, anchor = unquote(link).partition("#")
            found = (path.parent / target).resolve() if target else path
            if "://" not in link and not (found.exists() and (not anchor or anchor in pages[found].ids)):
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []
