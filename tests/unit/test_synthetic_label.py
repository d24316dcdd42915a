"""Whatever rests on synthetic records says so in words, in every place it goes to; nothing else does."""

import json
import re
from dataclasses import replace

import altair as alt
import pandas as pd
import pytest
from packs_made_up import (
    ANY,
    ENDING,
    LABEL,
    LOCAL,
    MADE_UP,
    PUBLISHED,
    SENTENCE,
    both,
    edited,
    finding,
    made_up,
    pack,
    words,
)

from cbs_analysis.chapters import open_pack
from cbs_analysis.chapters.findings import Basis, Chapter
from cbs_analysis.evidence.finding import Chart
from cbs_analysis.evidence.rendering import labelled, svg
from cbs_analysis.home import data_dir
from cbs_analysis.pack import Pack
from cbs_analysis.publishing import handbook_pages
from cbs_analysis.publishing.areas import area_table
from cbs_analysis.publishing.chapter_page import chapter_page, how_made, unpacked
from cbs_analysis.publishing.contents import search_entries
from cbs_analysis.publishing.front_page import front_page
from cbs_analysis.publishing.indicator_page import indicator_page, indicators_page
from cbs_analysis.publishing.indicators import IndicatorValues
from cbs_analysis.publishing.messages import rank_messages, rank_synthetic
from cbs_analysis.publishing.pack_page import pack_page
from cbs_analysis.publishing.pdf import write_pdf
from cbs_analysis.publishing.tables import table_files
from cbs_analysis.publishing.workbook import write_workbook
from cbs_analysis.tables import descriptions

PACKAGE = {"resources": []}


@pytest.fixture(scope="module")
def known():
    return edited()


@pytest.fixture(scope="module")
def packs(known):
    leaves = [area for area in known.geography.areas.values() if area.is_leaf][:12]
    return {area.code: both(area.code, area.name) for area in leaves}


# ---- The finding itself


def test_a_chapter_labels_a_finding_that_cites_a_synthetic_table(monkeypatch):
    described = descriptions.table_description
    monkeypatch.setattr(
        Pack, "about", lambda pack, table: replace(described(table), synthetic=table == "monthly_activity_return")
    )
    monkeypatch.setattr(Pack, "must_declare", lambda *unused: None)
    area = open_pack("5LE", "2011-12")
    chapter = Chapter("planned_care", "provider management")
    kept = {"title": "T", "statement": "S."}
    both_tables = Basis("2010/11", ["population_by_age", "monthly_activity_return"])
    labelled_one = chapter.finding(area, "one", basis=both_tables, **kept)
    plain = chapter.finding(area, "two", basis=Basis("2010/11", ["population_by_age"]), **kept)
    assert labelled_one.synthetic == SENTENCE
    assert [item.synthetic for item in labelled_one.source] == [False, True]
    assert plain.synthetic == ""


def test_the_label_stands_before_the_statement_in_words():
    found = made_up()
    shown = words(found.to_html())
    assert shown.startswith(f"{SENTENCE} {found.statement}")
    assert found._repr_mimebundle_()["text/plain"] == f"{SENTENCE} {found.statement}"
    assert found.to_json()["synthetic"] == SENTENCE


def test_every_table_and_the_chart_of_it_are_labelled():
    found = made_up()
    for table in (found.key_figures, found.table, found.members):
        assert table.title.endswith(ENDING)
        assert f"<caption>{table.title}</caption>" in found.to_html()
    specification = found.chart.specification
    assert specification["title"]["subtitle"][-1] == LABEL
    assert specification["description"].endswith(f"{LABEL}.")
    assert found.to_json()["chart_description"].endswith(f"{LABEL}.")
    assert LABEL in words(svg(specification, "a", ""))
    bundle = found._repr_mimebundle_()
    assert bundle["application/vnd.vegalite.v5+json"] == specification
    assert bundle["application/vnd.dataresource+json"]["title"].endswith(ENDING)


def test_labelling_twice_says_it_once():
    found = made_up()
    assert found.labelled() is found


def test_a_finding_from_published_figures_is_as_it_was():
    found = finding()
    assert found.labelled() is found
    assert not ANY.search(found.to_html())
    assert not ANY.search(json.dumps(found.chart.specification))
    assert found.to_json()["synthetic"] == ""


@pytest.mark.parametrize("title", [None, "T", ["T", "U"], {"text": "T"}, {"text": "T", "subtitle": "S"}])
def test_a_label_reaches_the_picture_whatever_title_a_chart_has(title):
    drawn = alt.Chart(pd.DataFrame({"x": [1]})).mark_point().encode(x="x:Q")
    specification = Chart(drawn, "D").specification
    given = specification if title is None else {**specification, "title": title}
    shown = words(svg(labelled(given, LABEL), "a", ""))
    assert LABEL in shown
    assert all(letter in shown.split() for letter in "TUS" if letter in json.dumps(title or ""))


# ---- The book


def test_messages_from_synthetic_records_stand_apart(known):
    found = both().findings
    found[1]["spread"] = 0.001  # as far from its comparator as can be
    assert [message.finding["indicator"] for message in rank_messages(found)] == [PUBLISHED]
    assert [message.finding["indicator"] for message in rank_synthetic(found)] == [MADE_UP]


def test_the_first_page_lists_them_under_a_heading_of_their_own_with_the_label_in_each(known):
    page = pack_page(both(), known, LOCAL)
    main, _, after = page.partition("## From synthetic records")
    apart, _, rest = after.partition("## Every indicator")
    name = known.indicators[MADE_UP].name
    assert name not in main
    assert name in apart
    assert all(LABEL in item for item in re.findall(r"<li>.*?</li>", apart, re.DOTALL))
    assert "of no real person" in words(apart)
    (row,) = re.findall(rf"<tr>(?:(?!</tr>).)*{known.indicators[MADE_UP].short_name}.*?</tr>", rest, re.DOTALL)
    assert LABEL in words(row)
    assert re.search(r'aria-label="[^"]*\(synthetic records\)"', row)  # its spine chart
    (other,) = re.findall(rf"<tr>(?:(?!</tr>).)*{known.indicators[PUBLISHED].short_name}.*?</tr>", rest, re.DOTALL)
    assert not ANY.search(other)
    assert f"{LABEL}: made by this project" in words(rest)
    assert LABEL in rest.partition("## Chapters of this pack")[2]


def test_with_nothing_but_synthetic_findings_there_is_no_main_message(known):
    page = pack_page(pack(made_up()), known, LOCAL)
    assert "No finding stands clear of its comparator." in page.partition("## From synthetic records")[0]


def test_a_flagged_one_keeps_its_label(known):
    page = pack_page(pack(made_up(flagged=True, flag_reason="Not believed.")), known, LOCAL)
    (line,) = re.findall(r"<li>[^<]*<a[^>]*>Readmissions</a>.*?</li>", page)
    assert LABEL in line


def test_what_changed_is_not_compared_where_only_one_of_two_is_synthetic(known):
    before = pack(made_up(value=60.0))
    before.findings[0]["synthetic"] = ""
    since = replace(known, edition=replace(known.edition, previous="2010-11"), before=known.edition)
    page = pack_page(pack(made_up()), since, LOCAL, before=before).partition("## What changed")[2]
    assert "Only one of the two rests on synthetic records, so not compared." in page
    assert LABEL in page


@pytest.mark.parametrize(
    ("findings", "said"),
    [([made_up()], "All of this chapter rests on them."), ([finding(), made_up()], "Each finding that rests on them")],
)
def test_a_chapters_page_opens_with_it(tmp_path, known, findings, said):
    executed = pack(*findings, path=tmp_path / "planned_care.ipynb").chapters[0]
    cells = [{"cell_type": "markdown", "metadata": {}, "source": "# Planned care\n\nWhy."}]
    executed.path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    area = known.geography.area("5LE")
    (cell, *_) = json.loads(chapter_page(executed, area, known, "1"))["cells"]
    title, banner, why = cell["source"].partition(SENTENCE)
    assert title.startswith("# Southwark: planned care\n")
    assert banner
    assert said in why.partition("Why.")[0]


def test_a_chapters_page_of_published_figures_is_as_it_was(tmp_path, known):
    executed = pack(finding(), path=tmp_path / "planned_care.ipynb").chapters[0]
    executed.path.write_text(json.dumps({"cells": []}), encoding="utf-8")
    (cell,) = json.loads(chapter_page(executed, known.geography.area("5LE"), known, "1"))["cells"]
    assert cell["source"] == "# Southwark: planned care"


def test_how_it_was_made_names_the_table_as_synthetic(known):
    assert ENDING in how_made(both().findings[1], known, "1")
    assert not ANY.search(how_made(both().findings[0], known, "1"))


def test_an_indicators_page_has_it_above_all_in_its_charts_tables_and_map(known, packs):
    page = indicator_page(known.indicators[MADE_UP], IndicatorValues(known, packs), known, {})
    assert words(page).index(SENTENCE) < words(page).index("From ")
    captions = re.findall(r"<caption>(.*?)</caption>", page)
    assert captions
    assert all(caption.endswith(ENDING) for caption in captions)
    pictures = re.findall(r"<svg(?:(?!</svg>).)*</svg>", page, re.DOTALL)
    scripts = re.findall(r'<script type="application/vnd\.vegalite.*?</script>', page)
    assert pictures
    assert len(pictures) == len(scripts)
    assert all(LABEL in words(picture) for picture in pictures)
    assert all(unpacked(script)["title"]["subtitle"][-1] == LABEL for script in scripts)
    other = indicator_page(known.indicators[PUBLISHED], IndicatorValues(known, packs), known, {})
    assert not ANY.search(other)


def test_the_map_of_a_whole_geography_is_labelled(known):
    leaves = [area for area in known.geography.areas.values() if area.is_leaf]
    all_of_them = {area.code: both(area.code, area.name) for area in leaves}
    page = indicator_page(known.indicators[MADE_UP], IndicatorValues(known, all_of_them), known, {})
    assert re.search(rf'<span class="cbs-synthetic">{LABEL}</span><ol class="cbs-map[^>]*\(synthetic records\)"', page)


def test_the_list_of_indicators_marks_those_that_rest_on_it(known):
    page = indicators_page(known.indicators, {}, {MADE_UP})
    rows = dict(re.findall(r'<tr id="(\w+)">(.*?)</tr>', page))
    assert [key for key, row in rows.items() if LABEL in row] == [MADE_UP]


def test_the_front_page_shows_published_figures_first_and_says_which_are_not(known, packs):
    assert IndicatorValues(known, packs).first().id == PUBLISHED
    page = front_page(known, packs)
    name = known.indicators[MADE_UP].name
    assert f">{name}{ENDING}</option>" in page
    assert not ANY.search(page.partition("<caption>")[2].partition("</caption>")[0])
    data = json.loads(re.search(r'id="cbs-areas-data">(.*?)</script>', page)[1])["indicators"]
    assert LABEL in data[MADE_UP]["what"]
    assert data[MADE_UP]["ending"] == ENDING
    assert data[PUBLISHED]["ending"] == ""
    assert not ANY.search(data[PUBLISHED]["what"])


def test_the_front_page_with_nothing_else_says_it_of_its_table(known):
    page = front_page(known, {"5LE": pack(made_up())})
    assert page.partition("<caption>")[2].partition("</caption>")[0].endswith(ENDING)
    assert LABEL in page.partition('class="cbs-shown"')[2].partition("</p>")[0]


def test_search_results_say_it(known, packs):
    entries = search_entries(known, packs, {"resources": [{"name": "t", "title": "T", "synthetic": True}]})["entries"]
    marked = [entry[0] for entry in entries if LABEL in entry[1]]
    assert known.indicators[MADE_UP].name in marked
    assert "Readmissions" in marked
    assert "T" in marked
    assert known.indicators[PUBLISHED].name not in marked
    assert "Day case rate" not in marked


def test_the_catalogue_says_it_of_a_table():
    entry = {
        "name": "t",
        "title": "T",
        "path": "derived/t.parquet",
        "file": "derived/t.parquet",
        "schema": {"fields": []},
        "synthetic": True,
    }
    assert SENTENCE in words(handbook_pages.catalogue_page({"resources": [entry]}))
    assert not ANY.search(handbook_pages.catalogue_page({"resources": [{**entry, "synthetic": False}]}))


def test_the_catalogue_has_the_tables_derived_from_records():
    derived = [
        item for item in handbook_pages.read_package(data_dir())["resources"] if item["path"].startswith("derived/")
    ]
    assert "spell_flows" in {item["name"] for item in derived}
    assert all(item["synthetic"] for item in derived)
    assert "<code>derived/spell_flows.parquet</code>" in handbook_pages.catalogue_page({"resources": derived})


# ---- Notebooks executed before findings said what they rest on


def test_old_notebooks_are_still_read_and_rest_on_published_figures(tmp_path, known):
    old = pack(finding())
    for found in old.findings:
        del found["synthetic"]
        for item in found["source"]:
            del item["synthetic"]
    across = IndicatorValues(known, {"5LE": old})
    shown = [
        pack_page(old, known, LOCAL),
        front_page(known, {"5LE": old}),
        indicator_page(known.indicators[PUBLISHED], across, known, {}),
        area_table(across.leaves(PUBLISHED), known.indicators[PUBLISHED], known.geography, "T"),
        how_made(old.findings[0], known, "1"),
        json.dumps(search_entries(known, {"5LE": old}, PACKAGE)),
    ]
    for page in shown:
        assert not ANY.search(page)
    files = table_files(old, known)
    assert not any("synthetic" in name for name in files)
    write_workbook(tmp_path / "5LE.xlsx", old, known, LOCAL)
    write_pdf(tmp_path / "5LE.pdf", old, known, LOCAL)
