"""What do areas like it tell of one area? The season, growth and drift they share, and the days they run by.

For `forecasts`: three years of one area cannot tell a season from chance, three years of thirty can. A
group is fitted once and then used for each of its members. Months and days are as in `forecasts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.checks import Array, check_whole
from cbs_analysis.stats.forecasting import smoothing as parts
from cbs_analysis.stats.forecasting.series import (
    Frequency,
    days_of,
    frequency_of,
    logs_per_day,
    many_series,
    positions,
    seen_by,
)

FEWEST_PEERS = 3


@dataclass(frozen=True)
class SharedSeason:
    """What others tell of one, on the logarithm of activity a day.

    `season`: a value for each place in the year, January first, mean 0 (a single 0 where there is no season).
    `growth`: a period. `noise`: standard deviation of a period. `drift`: scale of the mean error of a year, as
    backtests gave it. `periods`: how many were fitted, from `first` on (None where the series had no periods).
    """

    season: Array
    growth: float
    noise: float
    drift: float
    growth_is_capped: bool
    periods: int
    first: pd.Period | None

    def noise_and_drift(self, own_noise: float) -> tuple[float, float]:
        """The two for a series with this noise: mostly its own noise, and the group's drift.

        A series much quieter than the group is a sum of many, in which drifts partly cancel.
        """
        if self.noise <= 0:
            return own_noise, self.drift
        ratio = (own_noise / self.noise) ** 2
        quiet = min(1.0, 2 * ratio)
        share = parts.OWN_NOISE_SHARE * ratio + (1 - parts.OWN_NOISE_SHARE) * quiet
        return self.noise * float(np.sqrt(share)), self.drift * float(np.sqrt(quiet))


@dataclass(frozen=True)
class ExposureChoice:
    """`chosen`: the name of the exposure with the smallest error; `errors`: mean scaled error by name, NaN
    where it was not tested.
    """

    chosen: str
    errors: dict[str, float]


def shared_season(
    series: pd.DataFrame | ArrayLike,
    exposure: ArrayLike | None = None,
    breaks: Mapping[Any, Sequence[int]] | None = None,
    train: int | None = None,
    seasonal_period: int | None = None,
) -> SharedSeason:
    """Season, growth, noise and drift shared by the columns of `series`, from its first `train` months or all.

    `exposure` has the days of each month fitted or more. `breaks` gives, by column, positions where recording
    changed; season, growth and noise are of the series without one that could have been seen, where there are
    3 such: a step looks like growth. The drift is of all, because series will step again. A series with fewer
    than 22 known months is left out (of other periods, as many as make two years less a sixth of one, 8 at least).
    `seasonal_period` is 52, 12, 4 or 1 (no season): as many as the index's periods make a year, or 12.
    Raises ValueError where fewer than 3 series are left, a calendar month is never seen, `train` is not an
    integer or shapes do not fit.
    Source: group seasonal indices (Bunn and Vassilopoulos 1999).
    """
    counts, periods = many_series(series, "season")
    frequency = frequency_of(periods, seasonal_period)
    rows = len(counts) if train is None else check_whole(train, "train", 1, len(counts))
    columns = series.columns if isinstance(series, pd.DataFrame) else range(counts.shape[1])
    stepping = [
        bool(seen_by(positions((breaks or {}).get(name, ()), len(counts)), rows, frequency.fewest_after_break))
        for name in columns
    ]
    days = days_of(None if exposure is None else np.asarray(exposure)[:rows], rows)
    logs = logs_per_day(counts[:rows], days[:, None])
    first = None if periods is None else periods[0]
    return _group_of(logs, np.array(stepping), frequency.places(periods, rows), frequency, first)


def choose_exposure(
    series: pd.DataFrame | ArrayLike,
    exposures: Mapping[str, ArrayLike],
    train: int | None = None,
    seasonal_period: int | None = None,
) -> ExposureChoice:
    """The exposure by which the year after the first `train` periods (two years by default) would have been forecast
    best.

    `series` as `shared_season`; each of `exposures` has as many months. The error is the mean over series of the
    mean absolute error over the mean absolute change on the year in the months fitted (MASE). The first
    exposure is chosen where two are alike, or where there is no whole year to test on.
    Raises ValueError as `shared_season`.
    Source: Hyndman and Koehler (2006) for the scaled error.
    """
    counts, periods = many_series(series, "series")
    if not exposures:
        raise ValueError("exposures is empty; give at least one")
    frequency = frequency_of(periods, seasonal_period)
    train = max(2 * frequency.per_year, frequency.fewest) if train is None else check_whole(train, "train", 1)
    errors = dict.fromkeys(exposures, np.nan)
    if len(counts) >= train + frequency.per_year and train >= frequency.fewest:
        errors = {name: _mean_scaled_error(counts, periods, exposures[name], train, frequency) for name in exposures}
    known = {name: error for name, error in errors.items() if not np.isnan(error)}
    return ExposureChoice(min(known or errors, key=lambda name: errors[name]), errors)


def _group_of(
    logs: Array, stepping: np.ndarray, of_year: np.ndarray, frequency: Frequency, first: pd.Period | None = None
) -> SharedSeason:
    known = np.sum(~np.isnan(logs), axis=0) >= frequency.fewest
    if known.sum() < FEWEST_PEERS:
        enough = f"{known.sum()} series have {frequency.fewest} known {frequency.noun}s"
        raise ValueError(f"season: {enough}; give at least {FEWEST_PEERS}")
    steady = known & ~stepping
    if steady.sum() < FEWEST_PEERS:
        steady = known
    profiles = np.column_stack([parts.own_season(column, of_year, frequency) for column in logs[:, steady].T])
    season = np.median(profiles, axis=1)
    season = season - season.mean()
    levels = logs - season[of_year][:, None]
    growth = parts.growth_of(parts.draw_in(levels[:, steady]), frequency)
    capped = float(np.clip(growth, -parts.LARGEST_GROWTH, parts.LARGEST_GROWTH))
    return SharedSeason(
        season=season,
        growth=capped / frequency.per_year,
        noise=float(np.median(parts.noise_of(levels[:, steady], capped / frequency.per_year, frequency))),
        drift=parts.drift_of(levels[:, known], frequency),
        growth_is_capped=capped != growth,
        periods=len(logs),
        first=first,
    )


def _mean_scaled_error(
    counts: Array, periods: pd.PeriodIndex | None, exposure: ArrayLike, train: int, frequency: Frequency
) -> float:
    year = frequency.per_year
    days, end = days_of(exposure, len(counts), frequency.noun), train + year
    of_year = frequency.places(periods, end)
    logs = logs_per_day(counts[:train], days[:train, None])
    group = _group_of(logs, np.zeros(logs.shape[1], dtype=bool), of_year[:train], frequency)
    levels = parts.draw_in(logs - group.season[of_year[:train]][:, None])
    ahead = group.season[of_year[train:]] + parts.grown(group.growth, year, frequency)
    value = np.exp(parts.level_at_end(levels, group.growth, frequency) + ahead[:, None]) * days[train:end, None]
    error = pd.DataFrame(np.abs(counts[train:end] - value)).mean()
    scale = pd.DataFrame(np.abs(counts[year:train] - counts[: train - year])).mean()
    return float((error / scale.where(scale > 0)).mean())
