"""Areas side by side: fifths, words, the tile map, the table, the front page's data and the pages of indicators."""

import json
import re
from dataclasses import replace
from html import unescape

import pandas as pd
import pytest
from packs_made_up import HOSTILE, edited, finding, pack

from cbs_analysis.evidence.comparing import Comparison
from cbs_analysis.evidence.peers import fifth, peer_funnel
from cbs_analysis.publishing import front_page
from cbs_analysis.publishing.areas import area_table, map_key, short_labels, tile_map
from cbs_analysis.publishing.indicator_page import indicator_page, indicators_page
from cbs_analysis.publishing.indicators import IndicatorValues

KEY = "daycase_rate_pct"


def value_of(rank):
    return 60.0 + rank


def london_funnel(leaves):
    """The funnel that the finding of the whole holds: values by place in the list, the last flagged."""
    peers = pd.DataFrame({"value": [value_of(rank) for rank in range(31)], "denominator": 1540.0, "flagged": False},
                         index=[area.code for area in leaves])  # fmt: skip
    peers["numerator"] = peers["value"] * 15.4
    peers.loc[leaves[30].code, "flagged"] = True
    return peer_funnel(peers, {area.code: area.name for area in leaves}, "proportions", 100)


@pytest.fixture(scope="module")
def london():
    """Every PCT of London with a value by its place in the list, one of them flagged, and two sectors."""
    known = edited()
    leaves = [area for area in known.geography.areas.values() if area.is_leaf]
    packs = {}
    for rank, area in enumerate(leaves):
        value, is_flagged = value_of(rank), rank == 30
        found = finding(
            area.code,
            area.name,
            value=value,
            lower=value - 1,
            upper=value + 1,
            fifth=None if is_flagged else rank // 6 + 1,
            flagged=is_flagged,
            flag_reason="records are missing" if is_flagged else "",
        )
        packs[area.code] = pack(found, code=area.code)
    for code in ("SEL", "LON"):
        funnel = london_funnel(leaves) if code == "LON" else None
        packs[code] = pack(finding(code, known.geography.area(code).name, value=75.0, funnel=funnel), code=code)
    return known, packs, leaves


def words(page):
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_fifths_go_from_lowest_to_highest_and_leave_flagged_values_out(london):
    known, packs, leaves = london
    fifths = {each.area.code: each.fifth for each in IndicatorValues(known, packs).leaves(KEY)}
    assert [fifths[area.code] for area in leaves[:30:6]] == [1, 2, 3, 4, 5]
    assert sorted(fifths.values()) == [0] + [1] * 6 + [2] * 6 + [3] * 6 + [4] * 6 + [5] * 6


def test_a_fifth_is_that_among_the_peers_and_a_group_or_a_few_values_have_none():
    values = pd.Series(range(10), index=list("abcdefghij"))
    assert [fifth(values, code) for code in "aceij"] == [1, 2, 3, 5, 5]
    assert fifth(values, "whole") is None
    assert fifth(values[:4], "a") is None


def test_every_area_is_one_tile_in_its_place_that_leads_to_its_pack(london):
    known, packs, leaves = london
    shown = tile_map(IndicatorValues(known, packs).leaves(KEY), known.indicators[KEY], known.geography)
    assert shown.count("<li ") == 31
    places = re.findall(r'<li class="cbs-c(\d+) cbs-r(\d+)" data-area="(\w+)">', shown)
    assert len({place[:2] for place in places}) == 31
    assert ("4", "4", "5LE") in places
    assert all(f'href="packs/{area.code}/index.html"' in shown for area in leaves)


def test_a_tile_says_its_name_value_and_standing_in_words(london):
    known, packs, _ = london
    shown = tile_map(IndicatorValues(known, packs).leaves(KEY), known.indicators[KEY], known.geography)
    tile = words(shown[shown.index('data-area="5LE"') :].partition("</li>")[0].partition(">")[2])
    value = next(each for each in IndicatorValues(known, packs).leaves(KEY) if each.area.code == "5LE").value
    assert tile == f"Southwark Sout {value:.1f}% ● better than London"


def test_a_flagged_value_is_hatched_and_in_no_fifth(london):
    known, packs, leaves = london
    shown = tile_map(IndicatorValues(known, packs).leaves(KEY), known.indicators[KEY], known.geography)
    tile = shown[shown.index(f'data-area="{leaves[30].code}"') :].partition("</li>")[0]
    assert "cbs-f0 cbs-hatched" in tile
    assert "flagged" in words(tile)


def test_a_pack_that_was_not_made_is_a_tile_without_a_link(london):
    known, packs, _ = london
    few = {"5LE": packs["5LE"]}
    shown = tile_map(IndicatorValues(known, few).leaves(KEY), known.indicators[KEY], known.geography)
    assert shown.count("<a ") == 1
    assert shown.count("not made") == 30


def test_areas_without_a_place_have_no_map():
    england = edited("england-2011-12")
    packs = {"5LE": pack(code="5LE")}
    assert tile_map(IndicatorValues(england, packs).leaves(KEY), england.indicators[KEY], england.geography) == ""


def test_short_labels_are_all_different_and_made_of_the_name():
    labels = short_labels(["Hackney", "Hammersmith and Fulham", "Haringey", "Harrow", "Harrogate", "Tower Hamlets"])
    assert labels["Hammersmith and Fulham"] == "H&F"
    assert labels["Tower Hamlets"] == "TH"
    assert labels["Hackney"] == "Hack"
    assert len(set(labels.values())) == 6


def test_the_key_names_only_the_marks_that_are_used(london):
    known, packs, _ = london
    said = words(map_key(IndicatorValues(known, packs).leaves(KEY), known.geography))
    assert "better" in said
    assert "flagged" in said
    assert "worse" not in said


def test_numbers_sort_as_numbers_and_flagged_ones_last(london):
    known, packs, leaves = london
    table = area_table(IndicatorValues(known, packs).leaves(KEY), known.indicators[KEY], known.geography, "T")
    row = table[table.index(f'data-area="{leaves[30].code}"') :].partition("</tr>")[0]
    assert 'data-sort=""' in row
    row = table[table.index(f'data-area="{leaves[3].code}"') :].partition("</tr>")[0]
    assert 'data-sort="63"' in row


def test_the_front_page_carries_every_indicator_that_can_be_compared(london):
    known, packs, leaves = london
    page = front_page.front_page(known, packs)
    body = page.partition(f'id="{front_page.DATA}">')[2].partition("</script>")[0]
    data = json.loads(body)
    assert list(data["indicators"]) == [KEY]
    assert data["indicators"][KEY]["areas"][leaves[0].code][:2] == ["60.0%", "59.0 to 61.0"]
    assert data["words"]["better"][2] == "better than London"


def test_no_name_ends_the_data_or_the_block_it_stands_in(london):
    known, packs, leaves = london
    areas = {**known.geography.areas, leaves[0].code: replace(leaves[0], name=HOSTILE)}
    hostile = replace(known, geography=replace(known.geography, areas=areas))
    page = front_page.front_page(hostile, packs)
    assert "<script>alert" not in page
    assert page.count("```") == 2 * page.count("```{raw} html")


def test_sizes_are_no_choice_of_the_map(london):
    known, packs, _ = london
    sized = {**packs, "5LE": pack(finding(), finding(id="planned_care.size", indicator="population"), code="5LE")}
    assert [item.id for item in IndicatorValues(known, sized).comparable()] == [KEY]


def test_a_page_of_an_indicator_states_its_point(london):
    known, packs, leaves = london
    page = indicator_page(known.indicators[KEY], IndicatorValues(known, packs), known, {})
    said = words(page)
    assert f"From 60.0% in {leaves[0].name} to 89.0% in {leaves[29].name}." in said
    assert "Of the 31 PCTs, 30 are better than London and 1 is flagged and not ranked." in said
    assert page.count('<figure class="cbs-chart"') == 2
    assert all(f"../packs/{area.code}/planned_care.html#daycases" in page for area in leaves)


def test_a_page_of_a_size_ranks_nobody(london):
    known, _, _ = london
    size = finding(id="planned_care.size", indicator="population", value=283777.0, lower=None, upper=None)
    page = indicator_page(known.indicators["population"], IndicatorValues(known, {"5LE": pack(size)}), known, {})
    assert "PCTs are not ranked by it" in words(page)
    assert "<figure" not in page
    assert "283,777" in page


def test_an_indicator_that_no_pack_has_still_has_a_page_with_its_definition(london):
    known, packs, _ = london
    page = words(indicator_page(known.indicators["births_per_1000"], IndicatorValues(known, packs), known, {}))
    assert "No pack of this edition has a value for it." in page
    assert known.indicators["births_per_1000"].definition in page


def test_a_partial_build_says_how_many_it_shows(london):
    known, packs, _ = london
    page = words(indicator_page(known.indicators[KEY], IndicatorValues(known, {"5LE": packs["5LE"]}), known, {}))
    assert "1 pack of 31 PCTs is made and shown here." in page


def test_the_whole_stands_beside_its_own_comparator(london):
    known, packs, _ = london
    england = Comparison("England", "E92000001", 70.0, None, None, "better", "higher")
    whole = finding("LON", "London", value=75.0, comparisons=(england,), headline="E92000001")
    across = IndicatorValues(known, {**packs, "LON": pack(whole, code="LON")})
    row = indicator_page(known.indicators[KEY], across, known, {}).partition('<tr data-area="LON">')[2]
    assert "better than England" in words(row.partition("</tr>")[0])


def test_leaves_that_are_held_against_another_value_than_the_table_shows_are_told_so(london):
    known, packs, leaves = london
    said = "They are held against 78.5%, which is London without the areas whose figures are flagged."
    assert said not in words(indicator_page(known.indicators[KEY], IndicatorValues(known, packs), known, {}))
    caveat = "As a comparator, London is without Newham, whose figures are flagged."
    held = finding(leaves[0].code, leaves[0].name, caveats=(caveat,))
    across = IndicatorValues(known, {**packs, leaves[0].code: pack(held, code=leaves[0].code)})
    assert said in words(indicator_page(known.indicators[KEY], across, known, {}))


def test_a_value_to_be_checked_before_acting_is_named_with_why(london):
    known, packs, leaves = london
    doubtful = finding(leaves[0].code, leaves[0].name, value=12.0, caution="Records fell in 2005/06.")
    across = IndicatorValues(known, {**packs, leaves[0].code: pack(doubtful)})
    page = words(indicator_page(known.indicators[KEY], across, known, {}))
    assert f"Check before acting. {leaves[0].name} : Records fell in 2005/06." in page


def test_without_a_better_side_areas_are_higher_or_lower(london):
    known, _, _ = london
    neutral = Comparison("London", "LON", 78.5, None, None, "not compared", "higher")
    found = finding(indicator="births_per_1000", comparisons=(neutral,))
    (standing,) = [
        each for each in IndicatorValues(known, {"5LE": pack(found)}).leaves("births_per_1000") if each.finding
    ]
    assert standing.word == "higher"


def test_the_index_of_indicators_leads_to_each_page(london):
    known, _, _ = london
    page = indicators_page(known.indicators, {})
    assert all(f'href="indicator/{key}.html"' in page and f'id="{key}"' in page for key in known.indicators)
