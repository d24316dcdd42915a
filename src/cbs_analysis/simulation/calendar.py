"""Days of the simulated records: their months, quarters and financial years, and which days are busy.

Days are integers counted from 1970, as in a date32 column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import holidays
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.simulation.random_draws import Booleans, Choices, Integers
from cbs_analysis.simulation.world import CalendarParameters

SUNDAY = 6
MONTHS_OF_QUARTER = 3


@dataclass(frozen=True)
class Months:
    """The months of the records, in order.

    `starts`: the first day of each month, and the first day after the last. `quarter`, `year`: of each month, its
    quarter of the records and its financial year, both from 0. `weekday`: of each day, from Monday 0; bank holidays
    are Sundays. `working_days`: the days from Monday to Friday.
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
        """The number of each day's month from 0: -1 before the first, the number of months after the last."""
        return np.searchsorted(self.starts, day, side="right") - 1

    def days(self, week: Sequence[float]) -> Choices:
        """The days of each month to choose from, weighted by how busy each day of the week is."""
        weight = np.asarray(week)[self.weekday]
        edges = self.starts - self.first_day
        return Choices.of(
            [
                (np.arange(start, end, dtype=np.int64) + self.first_day, weight[start:end])
                for start, end in pairwise(edges)
            ]
        )

    def working(self, day: NDArray) -> Integers:
        """Each day, or the last working day before it; the first working day of all where there is none."""
        place = np.searchsorted(self.working_days, day, side="right") - 1
        return self.working_days[np.maximum(place, 0)].astype(np.int32)

    def working_days_after(self, day: NDArray, number: NDArray) -> Integers:
        """The working day this many working days after each day; counting goes on from the first after the last."""
        place = np.searchsorted(self.working_days, day) + number
        return self.working_days[place % len(self.working_days)].astype(np.int32)


def months_between(first: str, last: str, parameters: CalendarParameters) -> Months:
    """The months from one to another, as text such as 2024-04, with the bank holidays of the world's country."""
    periods = pd.period_range(first, last, freq="M")
    after = (periods[-1] + 1).to_timestamp()
    starts = np.array([*periods.to_timestamp(), after], dtype="datetime64[D]").astype(np.int64)
    days = np.arange(starts[0], starts[-1])
    financial = np.array([period.year - (period.month < parameters.year_starts_in) for period in periods])
    weekday = (days + 3) % 7
    bank = holidays.country_holidays(
        parameters.country, subdiv=parameters.subdivision, years=range(periods[0].year, periods[-1].year + 1)
    )
    is_bank: Booleans = np.isin(days, np.array(sorted(bank), dtype="datetime64[D]").astype(np.int64))
    weekday[is_bank] = SUNDAY
    return Months(
        names=tuple(str(period) for period in periods),
        starts=starts,
        quarter=np.arange(len(periods)) // MONTHS_OF_QUARTER,
        year=financial - financial[0],
        weekday=weekday,
        working_days=days[weekday < 5],
    )
