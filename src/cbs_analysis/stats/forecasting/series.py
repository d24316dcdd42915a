"""What a monthly series is taken to be: counts in time order, the months they stand for, and the days in each.

For `forecasts` and `seasons`, which read what a caller gives here, so that both refuse the same mistakes
in the same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.calendar import period_index
from cbs_analysis.stats.checks import Array, as_numbers, labels_of, refuse

YEAR = 12
FEWEST_AFTER_BREAK = 4
"""Months after a change of recording before it can be seen, or a level taken from them."""


def one_series(series: pd.Series | ArrayLike) -> tuple[Array, pd.PeriodIndex | None]:
    """Counts, and their months where the index is months. Raises ValueError where a count is negative, or a
    month is left out.
    """
    counts = as_numbers(series, "series")
    if counts.ndim != 1 or not counts.size:
        raise ValueError(f"series has shape {counts.shape}; it must be one row of months in time order")
    refuse(counts < 0, counts, "series", "must not be negative", labels_of(series))
    return counts, _months(series.index, "series") if isinstance(series, pd.Series) else None


def many_series(series: pd.DataFrame | ArrayLike, name: str) -> tuple[Array, pd.PeriodIndex | None]:
    """Counts with a row a month and a column a series, and their months. Raises ValueError as `one_series`."""
    counts = as_numbers(series, name)
    if counts.ndim != 2 or not counts.size:
        raise ValueError(f"{name} has shape {counts.shape}; it must have a row a month and a column a series")
    refuse(counts < 0, counts, name, "must not be negative")
    return counts, _months(series.index, name) if isinstance(series, pd.DataFrame) else None


def days_of(exposure: ArrayLike | None, length: int) -> Array:
    """Days of each of `length` months, 1 where none are given. Raises ValueError where one is not above 0."""
    if exposure is None:
        return np.ones(length)
    days = as_numbers(exposure, "exposure")
    if days.shape != (length,):
        raise ValueError(f"exposure has shape {days.shape}; it must have {length} months, those ahead included")
    refuse(~(days > 0), days, "exposure", "must be above 0", labels_of(exposure))
    return days


def positions(breaks: Iterable[int], length: int) -> tuple[int, ...]:
    """Break positions in order, each once. Raises ValueError where one is not inside the series."""
    for at in breaks:
        if not 0 < at < length:
            raise ValueError(f"breaks: {at} is not a position inside a series of {length} months")
    return tuple(sorted({int(at) for at in breaks}))


def seen_by(breaks: Iterable[int], end: int) -> tuple[int, ...]:
    """Of `breaks`, those that could have been seen at month `end`: with four months after them."""
    return tuple(at for at in breaks if at <= end - FEWEST_AFTER_BREAK)


def month_of_year(months: pd.PeriodIndex | None, length: int) -> NDArray[np.int64]:
    """0 for January to 11; without months the first is taken for a January."""
    first = 0 if months is None else months[0].month - 1
    return (first + np.arange(length)) % YEAR


def logs_per_day(counts: Array, days: Array) -> Array:
    """Logarithm of activity a day; none at all counts as half of one."""
    return np.log(np.maximum(counts, 0.5) / days)


def _months(index: pd.Index, name: str) -> pd.PeriodIndex | None:
    if pd.api.types.is_numeric_dtype(index):
        return None
    months = period_index(index)
    for before, after in pairwise(months):
        if after != before + 1:
            raise ValueError(f"{name}: {after} follows {before}; give every month, missing ones as NaN")
    return months
