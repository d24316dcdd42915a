"""How often do funnels, process charts and trends mark what is only chance?

Funnels are added up exactly over the counts an area can have. Overdispersed limits, process charts and trends are
simulated with fixed seeds.
"""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from chances import STANDARD_ERRORS, within_chance_of
from scipy.stats import binom, norm, poisson

from cbs_analysis.stats.funnel import (
    LEVELS,
    overdispersion,
    proportion_limits,
    rate_limits,
    ratio_limits,
    status,
    widened_limits,
)
from cbs_analysis.stats.intervals import count_interval
from cbs_analysis.stats.spc import xmr
from cbs_analysis.stats.trend import recent_trend

pytestmark = pytest.mark.slow
PAGE = next((Path(__file__).resolve().parents[2] / "book/methods").glob("process-charts.*"))
AREAS, FUNNELS = 150, 300
OUTSIDE = {"Above UCL", "Below LCL"}


def flagged(values: np.ndarray, chance: np.ndarray, limits: pd.DataFrame) -> dict[str, float]:
    """The chance of a value outside each pair of limits, by `status`, given the chance of each value."""
    repeated = pd.DataFrame(np.repeat(limits.to_numpy(), len(values), axis=0), columns=limits.columns)
    found = pd.Series(status(values, repeated)).str.extract(r"\((.+)%\)", expand=False)
    clear = chance[(found == "99.8").to_numpy()].sum()
    return {"95": clear + chance[(found == "95").to_numpy()].sum(), "998": clear}


def of_proportion(trials: int, average: float) -> dict[str, float]:
    events = np.arange(trials + 1)
    return flagged(events / trials, binom.pmf(events, trials, average), proportion_limits([trials], average))


def of_ratio(expected: float) -> dict[str, float]:
    events = np.arange(int(3 * expected) + 60)
    return flagged(events / expected, poisson.pmf(events, expected), ratio_limits([expected]))


def of_rate_by_population(expected: float) -> dict[str, float]:
    events, people = np.arange(int(3 * expected) + 60), expected / 80 * 1e5
    limits = rate_limits(average=80, population=[people])
    return flagged(events / people * 1e5, poisson.pmf(events, expected), limits)


def of_rate_by_events(expected: float) -> dict[str, float]:
    """Limits at the number of events that each area drew, and its own rate held against them."""
    events, people = np.arange(1, int(3 * expected) + 60), expected / 80 * 1e5
    limits, rate, chance = rate_limits(events, 80), events / people * 1e5, poisson.pmf(events, expected)
    return {
        name: chance[((rate < limits[f"lower_{name}"]) | (rate > limits[f"upper_{name}"])).to_numpy()].sum()
        for name in LEVELS
    }


@pytest.mark.parametrize("average", [0.02, 0.1, 0.3, 0.5])
@pytest.mark.parametrize("events", [50, 200, 1_000])
def test_a_funnel_of_proportions_flags_about_as_many_areas_as_it_says(events, average):
    share = of_proportion(round(events / average), average)
    assert 0.001 < share["998"] < 0.003 and 0.04 < share["95"] < 0.06


def test_a_funnel_of_few_events_flags_two_to_three_times_as_many_as_it_says():
    # The limits lie as far below the average as above, and counts do not.
    share = [of_proportion(trials, 5 / trials)["998"] for trials in (100, 500, 5_000)]
    assert all(0.004 < of < 0.006 for of in share)


@pytest.mark.parametrize("funnel", [of_ratio, of_rate_by_population, of_rate_by_events])
def test_an_exact_funnel_never_flags_more_areas_than_it_says(funnel):
    for expected in np.geomspace(0.2, 5_000, 120):
        share = funnel(expected)
        assert share["998"] <= 0.002 and share["95"] <= 0.05


@pytest.mark.parametrize("funnel", [of_ratio, of_rate_by_population, of_rate_by_events])
@pytest.mark.parametrize("expected", [300, 1_000, 5_000])
def test_an_exact_funnel_of_large_areas_flags_as_many_as_it_says(funnel, expected):
    share = funnel(expected)
    assert share["998"] > 0.0017 and share["95"] > 0.046


def drawn_areas(method: str, tau: float, expected: float, generator: np.random.Generator) -> np.ndarray:
    """Ratios of in-control areas: their own levels spread by `tau` on the method's scale, and counts by chance."""
    spread = tau * generator.standard_normal(AREAS)
    level = (1 + spread) ** 2 if method == "winsorised" else np.exp(spread)
    return generator.poisson(expected * level) / expected


def simulated_flags(method: str, tau: float, expected: float, known: bool) -> dict[str, float]:
    generator = np.random.default_rng(20_066)
    outside = dict.fromkeys(LEVELS, 0)
    for _ in range(FUNNELS):
        ratio = drawn_areas(method, tau, expected, generator)
        if known:
            limits = widened_limits(np.full(AREAS, expected), tau**2, method)
        else:
            limits = overdispersion(ratio * expected, np.full(AREAS, expected), method).limits
        for name in LEVELS:
            outside[name] += int(((ratio < limits[f"lower_{name}"]) | (ratio > limits[f"upper_{name}"])).sum())
    return {name: count / (AREAS * FUNNELS) for name, count in outside.items()}


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
@pytest.mark.parametrize("tau", [0.05, 0.2])
def test_limits_widened_by_the_true_spread_flag_as_many_areas_as_they_say(method, tau):
    share = simulated_flags(method, tau, 4_000.0, known=True)
    assert all(within_chance_of(share[name], 1 - level, AREAS * FUNNELS) for name, level in LEVELS.items())


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
def test_overdispersed_limits_flag_as_many_areas_as_they_say_where_only_chance_is_at_work(method):
    share = simulated_flags(method, 0.0, 4_000.0, known=False)
    assert all(within_chance_of(share[name], 1 - level, AREAS * FUNNELS) for name, level in LEVELS.items())


@pytest.mark.parametrize("method", ["winsorised", "shmi"])
@pytest.mark.parametrize("tau", [0.1, 0.2])
def test_overdispersed_limits_by_a_spread_without_its_tails_flag_as_many_more_as_that_leaves_out(method, tau):
    # Of normal z-scores alone: spread judged with the outer fifteen of 150 drawn in to the percentile, or left out.
    z = np.sort(np.random.default_rng(20_071).standard_normal((10_000, AREAS)), axis=1)
    drawn_in = np.clip(z, *np.quantile(z, [0.1, 0.9], axis=1)[..., None])
    kept = drawn_in if method == "winsorised" else z[:, 15:-15]
    spread = np.sqrt(np.mean(kept**2, axis=1, keepdims=True))
    share = simulated_flags(method, tau, 20_000.0, known=False)
    for name, level in LEVELS.items():
        wanted = float(np.mean(np.abs(z) > norm.ppf((1 + level) / 2) * spread))
        assert within_chance_of(share[name], wanted, AREAS * FUNNELS)
    assert share["998"] > (0.009 if method == "winsorised" else 0.033), "as the docstring of overdispersion says"


def stated_rates() -> dict[str, list[float]]:
    """The table of the methods' page: for charts of 24 and 36 months, per cent."""
    rows = re.findall(r"\| ((?:Charts|Months) [^|]+?) \| ([\d.]+)% \| ([\d.]+)% \|", PAGE.read_text("utf-8"))
    return {name: [float(of_24), float(of_36)] for name, of_24, of_36 in rows}


@pytest.mark.parametrize(("months", "place"), [(24, 0), (36, 1)])
def test_process_charts_of_chance_alone_are_marked_as_often_as_their_page_states(months, place):
    charts = 4_000
    values = np.random.default_rng(20_067 + months).standard_normal((charts, months))
    labels = np.array([xmr(series)["special_cause"].to_numpy() for series in values])
    marked, outside = labels != "Common Cause", np.isin(labels, list(OUTSIDE))
    found = {
        "Charts with a point outside the limits": outside.any(axis=1),
        "Charts with a mark by any of the four rules": marked.any(axis=1),
        "Months outside the limits": outside.mean(axis=1),
        "Months marked by any of the four rules": marked.mean(axis=1),
    }
    stated = stated_rates()
    assert set(stated) == set(found)
    for name, of_chart in found.items():
        share, chance = 100 * of_chart.mean(), 100 * of_chart.std() / np.sqrt(charts)
        rounding = 0.5 if name.startswith("Charts") else 0.05
        assert abs(share - stated[name][place]) <= STANDARD_ERRORS * chance + rounding, name


def trends_named(frame: pd.DataFrame, **columns: str) -> float:
    return float(recent_trend(frame, "area", "year", **columns)["trend"].isin(["increasing", "decreasing"]).mean())


def five_years(areas: int, **columns: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"area": np.repeat(np.arange(areas), 5), "year": np.tile(np.arange(5), areas), **columns})


def test_a_trend_is_named_by_chance_once_in_five_hundred_times():
    # Leaving out one point hardly ever takes a trend away that chance has made.
    areas, z = 200_000, norm.ppf(0.975)
    values = np.random.default_rng(20_068).standard_normal(areas * 5)
    frame = five_years(areas, value=values, lower=values - z, upper=values + z)
    assert within_chance_of(trends_named(frame, value="value", lower="lower", upper="upper"), 0.002, areas)


@pytest.mark.parametrize("events", [10, 50, 1_000])
def test_a_trend_of_counts_is_named_by_chance_about_once_in_five_hundred_times(events):
    areas = 100_000
    counts = np.random.default_rng(20_069).poisson(events, areas * 5).astype(float)
    lower, upper = count_interval(counts)
    frame = five_years(areas, value=counts, lower=lower, upper=upper)
    assert 0.001 < trends_named(frame, value="value", lower="lower", upper="upper") < 0.003


@pytest.mark.parametrize(("trials", "share"), [(100, 0.05), (100, 0.3), (3_000, 0.17)])
def test_a_trend_of_proportions_is_named_by_chance_about_once_in_five_hundred_times(trials, share):
    areas = 100_000
    counts = np.random.default_rng(20_070).binomial(trials, share, areas * 5).astype(float)
    frame = five_years(areas, events=counts, trials=np.full(areas * 5, float(trials)))
    assert 0.001 < trends_named(frame, events="events", trials="trials") < 0.003
