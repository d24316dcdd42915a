"""A plan stands whole before anything is written, or says in one line why it cannot."""

import re
from pathlib import Path

import pytest

from cbs_analysis.errors import DataError, UserError
from cbs_analysis.runner import make_plan


@pytest.fixture
def home_with_checks(make_home) -> Path:
    return make_home(first=['tables = ["monthly_activity_return"]'], second=["2"])


@pytest.fixture
def home(home_with_checks, monkeypatch) -> Path:
    """A home whose sources are taken as good, for the tests that are about something else."""
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: [])
    return home_with_checks


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_plan_of_everything_has_each_chapter_for_each_area_of_the_geography(home):
    plan = make_plan("2011-12")
    pairs = [(job.area_code, job.chapter) for job in plan.jobs]
    assert len(pairs) == 38 * 2
    assert len(set(pairs)) == len(pairs)
    assert {area for area, _ in pairs} >= {"5LE", "SEL", "LON"}
    assert list(plan.offered) == pairs


def test_a_plan_of_some_areas_and_chapters_has_only_those_in_the_order_asked_for(home):
    plan = make_plan("2011-12", ["SEL", "5LE", "SEL"], ["second"])
    assert [(job.area_code, job.chapter) for job in plan.jobs] == [("SEL", "second"), ("5LE", "second")]
    assert len(plan.offered) == 38 * 2


def test_a_job_names_its_template_and_where_its_notebook_goes(home):
    (job,) = make_plan("2011-12", ["5LE"], ["first"]).jobs
    assert job.template == home / "notebooks" / "first.ipynb"
    assert job.output == home / "build" / "editions" / "2011-12" / "5LE" / "first.ipynb"
    assert job.failed_output == job.output.parent / "first.failed.ipynb"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (("2012", [], []), ["edition", "2012", "2011-12"]),
        (("2011-12", ["5LX"], []), ["area", "5LX", "5LE"]),
        (("2011-12", ["5le"], []), ["area", "5le", "5LE"]),
        (("2011-12", [""], []), ["area"]),
        (("2011-12", [], ["secnod"]), ["chapter", "secnod", "second"]),
        (("../editions/2011-12", [], []), ["edition"]),
    ],
)
def test_what_is_not_there_is_answered_with_what_is_nearest(home, asked, words):
    with pytest.raises(UserError) as caught:
        make_plan(*asked)
    assert caught.value.exit_status == 2
    assert all(word in str(caught.value) for word in words)
    assert not (home / "build").exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("editions/2011-12.yml", "\nchapter: [first]\n", ["editions/2011-12.yml", "'chapter'", "chapters"]),
        ("areas/5LE.yml", "priority: [smoking]\n", ["areas/5LE.yml", "'priority'", "priorities"]),
        ("areas/5LX.yml", "commentary: ours\n", ["areas/5LX.yml", "5LX", "not an area", "nearest"]),
        ("indicators.yml", "population: {unit: people}\n", ["indicators.yml", "population"]),
    ],
)
def test_a_mistake_in_any_params_file_is_named_before_anything_runs(home, name, text, words):
    path = home / "params" / name
    path.parent.mkdir(exist_ok=True)
    earlier = path.read_text(encoding="utf-8") if name.startswith("editions") else ""
    path.write_text(earlier + text, encoding="utf-8")
    with pytest.raises(UserError) as caught:
        make_plan("2011-12", ["LON"])
    assert caught.value.exit_status == 2
    assert all(word in str(caught.value) for word in words)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("editions/2011-12.yml", "activity: 2010/11", "activity: 2015/16",
         "params/editions/2011-12.yml: periods: activity: monthly_activity_return holds April 2008 to March 2011, not "
         "2015/16"),
        ("editions/2011-12.yml", "population: mid-2010", "population: mid-1950",
         "periods: population: population_by_age holds 2001 to 2010, not mid-1950"),
        ("editions/2011-12.yml", "geographies:\n- sector_2009", "geographies:\n- sectr_2009",
         "params/editions/2011-12.yml: geography: 'sectr_2009' is not a geography; nearest: sector_2009"),
        ("editions/2011-12.yml", "count: 10", "count: 30",
         "params/editions/2011-12.yml: similar_areas: count: 30 is as many as all others or more: geography "
         "sector_2009 has 31 areas at its lowest level, so choose at most 29"),
        ("indicators.yml", "sources: [population_by_age]", "sources: [population_by_aeg]",
         "params/indicators.yml, population: sources: 'population_by_aeg' is not a table; nearest: population_by_age"),
    ],
)  # fmt: skip
def test_a_choice_that_the_figures_do_not_hold_is_named_with_what_they_hold(home, name, old, new, words):
    path = home / "params" / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(words)):
        make_plan("2011-12")


def test_an_areas_file_of_another_ending_is_not_overlooked(home):
    (home / "params" / "areas").mkdir(exist_ok=True)
    (home / "params" / "areas" / "5LE.yaml").write_text("commentary: x\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"params/areas/5LE.yaml: .*end in .yml"):
        make_plan("2011-12")


def test_the_commentary_of_an_area_of_another_geography_is_no_mistake(home):
    path = home / "params" / "areas" / "Q31.yml"
    path.parent.mkdir()
    path.write_text("commentary: North West\n", encoding="utf-8")
    assert make_plan("2011-12", ["LON"]).jobs


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"parameters"', '"parameter"', ["notebooks/first.ipynb", "'parameters'"]),
        ('"cells"', '"sells"', ["notebooks/first.ipynb", "no list of cells"]),
        ("{", "[", ["notebooks/first.ipynb", "not readable"]),
    ],
)
def test_a_template_that_takes_no_parameters_is_not_run(home, old, new, words):
    replace_in(home / "notebooks" / "first.ipynb", old, new)
    with pytest.raises(UserError) as caught:
        make_plan("2011-12", ["LON"])
    assert all(word in str(caught.value) for word in words)


def test_a_template_that_is_missing_is_named(home):
    (home / "notebooks" / "second.ipynb").unlink()
    said = "params/editions/2011-12.yml: chapters: 'second' has no notebook notebooks/second.ipynb; valid: first"
    with pytest.raises(UserError, match=re.escape(said)):
        make_plan("2011-12", ["LON"])


def test_nothing_is_planned_from_a_table_that_fails_its_checks(home_with_checks):
    path = home_with_checks / "data" / "published" / "population_by_age.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    cells = lines[9].rstrip("\n").split(",")
    lines[9] = ",".join([*cells[:-1], "-5"]) + "\n"
    path.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(DataError, match=r"population_by_age.*line 10.*-5") as caught:
        make_plan("2011-12", ["LON"])
    assert caught.value.exit_status == 1
    assert not (home_with_checks / "build").exists()


def test_a_total_that_does_not_add_up_names_the_table_the_rule_and_the_row(home_with_checks):
    path = home_with_checks / "data" / "published" / "population_change.csv"
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    column = lines[0].rstrip("\n").split(",").index("population")
    cells = lines[1].split(",")
    cells[column] = str(int(cells[column]) + 7)
    lines[1] = ",".join(cells)
    path.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        make_plan("2011-12", ["LON"])
    assert all(word in str(caught.value) for word in ("population_change", "sum of its ages", cells[0], cells[1]))
