"""How many days had a week, month, quarter or year to work in? Working and calendar days, for comparing periods fairly.

Planned care happens on weekdays that are not bank holidays, so a month with 23 of them does more than one with 19
without any change in care. Emergencies arrive on every day of the week: for them calendar days are right. Bank
holidays, one-off ones included, come from the `holidays` package: England's, or those of another country.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Periods: TypeAlias = str | pd.Period | Iterable[object]
"""A PeriodIndex, DatetimeIndex, Series or list of weeks, months, quarters or years; or a single one."""
PER_YEAR = {"W": 52, "M": 12, "Q": 4, "Y": 1, "A": 1}
WEEKDAYS = ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"]
NAMES = {52: "week", 12: "month", 4: "quarter", 1: "year"}
WRITTEN = "write a month as 2011-04, a quarter 2011-Q2, a week 2011-W14, a year 2011 and a financial year 2010/11"
Days: TypeAlias = NDArray[np.datetime64]


def working_days(periods: Periods, country: str = "GB", subdivision: str | None = "ENG") -> NDArray[np.int64]:
    """Weekdays less bank holidays in each period, as many whole numbers as `periods`, in their order.

    `periods` are pandas periods (weeks, months, quarters or years, financial ones among them), dates (of which the
    month counts, unless a DatetimeIndex has another frequency), or text: `2011-04`, `2011-Q2`, `2011-W14` (an ISO
    week), `2011`, `2010/11` (a financial year) or `2010/11 Q1` (a financial quarter). `country` and `subdivision` are
    those of the `holidays` package: GB with ENG, SCT, WLS or NIR; England by default. Raises ValueError that names a
    period it cannot read, or a country or subdivision that is not in the package. Source: the `holidays` package.
    """
    starts, ends = _bounds(periods)
    if not len(starts):
        return np.array([], dtype=np.int64)
    first, last = (int(day.astype("datetime64[Y]").astype(int)) + 1970 for day in (starts.min(), ends.max()))
    closed = _bank_holidays(country, subdivision, first, last)
    return np.asarray(np.busday_count(starts, ends, holidays=closed), dtype=np.int64)


def calendar_days(periods: Periods) -> NDArray[np.int64]:
    """Days in each period, as many whole numbers as `periods`, in their order. Input and errors as `working_days`.
    Source: the calendar, by pandas.
    """
    starts, ends = _bounds(periods)
    return (ends - starts).astype(np.int64)


def period_index(periods: Periods) -> pd.PeriodIndex:
    """`periods`, as `working_days` takes them, as pandas periods of one frequency.

    Raises ValueError that names the first period that cannot be read, or is of another frequency than those before.
    """
    given = _periods(periods)
    if isinstance(given, pd.PeriodIndex):
        return given
    for each in given:
        if each.freq != given[0].freq:
            raise ValueError(f"period {each} is a {_name(each)} and {given[0]} a {_name(given[0])}; give one kind")
    return pd.PeriodIndex(given, freq=given[0].freq if given else "M")


def periods_per_year(periods: pd.PeriodIndex) -> int:
    """How many of the periods make a year: 52 weeks, 12 months, 4 quarters or 1 year. Raises ValueError where they are
    none of these.
    """
    return PER_YEAR[_base(periods.freqstr)]


def _bounds(periods: Periods) -> tuple[Days, Days]:
    """The first day of each period, and the first after it."""
    given = _periods(periods)
    if isinstance(given, pd.PeriodIndex):
        return _days(given.to_timestamp()), _days((given + 1).to_timestamp())
    starts = [each.start_time for each in given]
    return _days(pd.DatetimeIndex(starts)), _days(pd.DatetimeIndex([(each + 1).start_time for each in given]))


def _days(times: pd.DatetimeIndex) -> Days:
    return np.asarray(times.to_numpy(dtype="datetime64[D]"))


def _periods(periods: Periods) -> pd.PeriodIndex | list[pd.Period]:
    """An index as it is, once its frequency is checked; anything else period by period."""
    if isinstance(periods, pd.DatetimeIndex):
        periods = periods.to_period(_of_dates(periods.freqstr))
    if isinstance(periods, pd.PeriodIndex):
        _base(periods.freqstr)
        if periods.hasnans:
            raise ValueError(f"period {int(np.argmax(periods.isna()))} is missing; {WRITTEN}")
        return periods
    if isinstance(periods, str | pd.Period | date):
        return [_period(periods)]
    if not isinstance(periods, Iterable):
        raise ValueError(f"period {periods!r} cannot be read; {WRITTEN}")
    return [_period(each) for each in periods]


def _period(given: object) -> pd.Period:
    """One period. Raises ValueError that names what cannot be read, rather than guess."""
    period = pd.NaT
    if isinstance(given, pd.Period):
        _base(given.freqstr)
        period = given
    elif isinstance(given, str):
        period = _from_text(given.strip())
    elif isinstance(given, date | np.datetime64):
        period = pd.Period(pd.Timestamp(given), freq="M")
    if period is pd.NaT:
        raise ValueError(f"period {given!r} cannot be read; {WRITTEN}")
    return period


def _from_text(text: str) -> pd.Period:
    """A period from text, NaT where it is none: 2010/11 is a financial year, and 2010/12 neither that nor a month."""
    try:
        if match := re.fullmatch(r"(\d{4})/(\d{2})(?: ?Q([1-4]))?", text):
            year, quarter = int(match[1]) + 1, match[3]
            if year % 100 != int(match[2]):
                return pd.NaT
            return pd.Period(f"{year}Q{quarter}", freq="Q-MAR") if quarter else pd.Period(str(year), freq="Y-MAR")
        if match := re.fullmatch(r"(\d{4})-?W(\d{2})", text):
            return pd.Period(date.fromisocalendar(int(match[1]), int(match[2]), 1), freq="W-SUN")
        if re.fullmatch(r"\d{4}-?Q[1-4]", text):
            return pd.Period(text.replace("-", ""), freq="Q-DEC")
        if re.fullmatch(r"\d{4}", text):
            return pd.Period(text, freq="Y-DEC")
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}/\d{4}-\d{2}-\d{2}", text):
            first, last = map(pd.Timestamp, text.split("/"))
            return pd.Period(first, freq=f"W-{last:%a}".upper()) if (last - first).days == 6 else pd.NaT
        is_a_word_or_number = re.fullmatch(r"[\d./]*", text) or not re.search(r"\d{4}|\d{2}", text)
        return pd.NaT if is_a_word_or_number else pd.Period(text, freq="M")
    except (TypeError, ValueError):
        return pd.NaT


def _of_dates(frequency: str | None) -> str:
    """The frequency of the periods that dates of this frequency begin or end; months where they have none."""
    if frequency is None:
        return "M"
    base, _, anchor = frequency.partition("-")
    if base == "W":
        # Weeks run from Monday to Sunday, unless their dates are of another day: then they begin on it.
        return "W-SUN" if anchor == "SUN" else f"W-{WEEKDAYS[WEEKDAYS.index(anchor) - 1]}"
    if base in ("MS", "ME", "M", "BMS", "BME"):
        return "M"
    if base in ("QS", "QE", "Q", "YS", "YE", "Y", "A", "AS"):
        month = pd.Timestamp(f"2024 {anchor or 'DEC'} 1")
        last = month - pd.DateOffset(months=1) if base.endswith("S") else month
        return f"{base[0].replace('A', 'Y')}-{last:%b}".upper()
    raise ValueError(f"dates of frequency {frequency!r} are not periods; give weeks, months, quarters or years")


def _base(frequency: str) -> str:
    base = frequency.partition("-")[0]
    if base not in PER_YEAR:
        raise ValueError(f"periods of frequency {frequency!r} cannot be used; give weeks, months, quarters or years")
    return base


def _name(period: pd.Period) -> str:
    return NAMES[PER_YEAR[_base(period.freqstr)]]


@lru_cache(maxsize=32)
def _bank_holidays(country: str, subdivision: str | None, first_year: int, last_year: int) -> Days:
    import holidays

    try:
        days = holidays.country_holidays(country, subdiv=subdivision, years=range(first_year, last_year + 1))
    except NotImplementedError:
        place = f"country {country!r} with subdivision {subdivision!r}"
        raise ValueError(f"{place} is not in the holidays package; give codes such as GB with ENG") from None
    return np.array(sorted(days), dtype="datetime64[D]")
