"""How evidence is compared, worded and shown."""

import json
import math

import pandas as pd
import pytest

from cbs_analysis.chapters import open_pack, planned_care
from cbs_analysis.edition import Measure
from cbs_analysis.evidence import wording
from cbs_analysis.evidence.comparing import comparison, direction, estimates, status
from cbs_analysis.evidence.finding import CHART_MIME, MIME, TABLE_MIME, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.geography import Area

GOOD_HIGH = Measure(name="Rate", unit="%", decimals=1, polarity="high is good")
GOOD_LOW = Measure(name="Rate", unit="%", decimals=1, polarity="low is good")
NEUTRAL = Measure(name="Rate", unit="%", decimals=1)
HOSTILE = "<script>alert(1)</script> {x} $y$ | \"q\" 'q' Llŷn 🏥 `c`"


@pytest.mark.parametrize(
    ("lower", "upper", "other", "expected"),
    [
        (5, 7, 4, "higher"),
        (5, 7, 8, "lower"),
        (5, 7, 6, "similar"),
        (5, 7, 5, "similar"),
        (5, 7, 7, "similar"),
    ],
)
def test_the_interval_is_held_against_the_comparators_value(
    lower: float, upper: float, other: float, expected: str
) -> None:
    assert direction(6, lower, upper, other, NEUTRAL) == expected


def test_polarity_turns_a_direction_into_a_judgement() -> None:
    assert [status(found, GOOD_HIGH) for found in ("higher", "lower", "similar")] == [
        "better",
        "worse",
        "similar",
    ]
    assert [status(found, GOOD_LOW) for found in ("higher", "lower", "similar")] == [
        "worse",
        "better",
        "similar",
    ]
    assert {status(found, NEUTRAL) for found in ("higher", "lower", "similar", "")} == {"not compared"}


def test_an_estimate_without_an_interval_is_not_compared_but_a_complete_count_is() -> None:
    published = Measure(name="x", unit="years", decimals=1, interval="not published")
    counted = Measure(name="x", unit="%", decimals=1, interval="complete count")
    assert direction(6, math.nan, math.nan, 5, published) == ""
    assert direction(6, math.nan, math.nan, 5, counted) == "higher"


def test_a_flagged_value_is_not_compared_on_either_side() -> None:
    area, other = Area("A", "Aye", "pct", "B"), Area("B", "Bee", "sector")
    rows = {"area_code": ["A", "B"], "value": [6.0, 5.0], "lower": [5.5, 4.5], "upper": [6.5, 5.5]}
    free = comparison(area, other, estimates(pd.DataFrame(rows)), GOOD_HIGH)
    own = comparison(area, other, estimates(pd.DataFrame({**rows, "flagged": [True, False]})), GOOD_HIGH)
    held = comparison(area, other, estimates(pd.DataFrame({**rows, "flagged": [False, True]})), GOOD_HIGH)
    assert (free.status, free.value) == ("better", 5.0)
    assert (own.status, own.value) == ("not compared", 5.0)
    assert (held.status, held.value) == ("not compared", None)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (wording.number(1234567.891, 1), "1,234,567.9"),
        (wording.number(-0.04, 1), "0.0"),
        (wording.number(-12.5, 1), "−12.5"),
        (wording.number(math.nan), "not available"),
        (wording.signed(3.14159, 2), "+3.14"),
        (wording.signed(0.0, 1), "0.0"),
        (wording.listed(["a", "b", "c"]), "a, b and c"),
        (wording.ordinal(11) + wording.ordinal(22) + wording.ordinal(103), "11th22nd103rd"),
        (wording.against([("higher", "A", "1"), ("similar", "B", "2"), ("higher", "C", "3")]),
         "higher than A (1) and C (3), similar to B (2)"),
    ],
)  # fmt: skip
def test_numbers_and_comparisons_read_as_english(said: str, expected: str) -> None:
    assert said == expected


def test_a_table_shows_any_text_as_text_and_keeps_numbers_unrounded() -> None:
    frame = pd.DataFrame({"area": [HOSTILE], "value": [1.23456789], "gap": [math.nan]})
    columns = {"area": Column("Area"), "value": Column("Value", "%", 1), "gap": Column("Gap", decimals=0)}
    table = Table(HOSTILE, frame, columns)
    shown = table.to_html()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
    assert ">1.2<" in shown
    assert ">not available<" in shown
    assert table.to_resource()["data"] == [{"area": HOSTILE, "value": 1.23456789, "gap": None}]


def test_a_finding_displays_as_html_text_chart_table_and_json() -> None:
    bundle = planned_care.daycase_rate(open_pack("5LE", "2011-12"))._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", MIME, TABLE_MIME, CHART_MIME}
    assert json.loads(json.dumps(bundle, allow_nan=False)) == bundle
    assert bundle[MIME]["statement"] == bundle["text/plain"]


def test_a_finding_of_the_same_figures_is_the_same_bytes() -> None:
    first, second = (
        json.dumps(planned_care.daycase_rate(open_pack("SEL", "2011-12"))._repr_mimebundle_()) for _ in range(2)
    )
    assert first == second


def test_a_note_shows_text_as_text() -> None:
    assert "<script>" not in Note(HOSTILE)._repr_mimebundle_()["text/html"]
