"""Life expectancy against reference figures and published test values, and its conventions."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from cbs_analysis.stats.life_tables import life_expectancy

CASES = json.loads((Path(__file__).parent / "reference_cases/life_expectancy.json").read_text("utf-8"))
AGES = [0, 1, *range(5, 95, 5)]
WORDS = ["0", "1-4", "5–9", "10 – 14", *(f"{age}-{age + 4}" for age in range(15, 90, 5)), "90 +"]
POPULATION = [7060, 35059, 46974, 48489, 43219, 38561, 46009, 57208, 61435, 55601, 50209, 56416, 46411, 39820, 37978,
              37039, 33288, 23306, 11936, 11936]  # fmt: skip
DEATHS = [17, 9, 4, 8, 20, 15, 24, 33, 50, 71, 100, 163, 263, 304, 536, 872, 1390, 1605, 1936, 1937]
COLUMNS = ["life_expectancy", "lower", "upper"]


def table(area: str = "Southwark", times: float = 1, **changed: list) -> pd.DataFrame:
    columns = {"age": AGES, "population": np.array(POPULATION) * times, "deaths": np.array(DEATHS) * times, **changed}
    return pd.DataFrame(columns).assign(area=area)


def with_value(values: list, age: int, value: float) -> list:
    return [value if at == age else given for at, given in zip(AGES, values, strict=True)]


def lives(frame: pd.DataFrame, **options: object) -> pd.DataFrame:
    return life_expectancy(frame, "area", "age", "population", "deaths", **options)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['total_population']} people")
def test_life_expectancy_is_the_reference_figure(case):
    frame = table(population=case["population"], deaths=case["deaths"], age=case["start_ages"])
    found = lives(frame, confidence=case["confidence"])
    assert list(found.index) == [("Southwark", age) for age in AGES]
    for column in COLUMNS:
        wanted = [np.nan if value is None else value for value in case["expected"][column]]
        assert found[column].to_numpy() == pytest.approx(wanted, rel=1e-9, nan_ok=True)


@pytest.mark.parametrize(
    ("age", "wanted"),
    [
        (0, [80.16960813, 79.88268548, 80.45653078]),
        (20, [60.67510088, 60.41876577, 60.931436]),
        (90, [6.16210635, 5.887683386, 6.436529314]),
    ],
)
def test_life_expectancy_is_the_published_test_value(age, wanted):
    # The published limits are 1.96 standard errors away.
    found = lives(table(), confidence=2 * norm.cdf(1.96) - 1).loc[("Southwark", age)]
    assert found.tolist()[:3] == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("ages", [AGES, WORDS, [f"aged {word}" for word in WORDS], pd.Categorical(WORDS)])
def test_ages_may_be_numbers_or_text_and_their_rows_in_any_order(ages):
    frame = table(age=ages)
    shuffled = frame.iloc[np.random.default_rng(3).permutation(20)]
    pd.testing.assert_frame_equal(lives(shuffled), lives(table()))


def test_groups_keep_their_order_and_do_not_touch_each_other():
    both = pd.concat([table("Sutton", 2), table("Bexley", 3)]).sample(frac=1, random_state=5)
    first = both["area"].iloc[0]
    found = lives(both)
    assert found.index.get_level_values("area")[0] == first
    for area, times in (("Sutton", 2), ("Bexley", 3)):
        pd.testing.assert_frame_equal(found.loc[[area]], lives(table(area, times)))


def test_a_frame_of_one_group_is_indexed_by_age_and_an_empty_one_gives_no_rows():
    found = life_expectancy(table(), None, "age", "population", "deaths")
    assert list(found.index) == AGES and found.index.name == "age"
    assert lives(table()[:0]).empty


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"population": with_value(POPULATION, 30, 0)}, "population is 0, negative or missing at an age"),
        ({"population": with_value(POPULATION, 30, np.nan)}, "population is 0, negative or missing at an age"),
        ({"population": with_value(POPULATION, 30, -5)}, "population is 0, negative or missing at an age"),
        ({"deaths": with_value(DEATHS, 30, np.nan)}, "deaths are missing at an age"),
        ({"deaths": with_value(DEATHS, 30, 57209)}, "deaths exceed population at an age"),
        ({"deaths": with_value(DEATHS, 90, 0)}, "nobody died at 90 and over"),
        ({"population": [250.0] * 20, "deaths": [10.0] * 20}, "population is 5,000 or fewer in all"),
    ],
    ids=["nobody in a band", "population missing", "population negative", "deaths missing", "more deaths than people",
         "nobody died at 90", "5,000 people in all"],
)  # fmt: skip
def test_a_group_without_a_sound_life_table_is_missing_and_leaves_the_others_alone(changed, reason):
    found = lives(pd.concat([table("Sutton", **changed), table("Bexley")]))
    assert found.loc["Sutton"].drop(columns="reason").isna().all().all()
    assert (found.loc["Sutton", "reason"] == reason).all() and (found.loc["Bexley", "reason"] == "").all()
    pd.testing.assert_frame_equal(found.loc[["Bexley"]], lives(table("Bexley")))


def test_a_group_that_lacks_an_age_says_so_and_leaves_the_others_alone():
    found = lives(pd.concat([table("Sutton")[1:], table("Bexley")]))
    assert (
        found.loc["Sutton", "life_expectancy"].isna().all()
        and (found.loc["Sutton", "reason"] == "no row for age 0").all()
    )
    pd.testing.assert_frame_equal(found.loc[["Bexley"]], lives(table("Bexley")))


def test_5001_people_are_enough_and_bands_without_deaths_do_no_harm():
    found = lives(table(population=[250.0] * 19 + [251], deaths=[0.0] * 15 + [5, 10, 20, 30, 50]))
    assert found.notna().all().all() and (found["upper"] > found["life_expectancy"]).all()


def test_a_life_expectancy_with_limits_twenty_years_apart_is_not_given_and_its_limits_are():
    few = lives(table(population=[260.0] * 20, deaths=[0.0] * 19 + [1]))
    width = few["upper"] - few["lower"]
    assert (width > 20).all() and few["life_expectancy"].isna().all()
    # At other levels the rule still goes by the 95% interval.
    assert (
        lives(table(population=[260.0] * 20, deaths=[0.0] * 19 + [1]), confidence=0.5)["life_expectancy"].isna().all()
    )
    assert lives(table(), confidence=0.998)["life_expectancy"].notna().all()


def test_a_band_that_nobody_lives_through_ends_the_table():
    found = lives(table(deaths=with_value(DEATHS, 85, 11936)))
    assert np.isfinite(found["life_expectancy"]).all()
    assert found.loc[("Southwark", 0), "life_expectancy"] < lives(table()).loc[("Southwark", 0), "life_expectancy"]


def test_more_confidence_is_wider_and_more_people_are_narrower():
    usual, sure, large = lives(table()), lives(table(), confidence=0.998), lives(table(times=100))
    assert (sure["lower"] < usual["lower"]).all() and (sure["upper"] > usual["upper"]).all()
    ratio = (usual["upper"] - usual["lower"]) / (large["upper"] - large["lower"])
    assert ratio.to_numpy() == pytest.approx(10, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: lives(table(deaths=with_value(DEATHS, 5, -1))), "deaths: Southwark has -1"),
        (lambda: lives(table(age=[0, 1, 1, *AGES[3:]])), "age: Southwark has 1; age must stand once"),
        (lambda: lives(table(age=[0, 1, 7, *AGES[3:]])), "age: Southwark has 7; age must be 0, 1, 5, 10"),
        (lambda: lives(table(age=["born", *WORDS[1:]])), "age: Southwark has born"),
        (lambda: lives(table(age=[np.nan, *AGES[1:]])), "age: Southwark has nan"),
        (lambda: lives(table(), confidence=95), "between 0 and 1"),
        (lambda: lives(table(), confidence=0), "between 0 and 1"),
        (lambda: lives(table().drop(columns="deaths")), "no column deaths"),
    ],
)
def test_an_impossible_input_is_refused_and_the_group_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
