"""Areas, their trees, and how counts of leaves add up."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.geography import SIMILAR, Area, load_geography, similar_code
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
    assert england.levels == ("pct", "sha", "nation")


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
    with pytest.raises(UserError, match=f"area: '{said}' is not an area code in geography sector_2009; .*{nearest}"):
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
    for table in ("area_kinds", "areas", "geographies", "geography_names"):
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
        ({"area_code": "5LF"}, "5LE", "area_code '5LF' is duplicated; each area belongs once"),
        ({"area_code": "5XX"}, "5LE", "'5XX' is not in data/reference/areas.csv"),
        ({"parent_code": "SEL"}, "SEL", "lies in itself"),
    ],
)
def test_a_broken_tree_is_refused_with_the_place_and_the_reason(
    tmp_path: Path, change: dict[str, str], where: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        load_geography("sector_2009", _changed(tmp_path, change, where))


def write_reference(folder: Path, **tables: str) -> Path:
    """Reference tables of a made-up place: two districts in one system, made of wards; `tables` replace their rows."""
    files = {
        "area_kinds": "kind,name,plural_name\nauthority,local authority,local authorities\nward,ward,wards\n"
        "parish,parish,parishes\nsystem,system,systems\nnation,nation,nations",
        "areas": "area_code,area_name,kind,organisation_name,tile_column,tile_row\nA,Ashby,authority,,,\n"
        "B,Byfield,authority,,,\nOLD,Old Byfield,authority,,,\nW1,Ward one,ward,,,\nW2,Ward two,ward,,,\n"
        "W3,Ward three,ward,,,\nP1,Parish one,parish,,,\nP2,Parish two,parish,,,\n"
        "S,System,system,,,\nN,Nation,nation,,,",
        "geographies": "geography,area_code,level,parent_code\nmain,A,authority,S\nmain,B,authority,S\nmain,S,system,",
        "geography_names": "geography,title,year,nation_code,note\nmain,Main,2024,N,Made up.",
        "area_parts": "part_code,area_code,weight\nW1,A,1\nW2,A,0.25\nW2,B,0.75\nW3,B,1\nP1,A,1\nP2,B,1",
        "area_successions": "predecessor_code,successor_code,from_month\nOLD,B,2020-04",
    } | tables
    (folder / "reference").mkdir()
    for name, text in files.items():
        (folder / "reference" / f"{name}.csv").write_text(f"{text}\n", encoding="utf-8")
    return folder


def test_an_area_split_between_two_counts_by_its_weight_in_each(tmp_path: Path) -> None:
    geography = load_geography("main", write_reference(tmp_path))
    found = geography.leaf_counts(pd.Series({"W1": 100.0, "W2": 40.0, "W3": 10.0}))
    assert found[["A", "B"]].tolist() == [100 + 0.25 * 40, 0.75 * 40 + 10]
    assert pd.isna(found["N"]), "nothing is published for the nation"
    assert found.index.name == "area_code"


def test_a_missing_part_leaves_a_gap_in_every_area_it_is_part_of(tmp_path: Path) -> None:
    geography = load_geography("main", write_reference(tmp_path))
    assert geography.leaf_counts(pd.Series({"W1": 100.0, "W3": 10.0}))[["A", "B"]].isna().all()
    only_b = geography.leaf_counts(pd.Series({"W1": 100.0, "W2": 40.0}))
    assert only_b["A"] == 110 and pd.isna(only_b["B"])
    empty = geography.leaf_counts(pd.Series({"W1": 100.0, "W2": 40.0, "W3": float("nan")}))
    assert empty["A"] == 110 and pd.isna(empty["B"])


def test_an_areas_own_count_stands_before_its_parts_even_where_it_is_missing(tmp_path: Path) -> None:
    geography = load_geography("main", write_reference(tmp_path))
    parts = {"W1": 100.0, "W2": 40.0, "W3": 10.0}
    own = geography.leaf_counts(pd.Series({**parts, "A": 7.0}))
    assert own[["A", "B"]].tolist() == [7, 40]
    assert pd.isna(geography.leaf_counts(pd.Series({**parts, "A": float("nan")}))["A"])
    assert geography.leaf_counts(pd.Series({**parts, "N": 999.0}))["N"] == 999


def test_parts_of_a_kind_that_a_table_does_not_hold_are_not_missed(tmp_path: Path) -> None:
    """Wards and parishes are both parts: a table of one of the two is whole."""
    geography = load_geography("main", write_reference(tmp_path))
    assert geography.leaf_counts(pd.Series({"P1": 5.0, "P2": 6.0}))[["A", "B"]].tolist() == [5, 6]
    assert geography.parts_of("A") == ("W1", "W2", "P1")
    assert geography.parts_of("S", "parish") == ("P1", "P2")
    assert geography.parts_of("S", "ward") == ("W1", "W2", "W3")


def test_a_value_that_does_not_add_up_is_that_of_an_only_part(tmp_path: Path) -> None:
    geography = load_geography("main", write_reference(tmp_path))
    assert geography.published_code("A", ["A", "W1", "W2"]) == "A"
    assert geography.published_code("A", ["W1", "W3"]) == "W1", "its only part with a value, and wholly its own"
    assert geography.published_code("A", ["P1", "P2"]) == "P1"
    assert geography.published_code("A", ["W1", "W2"]) == "", "two parts: neither is the area"
    assert geography.published_code("A", ["W2"]) == "", "a part shared with another is not the area"
    assert geography.published_code("S", ["W1", "P1"]) == ""


def test_an_area_that_became_another_is_known_with_its_month(tmp_path: Path) -> None:
    [succession] = load_geography("main", write_reference(tmp_path)).successions
    assert (succession.predecessor, succession.successor) == ("OLD", "B")
    assert succession.since == pd.Timestamp("2020-04-01")


def test_a_nation_beyond_the_tree_is_a_comparator_and_has_no_leaves_here(tmp_path: Path) -> None:
    geography = load_geography("main", write_reference(tmp_path))
    assert geography.is_beyond("N") and geography.is_nation("N") and not geography.is_beyond("S")
    assert geography.leaves("N") == ()
    assert [area.code for area in geography.comparators("A")] == ["S", "N"]
    assert [area.code for area in geography.comparators("S")] == ["N"]
    assert geography.nation_codes == ["N"]


def test_without_a_nation_nothing_is_compared_with_one(tmp_path: Path) -> None:
    names = "geography,title,year,nation_code,note\nmain,Main,2024,,Made up."
    geography = load_geography("main", write_reference(tmp_path, geography_names=names))
    assert geography.nation is None and geography.nation_codes == []
    assert not geography.is_nation("N") and not geography.is_beyond("N")
    assert [area.code for area in geography.comparators("A")] == ["S"]
    assert geography.comparators("S") == ()
    assert geography.leaf_counts(pd.Series({"P1": 5.0, "P2": 6.0})).to_dict() == {"A": 5, "B": 6}


def test_a_nation_at_the_top_is_the_whole_and_is_compared_with_nobody(tmp_path: Path) -> None:
    names = "geography,title,year,nation_code,note\nmain,Main,2024,S,Made up."
    geography = load_geography("main", write_reference(tmp_path, geography_names=names))
    assert geography.nation is geography.whole
    assert geography.is_nation("S") and not geography.is_beyond("S")
    assert geography.leaves("S") == ("A", "B")
    assert [area.code for area in geography.comparators("A")] == ["S"]
    assert geography.comparators("S") == ()


def test_a_nation_that_is_not_an_area_is_refused_with_the_nearest(tmp_path: Path) -> None:
    names = "geography,title,year,nation_code,note\nmain,Main,2024,W11,Made up."
    with pytest.raises(
        DataError, match=r"data/reference/geography_names.csv: nation_code 'W11' is not in .*nearest: W1"
    ):
        load_geography("main", write_reference(tmp_path, geography_names=names))


def test_groups_of_similar_areas_are_comparators_and_no_areas_of_the_tree(tmp_path: Path) -> None:
    group = Area("similar-A", "Similar authorities", SIMILAR, "S", ("B",))
    plain = load_geography("main", write_reference(tmp_path))
    geography = plain.with_groups([group])
    assert similar_code("A") == "similar-A"
    assert [area.code for area in geography.comparators("A")] == ["similar-A", "S", "N"]
    assert [area.code for area in geography.comparators("B")] == ["S", "N"]
    assert geography.area("similar-A") is group and "similar-A" not in geography.areas
    assert geography.leaves("similar-A") == ("B",)
    frame = pd.DataFrame({"area_code": ["A", "B"], "events": [3.0, 4.0]})
    totals = geography.roll_up(frame, [], ["events"]).set_index("area_code")["events"]
    assert totals.to_dict() == {"A": 3, "B": 4, "S": 7, "similar-A": 4}
    assert plain.groups == {}, "the geography that it was made from is as it was"


def test_a_level_has_its_own_words_for_one_and_for_several(tmp_path: Path) -> None:
    geography = load_geography("main", write_reference(tmp_path))
    assert [geography.area("A").levels(count) for count in (1, 2, 0)] == [
        "local authority", "local authorities", "local authorities"
    ]  # fmt: skip
    assert geography.kind_words["parish"] == ("parish", "parishes")
    assert geography.area("S").levels() == "systems"


@pytest.mark.parametrize("is_there", [True, False])
def test_tables_of_parts_and_successions_may_be_empty_or_absent(tmp_path: Path, is_there: bool) -> None:
    folder = write_reference(
        tmp_path, area_parts="part_code,area_code,weight", area_successions="predecessor_code,successor_code,from_month"
    )
    if not is_there:
        for name in ("area_parts", "area_successions"):
            (folder / "reference" / f"{name}.csv").unlink()
    geography = load_geography("main", folder)
    assert geography.successions == () and geography.parts_of("S") == ()
    assert geography.leaf_counts(pd.Series({"A": 1.0, "B": 2.0}))[["A", "B"]].tolist() == [1, 2]
    assert geography.published_code("A", ["B"]) == ""


@pytest.mark.parametrize("table", ["areas", "area_kinds", "geographies", "geography_names"])
def test_a_table_that_every_geography_needs_is_named_where_it_is_missing(tmp_path: Path, table: str) -> None:
    (write_reference(tmp_path) / "reference" / f"{table}.csv").unlink()
    with pytest.raises(DataError, match=f"^data/reference/{table}.csv is missing$"):
        load_geography("main", tmp_path)


def test_a_level_without_words_is_refused(tmp_path: Path) -> None:
    tree = "geography,area_code,level,parent_code\nmain,A,authorities,S\nmain,S,system,"
    with pytest.raises(DataError, match=r"level 'authorities' of 'A' is not in .*area_kinds.csv; nearest: authority"):
        load_geography("main", write_reference(tmp_path, geographies=tree))
