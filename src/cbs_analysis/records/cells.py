"""Spells and appointments counted in cells of like cases, from which the benchmarking models are fitted."""

from datetime import date, timedelta
from typing import Any

import ibis
import pandas as pd

from cbs_analysis.records.features import DAYCASE, NONELECTIVE, ORDINARY, READMISSION_DAYS, with_readmission

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
