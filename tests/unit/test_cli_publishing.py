"""What `cbs publish` says before it publishes less than an edition offers."""

import pytest
from packs_made_up import FAILED, edited, pack

from cbs_analysis.cli.publishing import missing_chapters
from cbs_analysis.publishing.packs import Failure


def test_nothing_is_said_where_nothing_is_missing():
    assert missing_chapters(edited(), {"5LE": pack()}, []) == ""


@pytest.mark.parametrize("areas", [[], ["5LE"]])
def test_a_chapter_that_is_missing_is_named_with_what_makes_it(areas):
    said = missing_chapters(edited(), {"5LE": pack(failures=[FAILED]), "5LD": pack(code="5LD")}, areas)
    assert said == ("published without 1 chapter, failed or not made: 5LE outlook; cbs packs --edition 2011-12")


def test_an_area_that_is_not_asked_for_is_not_spoken_of():
    assert missing_chapters(edited(), {"5LE": pack(failures=[FAILED]), "5LD": pack(code="5LD")}, ["5LD"]) == ""


def test_many_are_counted_and_the_first_named():
    failures = [Failure(f"chapter_{number}", "Title", None, "why") for number in range(5)]
    said = missing_chapters(edited(), {"5LE": pack(failures=failures)}, [])
    assert "5 chapters" in said
    assert "5LE chapter_0, 5LE chapter_1 and 5LE chapter_2 and 2 more" in said
