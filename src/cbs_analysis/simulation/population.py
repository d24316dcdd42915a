"""The people of one PCT, all made up: as many of each age as really live there, and who of them is likely to need care.

A person has a birthday, a sex, an area of residence, a practice, and a frailty that no record shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.errors import UserError
from cbs_analysis.simulation.random_draws import Array, Flags, Ints, scaled
from cbs_analysis.simulation.world import AGE_BANDS, FIFTHS, Outcome, Use
from cbs_analysis.simulation.world import People as Described

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


OPEN_AGE = 90
SURVIVING = (
    0.8  # of the people of one age above 90, who are a year older too: only the spread of ages within 90 and over
)
WOMEN_AT_AGES, WOMEN_SHARES = (0.0, 60.0, 80.0, 90.0), (0.49, 0.52, 0.6, 0.7)
STRATA_OF_PERSON = len(FIFTHS) * 2  # a fifth of deprivation, and whether there is a history
FEWEST_PEOPLE = 3000  # of a PCT, so that in a small world too nobody must be in two beds
NEAR = 1.5  # practices: how far from the nearest one people register, as a standard deviation in practices


@dataclass(frozen=True)
class Place:
    """Where the people of a PCT live. `persons` is by area of `boroughs` (in parts of one PCT) and age from 0 to 90,
    the last of them 90 and over; `lsoas` gives the areas of residence of each part, `fifths` their deprivation.
    """

    code: str
    persons: NDArray[np.int64]
    lsoas: tuple[Ints, ...]
    lsoa_codes: tuple[str, ...]
    fifths: NDArray[np.int8]
    practices: tuple[str, ...]


@dataclass(frozen=True)
class People:
    """One PCT's people, one place in each array a person. `born` is in days from 1970; `lsoa` and `practice` are
    places in their PCT's lists; `history` marks the frailest.
    """

    born: Ints
    sex: NDArray[np.int8]
    fifth: NDArray[np.int8]
    lsoa: Ints
    practice: Ints
    frailty: Array
    history: Flags

    def __len__(self) -> int:
        return len(self.born)


def people_of(
    place: Place, described: Described, share: float, census_day: int, last_day: int, rng: np.random.Generator
) -> People:
    """Who lives in a PCT: as many of each age on the census day as there are times `share`, or a larger share that
    makes `FEWEST_PEOPLE` of them where so many live there, and those born from then to the last day, at the rate of
    the year before.
    """
    parts, ages = place.persons.shape
    share = max(share, min(1.0, FEWEST_PEOPLE / place.persons.sum()))
    part, age = (each.ravel() for each in np.indices((parts, ages)))
    numbers = scaled(place.persons.ravel(), share)
    part, age = np.repeat(part, numbers), np.repeat(age, numbers)
    older = (rng.geometric(1 - SURVIVING, size=len(age)) - 1).clip(max=OLDEST - OPEN_AGE - 10)
    age = age + np.where(age == OPEN_AGE, older, 0)
    low, high = _days_of(age), _days_of(age + 1)
    born = census_day - low - (rng.random(len(age)) * (high - low)).astype(np.int64)
    newborn = scaled(place.persons[:, 0], share * max(0, last_day - census_day) / 365.25)
    part = np.concatenate([part, np.repeat(np.arange(parts), newborn)])
    born = np.concatenate([born, census_day + 1 + rng.integers(0, max(1, last_day - census_day), newborn.sum())])
    women = np.interp(age_on(np.full(len(born), census_day), born), WOMEN_AT_AGES, WOMEN_SHARES)
    sex = np.where(rng.random(len(born)) < women, FEMALE, MALE).astype(np.int8)
    lsoa = np.empty(len(born), dtype=np.int32)
    for each, within_part in enumerate(place.lsoas):
        here = np.flatnonzero(part == each)
        lsoa[here] = within_part[rng.integers(0, len(within_part), len(here))]
    practice = _practices(lsoa, len(place.lsoa_codes), len(place.practices), rng)
    frailty = rng.standard_gamma(described.frailty_shape, len(born)) / described.frailty_shape
    history = frailty > np.quantile(frailty, 1 - described.history_share) if len(frailty) else frailty > 0
    return People(born.astype(np.int32), sex, place.fifths[lsoa], lsoa, practice, frailty, history)


def _days_of(age: NDArray) -> NDArray[np.int64]:
    """The fewest days of life at which somebody is of an age."""
    return -(-age.astype(np.int64) * 36525 // 100)


def _practices(lsoa: Ints, areas: int, practices: int, rng: np.random.Generator) -> Ints:
    """A practice near each person's area, where areas and practices lie along one line in the order of their codes."""
    where = (lsoa + rng.random(len(lsoa))) / areas * practices + rng.normal(0.0, NEAR, len(lsoa))
    return np.clip(where.astype(np.int32), 0, practices - 1)


class Crowd:
    """The people of a PCT by quarter of a year, to draw those from who need care of some use.

    Within a quarter they stand in the order of their strata: class of age, sex, fifth of deprivation, history. Who is
    drawn may so be replaced by somebody alike.
    """

    def __init__(self, people: People, described: Described, quarter_ends: Sequence[int], uses: Sequence[Use]) -> None:
        self.people = people
        own = (people.sex == FEMALE, people.frailty)
        self._order: list[Ints] = []
        self._starts: list[NDArray[np.int64]] = []
        self._cumulated: dict[Use, list[Array]] = {use: [] for use in uses}
        strata = CELLS * STRATA_OF_PERSON
        risk = {use: _risk_tables(described, use) for use in uses}
        static = {use: risk[use][1][people.fifth - 1] * own[1] for use in uses}
        for end in quarter_ends:
            age = age_on(np.full(len(people), end), people.born)
            known = within(age)
            stratum = self._stratum(known)
            order = np.argsort(stratum, kind="stable").astype(np.int32)
            self._order.append(order)
            counted = np.bincount(stratum, minlength=strata)
            self._starts.append(np.concatenate([[0], np.cumsum(counted)]))
            by_sex = known + own[0] * (OLDEST + 1)
            for use in uses:
                weight = np.where(age < 0, 0.0, risk[use][0][by_sex] * static[use])
                self._cumulated[use].append(np.concatenate([[0.0], np.cumsum(weight[order])]))

    def _stratum(self, age: NDArray, who: NDArray | slice = slice(None)) -> NDArray[np.uint16]:
        people = self.people
        cell = CLASS_OF_AGE[age].astype(np.uint16) * 2 + (people.sex[who] - MALE).astype(np.uint16)
        return (cell * len(FIFTHS) + (people.fifth[who] - 1).astype(np.uint16)) * 2 + people.history[who]

    def draw(self, use: Use, quarter: NDArray, day: NDArray, rng: np.random.Generator) -> Ints:
        """A person for each row, born by its day. `quarter` must not fall from one row to the next."""
        found = np.empty(len(quarter), dtype=np.int32)
        todo = np.arange(len(quarter))
        for _ in range(200):
            if not len(todo):
                return found
            for each, rows in _runs(quarter[todo]):
                total = self._cumulated[use][each][-1]
                found[todo[rows]] = self._at(use, each, rng.random(rows.stop - rows.start) * total)
            todo = todo[self.people.born[found[todo]] > day[todo]]
        raise too_small()

    def alike(
        self, use: Use, quarter: NDArray, age: NDArray, person: NDArray, rng: np.random.Generator, wider: bool = False
    ) -> Ints:
        """Somebody of the same stratum as each person at an age, by their risk; of the same age and sex only where
        `wider`. `quarter` must not fall.
        """
        found = np.empty(len(quarter), dtype=np.int32)
        stratum = self._stratum(within(age), person).astype(np.int64)
        first = stratum // STRATA_OF_PERSON * STRATA_OF_PERSON if wider else stratum
        last = first + STRATA_OF_PERSON if wider else stratum + 1
        for each, rows in _runs(quarter):
            cumulated, starts = self._cumulated[use][each], self._starts[each]
            low, high = cumulated[starts[first[rows]]], cumulated[starts[last[rows]]]
            found[rows] = self._at(use, each, low + rng.random(rows.stop - rows.start) * (high - low))
        return found

    def _at(self, use: Use, quarter: int, at: Array) -> Ints:
        order = self._order[quarter]
        place = np.searchsorted(self._cumulated[use][quarter], at, side="right") - 1
        return order[np.minimum(place, len(order) - 1)]


def need_by_cell(place: Place, described: Described, use: Use) -> Array:
    """How much of a PCT's need of a use each class of ages and sex has, in any unit."""
    persons = place.persons.sum(axis=0).astype(np.float64)
    age = np.arange(len(persons))
    women = np.interp(age, WOMEN_AT_AGES, WOMEN_SHARES)
    risk = _risk_tables(described, use)[0].reshape(2, -1)[:, : len(persons)]
    need = np.zeros((CELLS // 2, 2))
    np.add.at(need, CLASS_OF_AGE[age], np.stack([persons * (1 - women) * risk[0], persons * women * risk[1]], axis=1))
    return need.ravel()


def _risk_tables(described: Described, use: Use) -> tuple[Array, Array]:
    """Risk by age, of men and then of women, and by fifth of deprivation."""
    age = on_lines(described.risk_by_age[use])
    women = age.copy()
    women[FIRST_CHILDBEARING : LAST_CHILDBEARING + 1] *= described.childbearing[use]
    fifths = described.risk_by_deprivation[use]
    return np.concatenate([age, women]), np.array([fifths[number] for number in FIFTHS])


def _runs(values: NDArray) -> list[tuple[int, slice]]:
    """Each value of an array that does not fall, and the rows that have it."""
    if not len(values):
        return []
    edges = np.flatnonzero(np.diff(values)) + 1
    starts = [0, *edges.tolist()]
    return [
        (int(values[start]), slice(start, end)) for start, end in zip(starts, [*starts[1:], len(values)], strict=True)
    ]


def too_small() -> UserError:
    return UserError(
        "params/simulation/world.yml: people: too few are at risk to have all the care published; "
        "let risks by age lie closer together"
    )
