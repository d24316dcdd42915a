"""What standardised rates and life tables must do whatever the figures are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbs_analysis.stats.life_tables import life_expectancy
from cbs_analysis.stats.rates import crude_rate
from cbs_analysis.stats.standardisation import (
    direct_rate,
    direct_rate_repeat_events,
    expected_events,
    indirect_rate,
    indirect_ratio,
)

pytestmark = pytest.mark.slow
AGES = [0, 1, *range(5, 95, 5)]
PEOPLE = np.array([7060, 35059, 46974, 48489, 43219, 38561, 46009, 57208, 61435, 55601, 50209, 56416, 46411, 39820,
                   37978, 37039, 33288, 23306, 11936, 11936.0])  # fmt: skip

bands = st.lists(st.tuples(st.integers(0, 500), st.integers(500, 100_000)), min_size=2, max_size=19).filter(
    lambda pairs: sum(events for events, _ in pairs) >= 10
)
# From 0.4 a year a band of five years has nobody left at its end, and no table goes on.
death_rates = st.lists(st.floats(1e-5, 0.19), min_size=20, max_size=20)


def as_frame(pairs: list[tuple[int, int]]) -> pd.DataFrame:
    return pd.DataFrame(pairs, columns=["events", "people"], dtype=float)


def at_each_age(rates: list[float], times: float = 1) -> pd.DataFrame:
    people = PEOPLE * times
    frame = pd.DataFrame({"age": AGES, "people": people, "deaths": people * np.array(rates)})
    return life_expectancy(frame, None, "age", "people", "deaths")


@given(bands)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_standardised_to_its_own_people_an_area_has_its_crude_rate(pairs):
    frame = as_frame(pairs)
    direct = direct_rate(frame, None, "events", "people", "people")["value"].iloc[0]
    crude = crude_rate(frame["events"].sum(), frame["people"].sum())["value"].iloc[0]
    assert direct == pytest.approx(crude, rel=1e-9)


@given(bands)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_the_reference_has_as_many_events_as_it_is_expected_to(pairs):
    frame = as_frame(pairs)
    expected = expected_events(frame, None, "people", "events", "people")["expected"].iloc[0]
    assert expected == pytest.approx(frame["events"].sum(), rel=1e-9)
    assert indirect_ratio(frame["events"].sum(), expected)["value"].iloc[0] == pytest.approx(1, rel=1e-9)
    rate = frame["events"].sum() / frame["people"].sum()
    assert indirect_rate(frame["events"].sum(), expected, rate)["value"].iloc[0] == pytest.approx(rate * 1e5, rel=1e-9)


@given(bands, st.floats(0.1, 10))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_the_same_rates_at_all_ages_make_the_standard_immaterial(pairs, times):
    frame = as_frame(pairs).assign(events=lambda given: given["people"] * 0.002 * times)
    rates = [direct_rate(frame, None, "events", "people", standard)["value"].iloc[0] for standard in (
        "people", np.arange(1, len(frame) + 1), np.arange(len(frame), 0, -1))]  # fmt: skip
    wanted = 200 * times if frame["events"].sum() >= 10 else np.nan
    assert rates == pytest.approx([wanted] * 3, rel=1e-9, nan_ok=True)


@given(bands, st.integers(2, 6))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_people_with_several_events_each_make_limits_wider_than_as_many_people_with_one(pairs, times):
    frame = as_frame(pairs).assign(area="a", band=range(len(pairs)), frequency=times, standard=1.0)
    repeated = direct_rate_repeat_events(frame, "area", "band", "events", "frequency", "people", "standard").iloc[0]
    summed = frame.assign(events=frame["events"] * times)
    plain = direct_rate(summed, "area", "events", "people", "standard").iloc[0]
    assert repeated["value"] == pytest.approx(plain["value"], rel=1e-9)
    width, plain_width = (found["upper"] - found["lower"] for found in (repeated, plain))
    assert width == pytest.approx(plain_width * times**0.5, rel=1e-9)


@given(death_rates, st.integers(0, 19), st.floats(1.05, 2))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_life_expectancy_falls_at_every_age_up_to_one_whose_death_rate_rises(rates, at, times):
    more = [rate * times if place == at else rate for place, rate in enumerate(rates)]
    before, after = at_each_age(rates)["life_expectancy"], at_each_age(more)["life_expectancy"]
    known = (before.notna() & after.notna()).to_numpy()
    younger = np.arange(20) <= at
    fell, alike = (after < before).to_numpy(), np.isclose(after, before, rtol=1e-12)
    # Where hardly anybody lives to that age, the fall at birth is less than a computer's last digit.
    reached = np.cumprod([1, *(1 - 5 * np.array(rates[:-1])).clip(0)])[at] > 1e-6
    assert (fell | alike)[known].all()
    assert not reached or fell[known & younger].all()
    assert alike[known & ~younger].all()


@given(death_rates)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_life_expectancy_lies_inside_its_limits_and_nobody_lives_less_than_no_time(rates):
    found = at_each_age(rates)
    known = found["life_expectancy"].notna()
    assert ((found["lower"] <= found["life_expectancy"]) & (found["life_expectancy"] <= found["upper"]))[known].all()
    assert (found["life_expectancy"][known] >= 0).all()


@pytest.mark.parametrize("rate", [0.01, 0.02, 0.1])
def test_with_one_death_rate_at_all_ages_life_expectancy_is_about_one_over_it(rate):
    # Chiang's bands hold rates level within a band only by approximation: exactly 1 / rate at 90.
    found = at_each_age([rate] * 20, times=100)["life_expectancy"]
    assert found[90] == pytest.approx(1 / rate, rel=1e-9)
    assert found.to_numpy() == pytest.approx(1 / rate, rel=0.02)
