"""What a reader is told when a file is wrong: the table, the line, the column, the value and the rule."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cbs_analysis import tables
from cbs_analysis.errors import DataError, UserError

PUBLISHED = Path(__file__).resolve().parents[2] / "data"
ACTIVITY = "published/monthly_activity_return.csv"
POPULATION = "published/population_by_age.csv"

read_activity = partial(tables.read, "monthly_activity_return")
read_population = partial(tables.read, "population_by_age")
read_deprivation = partial(tables.read, "deprivation_lsoa")
read_emergency = partial(tables.read, "emergency_admissions")

Edit = Callable[[list[str]], list[str]]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return Path(shutil.copytree(PUBLISHED, tmp_path / "data"))


def edit_lines(data: Path, name: str, edit: Edit) -> None:
    path = data / name
    lines = path.read_text(encoding="utf-8").split("\n")
    path.write_text("\n".join(edit(lines)), encoding="utf-8")


def set_cell(data: Path, name: str, line: int, column: str, value: str) -> None:
    """Puts `value` into a file whose row at `line` holds no quoted comma."""

    def edit(lines: list[str]) -> list[str]:
        cells = lines[line - 1].split(",")
        cells[lines[0].split(",").index(column)] = value
        lines[line - 1] = ",".join(cells)
        return lines

    edit_lines(data, name, edit)


def message(read: Callable[[Path], object], data: Path) -> str:
    with pytest.raises(DataError) as caught:
        read(data)
    text = str(caught.value)
    assert "\n" not in text
    assert str(data.parent) not in text
    return text


@pytest.mark.parametrize("value", ["abc", "12.5", "1e3", "nan", "inf", "1_2", " 12", "٣"])
def test_text_in_a_number_names_file_line_column_value_and_rule(data: Path, value: str) -> None:
    set_cell(data, ACTIVITY, 17, "nonelective_admissions", value)
    assert message(read_activity, data) == (
        f"data/{ACTIVITY}, line 17: nonelective_admissions is {value!r}, must be a whole number, 0 or more, or empty"
    )


def test_a_negative_count_is_refused(data: Path) -> None:
    set_cell(data, ACTIVITY, 17, "gp_referrals_made", "-3")
    assert message(read_activity, data) == (
        f"data/{ACTIVITY}, line 17: gp_referrals_made is '-3', must be a whole number, 0 or more, or empty"
    )


def test_only_the_first_fault_is_told_and_the_others_are_counted(data: Path) -> None:
    for line in (17, 30, 31):
        set_cell(data, ACTIVITY, line, "gp_referrals_made", "-3")
    text = message(read_activity, data)
    assert ", line 17: gp_referrals_made" in text
    assert text.endswith("(and 2 more)")


def test_a_missing_column_is_named(data: Path) -> None:
    edit_lines(data, POPULATION, lambda lines: [line.rsplit(",", 1)[0] if line else line for line in lines])
    assert message(read_population, data).startswith(f"data/{POPULATION}, line 1: column persons is missing")


def test_an_unknown_column_is_named_with_the_nearest_known(data: Path) -> None:
    edit_lines(data, POPULATION, lambda lines: [f"{lines[0]},person", *(f"{x},1" for x in lines[1:-1]), ""])
    text = message(read_population, data)
    assert text == f"data/{POPULATION}, line 1: column 'person' is not known; nearest: persons"


def test_columns_in_another_order_are_refused(data: Path) -> None:
    edit_lines(data, POPULATION, lambda lines: ["mid_year,area_code,age,persons", *lines[1:]])
    assert "line 1: columns must each stand once, in this order: area_code, mid_year" in message(read_population, data)


def test_a_duplicate_key_names_both_lines(data: Path) -> None:
    edit_lines(data, ACTIVITY, lambda lines: [*lines[:-1], lines[16], ""])
    last = len((data / ACTIVITY).read_text().splitlines())
    cells = (data / ACTIVITY).read_text().splitlines()[16].split(",")
    assert message(read_activity, data) == (
        f"data/{ACTIVITY}, line {last}: duplicate key month {cells[0]}, org_code {cells[2]}, "
        "must be unique, and stands on line 17 already"
    )


def test_an_unknown_pct_code_is_refused_with_the_nearest_known(data: Path) -> None:
    set_cell(data, ACTIVITY, 17, "org_code", "5LX")
    text = message(read_activity, data)
    assert (
        f"data/{ACTIVITY}, line 17: org_code is '5LX', must be a code in data/reference/areas.csv of kind pct or sha or"
        in text
    )
    assert "nearest: 5" in text


def test_an_unknown_area_is_refused(data: Path) -> None:
    set_cell(data, POPULATION, 5, "area_code", "E09000099")
    text = message(read_population, data)
    assert text.startswith(
        f"data/{POPULATION}, line 5: area_code is 'E09000099', must be a code in data/reference/areas.csv of kind "
        "borough or region or nation; nearest: E090000"
    )


def test_an_unknown_borough_is_refused_through_the_kinds_of_area(data: Path) -> None:
    set_cell(data, "published/deprivation_lsoa.csv", 9, "borough_code", "E09000099")
    assert (
        "deprivation_lsoa.csv, line 9: borough_code is 'E09000099', must be a code in data/reference/areas.csv of kind "
        "borough" in message(read_deprivation, data)
    )


def test_a_last_line_with_too_few_values_is_cut_short(data: Path) -> None:
    text = (data / ACTIVITY).read_text()
    (data / ACTIVITY).write_text(text[: text.rstrip("\n").rindex(",")])
    last = text.count("\n")
    assert message(read_activity, data) == (
        f"data/{ACTIVITY}, line {last}: 19 values, must be 20: the last line is cut short"
    )


def test_a_last_line_cut_within_its_last_value_is_refused(data: Path) -> None:
    text = (data / ACTIVITY).read_text()
    (data / ACTIVITY).write_text(text[:-2])
    assert f"line {text.count(chr(10))}: the last line is cut short" in message(read_activity, data)


def test_a_row_with_too_many_values_is_refused(data: Path) -> None:
    edit_lines(data, POPULATION, lambda lines: [*lines[:6], lines[6] + ",7", *lines[7:]])
    assert message(read_population, data) == f"data/{POPULATION}, line 7: 5 values, must be 4"


def test_bytes_that_are_not_utf8_are_refused_with_their_line(data: Path) -> None:
    content = (data / ACTIVITY).read_bytes().split(b"\n")
    content[3] = content[3].replace(b" PCT", b"\xef PCT")
    (data / ACTIVITY).write_bytes(b"\n".join(content))
    assert f"data/{ACTIVITY}, line 4: byte 0xef is not text" in message(read_activity, data)


def test_an_unclosed_quote_does_not_swallow_the_file(data: Path) -> None:
    set_cell(data, ACTIVITY, 17, "org_name", '"Southwark')
    assert f"data/{ACTIVITY}, line" in message(read_activity, data)


def test_a_blank_line_is_refused(data: Path) -> None:
    edit_lines(data, POPULATION, lambda lines: [*lines[:6], "", *lines[6:]])
    assert f"data/{POPULATION}, line 7: 0 values, must be 4" in message(read_population, data)


def test_a_missing_an_empty_and_a_bare_file_are_told_apart(data: Path) -> None:
    header = (data / POPULATION).read_text().split("\n", 1)[0] + "\n"
    (data / POPULATION).write_text(header)
    assert "no rows after the header" in message(read_population, data)
    (data / POPULATION).write_text("")
    assert "is empty; it must start with a header" in message(read_population, data)
    (data / POPULATION).unlink()
    assert message(read_population, data) == f"data/{POPULATION} is missing"


def test_an_empty_cell_that_must_be_filled_is_refused(data: Path) -> None:
    set_cell(data, POPULATION, 8, "persons", "")
    assert f"data/{POPULATION}, line 8: persons is empty, must be a whole number, 0 or more" in message(
        read_population, data
    )


def test_a_month_that_is_no_month_is_refused(data: Path) -> None:
    set_cell(data, ACTIVITY, 17, "month", "2008-13")
    assert "line 17: month is '2008-13', must be written like 2008-04" in message(read_activity, data)


def test_a_number_out_of_its_range_is_refused(data: Path) -> None:
    set_cell(data, "published/deprivation_lsoa.csv", 9, "imd_2010_rank", "32483")
    assert "line 9: imd_2010_rank is '32483', must be a whole number from 1 to 32482" in message(read_deprivation, data)


def test_a_file_saved_by_a_spreadsheet_is_read_alike(data: Path) -> None:
    expected = read_population(data)
    text = (data / POPULATION).read_text().replace("\n", "\r\n")
    (data / POPULATION).write_bytes(text.encode("utf-8-sig"))
    assert read_population(data).equals(expected)


def test_a_changed_pct_count_breaks_the_authority_total(data: Path) -> None:
    lines = (data / ACTIVITY).read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.startswith("2009-11,pct,5LE,"))
    set_cell(data, ACTIVITY, line, "nonelective_admissions", "1")
    text = message(read_activity, data)
    assert text.startswith(f"data/{ACTIVITY}, 2009-11 Q36: nonelective_admissions is ")
    assert text.endswith("must hold: London Strategic Health Authority (Q36) equals the sum of its parts")


def test_a_known_difference_that_has_changed_is_not_known(data: Path) -> None:
    lines = (data / ACTIVITY).read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.startswith("2009-07,pct,5CN,"))
    column = lines[0].split(",").index("gp_referrals_made")
    set_cell(data, ACTIVITY, line, "gp_referrals_made", str(int(lines[line - 1].split(",")[column]) + 1))
    assert "2009-07 Q34: gp_referrals_made is 97,640, its parts 97,643" in message(read_activity, data)


def test_a_changed_authority_breaks_the_total_of_england(data: Path) -> None:
    lines = (data / ACTIVITY).read_text().splitlines()
    line = next(n for n, text in enumerate(lines, 1) if text.startswith("2009-11,england,ENG,"))
    set_cell(data, ACTIVITY, line, "first_outpatient_attendances", "1")
    text = message(read_activity, data)
    assert "2009-11 ENG: first_outpatient_attendances is 1, its parts" in text


def test_a_code_used_after_its_pct_ended_is_refused(data: Path) -> None:
    text = (data / ACTIVITY).read_text().replace("2010-04,pct,TAP,", "2010-04,pct,5CC,")
    (data / ACTIVITY).write_text(text)
    assert "2010-04 5CC: outside its time; must hold: an area has rows only while it exists" in message(
        read_activity, data
    )


def test_a_changed_borough_breaks_the_london_total_of_emergency_admissions(data: Path) -> None:
    name = "published/emergency_admissions.csv"
    set_cell(data, name, 2, "admissions_observed", "381")
    text = message(read_emergency, data)
    assert text.startswith(f"data/{name}, 2003/04 E12000007: admissions_observed is 497,069, its parts 497,070")


def test_a_rate_that_does_not_follow_from_its_parts_is_refused(data: Path) -> None:
    set_cell(data, "published/emergency_admissions.csv", 2, "standardised_rate_per_100k", "5650.79")
    assert "2003/04 E09000001: standardised_rate_per_100k is 5650.79, from its parts 5647.80" in message(
        read_emergency, data
    )


def test_a_missing_age_is_refused(data: Path) -> None:
    edit_lines(data, POPULATION, lambda lines: [*lines[:7], *lines[8:]])
    assert message(read_population, data) == (
        f"data/{POPULATION}, E09000001 2001 6: no row; must hold: every age from 0 to 90 and over is there, in every "
        "year"
    )


def test_a_population_that_is_not_the_sum_of_its_ages_is_refused(data: Path) -> None:
    set_cell(data, "published/population_change.csv", 2, "population", "7281")
    [failed] = [result for result in tables.check_tables(data) if result.status == "failed"]
    assert failed.rule == "population equals the sum of its ages"
    assert failed.rows == ("2002 E09000001: population is 7281, in population_by_age 7280",)
    assert tables.check_tables(data, ["population_change"])[-1].status == "passed", "not compared with a table left out"


def test_a_rank_that_does_not_follow_its_score_is_refused(data: Path) -> None:
    set_cell(data, "published/deprivation_lsoa.csv", 2, "imd_2010_score", "60")
    text = message(read_deprivation, data)
    assert "must hold: imd_2010_rank follows imd_2010_score" in text


def test_a_period_that_is_not_three_years_is_refused(data: Path) -> None:
    name = "published/life_expectancy.csv"
    text = (data / name).read_text().replace("2008-2010", "2008-2011")
    (data / name).write_text(text)
    assert "period 2008-2011: not 3 years" in message(partial(tables.read, "life_expectancy"), data)


def test_check_tables_reports_a_broken_table_and_still_checks_the_others(data: Path) -> None:
    set_cell(data, ACTIVITY, 17, "nonelective_admissions", "abc")
    results = tables.check_tables(data)
    failed = [result for result in results if result.status == "failed"]
    assert [result.table for result in failed] == ["monthly_activity_return"]
    assert "line 17: nonelective_admissions is 'abc'" in failed[0].found
    assert {result.table for result in results if result.status == "passed"} >= {"population_by_age", "areas"}


def test_a_geography_with_a_broken_tree_is_a_failed_check(data: Path) -> None:
    edit_lines(
        data,
        "reference/geographies.csv",
        lambda lines: [x.replace("5LE,pct,SEL", "5LE,pct,SE") for x in lines],
    )
    failed = [result for result in tables.check_tables(data, []) if result.status == "failed"]
    assert len(failed) == 1
    assert "'SE'" in failed[0].found
    assert "sector_2009" in failed[0].rule


def test_two_areas_of_one_geography_may_not_share_a_name(data: Path) -> None:
    text = (data / "reference/areas.csv").read_text().replace("5LD,Lambeth,", "5LD,Southwark,")
    (data / "reference/areas.csv").write_text(text)
    failed = [result for result in tables.check_tables(data, []) if result.status == "failed"]
    assert {row for result in failed for row in result.rows} == {
        "turnberg_2006: 'Southwark' names two areas",
        "sector_2009: 'Southwark' names two areas",
        "sha_2010: 'Southwark' names two areas",
    }


@pytest.mark.parametrize("content", ["{", "[]", '{"resources": [{"name": "areas"}]}'])
def test_a_broken_description_is_one_line(data: Path, content: str) -> None:
    (data / "datapackage.json").write_text(content)
    assert message(tables.table_descriptions, data).startswith("data/datapackage.json")


def test_a_missing_description_is_one_line(data: Path) -> None:
    (data / "datapackage.json").unlink()
    assert message(read_population, data) == "data/datapackage.json is missing; it must describe every table"


def test_an_unknown_table_names_the_nearest(data: Path) -> None:
    with pytest.raises(UserError, match=r"no table 'population_by_ages'; nearest: population_by_age"):
        tables.table_description("population_by_ages", data)
