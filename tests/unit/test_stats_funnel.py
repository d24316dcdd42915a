"""Funnel limits against reference figures and against the Poisson distribution itself."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm, poisson, rankdata
from scipy.stats.mstats import winsorize

from cbs_analysis.stats.funnel import overdispersion, proportion_limits, rate_limits, ratio_limits, status
from cbs_analysis.stats.intervals import proportion_interval

LEVELS = (("95", 0.95), ("998", 0.998))
SIZES = [40.0, 55, 80, 100, 120, 150, 200, 260, 300, 400, 500]
SPREAD = [1.4, 0.7, 1.2, 0.9, 1.05, 0.6, 1.3, 1.1, 0.85, 0.75, 1.25]
CASES = json.loads((Path(__file__).parent / "reference_cases/funnel_limits_proportion.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['denominator']}-{case['average']}")
def test_proportion_limits_are_the_reference_limits(case):
    limits = proportion_limits([case["denominator"]], case["average"]).iloc[0]
    wanted = [case["low_2sigma"], case["high_2sigma"], case["low_3sigma"], case["high_3sigma"]]
    assert list(limits) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@given(st.integers(500, 10**6), st.floats(0.05, 0.95))
@settings(derandomize=True)
def test_an_area_on_its_limit_has_a_wilson_interval_that_just_reaches_the_average(trials, average):
    limits = proportion_limits([trials], average).iloc[0]
    lower, _ = proportion_interval(limits["upper_95"] * trials, trials)
    _, upper = proportion_interval(limits["lower_95"] * trials, trials)
    assert (lower, upper) == pytest.approx((average, average), rel=1e-6)


@given(st.floats(0.5, 50_000))
@settings(derandomize=True)
def test_counts_outside_ratio_limits_are_those_the_poisson_distribution_finds_rare(expected):
    limits = ratio_limits([expected]).iloc[0]
    for name, tail in (("95", 0.025), ("998", 0.001)):
        below, above = (
            np.floor(limits[f"lower_{name}"] * expected),
            np.ceil(limits[f"upper_{name}"] * expected),
        )
        assert poisson.cdf(below - 1, expected) < tail
        assert poisson.cdf(below + 1, expected) > tail
        assert poisson.sf(above, expected) < tail
        assert poisson.sf(above - 3, expected) > tail


def test_the_limits_of_a_rate_at_so_many_events_are_the_public_test_values():
    limits = rate_limits([10, 1], 116.1720835)
    wanted = [[63.1701, 242.2580, 48.1363, 392.4043], [20.8506, 4588.54, 12.5817, 116_109]]
    assert limits.to_numpy() == pytest.approx(np.array(wanted), rel=5e-5)


def test_the_limit_of_a_ratio_is_the_public_test_value():
    # So many are expected that one event or none is a chance of 2.5%.
    assert ratio_limits([5.571643390938898])["lower_95"].iloc[0] == pytest.approx(1 / 5.571643390938898, rel=1e-9)


@given(st.integers(1, 10**5), st.floats(0.1, 1e4))
@settings(derandomize=True)
def test_the_limits_of_a_rate_at_so_many_events_are_where_the_exact_limits_reach_the_average(events, average):
    limits = rate_limits([events], average).iloc[0]
    for name, level in LEVELS:
        tail = (1 - level) / 2
        fewest, most = chi2.ppf(tail, 2 * events) / 2, chi2.ppf(1 - tail, 2 * events + 2) / 2
        assert limits[f"lower_{name}"] == pytest.approx(average * events / most, rel=1e-9)
        assert limits[f"upper_{name}"] == pytest.approx(average * events / fewest, rel=1e-9)


@given(st.integers(500, 10**6), st.floats(1, 5000))
@settings(derandomize=True)
def test_events_outside_the_limits_of_a_population_are_those_the_poisson_distribution_finds_rare(people, average):
    limits = rate_limits(average=average, population=[people]).iloc[0]
    expected = people * average / 100_000
    for name, level in LEVELS:
        lowest, highest = limits[f"lower_{name}"] * people / 1e5, limits[f"upper_{name}"] * people / 1e5
        tail = (1 - level) / 2
        assert poisson.cdf(np.ceil(lowest - 1e-6) - 1, expected) <= tail * (1 + 1e-6)
        assert poisson.sf(np.floor(highest + 1e-6), expected) <= tail * (1 + 1e-6)
        assert highest > expected > lowest >= 0


def test_limits_of_a_rate_keep_the_index_and_nought_has_none():
    by_events = rate_limits(pd.Series([0, 5, np.nan], index=["5LE", "5K7", "5LA"]), 50)
    by_people = rate_limits(average=50, population=pd.Series([0, 1e5, np.nan], index=["5LE", "5K7", "5LA"]))
    for limits in (by_events, by_people):
        assert limits.notna().all(axis=1).to_dict() == {"5LE": False, "5K7": True, "5LA": False}
    per_thousand = rate_limits(average=0.5, population=[1e5], per=1_000)
    assert per_thousand.to_numpy() * 100 == pytest.approx(by_people.loc[["5K7"]].to_numpy())


def by_hand(observed: np.ndarray, expected: np.ndarray, method: str) -> tuple[float, float]:
    """Phi and tau squared, area by area as the sources write them."""
    if method == "winsorised":
        z, within = 2 * (np.sqrt(observed) - np.sqrt(expected)), 1 / (2 * np.sqrt(expected))
        low, high = np.percentile(z, 10), np.percentile(z, 90)
        z = np.array([min(max(value, low), high) for value in z])
    else:
        z, within = np.log(observed / expected) * np.sqrt(expected), 1 / np.sqrt(expected)
        group = np.floor(rankdata(z) * 10 / (len(z) + 1))
        z, within = z[(group > 0) & (group < 9)], within[(group > 0) & (group < 9)]
    count, phi = len(z), sum(value**2 for value in z) / len(z)
    weight = [1 / error**2 for error in within]
    bottom = sum(weight) - sum(one**2 for one in weight) / sum(weight)
    return phi, max(0, (count * phi - (count - 1)) / bottom)


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
def test_overdispersion_is_the_sources_formula_area_by_area(method):
    expected = np.array(SIZES)
    observed = np.round(expected * SPREAD)
    found = overdispersion(observed, expected, method)
    phi, tau2 = by_hand(observed, expected, method)
    assert tau2 > 0 and (found.phi, found.tau2) == pytest.approx((phi, tau2), rel=1e-9)
    for name, level in LEVELS:
        z = norm.ppf((1 + level) / 2)
        if method == "winsorised":
            reach = z * np.sqrt(1 / (4 * expected) + tau2)
            lower, upper = np.maximum(1 - reach, 0) ** 2, (1 + reach) ** 2
        else:
            reach = z * np.sqrt(1 / expected + tau2)
            lower, upper = np.exp(-reach), np.exp(reach)
        assert found.limits[f"lower_{name}"].to_numpy() == pytest.approx(lower, rel=1e-9)
        assert found.limits[f"upper_{name}"].to_numpy() == pytest.approx(upper, rel=1e-9)


def test_drawing_in_the_tenth_at_each_end_of_eleven_areas_is_scipys_winsorising():
    # With eleven areas the tenth and ninetieth percentile are the second lowest and second highest.
    observed, expected = np.array(SIZES) * SPREAD, np.array(SIZES)
    z = winsorize(2 * (np.sqrt(observed) - np.sqrt(expected)), limits=(1 / 11, 1 / 11))
    assert overdispersion(observed, expected, "winsorised").phi == pytest.approx(float(np.mean(z**2)), rel=1e-9)


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
def test_limits_are_not_widened_where_chance_explains_the_spread(method):
    expected = np.array(SIZES)
    found = overdispersion(expected + np.array([1, -1] * 5 + [0]), expected, method)
    assert found.tau2 == 0 and found.phi < 0.1
    plain = ratio_limits(expected)
    # The scale of the root or logarithm is close to the Poisson limits and not the same.
    assert found.limits["upper_95"].to_numpy() == pytest.approx(plain["upper_95"].to_numpy(), rel=0.03)


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
def test_an_area_without_a_ratio_has_no_part_in_the_spread_and_no_limits(method):
    observed, expected = np.round(np.array(SIZES) * SPREAD), np.array(SIZES)
    more = [np.nan, *observed, 5], pd.Series([50, *expected, 0], index=range(13))
    found, wanted = overdispersion(*more, method), overdispersion(observed, expected, method)
    assert (found.phi, found.tau2) == (wanted.phi, wanted.tau2)
    assert found.limits.loc[[0, 12]].isna().all().all()
    assert found.limits[1:12].to_numpy() == pytest.approx(wanted.limits.to_numpy(), rel=1e-12)


def test_an_area_of_no_events_is_left_out_with_the_lowest_tenth_or_refused():
    expected = pd.Series([5.0] * 20)
    one = overdispersion([0, *range(1, 20)], expected, "shmi")
    assert np.isfinite(one.phi)
    with pytest.raises(ValueError, match=r"no events.*winsorised"):
        overdispersion([0] * 10 + [5] * 10, expected, "shmi")


def test_limits_narrow_towards_one_as_areas_grow():
    limits = ratio_limits([1, 10, 100, 1000, 10_000])
    assert limits["upper_998"].is_monotonic_decreasing and limits["lower_998"].is_monotonic_increasing
    assert (limits["upper_998"] > limits["upper_95"]).all() and (limits["lower_998"] <= limits["lower_95"]).all()


def test_status_says_the_side_and_the_level():
    limits = pd.DataFrame([[0.9, 1.1, 0.8, 1.2]] * 7, columns=["lower_95", "upper_95", "lower_998", "upper_998"])
    found = status([0.7, 0.85, 0.9, 1.0, 1.15, 1.3, np.nan], limits)
    assert list(found) == [
        "low (99.8%)",
        "low (95%)",
        "not significant",
        "not significant",
        "high (95%)",
        "high (99.8%)",
        "not known",
    ]


def test_limits_keep_the_index_and_a_zero_denominator_has_none():
    limits = ratio_limits(pd.Series([0, 20.0], index=["5LE", "5K7"]))
    assert limits.loc["5LE"].isna().all() and limits.loc["5K7"].notna().all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: proportion_limits([10], 1.2), "average is 1.2"),
        (lambda: proportion_limits(pd.Series([-1.0], index=["Sutton"]), 0.5), "Sutton is -1"),
        (lambda: rate_limits([5], 0), "average is 0"),
        (lambda: rate_limits([5]), "average is nan"),
        (lambda: rate_limits(average=5), "either events or population"),
        (lambda: rate_limits([5], 5, population=[5]), "either events or population"),
        (lambda: rate_limits(pd.Series([-1.0], index=["Sutton"]), 5), "events: Sutton is -1"),
        (lambda: rate_limits(average=5, population=pd.Series([-1.0], index=["Sutton"])), "population: Sutton is -1"),
        (lambda: overdispersion([1, 2, 3], [1, 2, 3], "trimmed"), "method is 'trimmed'"),
        (lambda: overdispersion([1, 2], [1, 2], "shmi"), "2 areas are known"),
        (lambda: overdispersion([1, 2, 3], [1, 2, 3, 4], "shmi"), "give as many of each"),
        (lambda: overdispersion([1, -2, 3], [1, 2, 3], "shmi"), "observed: element 1 is -2"),
        (lambda: overdispersion([1, 2, 3], pd.Series([1, 2, -3], index=list("abc")), "shmi"), "expected: c is -3"),
        (lambda: status([1.0], ratio_limits([1, 2])), "1 elements and limits 2 rows"),
        (
            lambda: status([1.0], pd.DataFrame({"lower_95": [1.0]})),
            "upper_95, lower_998, upper_998 is missing",
        ),
    ],
)
def test_an_impossible_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_areas_in_another_order_are_refused_and_not_matched_by_place():
    expected = pd.Series([90.0, 100.0, 110.0], index=["a", "b", "c"])
    limits = ratio_limits(expected)
    turned = pd.Series([1.0, 1.0, 1.0], index=["c", "b", "a"])
    with pytest.raises(ValueError, match="different indexes"):
        status(turned, limits)
    with pytest.raises(ValueError, match="different indexes"):
        overdispersion(turned, expected, "winsorised")
    assert list(status(turned, limits.reset_index(drop=True))) == ["not significant"] * 3


@pytest.mark.parametrize("expected", [1e-6, 0.001, 0.01, 0.02, 0.1, 1, 3.6])
def test_an_area_is_high_from_the_first_count_that_chance_seldom_reaches_however_few_are_expected(expected):
    limits = ratio_limits([expected] * 12)
    found = status(np.arange(12) / expected, limits)
    for count, label in enumerate(found):
        chance = poisson.sf(count - 1, expected)
        wanted = "high (99.8%)" if chance < 0.001 else "high (95%)" if chance < 0.025 else "not significant"
        assert label == wanted, count


@pytest.mark.parametrize("expected", [1e11, 3e11, 1e13, 1e15])
def test_limits_of_very_many_expected_events_are_those_of_the_normal_distribution(expected):
    limits = ratio_limits([expected]).iloc[0]
    z = norm.ppf([0.025, 0.975, 0.001, 0.999])
    wanted = 1 + z / np.sqrt(expected)
    assert limits.to_numpy() == pytest.approx(wanted, rel=1e-10)
    assert rate_limits(population=[expected], average=100_000)["upper_95"].iloc[0] == pytest.approx(
        100_000 * wanted[1], rel=1e-10
    )


@pytest.mark.parametrize("scale", [0.1, 3, 10, 1000])
def test_scaling_values_and_limits_changes_no_label(scale):
    expected = np.array([0.3, 7.0, 100.0])
    limits = ratio_limits(expected)
    for column in limits:
        assert set(status(limits[column] * scale, limits * scale)) <= {"not significant", "low (95%)", "high (95%)"}
        assert status(limits[column] * scale, limits * scale).tolist() == status(limits[column], limits).tolist()
        assert status((limits[column] / 3) * 3, limits).tolist() == status(limits[column], limits).tolist()
