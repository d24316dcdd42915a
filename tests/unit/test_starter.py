"""The home to start from: its example is sound and of no real place, and what is missing without it is said."""

import csv
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from cbs_analysis.chapters import Pack, open_pack
from cbs_analysis.errors import UserError
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.starter import write_home
from cbs_analysis.tables import check_tables

CHAPTERS = ("population_and_need", "planned_care", "emergency_care", "outlook")
REAL = re.compile(r"\b(PCTs?|London|England|2010|2011)\b")
AREAS = ("E09000004", "NORTH", "MERIDIAN")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    write_home(folder, with_example=True)
    monkeypatch.setenv("CBS_HOME", str(folder))
    return folder


def cells(home: Path, chapter: str) -> list[str]:
    """The expressions of a notebook's cells that give a finding."""
    notebook = nbformat.read(home / "notebooks" / f"{chapter}.ipynb", as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [source for source in sources if source.startswith(f"{chapter}.")]


def texts(content: object) -> Iterator[str]:
    """Every text in what is displayed: keys and values, and no number, which may be a count of 2011."""
    if isinstance(content, dict):
        for key, child in content.items():
            yield str(key)
            yield from texts(child)
    elif isinstance(content, list | tuple):
        for child in content:
            yield from texts(child)
    elif isinstance(content, str):
        yield content


def findings(home: Path, chapter: str, pack: Pack) -> list[Finding | Note]:
    names = {chapter: importlib.import_module(f"cbs_analysis.chapters.{chapter}"), "pack": pack}
    return [eval(source, dict(names)) for source in cells(home, chapter)]


def test_the_example_passes_every_check_without_an_exception(home: Path) -> None:
    results = check_tables(home / "data")
    assert {result.table for result in results} >= {"activity", "population_by_age", "areas", "geographies"}
    assert [result for result in results if result.status != "passed"] == []


def test_the_same_example_is_written_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    assert write_home(first, with_example=True) == write_home(second, with_example=True)
    for path in (path for path in first.rglob("*") if path.is_file()):
        assert path.read_bytes() == (second / path.relative_to(first)).read_bytes()


@pytest.mark.parametrize("code", AREAS)
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_cell_of_each_notebook_gives_evidence_that_names_no_real_place(
    home: Path, chapter: str, code: str
) -> None:
    found = findings(home, chapter, open_pack(code, "first"))
    assert len(found) == len(cells(home, chapter)) > 0
    for finding in found:
        bundle = finding._repr_mimebundle_()
        for mime, content in bundle.items():
            named = REAL.findall("\n".join(texts(content)))
            assert not named, f"{mime} of {getattr(finding, 'id', finding)} names {sorted(set(named))}"
        if isinstance(finding, Finding):
            assert "nan" not in finding.statement and finding.statement.endswith(".")
            assert finding.value is not None or finding.members is not None, finding.id


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_notebook_declares_the_tables_that_its_cells_read(home: Path, chapter: str) -> None:
    notebook = nbformat.read(home / "notebooks" / f"{chapter}.ipynb", as_version=4)
    [opening] = [cell.source for cell in notebook.cells if "tables = [" in cell.source]
    tables = re.findall(r'"(\w+)"', opening[opening.index("tables = [") : opening.index("]")])
    pack = open_pack("E09000001", "first", tables)
    assert pack.declared == frozenset(tables)
    assert len(findings(home, chapter, pack)) == len(cells(home, chapter))


def test_the_planted_change_in_recording_is_found(home: Path) -> None:
    chapter = importlib.import_module("cbs_analysis.chapters.planned_care")
    assert "April 2024" in chapter.activity(open_pack("E09000004", "first"), "other_referrals").caution
    assert chapter.activity(open_pack("E09000001", "first"), "other_referrals").caution == ""


def test_without_the_example_what_is_missing_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    write_home(home)
    monkeypatch.setenv("CBS_HOME", str(home))
    assert not list((home / "data" / "published").glob("*.csv"))
    assert [result.status for result in check_tables(home / "data")].count("failed") == 0
    with pytest.raises(UserError) as caught:
        open_pack("E09000001", "first")
    assert "\n" not in str(caught.value)
    assert str(caught.value) == "params/editions/first.yml: geography: 'main' is not a geography; there are none"


def _append(path: Path, *rows: dict[str, object]) -> None:
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file))
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, header, restval="", lineterminator="\n").writerows(rows)


def _add_nation(home: Path) -> None:
    """A nation with rows of its own in population and activity, ten times the whole, and no parts."""
    reference, published = home / "data" / "reference", home / "data" / "published"
    _append(reference / "area_kinds.csv", {"kind": "nation", "name": "nation", "plural_name": "nations"})
    _append(reference / "areas.csv", {"area_code": "ALL", "area_name": "Everywhere", "kind": "nation"})
    names = reference / "geography_names.csv"
    with names.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    with names.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | {"nation_code": "ALL"} for row in rows)
    for table, keys in (("population_by_age", ("mid_year", "age")), ("activity", ("month",))):
        with (published / f"{table}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        totals: dict[tuple[str, ...], dict[str, object]] = {}
        for row in rows:
            key = tuple(row[name] for name in keys)
            total = totals.setdefault(key, {**dict(zip(keys, key, strict=True)), "area_code": "ALL"})
            for name in row.keys() - {*keys, "area_code"}:
                total[name] = int(str(total.get(name, 0))) + 10 * int(row[name])
        _append(published / f"{table}.csv", *totals.values())
    description = home / "data" / "datapackage.json"
    package = json.loads(description.read_text(encoding="utf-8"))
    for each in package["resources"]:
        for field in each["schema"]["fields"]:
            if each["name"] in ("population_by_age", "activity") and field.get("areaKinds"):
                field["areaKinds"] = [*field["areaKinds"], "nation"]
    description.write_text(json.dumps(package), encoding="utf-8")


def test_a_nation_without_its_parts_is_compared_with(home: Path) -> None:
    _add_nation(home)
    assert [result for result in check_tables(home / "data") if result.status == "failed"] == []
    chapter = importlib.import_module("cbs_analysis.chapters.planned_care")
    whole, district = (chapter.activity(open_pack(code, "first"), "gp_referrals") for code in ("MERIDIAN", "E09000001"))
    [nation] = [item for item in district.comparisons if item.comparator_code == "ALL"]
    assert nation.comparator == "Everywhere"
    assert nation.value == pytest.approx(whole.value, rel=1e-12), "ten times the events over ten times the people"
    assert [item.comparator_code for item in whole.comparisons] == ["ALL"]
    assert "Everywhere" in district.statement


@pytest.mark.parametrize("code", AREAS)
def test_every_finding_can_be_made_beside_a_nation(home: Path, code: str) -> None:
    _add_nation(home)
    for chapter in CHAPTERS:
        for finding in findings(home, chapter, open_pack(code, "first")):
            assert finding._repr_mimebundle_()


def test_a_folder_that_is_not_empty_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    command = [Path(sys.executable).with_name("cbs"), "init", str(tmp_path), "--example"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "is not an empty folder; name one that is absent or empty" in said
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(UserError, match="is not an empty folder"):
        write_home(tmp_path / "mine.txt")
