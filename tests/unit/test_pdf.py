"""The PDF of a pack: what it says, that it can be read by everyone, and that text in it stays text."""

import subprocess
import sys

import pypdf
import pytest
from packs_made_up import FAILED, HOSTILE, LOCAL, edited, finding, pack

from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing.pdf import write_pdf

A4 = (595, 842)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("pdf") / "5LE.pdf"
    write_pdf(path, pack(failures=[FAILED]), edited(), LOCAL)
    return path


def text(path):
    return " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(path).pages).split())


def test_it_is_tagged_a4_with_title_language_and_bookmarks(made):
    reader = pypdf.PdfReader(made)
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en-GB"
    assert reader.metadata.title == "Southwark: London commissioning evidence 2011/12"
    assert {tuple(round(float(side)) for side in page.mediabox[2:]) for page in reader.pages} == {A4}
    titles = [item.title for item in _flat(reader.outline)]
    assert [title for title in titles if title != "Contents"] == [
        "Main messages", "Every indicator", "Sizes and forecasts", "Local commentary", "Planned care", "Day case rate",
        "Outlook", "Reading this report", "Better, similar, worse", "Intervals", "What is not here", "Sources",
    ]  # fmt: skip


def test_every_page_after_the_cover_has_its_number_and_how_many_there_are(made):
    pages = pypdf.PdfReader(made).pages
    for number, page in enumerate(pages[1:], start=2):
        assert f"Page {number} of {len(pages)}" in page.extract_text()


def test_it_says_what_the_pack_says(made):
    said = text(made)
    for part in (
        "Day case rate: higher than London", "Southwark had 80.1% day cases.", "80.1%", "79.0 to 81.5", "better",
        "Case mix is not adjusted.", "Department of Health", "Open Government Licence v3.0",
    ):  # fmt: skip
        assert part in said, part


def test_a_failed_chapter_is_said_with_its_reason(made):
    assert "The chapter failed at cell 4: ValueError: no value for 2010-07." in text(made)


def test_charts_are_vectors_with_words_for_those_who_cannot_see_them(made):
    reader = pypdf.PdfReader(made)
    assert not any(page.images for page in reader.pages)
    assert "Dots." in str([_alternatives(reader)])


def test_fonts_travel_with_it(made):
    for page in pypdf.PdfReader(made).pages:
        for font in (page["/Resources"].get("/Font") or {}).values():
            inner = font.get_object()["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
            assert any(key.startswith("/FontFile") for key in inner)


def test_text_stays_text_whatever_is_in_it(tmp_path):
    path = tmp_path / "hostile.pdf"
    write_pdf(path, pack(finding(words=HOSTILE + "\x01\ud800", name="#panic(1) *x* _y_ @z")), edited(), LOCAL)
    said = text(path)
    assert "</script><script>alert(1)</script>" in said
    assert "#let `b` $y$" in said
    assert "#panic(1) *x* _y_ @z" in said


def test_the_same_pack_gives_the_same_bytes_in_another_process(made, tmp_path):
    again = tmp_path / "again.pdf"
    code = (
        "import sys; from pathlib import Path; from packs_made_up import *;"
        "from cbs_analysis.publishing.pdf import write_pdf;"
        "write_pdf(Path(sys.argv[1]), pack(failures=[FAILED]), edited(), LOCAL)"
    )
    subprocess.run([sys.executable, "-c", code, str(again)], cwd=__file__.rpartition("/")[0], check=True)
    assert again.read_bytes() == made.read_bytes()


def test_a_pack_of_nothing_but_failures_is_a_document_too(tmp_path):
    path = tmp_path / "failed.pdf"
    empty = pack(failures=[FAILED])
    write_pdf(path, type(empty)("SEL", (), empty.failures), edited(), LocalCommentary())
    assert "No finding stands clear of its comparator." in text(path)
    assert "This chapter is missing." in text(path)


def _flat(outline):
    for item in outline:
        yield from _flat(item) if isinstance(item, list) else [item]


def _alternatives(reader):
    """Alternative texts of the structure tree."""
    waiting, found = [reader.trailer["/Root"]["/StructTreeRoot"].get_object()], []
    while waiting:
        node = waiting.pop()
        if isinstance(node, pypdf.generic.ArrayObject):
            waiting += [child.get_object() for child in node]
        elif isinstance(node, pypdf.generic.DictionaryObject):
            found += [node["/Alt"]] if "/Alt" in node else []
            waiting += [node["/K"].get_object()] if "/K" in node else []
    return found
