"""What the feeds promise of good figures: gaps stay gaps, known differences are kept, successors fold in."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbs_analysis.edition import load_edition, load_indicators, load_series
from cbs_analysis.geography import Area, Geography, Succession, load_geography
from cbs_analysis.home import params_dir
from cbs_analysis.pack import Pack
from cbs_analysis.pack.series import STEP, counted_columns, counts, every_leaf
from cbs_analysis.tables import check_tables, read, table_descriptions
from cbs_analysis.tables.schema_checks import CheckResult

PUBLISHED = Path(__file__).resolve().parents[2] / "data"
TABLE = "monthly_activity_return"
ACTIVITY = f"published/{TABLE}.csv"
SUM_OF_PARTS = "equals the sum of its parts"


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return read(TABLE, PUBLISHED)


@pytest.fixture(scope="module")
def results() -> list[CheckResult]:
    return check_tables(PUBLISHED)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PUBLISHED, tmp_path / "data"))


def england(data: Path, geography: Geography | None = None) -> Pack:
    """The pack of the whole of England, or of another geography, that reads tables of this folder."""
    edition, tree = load_edition("england-2011-12", params_dir()), geography or load_geography("sha_2010", data)
    series = load_series(params_dir(), edition)
    return Pack(tree.whole, edition, tree, load_indicators(params_dir(), edition), series, data)


def leaves(data: Path) -> pd.DataFrame:
    return every_leaf(england(data), TABLE).set_index(["area_code", STEP])


def without(data: Path, start: str) -> None:
    path = data / ACTIVITY
    kept = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith(start)]
    path.write_text("".join(kept))


def result_for(data: Path, rule: str, table: str = TABLE) -> CheckResult:
    [found] = [result for result in check_tables(data, [table]) if result.table == table and rule in result.rule]
    return found


def test_the_shipped_figures_fail_no_check(results: list[CheckResult]) -> None:
    assert [result for result in results if result.status == "failed"] == []
    assert {result.table for result in results} == {about.table for about in table_descriptions(PUBLISHED)}


def test_thirty_two_elective_totals_are_reported_and_kept(results: list[CheckResult]) -> None:
    [elective] = [result for result in results if result.rule.startswith("elective_total_admissions is")]
    assert elective.status == "known difference"
    assert len(elective.rows) == 32
    assert "2010-04 ENG: elective_total_admissions is 557,340, its parts 557,431" in elective.rows


def test_every_authority_is_checked_against_its_pcts(results: list[CheckResult]) -> None:
    sums = [result for result in results if result.table == TABLE and SUM_OF_PARTS in result.rule]
    authorities = [result for result in sums if "(Q3" in result.rule]
    assert len(authorities) == 10
    assert len(sums) == 11, "the ten, and England"
    [london] = [result for result in authorities if "(Q36)" in result.rule]
    assert london.status == "passed"
    assert london.found.startswith("31 parts, 528 totals")
    [midlands] = [result for result in authorities if result.status != "passed"]
    assert midlands.status == "known difference"
    assert len(midlands.rows) == 3


def test_the_column_dropped_by_the_publisher_is_a_gap_and_not_zero(
    shipped: pd.DataFrame, results: list[CheckResult]
) -> None:
    late = shipped["month"] >= "2010-04"
    assert shipped.loc[late, "istc_admissions"].isna().all()
    assert shipped.loc[~late, "istc_admissions"].notna().all()
    [gap] = [result for result in results if result.table == TABLE and result.rule == "every cell is filled"]
    assert gap.status == "gap"
    assert gap.rows[0] == "2010-04: istc_admissions is empty for every area"


def test_the_city_of_london_has_no_life_expectancy(results: list[CheckResult]) -> None:
    [gap] = [each for each in results if each.table == "life_expectancy" and each.status == "gap"]
    assert len(gap.rows) == 16
    assert all(row.startswith("E09000001 ") for row in gap.rows)


def test_an_absent_month_of_one_pct_is_a_gap_and_no_error(data: Path) -> None:
    without(data, "2009-07,pct,5LE,")
    months = result_for(data, "a row in every month")
    assert (months.status, months.rows) == ("gap", ("2009-07 5LE: no row",))
    leaf = leaves(data)
    gap = leaf.loc[("5LE", pd.Timestamp("2009-07-01"))]
    assert gap.isna().all()
    assert leaf["nonelective_admissions"].isna().sum() == 1


def test_an_absent_month_of_every_organisation_is_one_gap(data: Path) -> None:
    without(data, "2009-07,")
    months = result_for(data, "a row in every month")
    assert (months.status, months.rows) == ("gap", ("2009-07: no row of any area",))
    every = counts(england(data), TABLE).set_index("area_code")
    for code in ("Q36", "ENG", "5LE"):
        assert len(every.loc[code]) == 36
        assert every.loc[code, "gp_referrals_made"].isna().sum() == 1


def test_an_absent_month_of_one_predecessor_is_a_gap_in_its_successor(data: Path) -> None:
    without(data, "2009-07,pct,5P3,")
    leaf = leaves(data)
    assert leaf.loc[("5QV", pd.Timestamp("2009-07-01"))].isna().all()
    assert leaf.loc[("5QV", pd.Timestamp("2009-06-01")), "nonelective_admissions"] > 0


def test_an_empty_cell_is_a_gap_and_its_totals_are_left_unchecked(data: Path) -> None:
    path = data / ACTIVITY
    lines = path.read_text().splitlines(keepends=True)
    [number] = [number for number, line in enumerate(lines) if line.startswith("2009-07,pct,5LE,")]
    cells = lines[number].split(",")
    cells[lines[0].split(",").index("nonelective_admissions")] = ""
    lines[number] = ",".join(cells)
    path.write_text("".join(lines))
    assert "2009-07 5LE: nonelective_admissions is empty" in result_for(data, "every cell is filled").rows
    assert result_for(data, f"(Q36) {SUM_OF_PARTS}").status == "passed"
    leaf = leaves(data)
    assert leaf["nonelective_admissions"].isna().sum() == 1
    assert leaf["gp_referrals_made"].notna().all()


@pytest.mark.parametrize("start", ["2010-09,national", "2009-07,sha,Q36,", "2009-07,england,", "2011-03,pct,5LE,"])
def test_any_absent_row_is_a_gap_and_no_error(data: Path, start: str) -> None:
    without(data, start)
    months = result_for(data, "a row in every month")
    assert months.status == "gap"
    assert len(months.rows) == 1


def test_a_return_of_london_alone_can_be_read(data: Path) -> None:
    path = data / ACTIVITY
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *(line for line in lines if ",Q36," in line)]))
    assert set(read(TABLE, data)["org_type"]) == {"pct", "sha"}
    assert result_for(data, SUM_OF_PARTS).status == "passed"


def test_today_has_151_pcts_with_every_month() -> None:
    leaf = every_leaf(england(PUBLISHED), TABLE)
    assert leaf["area_code"].nunique() == 151
    assert len(leaf) == 151 * 36
    assert leaf.drop(columns="istc_admissions").notna().all(axis=None)


def test_months_are_dates_and_measures_numbers(shipped: pd.DataFrame) -> None:
    columns = counted_columns(england(PUBLISHED), TABLE)
    assert str(shipped["month"].dtype).startswith("datetime64")
    assert {str(shipped[column].dtype) for column in columns} == {"float64"}
    assert len(columns) == 15


def test_every_table_carries_what_a_citation_needs() -> None:
    for about in table_descriptions(PUBLISHED):
        assert all((about.title, about.publisher, about.period, about.geography, about.licence))
    published = [about for about in table_descriptions(PUBLISHED) if about.path.startswith("published/")]
    assert len(published) == 10
    assert all(about.caveats for about in published)


def test_a_rule_that_is_not_one_is_named_with_the_nearest(data: Path) -> None:
    path = data / "datapackage.json"
    path.write_text(path.read_text().replace('"every_cell"', '"every_cells"'))
    [failed] = [result for result in check_tables(data, [TABLE]) if result.status == "failed"]
    assert failed.found == (
        "data/datapackage.json, monthly_activity_return: checks: 'every_cells' is not a rule; "
        "nearest: every_cell, every_step, every_combination"
    )


def test_a_rule_about_a_column_that_is_not_there_is_named(data: Path) -> None:
    path = data / "datapackage.json"
    path.write_text(path.read_text().replace('"total": "elective_total_admissions"', '"totals": "x"'))
    [failed] = [result for result in check_tables(data, [TABLE]) if result.status == "failed"]
    assert failed.found.startswith("data/datapackage.json, monthly_activity_return: checks: sum_of_columns: ")
    assert "totals" in failed.found


COUNTED = counted_columns(england(PUBLISHED), TABLE)
COUNTS = st.lists(st.integers(0, 5_000), min_size=3, max_size=3)


@settings(max_examples=40, deadline=None)
@given(before=COUNTS, after=st.integers(0, 5_000))
def test_folding_predecessors_in_neither_loses_nor_adds_activity(before: list[int], after: int) -> None:
    months = pd.to_datetime(["2010-03-01"] * 3 + ["2010-04-01"])
    frame = pd.DataFrame(
        {
            "month": months,
            "org_type": "pct",
            "org_code": ["A", "B", "C", "N"],
            "org_name": "",
            "sha_code": "Q36",
        }
    ).assign(**dict.fromkeys(COUNTED, 0.0))
    frame["nonelective_admissions"] = [float(n) for n in (*before, after)]
    became = tuple(Succession(code, "N", pd.Timestamp("2010-04-01")) for code in "AB")
    tree = Geography("made_up", "Made up", 2010, "", {"ENG": Area("ENG", "Whole", "nation", members=("C", "N")),
                     "C": Area("C", "C", "pct", "ENG", kind="pct"), "N": Area("N", "N", "pct", "ENG", kind="pct")},
                     successions=became, kinds=dict.fromkeys("ABCN", "pct"))  # fmt: skip
    pack = england(PUBLISHED, tree)
    pack._tables[TABLE] = frame
    leaf = every_leaf(pack, TABLE).set_index(["area_code", STEP])["nonelective_admissions"]
    assert leaf[("N", pd.Timestamp("2010-03-01"))] == before[0] + before[1]
    assert leaf.sum() == sum(before) + after


@settings(max_examples=25, deadline=None)
@given(numbers=st.lists(st.integers(0, 10**9), min_size=91, max_size=91))
def test_a_written_number_is_read_as_it_stands(numbers: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("written") / "data"
    for name in ("datapackage.json", "reference/areas.csv", "reference/area_kinds.csv"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PUBLISHED / name, data / name)
    (data / "published").mkdir()
    rows = "".join(f"E09000028,2010,{age},{number}\n" for age, number in enumerate(numbers))
    (data / "published/population_by_age.csv").write_text(f"area_code,mid_year,age,persons\n{rows}")
    assert read("population_by_age", data)["persons"].tolist() == numbers
