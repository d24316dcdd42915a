"""The parts of a forecast, for `forecasting`: a season, a level, growth and how far a level drifts.

Everything is on the logarithm of activity per day, so a season multiplies and a year's growth is a
proportion. Matrices have a row a month and a column a series. The constants were chosen on the activity of
England's primary care trusts: fitted to 2008/09 and 2009/10, held against 2010/11. One year chose them, so
the error of that year flatters them a little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.stats.checks import Array

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
SMALLEST_DRIFT = 0.06
"""Standard deviation of the level over a year, of the logarithm: never taken to be less."""
UNSHARED_DRIFT = 0.11
"""The same for a series with no group to measure it on."""
DRIFT_WIDENING = 1.5
"""Variance of the drift, times this: next year's levels part further than last year's did."""
LEVEL_AGE = 3.0
"""Months by which the level lies in the past, on average, when it is used."""
WARM_UP = 6
YEAR = 12
FEWEST_PEERS = 3


@dataclass(frozen=True)
class Group:
    """What others tell of one: `season` (12, January first), `growth` and `noise` a month, `drift` a year."""

    season: Array
    growth: float
    noise: float
    drift: float
    growth_is_capped: bool


def group_of(logs: Array, month_of_year: NDArray[np.int64], fewest: int) -> Group:
    """Season, growth, noise and drift shared by the columns of `logs` (log activity per day).

    Columns with fewer than `fewest` known months are left out. Raises ValueError where fewer than 3 are left,
    or a calendar month is never seen.
    """
    usable = logs[:, np.sum(~np.isnan(logs), axis=0) >= fewest]
    if usable.shape[1] < FEWEST_PEERS:
        found = f"{usable.shape[1]} series have {fewest} known months"
        raise ValueError(f"season: {found}; give at least {FEWEST_PEERS}")
    profiles = np.column_stack([own_season(column, month_of_year) for column in usable.T])
    season = np.median(profiles, axis=1)
    season = season - season.mean()
    level = usable - season[month_of_year][:, None]
    drawn = draw_in(level)
    growth = growth_of(drawn)
    yearly = growth_over(drawn, YEAR)
    yearly = yearly[~np.isnan(yearly)]
    drift = 1.4826 * float(np.median(np.abs(yearly - np.median(yearly)))) if yearly.size else 0.0
    capped = float(np.clip(growth, -LARGEST_GROWTH, LARGEST_GROWTH))
    noise = float(np.median(noise_of(level, capped / YEAR)))
    return Group(season, capped / YEAR, noise, max(drift, SMALLEST_DRIFT), capped != growth)


def own_season(logs: Array, month_of_year: NDArray[np.int64], breaks: tuple[int, ...] = ()) -> Array:
    """Profile by calendar month (12, mean 0) of one series, with its growth and steps at `breaks` taken out.

    Raises ValueError where a calendar month has no known value.
    """
    known = ~np.isnan(logs)
    if len(set(month_of_year[known])) < YEAR:
        raise ValueError("a calendar month has no known value, so its season cannot be told")
    positions = np.arange(len(logs))
    months = (month_of_year[:, None] == np.arange(YEAR)).astype(float)
    steps = [(positions >= at).astype(float) for at in breaks]
    design = np.column_stack([months, positions - positions.mean(), *steps])
    effects = np.linalg.lstsq(design[known], logs[known], rcond=None)[0][:YEAR]
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
    frame = pd.DataFrame(levels)
    around = frame.rolling(7, center=True, min_periods=4).median().to_numpy()
    away = frame.to_numpy() - around
    reach = STRAY_MULTIPLE * 1.4826 * pd.DataFrame(np.abs(away)).median().to_numpy()
    drawn = around + np.clip(away, -reach, reach)
    return np.asarray(np.where(np.isnan(around), frame.to_numpy(), drawn).reshape(np.shape(levels)))


def growth_of(levels: Array) -> float:
    """A year's growth, the median of the columns: mostly the last year's, partly the last half-year's."""
    year, half = growth_over(levels, YEAR), growth_over(levels, YEAR // 2)
    known = ~np.isnan(year) & ~np.isnan(half)
    both = (1 - RECENT_SHARE) * year[known] + RECENT_SHARE * half[known]
    return float(np.median(both)) if both.size else 0.0


def growth_over(levels: Array, months: int) -> Array:
    """Mean of the last `months` less mean of as many before, as a whole year's growth, a column each.

    NaN where fewer than half the months of either stretch are known.
    """
    recent, earlier = levels[-months:], levels[-2 * months : -months]
    known = np.minimum(np.sum(~np.isnan(recent), axis=0), np.sum(~np.isnan(earlier), axis=0))
    enough = known >= months / 2
    growth = np.full(levels.shape[1:], np.nan)
    growth[enough] = np.nanmean(recent[:, enough], axis=0) - np.nanmean(earlier[:, enough], axis=0)
    return growth * YEAR / months


def level_at_end(levels: Array, growth: float) -> Array:
    """Level at the last row: recent months weigh most, growth since is added. NaN for an empty column."""
    age = np.arange(len(levels))[::-1].astype(float)
    weights = ((1 - SMOOTHING) ** age)[:, None] * ~np.isnan(levels)
    with np.errstate(invalid="ignore"):
        shares = weights / weights.sum(axis=0)
    return np.asarray(np.nansum(shares * (levels + growth * age[:, None]), axis=0) + 0 * shares.sum(axis=0))


def noise_of(levels: Array, growth: float) -> Array:
    """Standard deviation of a month about its forecast the month before, a column each, strays drawn in."""
    ahead = [level_at_end(levels[:at], growth) + growth for at in range(WARM_UP, len(levels))]
    errors = levels[WARM_UP:] - np.array(ahead)
    reach = 4 * 1.4826 * np.nanmedian(np.abs(errors), axis=0)
    return np.asarray(np.sqrt(np.nanmean(np.clip(errors, -reach, reach) ** 2, axis=0)))


def error_covariance(noise: float, group: Group | None, months_ahead: Array, level_variance: float) -> Array:
    """Covariance of the log errors over the months ahead: the noise of each month and the drift of the level.

    A series noisier than its group drifts more and one quieter (a sum of many) less, in proportion.
    """
    drift = UNSHARED_DRIFT**2
    noise_squared = noise**2
    if group is not None and group.noise > 0:
        ratio = noise_squared / group.noise**2
        ratio = OWN_NOISE_SHARE * ratio + (1 - OWN_NOISE_SHARE) * min(1.0, 2 * ratio)
        noise_squared, drift = ratio * group.noise**2, ratio * group.drift**2
    years = (np.minimum.outer(months_ahead, months_ahead) + LEVEL_AGE) / YEAR
    shared = DRIFT_WIDENING * drift * years + noise_squared * level_variance
    return np.asarray(shared + noise_squared * np.eye(len(months_ahead)))
