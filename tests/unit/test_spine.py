"""A spine chart's row: places are those of the values, shapes those of the words, and it can be read without seeing."""

import re

import pandas as pd
import pytest
from packs_made_up import facts
from test_publishing_messages import finding

from cbs_analysis.evidence.comparing import value_range
from cbs_analysis.publishing.indicator_table import EDGE, SHAPES, WIDTH, spine

PEERS = {
    "count": 31,
    "lowest": 90.0,
    "lower_quartile": 95.0,
    "median": 101.0,
    "upper_quartile": 105.0,
    "highest": 120.0,
}


@pytest.fixture(scope="module")
def london():
    return facts().geography


def row(london, **changes):
    return spine({**finding(), "area_name": "Southwark", "peers": PEERS, **changes}, london, 1)


def test_the_headline_comparator_stands_in_the_middle_and_the_farthest_value_at_the_edge(london):
    shown = row(london)
    assert f'<path class="m" d="M{WIDTH // 2},' in shown  # London, at 100
    (left,) = re.findall(r'class="r" d="M([\d.]+),', shown)
    sector = 1.0  # the sector's 1.0 is farthest from London's 100
    reach = 100 - sector
    assert float(left) == pytest.approx(WIDTH / 2 + (90 - 100) / reach * (WIDTH / 2 - EDGE), abs=0.06)
    assert f'class="group" transform="translate({EDGE},' in shown


def test_a_shape_says_what_the_word_says(london):
    def own(status, direction="higher", **changes):
        comparisons = [{**finding()["comparisons"][1], "status": status, "direction": direction}]
        return re.search(
            r'class="(own [^"]+)" transform="[^"]+" d="([^"]+)"', row(london, comparisons=comparisons, **changes)
        )

    assert own("better").groups() == ("own better", SHAPES["circle"])
    assert own("similar").groups() == ("own similar", SHAPES["circle"])
    assert own("worse").groups() == ("own worse", SHAPES["diamond"])
    assert own("not compared").groups() == ("own not-compared", SHAPES["square"])
    assert own("not compared", "similar").groups() == ("own similar", SHAPES["circle"])
    assert own("worse", flagged=True).groups() == ("own flagged", SHAPES["crossed"])


def test_the_row_is_said_in_words_for_those_who_cannot_see_it(london):
    assert (
        'aria-label="Southwark 110.0 (108.0 to 112.0); London 100.0; 31 PCTs from 90.0 to 120.0, half of them from '
        '95.0 to 105.0"' in row(london)
    )


def test_without_a_value_or_a_range_there_is_no_row(london):
    assert row(london, value=None) == ""
    assert row(london, peers=None) == ""


def test_where_all_are_alike_the_row_is_still_drawn(london):
    alike = dict.fromkeys(PEERS, 100.0) | {"count": 3}
    shown = row(london, peers=alike, value=100.0, lower=None, upper=None, comparisons=[])
    assert f"translate({WIDTH // 2}," in shown
    assert "nan" not in shown


def test_a_hostile_name_is_text(london):
    assert "<script>" not in row(london, area_name='"><script>')


def test_the_range_leaves_out_what_is_missing():
    found = value_range(pd.Series([4.0, float("nan"), 1.0, 3.0, 2.0]))
    assert (found.count, found.lowest, found.highest) == (4, 1.0, 4.0)
    assert (found.lower_quartile, found.median, found.upper_quartile) == (1.75, 2.5, 3.25)
    assert value_range(pd.Series([float("nan")])) is None
