"""Whatever readers take along of synthetic records says so too: workbook, PDF, tables and archive."""

import csv
import io
import json

import openpyxl
import pandas as pd
import pypdf
import pytest
from packs_made_up import (
    ANY,
    ENDING,
    LABEL,
    LOCAL,
    MADE_UP,
    SENTENCE,
    both,
    edited,
    made_up,
    pack,
)

from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.publishing.archive import read_me
from cbs_analysis.publishing.pdf import write_pdf
from cbs_analysis.publishing.tables import table_files
from cbs_analysis.publishing.workbook import write_workbook


@pytest.fixture(scope="module")
def known():
    return edited()


@pytest.fixture(scope="module")
def workbook(tmp_path_factory, known):
    path = tmp_path_factory.mktemp("label") / "5LE.xlsx"
    write_workbook(path, both(), known, LOCAL)
    return openpyxl.load_workbook(path)


@pytest.fixture(scope="module")
def printed(tmp_path_factory, known):
    path = tmp_path_factory.mktemp("label") / "5LE.pdf"
    write_pdf(path, both(), known, LOCAL)
    return pypdf.PdfReader(path)


def test_every_sheet_that_holds_such_figures_has_a_line_that_says_so(workbook):
    sheets = {sheet.title: [str(cell.value) for row in sheet.iter_rows() for cell in row] for sheet in workbook}
    for name in ("Contents", "Indicators", "2 Readmissions"):
        assert any(value.startswith(SENTENCE) for value in sheets[name][:80]), name
    assert not ANY.search(" ".join(sheets["1 Day case rate"]))
    assert f"Readmissions{ENDING}" in sheets["Contents"]
    assert f"Adjusted ratios{ENDING}" in sheets["Sources"]
    assert sheets["Indicators"].count(LABEL) == 2  # the column's head and one row


def test_the_workbooks_messages_stand_apart(workbook, known):
    column = [row[1].value for row in workbook["Messages"].iter_rows()]
    first = [row[0].value for row in workbook["Messages"].iter_rows()]
    heading = first.index("From synthetic records")
    name = known.indicators[MADE_UP].name
    (place,) = [at for at, value in enumerate(column) if value and value.startswith(name)]
    assert place > heading
    assert column[place].endswith(ENDING)


def test_the_pdf_says_it_on_its_cover_in_its_outline_and_wherever_such_a_finding_is(printed, known):
    said = [" ".join(page.extract_text().split()) for page in printed.pages]
    assert SENTENCE in said[0]
    messages = next(page for page in said if page.startswith("Main messages"))
    main, _, apart = messages.rpartition("From synthetic records")
    name = known.indicators[MADE_UP].name
    assert name not in main
    assert f"{name}: higher than London{ENDING}" in apart
    evidence = next(page for page in said if "had 1.2 readmissions" in page and "Source:" in page)
    assert evidence.index(SENTENCE) < evidence.index("had 1.2 readmissions")
    assert f"Readmissions{ENDING}" in str(printed.outline)
    table = next(page for page in said if "How it compares" in page)
    assert table.count(LABEL) == 1


def test_tables_to_take_along_say_it_in_their_name_their_title_and_a_last_column(known):
    files = table_files(both(), known)
    resources = {item["path"]: item for item in json.loads(files["datapackage.json"])["resources"]}
    marked = [name for name in files if name.endswith("-synthetic.csv")]
    assert sorted(marked) == [f"planned_care-readmissions-{kind}-synthetic.csv"
                              for kind in ("key-figures", "members", "table")]  # fmt: skip
    for name, content in files.items():
        if not name.endswith(".csv"):
            continue
        heads, *rows = csv.reader(io.StringIO(content.decode()))
        assert heads == [field["name"] for field in resources[name]["schema"]["fields"]]
        if name in marked:
            assert heads[-1] == "synthetic"
            assert {row[-1] for row in rows} == {LABEL}
            assert resources[name]["title"].endswith(ENDING)
        elif name == "findings.csv":
            assert [row[-1] for row in rows] == ["", SENTENCE]
        else:
            assert not ANY.search(content.decode() + json.dumps(resources[name]))
    assert SENTENCE in json.loads(files["datapackage.json"])["description"]


def test_the_archives_read_me_says_it(known):
    assert SENTENCE in read_me(both(), known)
    assert not ANY.search(read_me(pack(), known))


def test_a_tables_notes_and_withheld_cells_go_along_with_it(tmp_path, known):
    columns = {"area": Column("Area"), "n": Column("N", decimals=0)}
    table = Table("T", pd.DataFrame({"area": ["A"], "n": ["*"]}), columns, notes=("Cells with * are withheld.",))
    held = pack(made_up(table=table, chart=None))
    files = table_files(held, known)
    package = {item["path"]: item for item in json.loads(files["datapackage.json"])["resources"]}
    described = package["planned_care-readmissions-table-synthetic.csv"]
    assert described["schema"]["missingValues"] == ["", "*"]
    assert "Cells with * are withheld." in described["description"]
    write_workbook(tmp_path / "5LE.xlsx", held, known, LOCAL)
    cells = [cell.value for sheet in openpyxl.load_workbook(tmp_path / "5LE.xlsx") for row in sheet for cell in row]
    assert "Cells with * are withheld." in cells
    write_pdf(tmp_path / "5LE.pdf", held, known, LOCAL)
    said = " ".join(page.extract_text() for page in pypdf.PdfReader(tmp_path / "5LE.pdf").pages)
    assert "Cells with * are withheld." in said
