"""Recent trend against public test values and a chi-squared test written out, and its rules."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import chi2, chi2_contingency, norm

from cbs_analysis.stats.trend import CHI_SQUARED, recent_trend

Z = norm.ppf(0.975)
STEADY = [10.0, 11, 12, 13, 14]
PUBLIC = [
    ("621/3454 599/3195 556/3256 535/3227 447/3121", "decreasing"),
    ("2157/3454 2090/3195 2194/3256 2134.81/3152 2094/3062", "increasing"),
    ("8116/91530 8145/91773 8222/92088 8506/92238 8728/92665.89", "increasing"),
    ("5405/18095 5500/18170 5435/18005 5480/17890 5315/17860", "no significant change"),
    ("621/3454 599/3195 556/3256 535/3227", "cannot be calculated"),
]


def values_of(values: list, error: object = 0.1, area: str = "Southwark", **changed: list) -> pd.DataFrame:
    frame = pd.DataFrame({"year": range(2001, 2001 + len(values)), "value": values, "error": error, **changed})
    return frame.assign(area=area, lower=frame["value"] - Z * frame["error"], upper=frame["value"] + Z * frame["error"])


def trend_of(frame: pd.DataFrame, **options: object) -> pd.DataFrame:
    return recent_trend(frame, "area", "year", "value", "lower", "upper", **options)


def proportions_of(events: list, trials: list, area: str = "Southwark") -> pd.DataFrame:
    return pd.DataFrame({"year": range(2001, 2001 + len(events)), "events": events, "trials": trials, "area": area})


def share_trend_of(frame: pd.DataFrame) -> pd.DataFrame:
    return recent_trend(frame, "area", "year", events="events", trials="trials")


@pytest.mark.parametrize(("series", "wanted"), PUBLIC, ids=[wanted for _, wanted in PUBLIC])
def test_the_trend_of_proportions_is_the_public_test_value(series, wanted):
    pairs = [tuple(map(float, point.split("/"))) for point in series.split()]
    found = share_trend_of(proportions_of(*map(list, zip(*pairs, strict=True)))).loc["Southwark"]
    assert found["trend"] == wanted


def test_the_least_chi_squared_is_that_of_one_chance_in_five_hundred():
    assert pytest.approx(chi2.isf(0.002, 1), abs=5e-5) == CHI_SQUARED


def test_slope_and_chi_squared_are_those_of_a_weighted_line():
    values, error = [10.0, 10.8, 12.5, 12.9, 14.4], np.array([0.3, 0.5, 0.4, 0.2, 0.6])
    found = trend_of(values_of(values, error)).loc["Southwark"]
    (slope, _), covariance = np.polyfit(range(5), values, 1, w=1 / error, cov="unscaled")
    assert found["slope"] == pytest.approx(slope, rel=1e-9)
    assert found["chi_squared"] == pytest.approx(slope**2 / covariance[0, 0], rel=1e-9)
    wider = values_of(values, error * norm.ppf(0.999) / Z)
    assert trend_of(wider, confidence=0.998).loc["Southwark", "chi_squared"] == pytest.approx(found["chi_squared"])


def test_chi_squared_of_proportions_is_armitages_and_the_slope_that_of_the_logits():
    events, trials = np.array([30, 41, 38, 55, 60]), np.array([100, 120, 90, 110, 130])
    found = share_trend_of(proportions_of(events, trials)).loc["Southwark"]
    # Armitage (1955), written out with sums over the points.
    year, share = np.arange(5), events.sum() / trials.sum()
    top = (events * year).sum() - share * (trials * year).sum()
    below = share * (1 - share) * ((trials * year**2).sum() - (trials * year).sum() ** 2 / trials.sum())
    assert found["chi_squared"] == pytest.approx(top**2 / below, rel=1e-9)
    assert found["slope"] == pytest.approx(np.polyfit(year, logit(events / trials), 1)[0], rel=1e-9)


@given(st.lists(st.floats(-3, 3), min_size=5, max_size=5), st.floats(0.2, 2))
@settings(derandomize=True)
def test_the_mirrored_series_has_the_mirrored_trend(values, error):
    mirrored = {"increasing": "decreasing", "decreasing": "increasing"}
    found = trend_of(values_of(values, error)).loc["Southwark"]
    turned = trend_of(values_of([-value for value in values], error)).loc["Southwark"]
    assert turned["trend"] == mirrored.get(found["trend"], found["trend"])
    assert turned["chi_squared"] == pytest.approx(found["chi_squared"], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("times", [0.999, 1.001])
def test_a_trend_needs_more_than_the_least_chi_squared(times):
    # Of a straight line of slope 1 chi-squared is 10 / error squared.
    error = np.sqrt(10 / (CHI_SQUARED * times))
    found = trend_of(values_of(STEADY, error)).loc["Southwark"]
    assert found["trend"] == ("increasing" if times > 1 else "no significant change")
    assert found["reason"] == ("" if times > 1 else "the slope is within chance")


def test_no_single_point_may_make_a_trend():
    # Without the last point the others fall, if ever so little.
    made_by_one = values_of([10.3, 10.2, 10.1, 10.0, 14])
    found = trend_of(made_by_one).loc["Southwark"]
    assert found["chi_squared"] > CHI_SQUARED and found["slope"] > 0
    assert (found["trend"], found["reason"]) == ("no significant change", "the slope turns when one point is left out")
    assert trend_of(values_of([10.0, 10.1, 10.2, 10.3, 14])).loc["Southwark", "trend"] == "increasing"


def test_no_single_point_may_make_a_trend_of_proportions():
    found = share_trend_of(proportions_of([103, 102, 101, 100, 240], [1000] * 5)).loc["Southwark"]
    assert found["chi_squared"] > CHI_SQUARED
    assert found["reason"] == "the slope turns when one point is left out"


def test_only_the_last_five_points_count_in_any_order_of_rows():
    long = values_of([90.0, 80, 70, *STEADY])
    found = trend_of(long.sample(frac=1, random_state=4)).loc["Southwark"]
    last = trend_of(long[3:]).loc["Southwark"]
    assert found["trend"] == "increasing" and found["slope"] == pytest.approx(last["slope"], rel=1e-12)


def test_years_apart_by_more_than_one_make_a_slope_a_year():
    found = trend_of(values_of(STEADY, year=[2001, 2003, 2005, 2007, 2009])).loc["Southwark"]
    assert found["slope"] == pytest.approx(0.5, rel=1e-12)


def test_groups_do_not_touch_each_other_and_keep_their_order():
    frames = [
        values_of(STEADY[::-1], area="Sutton"),
        values_of(STEADY[:4], area="Bexley"),
        values_of([5.0, 5, 5, 5, 5], area="Bromley"),
        values_of([1.0, *STEADY], area="Southwark"),
    ]
    found = trend_of(pd.concat(frames))
    assert list(found.index) == ["Sutton", "Bexley", "Bromley", "Southwark"]
    assert list(found["trend"]) == ["decreasing", "cannot be calculated", "no significant change", "increasing"]
    pd.testing.assert_frame_equal(found, pd.concat([trend_of(frame) for frame in frames]))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (values_of(STEADY[:4]), "fewer than five points"),
        (values_of([*STEADY[:3], np.nan, 14]), "one of the last five points is missing"),
        (values_of(STEADY, [0.1, 0.1, 0.0, 0.1, 0.1]), "no width"),
        (values_of(STEADY, [0.1, 0.1, np.nan, 0.1, 0.1]), "one of the last five points is missing"),
    ],
)
def test_too_few_or_missing_points_cannot_be_calculated(frame, reason):
    found = trend_of(frame).loc["Southwark"]
    assert found["trend"] == "cannot be calculated" and reason in found["reason"]
    assert np.isnan(found["slope"]) and np.isnan(found["chi_squared"])


def test_a_missing_point_before_the_last_five_does_no_harm():
    assert trend_of(values_of([np.nan, *STEADY])).loc["Southwark", "trend"] == "increasing"


def test_a_year_without_trials_is_a_missing_one():
    found = share_trend_of(proportions_of([10, 30, 0, 50, 70], [100, 100, 0, 100, 100])).loc["Southwark"]
    assert found["trend"] == "cannot be calculated" and "no trials" in found["reason"]


@pytest.mark.parametrize("events", [0, 100])
def test_proportions_that_never_leave_nought_or_one_do_not_change(events):
    found = share_trend_of(proportions_of([events] * 5, [100] * 5)).loc["Southwark"]
    assert (found["trend"], found["chi_squared"]) == ("no significant change", 0)


def test_one_year_without_events_gets_half_an_event_for_its_logit():
    found = share_trend_of(proportions_of([0, 5, 10, 15, 20], [100] * 5)).loc["Southwark"]
    wanted = np.polyfit(range(5), logit([0.5 / 101, 0.05, 0.1, 0.15, 0.2]), 1)[0]
    assert found["slope"] == pytest.approx(wanted, rel=1e-9) and found["trend"] == "increasing"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: trend_of(values_of(STEADY, year=[1, 2, 2, 3, 4])), "year: Southwark has 2; year must stand once"),
        (lambda: trend_of(values_of(STEADY, year=[1, 2, None, 3, 4])), "year: Southwark has nan"),
        (lambda: trend_of(values_of(STEADY, [0.1, 0.1, -0.1, 0.1, 0.1])), "lower: Southwark has .*above upper"),
        (lambda: trend_of(values_of(STEADY), confidence=95), "between 0 and 1"),
        (lambda: share_trend_of(proportions_of([1, 2, -3, 4, 5], [9] * 5)), "events: Southwark has -3"),
        (lambda: share_trend_of(proportions_of([1, 2, 10, 4, 5], [9] * 5)), "events: Southwark has 10.*exceed trials"),
        (lambda: recent_trend(values_of(STEADY), "area", "year", "value"), "give value with lower and upper, or"),
        (
            lambda: recent_trend(values_of(STEADY), "area", "year", "value", "lower", "upper", "value", "upper"),
            "give value with lower and upper, or",
        ),
        (lambda: recent_trend(values_of(STEADY), "borough", "year", "value", "lower", "upper"), "no column borough"),
    ],
)
def test_an_impossible_input_is_refused_and_the_group_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_scatter_says_how_far_points_lie_from_their_line_as_their_limits_explain():
    # About a line with the slope of numpy's least squares; limits that make each standard error 0.5.
    value = np.array([11.0, 10.0, 14.0, 18.0, 17.0])
    reach = 0.5 * 1.959963984540054
    frame = pd.DataFrame({"year": range(5), "value": value, "lower": value - reach, "upper": value + reach})
    slope = np.polyfit(range(5), value, 1)
    residual = ((value - np.polyval(slope, range(5))) ** 2).sum() / 0.25
    found = recent_trend(frame, None, "year", "value", "lower", "upper").iloc[0]
    assert found["scatter"] == pytest.approx(np.sqrt(residual / 3))


def test_scatter_of_proportions_is_what_the_trend_leaves_of_all_their_differences():
    frame = pd.DataFrame({"year": range(5), "events": [20, 60, 30, 70, 40], "trials": 100})
    whole = chi2_contingency(np.stack([frame["events"], frame["trials"] - frame["events"]]), correction=False)[0]
    found = recent_trend(frame, None, "year", events="events", trials="trials").iloc[0]
    assert found["scatter"] == pytest.approx(np.sqrt((whole - found["chi_squared"]) / 3))


def test_a_value_outside_its_own_limits_is_refused():
    frame = pd.DataFrame({"area": "A", "year": range(5), "value": [1, 2, 3, 4, 500], "lower": 0, "upper": 10})
    with pytest.raises(ValueError, match="value: A has 500; value must lie from lower to upper"):
        recent_trend(frame, "area", "year", "value", "lower", "upper")


def test_a_value_at_its_limit_but_for_rounding_is_within_it():
    years = {"area": ["X"] * 5, "year": range(5), "value": [0.3] * 5, "lower": [0.1 + 0.2] * 5, "upper": [0.4] * 5}
    found = recent_trend(pd.DataFrame(years), "area", "year", "value", "lower", "upper")
    assert found["trend"].tolist() == ["no significant change"]


def test_limits_of_no_width_but_for_rounding_give_no_trend():
    rising = np.arange(5) / 10
    frame = pd.DataFrame(
        {"area": "X", "year": range(5), "value": rising, "lower": rising, "upper": np.nextafter(rising, 9)}
    )
    assert recent_trend(frame, "area", "year", "value", "lower", "upper")["trend"].tolist() == ["cannot be calculated"]
