"""What should we plan for? Monthly forecasts with intervals, and a test of the method on a year we know.

For a commissioner who plans a year's activity: the level is the area's own, the season and the growth are
borrowed from a group of areas where one is given, the days of each month are known. It assumes that nothing
else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from cbs_analysis.stats.checks import Array, check_confidence
from cbs_analysis.stats.forecasting import smoothing as parts
from cbs_analysis.stats.forecasting.seasons import FEWEST_POINTS, SharedSeason, shared_season
from cbs_analysis.stats.forecasting.series import (
    FEWEST_AFTER_BREAK,
    YEAR,
    days_of,
    logs_per_day,
    month_of_year,
    one_series,
    positions,
    seen_by,
)

LONGEST_END_GAP = 2
BACKTEST_LEVELS = (0.8, 0.95)


@dataclass(frozen=True)
class Forecast:
    """A forecast, in the unit of the series.

    `frame`: a row a month ahead, columns `month` (a period, or a position where the series has no months),
    `value`, and `lower_80`, `upper_80`, `lower_95`, `upper_95` (one pair a level). `total`: the same names
    without `month`, for the sum of all months ahead. `warnings`: what a reader should know. `reason`: None,
    or why there is no forecast (all NaN then).
    """

    frame: pd.DataFrame
    total: dict[str, float]
    warnings: tuple[str, ...] = ()
    reason: str | None = None


@dataclass(frozen=True)
class Backtest:
    """A forecast of months already known, against the seasonal naive forecast (the same month a year before).

    `frame`: `month`, `actual`, `value`, `naive`, then limits as in `Forecast`. `mae`, `naive_mae`: mean
    absolute error, in the unit of the series. `mase`, `naive_mase`: the same over the mean absolute change on
    the year within the months fitted (Hyndman and Koehler 2006). `coverage_80`, `coverage_95`: share of
    months inside the limits. `total`: as `Forecast.total`, with `actual`. `reason`: None, or why there is no
    backtest (numbers NaN then).
    """

    frame: pd.DataFrame
    mae: float
    naive_mae: float
    mase: float
    naive_mase: float
    coverage_80: float
    coverage_95: float
    total: dict[str, float]
    warnings: tuple[str, ...] = ()
    reason: str | None = None


def forecast(
    series: pd.Series | ArrayLike,
    horizon: int,
    exposure: ArrayLike | None = None,
    levels: Sequence[float] = BACKTEST_LEVELS,
    season: SharedSeason | pd.DataFrame | ArrayLike | None = None,
    breaks: Sequence[int] = (),
) -> Forecast:
    """The next `horizon` months of `series`, monthly counts in time order, NaN for a month that is missing.

    A Series whose index is months (periods, dates, or text such as `2011-03`) gives the result its months;
    otherwise the first value is month one of a year. `exposure` is working or calendar days of every month of
    the series and of those ahead. `season` is a frame or matrix of other areas' series for the same months
    (the area's own may be among them), or what `shared_season` made of them, which saves doing it again:
    season, growth and drift are theirs; without it, its own. `breaks` are positions where recording changed:
    the level is taken from after the last of them. Nothing is random, so the same input gives the same
    forecast.

    Fewer than 22 known months, fewer than 4 after the last break, or more than 2 missing at the end give NaN
    and a `reason`.
    Raises ValueError where a count is negative, months are not one after the other, or shapes do not fit.
    Source: simple exponential smoothing with damped growth on logarithms (Gardner 1985) and a seasonal
    profile pooled over a group (Bunn and Vassilopoulos 1999); Student's t limits with 4 degrees of freedom.
    """
    counts, months = one_series(series)
    for level in levels:
        check_confidence(level, "levels")
    if horizon < 1:
        raise ValueError(f"horizon is {horizon}; it must be at least one month")
    days = days_of(exposure, len(counts) + horizon)
    steps = positions(breaks, len(counts))
    group = _group(season, series, months, days[: len(counts)], len(counts))
    ahead = _months_ahead(months, len(counts), horizon)
    reason = _unusable(counts, steps)
    if reason is not None:
        return _no_forecast(ahead, levels, reason)
    of_year = month_of_year(months, len(counts) + horizon)
    try:
        model = _fit(counts, days, of_year, group, steps)
    except ValueError as error:
        return _no_forecast(ahead, levels, str(error))
    warnings = _warn(counts, months, steps, model)
    return _predict(model, days[len(counts) :], of_year[len(counts) :], ahead, levels, warnings)


def backtest(
    series: pd.Series | ArrayLike,
    horizon: int = 12,
    train: int = 24,
    exposure: ArrayLike | None = None,
    season: SharedSeason | pd.DataFrame | ArrayLike | None = None,
    breaks: Sequence[int] = (),
) -> Backtest:
    """Forecast months `train` to `train + horizon` from those before, and hold it against what happened.

    Arguments as `forecast`; `exposure` and `season` cover the months of the series and only the first `train`
    of `season` are used (a group must be fitted to those). Of `breaks`, only those that could have been seen
    by then: with four months after them.
    Raises ValueError as `forecast`, and where the series is shorter than `train + horizon`, `train` is 12 or
    less or `horizon` over 12.
    Source: Hyndman and Koehler (2006) for the scaled error.
    """
    counts, months = one_series(series)
    end = train + horizon
    if train <= YEAR or horizon > YEAR or len(counts) < end:
        raise ValueError(
            f"a backtest of {horizon} months fitted to {train} needs {end} months and the series has "
            f"{len(counts)}; fit to more than 12, forecast at most 12"
        )
    days = days_of(exposure, len(counts))[:end]
    known_series = pd.Series(counts[:train], index=None if months is None else months[:train])
    result = forecast(
        known_series,
        horizon,
        exposure=days,
        season=_group(season, series, months, days[:train], train),
        breaks=seen_by(breaks, train),
    )
    return _scored(result, counts[:end], train)


def _group(
    season: SharedSeason | pd.DataFrame | ArrayLike | None,
    series: pd.Series | ArrayLike,
    months: pd.PeriodIndex | None,
    days: Array,
    train: int,
) -> SharedSeason | None:
    """What the others tell of the first `train` months. Raises ValueError where they cover other months."""
    if season is None:
        return None
    if not isinstance(season, SharedSeason):
        rows, shape = len(np.asarray(series)), np.shape(season)
        if isinstance(season, pd.DataFrame) and isinstance(series, pd.Series) and not season.index.equals(series.index):
            raise ValueError("season and series have different months; give season the rows of series")
        if len(shape) != 2 or shape[0] != rows:
            raise ValueError(f"season has shape {shape}; it must have {rows} rows, and a column a series")
        if isinstance(series, pd.Series) and not isinstance(season, pd.DataFrame):
            season = pd.DataFrame(np.asarray(season), index=series.index)
        season = shared_season(season, days, train=train)
    first = None if months is None else months[0]
    if (season.months, season.first) != (train, first):
        fitted, wanted = _span(season.months, season.first), _span(train, first)
        raise ValueError(f"season is of {fitted} and the series of {wanted}; give both the same months")
    return season


def _span(months: int, first: pd.Period | None) -> str:
    return f"{months} months" + (" without names" if first is None else f" from {first}")


@dataclass(frozen=True)
class _Model:
    level: float
    growth: float
    season: Array
    noise: float
    level_variance: float
    drift: float
    growth_is_capped: bool
    gap_at_end: int


def _fit(
    counts: Array, days: Array, of_year: NDArray[np.int64], group: SharedSeason | None, breaks: tuple[int, ...]
) -> _Model:
    fitted = len(counts)
    months = of_year[:fitted]
    logs = logs_per_day(counts, days[:fitted])
    season = parts.own_season(logs, months, breaks) if group is None else group.season
    aligned = parts.align(logs - season[months], breaks)
    drawn = parts.draw_in(aligned)
    growth = _own_growth(drawn, breaks) if group is None else group.growth
    noise = float(parts.noise_of(aligned[:, None], growth)[0])
    noise, drift = (noise, parts.UNSHARED_DRIFT) if group is None else group.noise_and_drift(noise)
    recent = drawn[breaks[-1] :] if breaks else drawn
    weights = (1 - parts.SMOOTHING) ** np.arange(len(recent))[::-1] * ~np.isnan(recent)
    return _Model(
        level=float(parts.level_at_end(recent[:, None], growth)[0]),
        growth=growth,
        season=season,
        noise=noise,
        level_variance=float(np.sum(weights**2) / np.sum(weights) ** 2),
        drift=drift,
        growth_is_capped=group is not None and group.growth_is_capped,
        gap_at_end=fitted - 1 - int(np.flatnonzero(~np.isnan(counts))[-1]),
    )


def _own_growth(levels: Array, breaks: tuple[int, ...]) -> float:
    """A month; none where recording changed, because a step looks like growth."""
    own = 0.0 if breaks else parts.growth_of(levels[:, None])
    return parts.OWN_GROWTH_SHARE * float(np.clip(own, -parts.LARGEST_GROWTH, parts.LARGEST_GROWTH)) / YEAR


def _predict(
    model: _Model,
    days: Array,
    of_year: NDArray[np.int64],
    ahead: pd.Index,
    levels: Sequence[float],
    warnings: tuple[str, ...],
) -> Forecast:
    value = np.exp(model.level + model.season[of_year] + parts.grown(model.growth, len(days))) * days
    distance = np.arange(1.0, len(days) + 1) + model.gap_at_end
    covariance = parts.error_covariance(model.noise, model.level_variance, model.drift, distance)
    shares = value / value.sum()
    total_spread = float(np.sqrt(shares @ covariance @ shares))
    frame = pd.DataFrame({"month": ahead, "value": value})
    total = {"value": float(value.sum())}
    for level in levels:
        lower, upper = _limit_names(level)
        reach = float(stdtrit(parts.TAIL, (1 + level) / 2))
        spread = np.exp(reach * np.sqrt(np.diag(covariance)))
        frame[lower], frame[upper] = value / spread, value * spread
        total[lower] = total["value"] / float(np.exp(reach * total_spread))
        total[upper] = total["value"] * float(np.exp(reach * total_spread))
    return Forecast(frame, total, warnings)


def _scored(result: Forecast, counts: Array, train: int) -> Backtest:
    actual, naive = counts[train:], counts[train - YEAR : len(counts) - YEAR]
    frame = result.frame.copy()
    frame.insert(1, "actual", actual)
    frame.insert(3, "naive", naive)
    scale = _mean(np.abs(counts[YEAR:train] - counts[: train - YEAR]))
    both = np.isnan(actual) | np.isnan(naive)
    errors = np.where(both, np.nan, np.abs(frame["value"].to_numpy() - actual))
    mae, naive_mae = _mean(errors), _mean(np.where(both, np.nan, np.abs(naive - actual)))
    covered = {}
    for level in BACKTEST_LEVELS:
        lower, upper = _limit_names(level)
        inside = (actual >= frame[lower]) & (actual <= frame[upper])
        covered[level] = _mean(np.where(np.isnan(actual) | frame[lower].isna(), np.nan, inside.astype(float)))
    return Backtest(
        frame=frame,
        mae=mae,
        naive_mae=naive_mae,
        mase=mae / scale if scale > 0 else np.nan,
        naive_mase=naive_mae / scale if scale > 0 else np.nan,
        coverage_80=covered[0.8],
        coverage_95=covered[0.95],
        total={"actual": float(actual.sum()), **result.total},
        warnings=result.warnings,
        reason=result.reason,
    )


def _unusable(counts: Array, breaks: tuple[int, ...]) -> str | None:
    known = ~np.isnan(counts)
    if known.sum() < FEWEST_POINTS:
        return f"{known.sum()} months are known; a forecast needs {FEWEST_POINTS}"
    missing_at_end = len(counts) - 1 - int(np.flatnonzero(known)[-1])
    if missing_at_end > LONGEST_END_GAP:
        return f"the last {missing_at_end} months are missing; a forecast bridges {LONGEST_END_GAP} at most"
    if breaks and (after := known[breaks[-1] :].sum()) < FEWEST_AFTER_BREAK:
        return f"{after} months are known since recording last changed; a forecast needs {FEWEST_AFTER_BREAK}"
    if not np.any(counts[known] > 0):
        return "no activity is recorded in any month"
    return None


def _warn(counts: Array, months: pd.PeriodIndex | None, breaks: tuple[int, ...], model: _Model) -> tuple[str, ...]:
    def named(position: int) -> str:
        return f"month {position + 1}" if months is None else months[position].strftime("%B %Y")

    warnings = []
    gaps = np.flatnonzero(np.isnan(counts))
    if gaps.size:
        warnings.append(f"missing and not filled in: {', '.join(named(int(at)) for at in gaps)}")
    if breaks:
        warnings.append(f"the level is taken from {named(breaks[-1])} on, where the series steps")
    if model.growth_is_capped:
        limit = f"{parts.LARGEST_GROWTH:.0%}"
        warnings.append(f"the group's growth is held to {limit} a year, as faster is unlikely to be care")
    return tuple(warnings)


def _no_forecast(ahead: pd.Index, levels: Sequence[float], reason: str) -> Forecast:
    names = ["value", *(name for level in levels for name in _limit_names(level))]
    frame = pd.DataFrame({"month": ahead, **dict.fromkeys(names, np.nan)})
    return Forecast(frame, dict.fromkeys(names, np.nan), (), reason)


def _months_ahead(months: pd.PeriodIndex | None, length: int, horizon: int) -> pd.Index:
    if months is None:
        return pd.RangeIndex(length, length + horizon)
    return pd.period_range(months[-1] + 1, periods=horizon, freq="M")


def _limit_names(level: float) -> tuple[str, str]:
    percent = f"{100 * level:g}".replace(".", "_")
    return f"lower_{percent}", f"upper_{percent}"


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
