"""Forecasts of series whose future is known, and what gaps, breaks and short series do."""

import dataclasses
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cbs_analysis.stats.calendar import working_days
from cbs_analysis.stats.forecasting import backtest, forecast

MONTHS = pd.period_range("2008-04", "2012-03", freq="M")
KNOWN = MONTHS[:36]
DAYS = working_days(MONTHS)
PROFILE = 1 + 0.1 * np.cos(np.arange(48) * 2 * np.pi / 12)


def truth(per_day: float, growth: float = 0.0) -> np.ndarray:
    return per_day * DAYS * PROFILE * np.exp(growth * np.arange(48) / 12)


def group(noise: float = 0.0, growth: float = 0.0, series: int = 15) -> pd.DataFrame:
    random = np.random.default_rng(20110401)
    columns = {
        f"area {place}": truth(50 + 10 * place, growth) * np.exp(noise * random.standard_normal(48))
        for place in range(series)
    }
    return pd.DataFrame(columns, index=MONTHS)


def known(values: np.ndarray) -> pd.Series:
    return pd.Series(values[:36], index=KNOWN)


@pytest.mark.parametrize("borrowed", [True, False])
def test_a_series_of_season_and_working_days_alone_is_forecast_exactly(borrowed):
    season = group().iloc[:36] if borrowed else None
    result = forecast(known(truth(90)), 12, exposure=DAYS, season=season)
    assert result.frame["value"].to_numpy() == pytest.approx(truth(90)[36:], rel=1e-6)
    assert result.total["value"] == pytest.approx(truth(90)[36:].sum(), rel=1e-6)
    assert list(result.frame["month"]) == list(MONTHS[36:])
    assert result.reason is None and result.warnings == ()


def test_growth_of_the_group_is_carried_forward_but_damped():
    result = forecast(known(truth(90, 0.06)), 12, exposure=DAYS, season=group(growth=0.06).iloc[:36])
    flat, full = truth(90, 0.06)[24:36] / DAYS[24:36], truth(90, 0.06)[36:] / DAYS[36:]
    value = result.frame["value"].to_numpy() / DAYS[36:]
    assert value[-1] < full[-1] and value.mean() > flat.mean() * 1.02


def test_the_level_is_taken_from_after_the_last_break():
    values = truth(90)
    values[28:] *= 2
    season = group().iloc[:36]
    told = forecast(known(values), 12, exposure=DAYS, season=season, breaks=[28])
    untold = forecast(known(values), 12, exposure=DAYS, season=season)
    assert told.frame["value"].to_numpy() == pytest.approx(values[36:], rel=1e-6)
    assert untold.total["value"] < 0.95 * values[36:].sum()
    assert any("August 2010" in warning for warning in told.warnings)


def test_a_missing_month_is_named_and_not_filled_in():
    values = truth(90)
    values[10] = np.nan
    season = group().iloc[:36]
    result = forecast(known(values), 12, exposure=DAYS, season=season)
    assert result.frame["value"].to_numpy() == pytest.approx(truth(90)[36:], rel=1e-6)
    assert result.warnings == ("missing and not filled in: February 2009",)
    season.iloc[10] = np.nan
    assert forecast(known(values), 12, exposure=DAYS, season=season).reason is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (slice(0, 15), "21 months are known"),
        (slice(33, 36), "last 3 months are missing"),
    ],
)
def test_too_little_to_go_on_gives_a_reason_and_no_number(spoil, said):
    values = truth(90)
    values[spoil] = np.nan
    result = forecast(known(values), 12, exposure=DAYS, season=group().iloc[:36])
    assert said in str(result.reason)
    assert result.frame.drop(columns="month").isna().all().all() and np.isnan(result.total["value"])
    assert len(result.frame) == 12


def test_a_break_just_before_the_end_gives_a_reason():
    result = forecast(known(truth(90)), 12, season=group().iloc[:36], breaks=[34])
    assert "2 months are known since recording last changed" in str(result.reason)


def test_no_activity_at_all_is_no_forecast():
    assert forecast(np.zeros(36), 6).reason == "no activity is recorded in any month"


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 5000), min_size=24, max_size=40).filter(any), st.integers(1, 12))
def test_limits_hold_the_value_and_widen_with_confidence(counts, horizon):
    result = forecast(counts, horizon)
    if result.reason is not None:
        assert result.frame["value"].isna().all() and "are empty" in result.reason
        return
    frame = result.frame
    inside = [frame["lower_95"], frame["lower_80"], frame["value"], frame["upper_80"], frame["upper_95"]]
    for low, high in pairwise(inside):
        assert (low <= high * (1 + 1e-9)).all()
    assert result.total["value"] == pytest.approx(frame["value"].sum())
    assert result.total["lower_95"] >= frame["lower_95"].sum() * (1 - 1e-9)


def test_the_same_input_gives_the_same_forecast_and_counts_scale():
    season = group(noise=0.05).iloc[:36]
    values = group(noise=0.08).iloc[:36, 3]
    first, again = (forecast(values, 12, exposure=DAYS, season=season) for _ in range(2))
    tenfold = forecast(values * 10, 12, exposure=DAYS, season=season)
    pd.testing.assert_frame_equal(first.frame, again.frame, check_exact=True)
    assert tenfold.total["upper_95"] == pytest.approx(10 * first.total["upper_95"])


def test_intervals_cover_the_year_after_in_series_whose_level_drifts():
    random = np.random.default_rng(7)
    drift = np.cumsum(0.06 / np.sqrt(12) * random.standard_normal((48, 60)), axis=0)
    noise = 0.05 * random.standard_normal((48, 60))
    series = pd.DataFrame(80 * (DAYS * PROFILE)[:, None] * np.exp(drift + noise), index=MONTHS)
    covered = [backtest(series[place], train=36, exposure=DAYS, season=series).coverage_95 for place in series.columns]
    assert 0.92 <= np.mean(covered) <= 1.0


def test_a_backtest_scores_the_naive_forecast_by_hand():
    values = np.array([100.0, 110, 120, 130] * 3 + [102.0, 112, 122, 132] * 3 + [105.0, 115, 125, 135] * 3)
    result = backtest(values)
    assert result.naive_mae == pytest.approx(3)
    assert result.naive_mase == pytest.approx(3 / 2)
    assert result.mae == pytest.approx(np.abs(result.frame["value"] - values[24:]).mean())
    assert result.mase == pytest.approx(result.mae / 2)
    assert result.total["actual"] == values[24:].sum()
    assert result.frame["naive"].tolist() == values[12:24].tolist()


def test_a_backtest_sees_nothing_of_the_months_it_is_held_against():
    season = group(noise=0.05).iloc[:36]
    values = group(noise=0.08).iloc[:36, 3]
    changed, other_season = values.copy(), season.copy()
    changed.iloc[24:] *= 3
    other_season.iloc[24:] *= 5
    first = backtest(values, exposure=DAYS[:36], season=season, breaks=[30])
    second = backtest(changed, exposure=DAYS[:36], season=other_season, breaks=[22])
    assert first.frame["value"].tolist() == second.frame["value"].tolist()
    assert second.mae > first.mae


def test_a_perfect_forecast_has_no_error_and_full_cover():
    result = backtest(known(truth(90)), exposure=DAYS[:36], season=group().iloc[:36])
    assert result.mae == pytest.approx(0, abs=1e-6 * truth(90).mean())
    assert {field.name for field in dataclasses.fields(result)} >= {"mase", "coverage_80", "coverage_95"}


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: forecast([1, -2] * 12, 3), "element 1 is -2"),
        (lambda: forecast([1.0] * 24, 0), "horizon is 0"),
        (lambda: forecast([1.0] * 24, 2.5), "horizon is 2.5; it must be an integer"),
        (lambda: forecast([1.0] * 24, 12.0), "horizon is 12.0; it must be an integer"),
        (lambda: forecast([1.0] * 24, 3, levels=(0.8, 0.8)), "levels: level .*0.8.* is there twice"),
        (lambda: backtest([1.0] * 36, train=24.0), "train is 24.0; it must be an integer"),
        (lambda: forecast([1.0] * 24, 3, exposure=[20] * 24), "must have 27 months"),
        (lambda: forecast([1.0] * 24, 3, levels=(95,)), "between 0 and 1"),
        (lambda: forecast([1.0] * 24, 3, breaks=[24]), "24 is not a position"),
        (lambda: forecast([1.0] * 24, 3, season=np.ones((20, 5))), "must have 24 rows"),
        (lambda: forecast([1.0] * 24, 3, season=np.ones((24, 2))), "give at least 3"),
        (lambda: forecast(known(truth(9)).drop(MONTHS[7]), 3), "2008-12 follows 2008-10"),
        (lambda: forecast(known(truth(9)), 3, season=group()), "different periods"),
        (lambda: backtest([1.0] * 30), "needs 36 months and the series has 30"),
    ],
)
def test_an_impossible_input_is_refused(call, said):
    with pytest.raises(ValueError, match=said):
        call()


def test_one_event_in_36_months_is_a_third_of_one_a_year():
    # By hand: 12 / 36, and of a Poisson count with that mean 0 to 2 in 95 of 100.
    result = forecast(known(np.r_[np.zeros(35), 1.0]), 12)
    assert result.total["value"] == pytest.approx(1 / 3)
    assert (result.total["lower_95"], result.total["upper_95"]) == (0, 2)
    assert result.warnings == ("events are rare (0.028 a month): the forecast is of a steady rate, by a count model",)


@pytest.mark.parametrize("rate", [0.2, 0.5, 1, 3])
def test_rare_events_are_forecast_without_bias_and_their_limits_hold(rate):
    random = np.random.default_rng(7)
    years = [
        (counts[36:].sum(), forecast(known(counts.astype(float)), 12)) for counts in random.poisson(rate, (400, 48))
    ]
    pairs = [(actual, result.total) for actual, result in years if result.reason is None]
    assert np.mean([total["value"] for _, total in pairs]) == pytest.approx(12 * rate, rel=0.05)
    inside = [total["lower_95"] <= actual <= total["upper_95"] for actual, total in pairs]
    assert 0.93 <= np.mean(inside) <= 1.0


def test_months_emptied_at_the_end_of_a_busy_series_give_a_reason_and_no_forecast():
    reason = forecast(known(np.r_[np.full(24, 100.0), np.zeros(24)]), 12).reason
    assert reason == "12 months are empty in a series of 67 a month, so recording may have stopped"


@pytest.mark.parametrize(
    ("frequency", "per_year", "years"), [("W-SUN", 52, 4), ("M", 12, 4), ("Q-MAR", 4, 6), ("Y-MAR", 1, 12)]
)
@pytest.mark.parametrize("borrowed", [True, False])
def test_a_series_of_season_and_days_alone_is_forecast_exactly_whatever_its_periods(
    frequency, per_year, years, borrowed
):
    periods = pd.period_range("2000-01-03", periods=per_year * years, freq=frequency)
    days, ahead = working_days(periods), per_year
    place = np.minimum(periods.week, 52) if per_year == 52 else (periods.month - 1) // (12 // per_year)
    truth = 50 * days * (1 + 0.1 * np.cos(2 * np.pi * np.asarray(place) / per_year))
    fitted = pd.Series(truth, index=periods)[:-ahead]
    season = pd.DataFrame({name: fitted * (1 + name) for name in range(4)}) if borrowed else None
    result = forecast(fitted, ahead, exposure=days, season=season)
    assert result.frame["value"].to_numpy() == pytest.approx(truth[-ahead:], rel=1e-6)
    assert list(result.frame["month"]) == list(periods[-ahead:])
    test = backtest(pd.Series(truth, index=periods), exposure=days)
    assert test.reason is None and test.mae == pytest.approx(0, abs=1e-4)


def test_a_series_may_be_taken_to_have_no_season():
    flat = pd.Series(np.tile([90.0, 110.0], 18), index=KNOWN)
    result = forecast(flat, 12, seasonal_period=1)
    assert np.ptp(result.frame["value"]) < 0.05 * result.frame["value"].mean()
    with pytest.raises(ValueError, match="seasonal_period is 4; for a monthly series it must be 12 or 1"):
        forecast(flat, 12, seasonal_period=4)
