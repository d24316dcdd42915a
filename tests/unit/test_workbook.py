"""The workbook of a pack, read back by another library and as the XML that it is."""

import zipfile

import openpyxl
import pytest
from packs_made_up import FAILED, HOSTILE, LOCAL, edited, finding, pack

from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing.workbook import write_workbook
from cbs_analysis.workbooks import Book, sheet_name


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    path = tmp_path_factory.mktemp("workbook") / "5LE.xlsx"
    other = finding(words=HOSTILE, id="planned_care.other", indicator=None)
    write_workbook(path, pack(finding(words=HOSTILE), other, failures=[FAILED]), edited(), LOCAL)
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("workbook") / "5LE.xlsx"
    write_workbook(path, pack(), edited(), LocalCommentary())
    return path


def cells(path):
    return [cell for sheet in openpyxl.load_workbook(path).worksheets for row in sheet.iter_rows() for cell in row]


def test_it_opens_with_contents_messages_indicators_a_sheet_a_finding_notes_and_sources(plain):
    names = openpyxl.load_workbook(plain).sheetnames
    assert names == ["Contents", "Messages", "Indicators", "1 Day case rate", "Notes", "Sources"]


def test_the_contents_lead_to_every_sheet(plain):
    book = openpyxl.load_workbook(plain)
    links = [cell.hyperlink for row in book["Contents"].iter_rows() for cell in row if cell.hyperlink]
    assert {link.location for link in links} == {f"'{name}'!A1" for name in book.sheetnames if name != "Contents"}


def test_numbers_are_numbers_unrounded_and_read_to_their_decimals(plain):
    sheet = openpyxl.load_workbook(plain)["1 Day case rate"]
    (rate,) = {cell.value for row in sheet.iter_rows() for cell in row if isinstance(cell.value, float)}
    assert rate == 80.123456789
    formats = {cell.number_format for row in sheet.iter_rows() for cell in row if cell.value == rate}
    assert formats == {"#,##0.0"}


def test_units_stand_in_the_headers(plain):
    assert "Rate (%)" in {cell.value for cell in cells(plain)}


def test_a_gap_is_an_empty_cell(plain):
    sheet = openpyxl.load_workbook(plain)["1 Day case rate"]
    (london, *_) = [row for row in sheet.iter_rows() if row[0].value == "London"]
    assert (london[1].value, london[2].value) == (None, -5)


def test_whatever_text_starts_with_it_is_no_formula(hostile):
    found = cells(hostile)
    assert any(isinstance(cell.value, str) and cell.value.startswith("=cmd") for cell in found)
    assert {cell.data_type for cell in found if cell.value is not None} <= {"s", "n"}
    with zipfile.ZipFile(hostile) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
    assert sheets
    assert not any(b"<f>" in sheet or b"<f " in sheet for sheet in sheets)


def test_it_holds_no_macro_and_no_link_to_another_file(hostile):
    with zipfile.ZipFile(hostile) as archive:
        names = " ".join(archive.namelist())
    assert "vba" not in names
    assert "externalLink" not in names


def test_a_missing_chapter_is_said_with_its_reason(hostile):
    said = [cell.value for row in openpyxl.load_workbook(hostile)["Notes"].iter_rows() for cell in row if cell.value]
    assert "Missing: Outlook. The chapter failed at cell 4: ValueError: no value for 2010-07." in said


def test_the_same_pack_gives_the_same_bytes(hostile, tmp_path):
    again = tmp_path / "again.xlsx"
    other = finding(words=HOSTILE, id="planned_care.other", indicator=None)
    write_workbook(again, pack(finding(words=HOSTILE), other, failures=[FAILED]), edited(), LOCAL)
    assert again.read_bytes() == hostile.read_bytes()


@pytest.mark.parametrize("name", ["a" * 40, "x[1]:*?/\\y", "'quoted'", "", "History", "\ud800\x01", "One two " * 6])
def test_any_text_makes_a_name_that_a_sheet_may_have(name, tmp_path):
    found = sheet_name(name)
    assert 0 < len(found) <= 31
    with Book(tmp_path / "book.xlsx", "t", "a") as book:
        names = {book.sheet(name).name.lower() for _ in range(12)}
    assert len(names) == 12
    assert openpyxl.load_workbook(tmp_path / "book.xlsx").sheetnames[0] == found


def test_a_long_name_is_cut_between_words():
    assert sheet_name("13 Admissions above or below expected") == "13 Admissions above or below"
