"""Days of the synthetic London: its months, quarters and financial years, and which days are busy.

Days are whole numbers counted from 1970, as in a date32 column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import holidays
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.simulation.random_draws import Choices, Flags, Ints

SUNDAY = 6
MONTHS_OF_QUARTER = 3


@dataclass(frozen=True)
class Months:
    """The months of the records, in order. `starts` has one more: the first day after them. By month: its quarter of
    the records and its financial year, both from 0.
    """

    names: tuple[str, ...]
    starts: NDArray[np.int64]
    quarter: NDArray[np.int64]
    year: NDArray[np.int64]
    weekday: NDArray[np.int64]
    working_days: NDArray[np.int64]

    @property
    def first_day(self) -> int:
        return int(self.starts[0])

    @property
    def last_day(self) -> int:
        return int(self.starts[-1]) - 1

    @property
    def quarter_ends(self) -> list[int]:
        last_months = [np.flatnonzero(self.quarter == each)[-1] for each in range(int(self.quarter[-1]) + 1)]
        return [int(self.starts[month + 1]) - 1 for month in last_months]

    def of(self, day: NDArray) -> NDArray[np.int64]:
        """The place of the month of each day: -1 before the first, as many as there are months after the last."""
        return np.searchsorted(self.starts, day, side="right") - 1

    def days(self, week: Sequence[float]) -> Choices:
        """Days of each month to choose from, by how busy the days of the week are."""
        weight = np.asarray(week)[self.weekday]
        edges = self.starts - self.first_day
        return Choices.of(
            [
                (np.arange(start, end, dtype=np.int64) + self.first_day, weight[start:end])
                for start, end in pairwise(edges)
            ]
        )

    def working(self, day: NDArray) -> Ints:
        """Each day, or the last working day before it; the first working day of all where there is none before."""
        place = np.searchsorted(self.working_days, day, side="right") - 1
        return self.working_days[np.maximum(place, 0)].astype(np.int32)

    def working_days_after(self, day: NDArray, number: NDArray) -> Ints:
        """The working day so many working days after each day; from the first one on again after the last."""
        place = np.searchsorted(self.working_days, day) + number
        return self.working_days[place % len(self.working_days)].astype(np.int32)


def months_between(first: str, last: str) -> Months:
    """The months from one to another, as text such as 2008-04."""
    periods = pd.period_range(first, last, freq="M")
    after = (periods[-1] + 1).to_timestamp()
    starts = np.array([*periods.to_timestamp(), after], dtype="datetime64[D]").astype(np.int64)
    days = np.arange(starts[0], starts[-1])
    financial = np.array([period.year - (period.month < 4) for period in periods])
    weekday = (days + 3) % 7
    bank = holidays.country_holidays("GB", subdiv="ENG", years=range(periods[0].year, periods[-1].year + 1))
    is_bank: Flags = np.isin(days, np.array(sorted(bank), dtype="datetime64[D]").astype(np.int64))
    weekday[is_bank] = SUNDAY
    return Months(
        names=tuple(str(period) for period in periods),
        starts=starts,
        quarter=np.arange(len(periods)) // MONTHS_OF_QUARTER,
        year=financial - financial[0],
        weekday=weekday,
        working_days=days[weekday < 5],
    )
