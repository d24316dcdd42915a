"""The row and window rules over hospital records written once more, in plain pandas: what tests and the benchmark hold
the rules file against.

Written from the words of each rule and not from its expression. `random_records` makes rows in which everything is
wrong now and then.
"""

import datetime
import string

import numpy as np
import pandas as pd

DEFAULT_PRACTICES = ["V81997", "V81998", "V81999"]
ADMISSION_METHODS = ["11", "12", "13", *(str(code) for code in range(21, 29)), "31", "32", "81", "82", "83"]
FIELDS = {
    "apc": [
        "cds_unique_identifier", "person_pseudonym", "commissioner_code", "gp_practice_code", "lsoa_code",
        "provider_code", "site_code", "age_at_admission", "person_gender_code", "admission_date",
        "admission_method_code", "source_of_admission_code", "discharge_date", "discharge_method_code",
        "discharge_destination_code", "patient_classification_code", "treatment_function_code",
        "primary_diagnosis_icd10", "secondary_diagnosis_icd10", "primary_procedure_opcs4", "procedure_date", "hrg_code",
        "length_of_stay_days", "submission_date",
    ],
    "op": [
        "cds_unique_identifier", "person_pseudonym", "commissioner_code", "gp_practice_code", "lsoa_code",
        "provider_code", "site_code", "age_at_attendance", "person_gender_code", "appointment_date",
        "referral_source_code", "referral_received_date", "first_attendance_code", "attendance_status_code",
        "outcome_code", "treatment_function_code", "primary_procedure_opcs4", "submission_date",
    ],
    "ae": [
        "cds_unique_identifier", "person_pseudonym", "commissioner_code", "gp_practice_code", "lsoa_code",
        "provider_code", "site_code", "age_at_arrival", "person_gender_code", "arrival_date",
        "attendance_category_code", "arrival_mode_code", "referral_source_code", "disposal_code",
        "minutes_to_departure", "submission_date",
    ],
}  # fmt: skip
MONTH_OF = {"apc": "discharge_date", "op": "appointment_date", "ae": "arrival_date"}
WHOLE = ("age_at_admission", "age_at_attendance", "age_at_arrival", "length_of_stay_days", "minutes_to_departure")


def failures(feed, frame, reference):
    """Which records break each row and window rule: rule id to a boolean Series like the frame's index.

    `frame` has the feed's fields: text as str or None, dates as datetime64, whole numbers as numbers with NaN.
    `reference` has the frames hrgs (hrg_code, hrg_min_age), practices (gp_practice_code, pct_code), providers,
    commissioners, lsoas and treatment_functions.
    """
    found = {"apc": _spells, "op": _appointments, "ae": _attendances}[feed](frame, reference)
    return {f"{feed}_{rule}": series.fillna(False).astype(bool) for rule, series in found.items()}


def counts(frame, found):
    """Records that break each rule, as `failures` found them: a row a provider, commissioner and month, a column a
    rule. An empty code is "".
    """
    places = [frame[name].fillna("") for name in ("provider_code", "commissioner_code", "month")]
    return pd.DataFrame(found).groupby(places).sum()


def _empty(series):
    return series.isna() | series.eq("")


def _group(codes, width, *spans):
    """Codes whose first characters lie between two others."""
    start = codes.str[:width]
    found = pd.Series(False, index=codes.index)
    for low, high in spans:
        found |= start.ge(low).fillna(False) & start.le(high).fillna(False) & codes.notna()
    return found


def _shared(frame, reference, age):
    sex, practice, commissioner = frame["person_gender_code"], frame["gp_practice_code"], frame["commissioner_code"]
    known = practice.isin(reference.practices["gp_practice_code"])
    pct = practice.map(reference.practices.set_index("gp_practice_code")["pct_code"])
    payer = commissioner.isin(reference.commissioners["commissioner_code"])
    return {
        "sex_unknown": ~sex.isin(["1", "2"]),
        "age_impossible": ~frame[age].between(0, 120),
        "provider_unknown": ~frame["provider_code"].isin(reference.providers["provider_code"]),
        "commissioner_unknown": ~payer,
        "practice_missing": _empty(practice),
        "practice_unknown": ~_empty(practice) & ~practice.isin(DEFAULT_PRACTICES) & ~known,
        "practice_commissioner": known & payer & pct.ne(commissioner),
        "pseudonym_missing": _empty(frame["person_pseudonym"]),
    }


def _late(frame, month_of):
    last = frame[month_of] + pd.offsets.MonthEnd(0)
    return (frame["submission_date"] - last).dt.days > 60


def _again(frame, fields):
    """Every record after the first, by its key, of those alike in these fields; people without pseudonym aside."""
    ordered = frame[~_empty(frame["person_pseudonym"])].sort_values("cds_unique_identifier")
    repeated = ordered.duplicated(fields, keep="first")
    return repeated.reindex(frame.index, fill_value=False)


def _spells(frame, reference):
    sex, age, hrg = frame["person_gender_code"], frame["age_at_admission"], frame["hrg_code"]
    icd, opcs, method = (
        frame["primary_diagnosis_icd10"],
        frame["primary_procedure_opcs4"],
        frame["admission_method_code"],
    )
    start, end, kind = frame["admission_date"], frame["discharge_date"], frame["patient_classification_code"]
    nights = (end - start).dt.days
    obstetric = _group(icd, 3, ("O00", "O99"))
    adult = reference.hrgs.loc[reference.hrgs["hrg_min_age"].eq(19).fillna(False), "hrg_code"]
    operated, site, area = frame["procedure_date"], frame["site_code"], frame["lsoa_code"]
    own_site = pd.Series(
        [str(a).startswith(str(b)) for a, b in zip(site, frame["provider_code"], strict=True)], frame.index
    )
    again = _again(frame, ["person_pseudonym", "provider_code", "admission_date", "discharge_date", "hrg_code"])
    day_case = kind.eq("2")
    return {
        **_shared(frame, reference, "age_at_admission"),
        "sex_pregnancy": sex.notna() & sex.ne("2") & obstetric,
        "sex_female_diagnosis": sex.eq("1") & _group(icd, 3, ("N70", "N98"), ("C51", "C58"), ("D25", "D28")),
        "sex_male_diagnosis": sex.eq("2") & _group(icd, 3, ("N40", "N51"), ("C60", "C63")),
        "sex_female_procedure": sex.eq("1") & opcs.str[:1].isin(["P", "Q", "R"]),
        "sex_male_procedure": sex.eq("2") & (opcs.str[:1].eq("N") | _group(opcs, 3, ("M61", "M67"))),
        "age_paediatric_hrg": age.ge(19) & hrg.str.startswith("P", na=False),
        "age_adult_hrg": age.lt(18) & hrg.isin(adult),
        "age_obstetric": (age.lt(10) | age.gt(60)) & (obstetric | hrg.str.startswith("NZ", na=False)),
        "age_neonatal": age.gt(1) & _group(icd, 3, ("P00", "P96")),
        "discharge_before_admission": end < start,
        "los_disagrees": (end >= start)
        & frame["length_of_stay_days"].notna()
        & frame["length_of_stay_days"].ne(nights),
        "los_impossible": frame["length_of_stay_days"].gt(366) | nights.gt(366),
        "daycase_nights": day_case & nights.gt(0),
        "daycase_emergency": day_case & method.notna() & ~method.isin(["11", "12", "13"]),
        "classification_invalid": ~kind.isin(["1", "2"]),
        "admission_method_invalid": ~method.isin(ADMISSION_METHODS),
        "hrg_missing": _empty(hrg),
        "hrg_invalid": ~_empty(hrg) & hrg.ne("UZ01Z") & ~hrg.isin(reference.hrgs["hrg_code"]),
        "hrg_ungrouped": hrg.eq("UZ01Z"),
        "diagnosis_missing": _empty(icd),
        "diagnosis_default": icd.eq("R69X"),
        "diagnosis_invalid": ~_empty(icd) & ~icd.map(_is_icd10, na_action="ignore").eq(True),
        "procedure_invalid": ~_empty(opcs) & ~opcs.map(_is_opcs4, na_action="ignore").eq(True),
        "procedure_outside_stay": (operated < start) | (operated > end),
        "site_disagrees": ~_empty(site) & ~own_site,
        "practice_default": frame["gp_practice_code"].isin(DEFAULT_PRACTICES),
        "lsoa_missing": _empty(area),
        "lsoa_unknown": ~_empty(area) & ~area.isin(reference.lsoas["lsoa_code"]),
        "tfc_invalid": ~frame["treatment_function_code"].isin(reference.treatment_functions["treatment_function_code"]),
        "submitted_early": frame["submission_date"] < end,
        "late_submission": _late(frame, "discharge_date"),
        "zero_day_emergency": method.isin([str(code) for code in range(21, 29)]) & nights.eq(0),
        "duplicate": again,
        "overlap": _overlaps(frame) & ~again,
    }


def _overlaps(frame):
    """Spells that begin before an earlier one of the same person has ended."""
    sane = frame[(frame["discharge_date"] >= frame["admission_date"]) & ~_empty(frame["person_pseudonym"])]
    ordered = sane.sort_values(["admission_date", "discharge_date", "cds_unique_identifier", "provider_code"])
    days = ordered["discharge_date"].astype("int64")
    so_far = days.groupby(ordered["person_pseudonym"]).cummax()
    before = so_far.groupby(ordered["person_pseudonym"]).shift(1)
    return (before > ordered["admission_date"].astype("int64")).reindex(frame.index, fill_value=False)


def _appointments(frame, reference):
    status, procedure = frame["attendance_status_code"], frame["primary_procedure_opcs4"]
    fields = [
        "person_pseudonym",
        "provider_code",
        "appointment_date",
        "treatment_function_code",
        "first_attendance_code",
    ]
    return {
        **_shared(frame, reference, "age_at_attendance"),
        "sex_specialty": frame["person_gender_code"].eq("1") & frame["treatment_function_code"].isin(["501", "502"]),
        "tfc_invalid": ~frame["treatment_function_code"].isin(reference.treatment_functions["treatment_function_code"]),
        "first_code_invalid": ~frame["first_attendance_code"].isin(list("1234")),
        "status_invalid": ~status.isin(list("234567")),
        "referral_after_appointment": frame["referral_received_date"] > frame["appointment_date"],
        "not_seen_procedure": status.isin(list("2347")) & ~_empty(procedure),
        "late_submission": _late(frame, "appointment_date"),
        "duplicate": _again(frame, fields),
    }


def _attendances(frame, reference):
    fields = ["person_pseudonym", "provider_code", "arrival_date", "minutes_to_departure", "disposal_code"]
    shared = _shared(frame, reference, "age_at_arrival")
    del shared["practice_commissioner"]
    return {
        **shared,
        "disposal_invalid": ~frame["disposal_code"].isin(["01", "02", "03", "07", "10", "12"]),
        "category_invalid": ~frame["attendance_category_code"].isin(list("123")),
        "minutes_impossible": ~frame["minutes_to_departure"].between(0, 1440),
        "late_submission": _late(frame, "arrival_date"),
        "duplicate": _again(frame, fields),
    }


def _is_icd10(code):
    place = code[3:4] in ("", "X") or code[3:4] in string.digits
    return _is_block(code) and len(code) <= 5 and place and (len(code) < 5 or code[4] in string.digits)


def _is_opcs4(code):
    return _is_block(code) and (len(code) == 3 or (len(code) == 4 and code[3] in string.digits))


def _is_block(code):
    return len(code) >= 3 and code[0] in string.ascii_uppercase and all(each in string.digits for each in code[1:3])


def random_records(feed, rows, seed, reference):
    """Records in which each field is right, wrong, at an edge or empty by chance; people come back often, and one
    record in fifty stands twice.
    """
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({name: _drawn(name, rows, draw, reference) for name in FIELDS[feed]})
    month_of = MONTH_OF[feed]
    start = _days(draw.integers(0, 40, rows))
    if feed == "apc":
        frame["admission_date"] = start
        frame["discharge_date"] = start + pd.to_timedelta(
            draw.choice([0, 0, 1, 2, 5, 20, -1, 366, 367], rows, p=[0.3, 0.1, 0.2, 0.1, 0.1, 0.1, 0.05, 0.02, 0.03]),
            "D",
        )
        nights = (frame["discharge_date"] - start).dt.days.to_numpy(dtype=float)
        length = nights + draw.choice([0, 1, np.nan, 400], rows, p=[0.9, 0.05, 0.03, 0.02])
        frame["length_of_stay_days"] = length
        frame["procedure_date"] = _sometimes(start + pd.to_timedelta(draw.integers(-1, 4, rows), "D"), draw, 0.4)
    else:
        frame[month_of] = start
    if feed == "op":
        received = start - pd.to_timedelta(draw.integers(-2, 60, rows), "D")
        frame["referral_received_date"] = _sometimes(received, draw, 0.1)
    sent = frame[month_of] + pd.offsets.MonthEnd(0) + pd.to_timedelta(draw.choice([-60, 5, 59, 60, 61, 62], rows), "D")
    frame["submission_date"] = _sometimes(sent, draw, 0.05)
    copies = rows // 50
    frame.iloc[rows - copies :, 1:] = frame.iloc[:copies, 1:].to_numpy()
    return frame.assign(month=frame[month_of].dt.strftime("%Y-%m"))


def _days(numbers):
    return pd.Series(pd.Timestamp(2009, 12, 20) + pd.to_timedelta(numbers, "D"))


def _sometimes(series, draw, empty):
    return series.mask(draw.random(len(series)) < empty)


def _drawn(name, rows, draw, reference):
    if name == "cds_unique_identifier":
        return [f"K{number:07d}" for number in draw.permutation(rows)]
    if name in WHOLE:
        return draw.choice([np.nan, -1, 0, 1, 2, 9, 10, 17, 18, 19, 45, 60, 61, 120, 121, 1440, 1441], rows)
    options = [*_options(name, draw, reference), None, ""]
    if name in ("provider_code", "person_pseudonym"):
        options = [option for option in options if option is not None] if name == "provider_code" else options
    likely = np.array([1.0] * (len(options) - 2) + [0.3, 0.3]) if name != "provider_code" else np.ones(len(options))
    return [options[at] for at in draw.choice(len(options), rows, p=likely / likely.sum())]


def _options(name, draw, reference):
    digits = list("0123456789")
    made = {
        "person_pseudonym": [f"P{number}" for number in range(60)],
        "commissioner_code": [*reference.commissioners["commissioner_code"][:3], "XXX", "Q36"],
        "gp_practice_code": [*reference.practices["gp_practice_code"][:6], *DEFAULT_PRACTICES, "Z99999"],
        "lsoa_code": [*reference.lsoas["lsoa_code"][:3], "E01999999", "W01000001"],
        "provider_code": ["RJ1", "RJ7", "RRV", "RX9"],
        "site_code": ["RJ101", "RJ701", "RRV02", "RX9", "RJ1"],
        "person_gender_code": ["1", "2", "1", "2", "0", "9", "X"],
        "admission_method_code": [*ADMISSION_METHODS, "99", "1", "20", "29"],
        "patient_classification_code": ["1", "2", "3"],
        "treatment_function_code": ["100", "501", "502", "420", "999"],
        "primary_diagnosis_icd10": [
            "O80", "O99X", "O00", "N70", "N98", "N69", "N99", "C51", "C589", "D25", "D28", "D29", "N40", "N51", "C60",
            "C63", "P00", "P96", "P97", "I21", "R69X", "R69", "A00X", "A0011", "A001X", "AA0", "a00", "1OO", "O8",
            "I2-1",
        ],
        "primary_procedure_opcs4": [
            "P05", "Q07", "R17", "N11", "M61", "M67", "M68", "W371", "W37", "W3711", "W3", "w371",
        ],
        "hrg_code": ["PB03Z", "PW16A", "NZ30A", "FE21Z", "FE32Z", "UZ01Z", "XX99X", "DZ11K", "P'1", *_hrgs(reference)],
        "first_attendance_code": digits,
        "attendance_status_code": digits,
        "disposal_code": ["01", "02", "03", "07", "10", "12", "04", "1"],
        "attendance_category_code": ["1", "2", "3", "4"],
    }  # fmt: skip
    return made.get(name, ["01", "19"])


def _hrgs(reference):
    return reference.hrgs.loc[reference.hrgs["hrg_min_age"].eq(19).fillna(False), "hrg_code"][:3].tolist()


def practices():
    """A dozen practices of London PCTs."""
    return pd.DataFrame(
        {"gp_practice_code": [f"F8{number:04d}" for number in range(12)], "pct_code": ["5A4", "5A5", "5A7", "5LE"] * 3}
    )


def as_dates(frame):
    """The frame with its days as `datetime.date`, as the store keeps them."""
    days = [name for name in frame if pd.api.types.is_datetime64_any_dtype(frame[name])]
    return frame.assign(**{name: [_date(day) for day in frame[name]] for name in days})


def _date(day):
    return None if pd.isna(day) else datetime.date(day.year, day.month, day.day)
