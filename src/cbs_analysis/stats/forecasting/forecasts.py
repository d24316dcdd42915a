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

from cbs_analysis.stats.checks import Array, check_confidence, check_whole, refuse_repeated
from cbs_analysis.stats.forecasting import smoothing as parts
from cbs_analysis.stats.forecasting.rare_events import rare_events_forecast
from cbs_analysis.stats.forecasting.seasons import SharedSeason, shared_season
from cbs_analysis.stats.forecasting.series import (
    Frequency,
    days_of,
    frequency_of,
    logs_per_day,
    one_series,
    positions,
    seen_by,
)

BACKTEST_LEVELS = (0.8, 0.95)
FEW_EVENTS = 5
"""A period, on average, below which events are rare: the logarithm of such counts says little of their mean."""


@dataclass(frozen=True)
class Forecast:
    """A forecast, in the unit of the series.

    `frame`: a row a period ahead, columns `month` (the period, or a position where the series has none),
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
    seasonal_period: int | None = None,
) -> Forecast:
    """The next `horizon` periods of `series`, counts in time order, NaN for a period that is missing.

    A Series whose index is weeks, months, quarters or years (periods, dates, or text such as `2011-03`) gives the
    result its periods; otherwise they are months, the first of a year. `seasonal_period` is 52, 12, 4 or 1 (no season):
    as many as the periods make a year, by default. `exposure` is working or calendar days, or any other, of every
    period of the series and of those ahead. `season` is a frame or matrix of other areas' series for the same months
    (the area's own may be among them), or what `shared_season` made of them, which saves doing it again:
    season, growth and drift are theirs; without it, its own. `breaks` are positions where recording changed:
    the level is taken from after the last of them. Nothing is random, so the same input gives the same
    forecast.

    Fewer than 22 known months, fewer than 4 after the last break, or more than 2 missing at the end give NaN
    and a `reason` (of other periods, as many as make the same time, and 8 known at least); so do more than 2 empty
    months in a series that is not of rare events. Rare events, fewer than 5 a period since the last break, have a
    forecast of their total by a count model, without growth and with no season of their own, and a warning says so.
    Raises ValueError where a count is negative, months are not one after the other, or shapes do not fit.
    Source: simple exponential smoothing with damped growth on logarithms (Gardner 1985) and a seasonal
    profile pooled over a group (Bunn and Vassilopoulos 1999); Student's t limits with 4 degrees of freedom.
    """
    counts, periods = one_series(series)
    frequency = frequency_of(periods, seasonal_period)
    for level in levels:
        check_confidence(level, "levels")
    refuse_repeated(levels, "levels", "level")
    check_whole(horizon, "horizon", 1)
    fitted = len(counts)
    days = days_of(exposure, fitted + horizon, frequency.noun)
    steps = positions(breaks, fitted)
    group = _group(season, series, periods, days[:fitted], fitted, seasonal_period)
    ahead = _periods_ahead(periods, fitted, horizon)
    reason = _unusable(counts, steps, frequency)
    if reason is not None:
        return _no_forecast(ahead, levels, reason)
    of_year = frequency.places(periods, fitted + horizon)
    if _mean(counts[steps[-1] if steps else 0 :]) < FEW_EVENTS:
        return _rare(counts, days, of_year, group, steps, ahead, levels, frequency)
    try:
        model = _fit(counts, days, of_year, group, steps, frequency)
    except ValueError as error:
        return _no_forecast(ahead, levels, str(error))
    warnings = _warn(counts, periods, steps, model, frequency.noun)
    return _predict(model, days[fitted:], of_year[fitted:], ahead, levels, warnings, frequency)


def backtest(
    series: pd.Series | ArrayLike,
    horizon: int | None = None,
    train: int | None = None,
    exposure: ArrayLike | None = None,
    season: SharedSeason | pd.DataFrame | ArrayLike | None = None,
    breaks: Sequence[int] = (),
    seasonal_period: int | None = None,
) -> Backtest:
    """Forecast periods `train` to `train + horizon` from those before, and compare it with what happened.

    By default a year (`horizon`) is forecast from the two years before it (`train`).

    Arguments as `forecast`; `exposure` and `season` cover the months of the series and only the first `train`
    of `season` are used (a group must be fitted to those). Of `breaks`, only those that could have been seen
    by then: with four months after them.
    Raises ValueError as `forecast`, and where the series is shorter than `train + horizon`, `train` is a year or
    less or `horizon` over a year.
    Source: Hyndman and Koehler (2006) for the scaled error.
    """
    counts, periods = one_series(series)
    frequency = frequency_of(periods, seasonal_period)
    year, noun = frequency.per_year, frequency.noun
    horizon = year if horizon is None else check_whole(horizon, "horizon", 1)
    train = max(2 * year, frequency.fewest) if train is None else check_whole(train, "train", 1)
    end = train + horizon
    if train <= year or horizon > year or len(counts) < end:
        raise ValueError(
            f"a backtest of {horizon} {noun}s fitted to {train} needs {end} {noun}s and the series has "
            f"{len(counts)}; fit to more than {year}, forecast at most {year}"
        )
    days = days_of(exposure, len(counts), noun)[:end]
    known_series = pd.Series(counts[:train], index=None if periods is None else periods[:train])
    result = forecast(
        known_series,
        horizon,
        exposure=days,
        season=_group(season, series, periods, days[:train], train, seasonal_period),
        breaks=seen_by(positions(breaks, len(counts)), train, frequency.fewest_after_break),
        seasonal_period=seasonal_period,
    )
    return _scored(result, counts[:end], train, year)


def _group(
    season: SharedSeason | pd.DataFrame | ArrayLike | None,
    series: pd.Series | ArrayLike,
    periods: pd.PeriodIndex | None,
    days: Array,
    train: int,
    seasonal_period: int | None,
) -> SharedSeason | None:
    """What the others tell of the first `train` periods. Raises ValueError where they cover other periods."""
    if season is None:
        return None
    if not isinstance(season, SharedSeason):
        rows, shape = len(np.asarray(series)), np.shape(season)
        if isinstance(season, pd.DataFrame) and isinstance(series, pd.Series) and not season.index.equals(series.index):
            raise ValueError("season and series have different periods; give season the rows of series")
        if len(shape) != 2 or shape[0] != rows:
            raise ValueError(f"season has shape {shape}; it must have {rows} rows, and a column a series")
        if isinstance(series, pd.Series) and not isinstance(season, pd.DataFrame):
            season = pd.DataFrame(np.asarray(season), index=series.index)
        season = shared_season(season, days, train=train, seasonal_period=seasonal_period)
    first = None if periods is None else periods[0]
    if (season.periods, season.first) != (train, first):
        fitted, wanted = _span(season.periods, season.first), _span(train, first)
        raise ValueError(f"season is of {fitted} and the series of {wanted}; give both the same periods")
    if len(season.season) != frequency_of(periods, seasonal_period).seasonal_period:
        raise ValueError(f"season has {len(season.season)} places in the year; give one with that of the series")
    return season


def _span(periods: int, first: pd.Period | None) -> str:
    return f"{periods} periods" + (" without names" if first is None else f" from {first}")


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


def _rare(
    counts: Array,
    days: Array,
    of_year: NDArray[np.int64],
    group: SharedSeason | None,
    breaks: tuple[int, ...],
    ahead: pd.Index,
    levels: Sequence[float],
    frequency: Frequency,
) -> Forecast:
    """A forecast of rare events from those since the last break, with a group's season where there is one."""
    weights = days if group is None else days * np.exp(group.season[of_year])
    drift = parts.UNSHARED_DRIFT if group is None else group.drift
    since, fitted = (breaks[-1] if breaks else 0), len(counts)
    values, total = rare_events_forecast(counts[since:], weights[since:fitted], weights[fitted:], levels, drift)
    mean = f"{_mean(counts[since:]):.2g}"
    warning = f"events are rare ({mean} a {frequency.noun}): the forecast is of a steady rate, by a count model"
    frame = pd.DataFrame({"month": ahead, **_named(values, levels)})
    return Forecast(frame, {name: float(each[0]) for name, each in _named(total, levels).items()}, (warning,))


def _named(values: Array, levels: Sequence[float]) -> dict[str, Array]:
    names = ["value", *(name for level in levels for name in _limit_names(level))]
    return dict(zip(names, values, strict=True))


def _fit(
    counts: Array,
    days: Array,
    of_year: NDArray[np.int64],
    group: SharedSeason | None,
    breaks: tuple[int, ...],
    frequency: Frequency,
) -> _Model:
    fitted = len(counts)
    months = of_year[:fitted]
    logs = logs_per_day(counts, days[:fitted])
    season = parts.own_season(logs, months, frequency, breaks) if group is None else group.season
    aligned = parts.align(logs - season[months], breaks)
    drawn = parts.draw_in(aligned)
    growth = _own_growth(drawn, breaks, frequency) if group is None else group.growth
    noise = float(parts.noise_of(aligned[:, None], growth, frequency)[0])
    noise, drift = (noise, parts.UNSHARED_DRIFT) if group is None else group.noise_and_drift(noise)
    recent = drawn[breaks[-1] :] if breaks else drawn
    weights = parts.kept_a_period(1 - parts.SMOOTHING, frequency) ** np.arange(len(recent))[::-1] * ~np.isnan(recent)
    return _Model(
        level=float(parts.level_at_end(recent[:, None], growth, frequency)[0]),
        growth=growth,
        season=season,
        noise=noise,
        level_variance=float(np.sum(weights**2) / np.sum(weights) ** 2),
        drift=drift,
        growth_is_capped=group is not None and group.growth_is_capped,
        gap_at_end=fitted - 1 - int(np.flatnonzero(~np.isnan(counts))[-1]),
    )


def _own_growth(levels: Array, breaks: tuple[int, ...], frequency: Frequency) -> float:
    """A period; none where recording changed, because a step looks like growth."""
    own = 0.0 if breaks else parts.growth_of(levels[:, None], frequency)
    return (
        parts.OWN_GROWTH_SHARE * float(np.clip(own, -parts.LARGEST_GROWTH, parts.LARGEST_GROWTH)) / frequency.per_year
    )


def _predict(
    model: _Model,
    days: Array,
    of_year: NDArray[np.int64],
    ahead: pd.Index,
    levels: Sequence[float],
    warnings: tuple[str, ...],
    frequency: Frequency,
) -> Forecast:
    value = np.exp(model.level + model.season[of_year] + parts.grown(model.growth, len(days), frequency)) * days
    distance = np.arange(1.0, len(days) + 1) + model.gap_at_end
    covariance = parts.error_covariance(model.noise, model.level_variance, model.drift, distance, frequency)
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


def _scored(result: Forecast, counts: Array, train: int, year: int) -> Backtest:
    actual, naive = counts[train:], counts[train - year : len(counts) - year]
    frame = result.frame.copy()
    frame.insert(1, "actual", actual)
    frame.insert(3, "naive", naive)
    scale = _mean(np.abs(counts[year:train] - counts[: train - year]))
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


def _unusable(counts: Array, breaks: tuple[int, ...], frequency: Frequency) -> str | None:
    known, nouns = ~np.isnan(counts), f"{frequency.noun}s"
    if known.sum() < frequency.fewest:
        return f"{known.sum()} {nouns} are known; a forecast needs {frequency.fewest}"
    missing_at_end = len(counts) - 1 - int(np.flatnonzero(known)[-1])
    if missing_at_end > frequency.longest_end_gap:
        return f"the last {missing_at_end} {nouns} are missing; a forecast bridges {frequency.longest_end_gap} at most"
    needed = frequency.fewest_after_break
    if breaks and (after := known[breaks[-1] :].sum()) < needed:
        return f"{after} {nouns} are known since recording last changed; a forecast needs {needed}"
    if not np.any(counts[known] > 0):
        return f"no activity is recorded in any {frequency.noun}"
    recent = counts[breaks[-1] if breaks else 0 :]
    empty = int(np.sum(recent == 0))
    if _mean(recent) >= FEW_EVENTS and empty > frequency.longest_end_gap:
        mean = f"{_mean(recent):.0f} a {frequency.noun}"
        return f"{empty} {nouns} are empty in a series of {mean}, so recording may have stopped"
    return None


def _warn(
    counts: Array, periods: pd.PeriodIndex | None, breaks: tuple[int, ...], model: _Model, noun: str
) -> tuple[str, ...]:
    def named(position: int) -> str:
        if periods is None:
            return f"{noun} {position + 1}"
        return periods[position].strftime("%B %Y") if noun == "month" else str(periods[position])

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


def _periods_ahead(periods: pd.PeriodIndex | None, length: int, horizon: int) -> pd.Index:
    if periods is None:
        return pd.RangeIndex(length, length + horizon)
    return pd.period_range(periods[-1] + 1, periods=horizon, freq=periods.freq)


def _limit_names(level: float) -> tuple[str, str]:
    percent = f"{100 * level:g}".replace(".", "_")
    return f"lower_{percent}", f"upper_{percent}"


def _mean(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else np.nan
