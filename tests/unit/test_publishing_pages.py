"""Pages, contents and navigation, without building a book."""

import json
import re
import tomllib
from dataclasses import replace
from html import unescape

import pytest
import yaml
from packs_made_up import facts, facts_output
from test_publishing_messages import finding, indicator

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.home import data_dir, home
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import (
    chapter_page,
    contents,
    front_page,
    handbook_pages,
    indicators,
    pack_page,
    site,
    templating,
)
from cbs_analysis.publishing.packs import (
    FINDING_MIME,
    NOT_MADE,
    EditionContext,
    ExecutedChapter,
    ExecutedPack,
    Failure,
    read_pack,
)
from cbs_analysis.publishing.theme import navigation, to_mathml

HOSTILE = "<script>alert(1)</script> {x} $y$ | \"q\" 'z' `b` ``` *i* [l](javascript:1) &amp; Môn \N{HOSPITAL}"


def whole_finding(key, chapter="planned_care", **changes):
    return finding(
        key,
        definition=indicator(key, name=f"Name of {key}").to_json() if changes.get("indicator", key) else None,
        area_name="Southwark",
        id=f"{chapter}.{key}",
        title=f"Title of {key}",
        chapter=chapter,
        statement=f"Statement of {key}.",
        period="2010/11",
        flag_reason="records are missing" if changes.get("flagged") else "",
        caution="",
        function="strategic planning",
        **{"caveats": (), **changes},
    )


def executed(*found, notes=(), failures=(), name="planned_care"):
    chapter = ExecutedChapter(name, "Planned care", None, tuple(found), tuple(notes))
    return ExecutedPack("5LE", (chapter,), tuple(failures))


@pytest.fixture(scope="module")
def edited():
    pack = facts()
    known = {key: indicator(key, name=f"Name of {key}") for key in ("rate", "other", "ratio")}
    made_by = {"rate": "planned_care", "other": "planned_care", "ratio": "emergency_care"}
    return EditionContext(pack.edition, pack.geography, known, made_by)


def test_the_first_page_leads_with_messages_linked_to_their_findings(edited):
    page = pack_page.pack_page(executed(whole_finding("rate")), edited, LocalCommentary())
    assert '<a href="planned_care.html#rate">Name of rate: higher than London</a>' in page
    assert page.index("Main messages") < page.index("Statement of rate.<") < page.index("Every indicator")


def test_a_message_is_the_first_sentence_of_its_finding():
    assert (
        pack_page.first_sentence("It was 1.5 per 1,000, e.g. more. That is new.") == "It was 1.5 per 1,000, e.g. more."
    )


def test_a_flagged_finding_stands_with_its_reason_and_is_no_message(edited):
    page = pack_page.pack_page(executed(whole_finding("rate", flagged=True)), edited, LocalCommentary())
    messages = page[page.index("Main messages") : page.index("Flagged figures")]
    assert "rate" not in messages
    assert "records are missing" in page
    assert "! flagged" in _words(page[page.index("Every indicator") :])


def test_findings_flagged_for_one_reason_are_listed_together(edited):
    flagged = [whole_finding(key, flagged=True) for key in ("rate", "other")]
    page = _words(pack_page.pack_page(executed(*flagged), edited, LocalCommentary()))
    assert "Title of rate and Title of other : records are missing" in page


def test_a_failed_chapter_is_named_with_cell_error_and_what_is_missing(edited):
    failure = Failure("emergency_care", "Emergency care", 7, "ValueError: no value for 2010-07")
    page = _words(pack_page.pack_page(executed(whole_finding("rate"), failures=[failure]), edited, LocalCommentary()))
    assert "Messages from “Emergency care” are missing." in page
    assert "The chapter failed at cell 7: ValueError: no value for 2010-07." in page
    assert "It would have covered: Name of ratio." in page
    assert "missing: its chapter is not in this pack" in page


def test_the_table_has_every_indicator_with_value_interval_comparators_and_a_word(edited):
    page = pack_page.pack_page(executed(whole_finding("rate")), edited, LocalCommentary())
    table = _words(page[page.index("<tbody>") : page.index("</tbody>")])
    assert (
        "rate per 1,000, 2010/11, lower is better 110.0 108.0 to 112.0 ◆ worse ↑ higher than London 1.0 100.0" in table
    )
    assert "other not available for this area" in table


def test_a_comparator_made_for_the_area_has_its_column_and_its_members_are_named(edited):
    held = whole_finding("rate")
    made = {"comparator": "Similar PCTs", "comparator_code": "similar", "value": 104.25}
    made |= {"comparator_members": ["5LD", "5C9"]}
    held["comparisons"].insert(1, {**held["comparisons"][0], **made})
    similar = whole_finding("similar_areas", chapter="population_and_need", indicator=None, comparisons=[])
    page = pack_page.pack_page(executed(held, similar), edited, LocalCommentary())
    heads = _words(page[page.index("<thead>") : page.index("</thead>")])
    assert heads == "Indicator Southwark How it compares lower London higher London Similar PCTs London"
    assert "worse ↑ higher than London 1.0 104.2 100.0" in _words(page[page.index("<tbody>") :])
    assert "Similar PCTs , most alike first: Lambeth and Haringey. Why these ." in _words(page)
    assert 'href="population_and_need.html#similar_areas"' in page


def test_columns_are_what_the_findings_hold_not_what_the_geography_knows(edited):
    fewer = whole_finding("other")
    fewer["comparisons"] = fewer["comparisons"][1:]
    found = indicators.comparators_in([fewer, whole_finding("rate")])
    assert [item.code for item in found] == ["SEL", "LON"]


def test_a_neutral_indicator_is_higher_or_lower_and_neither_better_nor_worse(edited):
    neutral = whole_finding("rate")
    neutral["comparisons"][1]["status"] = "not compared"
    page = pack_page.pack_page(executed(neutral), edited, LocalCommentary())
    row = _words(page[page.index("<tbody>") : page.index("</tbody>")])
    assert "↑ higher than London" in row
    assert "worse" not in row
    assert "not compared" not in row


def test_where_no_interval_was_published_the_table_says_what_the_message_says(edited):
    found = whole_finding("rate", lower=None, upper=None)
    found["comparisons"][1] |= {"status": "not compared", "direction": ""}
    found["definition"] = indicator("rate", name="Name of rate", interval="not published").to_json()
    page = _words(pack_page.pack_page(executed(found), edited, LocalCommentary()))
    assert "Name of rate: higher than London" in page
    assert "By the values alone: no interval was published." in page
    assert "not compared higher than London by value alone" in page


def test_a_value_that_is_not_available_leads_to_why(edited):
    page = pack_page.pack_page(executed(whole_finding("rate", value=None)), edited, LocalCommentary())
    assert '<a href="planned_care.html#rate">why, and what is known</a>' in page


def test_what_a_comparator_is_without_is_said_beside_its_value(edited):
    caveats = ("As a comparator, London is without Newham, whose figures are flagged.", "Another.")
    page = _words(pack_page.pack_page(executed(whole_finding("rate", caveats=caveats)), edited, LocalCommentary()))
    assert "Title of rate: London is without Newham, whose figures are flagged." in page
    assert "Another." not in page
    assert "A comparator leaves out" not in _words(
        pack_page.pack_page(executed(whole_finding("rate")), edited, LocalCommentary())
    )


def test_local_commentary_is_marked_as_not_of_the_evidence(edited):
    local = LocalCommentary(priorities=("Shorter waits",), commentary="One.\n\nTwo.")
    page = pack_page.pack_page(executed(whole_finding("rate")), edited, local)
    ours = page[page.index("## Local commentary") :]
    assert "It is not part of the evidence." in ours
    assert "<p>One.</p><p>Two.</p>" in ours
    assert "<li>Shorter waits</li>" in ours
    assert "Local commentary" not in pack_page.pack_page(executed(), edited, LocalCommentary())


def test_hostile_text_cannot_leave_its_block(edited):
    local = LocalCommentary(priorities=(HOSTILE,), commentary=f"{HOSTILE}\n```\n# heading\n\n{HOSTILE}")
    hostile = whole_finding("rate") | {"title": HOSTILE, "statement": HOSTILE, "period": HOSTILE}
    page = pack_page.pack_page(executed(hostile), edited, local)
    assert "<script" not in page
    assert page.count("```") == 2 * page.count("```{raw} html")


def test_an_area_name_in_a_title_keeps_every_character_as_text(edited):
    area = replace(edited.geography.area("5LE"), name=HOSTILE)
    title = chapter_page.page_title(area, "GP referrals")
    assert title.endswith(": GP referrals")
    assert title.replace("\\", "").startswith(HOSTILE)
    assert all(title[place - 1] == "\\" for place, sign in enumerate(title) if sign in "<>{}$|`*[]&")


def test_all_38_packs_and_their_chapters_are_in_the_contents_and_on_the_front_page(edited, tmp_path):
    packs = {code: ExecutedPack(code, executed().chapters, ()) for code in edited.geography.areas}
    tree = yaml.safe_load(contents.toc(contents.contents(edited, packs, tmp_path)))
    files = list(_files(tree["parts"]))
    expected = {f"packs/{code}/{page}" for code in edited.geography.areas for page in ("index", "planned_care")}
    assert len(edited.geography.areas) == 38
    assert expected == {name for name in files if name.startswith("packs/")}
    first = front_page.front_page(edited, packs)
    assert all(f'href="packs/{code}/index.html"' in first for code in packs)


def test_packs_below_one_that_was_not_made_are_still_in_the_contents(edited, tmp_path):
    packs = {"5LE": executed()}
    tree = yaml.safe_load(contents.toc(contents.contents(edited, packs, tmp_path)))
    assert list(_files(tree["parts"])) == ["packs/5LE/index", "packs/5LE/planned_care"]
    assert "Lambeth (not made)" in _words(front_page.front_page(edited, packs))


def test_another_geography_is_said_in_its_own_words():
    england = facts(name="england-2011-12").geography
    assert front_page.geography_summary(england) == "England (151 PCTs in 10 SHAs)"


def test_navigation_opens_only_the_branch_the_page_lies_in():
    def entry(name, pages=(), children=(), opened=False):
        return {
            "docname": name,
            "title": name,
            "pages": list(pages),
            "children": list(children),
            "open": opened,
        }

    tree = [
        entry(
            "whole",
            children=[
                entry("a", pages=[entry("a/1")], children=[entry("a/x", pages=[entry("a/x/1")])]),
                entry("b"),
            ],
            opened=True,
        )
    ]
    assert _names(navigation(tree, "b")) == ["whole", "a", "b"]
    assert _names(navigation(tree, "a/x/1")) == ["whole", "a", "a/x", "a/x/1", "b"]
    assert _names(navigation(tree, "a")) == ["whole", "a", "a/1", "a/x", "b"]


def test_formulas_become_mathml():
    assert to_mathml(r"\frac{a}{b}", "block").startswith("<math ")
    assert "<mfrac>" in to_mathml(r"\frac{a}{b}", "inline")


def test_markdown_escapes_every_punctuation_mark():
    assert templating.markdown("a|b\n`c`") == r"a\|b \`c\`"


def test_the_catalogue_has_every_table_with_its_columns():
    package = handbook_pages.read_package(data_dir())
    page = handbook_pages.catalogue_page(package)
    for resource in package["resources"]:
        assert f'id="table-{resource["name"]}"' in page
    assert "<code>elective_daycase_admissions</code>" in page


def test_every_package_has_a_line_saying_what_it_is_for():
    project = tomllib.loads((home() / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [item for extra in project["optional-dependencies"].values() for item in extra]
    wanted = {re.split(r"[^\w-]", item)[0] for item in [*project["dependencies"], *extras]} - {project["name"]}
    page = (home() / "book" / "decisions" / "dependencies.md").read_text(encoding="utf-8")
    assert wanted == set(re.findall(r"^\| ([\w-]+) \|", page, re.M)) - {"Package"}


def bundle_of(key):
    return {FINDING_MIME: {"id": key, "definition": None, "indicator": None}}


class TestReadingExecutedNotebooks:
    @pytest.fixture
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setenv("CBS_BUILD", str(tmp_path))
        return tmp_path / "editions" / "2011-12"

    def write(self, folder, chapter, *bundles):
        outputs = [{"output_type": "execute_result", "data": data, "metadata": {}} for data in bundles]
        cells = [
            {"cell_type": "markdown", "source": ["# A title\n", "\n", "Why."]},
            {"cell_type": "code", "source": "", "outputs": [facts_output(facts()), *outputs], "metadata": {}},
        ]
        path = folder / "5LE" / f"{chapter}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"cells": cells}), encoding="utf-8")

    def record(self, folder, **changes):
        failed = {
            "area_code": "5LE",
            "chapter": "outlook",
            "status": "failed",
            "seconds": 1,
            "cell": 3,
            "error": "KeyError",
            "message": "'x'\nmore",
            "traceback": "...",
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "run.json").write_text(json.dumps({"notebooks": [{**failed, **changes}]}), encoding="utf-8")

    def test_findings_come_in_the_order_of_the_edition_then_of_the_cells(self, folder):
        self.write(folder, "planned_care", bundle_of("p.1"), bundle_of("p.2"))
        self.write(folder, "population_and_need", bundle_of("n.1"))
        assert [item["id"] for item in read_pack("2011-12", "5LE").findings] == ["n.1", "p.1", "p.2"]

    def test_titles_notes_and_failures_are_read(self, folder, edited):
        note = {
            "text/plain": "Nothing & why.",
            "text/html": ['<p class="cbs-note">', "Nothing &amp; why.</p>"],
        }
        self.write(folder, "planned_care", note)
        self.record(folder)
        pack = read_pack("2011-12", "5LE")
        assert (pack.chapters[0].title, pack.chapters[0].notes) == ("A title", ("Nothing & why.",))
        failures = {item.chapter: item for item in pack.failures}
        assert failures["outlook"].reason == "KeyError: 'x' more"
        assert failures["emergency_care"].reason == NOT_MADE

    def test_a_notebook_left_from_before_a_failure_is_not_read(self, folder):
        self.write(folder, "outlook", bundle_of("o.1"))
        self.record(folder)
        assert read_pack("2011-12", "5LE").findings == []

    def test_what_a_run_recorded_before_it_was_killed_counts(self, folder):
        self.write(folder, "outlook", bundle_of("o.1"))
        self.write(folder, "planned_care", bundle_of("p.1"))
        self.record(folder)
        outcomes = (("outlook", "done"), ("planned_care", "failed"))
        lines = [
            json.dumps({"area_code": "5LE", "chapter": name, "status": status, "seconds": 1})
            for name, status in outcomes
        ]
        (folder / "run.journal").write_text("\n".join(lines), encoding="utf-8")
        assert [item["id"] for item in read_pack("2011-12", "5LE").findings] == ["o.1"]

    def test_a_pack_that_was_not_made_is_said_with_what_to_run(self, folder):
        with pytest.raises(UserError, match="run cbs packs --edition 2011-12 --area 5LE"):
            read_pack("2011-12", "5LE")

    def test_a_notebook_without_its_packs_facts_or_definitions_is_refused_by_name(self, folder):
        self.write(folder, "outlook", {FINDING_MIME: {"id": "o.1"}})
        with pytest.raises(DataError, match=r"5LE/outlook\.ipynb: executed by an earlier version.*run cbs packs again"):
            read_pack("2011-12", "5LE")

    def test_a_broken_notebook_is_a_data_error(self, folder):
        path = folder / "5LE" / "outlook.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text("{", encoding="utf-8")
        with pytest.raises(DataError, match=r"outlook\.ipynb"):
            read_pack("2011-12", "5LE")

    def test_a_site_of_no_packs_is_refused(self, folder):
        with pytest.raises(UserError, match="no pack has been made"):
            site.build_site("2011-12")
        assert not folder.parents[1].joinpath("site").exists()


def _words(page):
    """The text of a page's HTML, spaces between its parts."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def _files(entries):
    for entry in entries:
        if "file" in entry:
            yield entry["file"]
        yield from _files(entry.get("chapters", []) + entry.get("sections", []))


def _names(entries):
    return [name for entry in entries for name in (entry["title"], *_names(entry["children"]))]


def test_a_method_without_a_page_is_named_with_the_finding_that_names_it(edited, tmp_path):
    pack = executed(whole_finding("rate", methods=["rates", "ratse"]))
    with pytest.raises(
        UserError, match=r"planned_care\.rate: methods: 'ratse' has no page in book/methods; nearest: rates"
    ):
        site._check_methods({"5LE": pack}, [tmp_path / "rates.md"])
