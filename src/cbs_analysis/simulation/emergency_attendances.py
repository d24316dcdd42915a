"""A&E attendances of one PCT: one for each admission through A&E, and others that ended without one.

An admission before the first month brings its attendance as much before the end of the last one instead: it stands for
those who were still in hospital when the records end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.simulation.population import Crowd
from cbs_analysis.simulation.providers import ATTENDED, EMERGENCY_USE
from cbs_analysis.simulation.random_draws import Flags, Ints, weighted
from cbs_analysis.simulation.record_fields import Living, Records, Text, about_people, keys, sent, take
from cbs_analysis.simulation.spells import SpellsMade

LETTER = "E"
ADMITTED = "01"
LONGEST = 1430
TARGET = 240  # minutes: many leave just before the four hours of the standard
SHAPE = 2.2
ROUNDS = 60


@dataclass
class _Attendances:
    person: Ints
    day: Ints
    provider: Ints
    admitted: Flags


def attendances_of_pct(living: Living, spells: SpellsMade, crowd: Crowd, rng: np.random.Generator) -> Records:
    """The attendances of one PCT, in the order of their days, without any error."""
    admitted = _admitted(living, spells)
    others = _others(living, crowd, admitted, spells.died_on, rng)
    every = _Attendances(
        *(np.concatenate([getattr(admitted, name), getattr(others, name)]) for name in admitted.__dict__)
    )
    order = np.argsort(every.day, kind="stable")
    records = take(_fields(living, every, rng), order)
    provider = Text(every.provider[order], living.setting.trusts.codes)
    return records | {"cds_unique_identifier": keys(provider, LETTER, living.place.code)}


def _admitted(living: Living, spells: SpellsMade) -> _Attendances:
    """Those of whom an admission came, on its day and at its provider."""
    months = living.setting.months
    came = np.flatnonzero(spells.through_attendance)
    day, provider = spells.records["admission_date"], spells.records["provider_code"]
    assert isinstance(day, np.ndarray)
    assert isinstance(provider, Text)
    person, day = spells.person[came], day[came].astype(np.int64)
    day = np.where(day < months.first_day, day + months.last_day - months.first_day + 1, day)
    fits = (day >= months.first_day) & (day <= np.minimum(months.last_day, spells.died_on[person]))
    return _Attendances(
        person[fits], day[fits].astype(np.int32), provider.places[came][fits], np.ones(int(fits.sum()), dtype=bool)
    )


def _others(
    living: Living, crowd: Crowd, admitted: _Attendances, died_on: NDArray, rng: np.random.Generator
) -> _Attendances:
    """Those of whom no admission came, so many in each month for each admitted, of people alive at their risk."""
    setting, months = living.setting, living.setting.months
    number = np.bincount(months.of(admitted.day), minlength=len(months.names))
    number = np.rint(number * setting.world.attendances.others_for_each_admitted).astype(np.int64)
    month = np.repeat(np.arange(len(number)), number)
    day = setting.days["emergency"].draw(rng, month)
    person = crowd.draw("attendance", months.quarter[month], day, rng)
    todo = np.flatnonzero(died_on[person] < day)
    while len(todo):
        person[todo] = crowd.draw("attendance", months.quarter[month[todo]], day[todo], rng)
        todo = todo[died_on[person[todo]] < day[todo]]
    functions = setting.care.treatment_functions
    key = EMERGENCY_USE * len(functions) + functions.index(str(ATTENDED))
    provider = setting.pulls[living.place.code].draw(rng, np.full(len(month), key))
    return _Attendances(person, day, provider, np.zeros(len(month), dtype=bool))


def _fields(living: Living, every: _Attendances, rng: np.random.Generator) -> Records:
    """What is recorded of each attendance, but for its key."""
    world, size = living.setting.world.attendances, len(every.day)
    records = about_people(living, every.person, every.provider, every.day, rng, "age_at_arrival")
    disposal, disposals = weighted(rng, world.disposals, size)
    disposal = np.where(every.admitted, len(disposals), disposal).astype(np.int32)
    category, categories = weighted(rng, world.categories, size)
    source, sources = weighted(rng, world.referral_sources, size)
    by_ambulance = np.where(every.admitted, world.by_ambulance["admitted"], world.by_ambulance["others"])
    mode = (rng.random(size) >= by_ambulance).astype(np.int32)
    return records | {
        "arrival_date": every.day.astype(np.int32),
        "attendance_category_code": Text(np.where(every.admitted, 0, category).astype(np.int32), tuple(categories)),
        "arrival_mode_code": Text(mode, ("1", "2")),
        "referral_source_code": Text(source, tuple(sources)),
        "disposal_code": Text(disposal, (*disposals, ADMITTED)),
        "minutes_to_departure": _minutes(living, every, disposal, rng),
        "submission_date": sent(living, every.provider, every.day, rng),
    }


def _minutes(living: Living, every: _Attendances, disposal: Ints, rng: np.random.Generator) -> Ints:
    """Minutes to departure, many just within four hours; no two attendances of a person and day alike in them."""
    means = living.setting.world.attendances.minutes
    mean = np.where(every.admitted, means["admitted"], means["others"])
    stayed = rng.standard_gamma(SHAPE, len(mean)) * mean / SHAPE
    hurried = (stayed > TARGET) & (rng.random(len(mean)) < 0.7)
    whole = np.where(hurried, TARGET - rng.random(len(mean)) * 25, stayed).clip(4, LONGEST)
    minutes: Ints = whole.astype(np.int32)
    who = ((every.person.astype(np.int64) * 64 + every.provider) * 64 + disposal) << 32
    who += (every.day.astype(np.int64) - living.setting.months.first_day) << 16
    for _ in range(ROUNDS):
        twins = np.flatnonzero(pd.Series(who + minutes).duplicated().to_numpy())
        if not len(twins):
            break
        minutes[twins] = (minutes[twins] + 1 + rng.integers(0, 30, len(twins))) % LONGEST
    return minutes
