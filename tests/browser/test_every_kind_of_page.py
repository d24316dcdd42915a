"""What holds on every kind of page: nothing from elsewhere or refused, accessible in light and dark, on a phone."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from watching import KINDS

EVERY_KIND = pytest.mark.parametrize("address", KINDS.values(), ids=list(KINDS))
WINDOWS = ((390, 800), (320, 640), (640, 450))  # a phone, the narrowest, and 1280 by 900 enlarged to 200%
MOST_BYTES_OF_HTML = 300_000
MOST_BYTES_SHARED = 1_600_000
WITHOUT_SCRIPT = {"java_script_enabled": False}


@EVERY_KIND
def test_nothing_comes_from_elsewhere_and_a_strict_policy_breaks_nothing(watched, address):
    watched.open(address)
    watched.see_everything()
    assert watched.elsewhere == []
    assert watched.missing == []
    assert watched.said == []


TEXTS = """() => [...document.querySelectorAll('.cbs-chart')].map(figure =>
    [':scope > svg', '.cbs-live svg'].map(chart =>
        [...figure.querySelector(chart).querySelectorAll('text')].map(text => text.textContent).sort()))"""


@EVERY_KIND
def test_a_chart_that_was_drawn_again_says_what_its_picture_says(watched, address):
    """Every label of every axis too: where a scale fails there are none, though nothing is an error."""
    page = watched.open(address)
    watched.see_everything()
    for picture, drawn in page.evaluate(TEXTS):
        assert drawn == picture


@EVERY_KIND
def test_axe_finds_nothing_against_a_page_in_light_or_dark(watched, address):
    watched.page.emulate_media(reduced_motion="reduce")
    page = watched.open(address)
    watched.see_everything()
    page.evaluate("document.querySelectorAll('details').forEach(closed => { closed.open = true })")
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        found = Axe().run(page).response["violations"]
        assert [(item["id"], [node["target"] for node in item["nodes"]][:3]) for item in found] == [], theme


@EVERY_KIND
def test_no_page_scrolls_sideways_on_a_phone_or_enlarged(watched, address):
    page = watched.open(address)
    for width, height in WINDOWS:
        page.set_viewport_size({"width": width, "height": height})
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, width


@EVERY_KIND
def test_headings_go_down_a_level_at_a_time_from_one_title(watched, address):
    page = watched.open(address)
    levels = page.evaluate("[...document.querySelectorAll('main :is(h1,h2,h3,h4,h5,h6)')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("context", [WITHOUT_SCRIPT], indirect=True)
@EVERY_KIND
def test_a_page_reads_without_a_script(watched, address):
    page = watched.open(address)
    expect(page.locator("h1")).to_be_visible()
    for place in range(page.locator(".cbs-chart").count()):
        expect(page.locator(".cbs-chart > svg").nth(place)).to_be_visible()


def test_pages_and_what_they_share_are_light(site: Path):
    heaviest = max(site.rglob("*.html"), key=lambda path: path.stat().st_size)
    assert heaviest.stat().st_size < MOST_BYTES_OF_HTML, heaviest
    assert sum(path.stat().st_size for path in (site / "_static").rglob("*")) < MOST_BYTES_SHARED


def test_charts_carry_their_data_and_read_no_file(watched, site: Path):
    watched.open(KINDS["emergency care"])
    watched.page.wait_for_load_state("networkidle")
    asked = []
    watched.page.on("request", lambda request: asked.append(request.url))
    watched.see_everything()
    assert [url for url in asked if not url.endswith(("_static/vega.js",))] == []
    assert json.dumps(asked).count("vega.js") <= 1
