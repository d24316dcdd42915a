"""A home somewhere else: from an installed wheel alone, in an empty folder, packs and site without a word of ours.

The example of `cbs init` is built as a newcomer builds it, and everything that a reader meets is searched for the words
of the first edition. A second home has a nation without its parts.
"""

import csv
import html.parser
import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
OURS = re.compile(r"\b(PCTs?|London|England)\b|(?<![\d.,])(2010|2011)(?![\d.,]\d)")
AREAS = ("E09000001", "NORTH", "MERIDIAN")
# Publications and licences that method pages cite by their names and years, and the words that are terms themselves.
CITED = re.compile(r"(Office for Health Improvement and Disparities|Public Health England|NHS England)[^<]*")
# Pages of methods about England's own: its bank holidays, and how well the methods did on its published series.
ABOUT_ENGLAND = {"working-days.html", "recording-breaks.html", "forecast.html"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as its wheel holds it, unpacked where nothing of the checkout is."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q", "-w", folder, CHECKOUT]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = folder.glob("*.whl")
    place = folder / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(place)
    return place


def cbs(installed: Path, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("CBS_")},
        "PYTHONPATH": str(installed),
    }
    command = [sys.executable, "-P", "-c", "from cbs_analysis.cli import main; main()", *arguments]
    return subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False, timeout=900)


def made(installed: Path, folder: Path) -> Path:
    """A home with its packs, site and files."""
    for arguments in (["check"], ["packs", "--timeout", "600"], ["publish"]):
        done = cbs(installed, folder, *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return folder


@pytest.fixture(scope="module")
def example(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elsewhere") / "mine"
    done = cbs(installed, folder.parent, "init", "mine", "--example")
    assert done.returncode == 0, done.stderr
    return made(installed, folder)


@pytest.fixture(scope="module")
def with_a_nation(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example with a nation that has published totals, and no parts."""
    folder = tmp_path_factory.mktemp("nation") / "mine"
    assert cbs(installed, folder.parent, "init", "mine", "--example").returncode == 0
    data = folder / "data"
    append(data / "reference" / "area_kinds.csv", [["nation", "nation", "nations"]])
    append(data / "reference" / "areas.csv", [["ARCADIA", "Arcadia", "nation", "", "", ""]])
    names = data / "reference" / "geography_names.csv"
    names.write_text(names.read_text(encoding="utf-8").replace(",2024,,", ",2024,ARCADIA,"), encoding="utf-8")
    package = json.loads((data / "datapackage.json").read_text(encoding="utf-8"))
    for table in package["resources"]:
        for column in table["schema"]["fields"]:
            if "district" in column.get("areaKinds", ()):
                column["areaKinds"].append("nation")
    (data / "datapackage.json").write_text(json.dumps(package), encoding="utf-8")
    for name, keys in (("activity", 2), ("population_by_age", 3)):
        path = data / "published" / f"{name}.csv"
        header, *rows = list(csv.reader(path.open(encoding="utf-8", newline="")))
        area = header.index("area_code")
        of_one = [row for row in rows if row[area] == "E09000004"]
        append(path, [whole_row(row, area, keys) for row in of_one])
    return made(installed, folder)


def whole_row(row: list[str], area: int, keys: int) -> list[str]:
    """A district's row as the nation's: forty times the counts that stand after so many key columns."""
    counts = [str(40 * int(value)) for value in row[keys:]]
    return [*("ARCADIA" if place == area else value for place, value in enumerate(row[:keys])), *counts]


def append(path: Path, rows: list[list[str]]) -> None:
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


class Words(html.parser.HTMLParser):
    """What a page says: text, titles, and words in attributes that are read out or shown."""

    SPOKEN = ("alt", "title", "aria-label", "content", "placeholder", "href", "download", "label")

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.parts += [value for name, value in attrs if name in self.SPOKEN and value]

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def said(path: Path) -> Iterator[str]:
    """Everything that a reader of a file meets, as text."""
    if path.suffix == ".html":
        parser = Words()
        parser.feed(path.read_text(encoding="utf-8"))
        yield from parser.parts
    elif path.suffix == ".pdf":
        from pypdf import PdfReader

        reader = PdfReader(path)
        yield from (page.extract_text() for page in reader.pages)
        yield str(reader.metadata)
    elif path.suffix == ".xlsx":
        from openpyxl import load_workbook

        book = load_workbook(path)
        yield str(book.properties)
        for sheet in book:
            yield sheet.title
            yield from (str(cell.value) for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str))
    elif path.suffix in (".csv", ".txt", ".md") or path.suffix == ".json":
        yield path.read_text(encoding="utf-8")
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            yield from archive.namelist()
            for name in archive.namelist():
                if name.endswith((".csv", ".json", ".txt")):
                    yield archive.read(name).decode("utf-8")
    yield path.name


def words_of_ours(folder: Path) -> list[str]:
    paths = [*(folder / "build" / "site").rglob("*"), *(folder / "build" / "published").rglob("*")]
    found = []
    for path in sorted(paths):
        if path.parent.name == "methods" and path.name in ABOUT_ENGLAND:
            continue
        if path.is_file() and path.suffix not in (".js", ".css", ".woff2", ".svg", ".ico", ".png", ".inv", ".map"):
            for text in said(path):
                for match in OURS.finditer(CITED.sub("", text)):
                    around = " ".join(text[max(0, match.start() - 40) : match.end() + 40].split())
                    found.append(f"{path.relative_to(folder)}: {around}")
    return found


def test_the_example_of_another_home_says_no_word_of_the_first_edition(example: Path) -> None:
    site = example / "build" / "site"
    assert {path.parent.name for path in site.glob("packs/*/index.html")} >= set(AREAS)
    assert (example / "build" / "published" / "first" / "E09000001" / "E09000001-first.xlsx").exists()
    assert (example / "build" / "published" / "first" / "E09000001" / "E09000001-first.pdf").exists()
    assert words_of_ours(example) == []


def test_every_notebook_of_the_example_is_made(example: Path) -> None:
    run = json.loads((example / "build" / "editions" / "first" / "run.json").read_text(encoding="utf-8"))
    assert {record["status"] for record in run["notebooks"]} == {"done"}
    assert len(run["notebooks"]) == 9 * 4


def test_a_nation_without_its_parts_is_a_comparator_and_says_no_word_of_ours(with_a_nation: Path) -> None:
    page = (with_a_nation / "build" / "site" / "packs" / "E09000001" / "planned_care.html").read_text(encoding="utf-8")
    assert "Arcadia" in page
    assert words_of_ours(with_a_nation) == []
