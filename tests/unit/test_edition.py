"""Editions, indicators and commentary are checked before anything runs."""

from pathlib import Path

import pytest

from cbs_analysis.edition import load_edition, load_indicators
from cbs_analysis.errors import UserError
from cbs_analysis.home import params_dir
from cbs_analysis.parameters import load_commentary

LISTED = """population population_growth_pct births_per_1000 deaths_per_1000 life_expectancy_male_years
life_expectancy_female_years most_deprived_fifth_pct emergency_admission_ratio nonelective_per_1000
gp_referrals_per_1000 other_referrals_per_1000 first_outpatients_per_1000 elective_per_1000 daycase_rate_pct
forecast_elective_ordinary_admissions forecast_elective_daycase_admissions forecast_nonelective_admissions
forecast_gp_referrals_made forecast_other_referrals_made forecast_first_outpatient_attendances"""


@pytest.fixture
def params(tmp_path: Path) -> Path:
    (tmp_path / "params" / "editions").mkdir(parents=True)
    (tmp_path / "params" / "areas").mkdir()
    shipped = params_dir() / "editions" / "2011-12.yml"
    (tmp_path / "params" / "editions" / "2011-12.yml").write_text(shipped.read_text())
    return tmp_path / "params"


def test_the_shipped_editions_and_indicators_are_valid() -> None:
    assert load_edition("2011-12", params_dir()).geography == "sector_2009"
    assert load_edition("england-2011-12", params_dir()).chapters == ("planned_care", "outlook")
    assert set(load_indicators(params_dir())) >= set(LISTED.split())


def test_an_unknown_edition_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match=r"edition: '2012' is not in params/editions; .*2011-12"):
        load_edition("2012", params_dir())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("geografy: sector_2009", "params/editions/2011-12.yml: unknown key 'geografy'; nearest: geography"),
        ("population_year: soon", "population_year: .*integer.*'soon'"),
        ("activity_year: 2010-11", "activity_year: a financial year is written like 2010/11, not '2010-11'"),
        ("activity_year: 2010", "activity_year: a financial year is written like 2010/11, not 2010"),
        ("activity_year: 2010/12", "activity_year: .*like 2010/11"),
        ("chapters: [outlook, outlook]", "chapters: .*'outlook' stands twice"),
        ("notes: one text", "notes: must be a list, each line starting with '- ', not 'one text'"),
        ("chapters: [", "params/editions/2011-12.yml, line \\d+: not readable as YAML"),
    ],
)
def test_a_wrong_edition_file_is_named_with_its_key_and_value(params: Path, line: str, says: str) -> None:
    path = params / "editions" / "2011-12.yml"
    kept = [old for old in path.read_text().splitlines() if old.split(":")[0] != line.split(":")[0]]
    path.write_text("\n".join([*kept, line]))
    with pytest.raises(UserError, match=says):
        load_edition("2011-12", params)


def test_a_missing_key_is_named(params: Path) -> None:
    path = params / "editions" / "2011-12.yml"
    path.write_text(path.read_text().replace("geography: sector_2009\n", ""))
    with pytest.raises(UserError, match="geography: field required"):
        load_edition("2011-12", params)


def test_an_indicator_that_is_not_keys_with_values_is_named(params: Path) -> None:
    (params / "indicators.yml").write_text("x: 1\n")
    with pytest.raises(UserError, match=r"params/indicators.yml, x: must be keys with values, not 1"):
        load_indicators(params)


def test_a_misspelt_key_is_named_before_the_key_it_leaves_missing(params: Path) -> None:
    path = params / "editions" / "2011-12.yml"
    path.write_text(path.read_text().replace("geography:", "geografy:"))
    with pytest.raises(UserError, match="unknown key 'geografy'; nearest: geography"):
        load_edition("2011-12", params)


def test_an_area_without_a_file_has_no_commentary(params: Path) -> None:
    assert load_commentary("5LE", params).commentary == ""


def test_commentary_keeps_every_character_and_refuses_an_unknown_key(params: Path) -> None:
    path = params / "areas" / "5LE.yml"
    path.write_text("commentary: '<script>{$|} Llŷn 🏥'\n", encoding="utf-8")
    assert load_commentary("5LE", params).commentary == "<script>{$|} Llŷn 🏥"
    path.write_text("comentary: x\n")
    with pytest.raises(UserError, match=r"params/areas/5LE.yml: unknown key 'comentary'; nearest: commentary"):
        load_commentary("5LE", params)
