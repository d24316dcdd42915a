"""Emergency care: are more people admitted than expected, is it growing, and can the figures be believed?

For commissioners of urgent care pathways. Emergency admissions by residence, observed over expected, are held against
non-elective admissions by commissioner from the activity return, which shows where hospital records are missing.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import (
    Chapter,
    Standing,
    area_role,
    beside_title,
    names,
    peer_role,
    plain_measure,
    sentence,
    stated,
)
from cbs_analysis.chapters.monthly import Counted, gap_caveats, measure_finding, step_caution
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.comparing import estimates
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, plural, signed
from cbs_analysis.pack import Pack
from cbs_analysis.stats import funnel, intervals

CHAPTER = Chapter("emergency_care", "care pathway management")
HSCIC, MAR = "emergency_admissions", "monthly_activity_return"
NONELECTIVE = "nonelective_admissions"
COUNTED = Counted((NONELECTIVE,), "non-elective admissions", "nonelective_per_1000", "calendar day")
SHARP_FALL = 0.25
FIXED_RATES = (
    "The publisher holds every year against England's rates of 2008/09, so England itself is below 1 in earlier years."
)
UNCHECKED = "Years before the activity return starts cannot be checked against it."
OVERDISPERSED = (
    "Areas this large differ by more than chance alone, so most fall outside these limits; being outside says that the "
    "difference is real, not that it is large."
)


def plausibility_table(pack: Pack) -> pd.DataFrame:
    """Emergency admissions by residence over non-elective admissions by commissioner, a row a leaf, lowest first.

    Columns: area_code, area, by_residence, by_commissioner, share, flagged (below the edition's share of the median).
    """
    observed = _counts(pack, pack.edition.emergency_year)["admissions_observed"]
    commissioned = figures.year_totals(pack, pack.edition.emergency_year, [NONELECTIVE])[NONELECTIVE]
    frame = pd.DataFrame({"area_code": [area.code for area in pack.peers], "area": [area.name for area in pack.peers]})
    frame["by_residence"] = observed.reindex(frame["area_code"]).to_numpy()
    frame["by_commissioner"] = commissioned.reindex(frame["area_code"]).to_numpy()
    frame["share"] = frame["by_residence"] / frame["by_commissioner"]
    frame["flagged"] = frame["share"] < pack.edition.plausible_share * frame["share"].median()
    return frame.sort_values("share").reset_index(drop=True)


def flagged_areas(pack: Pack) -> list[str]:
    """Codes of the leaves whose emergency admissions are implausibly few."""
    frame = plausibility_table(pack)
    return frame.loc[frame["flagged"], "area_code"].tolist()


def _counts(pack: Pack, year: str) -> pd.DataFrame:
    """Observed and expected admissions of the leaves and England in a year, indexed by area_code."""
    table = pack.read(HSCIC)
    rows = table[table["financial_year"] == year].set_index("area_code")
    return pd.DataFrame(
        {name: figures.by_leaf(pack, rows[name]) for name in ("admissions_observed", "admissions_expected")}
    )


def ratios(pack: Pack, year: str) -> Standing:
    """Observed over expected emergency admissions of every area in a year."""
    counts = _counts(pack, year)
    counts = figures.leaf_counts(pack, counts["admissions_observed"], counts["admissions_expected"])
    measured = pack.indicators["emergency_admission_ratio"]
    return figures.standing(pack, counts, measured, figures.as_indirect_ratio, flagged_areas(pack))


def flag_reason(pack: Pack) -> str:
    """Why the area's emergency admissions by residence are not to be believed; empty where they are."""
    inside = [code for code in flagged_areas(pack) if code in pack.geography.leaves(pack.area.code)]
    if not inside:
        return ""
    where = "" if pack.area.is_leaf else f" in {names(pack, inside)}"
    return (
        f"The records of one or more hospitals are missing{where}: admissions by residence are implausibly few beside "
        f"what was commissioned. The value is shown as published but not compared, ranked or used as a comparator."
    )


def admission_ratio(pack: Pack) -> Finding:
    """Observed over expected emergency admissions, in a funnel over the peers."""
    year = pack.edition.emergency_year
    standing = ratios(pack, year)
    own, said, flag = standing.own(pack), sentence(pack, standing), flag_reason(pack)
    more = "more" if own.value > 1 else "fewer"
    clean = ""
    if flag and not pack.area.is_leaf and pack.area.code in standing.held.index:
        held = standing.held.loc[pack.area.code]
        out = standing.without[pack.area.code]
        clean = f" Without {names(pack, out)} it is {number(held.value, 3)}."
    opening = "Not to be relied on: as published, " if flag else ""
    statement = (
        f"{opening}{pack.area.name} had {number(own.numerator)} emergency admissions in {year} where "
        f"{number(own.denominator)} "
        f"would be expected at England's rates: {number(abs(100 * (own.value - 1)), 1)}% {more}, a ratio of "
        f"{stated(pack, standing)}{', ' + said if said and not flag else ''}.{clean}"
    )
    return CHAPTER.finding(
        pack,
        "admission_ratio",
        title="Emergency admissions against expected",
        statement=statement,
        standing=standing,
        period=year,
        sources=[HSCIC, MAR],
        caveats=[OVERDISPERSED, "Standardised for age and sex, not for deprivation or illness."],
        flag_reason=flag,
        chart=_funnel(pack, standing, year),
    )


def _funnel(pack: Pack, standing: Standing, year: str) -> Chart:
    frame = standing.table.loc[[area.code for area in pack.peers]].dropna(subset=["value"])
    own = set(pack.geography.leaves(pack.area.code)) if not pack.area.is_whole else set()
    points = pd.DataFrame(
        {
            "name": [pack.geography.area(code).name for code in frame.index],
            "x": frame["denominator"].to_numpy(),
            "y": frame["value"].to_numpy(),
            "role": [peer_role(c in own, f) for c, f in frame["flagged"].items()],
        }
    )
    expected = np.linspace(points["x"].min() * 0.9, points["x"].max() * 1.05, 40)
    limits = funnel.ratio_limits(expected)
    chart = charts.funnel(
        points,
        limits.assign(x=expected),
        average=1.0,
        average_label="England",
        title="Emergency admissions, observed over expected",
        subtitle=f"{pack.geography.whole.name}'s {len(frame)} areas, {year}; 1 is England's rates",
        x_title="Expected admissions",
        y_title="Observed over expected",
    )
    clean = points[points["role"] != "flagged"]["y"]
    description = (
        f"Funnel plot of {len(frame)} areas. Unflagged ratios run from {number(clean.min(), 2)} to "
        f"{number(clean.max(), 2)}. {plural(int((points['role'] == 'flagged').sum()), 'area')} flagged."
    )
    return Chart(chart, description)


def excess_admissions(pack: Pack) -> Finding:
    """Admissions above or below expected, with limits."""
    year = pack.edition.emergency_year
    ratio = ratios(pack, year)
    frame = ratio.table.copy()
    lower, upper = intervals.count_interval(frame["numerator"].to_numpy(float))
    frame["value"] = frame["numerator"] - frame["denominator"]
    frame["lower"], frame["upper"] = lower - frame["denominator"], upper - frame["denominator"]
    standing = Standing(plain_measure("Admissions above expected", "admissions", 0), frame, frame, ratio.without)
    own, flag = standing.own(pack), flag_reason(pack)
    word = "more" if own.value > 0 else "fewer"
    return CHAPTER.finding(
        pack,
        "excess_admissions",
        title="Admissions above or below expected",
        statement=f"{'As published, that' if flag else 'That'} is {number(abs(own.value))} {word} emergency "
        f"admissions than expected in {year} "
        f"(95% interval {signed(own.lower)} to {signed(own.upper)}).",
        standing=standing,
        comparisons=(),
        period=year,
        sources=[HSCIC],
        caveats=["Expected is at England's rates, so an area need not aim for none above it."],
        flag_reason=flag,
    )


def ratio_trend(pack: Pack) -> Finding:
    """Observed over expected by year, with comparators free of flagged areas."""
    years = sorted(pack.read(HSCIC)["financial_year"].unique())
    standings = {year: ratios(pack, year) for year in years}
    areas = (pack.area, *pack.comparators)
    rows = []
    for year, standing in standings.items():
        for area in areas:
            own = area.code == pack.area.code
            found = (standing.table if own else standing.held).loc[area.code]
            rows.append(
                {"x": year, "series": area.name, "value": found.value, "lower": found.lower, "upper": found.upper,
                 "observed": found.numerator, "expected": found.denominator, "role": area_role(pack, area)}
            )  # fmt: skip
    frame = pd.DataFrame(rows)
    own = frame[frame["role"] == "area"].set_index("x")
    measured = plain_measure("Change in the emergency admission ratio", "ratio", 2)
    change = own["value"].iloc[-1] - own["value"].iloc[0]
    flag = flag_reason(pack)
    england = _england_change(pack, standings)
    chart = charts.lines(
        frame,
        title="Emergency admissions, observed over expected, by year",
        subtitle=f"{pack.area.name} and comparators; every year is held against England's rates of {years[-1]}",
        x_title="Financial year",
        value_title="Observed over expected",
        x_type="ordinal",
        value_format=",.2f",
    )
    columns = {
        "x": Column("Financial year"),
        "observed": Column("Observed", decimals=0),
        "expected": Column("Expected", decimals=0),
        "value": Column("Ratio", decimals=3),
        "lower": Column("95% lower limit", decimals=3),
        "upper": Column("95% upper limit", decimals=3),
    }
    return CHAPTER.finding(
        pack,
        "ratio_trend",
        title="Trend since 2003/04",
        statement=f"{'As published, ' if flag else ''}{pack.area.name}'s ratio went from "
        f"{number(own['value'].iloc[0], 2)} in {years[0]} to "
        f"{number(own['value'].iloc[-1], 2)} in {years[-1]} ({signed(change, 2)}){england}.",
        measured=measured,
        value=change,
        period=f"{years[0]} to {years[-1]}",
        sources=[HSCIC],
        caveats=[FIXED_RATES, UNCHECKED, *_sharp_falls(pack, years), *_held_without(pack, standings[years[-1]])],
        flag_reason=flag,
        table=Table(f"{pack.area.name} by year", own.reset_index(), columns),
        members=_trend_members(pack, standings),
        chart=Chart(chart, f"Line chart by year. {pack.area.name} goes from {number(own['value'].iloc[0], 2)} "
                    f"to {number(own['value'].iloc[-1], 2)}{england}."),
    )  # fmt: skip


def _england_change(pack: Pack, standings: dict[str, Standing]) -> str:
    national = pack.geography.national
    if national.code == pack.area.code:
        return ""
    first, *_, last = (standing.held.loc[national.code, "value"] for standing in standings.values())
    return f"; {national.name} went from {number(first, 2)} to {number(last, 2)}"


def _held_without(pack: Pack, standing: Standing) -> list[str]:
    codes = [area.code for area in pack.comparators if area.code in standing.without]
    return [
        f"{pack.geography.area(code).name} is without {names(pack, standing.without[code])} in every year."
        for code in codes
    ]


def _sharp_falls(pack: Pack, years: list[str]) -> list[str]:
    """Boroughs whose observed admissions fall by a quarter or more in one year: records more than care."""
    table, boroughs = pack.read(HSCIC), pack.read("boroughs")
    inside = boroughs[boroughs["pct_code"].isin(pack.geography.leaves(pack.area.code))]
    wide = table.pivot(index="area_code", columns="financial_year", values="admissions_observed")[years]
    wide = wide.reindex(inside["borough_code"])
    fall = wide / wide.shift(axis=1) - 1
    found = [
        f"{row.borough_name} in {year} ({number(100 * fall.loc[row.borough_code, year])}%)"
        for row in inside.itertuples()
        for year in years[1:]
        if fall.loc[row.borough_code, year] <= -SHARP_FALL
    ]
    return (
        [f"A fall of a quarter or more in one year is more likely records than care: {listed(found)}."] if found else []
    )


def _trend_members(pack: Pack, standings: dict[str, Standing]) -> Table:
    frame = pd.DataFrame({"area": [area.name for area in pack.beside]})
    last = list(standings.values())[-1]
    for year, standing in standings.items():
        frame[year] = [standing.table.loc[area.code, "value"] for area in pack.beside]
    frame["note"] = ["flagged" if last.table.loc[area.code, "flagged"] else "" for area in pack.beside]
    columns = {"area": Column("Area")} | {year: Column(year, decimals=2) for year in standings}
    return Table(f"{beside_title(pack)}, ratio by year", frame, columns | {"note": Column("Note")}, pack.area.name)


def nonelective(pack: Pack) -> Finding:
    """Non-elective admissions per 1,000 people in the year, and per calendar day by month."""
    return measure_finding(
        pack,
        CHAPTER,
        "nonelective",
        COUNTED,
        title="Non-elective admissions by month",
        caveats=[
            "A crude rate: older or sicker populations will have more, so it is not judged better or worse.",
            "Counted by commissioner, as episodes; the ratio above counts spells by residence. They do not reconcile "
            "and should not.",
        ],
    )


def nonelective_growth(pack: Pack) -> Finding:
    """Growth in non-elective admissions by year, against comparators."""
    year = pack.edition.activity_year
    before = figures.earlier_year(year)
    now, then = (figures.year_totals(pack, y, [NONELECTIVE])[NONELECTIVE] for y in (year, before))
    first = figures.earlier_year(year, 2)
    start = figures.year_totals(pack, first, [NONELECTIVE])[NONELECTIVE]
    frame = pd.DataFrame({"numerator": now, "denominator": then})
    frame["value"] = 100 * (now / then - 1)
    frame["lower"], frame["upper"] = _growth_limits(now, then)
    broken = set().union(*(figures.broken_in(pack, [NONELECTIVE], y) for y in (year, before)))
    table = estimates(frame.rename_axis("area_code"))
    table["flagged"] = table.index.isin(list(broken))
    standing = Standing(plain_measure("Growth in non-elective admissions", "%", 1), table, table, {})
    own, said = standing.own(pack), sentence(pack, standing)
    earlier = 100 * (then / start - 1)
    by_year = pd.DataFrame(
        {"area": [area.name for area in (pack.area, *pack.comparators)],
         "earlier": [earlier.get(area.code, np.nan) for area in (pack.area, *pack.comparators)],
         "latest": [table["value"].get(area.code, np.nan) for area in (pack.area, *pack.comparators)]}
    )  # fmt: skip
    rows = figures.activity(pack)
    series = rows[rows["area_code"] == pack.area.code].assign(value=lambda f: f[NONELECTIVE])
    statement = (
        f"{pack.area.name}'s non-elective admissions changed by {signed(own.value, 1)}% from {before} to {year}"
        f"{', ' + said if said else ''}; the year before, by {signed(earlier[pack.area.code], 1)}%."
        if not np.isnan(own.value)
        else f"{pack.area.name}'s growth cannot be given: months are missing in the return."
    )
    notes = [
        f"Recording, not care, in {found.area.name}: {found.note}"
        for found in figures.recording_breaks(pack, NONELECTIVE)
        if found.area.code in pack.geography.leaves(pack.area.code)
    ]
    return CHAPTER.finding(
        pack,
        "nonelective_growth",
        title="Growth by year",
        statement=statement,
        standing=standing,
        caution=step_caution(pack, COUNTED),
        period=f"{first} to {year}",
        sources=[MAR],
        caveats=["Limits treat each year's admissions as independent counts.", *notes, *gap_caveats(series)],
        table=Table(
            "Growth by year",
            by_year,
            {
                "area": Column("Area"),
                "earlier": Column(f"{first} to {before}", "%", 1),
                "latest": Column(f"{before} to {year}", "%", 1),
            },
            emphasis=pack.area.name,
        ),
    )


def _growth_limits(now: pd.Series, then: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Limits of growth in percent: the share of two years' events in the later one has Wilson limits."""
    both = (now + then).to_numpy(float)
    lower, upper = intervals.proportion_interval(now.to_numpy(float), both)
    return pd.Series(100 * (lower / (1 - lower) - 1), now.index), pd.Series(100 * (upper / (1 - upper) - 1), now.index)


def plausibility(pack: Pack) -> Finding:
    """Emergency admissions by residence against what the area's PCTs commissioned: where records are missing."""
    frame, year = plausibility_table(pack), pack.edition.emergency_year
    inside = frame["area_code"].isin(pack.geography.leaves(pack.area.code))
    own = frame[inside]
    share = own["by_residence"].sum() / own["by_commissioner"].sum()
    flagged = own.loc[own["flagged"], "area"].tolist()
    median, floor = frame["share"].median(), pack.edition.plausible_share * frame["share"].median()
    verdict = f"{listed(flagged)} flagged: records are missing" if flagged else "nothing is flagged"
    chart = charts.ranked_intervals(
        pd.DataFrame(
            {
                "name": frame["area"],
                "value": frame["share"],
                "lower": np.nan,
                "upper": np.nan,
                "role": [
                    peer_role(own and not pack.area.is_whole, flag)
                    for own, flag in zip(inside, frame["flagged"], strict=True)
                ],
            }
        ),
        title="Admissions by residence over admissions commissioned",
        subtitle=f"{year}; below {number(floor, 2)} the figures are flagged",
        value_title="Ratio",
        value_format=",.2f",
        reference=("Median", float(median)),
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
        function="monitoring",
        statement=f"In {year} emergency admissions by residence were {number(share, 2)} of the non-elective admissions "
        f"that {pack.area.name} commissioned (median area {number(median, 2)}): {verdict}.",
        measured=plain_measure("Admissions by residence over commissioned", "ratio", 2),
        value=share,
        period=year,
        sources=[HSCIC, MAR],
        caveats=[
            "The two count differently (spells by residence, episodes by commissioner), so the ratio is seldom 1.",
            f"Flagged is below {number(pack.edition.plausible_share, 3)} of the median area's ratio.",
        ],
        flag_reason=flag_reason(pack),
        members=Table(beside_title(pack), shown, columns, emphasis=pack.area.name),
        chart=Chart(chart, f"Ranked dots of {len(frame)} areas, from {number(frame['share'].min(), 2)} to "
                    f"{number(frame['share'].max(), 2)}, median {number(median, 2)}."),
    )  # fmt: skip


__all__ = [
    "admission_ratio",
    "excess_admissions",
    "nonelective",
    "nonelective_growth",
    "plausibility",
    "ratio_trend",
]
