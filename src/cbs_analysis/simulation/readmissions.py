"""Who comes back: emergency readmissions within 30 days of a discharge alive, and the counts that they are part of.

Whether a discharge is followed by one depends on the provider that discharged. Readmissions count as other stays of
the month in which they end; so many stays are drawn beside them that each month has as many as were published.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.clinical_codes import DAY_CASE, EMERGENCY, ORDINARY
from cbs_analysis.simulation.providers import EMERGENCY_USE
from cbs_analysis.simulation.random_draws import Array, Flags, Ints, logistic
from cbs_analysis.simulation.scenario import EMERGENCY_COUNT
from cbs_analysis.simulation.stays import Models, Stays, followed_mix

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
