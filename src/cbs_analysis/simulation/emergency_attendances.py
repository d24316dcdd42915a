"""A&E attendances of one area: one for each admission through A&E, and others that ended without an admission.

An admission before the first month brings an attendance as long before the end of the last month instead: it stands for
the people who were still in hospital when the records end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.simulation.population import PatientPool
from cbs_analysis.simulation.providers import EMERGENCY_USE
from cbs_analysis.simulation.random_draws import Booleans, Integers, weighted
from cbs_analysis.simulation.record_fields import (
    CodedText,
    Patients,
    Records,
    coded,
    numbers,
    record_keys,
    shared_fields,
    submission_days,
    take,
)
from cbs_analysis.simulation.spells import TrueSpells

LETTER = "E"
ADMITTED = "01"
LONGEST = 1430
STANDARD = 240  # minutes: many leave just before the four hours of the waiting time standard
SHAPE = 2.2
ROUNDS = 60


@dataclass
class _Attendances:
    person: Integers
    day: Integers
    provider: Integers
    admitted: Booleans


def attendances_of_area(patients: Patients, spells: TrueSpells, pool: PatientPool, rng: np.random.Generator) -> Records:
    """The attendances of one area, in the order of their days, without any error."""
    admitted = _admitted(patients, spells)
    others = _others(patients, pool, admitted, spells.died_on, rng)
    every = _Attendances(
        *(np.concatenate([getattr(admitted, name), getattr(others, name)]) for name in admitted.__dict__)
    )
    records = take(_fields(patients, every, rng), np.argsort(every.day, kind="stable"))
    return records | {
        "cds_unique_identifier": record_keys(coded(records, "provider_code"), LETTER, patients.residents.code)
    }


def _admitted(patients: Patients, spells: TrueSpells) -> _Attendances:
    """The attendances that led to an admission, on its day and at its provider."""
    months = patients.scenario.months
    rows = np.flatnonzero(spells.through_attendance)
    person = spells.person[rows]
    day = numbers(spells.records, "admission_date")[rows].astype(np.int64)
    provider = coded(spells.records, "provider_code").indexes[rows]
    day = np.where(day < months.first_day, day + months.last_day - months.first_day + 1, day)
    fits = (day >= months.first_day) & (day <= np.minimum(months.last_day, spells.died_on[person]))
    return _Attendances(person[fits], day[fits].astype(np.int32), provider[fits], np.ones(int(fits.sum()), dtype=bool))


def _others(
    patients: Patients, pool: PatientPool, admitted: _Attendances, died_on: NDArray, rng: np.random.Generator
) -> _Attendances:
    """The attendances without an admission, a number in each month for each admitted, of living people by their risk.

    They are at the providers where emergencies of general medicine go.
    """
    scenario, months = patients.scenario, patients.scenario.months
    number = np.bincount(months.of(admitted.day), minlength=len(months.names))
    number = np.rint(number * scenario.world.attendances.others_for_each_admitted).astype(np.int64)
    month = np.repeat(np.arange(len(number)), number)
    day = scenario.days["emergency"].draw(rng, month)
    person = pool.draw_living("attendance", months.quarter[month], day, died_on, rng)
    key = EMERGENCY_USE * len(scenario.clinical.specialties) + scenario.clinical.general_medicine
    provider = scenario.pulls[patients.residents.code].draw(rng, np.full(len(month), key))
    return _Attendances(person, day, provider, np.zeros(len(month), dtype=bool))


def _fields(patients: Patients, every: _Attendances, rng: np.random.Generator) -> Records:
    """What is recorded of each attendance, without its key."""
    world, size = patients.scenario.world.attendances, len(every.day)
    records = shared_fields(patients, every.person, every.provider, every.day, rng, "age_at_arrival")
    disposal, disposals = weighted(rng, world.disposals, size)
    disposal = np.where(every.admitted, len(disposals), disposal).astype(np.int32)
    category, categories = weighted(rng, world.categories, size)
    source, sources = weighted(rng, world.referral_sources, size)
    by_ambulance = np.where(every.admitted, world.by_ambulance["admitted"], world.by_ambulance["others"])
    mode = (rng.random(size) >= by_ambulance).astype(np.int32)
    return records | {
        "arrival_date": every.day.astype(np.int32),
        "attendance_category_code": CodedText(
            np.where(every.admitted, 0, category).astype(np.int32), tuple(categories)
        ),
        "arrival_mode_code": CodedText(mode, ("1", "2")),
        "referral_source_code": CodedText(source, tuple(sources)),
        "disposal_code": CodedText(disposal, (*disposals, ADMITTED)),
        "minutes_to_departure": _minutes(patients, every, disposal, rng),
        "submission_date": submission_days(patients, every.provider, every.day, rng),
    }


def _minutes(patients: Patients, every: _Attendances, disposal: Integers, rng: np.random.Generator) -> Integers:
    """Minutes to departure, many just within four hours, so that no two attendances of a person on a day are alike."""
    means = patients.scenario.world.attendances.minutes
    mean = np.where(every.admitted, means["admitted"], means["others"])
    stayed = rng.standard_gamma(SHAPE, len(mean)) * mean / SHAPE
    hurried = (stayed > STANDARD) & (rng.random(len(mean)) < 0.7)
    whole = np.where(hurried, STANDARD - rng.random(len(mean)) * 25, stayed).clip(4, LONGEST)
    minutes: Integers = whole.astype(np.int32)
    who = ((every.person.astype(np.int64) * 64 + every.provider) * 64 + disposal) << 32
    who += (every.day.astype(np.int64) - patients.scenario.months.first_day) << 16
    for _ in range(ROUNDS):
        duplicates = np.flatnonzero(pd.Series(who + minutes).duplicated().to_numpy())
        if not len(duplicates):
            break
        minutes[duplicates] = (minutes[duplicates] + 1 + rng.integers(0, 30, len(duplicates))) % LONGEST
    return minutes
