"""Stays in hospital as they truly happen: who, when, for what, where, for how long, and how it ends.

Elective stays and others are drawn at the risk of the people of a PCT, so many for each month of discharge. Length of
stay, day case and death then follow the world's models: what depends on a person depends on band of age, sex and
fifth of deprivation alone, what depends on care on subchapter and kind alone, and on the provider its true effect.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.clinical_codes import DAY_CASE, EMERGENCY, ORDINARY
from cbs_analysis.simulation.population import (
    CELLS,
    CLASS_STARTS,
    Crowd,
    People,
    age_on,
    cell_of,
    effects_by_type,
    too_small,
    type_of,
)
from cbs_analysis.simulation.providers import ELECTIVE_USE, EMERGENCY_USE, TrueEffects
from cbs_analysis.simulation.random_draws import Array, Choices, Flags, Ints, logistic
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


LONGEST_CHAIN = 40


def with_readmissions(models: Models, first: Stays, rng: np.random.Generator) -> Stays:
    """First stays, then the readmissions that follow them, and those that follow these, to the end of the records."""
    everything, last, offset = first, first, 0
    for _ in range(LONGEST_CHAIN):
        again = _readmitted(models, last, offset, rng)
        if not len(again):
            break
        offset = len(everything)
        everything, last = everything.followed_by(again), again
    return everything


def probability(models: Models, stays: Stays) -> Array:
    """The chance that a stay is followed by an emergency readmission; 0 after death."""
    world, care = models.setting.world.readmission, models.setting.care
    intercept = np.empty(3)
    intercept[[ORDINARY, DAY_CASE, EMERGENCY]] = (
        world.intercept["elective"], world.intercept["day_case"], world.intercept["emergency"],
    )  # fmt: skip
    logit = intercept[stays.kind] + care.readmitted[stays.subchapter] + models.readmission_by_type[stays.type]
    logit += world.history * models.people.history[stays.person]
    logit += models.effects["readmission"][stays.provider]
    return np.where(stays.died, 0.0, logistic(logit))


def _readmitted(models: Models, stays: Stays, offset: int, rng: np.random.Generator) -> Stays:
    """The readmissions that follow directly on stays, the first of which is at `offset` of all, and end in time."""
    setting, care = models.setting, models.setting.care
    rows = np.flatnonzero(rng.random(len(stays)) < probability(models, stays))
    before = stays.take(rows)
    admitted = before.discharged + _gap(models, len(rows), before.discharged == before.admitted, rng)
    type_, cell = models.person_at(before.person, admitted)
    month = np.minimum(setting.months.of(admitted), len(setting.months.names) - 1)
    subchapter = followed_mix(setting, models.mixes[1], setting.months.year[np.maximum(month, 0)], cell, rng)
    again = rng.random(len(rows)) < setting.world.readmission.same_subchapter
    again &= care.allowed[EMERGENCY, before.subchapter, cell] & (before.subchapter != care.maternity)
    subchapter = np.where(again, before.subchapter, subchapter)
    function = models.function_of(subchapter, cell, rng)
    provider = models.provider_of(EMERGENCY_USE, function, rng)
    same = rng.random(len(rows)) < setting.world.providers.emergency_readmitted_to_same
    same &= setting.trusts.offers_emergency[before.provider, function]
    provider = np.where(same, before.provider, provider)
    kind = np.full(len(rows), EMERGENCY, dtype=np.int8)
    nights = models.nights(kind, subchapter, type_, provider, rng)
    made = Stays(
        before.person, admitted, admitted + nights, subchapter, function, provider, kind,
        models.deaths(kind, type_, rng), type_, cell, before.root, rows + offset,
    )  # fmt: skip
    return made.take(np.flatnonzero(made.discharged <= setting.months.last_day))


def _gap(models: Models, size: int, no_night: Flags, rng: np.random.Generator) -> Ints:
    """Days from discharge to readmission: exponential, cut off; at least one after a stay without a night, so that
    which came first can be told.
    """
    world = models.setting.world.readmission
    reach = 1.0 - np.exp(-(world.within_days + 1) / world.mean_days)
    days = np.floor(-world.mean_days * np.log1p(-rng.random(size) * reach))
    return np.clip(days, no_night, world.within_days).astype(np.int32)


def as_published(models: Models, stays: Stays, electives: int) -> Stays:
    """The stays less those first ones that are too many, so that each month has the published number of other stays.

    `stays`: `electives` first stays that are elective, other first stays by month, then readmissions. Roots and
    parents point into the result.
    """
    firsts = int((stays.parent < 0).sum())
    wanted = models.counts[:, EMERGENCY_COUNT]
    month = models.setting.months.of(stays.discharged)
    kept = np.ones(len(stays), dtype=bool)
    kept[electives:firsts] = False
    chain = _Chain(stays, month, firsts, kept)
    starts = electives + np.concatenate([[0], np.cumsum(wanted)])
    for each in range(len(wanted)):
        roots = np.arange(starts[each], starts[each + 1])
        need = int(wanted[each]) - len(chain.of_others(each, roots))
        if need < 0:
            chain.cut(chain.of_others(each, roots)[need:])
            need = 0
        _take(chain, roots, chain.size_in(each, roots), need, each)
    return _kept(stays, kept)


class _Chain:
    """Which stays are kept: `kept` is changed in place, of first stays when they are taken, of others when cut."""

    def __init__(self, stays: Stays, month: NDArray, firsts: int, kept: Flags) -> None:
        self.kept, self.firsts = kept, firsts
        self.root, self.parent, self.month = stays.root[firsts:], stays.parent[firsts:], month[firsts:]

    def of_others(self, month: int, roots: NDArray) -> NDArray:
        """Readmissions that end in a month and follow first stays taken already, those of the month not among them."""
        here = np.flatnonzero(self.month == month)
        inside = (self.root[here] >= roots[0]) & (self.root[here] <= roots[-1]) if len(roots) else False
        return here[self.kept[self.root[here]] & self.kept[here + self.firsts] & ~np.asarray(inside)] + self.firsts

    def size_in(self, month: int, roots: NDArray) -> NDArray:
        """How many stays each first stay of a month brings it: itself, and readmissions that end in it."""
        if not len(roots):
            return np.zeros(0, dtype=np.int64)
        here = np.flatnonzero((self.month == month) & (self.root >= roots[0]) & (self.root <= roots[-1]))
        here = here[self.kept[here + self.firsts]]
        return 1 + np.bincount(self.root[here] - roots[0], minlength=len(roots))

    def cut(self, rows: NDArray) -> None:
        """Do without these readmissions, and without those that follow them."""
        while len(rows):
            self.kept[rows] = False
            rows = np.flatnonzero(np.isin(self.parent, rows)) + self.firsts


def _take(chain: _Chain, roots: NDArray, size: NDArray, need: int, month: int) -> None:
    """Take first stays in their order until a month has what it needs; the last of them one that fits."""
    upto = int(np.searchsorted(np.cumsum(size), need, side="right"))
    chain.kept[roots[:upto]] = True
    left = need - int(size[:upto].sum())
    single = upto + np.flatnonzero(size[upto:] == 1)[:left]
    chain.kept[roots[single]] = True
    left -= len(single)
    for root in roots[upto + np.flatnonzero(size[upto:] > 1)[:left]]:
        chain.cut(np.flatnonzero((chain.root == root) & (chain.month == month)) + chain.firsts)
        chain.kept[root] = True


def _kept(stays: Stays, kept: Flags) -> Stays:
    rows = np.flatnonzero(kept & kept[stays.root])
    place = np.full(len(stays) + 1, -1)
    place[rows] = np.arange(len(rows))
    found = stays.take(rows)
    root, parent = place[found.root], place[found.parent]
    return Stays(**{**found.__dict__, "root": root, "parent": parent})


NARROW_ROUNDS, ROUNDS = 25, 120
FOREVER = 1 << 20


def kept_apart(models: Models, stays: Stays, rng: np.random.Generator) -> Stays:
    """The stays with people exchanged until no two stays of one meet.

    Raises UserError where too few people are at risk for that.
    """
    firsts = int((stays.parent < 0).sum())
    ends = np.full(firsts, -1, dtype=np.int64)
    np.maximum.at(ends, stays.root, stays.discharged)
    died = np.zeros(firsts, dtype=bool)
    died[stays.root[stays.died]] = True
    person = stays.person[:firsts].copy()
    starts, day = stays.admitted[:firsts].astype(np.int64), stays.discharged[:firsts]
    emergency = stays.kind[:firsts] == EMERGENCY
    wait = np.where(emergency, models.setting.world.readmission.within_days, 0)
    ends[died] += FOREVER
    quarter = models.setting.months.quarter[models.setting.months.of(day)]
    age, cell = age_on(day, models.people.born[person]), stays.cell[:firsts]
    wrong = _meeting(person, starts, ends, wait)
    for turn in range(ROUNDS):
        rows = np.flatnonzero(wrong)
        if not len(rows):
            return replace(stays, person=person[stays.root])
        wider = turn >= NARROW_ROUNDS
        by_use: tuple[tuple[Use, NDArray], ...] = (
            ("elective", rows[~emergency[rows]]),
            ("emergency", rows[emergency[rows]]),
        )
        for use, those in by_use:
            first = stays.person[those]
            person[those] = models.crowd.alike(use, quarter[those], age[those], first, rng, wider)
        born = models.people.born[person[rows]]
        unlike = cell_of(age_on(day[rows], born), models.people.sex[person[rows]]) != cell[rows]
        unlike |= (born > starts[rows]) | (age_on(day[rows], born) < 0)
        wrong = _meeting(person, starts, ends, wait)
        wrong[rows[unlike]] = True
    raise too_small()


def _meeting(person: NDArray, starts: NDArray, ends: NDArray, wait: NDArray) -> Flags:
    """Blocks that begin before the person's block before them has ended and, of emergencies, for the wait after it."""
    order = np.argsort((person.astype(np.int64) << 20) + starts, kind="stable")
    same = person[order[1:]] == person[order[:-1]]
    meet = same & (starts[order[1:]] <= ends[order[:-1]] + wait[order[1:]])
    found = np.zeros(len(person), dtype=bool)
    found[order[1:][meet]] = True
    return found
