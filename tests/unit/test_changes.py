"""What a pack says has changed since the edition before."""

import re
from dataclasses import replace
from html import unescape

import pytest
from packs_made_up import facts
from test_publishing_messages import finding, indicator

from cbs_analysis.edition import load_edition
from cbs_analysis.errors import UserError
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing.pack_page import pack_page
from cbs_analysis.publishing.packs import EditionContext, ExecutedChapter, ExecutedPack


@pytest.fixture(scope="module")
def edited():
    known = facts()
    edition = replace(known.edition, previous="2010-11")
    before = replace(known.edition, name="2010-11", title="Evidence 2010/11")
    indicators = {key: indicator(key) for key in ("rate", "other")}
    return EditionContext(edition, known.geography, indicators, dict.fromkeys(indicators, "planned_care"), before)


def pack(*found):
    chapter = ExecutedChapter("planned_care", "Planned care", None, found, ())
    return ExecutedPack("5LE", (chapter,), ())


def of(period, **changes):
    known = indicator("rate", short_name="Short rate").to_json()
    more = {
        "title": "Rate",
        "statement": "S.",
        "caution": "",
        "function": "monitoring",
        "caveats": (),
        "flag_reason": "",
    }
    return {**more, **finding(**changes), "definition": known, "period": period, "chapter": "planned_care",
            "area_name": "Southwark"}  # fmt: skip


def said(now, then, edited):
    page = pack_page(now, edited, LocalCommentary(), before=then).partition("## What changed")[2]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_a_first_edition_says_that_there_is_nothing_before_it(edited):
    first = replace(edited, edition=replace(edited.edition, previous=None))
    assert "This is the first edition" in said(pack(of("2010/11")), None, first)


def test_an_area_without_a_pack_before_is_said(edited):
    assert "No pack of this area was made in Evidence 2010/11." in said(pack(of("2010/11")), None, edited)


def test_a_changed_value_stands_beside_the_one_before_with_the_difference(edited):
    then = of("2009/10", value=100.0, lower=98.0, upper=102.0, direction="similar")
    then["comparisons"][1]["status"] = "similar"
    shown = said(pack(of("2010/11")), pack(then), edited)
    assert "Short rate 100.0 98.0 to 102.0, 2009/10 110.0 108.0 to 112.0, 2010/11 +10.0" in shown
    assert "The intervals do not overlap. Was similar to London, is worse than London." in shown


def test_overlapping_intervals_are_said_to_overlap(edited):
    then = of("2009/10", value=109.0, lower=107.0, upper=111.0)
    assert "The intervals overlap." in said(pack(of("2010/11")), pack(then), edited)


def test_a_revision_is_not_a_change_of_the_area(edited):
    assert "Revised for the same period." in said(pack(of("2010/11")), pack(of("2010/11", value=109.0)), edited)


def test_flagged_values_are_not_compared(edited):
    then = of("2009/10", value=90.0, flagged=True)
    assert "Flagged in one of the two" in said(pack(of("2010/11")), pack(then), edited)


def test_what_a_reader_would_see_alike_is_left_out(edited):
    same = of("2010/11", value=110.0000001)
    assert "Nothing has changed since Evidence 2010/11." in said(pack(of("2010/11")), pack(same), edited)


def test_an_edition_before_that_is_not_there_is_named(make_home):
    home = make_home(planned_care=["1"])
    file = home / "params" / "editions" / "2011-12.yml"
    file.write_text(file.read_text(encoding="utf-8") + "previous: 2010-1\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"2011-12\.yml: previous: '2010-1' is not another edition of params/editions"):
        load_edition("2011-12", home / "params")
