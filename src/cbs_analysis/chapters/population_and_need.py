"""Population and need: how many people, of what ages, how that changes, how long they live and how deprived they are.

For strategic planning. From mid-year population estimates and components of change, published life expectancy and ranks
of deprivation; a plan's own earlier figures stand beside them where a home holds any.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import (
    AreaEstimates,
    area_estimates,
    area_role,
    as_rate,
    beside_title,
    comparator_role,
    in_sentence,
    is_group,
    plain_estimates,
    plain_measure,
    sentence,
    stated,
)
from cbs_analysis.chapters.deprivation import deprivation
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value, value_of
from cbs_analysis.chapters.life_expectancy import life_expectancy_female, life_expectancy_male
from cbs_analysis.chapters.similar_areas import similar_areas
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.comparing import beside
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, measure, number, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import (
    CHANGE,
    POPULATION,
    by_leaf,
    complete_sum,
    leaf_counts,
    leaves_by,
    people_by_age,
    vital_events,
)
from cbs_analysis.pack.series import area_column
from cbs_analysis.stats import rates

CHAPTER = Chapter("population_and_need", "strategic planning")
SHARES = {"0-4": (0, 4), "20-34": (20, 34), "65+": (65, 200), "85+": (85, 200)}
BANDS = {f"{low}-{low + 4}": (low, low + 4) for low in range(0, 90, 5)} | {"90+": (90, 200)}
COMPONENTS = {
    "births": "Births",
    "deaths": "Deaths",
    "internal_net_migration": "Internal migration",
    "international_net_migration": "International migration",
    "remainder": "Other changes",
}
ESTIMATE = "A mid-year estimate; the publisher gives no limits with it."


def size(pack: Pack) -> Finding:
    """Residents at mid-year, and each year since the base year."""
    now, first_year = pack.period("population"), _first_year(pack)
    years = {y: people_by_age(pack, y) for y in range(first_year, now.year + 1)}
    estimates = plain_estimates(pack.indicators["population"], years[now.year])
    own = estimates.own(pack)
    trend = pd.DataFrame({"year": list(years), "people": [series[pack.area.code] for series in years.values()]})
    share = "" if pack.area.is_whole else _share_of_whole(pack, own.value)
    chart = charts.lines(
        trend.assign(x=trend["year"], series=pack.area.name, value=trend["people"], role="area"),
        title="Residents at mid-year",
        subtitle=f"{pack.area.name}, {first_year} to {now.year}",
        x_title="Mid-year",
        value_title="People",
        value_format=",.0f",
        x_type="year",
    )
    return CHAPTER.finding(
        pack,
        "size",
        title="How many people",
        statement=f"{pack.area.name} had {number(own.value)} residents at {now}{share}.",
        value=value_of(pack, estimates),
        basis=Basis(period=now.label, sources=[POPULATION], caveats=[ESTIMATE]),
        exhibits=Exhibits(
            table=Table(
                "Residents by year",
                trend,
                {"year": Column("Mid-year"), "people": Column("Residents", decimals=0)},
            ),
            chart=Chart(chart, _trend_description(pack, trend, "people", "residents")),
        ),
    )


def growth(pack: Pack) -> Finding:
    """Growth in residents since the base year, against others."""
    base, now, measured = (
        pack.period("population_base"),
        pack.period("population"),
        pack.indicators["population_growth_pct"],
    )
    span = range(base.year, now.year + 1)
    first, last = people_by_age(pack, base.year), people_by_age(pack, now.year)
    estimates = plain_estimates(measured, rates.relative_change(last, first), numerator=last - first, denominator=first)
    own = estimates.own(pack)
    shown = (pack.area, *(area for area in pack.comparators if area.code in first))
    index = pd.concat(
        [
            pd.DataFrame(
                {
                    "x": span,
                    "series": area.name,
                    "value": [rates.ratio(people_by_age(pack, y)[area.code], first[area.code], per=100) for y in span],
                    "role": "area" if area is pack.area else comparator_role(pack, area),
                }
            )
            for area in shown
        ],
        ignore_index=True,
    )
    chart = charts.lines(
        index,
        title=f"Population growth, {base} set to 100",
        subtitle=f"{pack.area.name} and comparators",
        x_title="Mid-year",
        value_title=f"Index, {base.year} = 100",
        x_type="year",
    )
    table = index.pivot(index="x", columns="series", values="value").reset_index()
    columns = {"x": Column("Mid-year")} | {area.name: Column(area.name, decimals=1) for area in shown}
    return CHAPTER.finding(
        pack,
        "growth",
        title="Growth",
        statement=f"{pack.area.name}'s population changed by {signed(own.value, 1)}% from {base} to "
        f"{now} ({signed(own.numerator)} people){_beside(pack, estimates)}.",
        value=value_of(pack, estimates),
        basis=Basis(period=f"{base} to {now}", sources=[POPULATION], caveats=[ESTIMATE]),
        exhibits=Exhibits(
            table=Table(f"Population, {base} set to 100", table, columns),
            chart=Chart(
                chart,
                f"Line chart of population since {base.year}, each area's {base.year} set to 100. "
                f"{pack.area.name} reaches {number(100 + own.value, 1)}.",
            ),
        ),
    )


def age_profile(pack: Pack) -> Finding:
    """The age profile, with the shares that matter most to services, against others."""
    now = pack.period("population")
    year = now.year
    total = people_by_age(pack, year)
    shares = {name: rates.ratio(people_by_age(pack, year, *ages), total, per=100) for name, ages in SHARES.items()}
    comparators = tuple(area for area in pack.comparators if area.code in total)
    areas = (pack.area, *comparators)
    frame = pd.DataFrame({"ages": list(shares)})
    for area in areas:
        frame[area.name] = [shares[name][area.code] for name in shares]
    frame["people"] = [shares[name][pack.area.code] * total[pack.area.code] / 100 for name in shares]
    columns = {"ages": Column("Ages")} | {area.name: Column(f"{area.name}, %", decimals=1) for area in areas}
    columns["people"] = Column(f"People in {pack.area.name}", decimals=0)
    profile = _profile(pack, total, (pack.area, *comparators[-2:]))
    profile_text = listed(
        f"{number(shares[name][pack.area.code], 1)}% aged {name}{_points(pack, shares[name])}" for name in shares
    )
    members = pd.DataFrame({"area": [area.name for area in pack.beside]})
    for name, values in shares.items():
        members[name] = [values[area.code] for area in pack.beside]
    chart = charts.age_profile(
        profile,
        title="Share of residents by age",
        subtitle=f"{pack.area.name}, {now}, with {listed(area.name for area in comparators[-2:])}"
        if comparators
        else f"{pack.area.name}, {now}",
    )
    young = shares["20-34"][pack.area.code]
    return CHAPTER.finding(
        pack,
        "age_profile",
        title="Age profile",
        statement=f"In {pack.area.name} at {now}: {profile_text}.",
        value=Value(
            plain_measure("Residents aged 20 to 34", "%", 1, interval="not published"),
            young,
            comparisons=[
                beside(area, shares["20-34"][area.code], is_group=is_group(pack, area)) for area in comparators
            ],
        ),
        basis=Basis(period=now.label, sources=[POPULATION], methods=["aggregation"], caveats=[ESTIMATE]),
        exhibits=Exhibits(
            table=Table("Shares of residents by age", frame, columns),
            members=Table(
                beside_title(pack),
                members,
                {"area": Column("Area")} | {name: Column(f"{name}, %", decimals=1) for name in shares},
                emphasis=pack.area.name,
            ),
            chart=Chart(chart, f"Age profile of {pack.area.name} in five-year bands: {profile_text}."),
        ),
    )


def _profile(pack: Pack, total: pd.Series, areas: tuple[Area, ...]) -> pd.DataFrame:
    rows = []
    for band, ages in BANDS.items():
        people = people_by_age(pack, pack.period("population").year, *ages)
        for area in areas:
            role = area_role(pack, area)
            share = rates.ratio(people[area.code], total[area.code], per=100)
            rows.append({"age_band": band, "series": area.name, "share_pct": share, "role": role})
    return pd.DataFrame(rows)


def change(pack: Pack) -> Finding:
    """Why the population changes: births, deaths, migration and the remainder, by year."""
    frame = components(pack)
    own = frame[frame["area_code"] == pack.area.code].set_index("mid_year")
    total = own[list(COMPONENTS)].sum(skipna=False)
    first, last = own.index.min() - 1, own.index.max()
    table = own.reset_index()[["mid_year", *COMPONENTS, "change"]]
    columns = {"mid_year": Column("Year to mid-")} | {
        name: Column(title, decimals=0) for name, title in {**COMPONENTS, "change": "Change in residents"}.items()
    }
    members = frame[frame["area_code"].isin([area.code for area in pack.beside])]
    members = complete_sum(members.groupby("area_code")[[*COMPONENTS, "change"]])
    members = members.reindex([area.code for area in pack.beside])
    members.insert(0, "area", [area.name for area in pack.beside])
    long = table.melt("mid_year", list(COMPONENTS), "component", "value").rename(columns={"mid_year": "year"})
    long["component"] = long["component"].map(COMPONENTS)
    chart = charts.components(
        long,
        title="What changes the population",
        subtitle=f"{pack.area.name}, years to mid-year",
        value_title="People",
    )
    natural, whole_change = total["births"] + total["deaths"], float(own["change"].sum(skipna=False))
    statement = (
        f"From mid-{first} to mid-{last} {pack.area.name}'s population changed by {signed(whole_change)}: "
        f"births less deaths {signed(natural)}, internal migration {signed(total['internal_net_migration'])}, "
        f"international migration {signed(total['international_net_migration'])}, other changes "
        f"{signed(total['remainder'])}."
    )
    return CHAPTER.finding(
        pack,
        "change",
        title="Why the population changes",
        statement=statement,
        value=Value(plain_measure("Change in residents", "people", 0, interval="not published"), whole_change),
        basis=Basis(
            period=f"mid-{first} to mid-{last}",
            sources=[CHANGE, POPULATION],
            methods=["aggregation"],
            caveats=[
                "Migration is estimated and is the least certain part. Other changes are what the components leave "
                "unexplained, later revisions of the estimates among them.",
                "Moves within one area are inside its migration figure and cancel out.",
            ],
        ),
        exhibits=Exhibits(
            table=Table("Components of change by year", table, columns),
            members=Table(
                f"{beside_title(pack)}, mid-{first} to mid-{last}",
                members,
                {"area": Column("Area"), **{name: columns[name] for name in (*COMPONENTS, "change")}},
                emphasis=pack.area.name,
            ),
            chart=Chart(chart, f"Stacked bars by year. {statement}"),
        ),
    )


def components(pack: Pack) -> pd.DataFrame:
    """Components of every area: area_code, mid_year, births, deaths (negative), migration, remainder, change."""
    ages, frame = pack.read(POPULATION), pack.read(CHANGE).copy()
    area = area_column(pack, CHANGE).name
    people = ages.groupby(["area_code", "mid_year"])["persons"].sum()
    before = pd.MultiIndex.from_arrays([frame[area], frame["mid_year"] - 1])
    frame["change"] = frame["population"] - people.reindex(before).to_numpy()
    frame["deaths"] = -frame["deaths"]
    known = ["births", "deaths", "internal_net_migration", "international_net_migration"]
    frame["remainder"] = frame["change"] - frame[known].sum(axis=1, skipna=False)
    counts = [*COMPONENTS, "change"]
    return pack.geography.roll_up(leaves_by(pack, frame, area, "mid_year", counts), ["mid_year"], counts)


def births(pack: Pack) -> Finding:
    """Births per 1,000 people, with limits."""
    return _vital_rate(pack, "births", "births_per_1000", "Births")


def deaths(pack: Pack) -> Finding:
    """Deaths per 1,000 people, with limits."""
    return _vital_rate(pack, "deaths", "deaths_per_1000", "Deaths")


def _vital_rate(pack: Pack, event: str, indicator: str, title: str) -> Finding:
    now, measured, nation = pack.period("population"), pack.indicators[indicator], pack.geography.nation
    events = by_leaf(pack, vital_events(pack, event, now.year))
    counts = leaf_counts(pack, events, people_by_age(pack, now.year))
    estimates = area_estimates(pack, counts, measured, as_rate)
    own, compared = estimates.own(pack), sentence(pack, estimates)
    lacking = []
    if nation and np.isnan(estimates.table["value"].get(nation.code, np.nan)):
        lacking = [f"The tables hold no {event} for {nation.name}, so there is no {nation.name} comparator."]
    trend = _vital_trend(pack, event, measured.per)
    chart = charts.lines(
        trend,
        title=f"{title} per 1,000 people",
        subtitle=f"{pack.area.name} and comparators, years to mid-year",
        x_title="Year to mid-year",
        value_title="Per 1,000 people",
        x_type="year",
    )
    table = trend.pivot(index="x", columns="series", values="value").reset_index()
    shown = [name for name in (pack.area.name, *(a.name for a in pack.comparators)) if name in table]
    return CHAPTER.finding(
        pack,
        event,
        title=title,
        statement=f"{pack.area.name} had {number(own.numerator)} {event} in the year to {now}, "
        f"{stated(pack, estimates)}{', ' + compared if compared else ''}.",
        value=value_of(pack, estimates),
        basis=Basis(
            period=f"year to {now}",
            sources=[CHANGE, POPULATION],
            caveats=[
                "A crude rate: it depends on the ages of the residents.",
                *lacking,
            ],
        ),
        exhibits=Exhibits(
            table=Table(
                f"{title} per 1,000 people by year",
                table,
                {"x": Column("Year to mid-")} | {name: Column(name, decimals=1) for name in shown},
            ),
            chart=Chart(
                chart,
                f"Line chart of {event} per 1,000 people by year. {pack.area.name} ends at "
                f"{measure(own.value, measured)}.",
            ),
        ),
    )


def _vital_trend(pack: Pack, event: str, per: int) -> pd.DataFrame:
    leaves = leaves_by(pack, pack.read(CHANGE), area_column(pack, CHANGE).name, "mid_year", [event, "population"])
    rolled = pack.geography.roll_up(leaves, ["mid_year"], [event, "population"])
    rolled["value"] = rates.ratio(rolled[event], rolled["population"], per)
    areas = {area.code: area for area in (pack.area, *pack.comparators)}
    rolled = rolled[rolled["area_code"].isin(list(areas))].rename(columns={"mid_year": "x"})
    rolled["series"] = [areas[code].name for code in rolled["area_code"]]
    rolled["role"] = [area_role(pack, areas[code]) for code in rolled["area_code"]]
    return rolled[["x", "series", "value", "role"]]


def _first_year(pack: Pack) -> int:
    return pack.period("population_base").year


def _points(pack: Pack, share: pd.Series) -> str:
    """How far a share lies from the headline comparator's: ' (+1.2 points on London)'."""
    largest = pack.headline
    if largest is None or largest.code not in share:
        return ""
    return f" ({signed(share[pack.area.code] - share[largest.code], 1)} points on {largest.name})"


def _beside(pack: Pack, estimates: AreaEstimates) -> str:
    known = estimates.comparators
    parts = [
        f"{in_sentence(pack, area)} {signed(known.loc[area.code, 'value'], estimates.measured.decimals)}%"
        for area in pack.comparators
        if area.code in known.index
    ]
    return f"; {listed(parts)}" if parts else ""


def _share_of_whole(pack: Pack, value: float) -> str:
    whole = pack.geography.whole
    total = people_by_age(pack, pack.period("population").year)[whole.code]
    return f", {number(rates.ratio(value, total, per=100), 1)}% of {whole.name}'s {number(total)}"


def _trend_description(pack: Pack, frame: pd.DataFrame, column: str, noun: str) -> str:
    first, last = frame.iloc[0], frame.iloc[-1]
    return (
        f"Line chart of {noun} in {pack.area.name}: {number(first[column])} in {int(first['year'])}, "
        f"{number(last[column])} in {int(last['year'])}."
    )


__all__ = [
    "age_profile",
    "births",
    "change",
    "deaths",
    "deprivation",
    "growth",
    "life_expectancy_female",
    "life_expectancy_male",
    "similar_areas",
    "size",
]
