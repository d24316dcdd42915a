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
    london = load_edition("2011-12", params_dir())
    assert london.geography == "sector_2009"
    assert load_edition("england-2011-12", params_dir()).chapter_names == ("planned_care", "outlook")
    assert set(load_indicators(params_dir(), london)) >= set(LISTED.split())


def test_an_unknown_edition_is_told_the_nearest() -> None:
    with pytest.raises(UserError, match=r"edition: '2012' is not in params/editions; .*2011-12"):
        load_edition("2012", params_dir())


def _with_line(text: str, line: str) -> str:
    """The file with the line of the same key replaced, lists under it too; added beneath `periods:` or at the end."""
    key = line.split(":")[0].lower()
    lines: list[str] = []
    dropping = False
    for old in text.splitlines():
        if old.split(":")[0] == key:
            lines.append(line)
            dropping = old.endswith(":")
        elif not (dropping and old.startswith("  - ")):
            dropping = False
            lines.append(old)
    return "\n".join(lines if line in lines else [*lines, line]) + "\n"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("geografies: [sector_2009]", "params/editions/2011-12.yml: unknown key 'geografies'; nearest: geographies"),
        ("geographies: [sector_2009, sector_2009]", "geographies: .*'sector_2009' is duplicated; each geography"),
        ("activity_year: 2010/11", "activity_year: keys of an older layout; write geographies: .* and periods: "),
        ("  activity: 2010/12", "periods: activity: a financial year is two consecutive years, such as 2010/11"),
        ("  activity: 2010-2008", "periods: activity: the years 2010-2008 run backwards"),
        ("  activity: [2010/11]", r"periods.activity: input should be a valid string"),
        ("  Activity: 2010/11", "periods: 'Activity' is not a name of small letters, digits and underscores"),
        ("year_starts: Aprill", "year_starts: .*"),
        (
            "chapters: [{name: outlook, geographies: [sector_2010]}]",
            "chapters: outlook: geography 'sector_2010' is not among the edition's; nearest: sector_2009",
        ),
        ("chapters: [outlook, outlook]", "'outlook' is duplicated; each chapter belongs once"),
        ("notes: one text", "notes: must be a list, each line starting with '- ', not 'one text'"),
        ("chapters: [", "params/editions/2011-12.yml, line \\d+: not readable as YAML"),
    ],
)
def test_a_wrong_edition_file_is_named_with_its_key_and_value(params: Path, line: str, says: str) -> None:
    path = params / "editions" / "2011-12.yml"
    path.write_text(_with_line(path.read_text(), line))
    with pytest.raises(UserError, match=says):
        load_edition("2011-12", params)


def test_a_missing_key_is_named(params: Path) -> None:
    path = params / "editions" / "2011-12.yml"
    path.write_text(path.read_text().replace("geographies: [sector_2009]\n", ""))
    with pytest.raises(UserError, match="geographies: field required"):
        load_edition("2011-12", params)


def test_an_indicator_that_is_not_keys_with_values_is_named(params: Path) -> None:
    (params / "indicators.yml").write_text("x: 1\n")
    with pytest.raises(UserError, match=r"params/indicators.yml, x: must be keys with values, not 1"):
        load_indicators(params, load_edition("2011-12", params))


def test_a_misspelt_key_is_named_before_the_key_it_leaves_missing(params: Path) -> None:
    path = params / "editions" / "2011-12.yml"
    path.write_text(path.read_text().replace("geographies:", "geografies:"))
    with pytest.raises(UserError, match="unknown key 'geografies'; nearest: geographies"):
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
