"""Stays in hospital as they truly happen: who, when, for what, where, for how long, how they end, and who comes back.

Stays are drawn at the risk of an area's people, as many for each month of discharge as published. Length of stay, day
case and death follow the world's models: a person's part depends on type alone, the part of care on subchapter and kind
alone, and a provider's part is its true effect. Emergency readmissions count among the published stays of their month.
In the end people are exchanged where stays of one person overlap.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.clinical_codes import DAY_CASE, EMERGENCY, ORDINARY
from cbs_analysis.simulation.population import (
    CELLS,
    CLASS_STARTS,
    PatientPool,
    People,
    age_on,
    cell_of,
    effects_by_type,
    too_small,
    type_of,
)
from cbs_analysis.simulation.providers import ELECTIVE_USE, EMERGENCY_USE, TrueEffects
from cbs_analysis.simulation.random_draws import Booleans, Floats, Integers, logistic
from cbs_analysis.simulation.scenario import DAY_CASE_COUNT, EMERGENCY_COUNT, ORDINARY_COUNT, Scenario
from cbs_analysis.simulation.world import Use

NEVER = -99.0
FIRST_OLD_CELL = CLASS_STARTS.index(65) * 2
LONGEST_CHAIN = 40
NARROW_ROUNDS, EXCHANGE_ROUNDS = 25, 120
FOREVER = 1 << 20


@dataclass(frozen=True)
class Stays:
    """Arrays of one length, an element a stay. Days are counted from 1970. `root`, `parent`: the rows of the first stay
    of a chain of readmissions, and of the stay before; the parent of a first stay is -1.
    """

    person: Integers
    admitted: Integers
    discharged: Integers
    subchapter: Integers
    specialty: Integers
    provider: Integers
    kind: NDArray[np.int8]
    died: Booleans
    type: Integers
    cell: Integers
    root: NDArray[np.int64]
    parent: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.person)

    def take(self, rows: NDArray) -> Stays:
        return Stays(*(getattr(self, each.name)[rows] for each in fields(self)))

    def followed_by(self, other: Stays) -> Stays:
        return Stays(*(np.concatenate([getattr(self, each.name), getattr(other, each.name)]) for each in fields(self)))


class StayModels:
    """The world's models for one area, ready to draw from."""

    def __init__(self, scenario: Scenario, code: str, effects: TrueEffects, people: People, pool: PatientPool) -> None:
        world = scenario.world
        self.scenario, self.people, self.pool = scenario, people, pool
        self.clinical, self.months = scenario.clinical, scenario.months
        self.effects = effects.values
        self.mixes = scenario.mixes[code]
        self.pull = scenario.pulls[code]
        self.counts = scenario.counts[code]
        self.length_by_type = effects_by_type(world.length_of_stay)
        self.day_case_by_type = effects_by_type(world.day_case)
        self.readmission_by_type = effects_by_type(world.readmission)
        self.death_by_type = effects_by_type(world.death)
        self.shape = np.array([world.length_of_stay.shape["elective"], world.length_of_stay.shape["emergency"]])
        dying, again = world.death.intercept, world.readmission.intercept
        self.dying = np.array([dying["elective"], NEVER, dying["emergency"]])
        self.readmitted = np.array([again["elective"], again["day_case"], again["emergency"]])

    def provider_of(self, use: int, specialty: Integers, rng: np.random.Generator) -> Integers:
        return self.pull.draw(rng, use * len(self.clinical.specialties) + specialty)

    def specialty_of(self, subchapter: Integers, cell: Integers, rng: np.random.Generator) -> Integers:
        """A specialty for each stay; people under 65 are in general medicine, not in geriatric medicine."""
        specialty = self.clinical.treats.draw(rng, subchapter)
        specialty[(specialty == self.clinical.geriatric_medicine) & (cell < FIRST_OLD_CELL)] = (
            self.clinical.general_medicine
        )
        return specialty

    def nights(
        self, kind: NDArray, subchapter: Integers, type_: Integers, provider: Integers, rng: np.random.Generator
    ) -> Integers:
        """Nights in hospital, negative binomial; none for day cases."""
        is_emergency = (kind == EMERGENCY).astype(np.int64)
        log_mean = self.clinical.log_nights[is_emergency, subchapter] + self.length_by_type[type_]
        mean = np.exp(log_mean + self.effects["length_of_stay"][provider])
        shape = self.shape[is_emergency]
        nights = np.minimum(
            rng.poisson(rng.standard_gamma(shape) * (mean / shape)), self.scenario.world.length_of_stay.longest
        )
        return np.where(kind == DAY_CASE, 0, nights).astype(np.int32)

    def deaths(self, kind: NDArray, type_: Integers, rng: np.random.Generator) -> Booleans:
        return rng.random(len(kind)) < logistic(self.dying[kind] + self.death_by_type[type_])

    def type_and_cell(self, person: Integers, day: NDArray) -> tuple[Integers, Integers]:
        """The type and the cell of each person on a day."""
        age, sex = age_on(day, self.people.born[person]), self.people.sex[person]
        return type_of(age, sex, self.people.fifth[person]), cell_of(age, sex)

    def emergency_subchapter(self, year: NDArray, cell: Integers, rng: np.random.Generator) -> Integers:
        """A subchapter for each emergency readmission: any but maternity."""
        subchapter = self.mixes[EMERGENCY_USE].draw(rng, year * CELLS + cell)
        todo = np.flatnonzero(subchapter == self.clinical.maternity)
        while len(todo):
            subchapter[todo] = self.mixes[EMERGENCY_USE].draw(rng, year[todo] * CELLS + cell[todo])
            todo = todo[subchapter[todo] == self.clinical.maternity]
        return subchapter


def true_stays(models: StayModels, rng: np.random.Generator) -> Stays:
    """All stays of an area's people that end in the months of the scenario, as many as published."""
    electives = _elective_stays(models, rng)
    others = _other_stays(models, rng)
    first = electives.followed_by(replace(others, root=others.root + len(electives)))
    stays = _as_published(models, _with_readmissions(models, first, rng), len(electives))
    return _possible_at_age(models, _without_overlaps(models, stays, rng), rng)


def _possible_at_age(models: StayModels, stays: Stays, rng: np.random.Generator) -> Stays:
    """The stays with their cells brought up to date after people were exchanged, and another subchapter where a
    birthday between two stays has left one that is not possible at its age.
    """
    cell = cell_of(age_on(stays.discharged, models.people.born[stays.person]), models.people.sex[stays.person])
    subchapter, specialty = stays.subchapter.copy(), stays.specialty.copy()
    wrong = np.flatnonzero(~models.clinical.allowed[stays.kind, subchapter, cell])
    if len(wrong):
        year = models.months.year[models.months.of(stays.discharged[wrong])]
        subchapter[wrong] = models.emergency_subchapter(year, cell[wrong], rng)
        specialty[wrong] = models.specialty_of(subchapter[wrong], cell[wrong], rng)
    return replace(stays, cell=cell, subchapter=subchapter, specialty=specialty)


def _elective_stays(models: StayModels, rng: np.random.Generator) -> Stays:
    """Elective stays by month: as many discharges in each as published, and as many day cases among them."""
    ordinary, day_cases = models.counts[:, ORDINARY_COUNT], models.counts[:, DAY_CASE_COUNT]
    both = ordinary + day_cases
    month = np.repeat(np.arange(len(both)), both)
    stays = _first_stays(models, month, ELECTIVE_USE, rng)
    latent = models.clinical.day_case_logit[stays.subchapter] + models.day_case_by_type[stays.type]
    latent += models.effects["day_case"][stays.provider] + rng.logistic(size=len(stays))
    order = np.lexsort((-latent, month))
    first = np.repeat(np.cumsum(both) - both, both)
    is_day_case = np.empty(len(stays), dtype=bool)
    is_day_case[order] = np.arange(len(stays)) - first < np.repeat(day_cases, both)
    return _ended(models, replace(stays, kind=np.where(is_day_case, DAY_CASE, ORDINARY).astype(np.int8)), rng)


def _other_stays(models: StayModels, rng: np.random.Generator) -> Stays:
    """First stays that are not elective, by month: as many discharges in each as published in all, which is more than
    are needed, because readmissions count too.
    """
    month = np.repeat(np.arange(len(models.counts)), models.counts[:, EMERGENCY_COUNT])
    return _ended(models, _first_stays(models, month, EMERGENCY_USE, rng), rng)


def _first_stays(models: StayModels, month: NDArray, use: int, rng: np.random.Generator) -> Stays:
    """Stays without their length: discharged on a day of each month, of people drawn by their risk."""
    name: Use = "emergency" if use == EMERGENCY_USE else "elective"
    day = models.scenario.days[name].draw(rng, month)
    person = models.pool.draw(name, models.months.quarter[month], day, rng)
    type_, cell = models.type_and_cell(person, day)
    subchapter = models.mixes[use].draw(rng, models.months.year[month] * CELLS + cell)
    specialty = models.specialty_of(subchapter, cell, rng)
    return Stays(
        person, day, day, subchapter, specialty, models.provider_of(use, specialty, rng),
        np.full(len(month), EMERGENCY if use == EMERGENCY_USE else ORDINARY, dtype=np.int8),
        np.zeros(len(month), dtype=bool), type_, cell, np.arange(len(month)), np.full(len(month), -1),
    )  # fmt: skip


def _ended(models: StayModels, stays: Stays, rng: np.random.Generator) -> Stays:
    """The stays with their nights before the discharge, none of which is before birth, and their deaths."""
    nights = models.nights(stays.kind, stays.subchapter, stays.type, stays.provider, rng)
    nights = np.minimum(nights, stays.discharged - models.people.born[stays.person])
    died = models.deaths(stays.kind, stays.type, rng)
    return replace(stays, admitted=stays.discharged - nights, died=died)


def _with_readmissions(models: StayModels, first: Stays, rng: np.random.Generator) -> Stays:
    """First stays, then the readmissions that follow them, and those that follow these, to the end of the records."""
    everything, last, offset = first, first, 0
    for _ in range(LONGEST_CHAIN):
        again = _readmitted(models, last, offset, rng)
        if not len(again):
            break
        offset = len(everything)
        everything, last = everything.followed_by(again), again
    return everything


def _readmission_probability(models: StayModels, stays: Stays) -> Floats:
    """The probability that an emergency readmission follows each stay; 0 after death."""
    logit = models.readmitted[stays.kind] + models.clinical.readmitted[stays.subchapter]
    logit += models.readmission_by_type[stays.type]
    logit += models.scenario.world.readmission.history * models.people.history[stays.person]
    logit += models.effects["readmission"][stays.provider]
    return np.where(stays.died, 0.0, logistic(logit))


def _readmitted(models: StayModels, stays: Stays, offset: int, rng: np.random.Generator) -> Stays:
    """The readmissions that follow directly on stays, the first of which is at `offset` of all, and end in time."""
    scenario, clinical, months = models.scenario, models.clinical, models.months
    rows = np.flatnonzero(rng.random(len(stays)) < _readmission_probability(models, stays))
    before = stays.take(rows)
    admitted = before.discharged + _days_to_readmission(models, len(rows), before.discharged == before.admitted, rng)
    type_, cell = models.type_and_cell(before.person, admitted)
    month = np.clip(months.of(admitted), 0, len(months.names) - 1)
    subchapter = models.emergency_subchapter(months.year[month], cell, rng)
    same = rng.random(len(rows)) < scenario.world.readmission.same_subchapter
    same &= clinical.allowed[EMERGENCY, before.subchapter, cell] & (before.subchapter != clinical.maternity)
    subchapter = np.where(same, before.subchapter, subchapter)
    specialty = models.specialty_of(subchapter, cell, rng)
    provider = models.provider_of(EMERGENCY_USE, specialty, rng)
    same = rng.random(len(rows)) < scenario.world.providers.emergency_readmitted_to_same
    same &= scenario.providers.offers_emergency[before.provider, specialty]
    provider = np.where(same, before.provider, provider)
    kind = np.full(len(rows), EMERGENCY, dtype=np.int8)
    nights = models.nights(kind, subchapter, type_, provider, rng)
    again = Stays(
        before.person, admitted, admitted + nights, subchapter, specialty, provider, kind,
        models.deaths(kind, type_, rng), type_, cell, before.root, rows + offset,
    )  # fmt: skip
    return again.take(np.flatnonzero(again.discharged <= months.last_day))


def _days_to_readmission(models: StayModels, size: int, no_night: Booleans, rng: np.random.Generator) -> Integers:
    """Days from discharge to readmission: a truncated exponential; at least one after a stay without a night, so that
    it is clear which of the two came first.
    """
    world = models.scenario.world.readmission
    reach = 1.0 - np.exp(-(world.within_days + 1) / world.mean_days)
    days = np.floor(-world.mean_days * np.log1p(-rng.random(size) * reach))
    return np.clip(days, no_night, world.within_days).astype(np.int32)


def _as_published(models: StayModels, stays: Stays, electives: int) -> Stays:
    """The stays without the first stays that are too many, so that other stays are as many in each month as published.

    `stays`: `electives` first stays that are elective, other first stays by month, then readmissions. Roots and
    parents point into the result.
    """
    firsts = int((stays.parent < 0).sum())
    wanted = models.counts[:, EMERGENCY_COUNT]
    kept = np.ones(len(stays), dtype=bool)
    kept[electives:firsts] = False
    chains = _Chains(stays, models.months.of(stays.discharged), firsts, kept)
    starts = electives + np.concatenate([[0], np.cumsum(wanted)])
    for month, number in enumerate(wanted.tolist()):
        roots = np.arange(starts[month], starts[month + 1])
        need = number - len(chains.of_others(month, roots))
        if need < 0:
            chains.cut(chains.of_others(month, roots)[need:])
        chains.keep(month, roots, max(need, 0))
    rows = np.flatnonzero(kept & kept[stays.root])
    new_row = np.full(len(stays) + 1, -1)
    new_row[rows] = np.arange(len(rows))
    result = stays.take(rows)
    return replace(result, root=new_row[result.root], parent=new_row[result.parent])


class _Chains:
    """Which stays are kept: `kept` is changed in place, of first stays when they are kept, of readmissions when cut."""

    def __init__(self, stays: Stays, month: NDArray, firsts: int, kept: Booleans) -> None:
        self.kept, self.firsts = kept, firsts
        self.root, self.parent, self.month = stays.root[firsts:], stays.parent[firsts:], month[firsts:]

    def of_others(self, month: int, roots: NDArray) -> NDArray:
        """Readmissions that end in a month and follow first stays kept already, other than those of the month."""
        ending = np.flatnonzero(self.month == month)
        of_month = (self.root[ending] >= roots[0]) & (self.root[ending] <= roots[-1]) if len(roots) else False
        is_kept = self.kept[self.root[ending]] & self.kept[ending + self.firsts]
        return ending[is_kept & ~np.asarray(of_month)] + self.firsts

    def keep(self, month: int, roots: NDArray, need: int) -> None:
        """Keep first stays in their order until a month has what it needs; the last of them one that fits."""
        size = self._stays_in(month, roots)
        upto = int(np.searchsorted(np.cumsum(size), need, side="right"))
        self.kept[roots[:upto]] = True
        left = need - int(size[:upto].sum())
        single = upto + np.flatnonzero(size[upto:] == 1)[:left]
        self.kept[roots[single]] = True
        left -= len(single)
        for root in roots[upto + np.flatnonzero(size[upto:] > 1)[:left]]:
            self.cut(np.flatnonzero((self.root == root) & (self.month == month)) + self.firsts)
            self.kept[root] = True

    def _stays_in(self, month: int, roots: NDArray) -> NDArray:
        """How many stays each first stay of a month adds to it: itself, and readmissions that end in it."""
        if not len(roots):
            return np.zeros(0, dtype=np.int64)
        ending = np.flatnonzero((self.month == month) & (self.root >= roots[0]) & (self.root <= roots[-1]))
        ending = ending[self.kept[ending + self.firsts]]
        return 1 + np.bincount(self.root[ending] - roots[0], minlength=len(roots))

    def cut(self, rows: NDArray) -> None:
        """Drop these readmissions, and those that follow them."""
        while len(rows):
            self.kept[rows] = False
            rows = np.flatnonzero(np.isin(self.parent, rows)) + self.firsts


def _without_overlaps(models: StayModels, stays: Stays, rng: np.random.Generator) -> Stays:
    """The stays with people exchanged until no two stays of one person overlap, none follows death, and no emergency
    looks like a readmission that it is not.

    A stay and the readmissions that follow it move together, to somebody of the same cell, fifth of deprivation and
    history, so that nothing else about them changes. Raises UserError where too few people are at risk for that.
    """
    firsts = int((stays.parent < 0).sum())
    ends = np.full(firsts, -1, dtype=np.int64)
    np.maximum.at(ends, stays.root, stays.discharged)
    died = np.zeros(firsts, dtype=bool)
    died[stays.root[stays.died]] = True
    ends[died] += FOREVER
    person, cell = stays.person[:firsts].copy(), stays.cell[:firsts]
    starts, day = stays.admitted[:firsts].astype(np.int64), stays.discharged[:firsts]
    emergency = stays.kind[:firsts] == EMERGENCY
    wait = np.where(emergency, models.scenario.world.readmission.within_days, 0)
    quarter = models.months.quarter[models.months.of(day)]
    age = age_on(day, models.people.born[person])
    wrong = _overlapping(person, starts, ends, wait)
    for turn in range(EXCHANGE_ROUNDS):
        rows = np.flatnonzero(wrong)
        if not len(rows):
            return replace(stays, person=person[stays.root])
        by_use: tuple[tuple[Use, NDArray], ...] = (
            ("elective", rows[~emergency[rows]]),
            ("emergency", rows[emergency[rows]]),
        )
        for use, those in by_use:
            person[those] = models.pool.similar(
                use, quarter[those], age[those], stays.person[those], rng, wider=turn >= NARROW_ROUNDS
            )
        born = models.people.born[person[rows]]
        unlike = cell_of(age_on(day[rows], born), models.people.sex[person[rows]]) != cell[rows]
        unlike |= (born > starts[rows]) | (age_on(day[rows], born) < 0)
        wrong = _overlapping(person, starts, ends, wait)
        wrong[rows[unlike]] = True
    raise too_small()


def _overlapping(person: NDArray, starts: NDArray, ends: NDArray, wait: NDArray) -> Booleans:
    """Chains of stays that start before the person's chain before them has ended, or within the wait after it."""
    order = np.argsort((person.astype(np.int64) << 20) + starts, kind="stable")
    same = person[order[1:]] == person[order[:-1]]
    overlaps = same & (starts[order[1:]] <= ends[order[:-1]] + wait[order[1:]])
    result = np.zeros(len(person), dtype=bool)
    result[order[1:][overlaps]] = True
    return result
