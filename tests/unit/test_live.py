"""Charts that answer to the pointer: what a page carries of them, and that they are the pictures' own charts."""

import json
import re

import chart_examples
import vl_convert

from cbs_analysis.evidence import drawing
from cbs_analysis.publishing import chapter_page as live

HOSTILE = "</script><script>alert(1)</script>"


def test_a_specification_comes_out_of_a_page_as_it_went_in():
    specification = {"title": HOSTILE, "data": [1, None, "\N{HOSPITAL}"]}
    element = live.packed(specification)
    assert live.unpacked(element) == specification
    assert element.count("<") == 2


def test_the_same_specification_gives_the_same_bytes():
    assert live.packed({"a": 1, "b": 2}) == live.packed({"b": 2, "a": 1})


def test_a_browser_runs_nothing_of_it():
    assert live.packed({}).startswith(f'<script type="{live.PACKED}">')
    assert live.PACKED not in ("", "module", "text/javascript", "application/javascript")


def test_the_library_is_one_script_that_offers_what_charts_are_drawn_with():
    library = live.chart_library()
    assert "window.vegaEmbed" in library
    assert len(library.encode()) < 1_000_000


def test_the_library_draws_house_charts_as_their_pictures_are_drawn():
    kinds = (
        chart_examples.ranked,
        chart_examples.funnel,
        chart_examples.control,
        chart_examples.fan,
        chart_examples.lines,
    )
    charts = [kind() for kind in kinds]
    for chart in charts:
        specification = {key: value for key, value in chart.specification.items() if key != "$schema"}
        newer = vl_convert.vegalite_to_svg(json.dumps(specification), vl_version=live.VEGA_LITE)
        assert _plain(newer) == _plain(drawing.drawn(chart.specification))


def _plain(svg):
    return re.sub(r"clip\d+", "clip", svg)
