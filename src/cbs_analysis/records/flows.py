"""Who is treated where, for what: records counted by PCT, provider and specialty.

Ibis expressions over records with the features of `warehouse.features`; each gives a small table.
"""

from typing import Any

import ibis


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
