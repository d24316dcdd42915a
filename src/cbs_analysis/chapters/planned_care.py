"""Planned care: how many people are referred, seen and admitted as planned, against others and over the months.

For commissioners of planned pathways and of the providers who treat their people. From the Monthly Activity Return
by commissioner, with mid-year population for rates.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import breaks, figures
from cbs_analysis.chapters.breaks import Counted
from cbs_analysis.chapters.building import (
    Chapter,
    Standing,
    plain_measure,
    sentence,
    stated,
)
from cbs_analysis.chapters.monthly import flag_reason, measure_finding
from cbs_analysis.chapters.ranked_areas import ranked_areas
from cbs_analysis.chapters.recording import recording
from cbs_analysis.evidence.comparing import estimates
from cbs_analysis.evidence.finding import Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, number, sentence_case
from cbs_analysis.pack import Pack
from cbs_analysis.stats import intervals, rates

CHAPTER = Chapter("planned_care", "care pathway management")
MAR = "monthly_activity_return"
CASE_MIX = "Case mix is not adjusted: areas whose patients need more complex surgery will have fewer day cases."
CRUDE = "A crude rate: older or sicker populations will have more, so it is not judged better or worse."
ELECTIVE = ("elective_ordinary_admissions", "elective_daycase_admissions")
PLANNED = ("planned_ordinary_admissions", "planned_daycase_admissions")
REFERRALS = ("gp_referrals_made", "other_referrals_made")


def gp_referrals(pack: Pack) -> Finding:
    """GP referrals per 1,000 people in the year, and per working day by month."""
    counted = Counted(("gp_referrals_made",), "GP referrals", "gp_referrals_per_1000", "working day")
    return measure_finding(pack, CHAPTER, "gp_referrals", counted, title="GP referrals", caveats=[CRUDE])


def other_referrals(pack: Pack) -> Finding:
    """Referrals by others than GPs, per 1,000 people in the year and per working day by month."""
    counted = Counted(("other_referrals_made",), "other referrals", "other_referrals_per_1000", "working day")
    recorded = "How referrals by others are recorded differs between places more than any other measure here."
    return measure_finding(
        pack, CHAPTER, "other_referrals", counted, title="Other referrals", caveats=[CRUDE, recorded]
    )


def first_outpatients(pack: Pack) -> Finding:
    """First outpatient attendances per 1,000 people in the year, and per working day by month."""
    counted = Counted(
        ("first_outpatient_attendances",),
        "first outpatient attendances",
        "first_outpatients_per_1000",
        "working day",
    )
    return measure_finding(
        pack, CHAPTER, "first_outpatients", counted, title="First outpatient attendances", caveats=[CRUDE]
    )


def elective_admissions(pack: Pack) -> Finding:
    """Ordinary and day case elective admissions per 1,000 people in the year, and per working day by month."""
    counted = Counted(ELECTIVE, "elective admissions", "elective_per_1000", "working day")
    added = "Ordinary plus day case admissions; in a few months the published elective total differs from their sum."
    return measure_finding(
        pack, CHAPTER, "elective_admissions", counted, title="Elective admissions", caveats=[CRUDE, added]
    )


def attendances_per_referral(pack: Pack) -> Finding:
    """First outpatient attendances for each 100 referrals made by GPs and others."""
    year = pack.edition.activity_year
    totals = figures.year_totals(pack, year, [*REFERRALS, "first_outpatient_attendances"])
    counts = figures.leaf_counts(
        pack, totals["first_outpatient_attendances"], totals[list(REFERRALS)].sum(axis=1, skipna=False)
    )
    measured = plain_measure("First attendances per 100 referrals", "per 100 referrals", 1, per=100)
    flagged = breaks.broken_in(pack, (*REFERRALS, "first_outpatient_attendances"), year)
    standing = figures.standing(pack, counts, measured, figures.as_count_ratio, flagged)
    own = standing.own(pack)
    parts = [
        Counted((name,), noun, "", "working day")
        for name, noun in (
            ("gp_referrals_made", "GP referrals"),
            ("other_referrals_made", "other referrals"),
            ("first_outpatient_attendances", "first outpatient attendances"),
        )
    ]
    cautions = [f"{sentence_case(part.noun)}: {said}" for part in parts if (said := breaks.caution(pack, part))]
    return CHAPTER.finding(
        pack,
        "attendances_per_referral",
        title="First attendances for each referral",
        statement=_statement(
            pack,
            standing,
            f"{pack.area.name} had {number(own.value, 1)} first attendances for every 100 referrals",
        ),
        standing=standing,
        period=year,
        sources=[MAR],
        methods=["count-ratios"],
        caveats=[
            "Attendances follow referrals by weeks or months and some need none, so this is a ratio, not a share.",
            "The limits take the two counts as independent. Attendances follow referrals, so the limits are too wide.",
            *(caveat for part in parts for caveat in breaks.caveats(pack, part.measures)),
        ],
        flag_reason=flag_reason(pack, standing),
        caution=" ".join(cautions),
        chart=ranked_areas(pack, standing, "First attendances per 100 referrals"),
    )


def daycase_rates(pack: Pack) -> Standing:
    """Day cases among elective admissions in the year, for every area."""
    totals = figures.year_totals(pack, pack.edition.activity_year, ELECTIVE)
    counts = figures.leaf_counts(
        pack, totals["elective_daycase_admissions"], totals[list(ELECTIVE)].sum(axis=1, skipna=False)
    )
    return figures.standing(pack, counts, pack.indicators["daycase_rate_pct"], figures.as_proportion)


def england_rates(pack: Pack) -> pd.Series:
    """The day case rate of every PCT in England in the year, in percent, indexed by code; incomplete years left out."""
    leaves = figures.every_leaf(pack)
    leaves = leaves[leaves["month"].isin(figures.year_months(pack.edition.activity_year))]
    grouped = leaves.groupby("area_code")[list(ELECTIVE)]
    totals = grouped.sum().where(grouped.count() == 12)
    every = totals[list(ELECTIVE)].sum(axis=1, skipna=False)
    return rates.proportion(totals[ELECTIVE[1]], every, per=100)["value"].dropna()


def daycase_rate(pack: Pack) -> Finding:
    """The share of elective admissions that are day cases, against the peers and every PCT in England."""
    standing, england = daycase_rates(pack), england_rates(pack)
    own = standing.own(pack)
    place = ""
    if pack.area.code in england.index:
        rank = int(england.rank(method="min", ascending=False)[pack.area.code])
        place = f" It ranks {rank} of {len(england)} PCTs in England, 1 the highest."
    points = {"Lowest PCT": 0, "Lower quartile": 25, "Median": 50, "Upper quartile": 75, "Highest PCT": 100}
    quartiles = pd.DataFrame(
        {
            "measure": [*points, pack.area.name],
            "value": [*(england.quantile(point / 100) for point in points.values()), own.value],
        }
    )
    columns = {
        "measure": Column(f"PCTs in England ({len(england)})"),
        "value": Column("Day case rate (%)", decimals=1),
    }
    statement = f"{stated(pack, standing)} of {pack.area.name}'s elective admissions were day cases"
    return CHAPTER.finding(
        pack,
        "daycase_rate",
        title="Day case rate",
        function="provider management",
        statement=_statement(pack, standing, statement) + place,
        standing=standing,
        period=pack.edition.activity_year,
        sources=[MAR],
        caveats=[CASE_MIX],
        table=Table("Day case rates of all PCTs in England", quartiles, columns, emphasis=pack.area.name),
        chart=ranked_areas(pack, standing, "Day case rate (%)"),
    )


def daycase_shortfalls(pack: Pack, target: float) -> Standing:
    """Ordinary admissions that would be day cases at a target rate; a group's is the sum of its leaves below it."""
    found = daycase_rates(pack).table.loc[[area.code for area in pack.peers]]
    moved = rates.shortfall(found["numerator"], found["denominator"], target, per=100)
    rows = []
    for code in pack.geography.areas:
        parts = moved.reindex(list(pack.geography.leaves(code)))
        lower, upper = intervals.limits_of_sum(parts["value"], parts["lower"], parts["upper"])
        total = parts["value"].sum(skipna=False)
        rows.append({"area_code": code, "value": total, "lower": np.maximum(lower, 0), "upper": upper})
    table = pd.DataFrame(rows)
    measured = plain_measure("Ordinary admissions that would be day cases", "admissions", 0)
    table = estimates(table)
    return Standing(measured, table, table, {})


def daycase_opportunity(pack: Pack) -> Finding:
    """Ordinary admissions that would be day cases at the rate of England's upper quartile PCT."""
    target = float(england_rates(pack).quantile(0.75))
    moved, year, name = daycase_shortfalls(pack, target), pack.edition.activity_year, pack.area.name
    own = moved.own(pack)
    if np.isnan(own.value):
        statement = f"{name} has no figure for {year}: months are missing in the return."
    elif own.value > 0:
        members = "" if pack.area.is_leaf else " in those of its PCTs that are below it"
        statement = (
            f"At the day case rate of England's upper quartile PCT ({number(target, 1)}%), {number(own.value)} of "
            f"{name}'s ordinary elective admissions in {year} would have been day cases{members} "
            f"({interval(own.lower, own.upper, 0)})."
        )
    else:
        statement = (
            f"{name}'s day case rate in {year} is at or above that of England's upper quartile PCT "
            f"({number(target, 1)}%), so none of its ordinary admissions would move."
        )
    return CHAPTER.finding(
        pack,
        "daycase_opportunity",
        title="What a better day case rate would move",
        function="provider management",
        statement=statement,
        standing=moved,
        comparisons=(),
        period=year,
        sources=[MAR],
        methods=["shortfalls"],
        caveats=[CASE_MIX, "A quarter of England's PCTs reach the upper quartile."],
    )


def planned_share(pack: Pack) -> Finding:
    """The share of elective admissions that the return counts as planned."""
    totals = figures.year_totals(pack, pack.edition.activity_year, [*PLANNED, *ELECTIVE])
    counts = figures.leaf_counts(
        pack,
        totals[list(PLANNED)].sum(axis=1, skipna=False),
        totals[list(ELECTIVE)].sum(axis=1, skipna=False),
    )
    measured = plain_measure("Planned share of elective admissions", "%", 1, per=100)
    standing = figures.standing(pack, counts, measured, figures.as_proportion)
    statement = (
        f"{stated(pack, standing)} of {pack.area.name}'s elective admissions were planned, as the return counts them,"
    )
    return CHAPTER.finding(
        pack,
        "planned_share",
        title="Planned admissions",
        statement=_statement(pack, standing, statement),
        standing=standing,
        period=pack.edition.activity_year,
        sources=[MAR],
        methods=["proportions"],
        caveats=[
            "The return counts planned admissions within elective ones; providers differ in what they call planned."
        ],
        chart=ranked_areas(pack, standing, "Planned share (%)"),
    )


def _statement(pack: Pack, standing: Standing, opening: str) -> str:
    if np.isnan(standing.own(pack).value):
        return f"{pack.area.name} has no figure for {pack.edition.activity_year}: months are missing in the return."
    said = sentence(pack, standing)
    return f"{opening} in {pack.edition.activity_year}{', ' + said if said else ''}."


__all__ = [
    "attendances_per_referral",
    "daycase_opportunity",
    "daycase_rate",
    "elective_admissions",
    "first_outpatients",
    "gp_referrals",
    "other_referrals",
    "planned_share",
    "recording",
]
