"""Planned care: how many people are referred, seen and admitted as planned, against others and over the months.

For commissioners of planned pathways and of the providers who treat their people. From the series of activity that the
home defines in `params/series.yml`, with mid-year population for rates.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import recording_changes
from cbs_analysis.chapters.activity_series import flag_reason, series_finding
from cbs_analysis.chapters.area_estimates import (
    AreaEstimates,
    area_estimates,
    as_count_ratio,
    as_proportion,
    leaf_levels,
    plain_measure,
    sentence,
    stated,
)
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, value_of
from cbs_analysis.chapters.ranked_areas import ranked_areas
from cbs_analysis.chapters.recording import recording
from cbs_analysis.evidence.comparing import estimates
from cbs_analysis.evidence.finding import Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import interval, number, sentence_case
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import leaf_counts
from cbs_analysis.pack.series import every_leaf, frequency, series, series_totals
from cbs_analysis.stats import intervals, rates

CHAPTER = Chapter("planned_care", "care pathway management")
CASE_MIX = "Case mix is not adjusted: areas whose patients need more complex surgery will have fewer day cases."
# The series that these findings are about, by their names in params/series.yml.
ELECTIVE, DAY_CASES, PLANNED = "elective_admissions", "elective_daycase", "planned_admissions"
REFERRALS, ATTENDANCES = ("gp_referrals", "other_referrals"), "first_outpatients"


def activity(pack: Pack, name: str) -> Finding:
    """A series of planned care: its rate in the year, and each month a working day within process limits."""
    return series_finding(pack, CHAPTER, name)


def attendances_per_referral(pack: Pack) -> Finding:
    """First outpatient attendances for each 100 referrals made by GPs and others."""
    year = pack.period("activity")
    parts = [series(pack, name) for name in (*REFERRALS, ATTENDANCES)]
    *referrals, attendances = (series_totals(pack, part, year) for part in parts)
    counts = leaf_counts(pack, attendances, pd.concat(referrals, axis=1).sum(axis=1, skipna=False))
    measured = plain_measure("First attendances per 100 referrals", "per 100 referrals", 1, per=100)
    flagged = recording_changes.broken_in(pack, parts, year)
    estimates = area_estimates(pack, counts, measured, as_count_ratio, flagged)
    own = estimates.own(pack)
    cautions = [
        f"{sentence_case(part.noun)}: {text}" for part in parts if (text := recording_changes.caution(pack, part))
    ]
    return CHAPTER.finding(
        pack,
        "attendances_per_referral",
        title="First attendances for each referral",
        statement=_statement(
            pack,
            estimates,
            f"{pack.area.name} had {number(own.value, 1)} first attendances for every 100 referrals",
        ),
        value=value_of(pack, estimates),
        basis=Basis(
            period=year.label,
            sources=list(dict.fromkeys(part.table for part in parts)),
            methods=["count-ratios"],
            caveats=[
                "Attendances follow referrals by weeks or months and some need none, so this is a ratio, not a share.",
                "The limits take the two counts as independent. Attendances follow referrals, so they are too wide.",
                *(caveat for part in parts for caveat in recording_changes.caveats(pack, part)),
            ],
            flag_reason=flag_reason(pack, estimates),
            caution=" ".join(cautions),
        ),
        exhibits=Exhibits(chart=ranked_areas(pack, estimates, "First attendances per 100 referrals")),
    )


def daycase_rates(pack: Pack) -> AreaEstimates:
    """Day cases among elective admissions in the year, for every area."""
    year = pack.period("activity")
    day_cases, elective = (series_totals(pack, series(pack, name), year) for name in (DAY_CASES, ELECTIVE))
    counts = leaf_counts(pack, day_cases, elective)
    return area_estimates(pack, counts, pack.indicators["daycase_rate_pct"], as_proportion)


def every_daycase_rate(pack: Pack) -> pd.Series:
    """The day case rate of every area of the leaves' kind that the table holds, within the geography or not, in
    percent, indexed by code; incomplete years left out.
    """
    day_cases, elective = series(pack, DAY_CASES), series(pack, ELECTIVE)
    leaves, steps = every_leaf(pack, elective.table), pack.period("activity").steps(frequency(pack, elective.table))
    grouped = leaves[leaves["step"].isin(steps)].groupby("area_code")[list(elective.measures)]
    totals = grouped.sum().where(grouped.count() == len(steps))
    every = totals.sum(axis=1, skipna=False)
    return rates.proportion(totals[list(day_cases.measures)].sum(axis=1, skipna=False), every, per=100)[
        "value"
    ].dropna()


def _where(pack: Pack, rated: pd.Series) -> str:
    """What holds all the areas that are rated: the nation, where the table has areas beyond the geography."""
    beyond = set(rated.index) - set(pack.geography.areas)
    nation = pack.geography.nation
    return (
        nation.name
        if nation and (beyond or pack.geography.is_nation(pack.geography.whole.code))
        else (pack.geography.whole.name)
    )


def daycase_rate(pack: Pack) -> Finding:
    """The share of elective admissions that are day cases, against the peers and every area of their kind."""
    estimates, rated = daycase_rates(pack), every_daycase_rate(pack)
    own, levels, level, where = estimates.own(pack), leaf_levels(pack), leaf_levels(pack, 1), _where(pack, rated)
    place = ""
    if pack.area.code in rated.index:
        rank = int(rated.rank(method="min", ascending=False)[pack.area.code])
        place = f" It ranks {rank} of {len(rated)} {levels} in {where}, 1 the highest."
    points = {f"Lowest {level}": 0, "Lower quartile": 25, "Median": 50, "Upper quartile": 75, f"Highest {level}": 100}
    quartiles = pd.DataFrame(
        {
            "measure": [*points, pack.area.name],
            "value": [*(rated.quantile(point / 100) for point in points.values()), own.value],
        }
    )
    columns = {
        "measure": Column(f"{sentence_case(levels)} in {where} ({len(rated)})"),
        "value": Column("Day case rate (%)", decimals=1),
    }
    statement = f"{stated(pack, estimates)} of {pack.area.name}'s elective admissions were day cases"
    return CHAPTER.finding(
        pack,
        "daycase_rate",
        title="Day case rate",
        statement=_statement(pack, estimates, statement) + place,
        value=value_of(pack, estimates),
        basis=Basis(period=pack.period("activity").label, sources=[series(pack, ELECTIVE).table], caveats=[CASE_MIX]),
        exhibits=Exhibits(
            table=Table(f"Day case rates of all {levels} in {where}", quartiles, columns, emphasis=pack.area.name),
            chart=ranked_areas(pack, estimates, "Day case rate (%)"),
        ),
        function="provider management",
    )


def daycase_shortfalls(pack: Pack, target: float) -> AreaEstimates:
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
    return AreaEstimates(measured, table, table, {})


def daycase_opportunity(pack: Pack) -> Finding:
    """Ordinary admissions that would be day cases at the rate of the upper quartile of areas of their kind."""
    rated = every_daycase_rate(pack)
    target, where = float(rated.quantile(0.75)), _where(pack, rated)
    moved, year, name = daycase_shortfalls(pack, target), pack.period("activity"), pack.area.name
    levels, best = leaf_levels(pack), f"{where}'s upper quartile {leaf_levels(pack, 1)}"
    own = moved.own(pack)
    if np.isnan(own.value):
        statement = f"{name} has no figure for {year}: figures are missing."
    elif own.value > 0:
        members = "" if pack.area.is_leaf else f" in those of its {levels} that are below it"
        statement = (
            f"At the day case rate of {best} ({number(target, 1)}%), {number(own.value)} of "
            f"{name}'s ordinary elective admissions in {year} would have been day cases{members} "
            f"({interval(own.lower, own.upper, 0)})."
        )
    else:
        statement = (
            f"{name}'s day case rate in {year} is at or above that of {best} "
            f"({number(target, 1)}%), so none of its ordinary admissions would move."
        )
    return CHAPTER.finding(
        pack,
        "daycase_opportunity",
        title="What a better day case rate would move",
        statement=statement,
        value=value_of(pack, moved, comparisons=()),
        basis=Basis(
            period=year.label,
            sources=[series(pack, ELECTIVE).table],
            methods=["shortfalls"],
            caveats=[CASE_MIX, f"A quarter of {where}'s {levels} reach the upper quartile."],
        ),
        function="provider management",
    )


def planned_share(pack: Pack) -> Finding:
    """The share of elective admissions that the return counts as planned."""
    year = pack.period("activity")
    planned, elective = (series_totals(pack, series(pack, name), year) for name in (PLANNED, ELECTIVE))
    counts = leaf_counts(pack, planned, elective)
    measured = plain_measure("Planned share of elective admissions", "%", 1, per=100)
    estimates = area_estimates(pack, counts, measured, as_proportion)
    statement = (
        f"{stated(pack, estimates)} of {pack.area.name}'s elective admissions were planned, as the return counts them,"
    )
    return CHAPTER.finding(
        pack,
        "planned_share",
        title="Planned admissions",
        statement=_statement(pack, estimates, statement),
        value=value_of(pack, estimates),
        basis=Basis(
            period=year.label,
            sources=[series(pack, ELECTIVE).table],
            methods=["proportions"],
            caveats=[
                "The return counts planned admissions within elective ones; providers differ in what they call planned."
            ],
        ),
        exhibits=Exhibits(chart=ranked_areas(pack, estimates, "Planned share (%)")),
    )


def _statement(pack: Pack, estimates: AreaEstimates, opening: str) -> str:
    year = pack.period("activity")
    if np.isnan(estimates.own(pack).value):
        return f"{pack.area.name} has no figure for {year}: figures are missing."
    compared = sentence(pack, estimates)
    return f"{opening} in {year}{', ' + compared if compared else ''}."


__all__ = [
    "activity",
    "attendances_per_referral",
    "daycase_opportunity",
    "daycase_rate",
    "planned_share",
    "recording",
]
