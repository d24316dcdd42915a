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

from cbs_analysis.stats.checks import Array
from cbs_analysis.stats.forecasting import smoothing as parts
from cbs_analysis.stats.forecasting.series import (
    YEAR,
    days_of,
    logs_per_day,
    many_series,
    month_of_year,
    positions,
    seen_by,
)

FEWEST_POINTS = 22
"""Known months needed: two years, less two months that may be missing."""
FEWEST_PEERS = 3


@dataclass(frozen=True)
class SharedSeason:
    """What others tell of one, on the logarithm of activity a day.

    `season`: 12 values, January first, mean 0. `growth`: a month. `noise`: standard deviation of a month.
    `drift`: scale of the mean error of a year, as backtests found it. `months`: how many were fitted, from
    `first` on (None where the series had no months).
    """

    season: Array
    growth: float
    noise: float
    drift: float
    growth_is_capped: bool
    months: int
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
) -> SharedSeason:
    """Season, growth, noise and drift shared by the columns of `series`, from its first `train` months or all.

    `exposure` has the days of each month fitted or more. `breaks` gives, by column, positions where recording
    changed; season, growth and noise are of the series without one that could have been seen, where there are
    3 such: a step looks like growth. The drift is of all, because series will step again. A series with fewer
    than 22 known months is left out.
    Raises ValueError where fewer than 3 series are left, a calendar month is never seen or shapes do not fit.
    Source: group seasonal indices (Bunn and Vassilopoulos 1999).
    """
    counts, months = many_series(series, "season")
    rows = len(counts) if train is None else train
    columns = series.columns if isinstance(series, pd.DataFrame) else range(counts.shape[1])
    stepping = [bool(seen_by(positions((breaks or {}).get(name, ()), len(counts)), rows)) for name in columns]
    days = days_of(None if exposure is None else np.asarray(exposure)[:rows], rows)
    logs = logs_per_day(counts[:rows], days[:, None])
    return _group_of(logs, np.array(stepping), month_of_year(months, rows), None if months is None else months[0])


def choose_exposure(
    series: pd.DataFrame | ArrayLike, exposures: Mapping[str, ArrayLike], train: int = 24
) -> ExposureChoice:
    """The exposure by which the year after the first `train` months would have been forecast best.

    `series` as `shared_season`; each of `exposures` has as many months. The error is the mean over series of the
    mean absolute error over the mean absolute change on the year in the months fitted (MASE). The first
    exposure is chosen where two are alike, or where there is no whole year to test on.
    Raises ValueError as `shared_season`.
    Source: Hyndman and Koehler (2006) for the scaled error.
    """
    counts, months = many_series(series, "series")
    errors = dict.fromkeys(exposures, np.nan)
    if len(counts) >= train + YEAR and train >= FEWEST_POINTS:
        errors = {name: _mean_scaled_error(counts, months, exposures[name], train) for name in exposures}
    known = {name: error for name, error in errors.items() if not np.isnan(error)}
    return ExposureChoice(min(known or errors, key=lambda name: errors[name]), errors)


def _group_of(logs: Array, stepping: np.ndarray, months: np.ndarray, first: pd.Period | None = None) -> SharedSeason:
    known = np.sum(~np.isnan(logs), axis=0) >= FEWEST_POINTS
    if known.sum() < FEWEST_PEERS:
        found = f"{known.sum()} series have {FEWEST_POINTS} known months"
        raise ValueError(f"season: {found}; give at least {FEWEST_PEERS}")
    steady = known & ~stepping
    if steady.sum() < FEWEST_PEERS:
        steady = known
    profiles = np.column_stack([parts.own_season(column, months) for column in logs[:, steady].T])
    season = np.median(profiles, axis=1)
    season = season - season.mean()
    levels = logs - season[months][:, None]
    growth = parts.growth_of(parts.draw_in(levels[:, steady]))
    capped = float(np.clip(growth, -parts.LARGEST_GROWTH, parts.LARGEST_GROWTH))
    return SharedSeason(
        season=season,
        growth=capped / YEAR,
        noise=float(np.median(parts.noise_of(levels[:, steady], capped / YEAR))),
        drift=parts.drift_of(levels[:, known]),
        growth_is_capped=capped != growth,
        months=len(logs),
        first=first,
    )


def _mean_scaled_error(counts: Array, months: pd.PeriodIndex | None, exposure: ArrayLike, train: int) -> float:
    days, end = days_of(exposure, len(counts)), train + YEAR
    of_year = month_of_year(months, end)
    logs = logs_per_day(counts[:train], days[:train, None])
    group = _group_of(logs, np.zeros(logs.shape[1], dtype=bool), of_year[:train])
    levels = parts.draw_in(logs - group.season[of_year[:train]][:, None])
    ahead = group.season[of_year[train:]] + parts.grown(group.growth, YEAR)
    value = np.exp(parts.level_at_end(levels, group.growth) + ahead[:, None]) * days[train:end, None]
    error = pd.DataFrame(np.abs(counts[train:end] - value)).mean()
    scale = pd.DataFrame(np.abs(counts[YEAR:train] - counts[: train - YEAR])).mean()
    return float((error / scale.where(scale > 0)).mean())
