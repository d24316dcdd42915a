"""A pack's PDF: tagged, complete, the same each time, and nothing that is written in a pack can be more than text."""

import hashlib
import json
import multiprocessing
import re
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pypdf
import pytest
import typst
from packs_made_up import facts, with_facts

from cbs_analysis.errors import DataError
from cbs_analysis.home import home
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import pdf
from cbs_analysis.publishing.messages import rank_messages
from cbs_analysis.publishing.packs import ExecutedPack, Failure, gather
from cbs_analysis.publishing.pdf import content, write_pdf

REFERENCE = ("5LE", "SEL", "LON")
MARKUP = "#panic() $x$ *b* _i_ `r` @ref <l> \\u{1} // c /* = h [x](y) <script>alert(1)</script> & {x} -- ~"
NOTHING = LocalCommentary()


@pytest.fixture(scope="module")
def gathered(tmp_path_factory):
    """The reference packs that are kept with the tests, as executed."""
    build = tmp_path_factory.mktemp("build")
    for code in REFERENCE:
        shutil.copytree(home() / "tests" / "notebooks" / code, build / "editions" / "2011-12" / code)
    with_facts(build / "editions" / "2011-12")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CBS_BUILD", str(build))
        return gather("2011-12")


@pytest.fixture(scope="module")
def edited(gathered):
    return gathered[0]


@pytest.fixture(scope="module")
def packs(gathered):
    return gathered[1]


class Written:
    """A PDF and, read once, the text of its pages: reading takes longer than making."""

    def __init__(self, path):
        self.path, self.reader = path, pypdf.PdfReader(path)
        self.pages = [page.extract_text() for page in self.reader.pages]
        self.text = _plain(re.sub(r"[^\n]*Page \d+ of \d+", " ", " ".join(self.pages)))


@pytest.fixture(scope="module")
def made(edited, packs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pdf")
    for code in REFERENCE:
        write_pdf(folder / f"{code}.pdf", with_range(packs[code]), edited, NOTHING)
    return {code: Written(folder / f"{code}.pdf") for code in REFERENCE}


def said(path):
    return Written(path).text


def _plain(text):
    return re.sub(r"\s+", "", text.replace("\u2060", "").replace("\xad", ""))


def elements(reader):
    """Every element of the tag tree: its kind and itself, in reading order."""
    found = []

    def walk(node):
        node = node.get_object()
        if isinstance(node, list):
            for child in node:
                walk(child)
        elif isinstance(node, dict):
            if "/S" in node:
                found.append((node["/S"], node))
            if "/K" in node:
                walk(node["/K"])

    walk(reader.trailer["/Root"]["/StructTreeRoot"]["/K"])
    return found


def with_range(pack):
    """The pack, its findings knowing the range of those compared, whichever executed it."""

    def known(finding):
        if finding["value"] is None:
            return finding
        values = sorted([0.0, finding["value"], *(item["value"] for item in finding["comparisons"] if item["value"])])
        ends = dict(
            zip(("lowest", "lower_quartile", "median", "upper_quartile"), (*values, *values[-1:] * 3), strict=False)
        )
        return {**finding, "peers": {"count": 31, **ends, "highest": max(values) * 1.5}}

    chapters = [replace(chapter, findings=tuple(map(known, chapter.findings))) for chapter in pack.chapters]
    return replace(pack, chapters=tuple(chapters))


def small(pack, *names, **changes):
    """A pack of a few findings, so that what is tested stands out."""
    found = [finding for chapter in pack.chapters for finding in chapter.findings if finding["id"] in names]
    chapter = replace(pack.chapters[0], name="planned_care", title="Planned care", findings=tuple(found), notes=())
    pictures = {key: svg for chapter in pack.chapters for key, svg in chapter.pictures.items()}
    return ExecutedPack("5LE", (replace(chapter, pictures=pictures, **changes),), ())


@pytest.mark.parametrize("code", REFERENCE)
def test_it_is_tagged_and_says_that_it_is_pdf_ua(made, code):
    reader = made[code].reader
    root = reader.trailer["/Root"]
    assert root["/MarkInfo"]["/Marked"]
    assert root["/Lang"] == "en-GB"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    assert re.search(rb"pdfuaid:part>1<", root["/Metadata"].get_data())


def test_its_properties_say_what_it_is_and_no_date(made):
    about = made["5LE"].reader.metadata
    assert about.title == "Southwark: London commissioning evidence 2011/12"
    assert about.author == "Southwark PCT"
    assert "Southwark" in about["/Keywords"]
    assert not {"/CreationDate", "/ModDate"} & about.keys()


@pytest.mark.parametrize("code", REFERENCE)
def test_headings_skip_no_level_and_tables_have_heads(made, code):
    kinds = [kind for kind, _ in elements(made[code].reader)]
    levels = [int(kind[2:]) for kind in kinds if re.fullmatch(r"/H\d", kind)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert kinds.count("/Table") == kinds.count("/THead") > 5


@pytest.mark.parametrize("code", REFERENCE)
def test_every_picture_has_a_text_alternative(made, packs, code):
    alternatives = [node.get("/Alt") for kind, node in elements(made[code].reader) if kind == "/Figure"]
    assert all(alternatives)
    for finding in packs[code].findings:
        if finding["chart_description"]:
            assert pdf.replaced(finding["chart_description"]) in alternatives


@pytest.mark.parametrize("code", REFERENCE)
def test_pages_are_a4_and_numbered_but_for_the_cover(made, code):
    pages = made[code].pages
    assert {(round(page.mediabox.width), round(page.mediabox.height)) for page in made[code].reader.pages} == {
        (595, 842)
    }
    assert "Page 1 " not in pages[0]
    for number, page in enumerate(pages[1:], start=2):
        assert f"Page {number} of {len(pages)}" in page


def headed(finding):
    """A finding's heading: its title, and whether it is of synthetic records."""
    return finding["title"] + (" (synthetic records)" if finding["synthetic"] else "")


@pytest.mark.parametrize("code", REFERENCE)
def test_bookmarks_lead_to_every_chapter_and_finding(made, packs, code):
    reader = made[code].reader
    first, within, last = {}, {}, None
    for item in reader.outline:
        if isinstance(item, list):
            within[last] = [each.title for each in item]
        else:
            last = item.title
            first[last] = reader.get_destination_page_number(item)
    assert [*first][:2] == ["Main messages", "Every indicator"]
    for chapter in packs[code].chapters:
        assert within[chapter.title] == [headed(finding) for finding in chapter.findings]
        assert chapter.title in made[code].pages[first[chapter.title]]


@pytest.mark.parametrize("code", REFERENCE)
def test_every_finding_and_message_is_said(made, edited, packs, code):
    text = made[code].text
    for finding in packs[code].findings:
        for part in (finding["title"], finding["statement"], finding["flag_reason"], finding["caution"]):
            assert _plain(part) in text
        for part in (*finding["caveats"], *(item["publisher"] for item in finding["source"])):
            assert _plain(part) in text
    for message in rank_messages(packs[code].findings):
        assert _plain(f"{message.direction} than {message.comparison['comparator']}") in text


@pytest.mark.parametrize("code", REFERENCE)
def test_charts_are_vectors_with_text_and_fonts_are_in_the_file(made, packs, code):
    reader = made[code].reader
    found = [reader.get_object(number) for number in range(1, len(reader.xref[0]) + 1)]
    assert not [item for item in found if isinstance(item, dict) and item.get("/Subtype") == "/Image"]
    described = [item for item in found if isinstance(item, dict) and item.get("/Type") == "/FontDescriptor"]
    assert any("SourceSansPro" in font["/FontName"] for font in described)
    assert all({"/FontFile2", "/FontFile3"} & font.keys() for font in described)
    assert not [font for font in described if "Liberation" in font["/FontName"]]
    svg = next(iter(packs[code].chapters[0].pictures.values()))
    title = re.findall(r"<text[^>]*>([^<]+)</text>", svg)[-1]
    assert _plain(title) in made[code].text


def test_marks_and_signs_are_shown_as_such(edited, packs, tmp_path):
    pack = small(packs["5LE"], "planned_care.daycase_rate")
    words = "\u25cf \u25cb \u25c6 \u2191 \u2193 \u2013 \u2212"
    shown = replace(pack.chapters[0], findings=({**pack.findings[0], "statement": words},))
    write_pdf(tmp_path / "a.pdf", replace(pack, chapters=(shown,)), edited, NOTHING)
    assert _plain(words) in said(tmp_path / "a.pdf")


def _written(path, pack, edited):
    write_pdf(path, pack, edited, NOTHING)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_same_pack_gives_the_same_bytes_in_any_process(made, edited, packs, tmp_path):
    pack = with_range(packs["5LE"])
    first = hashlib.sha256(made["5LE"].path.read_bytes()).hexdigest()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        jobs = [pool.submit(_written, tmp_path / f"{name}.pdf", pack, edited) for name in "ab"]
        assert {_written(tmp_path / "c.pdf", pack, edited), *(job.result() for job in jobs)} == {first}


def test_each_style_of_the_font_is_given_once(tmp_path):
    """Where a style has two files, which one is taken depends on the file system."""
    for name in pdf.FONT_FILES:
        shutil.copy(pdf._font_folder() / name, tmp_path)
    known = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=[tmp_path]).fonts()
    assert len({(font.family, font.style, font.weight) for font in known}) == len(known) == len(pdf.FONT_FILES)


def test_it_takes_less_than_a_second(edited, packs, tmp_path):
    write_pdf(tmp_path / "a.pdf", packs["LON"], edited, NOTHING)
    started = time.process_time()
    write_pdf(tmp_path / "b.pdf", packs["5LE"], edited, NOTHING)
    assert time.process_time() - started < 2.0  # several threads; a second by the clock


def hostile(finding):
    """Markup in every text of a finding, and characters that no font holds."""
    odd = f"{MARKUP} \N{HOSPITAL} \u4e2d\x00\x07\ue000\ud800"
    found = {**finding, "flagged": True, "flag_reason": odd, "caveats": [odd]}
    found |= {
        name: f"{odd}{finding[name]}" for name in ("title", "statement", "caution", "period", "chart_description")
    }
    found["comparisons"] = [{**item, "comparator": odd} for item in finding["comparisons"]]
    found["source"] = [
        {
            name: [dict.fromkeys(licence, odd) for licence in value] if isinstance(value, list) else odd
            for name, value in item.items()
        }
        for item in finding["source"]
    ]
    for name in ("key_figures", "table", "members"):
        if table := finding[name]:
            fields = [{**field, "title": odd} for field in table["schema"]["fields"]]
            rows = [{key: odd if isinstance(cell, str) else cell for key, cell in row.items()} for row in table["data"]]
            found[name] = {**table, "title": odd, "schema": {"fields": fields}, "data": rows}
    return found


def test_hostile_text_is_shown_and_is_only_text(edited, packs, tmp_path):
    pack = packs["5LE"]
    chapter = pack.chapters[2]
    pictures = {key: svg.replace("Southwark", "S\N{HOSPITAL}\u4e2d*x*") for key, svg in chapter.pictures.items()}
    chapter = replace(
        chapter, title=MARKUP, findings=tuple(map(hostile, chapter.findings)), notes=(MARKUP,), pictures=pictures
    )
    failed = Failure("outlook", MARKUP, 3, MARKUP)
    local = LocalCommentary(priorities=(MARKUP,), commentary=f"{MARKUP}\n\nOurs: {MARKUP}\x00")
    write_pdf(tmp_path / "a.pdf", replace(pack, chapters=(chapter,), failures=(failed,)), edited, local)
    text = said(tmp_path / "a.pdf")
    assert text.count(_plain(MARKUP)) > 30
    assert _plain(f"Ours: {MARKUP}\ufffd") in text
    assert "\N{HOSPITAL}" not in text


def test_characters_that_go_with_no_font_together_do_not_fail_it(edited, packs, tmp_path):
    """Each is in some font, and no font has the one on the other."""
    local = LocalCommentary(commentary="\u25cf\u0484 after")
    write_pdf(tmp_path / "a.pdf", small(packs["5LE"], "planned_care.daycase_rate"), edited, local)
    assert "\u25cf\ufffdafter" in said(tmp_path / "a.pdf")


def test_every_character_that_is_kept_is_in_the_fonts(tmp_path):
    kept = [chr(code) for code in range(0x20, 0x10000) if re.fullmatch(f"[{pdf.SHOWN}]", chr(code))]
    assert len(kept) > 2_000
    assert all(
        re.fullmatch(f"[{pdf.SHOWN}]", mark) for mark in "\u25cf\u25cb\u25c6\u25a0\u2191\u2193\u2013\u2212\ufffd"
    )
    _set_plainly(tmp_path, kept, "regular")
    _set_plainly(tmp_path, kept, "semibold")


def _set_plainly(folder, kept, weight):
    (folder / "kept.json").write_text(json.dumps(kept), encoding="utf-8")
    (folder / "a.typ").write_text(
        '#set document(title: "a", date: none)\n#set text(font: ("Source Sans Pro", "DejaVu Sans Mono"), size: 4pt, '
        f'weight: "{weight}")\n= a\n#for mark in json("kept.json") [#mark ]',
        encoding="utf-8",
    )
    fonts = [pdf._font_folder()]
    typst.compile(folder / "a.typ", font_paths=fonts, ignore_system_fonts=True, pdf_standards=pdf.STANDARD)


def test_a_failed_chapter_has_a_page_that_says_what_is_missing_and_why(edited, packs, tmp_path):
    pack = packs["5LE"]
    failed = Failure("planned_care", "Planned care", 4, "ValueError: no such month")
    few = [replace(chapter, findings=chapter.findings[:1]) for chapter in pack.chapters]
    without = tuple(chapter for chapter in few if chapter.name != "planned_care")
    write_pdf(tmp_path / "a.pdf", replace(pack, chapters=without, failures=(failed,)), edited, NOTHING)
    written = Written(tmp_path / "a.pdf")
    text = written.text
    assert _plain("Messages from “Planned care” are missing.") in text
    assert text.count(_plain("The chapter failed at cell 4: ValueError: no such month.")) == 2
    assert _plain(f"It would have covered: {edited.indicators['gp_referrals_per_1000'].name}") in text
    assert _plain("missing: its chapter is not in this pack") in text
    titles = [item.title for item in written.reader.outline if not isinstance(item, list)]
    assert titles.index("Emergency care") < titles.index("Planned care") < titles.index("Outlook")


def test_where_nothing_was_made_it_still_says_so(edited, tmp_path):
    failed = tuple(Failure(name, name, None, "RuntimeError: x") for name in edited.edition.chapters)
    write_pdf(tmp_path / "a.pdf", ExecutedPack("5LE", (), failed), edited, NOTHING)
    assert said(tmp_path / "a.pdf").count("Thechapterfailed:RuntimeError:x.") == 2 * len(failed)


def test_local_commentary_is_marked_as_the_areas_own_words(edited, packs, tmp_path):
    local = LocalCommentary(priorities=("Fewer falls",), commentary="First part.\n\nSecond part.")
    write_pdf(tmp_path / "a.pdf", small(packs["5LE"], "planned_care.daycase_rate"), edited, local)
    text = said(tmp_path / "a.pdf")
    assert _plain("Written by Southwark PCT. It is not part of the evidence.") in text
    assert text.index("Fewerfalls") < text.index("Firstpart.") < text.index("Secondpart.")


def test_without_local_commentary_there_is_no_such_section(made):
    assert "Localcommentary" not in made["5LE"].text


def test_an_area_of_any_geography_may_have_one(edited, packs, tmp_path):
    """Nothing rests on London or on a PCT: strategic health authorities, and no findings that know a range."""
    known = facts(name="england-2011-12")
    england, other = known.edition, replace(edited, edition=known.edition, geography=known.geography)
    chapter = next(chapter for chapter in packs["LON"].chapters if chapter.name == "planned_care")
    old = [{key: part for key, part in finding.items() if key != "peers"} for finding in chapter.findings[:2]]
    for code in ("ENG", "Q36", "5QE"):
        pack = ExecutedPack(code, (replace(chapter, findings=tuple(old)),), ())
        write_pdf(tmp_path / f"{code}.pdf", pack, other, NOTHING)
        text = said(tmp_path / f"{code}.pdf")
        assert _plain(other.geography.area(code).name) in text
        assert _plain(england.notes[0]) in text


def test_the_strip_has_the_headline_comparator_in_the_middle_and_the_farthest_at_an_edge(edited, packs):
    shown = content.contents(with_range(packs["5LE"]), edited, NOTHING)["indicators"]
    strips = [row["strip"] for row in shown["rates"] if row.get("strip")]
    assert strips
    for strip in strips:
        ends = [strip["lowest"], strip["highest"], strip["value"], *strip["limits"]]
        assert max(abs(end - 0.5) for end in ends) == pytest.approx(0.5, abs=1e-3)
        assert strip["lowest"] <= strip["lower_quartile"] <= strip["upper_quartile"] <= strip["highest"]


def test_a_shape_says_what_the_word_says(edited, packs):
    shapes = {"better": "disc", "similar": "ring", "worse": "diamond", "flagged": "crossed"}
    for pack in packs.values():
        for row in content.contents(with_range(pack), edited, NOTHING)["indicators"]["rates"]:
            if "absent" not in row and row["value"] != "not available":
                assert row["strip"]["shape"] == shapes.get(row["mark"]["word"], "square")


def test_long_tables_stay_in_the_workbook_and_short_ones_without_a_chart_are_printed(edited, packs):
    chapters = content.contents(packs["5LE"], edited, NOTHING)["chapters"]
    shown = {finding["title"]: finding for chapter in chapters for finding in chapter["findings"]}
    for finding in packs["5LE"].findings:
        printed = [table["title"] for table in shown[headed(finding)]["tables"]]
        table = finding["table"]
        if table and finding["chart_description"]:
            assert table["title"] not in printed
        elif table:
            assert (table["title"] in printed) == (len(table["data"]) <= content.SHORT_TABLE)


def test_a_chart_that_is_no_picture_is_an_error_that_names_it(edited, packs, tmp_path):
    pack = small(packs["5LE"], "planned_care.daycase_rate")
    broken = replace(pack.chapters[0], pictures={"planned_care.daycase_rate": "<svg><g></svg>"})
    with pytest.raises(DataError, match=r"planned_care\.daycase_rate: its chart"):
        write_pdf(tmp_path / "a.pdf", replace(pack, chapters=(broken,)), edited, NOTHING)
    assert not Path(tmp_path / "a.pdf").exists()
