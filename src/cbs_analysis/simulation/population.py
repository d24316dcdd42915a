"""The people of one area, all made up: as many of each age as live there, and how likely each is to need care.

A person has a birthday, a sex, a small area of residence, a practice, and a frailty that no record shows. Care is drawn
by *class* of ages, fine enough for every age in an HRG's name; a *cell* is a class and a sex. The true effects on
outcomes depend on a person's *type*: band of ages, sex and fifth of deprivation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.errors import UserError
from cbs_analysis.simulation.random_draws import Booleans, Floats, Integers, scaled
from cbs_analysis.simulation.world import AGE_BANDS, FIFTHS, WORLD_FILE, OutcomeModel, PopulationParameters, Use

CLASS_STARTS = (0, 1, 2, 4, 5, 6, 10, 15, 19, 45, 65, 75, 85)
BAND_STARTS = (0, 5, 19, 45, 65, 75, 85)
OLDEST = 115
MALE, FEMALE = 1, 2
CELLS = len(CLASS_STARTS) * 2
FIRST_CHILDBEARING, LAST_CHILDBEARING = 15, 44
SURVIVING = 0.8  # people of each age above the open one, for each a year younger: how those in it spread
WOMEN_AT_AGES, WOMEN_SHARES = (0.0, 60.0, 80.0, 90.0), (0.49, 0.52, 0.6, 0.7)
STRATA_OF_CELL = len(FIFTHS) * 2  # a fifth of deprivation, and whether there is a history
FEWEST_PEOPLE = 3000  # of an area, so that stays of one person need not overlap in a small world either
NEAR = 1.5  # how far from the nearest practice people register: a standard deviation, in practices

_AGES = np.arange(OLDEST + 1)
CLASS_OF_AGE = (np.searchsorted(CLASS_STARTS, _AGES, side="right") - 1).astype(np.int8)
BAND_OF_AGE = (np.searchsorted(BAND_STARTS, _AGES, side="right") - 1).astype(np.int8)


def age_on(day: NDArray, born: NDArray) -> Integers:
    """Age in whole years on a day; negative before birth. Days are counted from 1970."""
    return ((day.astype(np.int64) - born) * 100 // 36525).astype(np.int32)


def cell_of(age: NDArray, sex: NDArray) -> Integers:
    return CLASS_OF_AGE[_known(age)].astype(np.int32) * 2 + (sex - MALE)


def type_of(age: NDArray, sex: NDArray, fifth: NDArray) -> Integers:
    return (BAND_OF_AGE[_known(age)].astype(np.int32) * 2 + (sex - MALE)) * len(FIFTHS) + (fifth - 1)


def _known(age: NDArray) -> NDArray:
    """Ages as rows of a table of ages."""
    return np.clip(age, 0, OLDEST)


def effects_by_type(outcome: OutcomeModel) -> Floats:
    """The sum of an outcome's effects of age, sex and deprivation, for each type of person."""
    age = np.array([outcome.age[band] for band in AGE_BANDS])
    sex = np.array([0.0, outcome.women])
    fifth = np.array([outcome.deprivation[number] for number in FIFTHS])
    return (age[:, None, None] + sex[:, None] + fifth).ravel()


def by_class(steps: Mapping[int, float]) -> Floats:
    """A value for each class of ages: that of the highest age not above its start; 0 where there is none."""
    return np.array([steps[max(ages)] if (ages := [age for age in steps if age <= at]) else 0.0 for at in CLASS_STARTS])


@dataclass(frozen=True)
class ResidentPopulation:
    """Who lives where in an area. `persons`: by part of the area and age from 0, the last of which is open.
    `small_areas`: those of each part, as rows of `small_area_codes`; `fifths`: the fifth of deprivation of each small
    area, 1 the most deprived.
    """

    code: str
    persons: NDArray[np.int64]
    small_areas: tuple[Integers, ...]
    small_area_codes: tuple[str, ...]
    fifths: NDArray[np.int8]
    practices: tuple[str, ...]


@dataclass(frozen=True)
class People:
    """The people of an area: arrays of one length, an element a person. `born`: days from 1970. `small_area`,
    `practice`: rows of the area's lists. `history`: whether somebody is among the frailest.
    """

    born: Integers
    sex: NDArray[np.int8]
    fifth: NDArray[np.int8]
    small_area: Integers
    practice: Integers
    frailty: Floats
    history: Booleans

    def __len__(self) -> int:
        return len(self.born)


def people_of(
    residents: ResidentPopulation, parameters: PopulationParameters, share: float, census_day: int, last_day: int,
    rng: np.random.Generator,
) -> People:  # fmt: skip
    """Draw the people of an area: the residents of each age on the census day times `share`, and the children born from
    then to the last day at the rate of the year before. The share is raised where it would leave fewer than
    `FEWEST_PEOPLE`. Days are counted from 1970.
    """
    parts, ages = residents.persons.shape
    share = max(share, min(1.0, FEWEST_PEOPLE / residents.persons.sum()))
    part, age = (each.ravel() for each in np.indices((parts, ages)))
    numbers = scaled(residents.persons.ravel(), share)
    part, age = np.repeat(part, numbers), np.repeat(age, numbers)
    open_age = ages - 1
    older = (rng.geometric(1 - SURVIVING, size=len(age)) - 1).clip(max=OLDEST - open_age - 10)
    age = age + np.where(age == open_age, older, 0)
    low, high = _days_of(age), _days_of(age + 1)
    born = census_day - low - (rng.random(len(age)) * (high - low)).astype(np.int64)
    newborn = scaled(residents.persons[:, 0], share * max(0, last_day - census_day) / 365.25)
    part = np.concatenate([part, np.repeat(np.arange(parts), newborn)])
    born = np.concatenate([born, census_day + 1 + rng.integers(0, max(1, last_day - census_day), newborn.sum())])
    women = np.interp(age_on(np.full(len(born), census_day), born), WOMEN_AT_AGES, WOMEN_SHARES)
    sex = np.where(rng.random(len(born)) < women, FEMALE, MALE).astype(np.int8)
    small_area = np.empty(len(born), dtype=np.int32)
    for each, of_part in enumerate(residents.small_areas):
        rows = np.flatnonzero(part == each)
        small_area[rows] = of_part[rng.integers(0, len(of_part), len(rows))]
    practice = _practices(small_area, len(residents.small_area_codes), len(residents.practices), rng)
    frailty = rng.standard_gamma(parameters.frailty_shape, len(born)) / parameters.frailty_shape
    history = frailty > np.quantile(frailty, 1 - parameters.history_share) if len(frailty) else frailty > 0
    return People(born.astype(np.int32), sex, residents.fifths[small_area], small_area, practice, frailty, history)


def _days_of(age: NDArray) -> NDArray[np.int64]:
    """The fewest days of life at which somebody is of an age."""
    return -(-age.astype(np.int64) * 36525 // 100)


def _practices(small_area: Integers, areas: int, practices: int, rng: np.random.Generator) -> Integers:
    """A practice near each person's small area, as if both lay along one line in the order of their codes."""
    where = (small_area + rng.random(len(small_area))) / areas * practices + rng.normal(0.0, NEAR, len(small_area))
    return np.clip(where.astype(np.int32), 0, practices - 1)


class PatientPool:
    """The people of an area in each quarter of the records, to draw patients from by their risk.

    Within a quarter they are sorted by stratum: class of age, sex, fifth of deprivation, history. So a patient can be
    replaced by somebody similar.
    """

    def __init__(
        self, people: People, parameters: PopulationParameters, quarter_ends: Sequence[int], uses: Sequence[Use]
    ) -> None:
        self.people = people
        self._order: list[Integers] = []
        self._starts: list[NDArray[np.int64]] = []
        self._cumulated: dict[Use, list[Floats]] = {use: [] for use in uses}
        risk = {use: _risk_tables(parameters, use) for use in uses}
        own_risk = {use: risk[use][1][people.fifth - 1] * people.frailty for use in uses}
        for end in quarter_ends:
            age = age_on(np.full(len(people), end), people.born)
            stratum = self._stratum(_known(age))
            order = np.argsort(stratum, kind="stable").astype(np.int32)
            self._order.append(order)
            counts = np.bincount(stratum, minlength=CELLS * STRATA_OF_CELL)
            self._starts.append(np.concatenate([[0], np.cumsum(counts)]))
            by_sex = _known(age) + (people.sex == FEMALE) * (OLDEST + 1)
            for use in uses:
                weight = np.where(age < 0, 0.0, risk[use][0][by_sex] * own_risk[use])
                self._cumulated[use].append(np.concatenate([[0.0], np.cumsum(weight[order])]))

    def _stratum(self, age: NDArray, who: NDArray | slice = slice(None)) -> NDArray[np.uint16]:
        people = self.people
        cell = CLASS_OF_AGE[age].astype(np.uint16) * 2 + (people.sex[who] - MALE).astype(np.uint16)
        return (cell * len(FIFTHS) + (people.fifth[who] - 1).astype(np.uint16)) * 2 + people.history[who]

    def draw(self, use: Use, quarter: NDArray, day: NDArray, rng: np.random.Generator) -> Integers:
        """A person for each row, born by its day. `quarter` must not fall from one row to the next."""
        person = np.empty(len(quarter), dtype=np.int32)
        todo = np.arange(len(quarter))
        for _ in range(200):
            if not len(todo):
                return person
            for each, rows in _runs(quarter[todo]):
                total = self._cumulated[use][each][-1]
                person[todo[rows]] = self._person_at(use, each, rng.random(rows.stop - rows.start) * total)
            todo = todo[self.people.born[person[todo]] > day[todo]]
        raise too_small()

    def draw_living(
        self, use: Use, quarter: NDArray, day: NDArray, died_on: NDArray, rng: np.random.Generator
    ) -> Integers:
        """As `draw`, of people who have not died before the row's day. `died_on`: a day for each person."""
        person = self.draw(use, quarter, day, rng)
        todo = np.flatnonzero(died_on[person] < day)
        while len(todo):
            person[todo] = self.draw(use, quarter[todo], day[todo], rng)
            todo = todo[died_on[person[todo]] < day[todo]]
        return person

    def similar(
        self, use: Use, quarter: NDArray, age: NDArray, person: NDArray, rng: np.random.Generator, wider: bool = False
    ) -> Integers:
        """Somebody of the same stratum as each person at an age, drawn by risk; where `wider`, only of the same cell.
        `quarter` must not fall.
        """
        drawn = np.empty(len(quarter), dtype=np.int32)
        stratum = self._stratum(_known(age), person).astype(np.int64)
        first = stratum // STRATA_OF_CELL * STRATA_OF_CELL if wider else stratum
        last = first + STRATA_OF_CELL if wider else stratum + 1
        for each, rows in _runs(quarter):
            cumulated, starts = self._cumulated[use][each], self._starts[each]
            low, high = cumulated[starts[first[rows]]], cumulated[starts[last[rows]]]
            drawn[rows] = self._person_at(use, each, low + rng.random(rows.stop - rows.start) * (high - low))
        return drawn

    def _person_at(self, use: Use, quarter: int, at: Floats) -> Integers:
        order = self._order[quarter]
        row = np.searchsorted(self._cumulated[use][quarter], at, side="right") - 1
        return order[np.minimum(row, len(order) - 1)]


def need_by_cell(residents: ResidentPopulation, parameters: PopulationParameters, use: Use) -> Floats:
    """How much of an area's need of a use each cell has, in any unit."""
    persons = residents.persons.sum(axis=0).astype(np.float64)
    age = np.arange(len(persons))
    women = np.interp(age, WOMEN_AT_AGES, WOMEN_SHARES)
    risk = _risk_tables(parameters, use)[0].reshape(2, -1)[:, : len(persons)]
    need = np.zeros((CELLS // 2, 2))
    np.add.at(need, CLASS_OF_AGE[age], np.stack([persons * (1 - women) * risk[0], persons * women * risk[1]], axis=1))
    return need.ravel()


def _risk_tables(parameters: PopulationParameters, use: Use) -> tuple[Floats, Floats]:
    """Risk by age, of men and then of women, and by fifth of deprivation."""
    knots = sorted(parameters.risk_by_age[use].items())
    age = np.interp(_AGES, [each for each, _ in knots], [risk for _, risk in knots])
    women = age.copy()
    women[FIRST_CHILDBEARING : LAST_CHILDBEARING + 1] *= parameters.childbearing[use]
    fifths = parameters.risk_by_deprivation[use]
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
        f"{WORLD_FILE}: people: too few people are at risk to receive all the published care; "
        "let risks by age differ less"
    )
