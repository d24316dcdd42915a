"""Funnel limits against reference figures and against the Poisson distribution itself."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from cbs_analysis.stats.funnel import proportion_limits, ratio_limits, status
from cbs_analysis.stats.intervals import proportion_interval

CASES = json.loads((Path(__file__).parent / "reference_cases/funnel_limits_proportion.json").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['denominator']}-{case['average']}")
def test_proportion_limits_are_the_reference_limits(case):
    limits = proportion_limits([case["denominator"]], case["average"]).iloc[0]
    wanted = [case["low_2sigma"], case["high_2sigma"], case["low_3sigma"], case["high_3sigma"]]
    assert list(limits) == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@given(st.integers(500, 10**6), st.floats(0.05, 0.95))
def test_an_area_on_its_limit_has_a_wilson_interval_that_just_reaches_the_average(trials, average):
    limits = proportion_limits([trials], average).iloc[0]
    lower, _ = proportion_interval(limits["upper_95"] * trials, trials)
    _, upper = proportion_interval(limits["lower_95"] * trials, trials)
    assert (lower, upper) == pytest.approx((average, average), rel=1e-6)


@given(st.floats(0.5, 50_000))
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
