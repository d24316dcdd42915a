"""Outpatient appointments of one PCT: first attendances as many as published, the follow-ups that come of them by
specialty and provider, and appointments at which nobody was seen.

A follow-up that would come after the last month stands as many working days after the first day instead, as if it came
of a first attendance before the records: so a provider's follow-ups for each first attendance are its true ones.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.simulation.population import CELLS, Crowd, age_on, cell_of, too_small
from cbs_analysis.simulation.providers import OUTPATIENT_USE, TrueEffects
from cbs_analysis.simulation.random_draws import Choices, Flags, Ints, between, weighted
from cbs_analysis.simulation.record_fields import Fixed, Living, Records, Text, about_people, keys, sent, take
from cbs_analysis.simulation.scenario import FIRST_COUNT

LETTER = "O"
FIRST, FOLLOW_UP = 0, 1
SEEN, SEEN_LATE = "5", "6"
FIRST_SOURCES = {"03": 0.64, "05": 0.16, "01": 0.1, "10": 0.06, "07": 0.04}
ROUNDS = 60


@dataclass
class _Appointments:
    """One place in each array an appointment; `code` is FIRST or FOLLOW_UP, `more` whether another comes after it."""

    person: Ints
    day: Ints
    function: Ints
    provider: Ints
    code: NDArray[np.int8]
    seen: Flags
    more: Flags


def appointments_of_pct(
    living: Living, effects: TrueEffects, crowd: Crowd, died_on: NDArray, rng: np.random.Generator
) -> Records:
    """The appointments of one PCT, in the order of their days, without any error."""
    world = living.setting.world.outpatients
    firsts = living.setting.counts[living.place.code][:, FIRST_COUNT]
    seen = _first(living, crowd, firsts, died_on, True, rng)
    missed = _first(living, crowd, np.rint(firsts * world.not_seen["first"]).astype(np.int64), died_on, False, rng)
    after = _follow_ups(living, effects, seen, died_on, rng)
    unseen = _not_followed_up(living, after, rng)
    every = _joined([seen, missed, after, unseen])
    kept = np.flatnonzero(_parted(living, every, died_on, rng))
    order = kept[np.argsort(every.day[kept], kind="stable")]
    return take(_fields(living, every, rng), order) | {"cds_unique_identifier": _keys(living, every, order)}


def _first(
    living: Living, crowd: Crowd, counts: NDArray, died_on: NDArray, seen: bool, rng: np.random.Generator
) -> _Appointments:
    """First appointments, so many in each month, of people alive at their risk."""
    setting, months = living.setting, living.setting.months
    month = np.repeat(np.arange(len(counts)), counts)
    day = setting.days["outpatient"].draw(rng, month)
    person = crowd.draw("outpatient", months.quarter[month], day, rng)
    todo = np.flatnonzero(died_on[person] < day)
    while len(todo):
        person[todo] = crowd.draw("outpatient", months.quarter[month[todo]], day[todo], rng)
        todo = todo[died_on[person[todo]] < day[todo]]
    cell = cell_of(age_on(day, living.people.born[person]), living.people.sex[person])
    function = setting.clinic_mixes[living.place.code].draw(rng, months.year[month] * CELLS + cell)
    provider = setting.pulls[living.place.code].draw(
        rng, OUTPATIENT_USE * len(setting.care.treatment_functions) + function
    )
    size = len(month)
    return _Appointments(
        person, day, function, provider, np.full(size, FIRST, np.int8), np.full(size, seen), np.full(size, not seen)
    )


def _follow_ups(
    living: Living, effects: TrueEffects, seen: _Appointments, died_on: NDArray, rng: np.random.Generator
) -> _Appointments:
    """Follow-ups of each first attendance, as many as its specialty and provider truly give."""
    setting, months = living.setting, living.setting.months
    clinics = setting.world.outpatients.specialties
    mean = np.array([clinics[int(code)].follow_ups if int(code) in clinics else 0.0
                     for code in setting.care.treatment_functions])  # fmt: skip
    number = rng.poisson(mean[seen.function] * np.exp(effects.values["follow_up"][seen.provider]))
    seen.more = number > 0
    of = np.repeat(np.arange(len(number)), number)
    person, first_day = seen.person[of], seen.day[of]
    low, high = setting.world.outpatients.follow_up_working_days
    day = months.working_days_after(first_day, between(rng, low, high, len(of)))
    born, death = living.people.born[person], died_on[person]
    unlikely = np.flatnonzero((day < born) | (day > death))
    last = np.minimum(death[unlikely], months.last_day)
    room = rng.random(len(unlikely)) * (last - first_day[unlikely])
    day[unlikely] = first_day[unlikely] + room.astype(np.int64)
    day[unlikely] = np.maximum(months.working(day[unlikely]), np.maximum(born[unlikely], months.first_day))
    size = len(of)
    return _Appointments(
        person, day.astype(np.int32), seen.function[of], seen.provider[of], np.full(size, FOLLOW_UP, np.int8),
        np.ones(size, dtype=bool), rng.random(size) < 1 - 1 / np.maximum(number[of], 1),
    )  # fmt: skip


def _not_followed_up(living: Living, after: _Appointments, rng: np.random.Generator) -> _Appointments:
    """Follow-ups at which nobody was seen, a week to three before some of those at which somebody was."""
    months = living.setting.months
    rows = np.flatnonzero(rng.random(len(after.day)) < living.setting.world.outpatients.not_seen["follow_up"])
    earliest = np.maximum(living.people.born[after.person[rows]], months.first_day)
    day = np.maximum(after.day[rows] - between(rng, 7, 21, len(rows)), earliest)
    day = np.maximum(months.working(day), earliest)
    size = len(rows)
    return _Appointments(
        after.person[rows], day.astype(np.int32), after.function[rows], after.provider[rows],
        np.full(size, FOLLOW_UP, np.int8), np.zeros(size, dtype=bool), np.ones(size, dtype=bool),
    )  # fmt: skip


def _joined(parts: list[_Appointments]) -> _Appointments:
    names = [each.name for each in fields(_Appointments)]
    return _Appointments(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _parted(living: Living, every: _Appointments, died_on: NDArray, rng: np.random.Generator) -> Flags:
    """Move appointments to other days of their months until no two are the same person's at one clinic on one day.

    Which appointments are kept: all but follow-ups that had no other day, such as those of the newborn at the end.
    """
    setting, months = living.setting, living.setting.months
    born, death = living.people.born[every.person], died_on[every.person]
    where = (every.provider.astype(np.int64) * len(setting.care.treatment_functions) + every.function) * 2 + every.code
    place = np.int64(len(setting.trusts.codes) * len(setting.care.treatment_functions) * 2)
    days = np.int64(months.last_day - months.first_day + 1)
    key = every.person * place + where
    for _ in range(ROUNDS):
        is_twin = pd.Series(key * days + (every.day - months.first_day)).duplicated().to_numpy()
        twins = np.flatnonzero(is_twin)
        if not len(twins):
            return ~is_twin
        month = months.of(every.day[twins])
        moved = setting.days["outpatient"].draw(rng, month)
        fits = (moved >= born[twins]) & (moved <= death[twins])
        every.day[twins[fits]] = moved[fits]
        stuck = twins[~fits & (every.code[twins] == FOLLOW_UP)]
        span = np.minimum(death[stuck], months.last_day) - np.maximum(born[stuck], months.first_day) + 1
        every.day[stuck] = np.maximum(born[stuck], months.first_day) + (rng.random(len(stuck)) * span).astype(np.int64)
    is_twin = pd.Series(key * days + (every.day - months.first_day)).duplicated().to_numpy()
    if (is_twin & (every.code == FIRST) & every.seen).any():
        raise too_small()
    return ~is_twin


def _fields(living: Living, every: _Appointments, rng: np.random.Generator) -> Records:
    """What is recorded of each appointment, but for its key."""
    setting, world, size = living.setting, living.setting.world.outpatients, len(every.day)
    records = about_people(living, every.person, every.provider, every.day, rng, "age_at_attendance")
    status, statuses = weighted(rng, world.not_seen_status, size)
    late = rng.random(size) < world.late_but_seen
    status = np.where(every.seen, len(statuses) + late, status)
    source, sources = weighted(rng, FIRST_SOURCES, size)
    wait = between(rng, *world.referral_days, size) + np.where(every.code == FOLLOW_UP, 60, 0)
    later = rng.random(size) < 0.2
    procedures, words = _procedures(living)
    done = every.seen & (rng.random(size) < world.procedure_share)
    procedure = np.full(size, -1, dtype=np.int32)
    if done.any():
        procedure[done] = procedures.draw(rng, every.function[done])
    return records | {
        "appointment_date": every.day.astype(np.int32),
        "referral_source_code": Text(source, tuple(sources)),
        "referral_received_date": (every.day - wait).astype(np.int32),
        "first_attendance_code": Text(every.code.astype(np.int32), ("1", "2")),
        "attendance_status_code": Text(status.astype(np.int32), (*statuses, SEEN, SEEN_LATE)),
        "outcome_code": Text(np.where(every.more, np.where(later, 2, 1), 0).astype(np.int32), ("1", "2", "3")),
        "treatment_function_code": Text(every.function, setting.care.treatment_functions),
        "primary_procedure_opcs4": Text(procedure, words),
        "submission_date": sent(living, every.provider, every.day, rng),
    }


def _procedures(living: Living) -> tuple[Choices, tuple[str, ...]]:
    """Procedures to choose from by specialty, and their codes."""
    stated = living.setting.world.outpatients.procedures
    words = tuple(sorted({code for codes in stated.values() for code in codes}))
    usual = words[:1]
    lists = [stated.get(int(code), usual) or usual for code in living.setting.care.treatment_functions]
    return Choices.of([([words.index(code) for code in codes], np.ones(len(codes))) for codes in lists]), words


def _keys(living: Living, every: _Appointments, order: NDArray) -> Fixed:
    return keys(Text(every.provider[order], living.setting.trusts.codes), LETTER, living.place.code)
