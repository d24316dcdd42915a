"""The areas most like a PCT: who they are, worked out again with the csv module, and what they are a comparator for."""

import math
import statistics
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from test_chapters import YEAR, activity, boroughs_of, emergency, pct_of_boroughs, residents, rows

from cbs_analysis import pack as packs
from cbs_analysis.chapters import (
    Pack,
    emergency_care,
    open_pack,
    planned_care,
    population_and_need,
    similar_areas,
)
from cbs_analysis.edition import SimilarAreas, load_edition
from cbs_analysis.errors import UserError
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.home import params_dir
from cbs_analysis.pack.checks import check_similar_areas
from cbs_analysis.pack.similar_areas import FEATURES, features
from cbs_analysis.stats import neighbours

MakeHome = Callable[..., Path]
FLAGGED = {"5A9", "5C1", "5C3", "5C4", "5C5"}


@cache
def pack(code: str, edition: str = "2011-12") -> Pack:
    return open_pack(code, edition)


def pcts() -> list[str]:
    return sorted(set(pct_of_boroughs().values()))


@cache
def by_hand() -> dict[str, list[float]]:
    """Six features of each PCT, from the published rows."""
    home = pct_of_boroughs()
    people = {code: [0] * 5 for code in pcts()}
    for row in rows("published/population_by_age"):
        if row["mid_year"] == "2010" and row["area_code"] in home:
            age, counted = int(row["age"]), int(row["persons"])
            wanted = (True, age <= 4, 20 <= age <= 34, age >= 65, age >= 85)
            for i, inside in enumerate(wanted):
                people[home[row["area_code"]]][i] += counted if inside else 0
    births = dict.fromkeys(people, 0)
    for row in rows("published/population_change"):
        if row["mid_year"] == "2010":
            births[home[row["borough_code"]]] += int(row["births"])
    ranks: dict[str, list[int]] = {code: [] for code in people}
    for row in rows("published/deprivation_lsoa"):
        ranks[home[row["borough_code"]]].append(int(row["imd_2010_rank"]))
    return {
        code: [
            *(100 * part / found[0] for part in found[1:]),
            1000 * births[code] / found[0],
            100 * sum(rank <= 32_482 / 5 for rank in ranks[code]) / len(ranks[code]),
        ]
        for code, found in people.items()
    }


def nearest_by_hand(code: str) -> list[tuple[float, str]]:
    found = by_hand()
    spread = [statistics.stdev(column) for column in zip(*found.values(), strict=True)]
    distance = {
        other: math.sqrt(sum(((a - b) / s) ** 2 for a, b, s in zip(found[code], found[other], spread, strict=True)))
        for other in found
        if other != code
    }
    return sorted((far, other) for other, far in distance.items())[:10]


@pytest.mark.parametrize("code", ["5LE", "5C3", "5M7", "TAK"])
def test_the_ten_are_the_nearest_in_six_standardised_features(code: str) -> None:
    found, wanted = pack(code).similar, nearest_by_hand(code)
    assert found is not None
    assert list(found.members) == [other for _, other in wanted]
    finding = population_and_need.similar_areas(pack(code))
    assert isinstance(finding, Finding) and finding.table is not None and finding.members is not None
    assert finding.table.frame["distance"].tolist() == pytest.approx([far for far, _ in wanted], rel=1e-9)
    names = [pack(code).geography.area(other).name for _, other in wanted]
    assert f"nearest first, {', '.join(names[:-1])} and {names[-1]}." in finding.statement
    assert finding.members.frame.iloc[0, 1:].tolist() == pytest.approx(by_hand()[code], rel=1e-9)
    assert finding.members.frame["area"].tolist()[1:11] == names


def test_each_features_part_is_its_share_of_the_squared_distance() -> None:
    finding = population_and_need.similar_areas(pack("5LE"))
    assert isinstance(finding, Finding) and finding.table is not None
    first = finding.table.frame.iloc[0]
    found = by_hand()
    spread = [statistics.stdev(column) for column in zip(*found.values(), strict=True)]
    squares = [((a - b) / s) ** 2 for a, b, s in zip(found["5LE"], found["5LD"], spread, strict=True)]
    assert first["area"] == "Lambeth"
    assert first.iloc[2:].tolist() == pytest.approx([100 * square / sum(squares) for square in squares], rel=1e-9)


def test_a_pct_is_held_against_sector_similar_london_and_england_in_that_order() -> None:
    assert [area.code for area in pack("5LE").comparators] == ["SEL", "similar-5LE", "LON", "ENG"]
    assert [area.code for area in pack("5LE").above] == ["SEL", "LON", "ENG"]
    assert [area.code for area in pack("SEL").comparators] == ["LON", "ENG"]
    assert [area.code for area in pack("LON").comparators] == ["ENG"]
    assert pack("5LE").headline == pack("5LE").geography.whole, "messages stay about London"


@pytest.mark.parametrize("code", ["5LE", "Q36", "ENG"])
def test_an_edition_without_features_has_no_similar_areas(code: str) -> None:
    opened = pack(code, "england-2011-12")
    assert opened.similar is None
    assert opened.comparators == opened.above


def similar_in(finding: Finding | Note) -> tuple[float | None, tuple[str, ...]]:
    assert isinstance(finding, Finding)
    found = next(item for item in finding.comparisons if item.comparator_code == "similar")
    assert found.comparator == "Similar PCTs"
    return found.value, found.comparator_members


def test_the_ten_are_added_and_divided_like_a_sector() -> None:
    value, members = similar_in(planned_care.activity(pack("5LE"), "gp_referrals"))
    referrals = sum(activity(code, "gp_referrals_made", YEAR) for code in members)
    assert len(members) == 10
    assert value == pytest.approx(1000 * referrals / sum(residents(code, 2010) for code in members), rel=1e-12)


def test_flagged_members_are_left_out_and_named() -> None:
    finding = emergency_care.admission_ratio(pack("5C9"))
    value, members = similar_in(finding)
    assert "5C3" in members
    parts = [emergency("2008/09", code) for code in members if code not in FLAGGED]
    assert value == pytest.approx(sum(part[0] for part in parts) / sum(part[1] for part in parts), rel=1e-12)
    assert any("the PCTs like it are without City and Hackney," in caveat for caveat in finding.caveats)


def test_what_does_not_add_up_has_no_value_for_the_ten() -> None:
    finding = population_and_need.life_expectancy_male(pack("5LE"))
    assert similar_in(finding)[0] is None
    assert any("South East London and the PCTs like it have no value here" in caveat for caveat in finding.caveats)


def test_every_finding_with_comparators_names_the_ten_in_its_data() -> None:
    data = planned_care.daycase_rate(pack("5LE")).to_json()
    members = {item["comparator_code"]: item["comparator_members"] for item in data["comparisons"]}
    assert members["similar"] == [code for _, code in nearest_by_hand("5LE")]
    assert members["SEL"] == members["LON"] == members["ENG"] == []


@pytest.mark.parametrize(("code", "count"), [("SEL", 6), ("LON", 31)])
def test_a_group_shows_each_members_nearest(code: str, count: int) -> None:
    finding = population_and_need.similar_areas(pack(code))
    assert isinstance(finding, Finding) and finding.members is not None
    frame = finding.members.frame.set_index("area")
    assert len(frame) == count
    names = [pack(code).geography.area(other).name for _, other in nearest_by_hand("5LE")]
    assert frame.loc["Southwark", "names"] == ", ".join(names)
    assert frame.loc["Southwark", "nearest"] == pytest.approx(nearest_by_hand("5LE")[0][0], rel=1e-9)
    assert "itself is held against the areas above it only" in finding.caveats[0]


def test_the_caveats_name_every_feature_and_what_likeness_is_not() -> None:
    finding = population_and_need.similar_areas(pack("5LE"))
    assert isinstance(finding, Finding)
    said = " ".join(finding.caveats)
    for words in ("aged 0 to 4", "85 and over", "births per 1,000", "most deprived fifth", "standard deviation"):
        assert words in said
    assert "Density is not among the features" in said
    assert "nothing of how services are run" in said


def test_a_pct_whose_figures_are_missing_is_no_choice_and_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packs, "_opened", {})  # shared with no other test
    opened = packs.open_pack("5LE", "2011-12")
    changes = opened.read("population_change")
    lambeth = (changes["borough_code"].isin(boroughs_of("5LD"))) & (changes["mid_year"] == 2010)
    opened._tables["population_change"] = changes.assign(births=changes["births"].astype(float).mask(lambeth))
    finding = similar_areas.similar_areas(opened)
    assert isinstance(finding, Finding)
    assert "Lambeth" not in finding.statement
    assert any("as figures are missing: Lambeth." in caveat for caveat in finding.caveats)
    opened.area = opened.geography.area("5LD")
    nothing = similar_areas.similar_areas(opened)
    assert isinstance(nothing, Note)
    assert "Nothing is said of areas like Lambeth" in nothing.text


def edition_home(make_home: MakeHome, **changed: object) -> Path:
    home = make_home(population_and_need=["1"])
    path = home / "params" / "editions" / "2011-12.yml"
    values = {**yaml.safe_load(path.read_text(encoding="utf-8")), **changed}
    path.write_text(yaml.safe_dump({key: value for key, value in values.items() if value is not None}), "utf-8")
    return home


def test_features_and_count_are_choices_of_the_edition(make_home: MakeHome) -> None:
    edition_home(make_home, similar_areas={"count": 3, "features": ["births_per_1000"]})
    found = open_pack("5LE", "2011-12").similar
    births = {code: values[4] for code, values in by_hand().items()}
    wanted = sorted((abs(value - births["5LE"]), code) for code, value in births.items() if code != "5LE")
    assert found is not None
    assert list(found.members) == [code for _, code in wanted[:3]]


def test_without_the_choice_there_is_no_such_comparator_and_the_cell_says_so(make_home: MakeHome) -> None:
    edition_home(make_home, similar_areas=None)
    opened = open_pack("5LE", "2011-12")
    assert opened.similar is None
    note = population_and_need.similar_areas(opened)
    assert isinstance(note, Note)
    assert note.text == "This edition has no comparison with similar areas."


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        ({"count": 0, "features": ["births_per_1000"]}, r"similar_areas\.count: .*greater than or equal to 1"),
        ({"count": 3, "features": []}, r"similar_areas\.features: .*at least 1 item"),
        ({"count": 3, "features": ["births"]}, "'births' is not a feature; nearest: births_per_1000"),
        (
            {"count": 3, "features": ["births_per_1000"] * 2},
            "'births_per_1000' is duplicated; each feature belongs once",
        ),
        ({"size": 3}, r"unknown key 'similar_areas\.size'"),
    ],
)
def test_a_wrong_choice_is_named(make_home: MakeHome, choice: dict[str, object], says: str) -> None:
    edition_home(make_home, similar_areas=choice)
    with pytest.raises(UserError, match=says):
        open_pack("5LE", "2011-12")


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (
            {"count": 3, "features": ["births"]},
            "params/editions/2011-12.yml: similar_areas: features: 'births' is not a feature; nearest: births_per_1000",
        ),
        (
            {"count": 30, "features": ["births_per_1000"]},
            "params/editions/2011-12.yml: similar_areas: count: 30 is as many as all others or more: geography "
            "sector_2009 has 31 areas at its lowest level, so choose at most 29",
        ),
    ],
)
def test_a_choice_that_does_not_fit_is_refused_before_anything_runs(choice: dict[str, object], says: str) -> None:
    edition = load_edition("2011-12", params_dir())
    wrong = edition.model_copy(update={"similar_areas": SimilarAreas.model_validate(choice)})
    with pytest.raises(UserError) as caught:
        check_similar_areas(wrong, pack("LON").geography)
    assert str(caught.value) == says


def test_every_feature_that_an_edition_may_name_can_be_worked_out() -> None:
    chosen = SimilarAreas(count=10, features=tuple(FEATURES))
    frame = features(pack("5LE"), chosen).loc[pcts()]
    assert frame.notna().all(axis=None)
    assert list(frame.columns) == list(FEATURES)
    assert len(neighbours.similar_areas(frame, "5LE", chosen.count)) == 10


def test_the_same_pack_is_made_twice_alike() -> None:
    def once() -> Iterator[object]:
        opened = open_pack("5C4", "2011-12")
        yield opened.similar
        yield planned_care.daycase_rate(opened).to_json()["comparisons"]

    assert list(once()) == list(once())
