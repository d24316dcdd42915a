"""`cbs tables describe`: what a draft says of a file, what it leaves to the analyst, and which files it refuses."""

import json
from pathlib import Path

import pytest
import six_areas

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.tables import check_tables, drafting, read

CHECKOUT = six_areas.CHECKOUT
BED_DAYS = "month,area,bed_days,emergency_bed_days\n" + "".join(
    f"2023-{month:02d},{code},{100 + month},{40 + place}\n"
    for month in range(1, 5)
    for place, code in enumerate(six_areas.LEAVES)
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return six_areas.make(tmp_path / "home")


@pytest.fixture
def describe(home, tmp_path):
    """The draft of a file with this text."""

    def run(text: str | bytes, name: str = "sent.csv", **options: str) -> drafting.Draft:
        file = tmp_path / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return drafting.draft(file, home / "data", **options)

    return run


def column(draft: drafting.Draft, name: str) -> dict:
    return next(field for field in draft.entry["schema"]["fields"] if field["name"] == name)


def test_a_monthly_table_by_area_is_drafted_with_key_kinds_limits_and_checks(describe):
    draft = describe(BED_DAYS, "Bed days 2023.csv")
    assert draft.entry["name"] == "bed_days_2023"
    assert draft.entry["path"] == "published/bed_days_2023.csv"
    assert draft.entry["schema"]["primaryKey"] == ["month", "area"]
    assert column(draft, "month")["type"] == "yearmonth"
    assert column(draft, "month")["frequency"] == "month"
    assert column(draft, "area")["areaKinds"] == ["ward"]
    assert column(draft, "bed_days")["type"] == "integer"
    assert column(draft, "bed_days")["constraints"] == {"required": True, "minimum": 0}
    assert draft.entry["checks"] == [
        {"rule": "every_step"},
        {"rule": "every_cell"},
        {"rule": "not_more_than", "part": "emergency_bed_days", "whole": "bed_days"},
    ]
    assert "2023-01 to 2023-04" in draft.entry["period"]
    assert draft.notes == ()


def test_published_tables_are_drafted_with_the_keys_and_types_that_they_are_described_with():
    package = json.loads((CHECKOUT / "data" / "datapackage.json").read_text(encoding="utf-8"))
    resources = {resource["name"]: resource for resource in package["resources"]}
    for table in ("life_expectancy", "emergency_admissions", "hrg_reference_costs"):
        described = resources[table]["schema"]
        draft = drafting.draft(CHECKOUT / "data" / resources[table]["path"], CHECKOUT / "data")
        assert set(draft.entry["schema"]["primaryKey"]) == set(described["primaryKey"]), table
        for field in described["fields"]:
            drafted = column(draft, field["name"])
            assert drafted["type"] in (field["type"], "integer"), (table, field["name"])  # costs are in whole pounds
            assert set(drafted.get("areaKinds", ())) == set(field.get("areaKinds", ())), (table, field["name"])
            assert drafted.get("frequency") == field.get("frequency"), (table, field["name"])


@pytest.mark.parametrize(
    ("values", "kind", "frequency"),
    [
        (["2023-04", "2023-07", "2023-10"], "yearmonth", "quarter"),
        (["2021-04", "2022-04"], "yearmonth", "year"),
        (["2023-Q1", "2023-Q2"], "string", "quarter"),
        (["2022/23", "2023/24"], "string", "year"),
        (["mid-2022", "mid-2023"], "string", "year"),
        (["2023-01-02", "2023-01-09", "2023-01-23"], "string", "week"),
        (["2023-01-01", "2023-02-01"], "string", "month"),
        (["2023-01-02", "2023-01-03"], "string", None),
        (["2021-2023", "2022-2024"], "string", None),
    ],
)
def test_the_steps_of_a_time_column_are_told_from_what_is_in_it(describe, values, kind, frequency):
    field = column(describe("when,count\n" + "".join(f"{value},1\n" for value in values)), "when")
    assert (field["type"], field.get("frequency")) == (kind, frequency)


def test_a_number_is_a_year_only_in_a_column_of_that_name(describe):
    draft = describe("year,admissions\n2022,1950\n2023,2010\n")
    assert column(draft, "year")["frequency"] == "year"
    assert "frequency" not in column(draft, "admissions")


def test_codes_that_could_be_read_as_numbers_stay_text(describe):
    draft = describe("hrg,specialty\n5E1,010\n7E2,101\n")
    assert [field["type"] for field in draft.entry["schema"]["fields"]] == ["string", "string"]


def test_few_values_of_a_text_column_are_its_choices_and_one_of_each_are_not(describe):
    draft = describe("sex,trust,n\n" + "".join(f"{sex},T{number},{number}\n" for number in range(8) for sex in "fm"))
    assert column(draft, "sex")["constraints"]["enum"] == ["f", "m"]
    assert "enum" not in column(draft, "trust")["constraints"]


def test_negative_and_empty_numbers_are_not_limited(describe):
    draft = describe("area_code,net,beds\nW1,-3,1\nW2,5,\n")
    assert column(draft, "net")["constraints"] == {"required": True}
    assert column(draft, "beds")["constraints"] == {"minimum": 0}


def test_rates_are_marked_as_not_adding_up(describe):
    draft = describe("area_code,admission_rate,deaths\nW1,1.5,3\nW2,2.5,4\n")
    assert column(draft, "admission_rate")["adds"] is False
    assert "adds" not in column(draft, "deaths")


def test_a_measure_that_happens_to_be_unique_is_not_the_key(describe):
    draft = describe("year,area_code,age,persons\n" + "".join(
        f"{year},W1,{age},{year * 7 + age * 13}\n" for year in (2022, 2023) for age in (0, 1, 2)
    ))  # fmt: skip
    assert draft.entry["schema"]["primaryKey"] == ["year", "age"]
    assert draft.entry["checks"][0]["rule"] == "every_combination"


def test_an_unknown_area_and_a_mark_among_numbers_are_named(describe):
    draft = describe("area,beds\nW1,10\nW2,*\nW3,30\nW9,40\n")
    assert len(draft.notes) == 2
    assert "'W9' on line 5" in draft.notes[0]
    assert "'*' on line 3" in draft.notes[1]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"a,b\n1,\xff\n", "line 2: byte 0xff is not text; must be saved as UTF-8"),
        (b"PK\x03\x04rest", "is an Excel workbook; save it as CSV"),
        (b"\xd0\xcf\x11\xe0rest", "is an Excel workbook; save it as CSV"),
        (b"a;b\n1;2\n", "separated by semicolons; must be commas"),
        (b"a\tb\n1\t2\n", "separated by tabs; must be commas"),
        (b"a,b,a\n1,2,3\n", "column 'a' is duplicated"),
        (b"a,,b\n1,2,3\n", "column 2 has no name"),
        (b"a, b\n1,2\n", "column 2 ' b' begins or ends with a space"),
        (b"a,b\n1,2\n3\n4,5\n", "line 3: 1 values, must be 2"),
        (b"a,b\n1,2\n3,4", "the last line is cut short"),
        (b"a,b\n", "no rows after the header"),
        (b"\n1,2\n", "line 1 is empty"),
        (b'a,b\n"1,2\n', "line 2"),
        (b"a,b\n1,2\n3,4\n1,2\n", "line 4: repeats line 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_line_that_names_it(describe, content, words):
    with pytest.raises(DataError) as error:
        describe(content)
    assert str(error.value).startswith("sent.csv")
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_name_that_cannot_be_a_tables_are_refused(home, tmp_path):
    with pytest.raises(DataError, match=r"other\.csv is missing"):
        drafting.draft(tmp_path / "other.csv", home / "data")
    with pytest.raises(UserError, match="--name: 'Bed-days' must be small letters"):
        drafting.draft(tmp_path / "other.csv", home / "data", "Bed-days")


def test_an_added_table_is_read_and_checked_and_the_rest_of_the_catalogue_is_as_it_was(home, describe, tmp_path):
    before = (home / "data" / "datapackage.json").read_text(encoding="utf-8")
    draft = describe(BED_DAYS, "bed_days.csv", title="Bed days")
    copy = drafting.add(draft, tmp_path / "bed_days.csv", home / "data")
    assert copy.read_text() == BED_DAYS
    after = (home / "data" / "datapackage.json").read_text(encoding="utf-8")
    assert after.startswith(before[: before.rindex("\n  ]")])
    assert len(read("bed_days", home / "data")) == 24
    results = [result for result in check_tables(home / "data", ["bed_days"]) if result.table == "bed_days"]
    assert {result.status for result in results} == {"passed", "gap"}
    gap = next(result for result in results if result.status == "gap")
    assert gap.rule == "its description is complete"
    assert "publisher: still to complete" in gap.rows
    assert "bed_days: unit: still to complete" in gap.rows
    assert "title: still to complete" not in gap.rows


def test_a_completed_description_leaves_no_gap(home, describe, tmp_path):
    drafting.add(describe(BED_DAYS, "bed_days.csv"), tmp_path / "bed_days.csv", home / "data")
    path = home / "data" / "datapackage.json"
    path.write_text(path.read_text(encoding="utf-8").replace("TO COMPLETE: ", ""), encoding="utf-8")
    assert "gap" not in {result.status for result in check_tables(home / "data", ["bed_days"])}


def test_adding_refuses_a_name_or_a_place_that_is_taken_and_writes_nothing(home, describe, tmp_path):
    draft = describe(BED_DAYS, "bed_days.csv")
    other = home / "data" / "published" / "bed_days.csv"
    other.parent.mkdir()
    other.write_text("another\n")
    before = six_areas.files(home)
    with pytest.raises(UserError, match="is another file"):
        drafting.add(draft, tmp_path / "bed_days.csv", home / "data")
    with pytest.raises(UserError, match="table 'areas' is there already"):
        drafting.add(describe(BED_DAYS, "areas.csv"), tmp_path / "areas.csv", home / "data")
    assert six_areas.files(home) == before


def test_the_command_prints_json_and_writes_nothing_without_add(home, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from cbs_analysis.cli.tables import app

    monkeypatch.setenv("CBS_HOME", str(home))
    file = tmp_path / "bed_days.csv"
    file.write_text(BED_DAYS)
    before = six_areas.files(home)
    result = CliRunner().invoke(app, ["describe", str(file)])
    assert json.loads(result.stdout)["name"] == "bed_days"
    assert six_areas.files(home) == before
    result = CliRunner().invoke(app, ["describe", str(file), "--add"])
    assert result.exit_code == 0
    assert "cbs check" in result.stdout
    assert len(read("bed_days", home / "data")) == 24
