"""XmR charts against reference figures, and what a gap, a rebasing and a short series do."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbs_analysis.stats.spc import xmr

CASES = json.loads((Path(__file__).parent / "reference_cases/xmr_spc.json").read_text("utf-8"))["cases"]
STABLE = CASES[0]["values"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_xmr_gives_the_reference_limits_and_labels(case):
    chart = xmr(case["values"])
    for column in ("mean", "lower_process_limit", "upper_process_limit"):
        assert chart[column].to_numpy() == pytest.approx(case[column], rel=1e-9)
    assert list(chart["special_cause"]) == case["labels"]
    assert (chart["warning"] == "").all()


def test_a_series_of_eleven_points_has_a_warning_and_no_limits():
    chart = xmr(STABLE[:11])
    limits = chart[["mean", "lower_process_limit", "upper_process_limit"]]
    assert limits.isna().all().all() and (chart["special_cause"] == "Not assessed").all()
    assert chart["warning"].str.contains("11 points").all()
    assert xmr(STABLE[:12])["mean"].notna().all()


def test_no_moving_range_is_taken_across_a_gap():
    # 10 and 12 in turn until the gap, then 110 and 112: every range is 2, so limits lie 5.32 from the mean.
    values = [10, 12] * 6 + [np.nan] + [110, 112] * 6
    chart = xmr(values)
    assert (chart["upper_process_limit"] - chart["mean"])[0] == pytest.approx(2.66 * 2)
    assert chart["special_cause"][12] == "Not assessed"


def test_a_run_does_not_bridge_a_gap():
    level = [10.0, 11, 10, 11, 10, 11, 10, 11, 10, 11, 10, 11]
    run = [10.6, 10.7, 10.6, 10.7, 10.6, 10.7, 10.6]
    whole = xmr(level + run + level)
    broken = xmr([*level[:-1], 9.9, *run[:4], np.nan, *run[4:], 9.9, *level[1:]])
    assert (whole["special_cause"] == "7 Points Above CL").sum() >= 7
    assert not (broken["special_cause"] == "7 Points Above CL").any()


def test_limits_start_anew_where_the_series_is_rebased():
    values = [10.0, 12] * 8 + [30.0, 34] * 8
    chart = xmr(values, rebase_at=[16])
    assert chart["mean"].tolist() == [11.0] * 16 + [32.0] * 16
    assert chart["upper_process_limit"].to_numpy()[[0, 16]] == pytest.approx([11 + 5.32, 32 + 10.64])
    assert (chart["special_cause"] == "Common Cause").all()


def test_a_short_stretch_after_a_rebasing_says_so_and_leaves_the_other_alone():
    chart = xmr([10.0, 12] * 8 + [30.0, 34], rebase_at=[16])
    assert chart["mean"][:16].notna().all() and chart["mean"][16:].isna().all()
    assert chart["warning"].tolist()[15:17] == ["", "2 points: too few for process limits, which need 12"]


def test_a_baseline_sets_the_limits_from_its_own_points():
    chart = xmr([10.0, 12] * 6 + [30.0] * 8, baseline=12)
    assert chart["mean"][0] == 11.0 and (chart["special_cause"][12:] == "Above UCL").all()


def test_screening_leaves_out_the_ranges_of_a_spike():
    spike = next(case for case in CASES if case["name"] == "spike")["values"]
    screened, plain = xmr(spike), xmr(spike, screen=False)
    assert screened["upper_process_limit"][0] < plain["upper_process_limit"][0]


@given(st.lists(st.floats(0, 1e6), min_size=12, max_size=40), st.floats(0.1, 10), st.floats(0, 1000))
@settings(derandomize=True)
def test_a_change_of_unit_changes_the_limits_alike(values, scale, shift):
    chart, changed = xmr(values), xmr(np.array(values) * scale + shift)
    want = chart["upper_process_limit"].to_numpy() * scale + shift
    assert changed["upper_process_limit"].to_numpy() == pytest.approx(want, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("value", [0.1, 0, 5, -0.7, 1e9 / 3])
def test_a_series_that_does_not_move_has_no_special_cause(value):
    chart = xmr([value] * 13)
    assert set(chart["special_cause"]) == {"Common Cause"}
    assert chart["upper_process_limit"].to_numpy() == pytest.approx(chart["mean"].to_numpy(), rel=1e-12)


@given(st.lists(st.integers(0, 40), min_size=12, max_size=40), st.sampled_from([0.001, 0.1, 10, 1e6]))
@settings(derandomize=True)
def test_scaling_a_series_changes_no_label(values, scale):
    tenths = np.array(values) / 10
    assert xmr(tenths)["special_cause"].tolist() == xmr(tenths * scale)["special_cause"].tolist()


@pytest.mark.parametrize("frequency", ["W-SUN", "M", "Q-MAR", "Y-MAR"])
def test_periods_of_any_length_are_charted_alike(frequency):
    periods = pd.period_range("1950", periods=len(STABLE), freq=frequency)
    chart = xmr(pd.Series(STABLE, index=periods))
    assert chart.index.equals(periods)
    assert chart["special_cause"].tolist() == xmr(STABLE)["special_cause"].tolist()


def test_a_series_keeps_its_index():
    months = pd.period_range("2009-04", periods=30, freq="M")
    assert xmr(pd.Series(STABLE, index=months)).index.equals(months)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: xmr(STABLE, rebase_at=[30]), "30 is not a position inside a series of 30 points"),
        (lambda: xmr(STABLE, baseline=5), "baseline is 5"),
        (lambda: xmr(STABLE, baseline=12.0), "baseline is 12.0; it must be an integer"),
        (lambda: xmr(STABLE, rebase_at=[15.5]), "15.5 is not a position"),
        (lambda: xmr([STABLE, STABLE]), "2 dimensions"),
    ],
)
def test_an_impossible_input_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()
