"""Intervals, rates and ratios against reference figures from outside, and the properties any interval has."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, t

from cbs_analysis.stats.intervals import byar_interval, count_interval, mean_interval, proportion_interval
from cbs_analysis.stats.rates import crude_rate
from cbs_analysis.stats.standardisation import indirect_rate, indirect_ratio

CASES = Path(__file__).parent / "reference_cases"
EXACT = {"rel": 1e-9, "abs": 1e-12}


def cases(name: str) -> list[dict]:
    found = json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))
    return found["cases"] if isinstance(found, dict) else found


@pytest.mark.parametrize("case", cases("poisson_count_limits"), ids=str)
def test_count_interval_gives_the_reference_limits(case):
    lower, upper = count_interval(case["events"], case["confidence"])
    assert (lower, upper) == pytest.approx((case["lower"], case["upper"]), **EXACT)


@pytest.mark.parametrize("case", cases("byar_limits"), ids=str)
def test_byar_interval_gives_the_reference_limits(case):
    lower, upper = byar_interval(case["events"], case["confidence"])
    assert upper == pytest.approx(case["upper"], **EXACT)
    if case["lower"] is None:
        assert np.isnan(lower)
    else:
        assert lower == pytest.approx(case["lower"], **EXACT)


@pytest.mark.parametrize("case", cases("wilson_limits"), ids=str)
def test_proportion_interval_gives_the_reference_limits(case):
    lower, upper = proportion_interval(case["events"], case["n"], case["confidence"])
    assert (lower, upper) == pytest.approx((case["lower"], case["upper"]), **EXACT)


@pytest.mark.parametrize("case", cases("indirectly_standardised"), ids=lambda case: str(case["observed"]))
def test_indirect_standardisation_gives_the_reference_figures(case):
    want, expected = case["expected"], case["expected"]["expected_events"]
    ratio = indirect_ratio(case["observed"], expected).iloc[0]
    wide = indirect_ratio(case["observed"], expected, confidence=0.998).iloc[0]
    assert list(ratio) == pytest.approx([want["ratio"], want["ratio_lower_95"], want["ratio_upper_95"]], **EXACT)
    assert list(wide[1:]) == pytest.approx([want["ratio_lower_998"], want["ratio_upper_998"]], **EXACT)
    reference_rate = sum(case["reference_events"]) / sum(case["reference_population"])
    rate = indirect_rate(case["observed"], expected, reference_rate).iloc[0]
    assert rate["value"] == pytest.approx(want["rate_per_100k"], **EXACT)
    assert rate["lower"] / rate["value"] == pytest.approx(want["ratio_lower_95"] / want["ratio"], **EXACT)


@given(st.integers(0, 9), st.sampled_from([0.8, 0.95, 0.998]))
@settings(derandomize=True)
def test_few_events_have_the_exact_chi_squared_limits(events, confidence):
    tail = (1 - confidence) / 2
    lower, upper = count_interval(events, confidence)
    assert upper == pytest.approx(chi2.ppf(1 - tail, 2 * events + 2) / 2, rel=1e-9)
    assert lower == pytest.approx(chi2.ppf(tail, 2 * events) / 2 if events else 0.0, rel=1e-9)


@given(st.integers(0, 10**7))
@settings(derandomize=True)
def test_a_count_lies_inside_its_limits_and_more_confidence_is_wider(events):
    lower, upper = count_interval(events)
    wider = count_interval(events, 0.998)
    assert wider[0] <= lower <= events < upper < wider[1]


@given(st.integers(1, 10**6), st.floats(0, 1))
@settings(derandomize=True)
def test_a_proportion_lies_inside_its_limits_and_they_mirror(trials, share):
    events = round(share * trials)
    lower, upper = proportion_interval(events, trials)
    mirrored = proportion_interval(trials - events, trials)
    assert 0 <= lower <= events / trials <= upper <= 1
    assert (1 - mirrored[1], 1 - mirrored[0]) == pytest.approx((lower, upper), abs=1e-9)


def test_no_trials_and_missing_values_give_no_interval():
    lower, upper = proportion_interval([3, 0, np.nan], [10, 0, 5])
    assert np.isnan(lower[1:]).all() and np.isnan(upper[1:]).all() and lower[0] > 0
    assert np.isnan(count_interval([np.nan, 4])[0][0])


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=40), st.sampled_from([0.8, 0.95, 0.998]))
@settings(derandomize=True)
def test_the_limits_of_a_mean_are_scipys(values, confidence):
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    reach = t.interval(confidence, len(values) - 1)[1] * error
    wanted = (np.mean(values) - reach, np.mean(values) + reach)
    assert mean_interval(values, confidence) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_the_limits_of_a_mean_are_those_of_a_textbook():
    # Five values of mean 10 and standard deviation 1.581139: 10 - 2.776445 x 1.581139 / root 5.
    assert mean_interval([8, 9, 10, 11, 12]) == pytest.approx((8.036757, 11.963243), abs=1e-6)


def test_means_are_taken_over_the_last_dimension_without_the_missing():
    values = [[1, 2, np.nan, 4], [1, 1, 1, 1], [5, np.nan, np.nan, np.nan], [np.nan] * 4]
    lower, upper = mean_interval(values)
    assert (lower[0], upper[0]) == pytest.approx(
        t.interval(0.95, 2, np.mean([1, 2, 4]), np.std([1, 2, 4], ddof=1) / 3**0.5)
    )
    assert (lower[1], upper[1]) == (1, 1)
    assert np.isnan(lower[2:]).all() and np.isnan(upper[2:]).all()
    assert mean_interval(np.ones((2, 3, 4)))[0].shape == (2, 3)
    assert np.isnan(mean_interval([])[0]) and np.isnan(mean_interval(5)[0])


def test_a_crude_rate_has_the_limits_of_its_count_over_the_population():
    # 25 events: Byar 16.174265921657202 to 36.90645069218536; in 50,000 people.
    rate = crude_rate(pd.Series([25], index=["5LE"]), pd.Series([50_000], index=["5LE"]), per=1000).loc["5LE"]
    assert list(rate) == pytest.approx([0.5, 0.32348531843314404, 0.7381290138437072], rel=1e-9)


def test_a_missing_or_zero_population_gives_no_rate_and_keeps_the_row():
    rate = crude_rate([5, 5, np.nan], [0, np.nan, 100])
    assert len(rate) == 3 and rate.isna().all().all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: count_interval([4, -1]), "element 1 is -1"),
        (lambda: count_interval(pd.Series([-2.0], index=["Bexley"])), "Bexley is -2"),
        (lambda: count_interval(3, confidence=95), "between 0 and 1"),
        (lambda: byar_interval(3, confidence=0), "between 0 and 1"),
        (lambda: proportion_interval([5, 7], [6, 6]), "element 1 is 7.*exceed trials"),
        (lambda: proportion_interval(["some"], [6]), "must be a number"),
        (lambda: crude_rate([1], [-5]), "population: element 0 is -5"),
        (lambda: crude_rate(pd.Series([1], index=["a"]), pd.Series([1], index=["b"])), "different indexes"),
        (lambda: indirect_ratio(pd.Series([1, 2], index=["a", "b"]), [1, -2]), "expected: b is -2"),
        (lambda: indirect_rate([1], [1], -0.1), "reference_rate"),
        (lambda: count_interval([np.inf]), "finite"),
        (lambda: mean_interval([1, 2, np.inf]), "element 2 is inf.*finite"),
        (lambda: mean_interval(["some", 1]), "must be a number"),
        (lambda: mean_interval([1, 2], confidence=1), "between 0 and 1"),
    ],
)
def test_an_impossible_input_is_refused_by_name(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_importing_the_methods_does_not_import_statsmodels():
    names = "cbs_analysis.stats.intervals, cbs_analysis.stats.forecasting, cbs_analysis.stats.spc"
    code = f"import sys, {names}; print('statsmodels' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
