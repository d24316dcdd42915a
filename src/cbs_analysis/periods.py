"""Periods: stretches of time that editions name and tables are about, and the steps that a series runs in.

A period is written as published tables write it: a financial year `2010/11`, a calendar year `2010`, an estimate at
mid-year `mid-2010`, years together `2008-2010`, a quarter `2010-Q3`, a month `2010-04`. Anything else is a label, such
as `Index of Multiple Deprivation 2010`: it can be printed, and no dates are known of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import pandas as pd

APRIL = 4
_FINANCIAL_YEAR = re.compile(r"(\d{4})/(\d{2})")
_YEAR = re.compile(r"(?:mid-)?(\d{4})")
_YEARS = re.compile(r"(\d{4})-(\d{4})")
_QUARTER = re.compile(r"(\d{4})-Q([1-4])")
_MONTH = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Period:
    """A named stretch of time. `label` is how it is printed; `start` and `end` are its first and its last month, None
    where it is a label alone.
    """

    label: str
    start: pd.Timestamp | None = None
    end: pd.Timestamp | None = None

    def __str__(self) -> str:
        return self.label

    @property
    def year(self) -> int:
        """The calendar year in which it begins. Raises ValueError where no dates are known of it."""
        return self._dates()[0].year

    @property
    def span(self) -> str:
        """Its first and last month in words: 'April 2010 to March 2011'; its label where no dates are known."""
        if self.start is None or self.end is None:
            return self.label
        first, last = f"{self.start:%B %Y}", f"{self.end:%B %Y}"
        return first if first == last else f"{first} to {last}"

    def steps(self, frequency: "Frequency") -> pd.DatetimeIndex:
        """The starts of the weeks, months, quarters or years that begin in it.

        Raises ValueError where no dates are known of it.
        """
        start, end = self._dates()
        return pd.date_range(start, end + pd.offsets.MonthEnd(1), freq=frequency.alias)

    def earlier(self, years: int = 1) -> "Period":
        """The period of the same length and kind so many years before. Raises ValueError where it has no dates."""
        self._dates()
        moved = re.sub(r"\d{4}", lambda match: str(int(match[0]) - years), self.label)
        moved = _FINANCIAL_YEAR.sub(lambda match: f"{match[1]}/{(int(match[1]) + 1) % 100:02d}", moved)
        back = pd.DateOffset(years=years)
        return Period(moved, self._dates()[0] - back, self._dates()[1] - back)

    def _dates(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        if self.start is None or self.end is None:
            raise ValueError(f"the period {self.label!r} is a label: it has no dates")
        return self.start, self.end


@dataclass(frozen=True)
class Frequency:
    """How a series is counted: the noun of one step, its pandas alias, and how many steps make a year."""

    name: str
    alias: str
    per_year: int

    def label(self, start: pd.Timestamp) -> str:
        """A step in words, by its start: 'April 2010', 'January to March 2010', 'week of 5 April 2010', '2010', and
        '2010/11' for a year that does not start in January.
        """
        if self.name == "month":
            return f"{start:%B %Y}"
        if self.name == "quarter":
            return f"{start:%B} to {start + pd.DateOffset(months=2):%B %Y}"
        if self.name == "week":
            return f"week of {start.day} {start:%B %Y}"
        return f"{start:%Y}" if start.month == 1 else f"{start:%Y}/{(start.year + 1) % 100:02d}"

    def short_label(self, start: pd.Timestamp) -> str:
        """The same for a list of several: 'Apr 2010'."""
        return f"{start:%b %Y}" if self.name == "month" else self.label(start)

    def span(self, starts: pd.DatetimeIndex) -> str:
        """From the first to the last of these steps in words."""
        first, last = starts.min(), starts.max()
        if self.name != "quarter":
            return self.label(first) if first == last else f"{self.label(first)} to {self.label(last)}"
        end = last + pd.DateOffset(months=2)
        return f"{first:%B} to {end:%B %Y}" if first.year == end.year else f"{first:%B %Y} to {end:%B %Y}"

    def starting(self, month: int) -> "Frequency":
        """The same in steps of years that start in this month; weeks, months and quarters are as they are."""
        return replace(self, alias=f"YS-{pd.Timestamp(2000, month, 1):%b}".upper()) if self.name == "year" else self

    @property
    def period_alias(self) -> str:
        """The pandas alias of a step as a period, from its first to its last day."""
        if self.name == "year":
            first = "JAN" if self.alias == "YS" else self.alias.removeprefix("YS-")
            return f"Y-{(pd.Timestamp(f'1 {first} 2000') - pd.DateOffset(months=1)):%b}".upper()
        return {"week": "W-SUN", "month": "M", "quarter": "Q"}[self.name]

    def after(self, start: pd.Timestamp) -> pd.Timestamp:
        """The start of the next step."""
        return start + pd.tseries.frequencies.to_offset(self.alias)


FREQUENCIES: Mapping[str, Frequency] = MappingProxyType(
    {
        each.name: each
        for each in (
            Frequency("week", "W-MON", 52),
            Frequency("month", "MS", 12),
            Frequency("quarter", "QS", 4),
            Frequency("year", "YS", 1),
        )
    }
)


def parse_period(text: str, year_starts: int = APRIL) -> Period:
    """The period that a text stands for; `year_starts` is the first month of a financial year, 4 in England.

    Raises ValueError where a financial year's two years do not follow each other, or years run backwards.
    """
    if match := _FINANCIAL_YEAR.fullmatch(text):
        first = int(match[1])
        if (first + 1) % 100 != int(match[2]):
            raise ValueError(f"a financial year is two consecutive years, such as {first}/{(first + 1) % 100:02d}")
        return _months(text, pd.Timestamp(first, year_starts, 1), 12)
    if match := _YEAR.fullmatch(text):
        return _months(text, pd.Timestamp(int(match[1]), 1, 1), 12)
    if match := _YEARS.fullmatch(text):
        first, last = int(match[1]), int(match[2])
        if last < first:
            raise ValueError(f"the years {text} run backwards")
        return _months(text, pd.Timestamp(first, 1, 1), 12 * (last - first + 1))
    if match := _QUARTER.fullmatch(text):
        return _months(text, pd.Timestamp(int(match[1]), 3 * int(match[2]) - 2, 1), 3)
    if match := _MONTH.fullmatch(text):
        return _months(text, pd.Timestamp(int(match[1]), int(match[2]), 1), 1)
    return Period(text)


def _months(label: str, start: pd.Timestamp, months: int) -> Period:
    return Period(label, start, start + pd.DateOffset(months=months - 1))


def step_starts(values: pd.Series, frequency: Frequency, year_starts: int = APRIL) -> pd.Series:
    """The starts of the steps that a table's time column names: `2010-04`, `2010-Q3`, 2010, `2010/11`, a date.

    A date names the step that it lies in (a week begins on Monday). Raises ValueError for a value that names no step.
    """
    if pd.api.types.is_datetime64_any_dtype(values):
        return values
    different = pd.Series(values.unique())
    starts = {value: _step_start(str(value), frequency, year_starts) for value in different}
    return values.map(starts)


def _step_start(text: str, frequency: Frequency, year_starts: int) -> pd.Timestamp:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        try:
            day = pd.Timestamp(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a {frequency.name}") from None
        return day - pd.Timedelta(days=day.weekday()) if frequency.name == "week" else _floor(day, frequency)
    period = parse_period(text, year_starts)
    if period.start is None or period.end is None or not _is_step(period, frequency):
        raise ValueError(f"{text!r} is not a {frequency.name}")
    return period.start


def _is_step(period: Period, frequency: Frequency) -> bool:
    """Whether a period is as long as a step; years together are named by the first."""
    start, end = period.start, period.end
    if start is None or end is None or frequency.name == "week":
        return False
    months = 12 * (end.year - start.year) + end.month - start.month + 1
    return months % 12 == 0 if frequency.name == "year" else months == 12 // frequency.per_year


def _floor(day: pd.Timestamp, frequency: Frequency) -> pd.Timestamp:
    return day.to_period({"month": "M", "quarter": "Q", "year": "Y"}[frequency.name]).start_time
