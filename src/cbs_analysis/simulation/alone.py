"""Nobody lies in two beds: people of the synthetic London are given to stays so that no two of one person meet.

A stay and the readmissions that follow it are one block of somebody's days. Where two blocks of a person meet, or one
follows death, or an emergency would look like the readmission that it is not, the later one is given to somebody
alike: of the same age class, sex, fifth of deprivation and history. So nothing else about the stay changes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.ages import age_on, cell_of
from cbs_analysis.simulation.clinical_codes import EMERGENCY
from cbs_analysis.simulation.population import too_small
from cbs_analysis.simulation.random_draws import Flags
from cbs_analysis.simulation.stays import Models, Stays
from cbs_analysis.simulation.world import Use

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
