"""Known figures, worked out from the published files by plain reading, against what the feeds give.

The expected numbers were printed by the publishers, or follow from their files by plain addition.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from cbs_analysis import tables
from cbs_analysis.chapters import Pack, open_pack
from cbs_analysis.geography import load_geography
from cbs_analysis.pack.measures import people_by_age
from cbs_analysis.pack.series import STEP, counts, every_leaf

DATA = Path(__file__).resolve().parents[2] / "data"
ACTIVITY = "monthly_activity_return"


@pytest.fixture(scope="module")
def london() -> Pack:
    return open_pack("LON", "2011-12")


def rows(name: str, **wanted: str) -> Iterator[dict[str, str]]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if all(row[column] == value for column, value in wanted.items()):
                yield row


def test_london_had_7812161_residents_in_mid_2008(london: Pack) -> None:
    boroughs = {row["area_code"] for row in rows("reference/areas", kind="borough")}
    by_hand = sum(
        int(row["persons"])
        for row in rows("published/population_by_age", mid_year="2008")
        if row["area_code"] in boroughs
    )
    frame = tables.read("population_by_age", DATA)
    read = frame[(frame["mid_year"] == 2008) & frame["area_code"].isin(boroughs)]["persons"].sum()
    assert by_hand == read == people_by_age(london, 2008)["LON"] == 7_812_161


def test_havering_had_1593_non_elective_admissions_in_april_2008(london: Pack) -> None:
    [by_hand] = rows("published/monthly_activity_return", month="2008-04", org_code="5A4")
    leaf = every_leaf(london, ACTIVITY)
    read = leaf[(leaf["area_code"] == "5A4") & (leaf[STEP] == "2008-04-01")]["nonelective_admissions"].item()
    assert int(by_hand["nonelective_admissions"]) == read == 1_593


def test_london_had_546788_emergency_admissions_in_2008_09_against_632555_expected() -> None:
    [by_hand] = rows("published/emergency_admissions", financial_year="2008/09", area_code="E12000007")
    frame = tables.read("emergency_admissions", DATA).set_index(["financial_year", "area_code"])
    read = frame.loc[("2008/09", "E12000007")]
    assert int(by_hand["admissions_observed"]) == read["admissions_observed"] == 546_788
    assert float(by_hand["admissions_expected"]) == read["admissions_expected"] == 632_555.37
    assert round(read["admissions_observed"] / read["admissions_expected"], 3) == 0.864


def test_england_is_its_own_standard_in_2008_09_only() -> None:
    frame = tables.read("emergency_admissions", DATA)
    england = frame[frame["area_code"] == "E92000001"]
    ratio = (england["admissions_observed"] / england["admissions_expected"]).set_axis(england["financial_year"])
    assert ratio["2008/09"] == 1
    assert (ratio.drop("2008/09") < 1).all()


def test_the_return_and_the_standardised_table_do_not_agree_for_london(london: Pack) -> None:
    months = [f"2008-{month:02d}" for month in range(4, 13)] + ["2009-01", "2009-02", "2009-03"]
    by_hand = sum(
        int(row["nonelective_admissions"])
        for row in rows("published/monthly_activity_return", org_type="pct", sha_code="Q36")
        if row["month"] in months
    )
    frame = tables.read(ACTIVITY, DATA)
    published = frame[(frame["org_code"] == "Q36") & frame["month"].between("2008-04-01", "2009-03-01")]
    added = counts(london, ACTIVITY)
    added = added[(added["area_code"] == "LON") & added[STEP].between("2008-04-01", "2009-03-01")]
    read = published["nonelective_admissions"].sum()
    assert by_hand == read == added["nonelective_admissions"].sum() == 679_842


@pytest.mark.parametrize(
    ("successor", "predecessors"), [("5QV", ("5P3", "5P4")), ("TAP", ("5CC",))], ids=["merged", "renamed"]
)
def test_a_successor_has_the_sum_of_its_predecessors(
    london: Pack, successor: str, predecessors: tuple[str, ...]
) -> None:
    by_hand = sum(
        int(row["gp_referrals_made"])
        for code in (successor, *predecessors)
        for row in rows("published/monthly_activity_return", org_code=code)
    )
    leaf = every_leaf(london, ACTIVITY)
    history = leaf[leaf["area_code"] == successor]
    assert len(history) == 36
    assert history["gp_referrals_made"].sum() == by_hand


def test_hackney_and_the_city_are_one_pct_and_sutton_and_merton_another() -> None:
    twos = {"5C3": {"City of London", "Hackney"}, "5M7": {"Sutton", "Merton"}}
    geography = load_geography("sector_2009", DATA)
    for pct, names in twos.items():
        assert {geography.names[code] for code in geography.parts_of(pct, "borough")} == names
    boroughs = geography.parts[geography.parts["part_code"].map(geography.kinds) == "borough"]
    assert len(boroughs) == 33
    assert boroughs["area_code"].nunique() == 31
    assert (boroughs["weight"] == 1).all()
    assert set(geography.parts_of("LON", "borough")) == set(boroughs["part_code"])


def test_the_activity_return_has_one_row_for_each_month_and_organisation() -> None:
    keys = [(row["month"], row["org_code"]) for row in rows("published/monthly_activity_return")]
    assert len(keys) == len(set(keys)) == 24 * (152 + 10 + 1) + 12 * (151 + 10 + 1 + 1)


def test_the_smaller_tables_hold_what_their_publishers_printed() -> None:
    change = tables.read("population_change", DATA).set_index(["borough_code", "mid_year"])
    assert change.loc[("E09000002", 2002), "internal_net_migration"] == -1_206
    years = tables.read("life_expectancy", DATA).set_index(["area_code", "sex", "period"])["life_expectancy_years"]
    assert years[("E09000002", "female", "2001-2003")] == 79.3304232079286
    lsoas = tables.read("deprivation_lsoa", DATA).set_index("lsoa_2001_code")
    assert len(lsoas) == 4_765
    assert lsoas.loc["E01000005", ["imd_2010_score", "imd_2010_rank"]].tolist() == [21.36, 12_978]
    paper = tables.read("commissioning_paper_2006", DATA).set_index(["measure", "area_name"])["value"]
    assert paper[("premature deaths from circulatory diseases", "Tower Hamlets")] == 161
