"""Slope and relative index of inequality against reference figures, their limits, and quantiles."""

import json
from fractions import Fraction
from math import ceil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from scipy.stats import norm

from cbs_analysis.stats.inequality import assign_quantile, quantile_of_rank, slope_index

CASES = json.loads((Path(__file__).parent / "reference_cases/slope_index_of_inequality.json").read_text("utf-8"))[
    "cases"
]
TRANSFORMS = {"linear": None, "log rate": "log"}
LIMITS = ["sii_lower", "sii_upper", "rii_lower", "rii_upper"]
FEW = 5_000


def area(name: str = "Southwark", case: int = 0, **changed: object) -> pd.DataFrame:
    columns = {"population": CASES[case]["population"], "value": CASES[case]["value"], **changed}
    frame = pd.DataFrame(columns)
    return frame.assign(area=name, quantile=range(1, len(frame) + 1)) if "quantile" not in frame else frame


def index_of(frame: pd.DataFrame, **options: object) -> pd.DataFrame:
    return slope_index(frame, "area", "quantile", "population", "value", **options)


def weighted_line(population: list[float], values: np.ndarray) -> tuple[float, float]:
    """Intercept and slope by numpy's own weighted fit."""
    share = np.array(population) / sum(population)
    places = np.cumsum(share) - share / 2
    slope, intercept = np.polyfit(places, values, 1, w=np.sqrt(share))
    return intercept, slope


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['kind']}, {len(case['value'])} quantiles")
def test_the_indices_are_the_reference_figures(case):
    frame = area(population=case["population"], value=case["value"])
    found = index_of(frame, transform=TRANSFORMS[case["kind"]]).loc["Southwark"]
    assert [found["sii"], found["rii"]] == pytest.approx([case["sii"], case["rii"]], rel=1e-9)


def test_proportions_are_fitted_on_the_logit_scale():
    values = [0.4, 0.37, 0.31, 0.22, 0.18]
    found = index_of(area(value=values), transform="logit").loc["Southwark"]
    intercept, slope = weighted_line(CASES[0]["population"], logit(values))
    first, last = expit(intercept), expit(intercept + slope)
    assert list(found[["sii", "rii", "intercept"]]) == pytest.approx([last - first, last / first, first], rel=1e-9)


def test_limits_are_missing_without_standard_errors_and_present_with_them():
    frame = area(error=0.5)
    assert index_of(frame)[LIMITS].isna().all().all()
    assert index_of(frame, standard_error="error", repetitions=FEW).notna().all().all()


def test_limits_of_a_straight_line_are_those_of_the_normal_distribution():
    errors = np.array([0.5, 0.4, 0.6, 0.3, 0.5])
    found = index_of(area(error=errors), standard_error="error").loc["Southwark"]
    variance = sum(
        error**2 * weighted_line(CASES[0]["population"], unit)[1] ** 2
        for error, unit in zip(errors, np.eye(5), strict=True)
    )
    wanted = CASES[0]["sii"] + norm.ppf([0.025, 0.975]) * np.sqrt(variance)
    # A percentile of 100,000 draws is good to about a hundredth of a standard error.
    assert found[["sii_lower", "sii_upper"]].to_numpy() == pytest.approx(wanted, abs=0.04 * np.sqrt(variance))


def test_limits_of_the_ratio_of_rates_are_those_of_the_lognormal_distribution():
    found = index_of(area(case=1, error=0.05), standard_error="error", transform="log").loc["Southwark"]
    units = [weighted_line(CASES[1]["population"], unit)[1] for unit in np.eye(5)]
    error = 0.05 * np.sqrt(np.square(units).sum())
    wanted = np.log(CASES[1]["rii"]) + norm.ppf([0.025, 0.975]) * error
    assert np.log([found["rii_lower"], found["rii_upper"]]) == pytest.approx(wanted, abs=0.04 * error)


def test_the_gap_in_rates_is_no_surer_than_the_level_of_the_rates():
    # Where only the level is unsure, a gap of so many percent of it is as many percent unsure.
    share = np.full(3, 1 / 3)
    frame = area(population=share, value=[400.0, 200.0, 100.0], error=[0.0, 0.3, 0.0])
    found = index_of(frame, standard_error="error", transform="log", repetitions=FEW).loc["Southwark"]
    assert found["rii_lower"] == pytest.approx(found["rii"], rel=1e-9)
    level = 0.3 * norm.ppf(0.975) / 3
    assert np.log(found["sii_lower"] / found["sii"]) == pytest.approx(level, rel=0.1)
    assert np.log(found["sii_upper"] / found["sii"]) == pytest.approx(-level, rel=0.1)


@pytest.mark.parametrize("transform", [None, "log", "logit"])
def test_the_same_seed_gives_the_same_limits_whatever_other_groups_there_are(transform):
    values = np.array([0.4, 0.37, 0.31, 0.22, 0.18])
    one = area("Southwark", value=values, error=0.05)
    other = area("Bexley", value=values[::-1] / 2, error=0.1)
    options = {"standard_error": "error", "transform": transform, "repetitions": FEW}
    alone, together = index_of(one, **options), index_of(pd.concat([other, one]), **options)
    pd.testing.assert_series_equal(alone.loc["Southwark"], together.loc["Southwark"], rtol=1e-12)
    shuffled = index_of(pd.concat([one, other]).sample(frac=1, random_state=2), **options)
    pd.testing.assert_frame_equal(shuffled.loc[together.index], together, rtol=1e-12)
    assert index_of(one, seed=1, **options).loc["Southwark", "sii_lower"] != alone.loc["Southwark", "sii_lower"]


@pytest.mark.parametrize("transform", [None, "log"])
def test_a_negative_multiplier_turns_the_sign_and_inverts_the_ratio(transform):
    options = {"standard_error": "error", "transform": transform, "repetitions": FEW}
    frame = area(case=1, error=0.05 if transform else 5.0)
    plain, turned = (index_of(frame, multiplier=times, **options).loc["Southwark"] for times in (1, -10))
    assert turned["sii"] == pytest.approx(-10 * plain["sii"], rel=1e-12)
    assert turned["rii"] == pytest.approx(1 / plain["rii"], rel=1e-12)
    assert turned["intercept"] == pytest.approx(10 * plain["intercept"], rel=1e-12)
    # The draws change ends, and percentiles between draws are counted from one end.
    assert [turned["sii_lower"], turned["sii_upper"]] == pytest.approx(
        [-10 * plain["sii_upper"], -10 * plain["sii_lower"]], rel=0.01
    )
    assert [turned["rii_lower"], turned["rii_upper"]] == pytest.approx(
        [1 / plain["rii_upper"], 1 / plain["rii_lower"]], rel=0.01
    )


def test_a_group_with_a_missing_value_is_missing_and_leaves_the_others_alone():
    gap = area("Bexley", value=[1, np.nan, 3, 4, 5], error=0.5)
    found = index_of(pd.concat([gap, area(error=0.5)]), standard_error="error", repetitions=FEW)
    alone = index_of(area(error=0.5), standard_error="error", repetitions=FEW)
    assert found.loc["Bexley"].drop("reason").isna().all()
    assert found["reason"].tolist() == ["value is missing in a quantile", ""]
    pd.testing.assert_series_equal(found.loc["Southwark"], alone.loc["Southwark"], rtol=1e-12)


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        (area("Bexley", error=0.5)[1:], "no row for quantile 1"),
        (area("Bexley", error=0.5, population=[1, 2, 0, 1, 1]), "population is 0 or missing in a quantile"),
        (area("Bexley", error=0.5, population=[1, 2, None, 1, 1]), "population is 0 or missing in a quantile"),
        (area("Bexley", error=[1, 1, None, 1, 1]), "error is missing in a quantile"),
    ],
)
def test_a_group_that_cannot_be_calculated_says_why_and_leaves_the_others_alone(spoilt, reason):
    options = {"standard_error": "error", "repetitions": FEW}
    found = index_of(pd.concat([spoilt, area(error=0.5)]), **options)
    assert found.loc["Bexley"].drop("reason").isna().all() and found["reason"].tolist() == [reason, ""]
    pd.testing.assert_series_equal(found.loc["Southwark"], index_of(area(error=0.5), **options).loc["Southwark"])


def test_certain_values_have_limits_of_no_width_and_more_confidence_is_wider():
    certain = index_of(area(error=0.0), standard_error="error", repetitions=FEW).loc["Southwark"]
    assert list(certain[LIMITS]) == pytest.approx([certain["sii"]] * 2 + [certain["rii"]] * 2, rel=1e-9)
    usual, sure = (
        index_of(area(error=0.5), standard_error="error", repetitions=FEW, confidence=level).loc["Southwark"]
        for level in (0.95, 0.998)
    )
    assert sure["sii_lower"] < usual["sii_lower"] < usual["sii"] < usual["sii_upper"] < sure["sii_upper"]
    assert sure["rii_lower"] < usual["rii_lower"] < usual["rii"] < usual["rii_upper"] < sure["rii_upper"]


@given(
    st.lists(st.one_of(st.integers(0, 30), st.none()), max_size=60),
    st.integers(1, 10),
    st.booleans(),
)
@settings(derandomize=True)
def test_a_quantile_is_the_rank_among_known_values_put_into_equal_shares(values, k, high_is_first):
    numbers = [np.nan if value is None else float(value) for value in values]
    known = [value for value in numbers if not np.isnan(value)]
    sign = 1 if high_is_first else -1
    wanted = [
        np.nan
        if np.isnan(value) or len(known) < k
        else ceil(Fraction((1 + sum(sign * other > sign * value for other in known)) * k, len(known)))
        for value in numbers
    ]
    assert assign_quantile(numbers, k, high_is_first).tolist() == pytest.approx(wanted, nan_ok=True)


def test_englands_first_fifth_ends_at_rank_6496():
    # 32,482 / 5 is 6,496.4: rank 6,497 is over the edge. Of values, the same.
    ranks = pd.Series([1, 6_496, 6_497, 12_992, 12_993, 25_985, 25_986, 32_482, np.nan])
    wanted = [1, 1, 2, 2, 3, 4, 5, 5, np.nan]
    assert quantile_of_rank(ranks, 32_482).tolist() == pytest.approx(wanted, nan_ok=True)
    by_value = assign_quantile(np.arange(32_482.0), 5, high_is_first=False)
    assert by_value.tolist() == quantile_of_rank(np.arange(1, 32_483), 32_482).tolist()


@given(st.integers(1, 12), st.integers(0, 400))
@settings(derandomize=True)
def test_ranks_and_values_agree_at_every_edge(k, more):
    of = k + more
    ranks = np.arange(1, of + 1)
    wanted = [ceil(Fraction(int(rank) * k, of)) for rank in ranks]
    assert quantile_of_rank(ranks, of, k).tolist() == wanted == assign_quantile(-ranks, k).tolist()
    assert (quantile_of_rank(1, of, k), quantile_of_rank(of, of, k)) == (1, k)


def test_quantiles_without_ties_are_equal_shares():
    values = np.random.default_rng(8).permutation(100)
    found = assign_quantile(values, 5)
    wanted = pd.qcut(-values, 5, labels=False) + 1
    assert found.tolist() == wanted.tolist() and assign_quantile(-values, 5).tolist() == (6 - wanted).tolist()


def test_equal_values_share_a_quantile_and_a_missing_one_has_none():
    assert assign_quantile([9, 9, 9, 1, np.nan], 2).tolist() == pytest.approx([1, 1, 1, 2, np.nan], nan_ok=True)
    assert np.isnan(assign_quantile([3, np.nan, 1], 3)).all() and assign_quantile([], 3).size == 0


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: index_of(area(quantile=[1, 2, 2, 4, 5]).assign(area="Bexley")), "quantile: Bexley has 2.*stand once"),
        (lambda: index_of(area(quantile=[1, 2, None, 4, 5]).assign(area="Bexley")), "quantile: Bexley has nan"),
        (lambda: index_of(area()[:2]), "2 quantiles.*at least 3"),
        (lambda: index_of(area(population=[1, 2, -3, 1, 1])), "population: Southwark has -3.*not be negative"),
        (lambda: index_of(area(error=[1, 1, -1, 1, 1]), standard_error="error"), "error: Southwark has -1"),
        (lambda: index_of(area(value=[1, 2, 0, 1, 1]), transform="log"), "value: Southwark has 0.*logarithm"),
        (lambda: index_of(area(value=[0.1, 0.2, 1, 0.1, 0.1]), transform="logit"), "value: Southwark has 1.*logit"),
        (lambda: index_of(area(), transform="root"), "transform is 'root'"),
        (lambda: index_of(area(), repetitions=999), "repetitions is 999"),
        (lambda: index_of(area(), confidence=95), "between 0 and 1"),
        (lambda: assign_quantile([1, 2], 0), "k is 0"),
        (lambda: assign_quantile([1, 2], 2.5), "k is 2.5; it must be an integer"),
        (lambda: assign_quantile([[1, 2]], 1), "2 dimensions"),
        (lambda: quantile_of_rank([0], 10), "rank: element 0 is 0; rank must be a whole number from 1 to 10"),
        (lambda: quantile_of_rank([11], 10), "rank: element 0 is 11"),
        (lambda: quantile_of_rank([1.5], 10), "rank: element 0 is 1.5"),
        (lambda: quantile_of_rank([1], 4), "of is 4; it must be at least 5"),
        (lambda: index_of(area(), multiplier=0), "multiplier is 0"),
    ],
)
def test_an_impossible_input_is_refused_and_the_group_named(call, said):
    with pytest.raises(ValueError, match=said):
        call()
