"""Can emergency admissions by residence be believed? Compared with what was commissioned, area by area.

For the chapter on emergency care, which shows, ranks and compares its figures by the result. Where hospital records are
missing, admissions by residence fall far below those commissioned for the same area.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import (
    AreaEstimates,
    area_estimates,
    as_indirect_ratio,
    leaf_levels,
    names,
    peer_role,
    plain_measure,
)
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import by_leaf, leaf_counts
from cbs_analysis.pack.series import area_column, series, series_totals
from cbs_analysis.periods import Period
from cbs_analysis.stats import rates

CHAPTER = Chapter("emergency_care", "monitoring")
ADMISSIONS, NONELECTIVE = "emergency_admissions", "nonelective"  # a table, and a series of params/series.yml
SHARP_FALL = 0.25
RECOVERED = 0.9  # of the level before a sharp fall


def plausibility_table(pack: Pack) -> pd.DataFrame:
    """Emergency admissions by residence over non-elective admissions by commissioner, a row a leaf, lowest first.

    Columns: area_code, area, by_residence, by_commissioner, share, unchecked (either count is missing), flagged
    (unchecked, or below the edition's share of the median).
    """
    return pack.common.once("plausibility", lambda: _plausibility_table(pack.common))


def _plausibility_table(pack: Pack) -> pd.DataFrame:
    year = pack.period("emergency")
    observed = _counts(pack, year)["admissions_observed"]
    commissioned = series_totals(pack, series(pack, NONELECTIVE), year)
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


def _counts(pack: Pack, year: Period) -> pd.DataFrame:
    """Observed and expected admissions of the leaves and the nation in a year, indexed by area_code."""
    pack = pack.common

    def make() -> pd.DataFrame:
        table = pack.read(ADMISSIONS)
        rows = table[table["financial_year"] == year.label].set_index(area_column(pack, ADMISSIONS).name)
        return pd.DataFrame(
            {name: by_leaf(pack, rows[name]) for name in ("admissions_observed", "admissions_expected")}
        )

    return pack.once(("admissions", year), make)


def ratios(pack: Pack, year: Period) -> AreaEstimates:
    """Observed over expected emergency admissions of every area in a year."""
    counts = _counts(pack, year)
    counts = leaf_counts(pack, counts["admissions_observed"], counts["admissions_expected"])
    measured = pack.indicators["emergency_admission_ratio"]
    return area_estimates(pack, counts, measured, as_indirect_ratio, flagged_areas(pack))


def flag_reason(pack: Pack) -> str:
    """Why the area's emergency admissions by residence are not to be believed; empty where they are."""
    if not bool(ratios(pack, pack.period("emergency")).own(pack).flagged):
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
    """Names parts whose admissions fell sharply in one year and have not come back, where they are not flagged."""
    flagged = flagged_areas(pack)
    falls = unrecovered_falls(pack, [code for code in pack.geography.leaves(pack.area.code) if code not in flagged])
    if not falls or flag_reason(pack):
        return ""
    return (
        f"Admissions by residence may be short of records: {listed(falls)} and had not come back by "
        f"{pack.period('emergency')}. The {leaf_levels(pack, 1)} as a whole passes the check of its records, so it is "
        "not flagged."
    )


def unrecovered_falls(pack: Pack, leaves: Sequence[str]) -> list[str]:
    """Parts of these leaves whose admissions fell sharply in one year and have not come back, with the fall."""
    return [
        f"{pack.geography.names[code]}'s {fall}"
        for leaf in leaves
        for code in counted_parts(pack, leaf)
        if (fall := _unrecovered_fall(pack, code))
    ]


def counted_parts(pack: Pack, code: str) -> list[str]:
    """Codes of what admissions are published for in an area: its leaves, or the parts that they are made of."""
    known = set(pack.read(ADMISSIONS)[area_column(pack, ADMISSIONS).name])
    leaves = pack.geography.leaves(code)
    own = [leaf for leaf in leaves if leaf in known]
    return own or [part for part in pack.geography.parts_of(code) if part in known]


def yearly_admissions(pack: Pack, code: str) -> pd.Series:
    """A published area's observed emergency admissions, indexed by financial year in order."""
    pack = pack.common

    def make() -> dict[str, pd.Series]:
        rows = pack.read(ADMISSIONS).set_index("financial_year").sort_index()
        area = area_column(pack, ADMISSIONS).name
        return {str(each): part["admissions_observed"] for each, part in rows.groupby(area)}

    return pack.once("yearly admissions", make).get(code, pd.Series(dtype=float))


def sharp_falls(yearly: pd.Series) -> pd.Series:
    """Years in which a series fell by a quarter or more, with the fall as a share below zero."""
    change = rates.relative_change(yearly, yearly.shift(), per=1)
    return change[change <= -SHARP_FALL]


def _unrecovered_fall(pack: Pack, code: str) -> str:
    yearly = yearly_admissions(pack, code).loc[: pack.period("emergency").label]
    for year, fall in sharp_falls(yearly).items():
        if yearly.iloc[-1] < RECOVERED * yearly[year] / (1 + fall):
            return f"fell by {number(-100 * fall)}% in {year}"
    return ""


def plausibility(pack: Pack) -> Finding:
    """Emergency admissions by residence against what was commissioned: where records are missing."""
    frame, year = plausibility_table(pack), pack.period("emergency")
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
        value=Value(plain_measure("Admissions by residence over commissioned", "ratio", 2), share),
        basis=Basis(
            period=year.label,
            sources=[ADMISSIONS, series(pack, NONELECTIVE).table],
            methods=["plain-ratios"],
            caveats=[
                "The two count differently (spells by residence, episodes by commissioner), so the ratio is seldom 1.",
                f"Flagged is below {number(pack.edition.plausible_share, 3)} of the median area's ratio.",
            ],
            flag_reason=flag_reason(pack),
        ),
        exhibits=Exhibits(
            members=Table(f"{len(shown)} areas side by side", shown, columns, emphasis=pack.area.name),
            chart=_ranked(pack, frame),
        ),
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
        subtitle=f"{pack.period('emergency')}; flagged below {number(pack.edition.plausible_share * median, 2)}",
        value_title="Ratio",
        value_format=",.2f",
        reference=("Median", median),
    )
    low, high = number(frame["share"].min(), 2), number(frame["share"].max(), 2)
    return Chart(drawn, f"Ranked dots of {len(frame)} areas, from {low} to {high}, median {number(median, 2)}.")
