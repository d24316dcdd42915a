"""How long can people here expect to live? Abridged life tables for many areas at once.

For needs assessment: life expectancy at each age from a few years' deaths and populations, with limits that also
hold the uncertainty of the last, open age band.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from cbs_analysis.stats.checks import Array, check_confidence, exceeds
from cbs_analysis.stats.groupby import By, Groups, reasons, require_columns

START_AGES = np.array([0, 1, *range(5, 95, 5)])
"""Ages 0, 1-4, 5-9 and so on to 85-89, and 90 and over: 20 bands."""
YEARS_IN_BAND = np.append(np.diff(START_AGES), 0).astype(float)
LIVED_BY_THE_DYING = np.array([0.1, *[0.5] * 19])
"""Of a band's years, by those who die in it: most infants who die do so in their first weeks."""
UNDER_ONE = r"^\s*(?i:<|under)\s*1\b"
SMALLEST_POPULATION = 5_000
WIDEST_INTERVAL_YEARS = 20.0
LAST = len(START_AGES) - 1


def life_expectancy(
    frame: pd.DataFrame, by: By, start_age: str, population: str, deaths: str, confidence: float = 0.95
) -> pd.DataFrame:
    """Life expectancy in years at the start of each of 20 age bands, with its limits, by Chiang's method.

    `frame` has 20 rows a group in any order: ages 0, 1-4, 5-9 ... 85-89, 90 and over. `by`, `start_age`
    (numbers, or text that starts with one, such as `1-4`), `population` (person-years) and `deaths` (in the
    same years) are column names.

    One row a group and age, groups in order of appearance and ages in theirs, indexed by `by` and
    `start_age`: `life_expectancy`, `lower`, `upper` and `reason`. NaN for a group that lacks a band, whose population
    is 5,000 or fewer in all, or 0, negative or missing in a band, where deaths are missing or exceed the population,
    or nobody died at 90 and over; `reason` says which, and is empty otherwise. An age that nobody lives to has 0,
    without limits. The value, and not its limits, is NaN where the 95% interval is wider than 20 years.
    Raises ValueError that names the group where an age cannot be read, is missing or is there twice, or deaths
    are negative.
    Source: Chiang (1968), chapter 9; Silcocks and others (2001), J Epidemiol Community Health 55: 38-43, for
    the variance; Toson and Baker (2003) for the smallest population.
    """
    z = float(ndtri((1 + check_confidence(confidence)) / 2))
    groups = Groups(frame, by)
    require_columns(frame, [start_age])
    ages = _checked_ages(groups, start_age)
    rows = np.full((len(groups), len(START_AGES)), -1, dtype=np.intp)
    rows[groups.codes, np.searchsorted(START_AGES, ages)] = np.arange(len(ages))
    died, people = groups.column(deaths), groups.column(population)
    groups.refuse(died < 0, died, deaths, "must not be negative")
    died, people = np.where(rows < 0, np.nan, died[rows]), np.where(rows < 0, np.nan, people[rows])
    reason = reasons(
        *((rows[:, place] < 0, f"no row for age {age}") for place, age in enumerate(START_AGES)),
        (~(people > 0).all(axis=1), f"{population} is 0, negative or missing at an age"),
        (~(people.sum(axis=1) > SMALLEST_POPULATION), f"{population} is {SMALLEST_POPULATION:,} or fewer in all"),
        (np.isnan(died).any(axis=1), f"{deaths} are missing at an age"),
        (exceeds(died, people).any(axis=1), f"{deaths} exceed {population} at an age"),
        (~(died[:, LAST] > 0), "nobody died at 90 and over"),
    )
    usable = reason == ""
    died = np.minimum(died, people)
    value, error = _life_table(np.where(usable[:, None], died, np.nan), np.where(usable[:, None], people, np.nan))
    too_wide = ndtri(0.975) * error > WIDEST_INTERVAL_YEARS / 2
    columns = {
        "life_expectancy": np.where(too_wide, np.nan, value),
        "lower": value - z * error,
        "upper": value + z * error,
        "reason": np.where(
            too_wide, f"the 95% interval is wider than {WIDEST_INTERVAL_YEARS:g} years", reason[:, None]
        ).astype(object),
    }
    return pd.DataFrame({name: matrix.ravel() for name, matrix in columns.items()}, index=_index(groups, start_age))


def _checked_ages(groups: Groups, start_age: str) -> NDArray[np.int64]:
    """The age at which each row's band starts. Raises ValueError where one cannot be read or is there twice."""
    column = groups.frame[start_age]
    if pd.api.types.is_numeric_dtype(column):
        ages = column.to_numpy(dtype=float)
    else:
        text = column.astype(str).str.replace(UNDER_ONE, "0", regex=True)
        ages = text.str.extract(r"^\D*(\d+)", expand=False).to_numpy(dtype=float)
    allowed = "must be 0, 1, 5, 10 and so on to 90"
    groups.refuse(~np.isin(ages, START_AGES), column.to_numpy(), start_age, allowed)
    groups.refuse_repeated(pd.Series(ages), start_age)
    return ages.astype(np.int64)


def _life_table(deaths: Array, people: Array) -> tuple[Array, Array]:
    """Life expectancy and its standard error, groups by ages."""
    rate = deaths / people
    with np.errstate(divide="ignore", invalid="ignore"):
        dying = rate * YEARS_IN_BAND / (1 + rate * YEARS_IN_BAND * (1 - LIVED_BY_THE_DYING))
        dying = np.where(rate * YEARS_IN_BAND * LIVED_BY_THE_DYING <= 1, dying, 1.0) + 0 * rate
        dying[:, LAST] = 1.0
        alive = np.cumprod(np.column_stack([np.ones(len(rate)), 1 - dying[:, :-1]]), axis=1)
        left = np.column_stack([alive[:, 1:], np.zeros(len(rate))])
        lived = np.where(
            np.arange(LAST + 1) == LAST, alive / rate, YEARS_IN_BAND * (left + LIVED_BY_THE_DYING * (alive - left))
        )
        ahead = _backwards_sum(lived)
        value = np.where(alive == 0, 0.0, ahead / alive)
        variance = np.where(deaths == 0, 0.0, dying**2 * (1 - dying) / deaths)
        after = np.column_stack([value[:, 1:], np.zeros(len(rate))])
        spread = variance * alive**2 * ((1 - LIVED_BY_THE_DYING) * YEARS_IN_BAND + after) ** 2
        spread[:, LAST] = (alive[:, LAST] / 2) ** 2 * 4 / (deaths[:, LAST] * rate[:, LAST] ** 2)
        error = np.sqrt(_backwards_sum(spread)) / alive
    return value + 0 * rate, error + 0 * rate


def _backwards_sum(values: Array) -> Array:
    return np.cumsum(values[:, ::-1], axis=1)[:, ::-1]


def _index(groups: Groups, start_age: str) -> pd.Index:
    ages = pd.Index(np.tile(START_AGES, len(groups)), name=start_age)
    if isinstance(groups.index, pd.RangeIndex):
        return ages
    repeated = groups.index.repeat(len(START_AGES))
    return pd.MultiIndex.from_arrays([*(repeated.get_level_values(n) for n in range(repeated.nlevels)), ages])
