"""What an analysis needs of a record: its year, kind of care, age band, deprivation and case mix; and counts by these.

Everything is an Ibis expression, so that it runs where the records are: in DuckDB on one machine, or in Spark.
"""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import ibis
import pandas as pd

from cbs_analysis.tables import read

AGE_BANDS = ((0, "0-4"), (5, "5-18"), (19, "19-44"), (45, "45-64"), (65, "65-74"), (75, "75-84"), (85, "85+"))
SEXES = {"1": "male", "2": "female"}
ELECTIVE_METHODS = ("11", "12", "13")
EMERGENCY_METHODS = ("21", "22", "23", "24", "28")
DAY_CASE, DIED = "2", ("4", "5")
SEEN = ("5", "6")
FIRST, FOLLOW_UP = ("1", "3"), ("2", "4")
LSOAS_OF_ENGLAND = 32_482
READMISSION_DAYS = 30

ORDINARY, DAYCASE, NONELECTIVE = "elective ordinary", "day case", "non-elective"


KEPT_OF_SPELLS = (
    "cds_unique_identifier", "person_pseudonym", "commissioner_code", "provider_code", "treatment_function_code",
    "admission_date", "discharge_date", "financial_year", "kind", "nights", "price_gbp", "hrg_subchapter", "age_band",
    "sex", "deprivation_fifth", "is_emergency", "is_alive",
)  # fmt: skip
"""What the flows and cells ask of a spell: all that need be held of one."""


def financial_year(month: Any) -> Any:
    """'2010-04' is of 2010/11; `month` is a text column."""
    year, of_year = month.substr(0, 4).cast("int32"), month.substr(5, 2).cast("int32")
    start = year - ibis.ifelse(of_year < 4, 1, 0)
    following = ((start + 1) % 100).cast("string").lpad(2, "0")
    return start.cast("string") + "/" + following


def age_band(age: Any) -> Any:
    """One of `AGE_BANDS`; missing where the age is, or is less than 0 or more than 120."""
    cases = [(age < lowest, before) for (_, before), (lowest, _) in pairwise(AGE_BANDS)]
    usable = age.between(0, 120)
    return ibis.cases((~usable.fill_null(False), ibis.null("string")), *cases, else_=AGE_BANDS[-1][1])


def sex(code: Any) -> Any:
    return ibis.cases(*((code == key, word) for key, word in SEXES.items()), else_=ibis.null("string"))


def admission_kind(classification: Any, method: Any) -> Any:
    """Elective ordinary, day case or non-elective, as the activity return counts them; missing where it is neither."""
    elective = method.isin(ELECTIVE_METHODS).fill_null(False)
    return ibis.cases(
        (elective & (classification == DAY_CASE), DAYCASE),
        (elective & (classification == "1"), ORDINARY),
        (~elective & method.notnull(), NONELECTIVE),
        else_=ibis.null("string"),
    )


def deprivation(data: Path) -> pd.DataFrame:
    """The fifth of England that each LSOA is in, 1 the most deprived: lsoa_code, deprivation_fifth (text)."""
    lsoas = read("deprivation_lsoa", data)
    fifth = ((lsoas["imd_2010_rank"] - 1) * 5 // LSOAS_OF_ENGLAND + 1).astype(int).astype(str)
    return pd.DataFrame({"lsoa_code": lsoas["lsoa_2001_code"], "deprivation_fifth": fifth})


def spells(apc: Any, lsoas: Any) -> Any:
    """Spells with their features: financial_year, kind, nights (by dates; missing where not from 0 to 366), age_band,
    sex, deprivation_fifth, hrg_subchapter (first two characters), is_emergency, is_alive.

    `lsoas` is `deprivation` as a table of the same backend.
    """
    nights = apc.discharge_date.delta(apc.admission_date, unit="day")
    found = apc.mutate(
        financial_year=financial_year(apc.month),
        kind=admission_kind(apc.patient_classification_code, apc.admission_method_code),
        nights=ibis.ifelse(nights.between(0, 366), nights, ibis.null("int64")),
        age_band=age_band(apc.age_at_admission),
        sex=sex(apc.person_gender_code),
        hrg_subchapter=ibis.ifelse(apc.hrg_code.length() == 5, apc.hrg_code.substr(0, 2), ibis.null("string")),
        is_emergency=apc.admission_method_code.isin(EMERGENCY_METHODS).fill_null(False),
        is_alive=~apc.discharge_method_code.isin(DIED).fill_null(False),
    )
    return found.left_join(lsoas, "lsoa_code").drop("lsoa_code_right")


def with_readmission(found: Any) -> Any:
    """Spells with `is_readmitted`: was the person admitted again as an emergency within 30 days of discharge, by any
    provider? Missing where the person is not known. `found` has person_pseudonym, admission_date, discharge_date,
    cds_unique_identifier, is_emergency.
    """
    after = ibis.window(
        group_by=found.person_pseudonym,
        order_by=[found.admission_date, found.discharge_date, found.cds_unique_identifier],
        rows=(1, None),
    )
    again = ibis.cases((found.is_emergency, found.admission_date)).min().over(after)
    gap = again.delta(found.discharge_date, unit="day")
    known = found.person_pseudonym.notnull()
    readmitted = ibis.ifelse(known, gap.between(0, READMISSION_DAYS).fill_null(False), ibis.null("boolean"))
    return found.mutate(is_readmitted=readmitted)


def appointments(op: Any, lsoas: Any) -> Any:
    """Outpatient appointments with financial_year, age_band, sex, deprivation_fifth, and whether each was a first or a
    follow-up that was seen.
    """
    seen = op.attendance_status_code.isin(SEEN).fill_null(False)
    found = op.mutate(
        financial_year=financial_year(op.month),
        age_band=age_band(op.age_at_attendance),
        sex=sex(op.person_gender_code),
        is_first=seen & op.first_attendance_code.isin(FIRST).fill_null(False),
        is_follow_up=seen & op.first_attendance_code.isin(FOLLOW_UP).fill_null(False),
        is_seen=seen,
    )
    return found.left_join(lsoas, "lsoa_code").drop("lsoa_code_right")


COVARIATES = ["age_band", "sex", "deprivation_fifth", "case_mix"]
PLACES = ["commissioner_code", "provider_code", "treatment_function_code"]
SETTLING_DAYS = 30
"""A readmission is seen once it has ended: discharges of the last 60 days of the year are not judged."""


def spell_cells(spells: Any, last_day: date) -> pd.DataFrame:
    """Spells by financial_year, places and covariates: spells, nights, nights_squared, day_cases, electives, judged
    (discharged alive, and long enough before `last_day`) and readmitted.

    case_mix is the HRG's subchapter and whether the admission was elective. A spell that lacks a covariate is in no
    cell.
    """
    judged_until = last_day - timedelta(days=READMISSION_DAYS + SETTLING_DAYS)
    found = with_readmission(spells)
    stays = found.kind != DAYCASE
    judged = stays & found.is_alive & (found.discharge_date <= judged_until) & found.is_readmitted.notnull()
    kind = ibis.ifelse(found.kind == NONELECTIVE, "emergency", "elective")
    keyed = found.mutate(
        case_mix=found.hrg_subchapter + " " + kind,
        stays=stays,
        judged=judged,
        again=judged & found.is_readmitted.fill_null(False),
    )
    complete = keyed.drop_null(["financial_year", *PLACES, *COVARIATES, "nights", "kind"])
    keys = ["financial_year", *PLACES, *COVARIATES]
    return (
        complete.group_by(keys)
        .agg(
            spells=ibis._.stays.cast("int64").sum(),
            nights=ibis.ifelse(ibis._.stays, ibis._.nights, 0).sum(),
            nights_squared=ibis.ifelse(ibis._.stays, ibis._.nights * ibis._.nights, 0).sum(),
            electives=(ibis._.kind != NONELECTIVE).cast("int64").sum(),
            day_cases=(ibis._.kind == DAYCASE).cast("int64").sum(),
            judged=ibis._.judged.cast("int64").sum(),
            readmitted=ibis._.again.cast("int64").sum(),
        )
        .order_by(keys)
        .execute()
    )


def appointment_cells(appointments: Any) -> pd.DataFrame:
    """Appointments by financial_year, places and covariates: first and follow_up attendances. case_mix is the
    specialty.
    """
    keyed = appointments.mutate(case_mix=appointments.treatment_function_code)
    keys = ["financial_year", *PLACES, *COVARIATES]
    return (
        keyed.drop_null(keys)
        .group_by(keys)
        .agg(first=ibis._.is_first.cast("int64").sum(), follow_up=ibis._.is_follow_up.cast("int64").sum())
        .order_by(keys)
        .execute()
    )


def event_prices(spells: Any) -> pd.DataFrame:
    """What one event more of a measure costs at each trust, on average: provider_code, day_case (an elective ordinary
    spell's price less a day case's, of the HRG subchapters that have both), readmission (an emergency spell's price).

    Nights and follow-ups have no price of their own in the national cost collection.
    """
    of_kind = spells.group_by(["provider_code", "hrg_subchapter", "kind"]).agg(
        spells=ibis._.count(), price=ibis._.price_gbp.mean()
    )
    found = of_kind.execute().pivot_table(
        index=["provider_code", "hrg_subchapter"], columns="kind", values=["spells", "price"], aggfunc="sum"
    )
    kinds = [ORDINARY, DAYCASE, NONELECTIVE]
    if found.empty:
        return pd.DataFrame(columns=["day_case", "readmission"], dtype=float)
    price, spells_of = found["price"].reindex(columns=kinds), found["spells"].reindex(columns=kinds).fillna(0)
    saved = (price[ORDINARY] - price[DAYCASE]).where(spells_of[DAYCASE] > 0)
    saved = saved.where(saved > 0)
    weight = spells_of[ORDINARY].where(saved.notna())
    return pd.DataFrame(
        {
            "day_case": (saved * weight).groupby(level=0).sum() / weight.groupby(level=0).sum(),
            "readmission": (price[NONELECTIVE] * spells_of[NONELECTIVE]).groupby(level=0).sum()
            / spells_of[NONELECTIVE].groupby(level=0).sum(),
        }
    )


def spell_flows(spells: Any) -> Any:
    """By financial_year, commissioner_code, provider_code, treatment_function_code and kind: spells, bed_days (nights),
    price_gbp (at national prices of a later year: for weighing only).
    """
    keys = ["financial_year", "commissioner_code", "provider_code", "treatment_function_code", "kind"]
    return spells.group_by(keys).agg(
        spells=ibis._.count(),
        bed_days=ibis._.nights.sum().fill_null(0),
        price_gbp=ibis._.price_gbp.sum().fill_null(0),
        priced=ibis._.price_gbp.count(),
    )


def outpatient_flows(appointments: Any) -> Any:
    """By financial_year, commissioner_code, provider_code and treatment_function_code: appointments, first (first
    attendances), follow_up (follow-up attendances), not_seen.
    """
    keys = ["financial_year", "commissioner_code", "provider_code", "treatment_function_code"]
    return appointments.group_by(keys).agg(
        appointments=ibis._.count(),
        first=ibis._.is_first.cast("int64").sum(),
        follow_up=ibis._.is_follow_up.cast("int64").sum(),
        not_seen=(~ibis._.is_seen).cast("int64").sum(),
    )
