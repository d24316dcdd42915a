"""What a drawn chart promises: the same bytes, plain SVG, nothing from elsewhere, text that stays text."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest

from cbs_analysis.evidence import charts
from cbs_analysis.evidence.rendering import svg, vega_lite


def funnel_svg():
    x = [200.0, 400.0, 600.0, 800.0]
    sides = {"lower_95": 0.9, "upper_95": 1.1, "lower_998": 0.8, "upper_998": 1.2}
    points = pd.DataFrame(
        {"name": ["Southwark", "Ealing"], "x": [300.0, 700.0], "y": [1.3, 1.0], "role": ["area", "peer"]}
    )
    chart = charts.funnel(points, pd.DataFrame({"x": x, **sides}), 1.0, title="T", x_title="Expected", y_title="Ratio")
    return svg(vega_lite(chart), "figure-1", "A funnel")


def control_svg(alt="Admissions by month", **options):
    months = [str(month) for month in pd.period_range("2008-04", "2011-03", freq="M")]
    frame = pd.DataFrame(
        {
            "month": months,
            "value": [1500.25 + 37 * (i % 7) for i in range(36)],
            "mean": 1600.0,
            "lower_process_limit": 1400.0,
            "upper_process_limit": 1800.0,
            "special_cause": False,
        }
    )
    options = {"title": "T", "value_title": "Admissions"} | options
    return svg(vega_lite(charts.control(frame, **options)), "c", alt)


def test_the_same_chart_gives_the_same_bytes_each_time():
    assert funnel_svg() == funnel_svg() == funnel_svg()
    assert control_svg() == control_svg()


def test_another_process_in_another_time_zone_gives_the_same_bytes():
    program = (
        f"import sys; sys.path[:0] = {[str(Path(__file__).parent), *sys.path]!r}; import test_rendering as t;"
        "sys.stdout.buffer.write((t.control_svg() + t.funnel_svg()).encode())"
    )
    environment = os.environ | {"TZ": "America/Los_Angeles", "PYTHONHASHSEED": "7"}
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, env=environment)
    assert other.stdout.decode() == control_svg() + funnel_svg()
    assert b"Apr 2008" in other.stdout


def test_identifiers_carry_the_prefix_and_count_from_nought():
    drawn = funnel_svg()
    ids = re.findall(r'\bid="([^"]+)"', drawn)
    assert ids == [f"figure-1-{i}" for i in range(len(ids))]
    assert ids
    assert set(re.findall(r"url\(#([^)]+)\)", drawn)) <= set(ids)
    assert "clip-path=" in drawn


@pytest.mark.parametrize("prefix", ["", "1a", 'a"b', "a b", "<a>"])
def test_a_prefix_that_is_no_identifier_is_refused(prefix):
    chart = alt.Chart(alt.InlineData(values=[{"x": 1}])).mark_point().encode(x="x:Q")
    with pytest.raises(ValueError, match="id prefix"):
        svg(vega_lite(chart), prefix, "alt")


def test_the_picture_fills_the_width_it_is_given_and_says_what_it_shows():
    root = ElementTree.fromstring(control_svg(alt='Admissions "by month" <b> & ŵ 🏥'))
    assert root.get("width") == "100%"
    assert root.get("height") is None
    assert re.fullmatch(r"0 0 648 \d+", root.get("viewBox"))
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'Admissions "by month" <b> & ŵ 🏥'


def test_the_picture_has_no_script_no_style_and_no_address_but_the_namespace():
    for drawn in (control_svg(), funnel_svg()):
        assert re.findall(r"https?://[^\"]*", drawn) == ["http://www.w3.org/2000/svg"]
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(drawn).iter()}
        assert tags <= {"svg", "g", "path", "line", "rect", "text", "tspan", "defs", "clipPath"}
        assert "style=" not in drawn
        assert "href" not in drawn
        assert not re.search(r"\bon[a-z]+=", drawn)


def test_a_chart_of_36_months_is_small_and_its_lengths_are_short():
    drawn = control_svg()
    assert len(drawn.encode()) < 25_000
    lengths = re.findall(r'(?:\bd|transform|\b[xy][12]?|width|height|viewBox)="([^"]*)"', drawn)
    assert lengths
    assert not [text for text in lengths if re.search(r"\.\d{3,}", text)]


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert('x')</script>",
        "quote \" and ' and &amp;",
        "{{ braces }} {% %} ${dollar} |pipe|",
        "Ynys Môn, Ŵy a Thŷ",
        "hospital 🏥",
        "=cmd|' /C calc'!A0",
    ],
)
def test_hostile_titles_come_out_letter_for_letter_as_text(name):
    drawn = control_svg(title=name, breaks=[("2010-08", name)])
    texts = [" ".join(element.itertext()) for element in ElementTree.fromstring(drawn).iter() if element.text]
    assert texts.count(name) == 2


def test_characters_that_xml_cannot_hold_are_left_out():
    drawn = control_svg(title="Bell\x07 and \ud800 half a pair", alt="nul\x00")
    root = ElementTree.fromstring(drawn)
    assert root.get("aria-label") == "nul"
    assert "Bell and half a pair" in "".join(root.itertext())


def test_simplifying_moves_no_mark():
    values = [{"x": i, "y": i * i} for i in range(4)]
    chart = alt.Chart(alt.InlineData(values=values, name="v")).mark_line(color="#123456").encode(x="x:Q", y="y:Q")
    drawn = svg(vega_lite(chart.properties(width=300, height=90)), "c", "d")
    path = re.search(r'd="(M0,90L[^"]+)"', drawn)
    assert path
    points = [tuple(map(float, point.split(","))) for point in re.split("[ML]", path.group(1)) if point]
    # y = 0, 1, 4, 9 on a scale that ends at 9 or, rounded up, at 10.
    assert [x for x, _ in points] == [0, 100, 200, 300]
    assert [y for _, y in points] in ([90, 80, 50, 0], [90, 81, 54, 9])
