"""Emergency care: are more people admitted than expected, is it growing, and can the figures be believed?

For commissioners of urgent care pathways. Emergency admissions by residence, observed over expected, are compared with
non-elective admissions by commissioner, which shows where hospital records are missing.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cbs_analysis.chapters import recording_changes
from cbs_analysis.chapters.activity_series import gap_caveats, series_finding
from cbs_analysis.chapters.area_estimates import (
    LIMITED,
    AreaEstimates,
    area_estimates,
    area_role,
    as_change,
    beside_title,
    left_out,
    names,
    plain_measure,
    sentence,
    stated,
)
from cbs_analysis.chapters.emergency_funnel import caveats, funnel_chart, judged, places, sentences, standard_rates
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value, value_of
from cbs_analysis.chapters.plausibility import (
    ADMISSIONS,
    NONELECTIVE,
    counted_parts,
    flag_reason,
    plausibility,
    ratios,
    records_caution,
    sharp_falls,
    yearly_admissions,
)
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, sentence_case, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import leaf_counts
from cbs_analysis.pack.series import of_area, series, series_totals
from cbs_analysis.periods import Period, parse_period
from cbs_analysis.stats import standardisation, trend

CHAPTER = Chapter("emergency_care", "care pathway management")
FIXED_RATES = "The publisher compares every year with the rates of one year, so the standard is not 1 in the others."
NO_ADMISSIONS = "{area} has no count of emergency admissions by residence for {year}: figures are missing."
TREND_RULE = (
    "A slope over the last five years is named where it is beyond what counting by chance gives once in 500 times, and "
    "keeps its sign whichever year is left out: with counts so large a small drift is enough. It is called a trend "
    "where it is as clear beside how unevenly the years lie about it."
)
NO_TREND, DIRECTIONS = "no significant change", {"increasing": "upward", "decreasing": "downward"}
UNCHECKED = "Years before the activity return starts cannot be checked against it."


def admission_ratio(pack: Pack) -> Finding:
    """Observed over expected emergency admissions, in a funnel over the peers."""
    year = pack.period("emergency")
    estimates = ratios(pack, year)
    found = judged(pack, estimates)
    own, compared, flag = estimates.own(pack), sentence(pack, estimates), flag_reason(pack)
    more = "more" if own.value > 1 else "fewer"
    clean = ""
    if flag and not pack.area.is_leaf and not np.isnan(rest := estimates.comparators.loc[pack.area.code, "value"]):
        clean = f" Without {names(pack, estimates.without[pack.area.code])} it is {number(rest, 2)}."
    opening = "Not to be relied on: as published, " if flag else ""
    statement = (
        f"{opening}{pack.area.name} had {number(own.numerator)} emergency admissions in {year} where "
        f"{number(own.denominator)} "
        f"would be expected at {standard_rates(pack)}: {number(abs(100 * (own.value - 1)), 1)}% {more}, a ratio of "
        f"{stated(pack, estimates)}{', ' + compared if compared and not flag else ''}.{clean}{sentences(pack, found)}"
        if not np.isnan(own.value)
        else NO_ADMISSIONS.format(area=pack.area.name, year=year)
    )
    return CHAPTER.finding(
        pack,
        "admission_ratio",
        title="Emergency admissions against expected",
        statement=statement,
        value=value_of(pack, estimates),
        basis=Basis(
            period=year.label,
            sources=[ADMISSIONS, series(pack, NONELECTIVE).table],
            methods=["funnel-ratios", "overdispersion"],
            caveats=[*caveats(pack, found), "Standardised for age and sex, not for deprivation or illness."],
            flag_reason=flag,
            caution=records_caution(pack),
        ),
        exhibits=Exhibits(table=places(pack, estimates, found), chart=funnel_chart(pack, estimates, found, year.label)),
    )


def excess_admissions(pack: Pack) -> Finding:
    """Admissions above or below expected, with limits."""
    year = pack.period("emergency")
    ratio = ratios(pack, year)
    frame = ratio.table.copy()
    frame[LIMITED] = standardisation.excess_events(frame["numerator"], frame["denominator"])[LIMITED]
    measured = plain_measure("Admissions above expected", "admissions", 0)
    estimates = AreaEstimates(measured, frame, frame, ratio.without)
    own, flag = estimates.own(pack), flag_reason(pack)
    word = "more" if own.value > 0 else "fewer"
    return CHAPTER.finding(
        pack,
        "excess_admissions",
        title="Admissions above or below expected",
        statement=f"{'As published, ' if flag else ''}{pack.area.name} had {number(abs(own.value))} {word} emergency "
        f"admissions than expected in {year} (95% interval {signed(own.lower)} to {signed(own.upper)})."
        if not np.isnan(own.value)
        else NO_ADMISSIONS.format(area=pack.area.name, year=year),
        value=value_of(pack, estimates, comparisons=()),
        basis=Basis(
            period=year.label,
            sources=[ADMISSIONS],
            methods=["excess-events"],
            caveats=[f"Expected is at {standard_rates(pack)}, so an area need not aim for none above it."],
            flag_reason=flag,
            caution=records_caution(pack),
        ),
    )


def ratio_trend(pack: Pack) -> Finding:
    """Observed over expected by year, with comparators free of flagged areas."""
    years = sorted(pack.read(ADMISSIONS)["financial_year"].unique())
    yearly = {year: ratios(pack, _year(pack, year)) for year in years}
    known = yearly[years[-1]].comparators.index
    areas = (pack.area, *(area for area in pack.comparators if area.code in known))
    rows = []
    for year, estimates in yearly.items():
        for area in areas:
            own = area.code == pack.area.code
            found = (estimates.table if own else estimates.comparators).loc[area.code]
            rows.append(
                {"x": year, "series": area.name, "value": found.value, "lower": found.lower, "upper": found.upper,
                 "observed": found.numerator, "expected": found.denominator, "role": area_role(pack, area)}
            )  # fmt: skip
    frame = pd.DataFrame(rows)
    own = frame[frame["role"] == "area"].set_index("x")
    measured = plain_measure("Change in the emergency admission ratio", "ratio", 2)
    change = own["value"].iloc[-1] - own["value"].iloc[0]
    shown = own["value"].iloc[-1].round(2) - own["value"].iloc[0].round(2)  # as a reader would take it from the two
    flag = flag_reason(pack)
    nation = _nation_change(pack, yearly)
    trends, falls = _recent_trends(pack.common, years), _sharp_falls(pack, pack.area.code)
    chart = charts.lines(
        frame,
        title="Emergency admissions, observed over expected, by year",
        subtitle=f"{pack.area.name} and comparators; every year is compared with {standard_rates(pack)} of one year",
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
        title="Trend",
        statement=f"{'As published, ' if flag else ''}{pack.area.name}'s ratio went from "
        f"{number(own['value'].iloc[0], 2)} in {years[0]} to "
        f"{number(own['value'].iloc[-1], 2)} in {years[-1]} ({signed(shown, 2)}){nation}."
        f"{_trend_sentence(pack, trends, flag)}"
        if not np.isnan(change)
        else NO_ADMISSIONS.format(area=pack.area.name, year=f"{years[0]} or {years[-1]}"),
        value=Value(measured, change),
        basis=Basis(
            period=f"{years[0]} to {years[-1]}",
            sources=[ADMISSIONS],
            methods=["indirect-standardisation", "recent-trend"],
            caveats=[
                FIXED_RATES,
                TREND_RULE,
                UNCHECKED,
                *_named(falls),
                *_comparators_without(pack, yearly[years[-1]]),
            ],
            flag_reason=flag,
            caution=records_caution(pack),
        ),
        exhibits=Exhibits(
            table=Table(f"{pack.area.name} by year", own.reset_index(), columns),
            members=_trend_members(pack, yearly, trends),
            chart=Chart(
                chart,
                f"Line chart by year. {pack.area.name} goes from {number(own['value'].iloc[0], 2)} "
                f"to {number(own['value'].iloc[-1], 2)}{nation}.",
            ),
        ),
    )


def _year(pack: Pack, label: str) -> Period:
    return parse_period(label, pack.edition.year_starts)


def _nation_change(pack: Pack, yearly: dict[str, AreaEstimates]) -> str:
    nation, (first, *_, last) = pack.geography.nation, list(yearly.values())
    if nation is None or nation.code == pack.area.code or nation.code not in last.comparators.index:
        return ""
    before, now = (estimates.comparators.loc[nation.code, "value"] for estimates in (first, last))
    return "" if np.isnan(now) else f"; {nation.name} went from {number(before, 2)} to {number(now, 2)}"


def _comparators_without(pack: Pack, estimates: AreaEstimates) -> list[str]:
    return [f"{sentence_case(part)} in every year." for part in left_out(pack, estimates).values()]


def _sharp_falls(pack: Pack, code: str) -> list[tuple[str, str, float]]:
    """Parts of an area whose admissions fall by a quarter or more in one year, the year, and the share."""
    return [
        (pack.geography.names[part], str(year), fall)
        for part in counted_parts(pack, code)
        for year, fall in sharp_falls(yearly_admissions(pack, part)).items()
    ]


def _named(falls: list[tuple[str, str, float]]) -> list[str]:
    years = listed(f"{name} in {year} ({number(100 * fall)}%)" for name, year, fall in falls)
    return [f"A fall of a quarter or more in one year is more likely records than care: {years}."] if falls else []


def _recent_trends(pack: Pack, years: Sequence[str]) -> pd.DataFrame:
    """Trend and reason of every area's last five years, indexed by area_code: see `stats.trend.recent_trend`.

    `is_clear` where the slope would be beyond chance too if chance were as wide as the years' scatter about it,
    `is_short` where records fall sharply from one of those years to the next.
    """

    def make() -> pd.DataFrame:
        parts = [ratios(pack, _year(pack, year)).table[LIMITED].assign(start=int(year[:4])) for year in years]
        rows = pd.concat(parts).rename_axis("area_code").reset_index()
        found = trend.recent_trend(rows, "area_code", "start", "value", "lower", "upper")
        later = years[-trend.POINTS + 1 :]
        return found.assign(
            is_clear=found["chi_squared"] > trend.CHI_SQUARED * found["scatter"].clip(lower=1) ** 2,
            is_short=[any(year in later for _, year, _ in _sharp_falls(pack, str(code))) for code in found.index],
        )

    return pack.once("recent trends", make)


def _trend_sentence(pack: Pack, trends: pd.DataFrame, flag: str) -> str:
    """Whether the area's last five years are a trend; none is named where figures are flagged or fall sharply."""
    found = trends.loc[pack.area.code]
    if flag:
        return " No trend is named, because the figures are flagged."
    if found.is_short:
        return " No trend is named, because records may be short in some of these years."
    if found.trend == NO_TREND:
        return f" Over the last five years that is no clear trend: {found.reason}."
    if found.trend not in DIRECTIONS:
        return f" Whether there is a trend cannot be said: {found.reason}."
    nation = pack.geography.nation
    beside = (
        f" ({nation.name}'s {signed(trends.loc[nation.code, 'slope'], 3)})"
        if nation and nation.code in trends.index and nation.code != pack.area.code
        else ""
    )
    slope = f"{DIRECTIONS[found.trend]}, by {signed(found.slope, 3)} a year{beside}"
    if found.is_clear:
        return f" Over the last five years the trend is {slope}, whichever year is left out."
    return (
        f" Over the last five years the slope is {slope}, but the years lie so unevenly about it, "
        f"{number(found.scatter)} times as far as chance in counting would put them, that it is no clear trend."
    )


def _short_trend(found: pd.Series) -> str:
    """A slope in a word or two, for a table."""
    if found.trend not in DIRECTIONS:
        return "none" if found.trend == NO_TREND else "not known"
    if found.is_short:
        return "not named"
    return DIRECTIONS[found.trend] + ("" if found.is_clear else ", uneven")


def _trend_members(pack: Pack, yearly: dict[str, AreaEstimates], trends: pd.DataFrame) -> Table:
    frame = pd.DataFrame({"area": [area.name for area in pack.beside]})
    last = list(yearly.values())[-1]
    for year, estimates in yearly.items():
        frame[year] = [estimates.table.loc[area.code, "value"] for area in pack.beside]
    flagged = [bool(last.table.loc[area.code, "flagged"]) for area in pack.beside]
    frame["trend"] = [
        "flagged" if out else _short_trend(trends.loc[area.code])
        for area, out in zip(pack.beside, flagged, strict=True)
    ]
    columns = {"area": Column("Area")} | {year: Column(year, decimals=2) for year in yearly}
    columns |= {"trend": Column("Slope")}
    return Table(f"{beside_title(pack)}, ratio by year, and slope of the last five", frame, columns, pack.area.name)


def activity(pack: Pack, name: str) -> Finding:
    """A series of emergency care: its rate in the year, and each month a day within process limits."""
    return series_finding(pack, CHAPTER, name)


def nonelective_growth(pack: Pack) -> Finding:
    """Growth in non-elective admissions by year, against comparators."""
    chosen, year = series(pack, NONELECTIVE), pack.period("activity")
    before, first = year.earlier(), year.earlier(2)
    latest, earlier = growth(pack, before, year), growth(pack, first, before)
    own, prior = latest.own(pack), earlier.own(pack)
    compared = sentence(pack, latest)
    areas = (pack.area, *(area for area in pack.comparators if area.code in latest.comparators.index))
    table = pd.DataFrame(
        {
            "area": [area.name for area in areas],
            "earlier": [_shown(pack, earlier, area) for area in areas],
            "latest": [_shown(pack, latest, area) for area in areas],
        }
    )
    if np.isnan(own.value):
        statement = f"{pack.area.name}'s growth cannot be given: figures are missing."
    else:
        known = not np.isnan(prior.value) and not prior.flagged
        past = f"; the year before, by {signed(prior.value, 1)}%" if known else ""
        statement = (
            f"{pack.area.name}'s non-elective admissions changed by {signed(own.value, 1)}% from {before} to {year}"
            f"{', ' + compared if compared else ''}{past}."
        )
    values = of_area(pack, chosen, pack.area.code).rename("value").rename_axis("month").reset_index()
    return CHAPTER.finding(
        pack,
        "nonelective_growth",
        title="Growth by year",
        statement=statement,
        value=value_of(pack, latest),
        basis=Basis(
            period=f"{first} to {year}",
            sources=[chosen.table],
            methods=["changes-between-counts"],
            caveats=[
                "Limits treat each year's admissions as independent counts.",
                *recording_changes.caveats(pack, chosen),
                *recording_changes.comparators_that_step(
                    pack, chosen, year.steps(chosen.frequency), recording_changes.SHARE_OF_GROWTH
                ),
                *gap_caveats(values, chosen),
            ],
            flag_reason="Recording changed in one of the two years, so growth is not compared." if own.flagged else "",
            caution=recording_changes.caution(pack, chosen),
        ),
        exhibits=Exhibits(
            table=Table(
                "Growth by year",
                table,
                {
                    "area": Column("Area"),
                    "earlier": Column(f"{first} to {before}", "%", 1),
                    "latest": Column(f"{before} to {year}", "%", 1),
                },
                emphasis=pack.area.name,
            )
        ),
    )


def _shown(pack: Pack, estimates: AreaEstimates, area: Area) -> float:
    """An area's value: its own as published, a comparator's without flagged areas."""
    return float((estimates.table if area is pack.area else estimates.comparators).loc[area.code, "value"])


def growth(pack: Pack, before: Period, year: Period) -> AreaEstimates:
    """Growth in non-elective admissions from one year to another in percent, for every area."""
    chosen = series(pack, NONELECTIVE)
    now, then = (series_totals(pack, chosen, each) for each in (year, before))
    counts = leaf_counts(pack, now, then)
    measured = plain_measure("Growth in non-elective admissions", "%", 1, per=100)
    flagged = recording_changes.broken_in(pack, [chosen], before, year)
    return area_estimates(pack, counts, measured, as_change, flagged)


__all__ = [
    "activity",
    "admission_ratio",
    "excess_admissions",
    "nonelective_growth",
    "plausibility",
    "ratio_trend",
]
