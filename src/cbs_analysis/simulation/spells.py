"""Admitted patient care of one area: the true stays of its people, recorded as spells in the fields of the feed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.clinical_codes import DAY_CASE, EMERGENCY
from cbs_analysis.simulation.population import age_on
from cbs_analysis.simulation.random_draws import Booleans, Choices, Integers, between, weighted
from cbs_analysis.simulation.record_fields import (
    MISSING,
    CodedText,
    Patients,
    Records,
    coded,
    record_keys,
    shared_fields,
    submission_days,
)
from cbs_analysis.simulation.stays import StayModels, Stays, true_stays

LETTER = "A"
SOURCES = {"19": 0.95, "51": 0.02, "54": 0.02, "65": 0.01}
ALIVE = {"1": 0.93, "2": 0.02, "3": 0.05}
DESTINATIONS = {"19": 0.94, "51": 0.03, "54": 0.03}
DIED, DIED_DESTINATION = "4", "79"
THROUGH_ATTENDANCE = "21"


@dataclass(frozen=True)
class TrueSpells:
    """The spells, in the order of their discharges, and what is true of each: the person, and whether it came through
    A&E. `died_on`: by person, the day of death, in the far future of those who did not die.
    """

    records: Records
    person: Integers
    through_attendance: Booleans
    died_on: NDArray[np.int64]


def spells_of_area(patients: Patients, models: StayModels, rng: np.random.Generator) -> TrueSpells:
    """The spells of one area, without any error."""
    stays = true_stays(models, rng)
    stays = stays.take(np.argsort(stays.discharged, kind="stable"))
    died_on = np.full(len(models.people), np.iinfo(np.int64).max)
    died_on[stays.person[stays.died]] = stays.discharged[stays.died]
    records = shared_fields(patients, stays.person, stays.provider, stays.admitted, rng, "age_at_admission")
    method = _methods(models, stays, rng)
    records |= _stay_fields(stays, method, rng)
    records |= _clinical_fields(models, stays, rng)
    records["submission_date"] = submission_days(patients, stays.provider, stays.discharged, rng)
    records["cds_unique_identifier"] = record_keys(coded(records, "provider_code"), LETTER, patients.residents.code)
    through_attendance = method.indexes == method.words.index(THROUGH_ATTENDANCE)
    return TrueSpells(records, stays.person, through_attendance, died_on)


def _methods(models: StayModels, stays: Stays, rng: np.random.Generator) -> CodedText:
    """Admission methods: elective, maternity, and emergency, the first of which only where there is an A&E."""
    world, size = models.scenario.world.spells, len(stays)
    by_kind = (world.elective_methods, world.maternity_methods, world.emergency_methods)
    words = [word for each in by_kind for word in each]
    elsewhere = {word: share for word, share in world.emergency_methods.items() if word != THROUGH_ATTENDANCE}
    lists = [(np.array([words.index(word) for word in each]), list(each.values())) for each in (*by_kind, elsewhere)]
    maternity = (stays.kind == EMERGENCY) & (stays.subchapter == models.clinical.maternity)
    specialist = ~models.scenario.providers.has_attendances[stays.provider]
    which = np.where(maternity, 1, np.where(stays.kind == EMERGENCY, np.where(specialist, 3, 2), 0))
    return CodedText(Choices.of(lists).draw(rng, which) if size else np.zeros(0, np.int32), tuple(words))


def _stay_fields(stays: Stays, method: CodedText, rng: np.random.Generator) -> Records:
    """How the stay began and ended."""
    source, sources = weighted(rng, SOURCES, len(stays))
    return {
        "admission_date": stays.admitted.astype(np.int32),
        "discharge_date": stays.discharged.astype(np.int32),
        "length_of_stay_days": (stays.discharged - stays.admitted).astype(np.int32),
        "admission_method_code": method,
        "source_of_admission_code": CodedText(source, tuple(sources)),
        "discharge_method_code": _unless_died(ALIVE, DIED, stays.died, rng),
        "discharge_destination_code": _unless_died(DESTINATIONS, DIED_DESTINATION, stays.died, rng),
        "patient_classification_code": CodedText((stays.kind == DAY_CASE).astype(np.int32), ("1", "2")),
    }


def _unless_died(weights: Mapping[str, float], death: str, died: Booleans, rng: np.random.Generator) -> CodedText:
    indexes, words = weighted(rng, weights, len(died))
    return CodedText(np.where(died, len(words), indexes).astype(np.int32), (*words, death))


def _clinical_fields(models: StayModels, stays: Stays, rng: np.random.Generator) -> Records:
    """HRG by subchapter, kind, age and sex, and codes that go with it."""
    clinical, world, size = models.clinical, models.scenario.world, len(stays)
    hrg = clinical.hrgs_of.draw(rng, clinical.key(stays.kind, stays.subchapter, stays.cell))
    listed = clinical.codes_of[hrg]
    shares = np.array([world.spells.procedure_share[each] for each in ("elective", "elective", "emergency")])
    done = clinical.has_procedures[listed] & (rng.random(size) < shares[stays.kind])
    procedure = np.full(size, -1, dtype=np.int32)
    procedure[done] = clinical.procedures.draw(rng, listed[done])
    day = stays.admitted + np.minimum(between(rng, 0, 2, size), stays.discharged - stays.admitted)
    return {
        "hrg_code": CodedText(hrg, clinical.hrgs),
        "treatment_function_code": CodedText(stays.specialty, clinical.specialties),
        "primary_diagnosis_icd10": CodedText(clinical.diagnoses.draw(rng, listed), clinical.diagnosis_codes),
        "secondary_diagnosis_icd10": _further_diagnoses(models, stays, rng),
        "primary_procedure_opcs4": CodedText(procedure, clinical.procedure_codes),
        "procedure_date": np.where(done, day, MISSING).astype(np.int32),
    }


def _further_diagnoses(models: StayModels, stays: Stays, rng: np.random.Generator) -> CodedText:
    """A second diagnosis by age, for a share of stays."""
    world = models.scenario.world
    lists = world.codes.further
    starts = sorted(lists)
    words = tuple(sorted({code for codes in lists.values() for code in codes}))
    choices = Choices.of(
        [([words.index(code) for code in lists[start]], np.ones(len(lists[start]))) for start in starts]
    )
    age = age_on(stays.admitted, models.people.born[stays.person])
    band = np.maximum(np.searchsorted(starts, age, side="right") - 1, 0)
    indexes = choices.draw(rng, band)
    is_recorded = rng.random(len(stays)) < world.spells.further_diagnosis_share
    return CodedText(np.where(is_recorded, indexes, -1).astype(np.int32), words)
