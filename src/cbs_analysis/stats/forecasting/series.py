"""What a series is taken to be: counts in time order, the periods they stand for, and the days in each.

For `forecasts` and `seasons`, which read what a caller gives here, so that both refuse the same mistakes in the same
words. Periods are weeks, months, quarters or years; a series without periods is taken to be of months.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.calendar import NAMES, period_index, periods_per_year
from cbs_analysis.stats.checks import Array, as_numbers, check_positions, check_whole, labels_of, refuse


@dataclass(frozen=True)
class Frequency:
    """How many periods make a year (52, 12, 4 or 1), and the seasonal period: as many, or 1 without a season."""

    per_year: int = 12
    seasonal_period: int = 12

    @property
    def noun(self) -> str:
        return NAMES.get(self.per_year, "period")

    @property
    def fewest(self) -> int:
        """Known periods that a forecast needs: two years, less a sixth of one that may be missing; at least eight."""
        return max(2 * self.per_year - self.per_year // 6, 8)

    @property
    def fewest_after_break(self) -> int:
        """Periods after a change of recording before it can be seen, or a level taken from them: a third of a year."""
        return max(4, round(self.per_year / 3))

    @property
    def longest_end_gap(self) -> int:
        """Missing periods at the end that a forecast bridges: a sixth of a year."""
        return max(1, round(self.per_year / 6))

    def places(self, periods: pd.PeriodIndex | None, length: int) -> NDArray[np.int64]:
        """Each period's place in the season, 0 for January; without periods the first is taken for one. The 53rd week
        of a year counts as its 52nd.
        """
        season = self.seasonal_period
        if periods is None or season != self.per_year:
            return np.arange(length) % season
        if self.per_year == 52:
            weeks = pd.period_range(periods[0], periods=length, freq=periods.freq).week.to_numpy()
            return np.minimum(weeks, 52).astype(np.int64) - 1
        first = {12: periods[0].month - 1, 4: periods[0].quarter - 1, 1: 0}[self.per_year]
        return (first + np.arange(length)) % season


def frequency_of(periods: pd.PeriodIndex | None, seasonal_period: int | None) -> Frequency:
    """The frequency of a series: of its periods, or of the seasonal period that is given; months without either."""
    if seasonal_period is not None:
        check_whole(seasonal_period, "seasonal_period", 1)
    if periods is None:
        given = seasonal_period or 12
        return Frequency(12 if given == 1 else given, given)
    per_year = periods_per_year(periods)
    if seasonal_period not in (None, 1, per_year):
        raise ValueError(
            f"seasonal_period is {seasonal_period}; for a {NAMES[per_year]}ly series it must be {per_year} or 1"
        )
    return Frequency(per_year, seasonal_period or per_year)


def one_series(series: pd.Series | ArrayLike) -> tuple[Array, pd.PeriodIndex | None]:
    """Counts, and their periods where the index has them. Raises ValueError where a count is negative, or a period is
    left out.
    """
    counts = as_numbers(series, "series")
    if counts.ndim != 1 or not counts.size:
        raise ValueError(f"series has shape {counts.shape}; it must be one row of periods in time order")
    refuse(counts < 0, counts, "series", "must not be negative", labels_of(series))
    return counts, _periods(series.index, "series") if isinstance(series, pd.Series) else None


def many_series(series: pd.DataFrame | ArrayLike, name: str) -> tuple[Array, pd.PeriodIndex | None]:
    """Counts with a row a period and a column a series, and their periods. Raises ValueError as `one_series`."""
    counts = as_numbers(series, name)
    if counts.ndim != 2 or not counts.size:
        raise ValueError(f"{name} has shape {counts.shape}; it must have a row a period and a column a series")
    refuse(counts < 0, counts, name, "must not be negative")
    return counts, _periods(series.index, name) if isinstance(series, pd.DataFrame) else None


def days_of(exposure: ArrayLike | None, length: int, noun: str = "period") -> Array:
    """Days of each of `length` periods, 1 where none are given. Raises ValueError where one is not above 0."""
    if exposure is None:
        return np.ones(length)
    days = as_numbers(exposure, "exposure")
    if days.shape != (length,):
        raise ValueError(f"exposure has shape {days.shape}; it must have {length} {noun}s, those ahead included")
    refuse(~(days > 0), days, "exposure", "must be above 0", labels_of(exposure))
    return days


def positions(breaks: Iterable[int], length: int) -> tuple[int, ...]:
    """Break positions in order, each once. Raises ValueError where one is not inside the series."""
    return check_positions(breaks, "breaks", length)


def seen_by(breaks: Iterable[int], end: int, fewest_after: int) -> tuple[int, ...]:
    """Of `breaks`, those that could have been seen at period `end`: with enough periods after them."""
    return tuple(at for at in breaks if at <= end - fewest_after)


def logs_per_day(counts: Array, days: Array) -> Array:
    """Logarithm of activity a day; none at all counts as half of one."""
    return np.log(np.maximum(counts, 0.5) / days)


def _periods(index: pd.Index, name: str) -> pd.PeriodIndex | None:
    if pd.api.types.is_numeric_dtype(index):
        return None
    periods = period_index(index)
    for before, after in pairwise(periods):
        if after != before + 1:
            noun = NAMES[periods_per_year(periods)]
            raise ValueError(f"{name}: {after} follows {before}; give every {noun}, missing ones as NaN")
    return periods
