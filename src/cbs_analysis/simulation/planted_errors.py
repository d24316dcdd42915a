"""Errors planted in simulated records, and records withheld from them: how each is planted, and where it was.

For each rule: whose records may have the error, and what is done to them. Both are chosen so that the rule planted is
the only one that the record then breaks. Fields that the published totals rest on stay true, except where the
commissioner is made unknown. What is recorded here is the truth that the data quality rules are marked against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.simulation.editable_records import EditableRecords
from cbs_analysis.simulation.random_draws import Booleans, between
from cbs_analysis.simulation.record_fields import (
    MARK,
    MISSING,
    Patients,
    Records,
    coded,
    key_characters,
    numbers,
    strings,
    take,
)
from cbs_analysis.simulation.scenario import Scenario
from cbs_analysis.simulation.world import WORLD_FILE, UnknownCodes, World

Condition = Callable[[EditableRecords, NDArray], Booleans]
Change = Callable[[EditableRecords, NDArray], None]
LETTERS = {"apc": "A", "op": "O", "ae": "E"}
DAY_OF = {"op": "appointment_date", "ae": "arrival_date"}
FOLLOW_UP = "2"
OTHER_SEXES = ("0", "9", None)
IMPOSSIBLE_AGES = (MISSING, -1, 121, 999)
IMPOSSIBLE_MINUTES = (MISSING, -5, 1441, 9999)


@dataclass(frozen=True)
class PlantedError:
    """Which records may have an error, and the change that makes it."""

    fits: Condition
    change: Change


def _any(records: EditableRecords, rows: NDArray) -> Booleans:
    return np.ones(len(rows), dtype=bool)


def _put(field: str, *words: str | None, fits: Condition = _any) -> PlantedError:
    return PlantedError(fits, lambda records, rows: records.put(field, rows, words))


def _put_number(field: str, *values: int, fits: Condition = _any) -> PlantedError:
    def change(records: EditableRecords, rows: NDArray) -> None:
        records.put_numbers(field, rows, np.array(values)[records.rng.integers(0, len(values), len(rows))])

    return PlantedError(fits, change)


def _unknown(records: EditableRecords) -> UnknownCodes:
    return records.patients.scenario.world.errors.unknown


def _put_unknown(field: str, codes: Callable[[UnknownCodes], Sequence[str]]) -> PlantedError:
    return PlantedError(_any, lambda records, rows: records.put(field, rows, codes(_unknown(records))))


def _is_sex(word: str) -> Condition:
    return lambda records, rows: records.matches("person_gender_code", rows, lambda sex: sex == word)


def _diagnosis(records: EditableRecords, rows: NDArray, letter: str) -> Booleans:
    return records.matches("primary_diagnosis_icd10", rows, lambda code: code.startswith(letter))


def _age(records: EditableRecords, rows: NDArray) -> NDArray:
    return records.numbers("age_at_admission", rows)


def _nights(records: EditableRecords, rows: NDArray) -> NDArray:
    return records.numbers("discharge_date", rows) - records.numbers("admission_date", rows)


def _is_ordinary(records: EditableRecords, rows: NDArray) -> Booleans:
    return records.matches("patient_classification_code", rows, lambda code: code == "1")


def _has_procedure(records: EditableRecords, rows: NDArray) -> Booleans:
    return records.indexes("primary_procedure_opcs4", rows) >= 0


def _is_ordinary_emergency(records: EditableRecords, rows: NDArray) -> Booleans:
    elective = records.matches("admission_method_code", rows, lambda code: code in ("11", "12", "13"))
    return _is_ordinary(records, rows) & ~elective


def _suits_any_age(records: EditableRecords, rows: NDArray) -> Booleans:
    clinical = records.patients.scenario.clinical
    bound = clinical.childrens | clinical.obstetric | clinical.adult_only
    of_age = bound[records.indexes("hrg_code", rows)]
    return ~of_age & ~_diagnosis(records, rows, "O") & ~_diagnosis(records, rows, "P")


def _put_hrg(which: str, fits: Condition) -> PlantedError:
    """An HRG for children, for adults that are not obstetric, or for obstetrics."""

    def change(records: EditableRecords, rows: NDArray) -> None:
        clinical = records.patients.scenario.clinical
        adult = clinical.adult_only & ~clinical.obstetric
        wanted = {"children": clinical.childrens, "obstetric": clinical.obstetric, "adult": adult}
        hrgs = np.flatnonzero(wanted[which])
        records.put_indexes("hrg_code", rows, hrgs[records.rng.integers(0, len(hrgs), len(rows))])

    return PlantedError(fits, change)


def _admit(records: EditableRecords, rows: NDArray, day: NDArray) -> None:
    """Have these stays begin on another day, with the length of stay that this gives."""
    records.put_numbers("admission_date", rows, day)
    records.put_numbers("length_of_stay_days", rows, records.numbers("discharge_date", rows) - day)


def _put_days_from(field: str, start: str, low: int, high: int, fits: Condition = _any) -> PlantedError:
    """Put a day from `low` to `high` days after another field, before it where negative."""
    nearest_day, furthest = sorted((abs(low), abs(high)))
    sign = -1 if low < 0 else 1

    def change(records: EditableRecords, rows: NDArray) -> None:
        days = between(records.rng, nearest_day, furthest, len(rows))
        records.put_numbers(field, rows, records.numbers(start, rows) + sign * days)

    return PlantedError(fits, change)


def _other_length(records: EditableRecords, rows: NDArray) -> None:
    records.put_numbers("length_of_stay_days", rows, _nights(records, rows) + between(records.rng, 1, 20, len(rows)))


def _over_a_year(records: EditableRecords, rows: NDArray) -> None:
    _admit(records, rows, records.numbers("discharge_date", rows) - between(records.rng, 367, 800, len(rows)))


def _is_only_stay(records: EditableRecords, rows: NDArray) -> Booleans:
    """Ordinary stays without a procedure, of people with no other stay who are old enough for one of years."""
    fits = _is_ordinary(records, rows) & (records.stays_of_person[rows] == 1) & (_age(records, rows) >= 4)
    return fits & ~_has_procedure(records, rows)


def _is_free_before(records: EditableRecords, rows: NDArray) -> Booleans:
    """Day cases of people who were not in hospital in the days before."""
    before = records.stay_before[rows]
    gap = records.numbers("admission_date", rows) - records.numbers("discharge_date")[before]
    return ~_is_ordinary(records, rows) & ((before < 0) | (gap > 3))


def _nights_before(records: EditableRecords, rows: NDArray) -> None:
    _admit(records, rows, records.numbers("discharge_date", rows) - between(records.rng, 1, 2, len(rows)))


def _procedure_outside_stay(records: EditableRecords, rows: NDArray) -> None:
    off = between(records.rng, 1, 10, len(rows))
    before = records.numbers("admission_date", rows) - off
    after = records.numbers("discharge_date", rows) + off
    records.put_numbers("procedure_date", rows, np.where(records.rng.random(len(rows)) < 0.5, before, after))


def _unknown_provider(records: EditableRecords, rows: NDArray) -> None:
    half = records.rng.random(len(rows)) < 0.5
    for code, chosen in zip(_unknown(records).providers, (rows[half], rows[~half]), strict=True):
        records.put("provider_code", chosen, [code])
        records.put("site_code", chosen, [f"{code}01"])


def _other_site(records: EditableRecords, rows: NDArray) -> None:
    providers = len(records.patients.scenario.providers.codes)
    other = (records.indexes("provider_code", rows) + between(records.rng, 1, providers - 1, len(rows))) % providers
    records.put_indexes("site_code", rows, other * 3)


def _other_practice(records: EditableRecords, rows: NDArray) -> None:
    own = records.patients.residents.code
    practices = records.patients.scenario.practices
    records.put("gp_practice_code", rows, [code for code, area in practices if area != own])


def _is_soon_after_another(records: EditableRecords, rows: NDArray) -> Booleans:
    """Ordinary stays soon after one of two nights or more of the same person, neither of which is used yet."""
    before = records.stay_before[rows]
    gap = records.numbers("admission_date", rows) - records.numbers("discharge_date")[before]
    free = (before >= 0) & ~records.used[before] & (gap >= 1) & (gap <= 60)
    long_enough = (_nights(records, before) >= 2) & (_nights(records, rows) < 280)
    return _is_ordinary(records, rows) & free & long_enough


def _overlap(records: EditableRecords, rows: NDArray) -> None:
    before = records.stay_before[rows]
    records.used[before] = True
    _admit(records, rows, records.numbers("discharge_date")[before] - 1)


def _any_procedure(records: EditableRecords, rows: NDArray) -> None:
    records.put("primary_procedure_opcs4", rows, records.words("primary_procedure_opcs4"))


def _women_only(records: EditableRecords, rows: NDArray) -> None:
    clinical = records.patients.scenario.clinical
    records.put("treatment_function_code", rows, [clinical.specialties[row] for row in clinical.women_only])


def _is_follow_up(records: EditableRecords, rows: NDArray) -> Booleans:
    return records.matches("first_attendance_code", rows, lambda code: code == FOLLOW_UP)


def _is_not_seen(records: EditableRecords, rows: NDArray) -> Booleans:
    return records.matches("attendance_status_code", rows, lambda code: code in ("2", "3", "4", "7"))


def _common(feed: str) -> dict[str, PlantedError]:
    """Errors that any feed may have, by rule."""
    return {
        f"{feed}_commissioner_unknown": _put_unknown("commissioner_code", lambda unknown: unknown.commissioners),
        f"{feed}_provider_unknown": PlantedError(_any, _unknown_provider),
        f"{feed}_practice_missing": _put("gp_practice_code", None),
        f"{feed}_practice_unknown": _put_unknown("gp_practice_code", lambda unknown: unknown.practices),
        f"{feed}_pseudonym_missing": _put("person_pseudonym", None),
    }


_male, _female = _is_sex("1"), _is_sex("2")

ERRORS: dict[str, dict[str, PlantedError]] = {
    "apc": {
        "apc_overlap": PlantedError(_is_soon_after_another, _overlap),
        "apc_los_impossible": PlantedError(_is_only_stay, _over_a_year),
        "apc_age_obstetric": _put_hrg(
            "obstetric", lambda r, rows: _female(r, rows) & ((_age(r, rows) < 10) | (_age(r, rows) > 60))
        ),
        "apc_sex_pregnancy": _put(
            "primary_diagnosis_icd10", "O800", "O809", "O342", "O700",
            fits=lambda r, rows: _male(r, rows) & (_age(r, rows) >= 15) & (_age(r, rows) <= 55),
        ),
        "apc_sex_female_diagnosis": _put(
            "primary_diagnosis_icd10", "N801", "C56X", "D259", "N920", "C539", fits=_male
        ),
        "apc_sex_male_diagnosis": _put("primary_diagnosis_icd10", "N40X", "C61X", "N433", "N47X", fits=_female),
        "apc_sex_female_procedure": _put(
            "primary_procedure_opcs4", "Q074", "P231", "R249",
            fits=lambda r, rows: _male(r, rows) & _has_procedure(r, rows),
        ),
        "apc_sex_male_procedure": _put(
            "primary_procedure_opcs4", "N303", "M653", "M611", "N171",
            fits=lambda r, rows: _female(r, rows) & _has_procedure(r, rows),
        ),
        "apc_sex_unknown": _put("person_gender_code", *OTHER_SEXES, fits=lambda r, rows: ~_diagnosis(r, rows, "O")),
        "apc_age_paediatric_hrg": _put_hrg("children", lambda r, rows: _age(r, rows) >= 19),
        "apc_age_adult_hrg": _put_hrg("adult", lambda r, rows: _age(r, rows) < 18),
        "apc_age_neonatal": _put(
            "primary_diagnosis_icd10", "P599", "P073", "P220", fits=lambda r, rows: _age(r, rows) > 1
        ),
        "apc_age_impossible": _put_number("age_at_admission", *IMPOSSIBLE_AGES, fits=_suits_any_age),
        "apc_discharge_before_admission": _put_days_from(
            "admission_date", "discharge_date", 1, 5,
            fits=lambda r, rows: _is_ordinary(r, rows) & ~_has_procedure(r, rows),
        ),
        "apc_los_disagrees": PlantedError(_is_ordinary, _other_length),
        "apc_daycase_nights": PlantedError(_is_free_before, _nights_before),
        "apc_daycase_emergency": _put(
            "patient_classification_code", "2",
            fits=lambda r, rows: _is_ordinary_emergency(r, rows) & (_nights(r, rows) == 0),
        ),
        "apc_classification_invalid": _put(
            "patient_classification_code", "8", "0", None, fits=_is_ordinary_emergency
        ),
        "apc_admission_method_invalid": _put("admission_method_code", "99", "00", fits=_is_ordinary_emergency),
        "apc_hrg_missing": _put("hrg_code", None),
        "apc_hrg_invalid": _put("hrg_code", "ZZ99Z", "AA999", "FZ12'"),
        "apc_hrg_ungrouped": _put("hrg_code", "UZ01Z"),
        "apc_diagnosis_missing": _put("primary_diagnosis_icd10", None),
        "apc_diagnosis_default": _put("primary_diagnosis_icd10", "R69X"),
        "apc_diagnosis_invalid": _put("primary_diagnosis_icd10", "XX12", "1234", "A0"),
        "apc_procedure_invalid": _put("primary_procedure_opcs4", "9999", "W3", "WW37", fits=_has_procedure),
        "apc_procedure_outside_stay": PlantedError(_has_procedure, _procedure_outside_stay),
        "apc_site_disagrees": PlantedError(_any, _other_site),
        "apc_practice_default": _put_unknown("gp_practice_code", lambda unknown: unknown.no_practice),
        "apc_practice_commissioner": PlantedError(_any, _other_practice),
        "apc_lsoa_missing": _put("lsoa_code", None),
        "apc_lsoa_unknown": _put_unknown("lsoa_code", lambda unknown: unknown.small_areas),
        "apc_tfc_invalid": _put("treatment_function_code", "999", "000", None),
        "apc_submitted_early": _put_days_from("submission_date", "discharge_date", -1, -20),
        **_common("apc"),
    },
    "op": {
        "op_sex_specialty": PlantedError(_male, _women_only),
        "op_sex_unknown": _put("person_gender_code", *OTHER_SEXES),
        "op_age_impossible": _put_number("age_at_attendance", *IMPOSSIBLE_AGES),
        "op_practice_commissioner": PlantedError(_any, _other_practice),
        "op_tfc_invalid": _put("treatment_function_code", "999", "000", None),
        "op_first_code_invalid": _put("first_attendance_code", "5", "0", None, fits=_is_follow_up),
        "op_status_invalid": _put("attendance_status_code", "9", "0", "1", None, fits=_is_follow_up),
        "op_referral_after_appointment": _put_days_from("referral_received_date", "appointment_date", 1, 30),
        "op_not_seen_procedure": PlantedError(_is_not_seen, _any_procedure),
        **_common("op"),
    },
    "ae": {
        "ae_age_impossible": _put_number("age_at_arrival", *IMPOSSIBLE_AGES),
        "ae_sex_unknown": _put("person_gender_code", *OTHER_SEXES),
        "ae_disposal_invalid": _put("disposal_code", "99", "05", None),
        "ae_category_invalid": _put("attendance_category_code", "4", "0", None),
        "ae_minutes_impossible": _put_number("minutes_to_departure", *IMPOSSIBLE_MINUTES),
        **_common("ae"),
    },
}  # fmt: skip
"""By feed and rule. Those that are hardest to plant come first; duplicates are planted last of all."""


@dataclass(frozen=True)
class RecordsWithErrors:
    """A feed's records with their errors; `keys`: for each rule the keys of the records that break it, as tables of
    bytes.
    """

    records: Records
    feed: str
    keys: dict[str, NDArray[np.uint8]]


def check_rules(world: World) -> None:
    """Raises UserError where world.yml plants an error that is not known here."""
    for feed, known in ERRORS.items():
        rules = [*known, f"{feed}_duplicate"]
        for rule in getattr(world.errors, feed):
            if rule not in rules:
                raise UserError(
                    f"{WORLD_FILE}: errors.{feed}: {rule!r} is no error that can be planted; {nearest(rule, rules)}"
                )


def with_errors(patients: Patients, feed: str, records: Records, rng: np.random.Generator) -> RecordsWithErrors:
    """The records with the world's errors in them."""
    shares = getattr(patients.scenario.world.errors, feed)
    editable = EditableRecords(patients, LETTERS[feed], records, rng)
    own, keys = key_characters(records), {}
    for rule, error in ERRORS[feed].items():
        rows = editable.choose(shares.get(rule, 0.0), error.fits)
        if rule.endswith("_overlap"):
            rows = _apart(editable, rows)
        error.change(editable, rows)
        keys[rule] = own[rows]
    duplicate = f"{feed}_duplicate"
    keys[duplicate] = editable.add_duplicates(shares.get(duplicate, 0.0))
    return RecordsWithErrors(editable.records, feed, keys)


def _apart(records: EditableRecords, rows: NDArray) -> NDArray:
    """The records chosen for an overlap whose stay before is not chosen itself; the others are not used any more."""
    clash = np.isin(records.stay_before[rows], rows)
    records.used[rows[clash]] = False
    return rows[~clash]


def without_withheld(patients: Patients, feed: str, records: Records, rng: np.random.Generator) -> Records:
    """The records less those that the world withholds: of outpatients only follow-ups."""
    months = patients.scenario.months
    kept: NDArray | None = None
    for each in patients.scenario.world.breaks:
        withheld = [months.names.index(month) for month in each.months if month in months.names]
        if each.feed != feed or not withheld:
            continue
        day, provider = numbers(records, DAY_OF[feed]), coded(records, "provider_code").indexes
        if kept is None:
            kept = np.ones(len(day), dtype=bool)
        rows = np.flatnonzero(provider == patients.scenario.providers.codes.index(each.provider))
        rows = rows[np.isin(months.of(day[rows]), withheld)]
        if feed == "op":
            code = coded(records, "first_attendance_code")
            rows = rows[code.indexes[rows] == list(code.words).index(FOLLOW_UP)]
        kept[rows[rng.random(len(rows)) < each.share]] = False
    return records if kept is None else take(records, np.flatnonzero(kept))


def breaks_table(scenario: Scenario) -> pa.Table:
    """What is withheld in the scenario's months: feed, rule, provider_code, month."""
    rows = sorted(
        (each.feed, f"{each.feed}_break", each.provider, month)
        for each in scenario.world.breaks
        for month in each.months
        if month in scenario.months.names
    )
    names = ("feed", "rule", "provider_code", "month")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    table = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    return table.replace_schema_metadata(MARK)


def errors_table(planted: Sequence[RecordsWithErrors]) -> pa.Table:
    """What was planted, by feed and rule: feed, rule, cds_unique_identifier."""
    parts = [
        (each.feed, rule, keys)
        for feed in LETTERS
        for rule in sorted(ERRORS[feed] | {f"{feed}_duplicate": None})
        for each in planted
        if each.feed == feed and len(keys := each.keys[rule])
    ]
    texts = [strings(keys) for *_, keys in parts]
    table = pa.table(
        {
            "feed": pa.array([feed for feed, _, keys in parts for _ in range(len(keys))], pa.string()),
            "rule": pa.array([rule for _, rule, keys in parts for _ in range(len(keys))], pa.string()),
            "cds_unique_identifier": pa.concat_arrays(texts) if texts else pa.array([], pa.string()),
        }
    )
    return table.replace_schema_metadata(MARK)
