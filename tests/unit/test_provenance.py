"""A finding's block in the book: live chart, how it was made, and no table that is too long for a page."""

import re

import pandas as pd
from packs_made_up import HOSTILE, edited, finding

from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.publishing import chapter_page as live
from cbs_analysis.publishing.chapter_page import MOST_ROWS, finished, how_made


def shown(found, **changes):
    return finished(found.to_html(), found.to_json(), found.chart.specification, changes.get("known", edited()), "9.9")


def with_rows(count):
    frame = pd.DataFrame({"area": [f"A{row}" for row in range(count)]})
    return finding(members=Table("All <PCTs>", frame, {"area": Column("Area")}))


def test_a_finding_says_its_figures_methods_notebook_edition_and_version():
    page = how_made(finding().to_json(), edited(), "9.9")
    for address in ("../../catalogue.html#table-monthly_activity_return", "../../methods/proportions.html",
                    "planned_care.ipynb", "#daycases", "../../indicator/daycase_rate_pct.html"):  # fmt: skip
        assert f'href="{address}"' in page
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for part in ("Department of Health", "London commissioning evidence 2011/12 (2011-12)", "cbs-analysis 9.9"):
        assert part in words


def test_its_chart_travels_with_it_once_and_whole():
    found = finding()
    page = shown(found)
    (element,) = re.findall(rf'<script type="{re.escape(live.PACKED)}">.*?</script>', page)
    assert live.unpacked(element) == found.chart.specification
    assert page.endswith("</details></section>")


def test_a_long_side_by_side_table_is_left_to_the_indicators_page_and_the_workbook():
    assert "A59" in shown(with_rows(MOST_ROWS))
    page = shown(with_rows(MOST_ROWS + 1))
    assert "A60" not in page
    assert 'All &lt;PCTs&gt;: <a href="../../indicator/daycase_rate_pct.html">on one page</a>' in page
    assert page.count("<details>") == 1


def test_hostile_words_are_text_in_it():
    assert "<script>alert" not in shown(finding(words=HOSTILE))


def test_what_is_no_finding_of_ours_is_left_as_it_is():
    assert finished("<p>x</p>", finding().to_json(), None, edited(), "9.9") == "<p>x</p>"


def test_a_table_is_open_where_nothing_else_shows_the_finding_and_a_click_away_where_something_does():
    assert finding().to_html().count("<details open>") == 0
    assert finding(chart=None).to_html().count("<details open>") == 0
    assert finding(key_figures=None).to_html().count("<details open>") == 0
    alone = finding(chart=None, key_figures=None, members=finding().table).to_html()
    assert alone.index("<details open>") < alone.index("<details>")
