"""Errors planted in a synthetic London's records, and records withheld from them: each with its rule, for marking.

What is recorded here is the truth that the warehouse's rules are held against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.simulation.editable_records import Sheet
from cbs_analysis.simulation.random_draws import Flags, between
from cbs_analysis.simulation.record_fields import MARK, MISSING, Fixed, Living, Records, Text, strings, take
from cbs_analysis.simulation.scenario import Setting
from cbs_analysis.simulation.world import World

Fits = Callable[[Sheet, NDArray], Flags]
Spoil = Callable[[Sheet, NDArray], None]
UNKNOWN_PROVIDERS = ("ZX9", "ZX8")
UNKNOWN_COMMISSIONER = "Q99"
NO_PRACTICE = ("V81997", "V81998", "V81999")
UNKNOWN_PRACTICES = ("X99901", "X99902", "Y99903")
OTHER_SEXES = ("0", "9", None)
IMPOSSIBLE_AGES = (MISSING, -1, 121, 999)
IMPOSSIBLE_MINUTES = (MISSING, -5, 1441, 9999)


@dataclass(frozen=True)
class Planting:
    fits: Fits
    spoil: Spoil


def everybody(sheet: Sheet, rows: NDArray) -> Flags:
    return np.ones(len(rows), dtype=bool)


def put(field: str, *words: str | None, fits: Fits = everybody) -> Planting:
    return Planting(fits, lambda sheet, rows: sheet.put(field, rows, words))


def put_number(field: str, *numbers: int, fits: Fits = everybody) -> Planting:
    def spoil(sheet: Sheet, rows: NDArray) -> None:
        sheet.put_numbers(field, rows, np.array(numbers)[sheet.rng.integers(0, len(numbers), len(rows))])

    return Planting(fits, spoil)


def is_sex(word: str) -> Fits:
    return lambda sheet, rows: sheet.says("person_gender_code", rows, lambda sex: sex == word)


def diagnosis(sheet: Sheet, rows: NDArray, letter: str) -> Flags:
    return sheet.says("primary_diagnosis_icd10", rows, lambda code: code.startswith(letter))


def age(sheet: Sheet, rows: NDArray) -> NDArray:
    return sheet.numbers("age_at_admission", rows)


def hrg(sheet: Sheet, rows: NDArray) -> NDArray:
    return sheet.places("hrg_code", rows)


def nights(sheet: Sheet, rows: NDArray) -> NDArray:
    return sheet.numbers("discharge_date", rows) - sheet.numbers("admission_date", rows)


def is_ordinary(sheet: Sheet, rows: NDArray) -> Flags:
    return sheet.says("patient_classification_code", rows, lambda code: code == "1")


def is_elective(sheet: Sheet, rows: NDArray) -> Flags:
    return sheet.says("admission_method_code", rows, lambda code: code in ("11", "12", "13"))


def has_procedure(sheet: Sheet, rows: NDArray) -> Flags:
    return sheet.places("primary_procedure_opcs4", rows) >= 0


def no_emergency_kind(sheet: Sheet, rows: NDArray) -> Flags:
    return is_ordinary(sheet, rows) & ~is_elective(sheet, rows)


def _unhurt_by_age(sheet: Sheet, rows: NDArray) -> Flags:
    care = sheet.living.setting.care
    bound = care.childrens | care.obstetric | care.adult_only
    return ~bound[hrg(sheet, rows)] & ~diagnosis(sheet, rows, "O") & ~diagnosis(sheet, rows, "P")


def _hrgs(which: str) -> Spoil:
    def spoil(sheet: Sheet, rows: NDArray) -> None:
        care = sheet.living.setting.care
        wanted = {"childrens": care.childrens, "obstetric": care.obstetric, "adult": care.adult_only & ~care.obstetric}
        places = np.flatnonzero(wanted[which])
        sheet.put_places("hrg_code", rows, places[sheet.rng.integers(0, len(places), len(rows))])

    return spoil


def _admit(sheet: Sheet, rows: NDArray, day: NDArray) -> None:
    """Have these stays begin on another day, with their length as long as that makes it."""
    sheet.put_numbers("admission_date", rows, day)
    sheet.put_numbers("length_of_stay_days", rows, sheet.numbers("discharge_date", rows) - day)


def _admitted_after(sheet: Sheet, rows: NDArray) -> None:
    sheet.put_numbers(
        "admission_date", rows, sheet.numbers("discharge_date", rows) + between(sheet.rng, 1, 5, len(rows))
    )


def _other_length(sheet: Sheet, rows: NDArray) -> None:
    sheet.put_numbers("length_of_stay_days", rows, nights(sheet, rows) + between(sheet.rng, 1, 20, len(rows)))


def _over_a_year(sheet: Sheet, rows: NDArray) -> None:
    day = sheet.numbers("discharge_date", rows) - between(sheet.rng, 367, 800, len(rows))
    _admit(sheet, rows, day)


def _alone(sheet: Sheet, rows: NDArray) -> Flags:
    """Ordinary stays of people who have no other, and are old enough to have been there for years."""
    return is_ordinary(sheet, rows) & (sheet.stays_of_person[rows] == 1) & (age(sheet, rows) >= 4)


def _free_before(sheet: Sheet, rows: NDArray) -> Flags:
    """Day cases of people who were not in hospital in the days before."""
    before = sheet.stay_before[rows]
    gap = sheet.numbers("admission_date", rows) - sheet.numbers("discharge_date")[before]
    return ~is_ordinary(sheet, rows) & ((before < 0) | (gap > 3))


def _nights_before(sheet: Sheet, rows: NDArray) -> None:
    _admit(sheet, rows, sheet.numbers("discharge_date", rows) - between(sheet.rng, 1, 2, len(rows)))


def _procedure_elsewhen(sheet: Sheet, rows: NDArray) -> None:
    off = between(sheet.rng, 1, 10, len(rows))
    before = sheet.numbers("admission_date", rows) - off
    after = sheet.numbers("discharge_date", rows) + off
    sheet.put_numbers("procedure_date", rows, np.where(sheet.rng.random(len(rows)) < 0.5, before, after))


def _unknown_provider(sheet: Sheet, rows: NDArray) -> None:
    half = sheet.rng.random(len(rows)) < 0.5
    for code, chosen in zip(UNKNOWN_PROVIDERS, (rows[half], rows[~half]), strict=True):
        sheet.put("provider_code", chosen, [code])
        sheet.put("site_code", chosen, [f"{code}01"])


def _other_site(sheet: Sheet, rows: NDArray) -> None:
    providers = len(sheet.living.setting.trusts.codes)
    away = (sheet.places("provider_code", rows) + between(sheet.rng, 1, providers - 1, len(rows))) % providers
    sheet.put_places("site_code", rows, away * 3)


def _other_practice(sheet: Sheet, rows: NDArray) -> None:
    own = sheet.living.place.code
    sheet.put("gp_practice_code", rows, [code for code, pct in sheet.living.setting.practices if pct != own])


def _sent_before(sheet: Sheet, rows: NDArray) -> None:
    sheet.put_numbers(
        "submission_date", rows, sheet.numbers("discharge_date", rows) - between(sheet.rng, 1, 20, len(rows))
    )


def _meets_the_one_before(sheet: Sheet, rows: NDArray) -> Flags:
    """Ordinary stays soon after one of two nights or more of the same person, neither of which is used yet."""
    before = sheet.stay_before[rows]
    gap = sheet.numbers("admission_date", rows) - sheet.numbers("discharge_date")[before]
    free = (before >= 0) & ~sheet.used[before] & (gap >= 1) & (gap <= 60)
    return is_ordinary(sheet, rows) & free & (nights(sheet, before) >= 2) & (nights(sheet, rows) < 280)


def _overlaps(sheet: Sheet, rows: NDArray) -> None:
    before = sheet.stay_before[rows]
    sheet.used[before] = True
    _admit(sheet, rows, sheet.numbers("discharge_date")[before] - 1)


def _referred_after(sheet: Sheet, rows: NDArray) -> None:
    day = sheet.numbers("appointment_date", rows) + between(sheet.rng, 1, 30, len(rows))
    sheet.put_numbers("referral_received_date", rows, day)


def _any_procedure(sheet: Sheet, rows: NDArray) -> None:
    sheet.put("primary_procedure_opcs4", rows, sheet.words("primary_procedure_opcs4"))


def _is_follow_up(sheet: Sheet, rows: NDArray) -> Flags:
    return sheet.says("first_attendance_code", rows, lambda code: code == "2")


def _not_seen(sheet: Sheet, rows: NDArray) -> Flags:
    return sheet.says("attendance_status_code", rows, lambda code: code in ("2", "3", "4", "7"))


def common(feed: str) -> dict[str, Planting]:
    """What may be wrong in any feed, by rule."""
    return {
        f"{feed}_commissioner_unknown": put("commissioner_code", UNKNOWN_COMMISSIONER),
        f"{feed}_provider_unknown": Planting(everybody, _unknown_provider),
        f"{feed}_practice_missing": put("gp_practice_code", None),
        f"{feed}_practice_unknown": put("gp_practice_code", *UNKNOWN_PRACTICES),
        f"{feed}_pseudonym_missing": put("person_pseudonym", None),
    }


male, female = is_sex("1"), is_sex("2")

APC: dict[str, Planting] = {
    "apc_overlap": Planting(_meets_the_one_before, _overlaps),
    "apc_los_impossible": Planting(lambda s, r: _alone(s, r) & ~has_procedure(s, r), _over_a_year),
    "apc_age_obstetric": Planting(
        lambda s, r: female(s, r) & ((age(s, r) < 10) | (age(s, r) > 60)), _hrgs("obstetric")
    ),
    "apc_sex_pregnancy": put(
        "primary_diagnosis_icd10", "O800", "O809", "O342", "O700",
        fits=lambda s, r: male(s, r) & (age(s, r) >= 15) & (age(s, r) <= 55),
    ),
    "apc_sex_female_diagnosis": put("primary_diagnosis_icd10", "N801", "C56X", "D259", "N920", "C539", fits=male),
    "apc_sex_male_diagnosis": put("primary_diagnosis_icd10", "N40X", "C61X", "N433", "N47X", fits=female),
    "apc_sex_female_procedure": put(
        "primary_procedure_opcs4", "Q074", "P231", "R249", fits=lambda s, r: male(s, r) & has_procedure(s, r)
    ),
    "apc_sex_male_procedure": put(
        "primary_procedure_opcs4", "N303", "M653", "M611", "N171", fits=lambda s, r: female(s, r) & has_procedure(s, r)
    ),
    "apc_sex_unknown": put("person_gender_code", *OTHER_SEXES, fits=lambda s, r: ~diagnosis(s, r, "O")),
    "apc_age_paediatric_hrg": Planting(lambda s, r: age(s, r) >= 19, _hrgs("childrens")),
    "apc_age_adult_hrg": Planting(lambda s, r: age(s, r) < 18, _hrgs("adult")),
    "apc_age_neonatal": put("primary_diagnosis_icd10", "P599", "P073", "P220", fits=lambda s, r: age(s, r) > 1),
    "apc_age_impossible": put_number("age_at_admission", *IMPOSSIBLE_AGES, fits=_unhurt_by_age),
    "apc_discharge_before_admission": Planting(
        lambda s, r: is_ordinary(s, r) & ~has_procedure(s, r), _admitted_after
    ),
    "apc_los_disagrees": Planting(is_ordinary, _other_length),
    "apc_daycase_nights": Planting(_free_before, _nights_before),
    "apc_daycase_emergency": put(
        "patient_classification_code", "2", fits=lambda s, r: no_emergency_kind(s, r) & (nights(s, r) == 0)
    ),
    "apc_classification_invalid": put("patient_classification_code", "8", "0", None, fits=no_emergency_kind),
    "apc_admission_method_invalid": put("admission_method_code", "99", "00", fits=no_emergency_kind),
    "apc_hrg_missing": put("hrg_code", None),
    "apc_hrg_invalid": put("hrg_code", "ZZ99Z", "AA999", "FZ12'"),
    "apc_hrg_ungrouped": put("hrg_code", "UZ01Z"),
    "apc_diagnosis_missing": put("primary_diagnosis_icd10", None),
    "apc_diagnosis_default": put("primary_diagnosis_icd10", "R69X"),
    "apc_diagnosis_invalid": put("primary_diagnosis_icd10", "XX12", "1234", "A0"),
    "apc_procedure_invalid": put("primary_procedure_opcs4", "9999", "W3", "WW37", fits=has_procedure),
    "apc_procedure_outside_stay": Planting(has_procedure, _procedure_elsewhen),
    "apc_site_disagrees": Planting(everybody, _other_site),
    "apc_practice_default": put("gp_practice_code", *NO_PRACTICE),
    "apc_practice_commissioner": Planting(everybody, _other_practice),
    "apc_lsoa_missing": put("lsoa_code", None),
    "apc_lsoa_unknown": put("lsoa_code", "E01999998", "E01999999"),
    "apc_tfc_invalid": put("treatment_function_code", "999", "000", None),
    "apc_submitted_early": Planting(everybody, _sent_before),
    **common("apc"),
}  # fmt: skip

OP: dict[str, Planting] = {
    "op_sex_specialty": put("treatment_function_code", "501", "502", fits=male),
    "op_sex_unknown": put("person_gender_code", *OTHER_SEXES),
    "op_age_impossible": put_number("age_at_attendance", *IMPOSSIBLE_AGES),
    "op_practice_commissioner": Planting(everybody, _other_practice),
    "op_tfc_invalid": put("treatment_function_code", "999", "000", None),
    "op_first_code_invalid": put("first_attendance_code", "5", "0", None, fits=_is_follow_up),
    "op_status_invalid": put("attendance_status_code", "9", "0", "1", None, fits=_is_follow_up),
    "op_referral_after_appointment": Planting(everybody, _referred_after),
    "op_not_seen_procedure": Planting(_not_seen, _any_procedure),
    **common("op"),
}

AE: dict[str, Planting] = {
    "ae_age_impossible": put_number("age_at_arrival", *IMPOSSIBLE_AGES),
    "ae_sex_unknown": put("person_gender_code", *OTHER_SEXES),
    "ae_disposal_invalid": put("disposal_code", "99", "05", None),
    "ae_category_invalid": put("attendance_category_code", "4", "0", None),
    "ae_minutes_impossible": put_number("minutes_to_departure", *IMPOSSIBLE_MINUTES),
    **common("ae"),
}

BY_FEED: dict[str, dict[str, Planting]] = {"apc": APC, "op": OP, "ae": AE}


LETTERS = {"apc": "A", "op": "O", "ae": "E"}
DAY_OF = {"op": "appointment_date", "ae": "arrival_date"}
FOLLOW_UP = "2"


@dataclass(frozen=True)
class Planted:
    """Records with their errors; for each rule the keys, as tables of bytes, of the records that break it."""

    records: Records
    feed: str
    rules: tuple[str, ...]
    keys: tuple[NDArray[np.uint8], ...]


def check_rules(world: World) -> None:
    """Raises UserError where world.yml plants an error that nothing here knows how to plant."""
    for feed, known in BY_FEED.items():
        names = [*known, f"{feed}_duplicate"]
        for rule in getattr(world.errors, feed):
            if rule not in names:
                raise UserError(
                    f"params/simulation/world.yml: errors.{feed}: {rule!r} is no error that can be planted; "
                    f"{nearest(rule, names)}"
                )


def planted(living: Living, feed: str, records: Records, rng: np.random.Generator) -> Planted:
    """The records with the world's errors in them, those that are hardest to place first and duplicates last."""
    shares = getattr(living.setting.world.errors, feed)
    sheet = Sheet(living, LETTERS[feed], records, rng)
    found: dict[str, NDArray[np.uint8]] = {}
    own = records["cds_unique_identifier"]
    assert isinstance(own, Fixed)
    for rule, planting in BY_FEED[feed].items():
        rows = sheet.victims(shares.get(rule, 0.0), planting.fits)
        if rule.endswith("_overlap"):
            rows = _each_apart(sheet, rows)
        planting.spoil(sheet, rows)
        found[rule] = own.characters[rows]
    twin = f"{feed}_duplicate"
    found[twin] = sheet.twins(shares.get(twin, 0.0))
    return Planted(sheet.records, feed, tuple(found), tuple(found.values()))


def _each_apart(sheet: Sheet, rows: NDArray) -> NDArray:
    """Those victims of an overlap whose stay before is not a victim itself; the others are free again."""
    before = sheet.stay_before[rows]
    clash = np.isin(before, rows)
    sheet.used[rows[clash]] = False
    return rows[~clash]


def without_withheld(living: Living, feed: str, records: Records, rng: np.random.Generator) -> Records:
    """The records less those that the world withholds: of outpatients only follow-ups."""
    months = living.setting.months
    kept: NDArray | None = None
    for each in living.setting.world.breaks:
        here = [months.names.index(month) for month in each.months if month in months.names]
        if each.feed != feed or not here:
            continue
        day, provider = records[DAY_OF[feed]], records["provider_code"]
        assert isinstance(day, np.ndarray)
        assert isinstance(provider, Text)
        if kept is None:
            kept = np.ones(len(day), dtype=bool)
        rows = np.flatnonzero(provider.places == living.setting.trusts.codes.index(each.provider))
        rows = rows[np.isin(months.of(day[rows]), here)]
        if feed == "op":
            code = records["first_attendance_code"]
            assert isinstance(code, Text)
            assert isinstance(code.words, tuple)
            rows = rows[code.places[rows] == code.words.index(FOLLOW_UP)]
        kept[rows[rng.random(len(rows)) < each.share]] = False
    return records if kept is None else take(records, np.flatnonzero(kept))


def breaks_table(setting: Setting) -> pa.Table:
    """What is withheld in the setting's months: feed, rule, provider_code, month."""
    rows = sorted(
        (each.feed, f"{each.feed}_break", each.provider, month)
        for each in setting.world.breaks
        for month in each.months
        if month in setting.months.names
    )
    names = ("feed", "rule", "provider_code", "month")
    columns = zip(*rows, strict=True) if rows else ((),) * len(names)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})


def errors_table(found: Sequence[Planted]) -> pa.Table:
    """What was planted, by feed and rule: feed, rule, cds_unique_identifier."""
    parts = sorted(
        ((list(LETTERS).index(each.feed), rule, number, keys, each.feed)
         for number, each in enumerate(found)
         for rule, keys in zip(each.rules, each.keys, strict=True) if len(keys)),
        key=lambda part: part[:3],
    )  # fmt: skip
    table = pa.table(
        {
            "feed": pa.array([feed for *_, keys, feed in parts for _ in range(len(keys))], pa.string()),
            "rule": pa.array([rule for _, rule, _, keys, _ in parts for _ in range(len(keys))], pa.string()),
            "cds_unique_identifier": pa.concat_arrays([strings(keys) for *_, keys, _ in parts])
            if parts
            else pa.array([], pa.string()),
        }
    )
    return table.replace_schema_metadata(MARK)
