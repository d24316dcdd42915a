"""A reader's way: from the map to a pack, a finding, its table, a download and back; search; print; keyboard."""

import re
import zipfile

import openpyxl
import pytest
from playwright.sync_api import expect
from watching import KINDS

PHONE = {"viewport": {"width": 390, "height": 800}, "has_touch": True}
WITHOUT_SCRIPT = {"java_script_enabled": False}


def test_from_the_map_to_a_pack_a_finding_its_table_a_download_and_back(watched, tmp_path):
    page = watched.open("index.html")
    page.locator('.cbs-map [data-area="5LE"] a').click()
    expect(page.locator("h1")).to_contain_text("Southwark")
    page.locator(".cbs-messages a").first.click()
    page.wait_for_url("**/packs/5LE/*.html#*")
    finding = page.url.partition("#")[2]
    section = page.locator(f"#{finding}")
    expect(section.locator(".cbs-statement")).to_be_visible()
    disclosure = section.locator("details").first
    expect(disclosure.locator("table")).not_to_be_visible()
    disclosure.locator("summary").click()
    expect(disclosure.locator("table")).to_be_visible()
    page.go_back()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Workbook (Excel)").click()
    waiting.value.save_as(tmp_path / "pack.xlsx")
    assert openpyxl.load_workbook(tmp_path / "pack.xlsx").sheetnames[0] == "Contents"
    with page.expect_download() as waiting:
        page.get_by_role("link", name=re.compile("zip")).click()
    waiting.value.save_as(tmp_path / "pack.zip")
    assert "5LE-2011-12.pdf" in zipfile.ZipFile(tmp_path / "pack.zip").namelist()
    page.locator(".hb-crumbs a").first.click()
    expect(page.locator(".cbs-map")).to_be_visible()


def test_a_finding_says_how_it_was_made_and_where_that_is(watched):
    page = watched.open("packs/5LE/planned_care.html#daycase_rate")
    made = page.locator("#daycase_rate .cbs-made")
    made.locator("summary").click()
    said = made.inner_text()
    for part in ("Monthly Activity Return", "Department of Health", "planned_care.ipynb", "2011-12", "cbs-analysis"):
        assert part in said
    made.get_by_role("link", name="Proportions").click()
    expect(page.locator("h1")).to_contain_text("Proportions")
    page.go_back()
    page.reload()
    made.locator("summary").click()
    made.get_by_role("link", name="Compare across London").click()
    expect(page.locator("h1")).to_contain_text("Day case rate")


def test_choosing_an_indicator_changes_map_and_table_and_can_be_linked_to(watched):
    page = watched.open("index.html")
    page.select_option("#cbs-indicator", "daycase_rate_pct")
    tile = page.locator('.cbs-map [data-area="5LE"] .cbs-tile-value')
    row = page.locator('.cbs-areas [data-area="5LE"]')
    expect(tile).to_have_text("78.6%")
    expect(row).to_contain_text("78.1 to 79.1")
    assert "indicator=daycase_rate_pct" in page.url
    page.reload()
    expect(tile).to_have_text("78.6%")
    expect(page.locator("#cbs-indicator")).to_have_value("daycase_rate_pct")


def test_the_table_sorts_by_a_header_and_says_how(watched):
    page = watched.open("indicator/daycase_rate_pct.html")
    table = page.locator(".cbs-areas").first
    head = table.locator("th", has_text="Value")
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").first.get_attribute("data-area") == "5LE"  # the only one that is made
    table.locator("th button").first.click()
    assert head.get_attribute("aria-sort") is None
    names = table.locator("tbody th").all_inner_texts()
    assert names == sorted(names)


def test_the_table_filters_by_name_and_sector_and_says_how_many_are_left(watched):
    page = watched.open("index.html")
    page.fill("#cbs-name", "wark")
    assert page.locator(".cbs-areas tbody tr:visible").all_inner_texts()[0].startswith("Southwark")
    expect(page.locator("#cbs-left")).to_have_text("1 of 31 shown")
    page.fill("#cbs-name", "")
    page.select_option("#cbs-group", "South East London")
    expect(page.locator("#cbs-left")).to_have_text("6 of 31 shown")


def test_search_finds_a_finding_by_area_and_subject_and_leads_to_it(watched):
    page = watched.open("index.html")
    page.locator('.hb-search input[name="q"]').fill("southwark day case")
    page.keyboard.press("Enter")
    first = page.locator("#search-results a").first
    expect(first).to_have_text("Day case rate")
    expect(page.locator("#search-count")).to_contain_text("place")
    first.click()
    page.wait_for_url("**/packs/5LE/planned_care.html#daycase_rate")


def test_search_finds_a_section_of_a_method_and_says_when_there_is_nothing(watched):
    page = watched.open("search.html?q=overdispersion")
    assert any(
        "methods/" in link for link in page.locator("#search-results a").evaluate_all("links => links.map(l => l.href)")
    )
    page.goto(f"{watched.base}search.html?q=zzyzx")
    expect(page.locator("#search-count")).to_have_text("0 places for “zzyzx”.")


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("5LE", "Southwark"),
        ("outpatients", "First outpatient attendances per 1,000 people"),
        ("daycase", "Day case rate"),
        ("A&E", "Emergency admissions, observed over expected"),
        ("mortality", "Deaths per 1,000 people"),
        ("emergency", "Emergency admissions, observed over expected"),
    ],
)
def test_search_finds_what_a_reader_calls_it(watched, query, first):
    page = watched.open(f"search.html?q={query.replace('&', '%26')}")
    assert first in page.locator("#search-results a").all_inner_texts()[:3]


def test_search_offers_the_word_that_was_meant_and_all_that_it_found(watched):
    page = watched.open("search.html?q=emergancy")
    page.locator("#search-count a").click()
    expect(page.locator("#search-count")).to_contain_text("places for “emergency”")
    page.goto(f"{watched.base}search.html?q=london")
    expect(page.locator("#search-count")).to_contain_text("The first 60 are shown.")
    shown = page.locator("#search-results > li")
    expect(shown).to_have_count(60)
    page.get_by_role("button", name="Show all").click()
    expect(shown).not_to_have_count(60)
    expect(page.locator("#search-count")).not_to_contain_text("60 are shown")
    assert shown.count() > 60


def test_search_shows_hostile_words_as_text(watched):
    page = watched.open("search.html?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(page.locator("#search-count")).to_contain_text("<img src=x onerror=alert(1)>")
    assert page.locator("main img").count() == 0


def test_a_chart_answers_to_the_pointer(watched):
    page = watched.open("packs/5LE/emergency_care.html")
    figure = page.locator(".cbs-chart").first
    figure.scroll_into_view_if_needed()
    page.wait_for_selector(".cbs-chart.is-live")
    points = figure.locator(".cbs-live .mark-symbol path")
    points.nth(points.count() // 2).hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    assert re.search(r"\d", page.locator("#vg-tooltip-element").inner_text())
    assert figure.locator(".cbs-live").get_attribute("aria-label") == figure.locator("> svg").get_attribute(
        "aria-label"
    )


def test_a_term_is_explained_where_it_stands_by_keyboard_alone(watched):
    page = watched.open("packs/5LE/planned_care.html")
    term = page.locator(".hb-term").first
    term.focus()
    page.keyboard.press("Enter")
    definition = page.locator(f"#{term.get_attribute('popovertarget')}")
    expect(definition).to_be_visible()
    page.keyboard.press("Escape")
    expect(definition).not_to_be_visible()


def test_the_keyboard_reaches_the_page_the_map_and_a_pack(watched):
    page = watched.open("index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the page"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.cbs-map') !== null"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/packs/5LE/index.html")


def test_in_print_charts_are_pictures_and_the_frame_is_gone(watched):
    page = watched.open("packs/5LE/emergency_care.html")
    watched.see_everything()
    page.emulate_media(media="print")
    expect(page.locator(".cbs-chart > svg").first).to_be_visible()
    expect(page.locator(".cbs-live").first).not_to_be_visible()
    expect(page.locator(".hb-nav")).not_to_be_visible()
    assert len(page.pdf()) > 10_000


@pytest.mark.parametrize("context", [WITHOUT_SCRIPT], indirect=True)
def test_without_a_script_map_table_and_links_lead_on(watched):
    page = watched.open("index.html")
    expect(page.locator(".cbs-choice")).not_to_be_visible()
    expect(page.locator(".cbs-filter")).not_to_be_visible()
    page.locator('.cbs-areas [data-area="5LE"] a').click()
    expect(page.locator("h1")).to_contain_text("Southwark")
    expect(page.locator(".cbs-spine").first).to_be_visible()


@pytest.mark.parametrize("context", [PHONE], indirect=True)
def test_on_a_phone_the_map_is_whole_and_a_tile_can_be_touched(watched):
    page = watched.open("index.html")
    box = page.locator(".cbs-map").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    tile = page.locator('.cbs-map [data-area="5LE"] a')
    expect(tile.locator(".cbs-tile-short")).to_be_visible()
    tile.tap()
    page.wait_for_url("**/packs/5LE/index.html")


def test_a_reader_can_choose_dark_and_it_stays(watched):
    page = watched.open(KINDS["pack of a PCT"])
    page.get_by_role("button", name="Dark").click()
    page.goto(watched.base + "index.html")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_motion_is_left_out_for_those_who_ask(watched):
    watched.page.emulate_media(reduced_motion="reduce")
    page = watched.open("index.html")
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
