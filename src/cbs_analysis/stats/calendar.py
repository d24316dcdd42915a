"""How many days had a month to work in? Working and calendar days in England, for comparing months fairly.

Planned care happens on weekdays that are not bank holidays, so a month with 23 of them does more than one
with 19 without anything having changed. Emergencies keep no calendar: for them calendar days are right. Bank
holidays, one-off ones included, come from the `holidays` package (United Kingdom, England).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Months = Iterable[object]
"""A PeriodIndex, DatetimeIndex, Series or list of months."""


def working_days(months: Months) -> NDArray[np.int64]:
    """Weekdays less England's bank holidays in each month, as many whole numbers as `months`, in their order.

    `months` are periods, dates or text such as `2011-04`. Raises ValueError that names a month it cannot
    read.
    Source: the `holidays` package for the United Kingdom, England.
    """
    periods = month_index(months)
    if not len(periods):
        return np.array([], dtype=np.int64)
    first, last = periods.min(), periods.max()
    bank_holidays = _bank_holidays(first.year, last.year)
    starts = periods.to_timestamp().to_numpy().astype("datetime64[D]")
    ends = (periods + 1).to_timestamp().to_numpy().astype("datetime64[D]")
    return np.asarray(np.busday_count(starts, ends, holidays=bank_holidays), dtype=np.int64)


def calendar_days(months: Months) -> NDArray[np.int64]:
    """Days in each month, as many whole numbers as `months`, in their order. Input and errors as
    `working_days`.
    Source: the calendar, by pandas.
    """
    return np.asarray(month_index(months).days_in_month, dtype=np.int64)


def month_index(months: Months) -> pd.PeriodIndex:
    """`months` as monthly periods. Raises ValueError that names the first month it cannot read."""
    if isinstance(months, pd.PeriodIndex):
        return months.asfreq("M")
    periods = []
    for month in months:
        try:
            period = pd.Period(month, freq="M")
        except (TypeError, ValueError):
            period = pd.NaT
        if period is pd.NaT or (isinstance(month, int | float) and not isinstance(month, bool)):
            raise ValueError(f"month {month!r} cannot be read; write it as 2011-04")
        periods.append(period)
    return pd.PeriodIndex(periods, freq="M")


@lru_cache(maxsize=32)
def _bank_holidays(first_year: int, last_year: int) -> NDArray[np.datetime64]:
    import holidays

    days = holidays.country_holidays("GB", subdiv="ENG", years=range(first_year, last_year + 1))
    return np.array(sorted(days), dtype="datetime64[D]")
