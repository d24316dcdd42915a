"""The parameters of the simulated records are read whole, and what is wrong with them is one line."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.cli.records import make, ready
from cbs_analysis.errors import UserError
from cbs_analysis.simulation import load_world, read_scenario, write_extracts
from cbs_analysis.simulation.clinical_codes import EMERGENCY
from cbs_analysis.simulation.population import people_of
from cbs_analysis.simulation.random_draws import Choices, hexadecimal, scaled, shuffled_numbers, stream
from cbs_analysis.simulation.record_fields import CodedText, record_keys
from cbs_analysis.simulation.scenario import iterative_proportional_fit

CHECKOUT = Path(__file__).resolve().parents[2]
DATA, PARAMS = CHECKOUT / "data", CHECKOUT / "params"


@pytest.fixture
def params(tmp_path: Path) -> Path:
    """The project's own parameters, to be changed."""
    for folder in ("simulation", "feeds"):
        shutil.copytree(PARAMS / folder, tmp_path / "params" / folder)
    return tmp_path / "params"


def _change(params: Path, old: str, new: str) -> None:
    path = params / "simulation" / "world.yml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 20", "sed: 20", "params/simulation/world.yml: unknown key 'sed'; nearest: seed"),
        ("frailty_shape", "frailty_shap", "unknown key 'people.frailty_shap'; nearest: frailty_shape"),
        ("85+: 0.45}", "86+: 0.45}", "length_of_stay.age"),
        ("history_share: 0.2", "history_share: 2", "people.history_share: input should be less than or equal to 1"),
        ("{share: 10, ages: any", "{share: 10, ages: anny", "'anny' is no profile of world.yml; nearest: any"),
        ("seed: 20", "seed: [", "not readable as YAML"),
    ],
)
def test_a_mistake_in_the_world_is_one_line_that_names_the_key(params: Path, old: str, new: str, said: str) -> None:
    _change(params, old, new)
    with pytest.raises(UserError) as raised:
        load_world(params)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "apc_sex_pregnancy: 0",
            "apc_sex_pregnacy: 0",
            "'apc_sex_pregnacy' is no error that can be planted; nearest: apc_",
        ),
        ("provider: RGC", "provider: RGD", "breaks: 'RGD' is not a provider code; nearest:"),
        ("170: [RJ1,", "171: [RJ1,", "providers.only_at: 171 is not known"),
    ],
)
def test_a_code_that_nothing_knows_stops_before_anything_is_written(
    params: Path, tmp_path: Path, old: str, new: str, said: str
) -> None:
    _change(params, old, new)
    with pytest.raises(UserError) as raised:
        write_extracts(
            tmp_path / "out", data=DATA, params=params, areas=["5LE"], months=("2010-01", "2010-01"), share=0.01
        )
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"areas": ["5LF", "5XX"]}, "area: '5XX' is not an area that can be simulated; nearest:"),
        ({"months": ("2008-04", "2011-04")}, "months: '2011-04' is not in monthly_activity_return"),
        ({"months": ("2010-04", "2010-03")}, "comes after the last"),
        ({"share": 0}, "share: must be above 0 and at most 10, not 0"),
        ({"share": 10.5}, "share: must be above 0 and at most 10, not 10.5"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(asked: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as raised:
        read_scenario(load_world(PARAMS), DATA, **asked)  # type: ignore[arg-type]
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("level: pct", "level: borough", "figures: no area of level 'borough' in geography 'sector_2009'"),
        (
            "rank: imd_2010_rank",
            "rank: imd_2010_rnk",
            "deprivation_lsoa has no column 'imd_2010_rnk'; nearest: imd",
        ),
        ("months: [2008-04,", "months: [2007-04,", "months: '2007-04' is not in monthly_activity_return"),
    ],
)
def test_figures_that_are_not_there_are_named_in_one_line(params: Path, old: str, new: str, message: str) -> None:
    _change(params, old, new)
    with pytest.raises(UserError) as raised:
        read_scenario(load_world(params), DATA)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_table_of_the_figures_has_the_keys_of_its_uses_and_no_others(params: Path) -> None:
    _change(params, "beds: {table: beds, provider:", "beds: {table: beds, trust:")
    with pytest.raises(UserError, match=r"figures\.beds: .*has no value for 'provider'"):
        load_world(params)


def test_a_home_without_simulation_parameters_has_no_simulated_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "params" / "editions").mkdir(parents=True)
    monkeypatch.setenv("CBS_HOME", str(tmp_path))
    for name in ("CBS_BUILD", "CBS_RECORDS"):
        monkeypatch.delenv(name, raising=False)
    ready()
    assert capsys.readouterr().out.splitlines() == [
        "No hospital records: none are imported, and there is no params/simulation to simulate any from"
    ]
    assert not (tmp_path / "build").exists()
    with pytest.raises(UserError, match="this home has no simulated records"):
        make()


def test_keys_of_records_hold_codes_of_any_length() -> None:
    provider = CodedText(np.array([1, 0], dtype=np.int32), ("AB1", "TRUST9"))
    keys = ["".join(map(chr, row)) for row in record_keys(provider, "A", "E09000001", first=9).characters]
    assert keys == ["TRUST9AE09000001000000009", "AB1___AE09000001000000010"]


def test_ordinary_providers_lie_within_two_standard_deviations_and_outliers_at_four_or_more() -> None:
    effects = load_world(PARAMS).effects
    providers = set(pd.read_csv(DATA / "reference" / "providers.csv")["provider_code"])
    for measure, values in effects.values.items():
        assert set(values) == providers
        assert values["OUT"] == 0
        sizes = np.abs(list(values.values())) / effects.spread[measure]
        assert 3 <= (sizes >= 4).sum() <= 4
        assert not ((sizes > 2) & (sizes < 4)).any()


def test_six_to_ten_provider_months_of_each_feed_are_withheld_in_part() -> None:
    breaks = load_world(PARAMS).breaks
    for feed in ("op", "ae"):
        months = [month for each in breaks if each.feed == feed for month in each.months]
        assert 6 <= len(months) <= 10
    assert all(0.45 <= each.share <= 0.65 for each in breaks)


def test_people_are_as_many_of_each_age_as_live_there() -> None:
    scenario = read_scenario(load_world(PARAMS), DATA, ["5M7"], ("2010-01", "2010-03"))
    people = people_of(
        scenario.residents["5M7"],
        scenario.world.people,
        1.0,
        scenario.census_day,
        scenario.months.last_day,
        stream(1, "test"),
    )
    population = pd.read_csv(DATA / "published" / "population_by_age.csv")
    two = population[population["area_code"].isin(["E09000024", "E09000029"]) & (population["mid_year"] == 2010)]
    born = pd.to_datetime(people.born, unit="D")
    census = pd.Timestamp("2010-06-30")
    before = born[born <= census]
    had_birthday = (before.month < 6) | ((before.month == 6) & (before.day <= 30))
    age = np.minimum(census.year - before.year - ~had_birthday, 90)
    counted = pd.Series(age).value_counts().sort_index()
    expected = two.groupby("age")["persons"].sum()
    # A year is 365.25 days here, so somebody born on the edge of two ages may be counted in the other.
    assert counted.sum() == expected.sum()
    assert (counted - expected).abs().max() <= 0.005 * expected.max()
    assert (scenario.residents["5M7"].fifths >= 1).all() and (scenario.residents["5M7"].fifths <= 5).all()


def test_an_hrg_is_drawn_only_at_the_ages_and_the_sex_that_it_is_for() -> None:
    clinical = read_scenario(load_world(PARAMS), DATA, ["5LE"], ("2010-01", "2010-01")).clinical
    maternity, newborn = clinical.maternity, clinical.subchapters.index("PB")
    women = np.array([age_class in (7, 8) and sex == 1 for age_class in range(13) for sex in (0, 1)])
    assert (clinical.allowed[EMERGENCY, maternity] == women).all()
    assert clinical.allowed[EMERGENCY, newborn].tolist() == [True, True] + [False] * 24
    names = pd.read_csv(DATA / "published" / "hrg_reference_costs.csv").set_index("hrg_code")["hrg_name"]
    adult = [code for code, only in zip(clinical.hrgs, clinical.adult_only, strict=True) if only]
    assert adult and all("19 years and over" in str(np.atleast_1d(names[code])[0]) for code in adult)
    assert not any(code.startswith(("EpGro", "IVF", "DX")) for code in clinical.hrgs)


def test_a_mix_fits_both_its_margins_where_it_can() -> None:
    table = iterative_proportional_fit(np.array([[1.0, 1.0], [1.0, 3.0]]), np.array([2.0, 1.0]), np.array([1.0, 1.0]))
    assert table.sum(axis=1) == pytest.approx([1, 1])
    assert np.array([2, 1]) / 3 @ table == pytest.approx([0.5, 0.5])
    odds = table[0, 0] * table[1, 1] / (table[0, 1] * table[1, 0])
    assert odds == pytest.approx(3.0)  # proportional fitting keeps the odds ratio of the start


def test_choices_come_as_often_as_their_weights_say() -> None:
    choices = Choices.of([([4, 5], [1.0, 3.0]), ([6], [1.0])])
    drawn = choices.draw(stream(3, "choices"), np.repeat([0, 1], 40_000))
    assert set(drawn[40_000:]) == {6}
    assert (drawn[:40_000] == 5).mean() == pytest.approx(0.75, abs=0.01)


def test_pseudonyms_are_twelve_characters_and_nobody_has_another_s() -> None:
    numbers = np.concatenate([np.arange(200_000), np.arange(200_000) + (30 << 24)])
    found = shuffled_numbers(numbers, 17)
    assert len(np.unique(found)) == len(numbers)
    words = ["".join(map(chr, row)) for row in hexadecimal(found[:3])]
    assert words == [f"{int(number):012x}" for number in found[:3]]


def test_counts_that_are_scaled_keep_their_total() -> None:
    assert scaled(np.array([3, 3, 3, 3]), 0.25).sum() == 3


def test_streams_depend_on_what_they_are_for() -> None:
    one, same, other = (stream(1, name).random(4) for name in ("5LE", "5LE", "5LF"))
    assert one.tolist() == same.tolist() != other.tolist()
