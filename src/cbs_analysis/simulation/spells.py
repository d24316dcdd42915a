"""Admitted patient care of one PCT: its people's true stays, written down as spells in the fields of the feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.clinical_codes import EMERGENCY
from cbs_analysis.simulation.population import age_on, cell_of
from cbs_analysis.simulation.random_draws import Choices, Flags, Ints, between, weighted
from cbs_analysis.simulation.record_fields import MISSING, Living, Records, Text, about_people, keys, sent
from cbs_analysis.simulation.stays import (
    Models,
    Stays,
    as_published,
    elective_stays,
    emergency_stays,
    followed_mix,
    kept_apart,
    with_readmissions,
)

LETTER = "A"
SOURCES = {"19": 0.95, "51": 0.02, "54": 0.02, "65": 0.01}
ALIVE = {"1": 0.93, "2": 0.02, "3": 0.05}
DESTINATIONS = {"19": 0.94, "51": 0.03, "54": 0.03}
DIED, DIED_DESTINATION = "4", "79"
THROUGH_ATTENDANCE = "21"


@dataclass(frozen=True)
class SpellsMade:
    """The spells, in the order of their discharges, and what stands behind each: the person, whether it came through
    A&E, and the day of death of those who died, by person.
    """

    records: Records
    person: Ints
    through_attendance: Flags
    died_on: NDArray[np.int64]


def true_stays(models: Models, rng: np.random.Generator) -> Stays:
    """All stays of a PCT's people that end in the months of the setting, as many as published."""
    electives = elective_stays(models, rng)
    others = emergency_stays(models, rng)
    first = electives.followed_by(replace(others, root=others.root + len(electives)))
    stays = as_published(models, with_readmissions(models, first, rng), len(electives))
    return _fitting(models, kept_apart(models, stays, rng), rng)


def _fitting(models: Models, stays: Stays, rng: np.random.Generator) -> Stays:
    """The stays with their cells anew, after people were exchanged, and another subchapter where a birthday between
    two stays has left one that may not stand at its age.
    """
    care, setting = models.setting.care, models.setting
    cell = cell_of(age_on(stays.discharged, models.people.born[stays.person]), models.people.sex[stays.person])
    subchapter, function = stays.subchapter.copy(), stays.function.copy()
    wrong = np.flatnonzero(~care.allowed[stays.kind, subchapter, cell])
    if len(wrong):
        year = setting.months.year[setting.months.of(stays.discharged[wrong])]
        subchapter[wrong] = followed_mix(setting, models.mixes[1], year, cell[wrong], rng)
        function[wrong] = models.function_of(subchapter[wrong], cell[wrong], rng)
    return replace(stays, cell=cell, subchapter=subchapter, function=function)


def spells_of_pct(living: Living, models: Models, rng: np.random.Generator) -> SpellsMade:
    """The spells of one PCT, without any error."""
    stays = true_stays(models, rng)
    stays = stays.take(np.argsort(stays.discharged, kind="stable"))
    died_on = np.full(len(models.people), np.iinfo(np.int64).max)
    died_on[stays.person[stays.died]] = stays.discharged[stays.died]
    records = about_people(living, stays.person, stays.provider, stays.admitted, rng, "age_at_admission")
    method = _methods(models, stays, rng)
    records |= _stay_fields(stays, method, rng)
    records |= _clinical_fields(models, stays, rng)
    records["submission_date"] = sent(living, stays.provider, stays.discharged, rng)
    provider = records["provider_code"]
    assert isinstance(provider, Text)
    records["cds_unique_identifier"] = keys(provider, LETTER, living.place.code)
    came = method.places == method.words.index(THROUGH_ATTENDANCE)
    return SpellsMade(records, stays.person, came, died_on)


def _methods(models: Models, stays: Stays, rng: np.random.Generator) -> Text:
    """Admission methods: elective, maternity, and emergency, the first of which only where there is an A&E."""
    world, size = models.setting.world.spells, len(stays)
    by_kind = (world.elective_methods, world.maternity_methods, world.emergency_methods)
    words = [word for each in by_kind for word in each]
    elsewhere = {word: share for word, share in world.emergency_methods.items() if word != THROUGH_ATTENDANCE}
    lists = [(np.array([words.index(word) for word in each]), list(each.values())) for each in (*by_kind, elsewhere)]
    maternity = (stays.kind == EMERGENCY) & (stays.subchapter == models.setting.care.maternity)
    specialist = ~models.setting.trusts.has_attendances[stays.provider]
    which = np.where(maternity, 1, np.where(stays.kind == EMERGENCY, np.where(specialist, 3, 2), 0))
    return Text(Choices.of(lists).draw(rng, which) if size else np.zeros(0, np.int32), tuple(words))


def _stay_fields(stays: Stays, method: Text, rng: np.random.Generator) -> Records:
    """How the stay began and ended."""
    size = len(stays)
    source, sources = weighted(rng, SOURCES, size)
    return {
        "admission_date": stays.admitted.astype(np.int32),
        "discharge_date": stays.discharged.astype(np.int32),
        "length_of_stay_days": (stays.discharged - stays.admitted).astype(np.int32),
        "admission_method_code": method,
        "source_of_admission_code": Text(source, tuple(sources)),
        "discharge_method_code": _unless_died(ALIVE, DIED, stays.died, rng),
        "discharge_destination_code": _unless_died(DESTINATIONS, DIED_DESTINATION, stays.died, rng),
        "patient_classification_code": Text((stays.kind == 1).astype(np.int32), ("1", "2")),
    }


def _unless_died(weights: Mapping[str, float], death: str, died: Flags, rng: np.random.Generator) -> Text:
    places, words = weighted(rng, weights, len(died))
    return Text(np.where(died, len(words), places).astype(np.int32), (*words, death))


def _clinical_fields(models: Models, stays: Stays, rng: np.random.Generator) -> Records:
    """HRG by subchapter, kind, age and sex, and codes that go with it."""
    care, world = models.setting.care, models.setting.world
    size = len(stays)
    hrg = care.hrgs_of.draw(rng, care.key(stays.kind, stays.subchapter, stays.cell))
    listed = care.codes_of[hrg]
    shares = np.array([world.spells.procedure_share[each] for each in ("elective", "elective", "emergency")])
    done = care.has_procedures[listed] & (rng.random(size) < shares[stays.kind])
    procedure = np.full(size, -1, dtype=np.int32)
    procedure[done] = care.procedures.draw(rng, listed[done])
    nights = stays.discharged - stays.admitted
    day = stays.admitted + np.minimum(between(rng, 0, 2, size), nights)
    return {
        "hrg_code": Text(hrg, care.hrgs),
        "treatment_function_code": Text(stays.function, care.treatment_functions),
        "primary_diagnosis_icd10": Text(care.diagnoses.draw(rng, listed), care.diagnosis_codes),
        "secondary_diagnosis_icd10": _further(models, stays, rng),
        "primary_procedure_opcs4": Text(procedure, care.procedure_codes),
        "procedure_date": np.where(done, day, MISSING).astype(np.int32),
    }


def _further(models: Models, stays: Stays, rng: np.random.Generator) -> Text:
    """A second diagnosis by age, of some."""
    world = models.setting.world
    lists = world.codes.further
    starts = sorted(lists)
    words = tuple(sorted({code for codes in lists.values() for code in codes}))
    choices = Choices.of(
        [([words.index(code) for code in lists[start]], np.ones(len(lists[start]))) for start in starts]
    )
    age = age_on(stays.admitted, models.people.born[stays.person])
    band = np.maximum(np.searchsorted(starts, age, side="right") - 1, 0)
    places = choices.draw(rng, band)
    return Text(
        np.where(rng.random(len(stays)) < world.spells.further_diagnosis_share, places, -1).astype(np.int32), words
    )
