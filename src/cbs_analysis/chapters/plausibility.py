"""Can emergency admissions by residence be believed? Held against what was commissioned, PCT by PCT.

For the chapter on emergency care, which shows, ranks and compares its figures by what is found here. Where hospital
records are missing, admissions by residence fall far below the activity return's for the same PCT.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Chapter, Standing, names, peer_role, plain_measure
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates

CHAPTER = Chapter("emergency_care", "monitoring")
HSCIC, MAR = "emergency_admissions", "monthly_activity_return"
NONELECTIVE = "nonelective_admissions"
SHARP_FALL = 0.25
RECOVERED = 0.9  # of the level before a sharp fall


def plausibility_table(pack: Pack) -> pd.DataFrame:
    """Emergency admissions by residence over non-elective admissions by commissioner, a row a leaf, lowest first.

    Columns: area_code, area, by_residence, by_commissioner, share, unchecked (either count is missing), flagged
    (unchecked, or below the edition's share of the median).
    """
    return pack.common.once("plausibility", lambda: _plausibility_table(pack.common))


def _plausibility_table(pack: Pack) -> pd.DataFrame:
    observed = _counts(pack, pack.edition.emergency_year)["admissions_observed"]
    commissioned = figures.year_totals(pack, pack.edition.emergency_year, [NONELECTIVE])[NONELECTIVE]
    frame = pd.DataFrame({"area_code": [area.code for area in pack.peers], "area": [area.name for area in pack.peers]})
    frame["by_residence"] = observed.reindex(frame["area_code"]).to_numpy()
    frame["by_commissioner"] = commissioned.reindex(frame["area_code"]).to_numpy()
    frame["share"] = rates.ratio(frame["by_residence"], frame["by_commissioner"])
    frame["unchecked"] = frame["share"].isna()
    frame["flagged"] = frame["unchecked"] | (
        frame["share"] < pack.edition.plausible_share * frame["share"].dropna().median()
    )
    return frame.sort_values("share").reset_index(drop=True)


def flagged_areas(pack: Pack) -> list[str]:
    """Codes of the leaves whose emergency admissions are implausibly few."""
    frame = plausibility_table(pack)
    return frame.loc[frame["flagged"], "area_code"].tolist()


def _counts(pack: Pack, year: str) -> pd.DataFrame:
    """Observed and expected admissions of the leaves and England in a year, indexed by area_code."""
    pack = pack.common

    def make() -> pd.DataFrame:
        table = pack.read(HSCIC)
        rows = table[table["financial_year"] == year].set_index("area_code")
        return pd.DataFrame(
            {name: figures.by_leaf(pack, rows[name]) for name in ("admissions_observed", "admissions_expected")}
        )

    return pack.once(("admissions", year), make)


def ratios(pack: Pack, year: str) -> Standing:
    """Observed over expected emergency admissions of every area in a year."""
    counts = _counts(pack, year)
    counts = figures.leaf_counts(pack, counts["admissions_observed"], counts["admissions_expected"])
    measured = pack.indicators["emergency_admission_ratio"]
    return figures.standing(pack, counts, measured, figures.as_indirect_ratio, flagged_areas(pack))


def flag_reason(pack: Pack) -> str:
    """Why the area's emergency admissions by residence are not to be believed; empty where they are."""
    if not bool(ratios(pack, pack.edition.emergency_year).own(pack).flagged):
        return ""
    inside = [code for code in flagged_areas(pack) if code in pack.geography.leaves(pack.area.code)]
    where = "" if pack.area.is_leaf else f" in {names(pack, inside)}"
    frame = plausibility_table(pack).set_index("area_code")
    why = (
        "They cannot be checked against what was commissioned, because figures are missing"
        if frame.loc[inside, "unchecked"].any()
        else "The records of one or more hospitals are missing: admissions by residence are implausibly few beside "
        "what was commissioned"
    )
    return f"{why}{where}. The value is shown as published but not compared, ranked or used as a comparator."


def records_caution(pack: Pack) -> str:
    """Names boroughs whose admissions fell sharply in one year and have not come back, where they are not flagged."""
    flagged = flagged_areas(pack)
    said = unrecovered_falls(pack, [code for code in pack.geography.leaves(pack.area.code) if code not in flagged])
    if not said or flag_reason(pack):
        return ""
    return (
        f"Admissions by residence may be short of records: {listed(said)} and had not come back by "
        f"{pack.edition.emergency_year}. The PCT as a whole passes the check of its records, so it is not flagged."
    )


def unrecovered_falls(pack: Pack, leaves: Sequence[str]) -> list[str]:
    """Boroughs of these leaves whose admissions fell sharply in one year and have not come back, with the fall."""
    boroughs = pack.read("boroughs")
    return [
        f"{row.borough_name}'s {fall}"
        for row in boroughs[boroughs["pct_code"].isin(leaves)].itertuples()
        if (fall := _unrecovered_fall(pack, row.borough_code))
    ]


def yearly_admissions(pack: Pack, borough: str) -> pd.Series:
    """A borough's observed emergency admissions, indexed by financial year in order."""
    pack = pack.common

    def make() -> dict[str, pd.Series]:
        rows = pack.read(HSCIC).set_index("financial_year").sort_index()
        return {str(code): part["admissions_observed"] for code, part in rows.groupby("area_code")}

    return pack.once("yearly admissions", make).get(borough, pd.Series(dtype=float))


def sharp_falls(yearly: pd.Series) -> pd.Series:
    """Years in which a series fell by a quarter or more, with the fall as a share below zero."""
    change = rates.relative_change(yearly, yearly.shift(), per=1)
    return change[change <= -SHARP_FALL]


def _unrecovered_fall(pack: Pack, borough: str) -> str:
    series = yearly_admissions(pack, borough).loc[: pack.edition.emergency_year]
    for year, fall in sharp_falls(series).items():
        if series.iloc[-1] < RECOVERED * series[year] / (1 + fall):
            return f"fell by {number(-100 * fall)}% in {year}"
    return ""


def plausibility(pack: Pack) -> Finding:
    """Emergency admissions by residence against what the area's PCTs commissioned: where records are missing."""
    frame, year = plausibility_table(pack), pack.edition.emergency_year
    inside = frame["area_code"].isin(pack.geography.leaves(pack.area.code))
    own = frame[inside]
    share = rates.ratio(own["by_residence"].sum(skipna=False), own["by_commissioner"].sum(skipna=False))
    flagged = own.loc[own["flagged"], "area"].tolist()
    median = frame["share"].dropna().median()
    verdict = (
        f"flagged, as records are missing or cannot be checked: {listed(flagged)}" if flagged else "nothing is flagged"
    )
    shown = frame if pack.area.is_leaf or pack.area.is_whole else own
    shown = shown.assign(note=np.where(shown["flagged"], "flagged", ""))
    columns = {
        "area": Column("Area"),
        "by_residence": Column("Emergency admissions by residence", decimals=0),
        "by_commissioner": Column("Non-elective admissions by commissioner", decimals=0),
        "share": Column("Ratio", decimals=2),
        "note": Column("Note"),
    }
    return CHAPTER.finding(
        pack,
        "plausibility",
        title="Can the figures be believed?",
        statement=f"{pack.area.name}'s admissions of {year} cannot be checked: figures are missing."
        if np.isnan(share)
        else f"In {year} emergency admissions by residence were {number(share, 2)} of the non-elective admissions "
        f"that {pack.area.name} commissioned (median area {number(median, 2)}): {verdict}.",
        measured=plain_measure("Admissions by residence over commissioned", "ratio", 2),
        value=share,
        period=year,
        sources=[HSCIC, MAR],
        methods=["plain-ratios"],
        caveats=[
            "The two count differently (spells by residence, episodes by commissioner), so the ratio is seldom 1.",
            f"Flagged is below {number(pack.edition.plausible_share, 3)} of the median area's ratio.",
        ],
        flag_reason=flag_reason(pack),
        members=Table(f"{len(shown)} areas side by side", shown, columns, emphasis=pack.area.name),
        chart=_ranked(pack, frame),
    )


def _ranked(pack: Pack, frame: pd.DataFrame) -> Chart | None:
    if frame["share"].isna().all():
        return None
    median, own = float(frame["share"].dropna().median()), set(pack.geography.leaves(pack.area.code))
    roles = [
        peer_role(row.area_code in own and not pack.area.is_whole, bool(row.flagged)) for row in frame.itertuples()
    ]
    drawn = charts.ranked_intervals(
        pd.DataFrame({"name": frame["area"], "value": frame["share"], "lower": np.nan, "upper": np.nan, "role": roles}),
        title="Admissions by residence over admissions commissioned",
        subtitle=f"{pack.edition.emergency_year}; flagged below {number(pack.edition.plausible_share * median, 2)}",
        value_title="Ratio",
        value_format=",.2f",
        reference=("Median", median),
    )
    low, high = number(frame["share"].min(), 2), number(frame["share"].max(), 2)
    return Chart(drawn, f"Ranked dots of {len(frame)} areas, from {low} to {high}, median {number(median, 2)}.")
