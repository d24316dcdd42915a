"""Outpatient appointments of one area: first attendances as many as published, the follow-ups that come of them by
specialty and provider, and appointments at which nobody was seen.

A follow-up that would come after the last month is put the same number of working days after the first day instead, as
if it came of a first attendance before the records: so a provider's follow-ups per first attendance are its true ones.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.simulation.population import CELLS, PatientPool, age_on, cell_of, too_small
from cbs_analysis.simulation.providers import OUTPATIENT_USE, TrueEffects
from cbs_analysis.simulation.random_draws import Booleans, Choices, Integers, between, weighted
from cbs_analysis.simulation.record_fields import (
    CodedText,
    Patients,
    Records,
    coded,
    record_keys,
    shared_fields,
    submission_days,
    take,
)
from cbs_analysis.simulation.scenario import FIRST_COUNT

LETTER = "O"
FIRST, FOLLOW_UP = 0, 1
SEEN, SEEN_LATE = "5", "6"
FIRST_SOURCES = {"03": 0.64, "05": 0.16, "01": 0.1, "10": 0.06, "07": 0.04}
ROUNDS = 60


@dataclass
class _Appointments:
    """Arrays of one length, an element an appointment; `code` is FIRST or FOLLOW_UP, `more` whether one follows it."""

    person: Integers
    day: Integers
    specialty: Integers
    provider: Integers
    code: NDArray[np.int8]
    seen: Booleans
    more: Booleans


def appointments_of_area(
    patients: Patients, effects: TrueEffects, pool: PatientPool, died_on: NDArray, rng: np.random.Generator
) -> Records:
    """The appointments of one area, in the order of their days, without any error."""
    not_seen = patients.scenario.world.outpatients.not_seen
    firsts = patients.scenario.counts[patients.residents.code][:, FIRST_COUNT]
    seen = _first(patients, pool, firsts, died_on, True, rng)
    missed = _first(patients, pool, np.rint(firsts * not_seen["first"]).astype(np.int64), died_on, False, rng)
    follow_ups = _follow_ups(patients, effects, seen, died_on, rng)
    unseen = _unseen_follow_ups(patients, follow_ups, rng)
    every = _joined([seen, missed, follow_ups, unseen])
    kept = np.flatnonzero(_without_duplicates(patients, every, died_on, rng))
    order = kept[np.argsort(every.day[kept], kind="stable")]
    records = take(_fields(patients, every, rng), order)
    return records | {
        "cds_unique_identifier": record_keys(coded(records, "provider_code"), LETTER, patients.residents.code)
    }


def _first(
    patients: Patients, pool: PatientPool, counts: NDArray, died_on: NDArray, seen: bool, rng: np.random.Generator
) -> _Appointments:
    """First appointments, as many in each month as `counts` says, of living people drawn by their risk."""
    scenario, months, code = patients.scenario, patients.scenario.months, patients.residents.code
    month = np.repeat(np.arange(len(counts)), counts)
    day = scenario.days["outpatient"].draw(rng, month)
    person = pool.draw_living("outpatient", months.quarter[month], day, died_on, rng)
    cell = cell_of(age_on(day, patients.people.born[person]), patients.people.sex[person])
    specialty = scenario.clinic_mixes[code].draw(rng, months.year[month] * CELLS + cell)
    provider = scenario.pulls[code].draw(rng, OUTPATIENT_USE * len(scenario.clinical.specialties) + specialty)
    size = len(month)
    return _Appointments(
        person, day, specialty, provider, np.full(size, FIRST, np.int8), np.full(size, seen), np.full(size, not seen)
    )


def _follow_ups(
    patients: Patients, effects: TrueEffects, seen: _Appointments, died_on: NDArray, rng: np.random.Generator
) -> _Appointments:
    """Follow-ups of each first attendance, as many as its specialty and provider truly give."""
    scenario, months = patients.scenario, patients.scenario.months
    clinics = scenario.world.outpatients.specialties
    mean = np.array([clinics[int(code)].follow_ups if int(code) in clinics else 0.0
                     for code in scenario.clinical.specialties])  # fmt: skip
    number = rng.poisson(mean[seen.specialty] * np.exp(effects.values["follow_up"][seen.provider]))
    seen.more = number > 0
    of = np.repeat(np.arange(len(number)), number)
    person, first_day = seen.person[of], seen.day[of]
    low, high = scenario.world.outpatients.follow_up_working_days
    day = months.working_days_after(first_day, between(rng, low, high, len(of)))
    born, death = patients.people.born[person], died_on[person]
    impossible = np.flatnonzero((day < born) | (day > death))
    last = np.minimum(death[impossible], months.last_day)
    room = rng.random(len(impossible)) * (last - first_day[impossible])
    day[impossible] = first_day[impossible] + room.astype(np.int64)
    day[impossible] = np.maximum(months.working(day[impossible]), np.maximum(born[impossible], months.first_day))
    size = len(of)
    return _Appointments(
        person, day.astype(np.int32), seen.specialty[of], seen.provider[of], np.full(size, FOLLOW_UP, np.int8),
        np.ones(size, dtype=bool), rng.random(size) < 1 - 1 / np.maximum(number[of], 1),
    )  # fmt: skip


def _unseen_follow_ups(patients: Patients, follow_ups: _Appointments, rng: np.random.Generator) -> _Appointments:
    """Follow-ups at which nobody was seen, one to three weeks before some of those at which somebody was."""
    months, share = patients.scenario.months, patients.scenario.world.outpatients.not_seen["follow_up"]
    rows = np.flatnonzero(rng.random(len(follow_ups.day)) < share)
    earliest = np.maximum(patients.people.born[follow_ups.person[rows]], months.first_day)
    day = np.maximum(follow_ups.day[rows] - between(rng, 7, 21, len(rows)), earliest)
    day = np.maximum(months.working(day), earliest)
    size = len(rows)
    return _Appointments(
        follow_ups.person[rows], day.astype(np.int32), follow_ups.specialty[rows], follow_ups.provider[rows],
        np.full(size, FOLLOW_UP, np.int8), np.zeros(size, dtype=bool), np.ones(size, dtype=bool),
    )  # fmt: skip


def _joined(parts: list[_Appointments]) -> _Appointments:
    names = [each.name for each in fields(_Appointments)]
    return _Appointments(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _without_duplicates(
    patients: Patients, every: _Appointments, died_on: NDArray, rng: np.random.Generator
) -> Booleans:
    """Move appointments to other days of their months until no two are the same person's at one clinic on one day.

    Returns which appointments are kept: all but follow-ups that had no other day, such as those of newborn children at
    the end of the records.
    """
    scenario, months = patients.scenario, patients.scenario.months
    born, death = patients.people.born[every.person], died_on[every.person]
    specialties = len(scenario.clinical.specialties)
    clinic = (every.provider.astype(np.int64) * specialties + every.specialty) * 2 + every.code
    key = every.person * np.int64(len(scenario.providers.codes) * specialties * 2) + clinic
    days = np.int64(months.last_day - months.first_day + 1)
    for _ in range(ROUNDS):
        is_duplicate = pd.Series(key * days + (every.day - months.first_day)).duplicated().to_numpy()
        rows = np.flatnonzero(is_duplicate)
        if not len(rows):
            return ~is_duplicate
        moved = scenario.days["outpatient"].draw(rng, months.of(every.day[rows]))
        fits = (moved >= born[rows]) & (moved <= death[rows])
        every.day[rows[fits]] = moved[fits]
        stuck = rows[~fits & (every.code[rows] == FOLLOW_UP)]
        first = np.maximum(born[stuck], months.first_day)
        span = np.minimum(death[stuck], months.last_day) - first + 1
        every.day[stuck] = first + (rng.random(len(stuck)) * span).astype(np.int64)
    is_duplicate = pd.Series(key * days + (every.day - months.first_day)).duplicated().to_numpy()
    if (is_duplicate & (every.code == FIRST) & every.seen).any():
        raise too_small()
    return ~is_duplicate


def _fields(patients: Patients, every: _Appointments, rng: np.random.Generator) -> Records:
    """What is recorded of each appointment, without its key."""
    scenario, world, size = patients.scenario, patients.scenario.world.outpatients, len(every.day)
    records = shared_fields(patients, every.person, every.provider, every.day, rng, "age_at_attendance")
    status, statuses = weighted(rng, world.not_seen_status, size)
    late = rng.random(size) < world.late_but_seen
    status = np.where(every.seen, len(statuses) + late, status)
    source, sources = weighted(rng, FIRST_SOURCES, size)
    wait = between(rng, *world.referral_days, size) + np.where(every.code == FOLLOW_UP, 60, 0)
    later = rng.random(size) < 0.2
    procedures, words = _procedures(patients)
    done = every.seen & (rng.random(size) < world.procedure_share)
    procedure = np.full(size, -1, dtype=np.int32)
    if done.any():
        procedure[done] = procedures.draw(rng, every.specialty[done])
    return records | {
        "appointment_date": every.day.astype(np.int32),
        "referral_source_code": CodedText(source, tuple(sources)),
        "referral_received_date": (every.day - wait).astype(np.int32),
        "first_attendance_code": CodedText(every.code.astype(np.int32), ("1", "2")),
        "attendance_status_code": CodedText(status.astype(np.int32), (*statuses, SEEN, SEEN_LATE)),
        "outcome_code": CodedText(np.where(every.more, np.where(later, 2, 1), 0).astype(np.int32), ("1", "2", "3")),
        "treatment_function_code": CodedText(every.specialty, scenario.clinical.specialties),
        "primary_procedure_opcs4": CodedText(procedure, words),
        "submission_date": submission_days(patients, every.provider, every.day, rng),
    }


def _procedures(patients: Patients) -> tuple[Choices, tuple[str, ...]]:
    """Procedures to choose from by specialty, and their codes."""
    stated = patients.scenario.world.outpatients.procedures
    words = tuple(sorted({code for codes in stated.values() for code in codes}))
    usual = words[:1]
    lists = [stated.get(int(code), usual) or usual for code in patients.scenario.clinical.specialties]
    return Choices.of([([words.index(code) for code in codes], np.ones(len(codes))) for codes in lists]), words
