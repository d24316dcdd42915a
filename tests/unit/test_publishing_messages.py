"""Which findings a pack leads with."""

import math

import pytest

from cbs_analysis.evidence.finding import Definition
from cbs_analysis.publishing.messages import people_weight, rank_messages, sureness


def indicator(key="rate", **changes):
    values = {
        "id": key,
        "name": key,
        "short_name": key,
        "unit": "per 1,000",
        "per": 1000,
        "decimals": 1,
        "polarity": "low is good",
        "interval": "estimate",
        "numerator": "n",
        "denominator": "d",
        "method": "rates",
        "sources": ("table",),
        "period": "2010/11",
        "definition": "What it is.",
    }
    return Definition(**{**values, **changes})


def finding(key="rate", value=110.0, lower=108.0, upper=112.0, other=100.0, direction="higher", **changes):
    compared = {
        "comparator": "London",
        "comparator_code": "LON",
        "value": other,
        "lower": None,
        "upper": None,
        "status": "worse",
        "direction": direction,
    }
    base = {
        "id": f"chapter.{key}",
        "indicator": key,
        "value": value,
        "lower": lower,
        "upper": upper,
        "comparisons": [{**compared, "comparator_code": "SEL", "value": 1.0}, compared],
        "headline": "LON",
        "spread": 5.0,
        "people": 9999.0,
        "flagged": False,
        "fifth": None,
        "definition": indicator(key).to_json(),
    }
    return {**base, **changes}


def ranked(findings, **indicators):
    for item in findings:
        known = indicators.get(item["indicator"]) or (indicator(item["indicator"]) if item["indicator"] else None)
        item["definition"] = known.to_json() if known else None
    return [message.finding["id"] for message in rank_messages(findings)]


def test_the_score_is_distance_in_spreads_times_sureness_times_people():
    (message,) = rank_messages([finding(people=99.0)])
    assert message.distance == 2.0  # (110 - 100) / 5
    assert message.sureness == pytest.approx(1.0)
    assert message.score == pytest.approx(2.0 * 2 / 4)  # log10(100) / log10(10,000)


def test_sureness_is_95_per_cent_where_the_limit_touches_the_comparator():
    assert sureness(finding(value=110, lower=100, upper=130), 100.0, indicator()) == pytest.approx(0.95, abs=1e-6)


def test_sureness_reads_the_limit_that_lies_towards_the_comparator():
    assert sureness(finding(value=90, lower=10, upper=100), 100.0, indicator()) == pytest.approx(0.95, abs=1e-6)


def test_a_complete_count_is_sure_and_a_published_figure_without_interval_half_sure():
    bare = finding(lower=None, upper=None)
    assert sureness(bare, 100.0, indicator(interval="complete count")) == 1.0
    assert sureness(bare, 100.0, indicator(interval="not published")) == 0.5


def test_ten_thousand_people_weigh_one_and_ten_times_as_many_a_quarter_more():
    assert people_weight(9_999) == pytest.approx(1.0)
    assert people_weight(99_999) == pytest.approx(1.25)
    assert people_weight(0) == 0.0
    assert people_weight(None) == pytest.approx(math.log10(1001) / 4)


def test_further_surer_and_more_people_each_put_a_message_first():
    far, near = finding("far", value=120, lower=118, upper=122), finding("near")
    assert ranked([near, far]) == ["chapter.far", "chapter.near"]
    unsure, sure = finding("unsure", lower=101.0), finding("sure")
    assert ranked([unsure, sure]) == ["chapter.sure", "chapter.unsure"]
    few, many = finding("few", people=20.0), finding("many")
    assert ranked([few, many]) == ["chapter.many", "chapter.few"]


def test_a_flagged_finding_is_never_a_message():
    assert ranked([finding(flagged=True, value=1e6, lower=9e5, upper=2e6)]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"direction": "similar"},
        {"direction": ""},
        {"other": None},
        {"value": None},
        {"spread": None},
        {"spread": 0.0},
        {"headline": "ENG"},
        {"indicator": None},
    ],
)
def test_a_finding_that_does_not_stand_clear_of_its_headline_comparator_is_not_a_message(changes):
    assert ranked([finding(**changes)]) == []


def test_a_figure_published_without_interval_is_placed_by_its_values():
    bare = finding("years", value=78.0, lower=None, upper=None, other=79.0, direction="", spread=1.0)
    bare["definition"] = indicator("years", interval="not published").to_json()
    (message,) = rank_messages([bare])
    assert message.direction == "lower"
    assert not message.has_interval


def test_a_mere_size_is_never_a_message():
    size = indicator("size", denominator="none", polarity="none", interval="not published")
    assert rank_messages([finding("size", lower=None, upper=None, definition=size.to_json())]) == []


def test_one_message_for_each_indicator_and_at_most_seven():
    twice = [finding(id="chapter.first", value=130, lower=128, upper=132), finding(id="chapter.second")]
    assert ranked(twice) == ["chapter.first"]
    assert len(ranked([finding(f"rate{number}") for number in range(12)])) == 7


def test_ties_keep_the_order_of_the_findings():
    assert ranked([finding("b"), finding("a"), finding("c")]) == ["chapter.b", "chapter.a", "chapter.c"]
