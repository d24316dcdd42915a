"""Ages and kinds of people: the classes by which a synthetic London draws care, and the bands of its truths.

A class of ages is fine enough for every age that an HRG's name gives; a cell is a class and a sex; a type is a band of
ages, a sex and a fifth of deprivation, on which the true effects depend.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.random_draws import Array, Ints
from cbs_analysis.simulation.world import AGE_BANDS, FIFTHS, Outcome

CLASS_STARTS = (0, 1, 2, 4, 5, 6, 10, 15, 19, 45, 65, 75, 85)
BAND_STARTS = (0, 5, 19, 45, 65, 75, 85)
OLDEST = 115
MALE, FEMALE = 1, 2
CELLS = len(CLASS_STARTS) * 2
TYPES = len(BAND_STARTS) * 2 * len(FIFTHS)
FIRST_CHILDBEARING, LAST_CHILDBEARING = 15, 44

_AGES = np.arange(OLDEST + 1)
CLASS_OF_AGE = (np.searchsorted(CLASS_STARTS, _AGES, side="right") - 1).astype(np.int8)
BAND_OF_AGE = (np.searchsorted(BAND_STARTS, _AGES, side="right") - 1).astype(np.int8)


def age_on(day: NDArray, born: NDArray) -> Ints:
    """Age in whole years on a day; negative before birth. Days are counted from 1970."""
    return ((day.astype(np.int64) - born) * 100 // 36525).astype(np.int32)


def within(age: NDArray) -> NDArray:
    """Ages as places in a table of ages."""
    return np.clip(age, 0, OLDEST)


def cell_of(age: NDArray, sex: NDArray) -> Ints:
    return CLASS_OF_AGE[within(age)].astype(np.int32) * 2 + (sex - MALE)


def type_of(age: NDArray, sex: NDArray, fifth: NDArray) -> Ints:
    return (BAND_OF_AGE[within(age)].astype(np.int32) * 2 + (sex - MALE)) * len(FIFTHS) + (fifth - 1)


def effects_by_type(outcome: Outcome) -> Array:
    """What an outcome's age, sex and deprivation add up to for each type of person."""
    age = np.array([outcome.age[band] for band in AGE_BANDS])
    sex = np.array([0.0, outcome.women])
    fifth = np.array([outcome.deprivation[number] for number in FIFTHS])
    return (age[:, None, None] + sex[:, None] + fifth).ravel()


def on_lines(knots: Mapping[int, float]) -> Array:
    """A value for every age: on straight lines between the ages that have one, level before and after them."""
    ages = sorted(knots)
    return np.interp(_AGES, ages, [knots[age] for age in ages])


def by_class(steps: Mapping[int, float]) -> Array:
    """A value for each class of ages: that of the highest age at or below its start; 0 where there is none."""
    return np.array([steps[max(ages)] if (ages := [age for age in steps if age <= at]) else 0.0 for at in CLASS_STARTS])
