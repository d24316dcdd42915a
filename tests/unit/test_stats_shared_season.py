"""What a group of series tells of one: season, growth, drift and kind of day, where the truth is known."""

import numpy as np
import pandas as pd
import pytest

from cbs_analysis.stats.breaks import step_changes, step_positions
from cbs_analysis.stats.calendar import calendar_days, working_days
from cbs_analysis.stats.forecasting import SharedSeason, backtest, choose_exposure, forecast, shared_season

MONTHS = pd.period_range("2008-04", "2011-03", freq="M")
DAYS = working_days(MONTHS)
BY_CALENDAR_MONTH = 0.1 * np.cos(np.arange(12) * np.pi / 6)  # of the logarithm, January first; the mean is 0
T_90 = 1.533206  # Student's t, 4 degrees of freedom, 90th percentile: Pearson and Hartley (1966), table 12


def group(growth: float = 0.0, series: int = 15, days: np.ndarray = DAYS) -> pd.DataFrame:
    rising = np.exp(BY_CALENDAR_MONTH[MONTHS.month - 1] + growth * np.arange(36) / 12)
    return pd.DataFrame({f"area {place}": (50 + 10 * place) * days * rising for place in range(series)}, index=MONTHS)


def test_a_season_and_growth_that_all_share_are_found() -> None:
    found = shared_season(group(growth=0.06), DAYS)
    assert found.season == pytest.approx(BY_CALENDAR_MONTH, abs=1e-9)
    assert 12 * found.growth == pytest.approx(0.06, abs=0.003), "the ends of a rising series are drawn in a little"
    assert found.noise == pytest.approx(0, abs=0.002)
    assert (found.periods, found.growth_is_capped) == (36, False)


def test_series_that_step_are_kept_out_of_the_growth_once_that_can_be_seen() -> None:
    series = group()
    stepping = list(series.columns[:8])
    series.loc["2010-02":, stepping] *= 1.6
    breaks = {name: [22] for name in stepping}
    assert shared_season(series, DAYS).growth_is_capped
    assert shared_season(series, DAYS, breaks).growth == pytest.approx(0, abs=1e-9)
    assert shared_season(series, DAYS, breaks, train=25).growth > 0, "a step needs four months after it to be seen"


def test_where_nearly_all_step_all_are_kept() -> None:
    series = group(series=4)
    breaks = {name: [20] for name in series.columns[:3]}
    assert shared_season(series, DAYS, breaks).season == pytest.approx(BY_CALENDAR_MONTH, abs=1e-9)


def test_the_drift_is_the_scale_whose_limits_would_have_held_four_fifths_of_the_years() -> None:
    series = group(series=16).iloc[:24]
    way = np.where(np.arange(16) % 2, 1, -1)
    series.iloc[12:] *= np.exp(0.2 * way)
    assert shared_season(series, DAYS).drift == pytest.approx(0.2 / T_90, rel=1e-5)
    assert shared_season(group(), DAYS).drift == pytest.approx(0.05), "never taken for less"


def test_a_sum_of_many_is_quieter_and_drifts_less() -> None:
    shared = SharedSeason(np.zeros(12), 0.0, noise=0.06, drift=0.1, growth_is_capped=False, periods=36, first=None)
    assert shared.noise_and_drift(0.06) == pytest.approx((0.06, 0.1))
    noise, drift = shared.noise_and_drift(0.03)
    assert noise == pytest.approx(0.06 * np.sqrt(0.7 / 4 + 0.3 / 2))
    assert drift == pytest.approx(0.1 * np.sqrt(0.5))
    assert shared.noise_and_drift(0.12)[1] == pytest.approx(0.1), "a noisy area drifts no more than others"


@pytest.mark.parametrize(("kind", "days"), [("working", working_days(MONTHS)), ("calendar", calendar_days(MONTHS))])
def test_the_kind_of_day_that_activity_runs_by_is_chosen(kind: str, days: np.ndarray) -> None:
    found = choose_exposure(group(growth=0.03, days=days), {"working": DAYS, "calendar": calendar_days(MONTHS)})
    assert found.chosen == kind
    assert found.errors[kind] < 0.5 * max(found.errors.values())


def test_without_a_year_to_test_on_or_a_difference_the_first_kind_of_day_is_taken() -> None:
    candidates = {"a": np.ones(36), "b": np.ones(36)}
    assert choose_exposure(group(), candidates).chosen == "a"
    short = choose_exposure(group().iloc[:30], {name: days[:30] for name, days in candidates.items()})
    assert short.chosen == "a"
    assert np.isnan([*short.errors.values()]).all()


def test_a_group_fitted_once_serves_as_the_series_do() -> None:
    random = np.random.default_rng(20110401)
    series = group() * np.exp(0.05 * random.standard_normal((36, 15)))
    one, ahead = series["area 3"], working_days(pd.period_range("2008-04", "2012-03", freq="M"))
    directly = forecast(one, 12, exposure=ahead, season=series)
    pd.testing.assert_frame_equal(
        forecast(one, 12, exposure=ahead, season=shared_season(series, ahead)).frame, directly.frame, check_exact=True
    )
    again = backtest(one, exposure=DAYS, season=shared_season(series, DAYS, train=24))
    assert again.mase == backtest(one, exposure=DAYS, season=series).mase


def test_a_group_of_other_months_is_refused() -> None:
    fitted = shared_season(group(), DAYS)
    with pytest.raises(
        ValueError, match="season is of 36 periods from 2008-04 and the series of 24 periods from 2008-04"
    ):
        backtest(group()["area 3"], exposure=DAYS, season=fitted)


def test_step_positions_are_those_of_step_changes() -> None:
    series = group()["area 0"].to_numpy()
    series[20:] *= 1.5
    series[8] *= 3
    found = step_changes(series, DAYS)
    assert found["kind"].tolist() == ["single month", "step"]
    assert step_positions(series, DAYS) == (20,)
    assert step_positions(series[:7], DAYS[:7]) == ()


def test_a_season_without_months_takes_those_of_the_series_and_one_of_other_months_is_refused() -> None:
    frame = group()
    series, days = frame.iloc[:, 0], np.append(DAYS, DAYS[:12])
    by_frame = forecast(series, 12, exposure=days, season=frame).frame["value"]
    by_matrix = forecast(series, 12, exposure=days, season=frame.to_numpy()).frame["value"]
    assert by_matrix.to_numpy() == pytest.approx(by_frame.to_numpy())
    with pytest.raises(ValueError, match="36 periods without names and the series of 36 periods from 2008-04"):
        forecast(series, 12, exposure=days, season=shared_season(frame.to_numpy(), DAYS))
    with pytest.raises(ValueError, match="36 periods from 2008-04 and the series of 36 periods without names"):
        forecast(series.to_numpy(), 12, exposure=days, season=frame)
