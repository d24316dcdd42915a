"""The book's theme: terms explained, sections searched, nothing inline."""

from docutils.core import publish_doctree

from cbs_analysis.home import home
from cbs_analysis.publishing import theme
from cbs_analysis.publishing.theme import Explainer, Term, read_terms, sections

LSOA = Term("LSOA, lower super output area", "A small area.", ("LSOA", "lower super output area"))
DAY_CASE = Term("Day case", "Comes and goes <on one day>.", ("Day case",))


def test_the_glossary_is_read_as_terms_with_their_spellings():
    terms = {term.name: term for term in read_terms((home() / "book" / "glossary.md").read_text(encoding="utf-8"))}
    assert terms["LSOA, lower super output area"].spellings == ("LSOA", "lower super output area")
    assert terms["Day case"].definition == "A planned admission for which the patient comes and goes on one day."
    assert "Area" not in terms


def test_a_term_is_explained_the_first_time_it_stands_in_running_text():
    shown = Explainer([DAY_CASE]).explained("<p>Every day case, and day cases.</p>")
    assert shown.startswith(
        '<p>Every <button type="button" class="hb-term" popovertarget="term-day-case">day case</button>, and day cases.'
    )
    assert shown.count("popover") == 2
    assert '<div class="hb-definition" id="term-day-case" popover role="note">' in shown
    assert "Comes and goes &lt;on one day&gt;." in shown


def test_one_term_of_two_spellings_is_explained_once():
    shown = Explainer([LSOA]).explained("<p>An LSOA is a lower super output area.</p>")
    assert shown.count("<button") == 1


def test_headings_links_tables_charts_and_data_are_left_as_they_are():
    body = (
        "<h2>Day case</h2><p><a href='#'>day case</a></p><table><tr><td><p>day case</p></td></tr></table>"
        '<svg><title>day case</title></svg><p title="day case"></p><div>day case</div>'
        '<script type="application/json">["day case"]</script>'
    )
    assert Explainer([DAY_CASE]).explained(body) == body


def test_a_word_that_holds_a_term_is_another_word():
    assert "<button" not in Explainer([DAY_CASE]).explained("<p>A Monday caseload, day caseload</p>")


def test_a_book_without_a_glossary_is_left_as_it_is():
    assert Explainer([]).explained("<p>x</p>") == "<p>x</p>"


def test_styles_in_elements_are_dropped_and_nothing_else():
    assert theme.INLINE_STYLE.sub(r"\1", '<col style="width: 25%"><p class="a">style="b"</p>') == (
        '<col><p class="a">style="b"</p>'
    )


def test_each_section_of_a_page_can_be_found_with_its_words():
    text = "Intro\n\nTitle\n=====\n\nFirst words.\n\nPart\n----\n\nMore words, more 12.\n\nEnd\n===\n\nLast."
    found = list(sections(publish_doctree(text), "methods/x"))
    assert found == [
        ["Title", "", "methods/x.html", "first words"],
        ["Part", "Title", "methods/x.html#part", "more words"],
        ["End", "Title", "methods/x.html#end", "last"],
    ]


def test_the_widest_pages_are_first_pages_and_comparisons():
    names = ("index", "packs/5LE/index", "packs/5LE/outlook", "indicator/x", "methods/index")
    assert [name for name in names if theme.WIDE.fullmatch(name)] == ["index", "packs/5LE/index", "indicator/x"]
