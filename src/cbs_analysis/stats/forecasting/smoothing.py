"""The parts of a forecast, for `forecasts` and `seasons`: a season, a level, growth, noise and drift.

Everything is on the logarithm of activity per day, so a season multiplies and a year's growth is a
proportion. Matrices have a row a period and a column a series; constants are of months, and of other
periods as many as make the same time. The constants were chosen on the activity of
England's primary care trusts in 2009/10 and 2010/11, London's among them, so the errors of those years flatter
them. The book's page on forecasts says what was compared, and what it showed.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import stdtrit

from cbs_analysis.stats.checks import Array
from cbs_analysis.stats.forecasting.series import Frequency

SMOOTHING = 0.15
"""Weight of the latest month in the level; each month before it counts 15% less."""
DAMPING = 0.9
"""Each month ahead adds nine tenths of the growth that the month before it added."""
RECENT_SHARE = 1 / 3
"""Of the growth: from the last half-year over the one before; the rest from the year over the year before."""
OWN_GROWTH_SHARE = 0.5
"""How much of a single series' growth is believed where there is no group to take it from."""
LARGEST_GROWTH = 0.10
"""A year, of the logarithm. A whole group growing faster than this is more likely a change of recording."""
STRAY_MULTIPLE = 1.5
"""A month further from its neighbours' median than this many robust standard deviations is drawn in to it."""
OWN_NOISE_SHARE = 0.7
TAIL = 4
"""Degrees of freedom of the error: years differ more than months do, so the tails are heavy."""
SMALLEST_DRIFT = 0.05
"""Scale of the mean error over a year, of the logarithm: never taken to be less, however calm a year was."""
UNSHARED_DRIFT = 0.11
"""The same for a series with no group to measure it on."""
DRIFT_AGE = 1.0
"""The years a level takes to drift, on average, as far as it moves at once when a year begins: errors ten
months ahead are little larger than errors in the first quarter.
"""
SHORTEST_STRETCH = 3
"""Periods over which growth is measured at least: of yearly series, one beside the next says nothing."""
NEIGHBOURS = 3
WARM_UP = 6


def kept_a_period(share: float, frequency: Frequency) -> float:
    """What is kept from one period to the next, where `share` is kept from one month to the next."""
    return float(share ** (12 / frequency.per_year))


def own_season(logs: Array, of_year: NDArray[np.int64], frequency: Frequency, breaks: tuple[int, ...] = ()) -> Array:
    """Profile by place in the year (mean 0) of one series, with its growth and steps at `breaks` taken out.

    Raises ValueError where a place in the year has no known value.
    """
    season = frequency.seasonal_period
    if season == 1:
        return np.zeros(1)
    known = ~np.isnan(logs)
    if len(np.unique(of_year[known])) < season:
        raise ValueError(f"a calendar {frequency.noun} has no known value, so its season cannot be told")
    places = np.arange(len(logs))
    months = (of_year[:, None] == np.arange(season)).astype(float)
    steps = [(places >= at).astype(float) for at in breaks]
    design = np.column_stack([months, places - places.mean(), *steps])
    effects = np.linalg.lstsq(design[known], logs[known], rcond=None)[0][:season]
    return np.asarray(effects - effects.mean())


def align(levels: Array, breaks: tuple[int, ...]) -> Array:
    """The series with what lies before each break moved to the level after it, for measuring its noise."""
    aligned = levels.copy()
    edges = [0, *breaks, len(levels)]
    for before, at, after in zip(edges[:-2], edges[1:-1], edges[2:], strict=True):
        old, new = aligned[max(before, at - WARM_UP) : at], aligned[at : min(after, at + WARM_UP)]
        if np.any(~np.isnan(old)) and np.any(~np.isnan(new)):
            aligned[:at] += np.nanmedian(new) - np.nanmedian(old)
    return aligned


def draw_in(levels: Array) -> Array:
    """`levels` with stray months drawn in towards the median of the seven months around them."""
    matrix = levels.reshape(len(levels), -1)
    padded = np.pad(matrix, ((NEIGHBOURS, NEIGHBOURS), (0, 0)), constant_values=np.nan)
    windows = sliding_window_view(padded, 2 * NEIGHBOURS + 1, axis=0)
    around = _median(windows, axis=2)
    around[np.sum(~np.isnan(windows), axis=2) <= NEIGHBOURS] = np.nan
    away = matrix - around
    reach = STRAY_MULTIPLE * 1.4826 * _median(np.abs(away), axis=0)
    drawn = around + np.clip(away, -reach, reach)
    return np.where(np.isnan(around), matrix, drawn).reshape(levels.shape)


def _median(values: Array, axis: int) -> Array:
    """Median of what is known, NaN where nothing is."""
    ranked = np.sort(values, axis=axis)
    known = np.sum(~np.isnan(values), axis=axis, keepdims=True)
    low, high = (np.take_along_axis(ranked, np.maximum(place, 0), axis) for place in ((known - 1) // 2, known // 2))
    return np.asarray(np.squeeze(np.where(known > 0, (low + high) / 2, np.nan), axis))


def growth_of(levels: Array, frequency: Frequency) -> float:
    """A year's growth, the median of the columns: mostly the last year's, partly the last half-year's.

    0 where there are not two years to tell it from. Of yearly series, the last three years over the three before.
    """
    per_year = frequency.per_year
    year = growth_over(levels, max(per_year, SHORTEST_STRETCH), per_year)
    half = growth_over(levels, per_year // 2, per_year) if per_year > SHORTEST_STRETCH else year
    known = ~np.isnan(year) & ~np.isnan(half)
    both = (1 - RECENT_SHARE) * year[known] + RECENT_SHARE * half[known]
    return float(np.median(both)) if both.size else 0.0


def growth_over(levels: Array, periods: int, per_year: int) -> Array:
    """Mean of the last `periods` less mean of as many before, as a whole year's growth, a column each.

    NaN where fewer than half the periods of either stretch are known.
    """
    recent, earlier = levels[-periods:], levels[-2 * periods : -periods]
    known = np.minimum(np.sum(~np.isnan(recent), axis=0), np.sum(~np.isnan(earlier), axis=0))
    enough = known >= periods / 2
    growth = np.full(levels.shape[1:], np.nan)
    growth[enough] = np.nanmean(recent[:, enough], axis=0) - np.nanmean(earlier[:, enough], axis=0)
    return growth * per_year / periods


def grown(growth: float, horizon: int, frequency: Frequency) -> Array:
    """What growth of `growth` a period adds by each of the periods ahead, damped."""
    return growth * np.cumsum(kept_a_period(DAMPING, frequency) ** np.arange(1, horizon + 1))


def level_at_end(levels: Array, growth: float, frequency: Frequency) -> Array:
    """Level at the last row: recent periods weigh most, growth since is added. NaN for an empty column."""
    age = np.arange(len(levels))[::-1].astype(float)
    weights = (kept_a_period(1 - SMOOTHING, frequency) ** age)[:, None] * ~np.isnan(levels)
    with np.errstate(invalid="ignore"):
        shares = weights / weights.sum(axis=0)
    return np.asarray(np.nansum(shares * (levels + growth * age[:, None]), axis=0) + 0 * shares.sum(axis=0))


def noise_of(levels: Array, growth: float, frequency: Frequency) -> Array:
    """Standard deviation of a period about its forecast the period before, a column each, strays drawn in."""
    ahead = [level_at_end(levels[:at], growth, frequency) + growth for at in range(WARM_UP, len(levels))]
    errors = levels[WARM_UP:] - np.array(ahead)
    reach = 4 * 1.4826 * np.nanmedian(np.abs(errors), axis=0)
    return np.asarray(np.sqrt(np.nanmean(np.clip(errors, -reach, reach) ** 2, axis=0)))


def drift_of(levels: Array, frequency: Frequency) -> float:
    """How far the mean of a year lies from its forecast, over the columns and each whole year but the first.

    A Student's t scale with 4 degrees of freedom, set so that its 80% limits would have held 80% of the years
    forecast. `UNSHARED_DRIFT` where there is no second year.
    """
    chance, per_year = stdtrit(TAIL, 0.9), frequency.per_year
    first = max(per_year, WARM_UP)
    squares = [
        (np.quantile(errors, 0.8) / chance) ** 2
        for origin in range(len(levels) - per_year, first - 1, -per_year)
        if (errors := np.abs(year_errors(levels, origin, frequency))).size
    ]
    return max(float(np.sqrt(np.mean(squares))), SMALLEST_DRIFT) if squares else UNSHARED_DRIFT


def year_errors(levels: Array, origin: int, frequency: Frequency) -> Array:
    """Mean error of the year from row `origin`, forecast from the rows before it, of columns half known by then."""
    before, after = draw_in(levels[:origin]), levels[origin : origin + frequency.per_year]
    enough = np.minimum(np.sum(~np.isnan(before), axis=0) / len(before), np.mean(~np.isnan(after), axis=0)) >= 0.5
    per_year = frequency.per_year
    growth = float(np.clip(growth_of(before, frequency), -LARGEST_GROWTH, LARGEST_GROWTH)) / per_year
    expected = level_at_end(before, growth, frequency) + np.mean(grown(growth, per_year, frequency))
    return np.asarray(np.nanmean(after[:, enough], axis=0) - expected[enough])


def error_covariance(noise: float, level_variance: float, drift: float, ahead: Array, frequency: Frequency) -> Array:
    """Covariance of the log errors over the periods ahead: the noise of each, and the drift that they share.

    `drift` is for the mean of the first year; it grows with the distance.
    """
    year, age = np.arange(1, frequency.per_year + 1), DRIFT_AGE * frequency.per_year
    typical = np.minimum.outer(year, year).mean() + age
    distance = (np.minimum.outer(ahead, ahead) + age) / typical
    return np.asarray(drift**2 * distance + noise**2 * (level_variance + np.eye(len(ahead))))
