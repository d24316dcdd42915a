"""The chapters' numbers, held against the published tables by another route than the package's own: the csv module."""

import csv
import importlib
from collections import Counter
from collections.abc import Iterator
from functools import cache

import pytest

from cbs_analysis.chapters import (
    Pack,
    emergency_care,
    open_pack,
    outlook,
    planned_care,
    plausibility,
    population_and_need,
)
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.home import data_dir

EDITION = "2011-12"
FORECAST = ("elective_ordinary", "elective_daycase", "nonelective", "gp_referrals", "other_referrals",
            "first_outpatients")  # fmt: skip
SERIES = {
    "planned_care": ("gp_referrals", "other_referrals", "first_outpatients", "elective_admissions"),
    "emergency_care": ("nonelective",),
    "outlook": FORECAST,
}
YEAR = [f"2010-{month:02d}" for month in range(4, 13)] + [f"2011-{month:02d}" for month in range(1, 4)]


def rows(table: str) -> Iterator[dict[str, str]]:
    with (data_dir() / f"{table}.csv").open(newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file)


@cache
def pack(code: str, edition: str = EDITION) -> Pack:
    return open_pack(code, edition)


def pcts_of(code: str) -> set[str]:
    parents = {row["area_code"]: row["parent_code"] for row in rows("reference/geographies")
               if row["geography"] == "sector_2009"}  # fmt: skip
    return {leaf for leaf in parents if code in (leaf, parents[leaf], "LON") and leaf not in parents.values()}


def pct_of_boroughs() -> dict[str, str]:
    boroughs = {row["area_code"] for row in rows("reference/areas") if row["kind"] == "borough"}
    return {row["part_code"]: row["area_code"] for row in rows("reference/area_parts") if row["part_code"] in boroughs}


def boroughs_of(code: str) -> set[str]:
    inside = pcts_of(code)
    return {borough for borough, pct in pct_of_boroughs().items() if pct in inside}


def activity(code: str, measure: str, months: list[str]) -> int:
    organisations = {"ENG"} if code == "ENG" else pcts_of(code)
    return sum(
        int(row[measure])
        for row in rows("published/monthly_activity_return")
        if row["org_code"] in organisations and row["month"] in months
    )


def residents(code: str, year: int, low: int = 0, high: int = 90) -> int:
    inside = {"E92000001"} if code == "ENG" else boroughs_of(code)
    return sum(
        int(row["persons"])
        for row in rows("published/population_by_age")
        if row["area_code"] in inside and int(row["mid_year"]) == year and low <= int(row["age"]) <= high
    )


@pytest.mark.parametrize("code", ["5LE", "5C3", "SEL", "LON"])
def test_rates_are_the_published_counts_over_the_published_people(code: str) -> None:
    finding = planned_care.activity(pack(code), "gp_referrals")
    count, people = activity(code, "gp_referrals_made", YEAR), residents(code, 2010)
    assert (finding.numerator, finding.denominator) == (count, people)
    assert finding.value == pytest.approx(1000 * count / people, rel=1e-12)
    england = 1000 * activity("ENG", "gp_referrals_made", YEAR) / residents("ENG", 2010)
    assert finding.comparisons[-1].comparator == "England"
    assert finding.comparisons[-1].value == pytest.approx(england, rel=1e-12)


@pytest.mark.parametrize("code", ["5M7", "INEL", "LON"])
def test_population_and_growth_are_sums_of_boroughs(code: str) -> None:
    now, then = residents(code, 2010), residents(code, 2001)
    assert population_and_need.size(pack(code)).value == now
    assert population_and_need.growth(pack(code)).value == pytest.approx(100 * (now / then - 1), rel=1e-12)


def test_londons_population_at_mid_2008_is_the_published_one() -> None:
    table = population_and_need.size(pack("LON")).table
    assert table is not None
    assert table.frame.set_index("year")["people"][2008] == 7_812_161


def test_the_day_case_rate_is_day_cases_over_all_elective_admissions() -> None:
    finding = planned_care.daycase_rate(pack("5LE"))
    day = activity("5LE", "elective_daycase_admissions", YEAR)
    stay = activity("5LE", "elective_ordinary_admissions", YEAR)
    assert finding.value == pytest.approx(100 * day / (day + stay), rel=1e-12)
    assert finding.lower is not None
    assert finding.upper is not None
    assert finding.lower < finding.value < finding.upper


def emergency(year: str, code: str) -> tuple[float, float]:
    inside = {"E12000007"} if code == "LON" else boroughs_of(code)
    found = [
        r for r in rows("published/emergency_admissions") if r["financial_year"] == year and r["area_code"] in inside
    ]
    return tuple(sum(float(r[f"admissions_{kind}"]) for r in found) for kind in ("observed", "expected"))


def test_londons_emergency_ratio_is_the_published_one_and_flagged() -> None:
    finding = emergency_care.admission_ratio(pack("LON"))
    assert finding.numerator == 546_788
    assert round(finding.value or 0, 3) == 0.864
    assert finding.flagged


def test_the_ratio_of_a_sector_adds_observed_and_expected_then_divides() -> None:
    observed, expected = emergency("2008/09", "SEL")
    assert emergency_care.admission_ratio(pack("SEL")).value == pytest.approx(observed / expected, rel=1e-12)


def test_the_five_areas_with_missing_records_are_flagged_and_no_others() -> None:
    assert sorted(plausibility.flagged_areas(pack("LON"))) == ["5A9", "5C1", "5C3", "5C4", "5C5"]


def test_london_as_a_comparator_is_without_the_flagged_areas() -> None:
    flagged = ["5A9", "5C1", "5C3", "5C4", "5C5"]
    whole = emergency("2008/09", "LON")
    parts = [emergency("2008/09", code) for code in flagged]
    observed, expected = (total - sum(part[i] for part in parts) for i, total in enumerate(whole))
    comparisons = emergency_care.admission_ratio(pack("5LE")).comparisons
    london = next(item for item in comparisons if item.comparator == "London")
    assert london.value == pytest.approx(observed / expected, rel=1e-4)


def test_a_flagged_area_is_shown_but_neither_ranked_nor_compared() -> None:
    finding = emergency_care.admission_ratio(pack("5C3"))
    assert finding.value is not None
    assert {item.status for item in finding.comparisons} == {"not compared"}
    table = emergency_care.admission_ratio(pack("5LE")).members
    assert table is not None
    ranks = table.frame.set_index("area")["rank"]
    assert ranks[["City and Hackney", "Barnet", "Enfield", "Newham", "Tower Hamlets"]].isna().all()
    assert ranks.notna().sum() == 26


def test_a_sector_whose_every_member_is_flagged_is_no_comparator() -> None:
    inner = emergency_care.admission_ratio(pack("5C3")).comparisons[0]
    assert (inner.comparator, inner.value) == ("Inner North East London", None)


def published_life(code: str, sex: str, period: str) -> float:
    return next(
        float(r["life_expectancy_years"])
        for r in rows("published/life_expectancy")
        if (r["area_code"], r["sex"], r["period"]) == (code, sex, period)
    )


def test_life_expectancy_is_published_and_never_added_up() -> None:
    assert population_and_need.life_expectancy_male(pack("5LE")).value == published_life(
        "E09000028", "male", "2008-2010"
    )
    assert population_and_need.life_expectancy_female(pack("LON")).value == published_life(
        "E12000007", "female", "2008-2010"
    )
    for code in ("5M7", "SEL"):
        finding = population_and_need.life_expectancy_male(pack(code))
        assert finding.value is None
        assert finding.table is not None
        assert len(finding.table.frame) == len(boroughs_of(code))


def test_city_and_hackney_has_hackneys_value_and_says_so() -> None:
    finding = population_and_need.life_expectancy_male(pack("5C3"))
    assert finding.value == published_life("E09000012", "male", "2008-2010")
    assert "Hackney only" in finding.statement
    assert any("City of London" in caveat for caveat in finding.caveats)


def test_deprivation_counts_neighbourhoods_by_their_published_rank() -> None:
    finding = population_and_need.deprivation(pack("5LE"))
    ranks = [int(r["imd_2010_rank"]) for r in rows("published/deprivation_lsoa") if r["borough_code"] == "E09000028"]
    assert finding.numerator == sum(rank <= 32_482 / 5 for rank in ranks)
    assert finding.denominator == len(ranks)


def test_components_of_change_and_the_remainder_make_up_the_whole_change() -> None:
    finding = population_and_need.change(pack("SEL"))
    births = sum(
        int(r["births"]) for r in rows("published/population_change") if r["borough_code"] in boroughs_of("SEL")
    )
    assert finding.value == residents("SEL", 2010) - residents("SEL", 2001)
    assert finding.table is not None
    assert finding.table.frame["births"].sum() == births


def test_recording_breaks_are_named_and_the_year_they_touch_is_not_compared() -> None:
    finding = planned_care.activity(pack("5LF"), "other_referrals")
    assert finding.flagged
    assert {item.status for item in finding.comparisons} == {"not compared"}
    assert any("double from August 2010" in caveat for caveat in finding.caveats)
    assert not planned_care.activity(pack("5LF"), "gp_referrals").flagged
    assert not planned_care.activity(pack("LON"), "other_referrals").flagged, "Lewisham is under a twentieth of London"


def test_havering_has_the_published_admissions_of_april_2008() -> None:
    table = emergency_care.activity(pack("5A4"), "nonelective").table
    assert table is not None
    assert table.frame.set_index("month")["count"]["April 2008"] == 1593


def test_a_forecast_covers_the_year_ahead_and_its_intervals_nest() -> None:
    finding = outlook.forecast(pack("5LE"), "gp_referrals")
    assert finding.table is not None
    frame = finding.table.frame
    assert frame["month"].iloc[0] == "April 2011"
    assert len(frame) == 12
    assert finding.value == pytest.approx(frame["value"].sum(), rel=1e-9)
    nested = frame[["lower_95", "lower_80", "value", "upper_80", "upper_95"]]
    assert (nested.diff(axis=1).iloc[:, 1:] > 0).all(axis=None)


def test_a_borough_whose_admissions_fell_and_never_came_back_is_cautioned() -> None:
    assert "Sutton's fell by 55% in 2005/06" in emergency_care.admission_ratio(pack("5M7")).caution
    assert emergency_care.admission_ratio(pack("5LE")).caution == ""
    assert emergency_care.admission_ratio(pack("5HY")).caution == "", "Hounslow fell in 2006/07 and came back"


def test_a_sudden_unexplained_step_is_cautioned_in_the_pct_and_in_its_sector() -> None:
    assert "steps by +36% in April 2010" in emergency_care.activity(pack("5LE"), "nonelective").caution
    assert "In Southwark the level steps" in emergency_care.activity(pack("SEL"), "nonelective").caution
    assert "not carried" not in " ".join(outlook.forecast(pack("5LF"), "other_referrals").caveats)


def test_a_year_on_year_change_is_not_given_across_a_recording_break() -> None:
    for code in ("5LF", "5A7", "SEL"):
        statement = planned_care.activity(pack(code), "other_referrals").statement
        assert "recording changed" in statement
        assert "% on the year before" not in statement
    assert "% on the year before" in planned_care.activity(pack("5LF"), "gp_referrals").statement


def test_a_change_on_the_year_is_not_given_across_an_unexplained_step() -> None:
    for finding in (
        emergency_care.activity(pack("5LE"), "nonelective"),
        planned_care.activity(pack("5LA"), "first_outpatients"),
    ):
        assert "the level steps, so the year before is no measure of it" in finding.statement
    assert "is no measure of it" in outlook.forecast(pack("5LA"), "first_outpatients").statement
    members = outlook.forecast(pack("SEL"), "other_referrals").members
    assert members is not None
    assert members.frame.set_index("area")["change"].isna()["Lewisham"]


def test_a_comparator_that_steps_is_named_to_those_held_against_it() -> None:
    assert any(
        "Southwark by +36% in April 2010" in caveat
        for caveat in emergency_care.activity(pack("5LF"), "nonelective").caveats
    )
    assert not any(
        "A comparator holds" in caveat for caveat in emergency_care.activity(pack("5LE"), "nonelective").caveats
    )
    assert "First outpatient attendances: The level steps" in planned_care.attendances_per_referral(pack("5LA")).caution


def test_a_sectors_shortfall_of_day_cases_is_the_sum_of_its_pcts() -> None:
    sector = planned_care.daycase_opportunity(pack("SEL"))
    parts = [planned_care.daycase_opportunity(pack(code)).value or 0 for code in sorted(pcts_of("SEL"))]
    assert sector.value == pytest.approx(sum(parts), rel=1e-12)
    assert sector.comparisons == ()


def test_england_is_forecast_alike_in_both_editions() -> None:
    ours = outlook.forecast(pack("5LE"), "nonelective").comparisons[-1]
    theirs = outlook.forecast(pack("ENG", "england-2011-12"), "nonelective")
    assert ours.comparator == "England"
    assert ours.value == pytest.approx(theirs.value, rel=1e-9)


def every(code: str, chapter: str, edition: str = EDITION) -> list[Finding | Note]:
    return every_finding(pack(code, edition), chapter)


def every_finding(opened: Pack, chapter: str) -> list[Finding | Note]:
    """What each cell of a chapter's notebook gives: functions of a pack alone, and those of a pack and a series."""
    module = importlib.import_module(f"cbs_analysis.chapters.{chapter}")
    alone = [getattr(module, name) for name in module.__all__ if name not in ("activity", "forecast")]
    of_series = getattr(module, "forecast" if chapter == "outlook" else "activity", None)
    if chapter == "population_and_need":
        alone.append(importlib.import_module("cbs_analysis.chapters.paper_2006").paper_2006)
    return [*(make(opened) for make in alone), *(of_series(opened, name) for name in SERIES.get(chapter, ()))]


@pytest.mark.parametrize("chapter", ["population_and_need", "emergency_care", "planned_care", "outlook"])
@pytest.mark.parametrize("code", ["5C3", "SEL", "LON"])
def test_every_finding_says_period_source_and_comparators_and_groups_show_members(code: str, chapter: str) -> None:
    findings = [found for found in every(code, chapter) if isinstance(found, Finding)]
    assert findings
    for finding in findings:
        assert finding.statement.endswith(".")
        assert "nan" not in finding.statement
        assert finding.period
        assert finding.source
        if code != "5C3":
            assert finding.members is not None or finding.id.endswith("paper_2006"), finding.id
    repeated = [name for name, times in Counter(found.id for found in findings).items() if times > 1]
    assert repeated == []


@pytest.mark.parametrize("code", ["5QV", "Q36", "ENG"])
def test_the_england_edition_runs_on_parameters_and_reference_data_alone(code: str) -> None:
    found = every(code, "planned_care", "england-2011-12")
    assert len(found) == 9
    rate = next(finding for finding in found if finding.id == "planned_care.daycase_rate")
    assert isinstance(rate, Finding)
    assert rate.value is not None
    assert outlook.forecast(pack(code, "england-2011-12"), "nonelective").value is not None
