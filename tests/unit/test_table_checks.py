"""What the feeds promise of good figures: gaps stay gaps, known differences are kept, successors fold in."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbs_analysis import tables as sources
from cbs_analysis.errors import DataError
from cbs_analysis.tables import activity, life_expectancy, population, reference
from cbs_analysis.tables.schema_checks import CheckResult

PUBLISHED = Path(__file__).resolve().parents[2] / "data"
ACTIVITY = "published/monthly_activity_return.csv"


@pytest.fixture(scope="module")
def shipped() -> pd.DataFrame:
    return activity.read(PUBLISHED)


@pytest.fixture(scope="module")
def results() -> list[CheckResult]:
    return sources.check_all(PUBLISHED)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PUBLISHED, tmp_path / "data"))


def without(data: Path, start: str) -> None:
    path = data / ACTIVITY
    kept = [line for line in path.read_text().splitlines(keepends=True) if not line.startswith(start)]
    path.write_text("".join(kept))


def result_for(frame: pd.DataFrame, data: Path, rule: str) -> CheckResult:
    [found] = [result for result in activity.checks(frame, data) if rule in result.rule]
    return found


def test_the_shipped_figures_fail_no_check(results: list[CheckResult]) -> None:
    assert [result for result in results if result.status == "failed"] == []
    assert {result.table for result in results} == {described.table for described in sources.sources(PUBLISHED)}


def test_thirty_two_elective_totals_are_reported_and_kept(results: list[CheckResult]) -> None:
    [elective] = [result for result in results if result.rule.startswith("elective_total_admissions is")]
    assert elective.status == "known difference"
    assert len(elective.rows) == 32
    assert "2010-04 ENG: elective_total_admissions is 557,340, its parts 557,431" in elective.rows


def test_every_authority_is_checked_against_its_pcts(results: list[CheckResult]) -> None:
    authorities = [result for result in results if activity.SUM_OF_PCTS in result.rule]
    assert len(authorities) == 10
    [london] = [result for result in authorities if "(Q36)" in result.rule]
    assert london.status == "passed"
    assert london.found.startswith("31 PCTs, 528 totals")
    [midlands] = [result for result in authorities if result.status != "passed"]
    assert midlands.status == "known difference"
    assert len(midlands.rows) == 3


def test_the_column_dropped_by_the_publisher_is_a_gap_and_not_zero(shipped: pd.DataFrame) -> None:
    late = shipped["month"] >= "2010-04"
    assert shipped.loc[late, "istc_admissions"].isna().all()
    assert shipped.loc[~late, "istc_admissions"].notna().all()
    gap = result_for(shipped, PUBLISHED, "every cell is filled")
    assert gap.status == "gap"
    assert gap.rows[0] == "2010-04: istc_admissions is empty for every organisation"


def test_the_city_of_london_has_no_life_expectancy() -> None:
    [gap] = [
        each for each in life_expectancy.checks(life_expectancy.read(PUBLISHED), PUBLISHED) if each.status == "gap"
    ]
    assert len(gap.rows) == 16
    assert all(row.startswith("E09000001 ") for row in gap.rows)


def test_an_absent_month_of_one_pct_is_a_gap_and_no_error(data: Path) -> None:
    without(data, "2009-07,pct,5LE,")
    frame = activity.read(data)
    months = result_for(frame, data, "a row in every month")
    assert (months.status, months.rows) == ("gap", ("2009-07 5LE: no row",))
    leaf = activity.leaf_activity(frame, reference.successions(data)).set_index(["area_code", "month"])
    gap = leaf.loc[("5LE", pd.Timestamp("2009-07-01"))]
    assert gap.isna().all()
    assert leaf["nonelective_admissions"].isna().sum() == 1


def test_an_absent_month_of_every_organisation_is_one_gap(data: Path) -> None:
    without(data, "2009-07,")
    frame = activity.read(data)
    months = result_for(frame, data, "a row in every month")
    assert (months.status, months.rows) == ("gap", ("2009-07: no row of any organisation",))
    row = activity.published_row(frame, "Q36").set_index("month")
    assert len(row) == 36
    assert row["gp_referrals_made"].isna().sum() == 1


def test_an_absent_month_of_one_predecessor_is_a_gap_in_its_successor(data: Path) -> None:
    without(data, "2009-07,pct,5P3,")
    frame = activity.read(data)
    leaf = activity.leaf_activity(frame, reference.successions(data)).set_index(["area_code", "month"])
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
    frame = activity.read(data)
    assert "2009-07 5LE: nonelective_admissions is empty" in result_for(frame, data, "every cell is filled").rows
    leaf = activity.leaf_activity(frame, reference.successions(data))
    assert leaf["nonelective_admissions"].isna().sum() == 1
    assert leaf["gp_referrals_made"].notna().all()


@pytest.mark.parametrize("start", ["2010-09,national", "2009-07,sha,Q36,", "2009-07,england,", "2011-03,pct,5LE,"])
def test_any_absent_row_is_a_gap_and_no_error(data: Path, start: str) -> None:
    without(data, start)
    months = result_for(activity.read(data), data, "a row in every month")
    assert months.status == "gap"
    assert len(months.rows) == 1


def test_a_return_of_london_alone_can_be_read(data: Path) -> None:
    path = data / ACTIVITY
    header, *lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([header, *(line for line in lines if ",Q36," in line)]))
    frame = activity.read(data)
    assert set(frame["org_type"]) == {"pct", "sha"}
    assert result_for(frame, data, activity.SUM_OF_PCTS).status == "passed"


def test_today_has_151_pcts_with_every_month(shipped: pd.DataFrame) -> None:
    leaf = activity.leaf_activity(shipped, reference.successions(PUBLISHED))
    assert leaf["area_code"].nunique() == 151
    assert len(leaf) == 151 * 36
    assert leaf.drop(columns="istc_admissions").notna().all(axis=None)


def test_an_organisation_without_a_row_is_named_with_the_nearest(shipped: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=r"org_code 'Q3X' has no row; nearest: Q3"):
        activity.published_row(shipped, "Q3X")


def test_months_are_dates_and_measures_numbers(shipped: pd.DataFrame) -> None:
    assert str(shipped["month"].dtype).startswith("datetime64")
    assert {str(shipped[measure].dtype) for measure in activity.measures(shipped)} == {"float64"}
    assert len(activity.measures(shipped)) == 15


def test_every_source_carries_what_a_citation_needs() -> None:
    for described in sources.sources(PUBLISHED):
        assert all((described.title, described.publisher, described.period, described.geography, described.licence))
    published = [sources.source(table, PUBLISHED) for table in sources.READERS]
    assert all(described.caveats for described in published)


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
    ).assign(nonelective_admissions=[float(n) for n in (*before, after)])
    became = pd.DataFrame(
        {"predecessor_code": ["A", "B"], "successor_code": "N", "from_month": pd.Timestamp("2010-04-01")}
    )
    leaf = activity.leaf_activity(frame, became).set_index(["area_code", "month"])["nonelective_admissions"]
    assert leaf[("N", pd.Timestamp("2010-03-01"))] == before[0] + before[1]
    assert leaf.sum() == sum(before) + after


@settings(max_examples=25, deadline=None)
@given(numbers=st.lists(st.integers(0, 10**9), min_size=91, max_size=91))
def test_a_written_number_is_read_as_it_stands(numbers: list[int], tmp_path_factory: pytest.TempPathFactory) -> None:
    data = tmp_path_factory.mktemp("written") / "data"
    for name in ("datapackage.json", "reference/areas.csv", "reference/boroughs.csv"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PUBLISHED / name, data / name)
    (data / "published").mkdir()
    rows = "".join(f"E09000028,2010,{age},{number}\n" for age, number in enumerate(numbers))
    (data / "published/population_by_age.csv").write_text(f"area_code,mid_year,age,persons\n{rows}")
    assert population.read(data)["persons"].tolist() == numbers
