"""Stays in hospital as they truly happen: who, when, for what, where, for how long, and how it ends.

Elective stays and others are drawn at the risk of the people of a PCT, so many for each month of discharge. Length of
stay, day case and death then follow the world's models: what depends on a person depends on band of age, sex and
fifth of deprivation alone, what depends on care on subchapter and kind alone, and on the provider its true effect.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.ages import CELLS, CLASS_STARTS, age_on, cell_of, effects_by_type, type_of
from cbs_analysis.simulation.clinical_codes import DAY_CASE, EMERGENCY, ORDINARY
from cbs_analysis.simulation.effects import TrueEffects
from cbs_analysis.simulation.population import Crowd, People
from cbs_analysis.simulation.providers import ELECTIVE_USE, EMERGENCY_USE
from cbs_analysis.simulation.random_draws import Choices, Flags, Ints, logistic
from cbs_analysis.simulation.scenario import DAY_CASE_COUNT, EMERGENCY_COUNT, ORDINARY_COUNT, Setting
from cbs_analysis.simulation.world import Use

NEVER = -99.0
OLD_AGE_MEDICINE, GENERAL_MEDICINE = "430", "300"
OLD_CELL = CLASS_STARTS.index(65) * 2


@dataclass(frozen=True)
class Stays:
    """One place in each array a stay. Days are counted from 1970. `root` and `parent` are places of the first stay of
    a chain of readmissions and of the stay before it, -1 for a first stay's parent.
    """

    person: Ints
    admitted: Ints
    discharged: Ints
    subchapter: Ints
    function: Ints
    provider: Ints
    kind: NDArray[np.int8]
    died: Flags
    type: Ints
    cell: Ints
    root: NDArray[np.int64]
    parent: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: NDArray) -> Stays:
        return Stays(*(getattr(self, each.name)[rows] for each in fields(self)))

    def followed_by(self, other: Stays) -> Stays:
        return Stays(*(np.concatenate([getattr(self, each.name), getattr(other, each.name)]) for each in fields(self)))


class Models:
    """The world's models of one PCT, ready to draw from."""

    def __init__(self, setting: Setting, code: str, effects: TrueEffects, people: People, crowd: Crowd) -> None:
        world = setting.world
        self.setting, self.people, self.crowd = setting, people, crowd
        self.effects = effects.values
        self.mixes = setting.mixes[code]
        self.pull = setting.pulls[code]
        self.counts = setting.counts[code]
        self.length_by_type = effects_by_type(world.length_of_stay)
        self.day_case_by_type = effects_by_type(world.day_case)
        self.readmission_by_type = effects_by_type(world.readmission)
        self.death_by_type = effects_by_type(world.death)
        self.shape = np.array([world.length_of_stay.shape["elective"], world.length_of_stay.shape["emergency"]])
        dying = world.death.intercept
        self.dying = np.array([dying["elective"], NEVER, dying["emergency"]])

    def provider_of(self, use: int, function: Ints, rng: np.random.Generator) -> Ints:
        return self.pull.draw(rng, use * len(self.setting.care.treatment_functions) + function)

    def function_of(self, subchapter: Ints, cell: Ints, rng: np.random.Generator) -> Ints:
        """A specialty for each stay; those younger than 65 are in general medicine and not in geriatric medicine."""
        functions = self.setting.care.treatment_functions
        found = self.setting.care.treats.draw(rng, subchapter)
        if OLD_AGE_MEDICINE in functions and GENERAL_MEDICINE in functions:
            young = (found == functions.index(OLD_AGE_MEDICINE)) & (cell < OLD_CELL)
            found[young] = functions.index(GENERAL_MEDICINE)
        return found

    def nights(self, kind: NDArray, subchapter: Ints, type_: Ints, provider: Ints, rng: np.random.Generator) -> Ints:
        """Nights of spells, negative binomial; none of day cases."""
        which = (kind == EMERGENCY).astype(np.int64)
        log_mean = self.setting.care.log_nights[which, subchapter] + self.length_by_type[type_]
        mean = np.exp(log_mean + self.effects["length_of_stay"][provider])
        shape = self.shape[which]
        drawn = rng.poisson(rng.standard_gamma(shape) * (mean / shape))
        return np.where(kind == DAY_CASE, 0, np.minimum(drawn, self.setting.world.length_of_stay.longest)).astype(
            np.int32
        )

    def deaths(self, kind: NDArray, type_: Ints, rng: np.random.Generator) -> Flags:
        return rng.random(len(kind)) < logistic(self.dying[kind] + self.death_by_type[type_])

    def person_at(self, person: Ints, day: NDArray) -> tuple[Ints, Ints]:
        """The type and the cell of each person on a day."""
        age, sex = age_on(day, self.people.born[person]), self.people.sex[person]
        return type_of(age, sex, self.people.fifth[person]), cell_of(age, sex)


def elective_stays(models: Models, rng: np.random.Generator) -> Stays:
    """Elective stays, so many discharged in each month as published, and so many of them day cases, by month."""
    counts = models.counts
    ordinary, day_cases = counts[:, ORDINARY_COUNT], counts[:, DAY_CASE_COUNT]
    month = np.repeat(np.arange(len(counts)), ordinary + day_cases)
    stays = _first_stays(models, month, ELECTIVE_USE, rng)
    latent = models.setting.care.day_case_logit[stays.subchapter] + models.day_case_by_type[stays.type]
    latent += models.effects["day_case"][stays.provider] + rng.logistic(size=len(stays))
    order = np.lexsort((-latent, month))
    first = np.repeat(np.cumsum(ordinary + day_cases) - (ordinary + day_cases), ordinary + day_cases)
    is_day_case = np.empty(len(stays), dtype=bool)
    is_day_case[order] = np.arange(len(stays)) - first < np.repeat(day_cases, ordinary + day_cases)
    return _ended(models, replace(stays, kind=np.where(is_day_case, DAY_CASE, ORDINARY).astype(np.int8)), rng)


def emergency_stays(models: Models, rng: np.random.Generator) -> Stays:
    """Other stays than elective ones that follow no other, as many discharged in each month as published in all: more
    than are needed, because readmissions count too. By month.
    """
    month = np.repeat(np.arange(len(models.counts)), models.counts[:, EMERGENCY_COUNT])
    return _ended(models, _first_stays(models, month, EMERGENCY_USE, rng), rng)


def _first_stays(models: Models, month: NDArray, use: int, rng: np.random.Generator) -> Stays:
    """Stays without their length: discharged on a day of each month, of people at their risk."""
    setting = models.setting
    name: Use = "emergency" if use == EMERGENCY_USE else "elective"
    day = setting.days[name].draw(rng, month)
    person = models.crowd.draw(name, setting.months.quarter[month], day, rng)
    type_, cell = models.person_at(person, day)
    subchapter = models.mixes[use].draw(rng, setting.months.year[month] * CELLS + cell)
    function = models.function_of(subchapter, cell, rng)
    nobody = np.full(len(month), -1)
    return Stays(
        person, day, day, subchapter, function, models.provider_of(use, function, rng),
        np.full(len(month), EMERGENCY if use == EMERGENCY_USE else ORDINARY, dtype=np.int8),
        np.zeros(len(month), dtype=bool), type_, cell, np.arange(len(month)), nobody,
    )  # fmt: skip


def _ended(models: Models, stays: Stays, rng: np.random.Generator) -> Stays:
    """The stays with their nights before the discharge, none of which lies before birth, and who died."""
    nights = models.nights(stays.kind, stays.subchapter, stays.type, stays.provider, rng)
    nights = np.minimum(nights, stays.discharged - models.people.born[stays.person])
    died = models.deaths(stays.kind, stays.type, rng)
    return replace(stays, admitted=stays.discharged - nights, died=died)


def followed_mix(setting: Setting, mix: Choices, year: NDArray, cell: Ints, rng: np.random.Generator) -> Ints:
    """A subchapter for each emergency readmission: any but maternity."""
    found = mix.draw(rng, year * CELLS + cell)
    todo = np.flatnonzero(found == setting.care.maternity)
    while len(todo):
        found[todo] = mix.draw(rng, year[todo] * CELLS + cell[todo])
        todo = todo[found[todo] == setting.care.maternity]
    return found
