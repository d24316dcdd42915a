"""Recording breaks: three that the published monthly activity return is known to hold, and what is none."""

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.stats.breaks import step_changes
from cbs_analysis.stats.calendar import working_days

MONTHS = pd.period_range("2008-04", "2011-03", freq="M")
# Monthly Activity Return, commissioner based, April 2008 to March 2011.
LEWISHAM_OTHER_REFERRALS = """
2177 2088 2149 2382 2064 2296 2163 2066 1915 2015 1891 2523 2178 2295 2367 2409 2058 2423 2492 2426
2264 2218 1958 2525 2775 2657 2844 2962 5255 5121 4802 4787 3828 4405 4364 4942
"""
BROMLEY_OTHER_REFERRALS = """
1191 1137 1199 910 907 1069 1146 901 732 743 664 879 853 657 731 710 525 621 1577 1543 2132 1908
1959 2350 3808 3801 4145 3975 3765 3836 3916 4241 3474 4003 3834 4720
"""
HARROW_OTHER_REFERRALS = """
1940 1709 1862 2085 1641 1905 2067 1744 1628 1866 1721 1989 2185 2058 2350 2439 2059 2291 2478 2306
2015 2151 2084 2536 1669 1671 2081 2031 1657 1966 2057 1880 1569 1642 1552 1890
"""


def months_of(published: str) -> np.ndarray:
    return np.array([float(count) for count in published.split()])


def found_in(published: str) -> list[tuple[str, str]]:
    found = step_changes(months_of(published), working_days(MONTHS))
    return [(str(MONTHS[row.position]), row.kind) for row in found.itertuples()]


def test_lewisham_other_referrals_step_up_in_august_2010():
    assert found_in(LEWISHAM_OTHER_REFERRALS) == [("2010-08", "step")]


def test_bromley_other_referrals_are_low_until_october_2009():
    assert ("2009-10", "step") in found_in(BROMLEY_OTHER_REFERRALS)


def test_a_series_that_moves_with_care_has_no_step():
    assert found_in(HARROW_OTHER_REFERRALS) == []


def test_one_stray_month_is_a_single_month_and_no_step():
    counts = np.array([1000.0, 1030, 990, 1010, 1020, 980] * 4)
    counts[9] = 420
    found = step_changes(counts)
    assert found[["position", "kind"]].to_numpy().tolist() == [[9, "single month"]]
    assert found["ratio"][0] == pytest.approx(0.42, abs=0.02)


def test_growth_and_season_are_no_break():
    months = np.arange(36)
    counts = 1000 * 1.01**months * (1 + 0.1 * np.sin(2 * np.pi * months / 12))
    assert step_changes(counts).empty


def test_a_gap_is_not_a_break_and_hides_none():
    counts = np.array([1000.0, 1030, 990, 1010, 1020, 980] * 4)
    counts[12:] *= 2
    counts[7] = np.nan
    assert step_changes(counts)[["position", "kind"]].to_numpy().tolist() == [[12, "step"]]


def test_a_series_too_short_to_tell_has_none_and_keeps_the_columns():
    assert list(step_changes([1, 2, 300]).columns) == ["position", "kind", "ratio"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: step_changes([1, -4, 3]), "element 1 is -4"),
        (lambda: step_changes([1, 2, 3], [20, 0, 21]), "exposure: element 1 is 0"),
        (lambda: step_changes([1, 2, 3], [20, 21]), "equally long"),
    ],
)
def test_an_impossible_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()


@pytest.mark.parametrize(
    ("frequency", "length", "at"), [("W-SUN", 156, 80), ("M", 36, 20), ("Q-MAR", 24, 12), ("Y-MAR", 20, 10)]
)
def test_a_step_is_seen_in_periods_of_any_length_and_growth_of_five_percent_a_year_is_none(frequency, length, at):
    periods = pd.period_range("2001-01-07", periods=length, freq=frequency)
    per_year = {"W": 52, "M": 12, "Q": 4, "Y": 1}[frequency[0]]
    growing = pd.Series(1000 * 1.05 ** (np.arange(length) / per_year), index=periods)
    growing *= np.tile([1.0, 1.02, 0.98, 1.01], length // 4 + 1)[:length]
    assert step_changes(growing).empty
    assert step_changes(growing * np.where(np.arange(length) >= at, 1.6, 1))[
        ["position", "kind"]
    ].to_numpy().tolist() == [[at, "step"]]


@pytest.mark.parametrize("scale", [0.1, 10, 1000])
def test_scaling_a_series_changes_no_step(scale):
    counts = np.r_[np.full(18, 1000.0), np.full(18, 1000 * np.exp(0.3))]
    assert step_changes(counts * scale)["position"].tolist() == step_changes(counts)["position"].tolist() == [18]
