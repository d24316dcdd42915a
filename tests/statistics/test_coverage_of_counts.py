"""Do 95% intervals of counts and proportions hold the truth 95% of the time? Added up exactly, not simulated.

A count takes whole values only, so its coverage moves up and down with the truth. The claim of 93 to 97% holds from
20 expected events for counts, and from 10 expected events and 10 expected others for proportions. Below that the
limits of a count are wider than they need be, never narrower; those of a proportion are about right on average and
may be too narrow for one truth.
"""

from collections.abc import Callable

import numpy as np
import pytest
from chances import CLAIMED
from scipy.stats import binom, poisson

from cbs_analysis.stats.intervals import byar_interval, count_interval, proportion_interval
from cbs_analysis.stats.rates import crude_rate
from cbs_analysis.stats.standardisation import indirect_ratio

pytestmark = pytest.mark.slow
COUNTS = np.arange(0, 12_000)
FEW = np.geomspace(0.01, 20, 2_000)
MANY = np.geomspace(20, 10_000, 4_000)
POPULATION, EXPECTED = 40_000.0, 62.5
Limits = tuple[np.ndarray, np.ndarray]


def rate_as_counts() -> Limits:
    rate = crude_rate(COUNTS, POPULATION)
    return rate["lower"].to_numpy() * POPULATION / 1e5, rate["upper"].to_numpy() * POPULATION / 1e5


def ratio_as_counts() -> Limits:
    ratio = indirect_ratio(COUNTS, EXPECTED, per=100)
    return ratio["lower"].to_numpy() * EXPECTED / 100, ratio["upper"].to_numpy() * EXPECTED / 100


INTERVALS: dict[str, Callable[[], Limits]] = {
    "count": lambda: count_interval(COUNTS),
    "byar": lambda: byar_interval(COUNTS),
    "crude rate": rate_as_counts,
    "indirect ratio": ratio_as_counts,
}


def coverage(limits: Limits, truths: np.ndarray, distribution: Callable[[np.ndarray], object]) -> np.ndarray:
    """The chance that the limits hold each truth; limits rise with the count, so those that do stand together."""
    lower, upper = np.nan_to_num(limits[0]), limits[1]
    first, last = np.searchsorted(upper, truths, "left"), np.searchsorted(lower, truths, "right") - 1
    drawn = distribution(truths)
    return drawn.cdf(last) - drawn.cdf(first - 1)


@pytest.mark.parametrize("interval", INTERVALS)
def test_limits_of_a_count_hold_the_truth_as_often_as_claimed_from_twenty_events(interval):
    chance = coverage(INTERVALS[interval](), MANY, poisson)
    assert CLAIMED[0] <= chance.min() and chance.max() <= CLAIMED[1]
    large = coverage(INTERVALS[interval](), np.geomspace(1_000, 10_000, 500), poisson)
    assert large.mean() == pytest.approx(0.95, abs=0.002)


@pytest.mark.parametrize("interval", INTERVALS)
def test_limits_of_a_count_never_hold_the_truth_less_often_than_95_times_in_100(interval):
    chance = coverage(INTERVALS[interval](), np.concatenate([FEW, MANY]), poisson)
    assert chance.min() >= 0.95


def test_limits_of_a_handful_of_events_are_wider_than_they_need_be():
    chance = coverage(count_interval(COUNTS), np.geomspace(0.05, 3, 500), poisson)
    assert chance.min() > CLAIMED[1]


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.998])
def test_exact_limits_of_fewer_than_ten_events_keep_their_level_whatever_it_is(confidence):
    # Ten events, where the exact limits end, are not consistent with a truth of 2 or less at these levels.
    chance = coverage(count_interval(np.arange(10), confidence), np.geomspace(0.01, 2, 500), poisson)
    assert chance.min() >= confidence


@pytest.mark.parametrize("trials", [50, 100, 500, 5_000, 50_000])
def test_wilson_limits_hold_the_truth_as_often_as_claimed_from_ten_events_and_ten_others(trials):
    limits = proportion_interval(np.arange(trials + 1), np.full(trials + 1, trials))
    rarer = np.geomspace(10 / trials, 0.5, 2_000)
    truths = np.concatenate([rarer, 1 - rarer])
    chance = coverage(limits, truths, lambda truth: binom(trials, truth))
    assert CLAIMED[0] <= chance.min() and chance.max() <= CLAIMED[1]
    assert chance.mean() == pytest.approx(0.95, abs=0.002)


@pytest.mark.parametrize("trials", [20, 100, 5_000])
def test_wilson_limits_of_fewer_events_are_right_on_average_and_not_for_each_truth(trials):
    limits = proportion_interval(np.arange(trials + 1), np.full(trials + 1, trials))
    chance = coverage(limits, np.linspace(0.01 / trials, 10 / trials, 4_001), lambda truth: binom(trials, truth))
    assert chance.mean() == pytest.approx(0.95, abs=0.01)
    assert 0.83 < chance.min() < 0.84, "where a fifth of an event is expected"
