"""Proportions, ratios of counts, changes and shortfalls, held against figures worked out elsewhere."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, chi2

from cbs_analysis.stats import intervals, rates, standardisation

LABELS = pd.Index(["5LE", "5LD", "5C3"], name="area_code")


def series(*values: float) -> pd.Series:
    return pd.Series(values, index=LABELS[: len(values)])


def row(frame: pd.DataFrame, at: int = 0) -> tuple[float, float, float]:
    return tuple(float(frame[name].iloc[at]) for name in ("value", "lower", "upper"))


def test_a_proportion_has_the_limits_that_scipy_gives_it() -> None:
    found = rates.proportion(series(81, 15), series(263, 148), per=100)
    assert list(found.index) == ["5LE", "5LD"]
    for at, (events, trials) in enumerate([(81, 263), (15, 148)]):
        wanted = binomtest(events, trials).proportion_ci(method="wilson")
        assert row(found, at) == pytest.approx((100 * events / trials, 100 * wanted.low, 100 * wanted.high), rel=1e-12)


def test_a_proportion_matches_the_worked_example_of_newcombe() -> None:
    # Newcombe (1998), Statistics in Medicine 17: 857-872, table I, method 3: 81 of 263 and 0 of 20.
    assert np.round(row(rates.proportion([81, 0], [263, 20])), 4).tolist() == [0.3080, 0.2553, 0.3662]
    assert np.round(row(rates.proportion([81, 0], [263, 20]), 1), 4).tolist() == [0.0, 0.0, 0.1611]


def test_no_trials_have_no_proportion_and_more_events_than_trials_are_refused() -> None:
    assert rates.proportion([0, np.nan], [0, 4]).isna().all(axis=None)
    with pytest.raises(ValueError, match="events: 5LD is 9; events must not exceed trials"):
        rates.proportion(series(1, 9), series(4, 8))


def test_a_ratio_of_counts_is_the_odds_of_its_share() -> None:
    share = binomtest(300, 500).proportion_ci(method="wilson")
    wanted = (150, 100 * share.low / (1 - share.low), 100 * share.high / (1 - share.high))
    assert row(rates.count_ratio(series(300), series(200), per=100)) == pytest.approx(wanted, rel=1e-12)


def test_equal_counts_have_limits_that_are_each_others_inverse() -> None:
    value, lower, upper = row(rates.count_ratio([400], [400]))
    assert value == pytest.approx(1)
    assert lower * upper == pytest.approx(1, rel=1e-12)


def test_a_ratio_over_a_count_of_none_is_not_known() -> None:
    assert rates.count_ratio([5, 0, np.nan], [0, 0, 3]).isna().all(axis=None)
    assert row(rates.count_ratio([0], [10]))[:2] == (0, 0)


def test_a_change_between_counts_is_their_ratio_less_one() -> None:
    now, then = series(29_380, 90), series(26_131, 100)
    found, ratio = rates.change_between_counts(now, then), rates.count_ratio(now, then)
    for name in ("value", "lower", "upper"):
        assert found[name].to_numpy() == pytest.approx(100 * (ratio[name].to_numpy() - 1), rel=1e-9)
    assert found["value"].iloc[0] == pytest.approx(100 * 3249 / 26_131)
    # By the log method, with the variance 1/a + 1/b, for counts so large: the same to a hundredth of a percent.
    error = 1.959964 * math.sqrt(1 / 29_380 + 1 / 26_131)
    assert found["lower"].iloc[0] == pytest.approx(100 * (29_380 / 26_131 * math.exp(-error) - 1), abs=0.01)
    assert found["upper"].iloc[0] == pytest.approx(100 * (29_380 / 26_131 * math.exp(error) - 1), abs=0.01)


def test_a_shortfall_is_what_is_missing_to_the_target_and_none_above_it() -> None:
    found = rates.shortfall(series(60, 90), series(100, 100), target=80, per=100)
    limits = binomtest(60, 100).proportion_ci(method="wilson")
    assert row(found) == pytest.approx((20, 80 - 100 * limits.high, 80 - 100 * limits.low), rel=1e-12)
    assert row(found, 1) == (0, 0, 0)
    assert rates.shortfall([0], [0], 0.5).isna().all(axis=None)
    assert rates.shortfall([1], [2], np.nan).isna().all(axis=None)
    with pytest.raises(ValueError, match="target is 80; it must be a number from 0 to 1"):
        rates.shortfall([1], [2], 80)


def test_a_plain_ratio_keeps_shape_and_labels_and_is_nothing_over_nothing() -> None:
    found = rates.ratio(series(1, 2, 3), series(4, 0, np.nan), per=100)
    assert found.index.equals(LABELS)
    assert found.iloc[0] == 25 and found.iloc[1:].isna().all()
    assert rates.ratio(1, 8) == 0.125
    assert rates.ratio([[1, 2], [3, 4]], [2, 2]).tolist() == [[0.5, 1], [1.5, 2]]
    with pytest.raises(ValueError, match="denominator: 5LD is -2; denominator must not be negative"):
        rates.ratio(series(1, 1), series(2, -2))
    with pytest.raises(ValueError, match="numerator and denominator are Series with different indexes"):
        rates.ratio(series(1, 2), series(1, 2).iloc[::-1])


def test_a_relative_change_is_in_percent_of_what_was() -> None:
    assert rates.relative_change(110, 100) == pytest.approx(10)
    assert rates.relative_change(series(3, 1), series(4, 0), per=1).tolist()[0] == -0.25
    assert math.isnan(rates.relative_change(1, 0))


def test_the_excess_is_the_counts_limits_less_what_was_expected() -> None:
    found = standardisation.excess_events(series(7, 120), series(4.5, 100))
    # Exact Poisson limits of 7 by chi-squared; Byar's of 120, written out.
    assert row(found) == pytest.approx((2.5, chi2.ppf(0.025, 14) / 2 - 4.5, chi2.ppf(0.975, 16) / 2 - 4.5), rel=1e-9)
    lower = 120 * (1 - 1 / (9 * 120) - 1.959964 / (3 * math.sqrt(120))) ** 3
    upper = 121 * (1 - 1 / (9 * 121) + 1.959964 / (3 * math.sqrt(121))) ** 3
    assert row(found, 1) == pytest.approx((20, lower - 100, upper - 100), rel=1e-6)
    assert list(found.index) == ["5LE", "5LD"]


def test_no_excess_over_nothing_expected_and_a_count_below_none_is_refused() -> None:
    assert standardisation.excess_events([3, np.nan], [0, 4]).isna().all(axis=None)
    with pytest.raises(ValueError, match="must not be negative"):
        standardisation.excess_events(series(-1), series(2))


def test_limits_of_a_sum_square_add_and_take_the_root() -> None:
    assert intervals.limits_of_sum([10, 20], [7, 16], [14, 23]) == (25, 35)  # 3 and 4 below, 4 and 3 above
    lower, upper = intervals.limits_of_sum([[10, 20], [1, 2]], [[7, 16], [1, 2]], [[14, 23], [1, 2]])
    assert lower.tolist() == [25, 3] and upper.tolist() == [35, 3]


def test_limits_of_a_difference_are_newcombes() -> None:
    # Newcombe (1998), Statistics in Medicine 17: 873-890, table II, method 10: 56 of 70 less 48 of 80.
    first, second = row(rates.proportion([56], [70])), row(rates.proportion([48], [80]))
    found = intervals.limits_of_sum([first[0], -second[0]], [first[1], -second[2]], [first[2], -second[1]])
    assert np.round(found, 4).tolist() == [0.0524, 0.3339]


def test_a_missing_part_leaves_no_limits_and_a_value_outside_its_own_is_refused() -> None:
    assert np.isnan(intervals.limits_of_sum([1, np.nan], [0, 1], [2, 3])).all()
    with pytest.raises(ValueError, match="lower must not be above value"):
        intervals.limits_of_sum([1, 5], [0, 6], [2, 7])


def test_a_ratio_of_counts_of_very_different_size_keeps_its_digits():
    # Exact: Wilson's limits of the share of 1e15 in 1e15 + 1, worked in 60 digits.
    z = Decimal("1.959963984540054")
    with localcontext() as context:
        context.prec = 60
        first, second = Decimal(10) ** 15, Decimal(1)
        n = first + second
        reach = z * (first * second / n + z * z / 4).sqrt()
        low, high = ((first + z * z / 2 + way * reach) / (n + z * z) for way in (-1, 1))
        wanted = [float(first / second), float(low / (1 - low)), float(high / (1 - high))]
    assert rates.count_ratio(1e15, 1).iloc[0].tolist() == pytest.approx(wanted, rel=1e-12)
    assert rates.count_ratio(1, 1e15).iloc[0].tolist() == pytest.approx([1 / each for each in wanted[:1]] + [
        1 / wanted[2], 1 / wanted[1]], rel=1e-12)  # fmt: skip


def test_events_that_exceed_trials_by_rounding_alone_are_all_of_them():
    found = rates.proportion([0.1 + 0.2], [0.3])
    assert found["value"].iloc[0] == found["upper"].iloc[0] == 1
    with pytest.raises(ValueError, match="events must not exceed trials"):
        rates.proportion([0.3001], [0.3])
