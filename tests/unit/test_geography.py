"""Areas, their trees, and how counts of leaves add up."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.geography import load_geography
from cbs_analysis.home import data_dir

DATA = data_dir()
LONDON = load_geography("sector_2009", DATA)


@pytest.mark.parametrize(
    ("name", "sectors", "leaves"), [("turnberg_2006", 5, 31), ("sector_2009", 6, 31), ("sha_2010", 10, 151)]
)
def test_each_geography_has_the_groups_and_leaves_it_is_known_for(name: str, sectors: int, leaves: int) -> None:
    geography = load_geography(name, DATA)
    assert len(geography.area(geography.whole.code).members) == sectors
    assert len(geography.leaves(geography.whole.code)) == leaves
    assert len(geography.areas) == sectors + leaves + 1


def test_south_east_london_has_the_six_pcts_of_the_2010_paper() -> None:
    names = {LONDON.area(code).name for code in LONDON.leaves("SEL")}
    assert names == {"Bexley", "Bromley", "Greenwich", "Lambeth", "Lewisham", "Southwark"}


def test_a_pct_is_held_against_its_sector_london_and_england_in_that_order() -> None:
    assert [area.code for area in LONDON.comparators("5LE")] == ["SEL", "LON", "ENG"]
    assert [area.code for area in LONDON.comparators("SEL")] == ["LON", "ENG"]
    assert [area.code for area in LONDON.comparators("LON")] == ["ENG"]


def test_england_as_the_whole_has_nothing_above_it() -> None:
    england = load_geography("sha_2010", DATA)
    assert england.comparators("ENG") == ()
    assert [area.code for area in england.comparators("5LE")] == ["Q36", "ENG"]
    assert england.levels == ("pct", "sha", "england")


@pytest.mark.parametrize(
    ("said", "nearest"),
    [
        ("Southwark", r"nearest: 5LE \(Southwark\)"),
        ("southwerk", r"nearest: 5LE \(Southwark\)"),
        ("5le", r"nearest: 5LE \(Southwark\)"),
        ("LON5", r"nearest: LON \(London\)"),
        ("XYZ", "cbs areas lists the codes, such as "),
    ],
)
def test_a_name_or_a_wrong_code_leads_to_the_code_that_was_meant(said, nearest):
    with pytest.raises(UserError, match=f"area: '{said}' is no area's code in geography sector_2009; .*{nearest}"):
        LONDON.area(said)


def test_an_unknown_area_is_told_the_nearest_code() -> None:
    with pytest.raises(UserError, match=r"'5LX'.*5L"):
        LONDON.area("5LX")


def test_an_unknown_geography_is_told_the_nearest_name() -> None:
    with pytest.raises(UserError, match=r"'sector_2010'.*sector_2009"):
        load_geography("sector_2010", DATA)


leaf_counts = st.lists(st.integers(0, 10_000), min_size=31, max_size=31)


@given(leaf_counts)
def test_sector_totals_add_up_to_the_whole_and_each_leaf_is_in_one_sector(counts: list[int]) -> None:
    frame = pd.DataFrame({"area_code": LONDON.leaves("LON"), "events": counts})
    totals = LONDON.roll_up(frame, [], ["events"]).set_index("area_code")["events"]
    assert totals["LON"] == sum(counts)
    assert sum(totals[code] for code in LONDON.area("LON").members) == totals["LON"]
    assert list(totals[list(LONDON.leaves("LON"))]) == counts


@given(leaf_counts, st.integers(0, 30), st.booleans())
def test_a_missing_leaf_leaves_a_gap_in_every_area_it_belongs_to(counts: list[int], place: int, drop: bool) -> None:
    frame = pd.DataFrame({"area_code": LONDON.leaves("LON"), "events": [float(count) for count in counts]})
    gone = frame["area_code"][place]
    frame = frame.drop(index=place) if drop else frame.assign(events=frame["events"].where(frame.index != place))
    totals = LONDON.roll_up(frame, [], ["events"]).set_index("area_code")["events"].reindex(LONDON.areas)
    for code in LONDON.areas:
        assert totals.isna()[code] == (gone in LONDON.leaves(code))


def test_leaves_left_out_are_left_out_of_every_group() -> None:
    frame = pd.DataFrame({"area_code": LONDON.leaves("LON"), "events": 1.0})
    totals = LONDON.roll_up(frame, [], ["events"], without=["5LE", "5A9"]).set_index("area_code")["events"]
    assert totals["LON"] == 29
    assert totals["SEL"] == 5
    assert "5LE" not in totals.index


def _changed(tmp_path: Path, change: dict[str, str], where: str) -> Path:
    folder = tmp_path / "reference"
    folder.mkdir()
    for table in ("areas", "geographies", "geography_names"):
        (folder / f"{table}.csv").write_text((DATA / "reference" / f"{table}.csv").read_text())
    with (folder / "geographies.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        if row["geography"] == "sector_2009" and row["area_code"] == where:
            row.update(change)
    with (folder / "geographies.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


@pytest.mark.parametrize(
    ("change", "where", "says"),
    [
        ({"parent_code": "SEX"}, "5LE", "parent 'SEX' of '5LE' is not in the geography; nearest: SEL"),
        ({"parent_code": ""}, "SEL", "one area must have no parent, 2 have none"),
        ({"area_code": "5LF"}, "5LE", "stands twice"),
        ({"area_code": "5XX"}, "5LE", "'5XX' is not in reference/areas.csv"),
        ({"parent_code": "SEL"}, "SEL", "lies in itself"),
    ],
)
def test_a_broken_tree_is_refused_with_the_place_and_the_reason(
    tmp_path: Path, change: dict[str, str], where: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        load_geography("sector_2009", _changed(tmp_path, change, where))
