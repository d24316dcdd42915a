"""Population and need: how many people, of what ages, how that changes, how long they live and how deprived they are.

For strategic planning. From the mid-year population estimates and components of change, published life expectancy and
the Index of Multiple Deprivation; London's pack holds the 2006 commissioning paper's own figures beside them.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Chapter, Standing, beside_title, sentence, stated
from cbs_analysis.chapters.monthly import plain_measure
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.comparing import Comparison, estimates, optional
from cbs_analysis.evidence.finding import Chart, Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, measure, number, ordinal, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack

CHAPTER = Chapter("population_and_need", "strategic planning")
SHARES = {"0-4": (0, 4), "20-34": (20, 34), "65+": (65, 200), "85+": (85, 200)}
BANDS = {f"{low}-{low + 4}": (low, low + 4) for low in range(0, 90, 5)} | {"90+": (90, 200)}
COMPONENTS = {
    "births": "Births",
    "deaths": "Deaths",
    "internal_net_migration": "Migration within the UK",
    "international_net_migration": "International migration",
    "remainder": "Other changes",
}
FIRST_YEAR = 2001
ENGLAND_LSOAS = 32_482
MOST_DEPRIVED_FIFTH = ENGLAND_LSOAS // 5
ESTIMATE = "A mid-year estimate, revised after the 2011 census; the publisher gives no limits with it."
UNWEIGHTED = "Small areas count once each: the handbook holds no population for them."
SEXES = {"male": "men", "female": "women"}


def people_by_age(pack: Pack, year: int, low: int = 0, high: int = 200) -> pd.Series:
    """Residents of an age range in every area and England at mid-year, indexed by area_code."""
    ages = pack.read("population_by_age")
    rows = ages[(ages["mid_year"] == year) & ages["age"].between(low, high)]
    return _everywhere(pack, rows.groupby("area_code")["persons"].sum())


def _everywhere(pack: Pack, boroughs: pd.Series) -> pd.Series:
    leaves = figures.by_leaf(pack, boroughs)
    rolled = pack.geography.roll_up(leaves.rename("value").reset_index(), [], ["value"]).set_index("area_code")["value"]
    national = pack.geography.national.code
    return pd.concat([rolled.drop(national, errors="ignore"), leaves[[national]]])


def size(pack: Pack) -> Finding:
    """Residents at mid-year, and each year since 2001."""
    year = pack.edition.population_year
    years = {y: people_by_age(pack, y) for y in range(FIRST_YEAR, year + 1)}
    measured = pack.indicators["population"]
    standing = _plain_standing(measured, years[year])
    own = standing.own(pack)
    trend = pd.DataFrame({"year": list(years), "people": [series[pack.area.code] for series in years.values()]})
    share = "" if pack.area.is_whole else _share_of_whole(pack, own.value)
    chart = charts.lines(
        trend.assign(x=trend["year"], series=pack.area.name, value=trend["people"], role="area"),
        title="Residents at mid-year",
        subtitle=f"{pack.area.name}, {FIRST_YEAR} to {year}",
        x_title="Mid-year",
        value_title="People",
        x_type="year",
    )
    return CHAPTER.finding(
        pack,
        "size",
        title="How many people",
        statement=f"{pack.area.name} had {number(own.value)} residents at mid-{year}{share}.",
        standing=standing,
        period=f"mid-{year}",
        sources=["population_by_age"],
        caveats=[ESTIMATE],
        table=Table(
            "Residents by year", trend, {"year": Column("Mid-year"), "people": Column("Residents", decimals=0)}
        ),
        chart=Chart(chart, _trend_description(pack, trend, "people", "residents")),
    )


def growth(pack: Pack) -> Finding:
    """Growth in residents since mid-2001, against others."""
    year, measured = pack.edition.population_year, pack.indicators["population_growth_pct"]
    first, last = people_by_age(pack, FIRST_YEAR), people_by_age(pack, year)
    standing = _plain_standing(measured, 100 * (last / first - 1), numerator=last - first, denominator=first)
    own = standing.own(pack)
    index = pd.concat(
        [
            pd.DataFrame(
                {
                    "x": range(FIRST_YEAR, year + 1),
                    "series": area.name,
                    "value": [100 * people_by_age(pack, y)[area.code] / first[area.code]
                              for y in range(FIRST_YEAR, year + 1)],
                    "role": role,
                }
            )
            for area, role in ((pack.area, "area"), *((area, "comparator") for area in pack.comparators))
        ],
        ignore_index=True,
    )  # fmt: skip
    chart = charts.lines(
        index,
        title=f"Population growth, mid-{FIRST_YEAR} set to 100",
        subtitle=f"{pack.area.name} and comparators",
        x_title="Mid-year",
        value_title=f"Index, {FIRST_YEAR} = 100",
        x_type="year",
    )
    table = index.pivot(index="x", columns="series", values="value").reset_index()
    columns = {"x": Column("Mid-year")} | {
        area.name: Column(area.name, decimals=1) for area in (pack.area, *pack.comparators)
    }
    return CHAPTER.finding(
        pack,
        "growth",
        title="Growth",
        statement=f"{pack.area.name}'s population changed by {signed(own.value, 1)}% from mid-{FIRST_YEAR} to "
        f"mid-{year} ({signed(own.numerator)} people){_beside(pack, standing)}.",
        standing=standing,
        period=f"mid-{FIRST_YEAR} to mid-{year}",
        sources=["population_by_age"],
        caveats=[ESTIMATE],
        table=Table(f"Population, mid-{FIRST_YEAR} set to 100", table, columns),
        chart=Chart(chart, f"Line chart of population since {FIRST_YEAR}, each area's {FIRST_YEAR} set to 100. "
                    f"{pack.area.name} reaches {number(100 + own.value, 1)}."),
    )  # fmt: skip


def age_profile(pack: Pack) -> Finding:
    """The age profile, with the shares that matter most to services, against London and England."""
    year = pack.edition.population_year
    total = people_by_age(pack, year)
    shares = {name: 100 * people_by_age(pack, year, *ages) / total for name, ages in SHARES.items()}
    areas = (pack.area, *pack.comparators)
    frame = pd.DataFrame({"ages": list(shares)})
    for area in areas:
        frame[area.name] = [shares[name][area.code] for name in shares]
    frame["people"] = [shares[name][pack.area.code] * total[pack.area.code] / 100 for name in shares]
    columns = {"ages": Column("Ages")} | {area.name: Column(f"{area.name}, %", decimals=1) for area in areas}
    columns["people"] = Column(f"People in {pack.area.name}", decimals=0)
    profile = _profile(pack, total, (pack.area, *pack.comparators[-2:]))
    largest = pack.headline or pack.area
    gaps = {name: shares[name][pack.area.code] - shares[name][largest.code] for name in shares}
    said = listed(
        f"{number(shares[name][pack.area.code], 1)}% aged {name} ({signed(gap, 1)} points on {largest.name})"
        for name, gap in gaps.items()
    )
    beside = pd.DataFrame({"area": [area.name for area in pack.beside]})
    for name, values in shares.items():
        beside[name] = [values[area.code] for area in pack.beside]
    chart = charts.age_profile(
        profile,
        title="Share of residents by age",
        subtitle=f"{pack.area.name}, mid-{year}, with {listed(area.name for area in pack.comparators[-2:])}",
    )
    young = shares["20-34"][pack.area.code]
    return CHAPTER.finding(
        pack,
        "age_profile",
        title="Age profile",
        statement=f"In {pack.area.name} at mid-{year}: {said}.",
        measured=plain_measure("Residents aged 20 to 34", "%", 1, interval="not published"),
        value=young,
        comparisons=[_beside_only(area, shares["20-34"][area.code]) for area in pack.comparators],
        period=f"mid-{year}",
        sources=["population_by_age"],
        caveats=[ESTIMATE],
        table=Table("Shares of residents by age", frame, columns),
        members=Table(
            beside_title(pack),
            beside,
            {"area": Column("Area")} | {name: Column(f"{name}, %", decimals=1) for name in shares},
            emphasis=pack.area.name,
        ),
        chart=Chart(chart, f"Age profile of {pack.area.name} in five-year bands: {said}."),
    )


def _profile(pack: Pack, total: pd.Series, areas: tuple[Area, ...]) -> pd.DataFrame:
    rows = []
    for band, ages in BANDS.items():
        people = people_by_age(pack, pack.edition.population_year, *ages)
        for area in areas:
            role = "area" if area.code == pack.area.code else "comparator"
            share = 100 * people[area.code] / total[area.code]
            rows.append({"age_band": band, "series": area.name, "share_pct": share, "role": role})
    return pd.DataFrame(rows)


def change(pack: Pack) -> Finding:
    """Why the population changes: births, deaths, migration and the remainder, by year."""
    frame = components(pack)
    own = frame[frame["area_code"] == pack.area.code].set_index("mid_year")
    total = own[list(COMPONENTS)].sum()
    first, last = own.index.min() - 1, own.index.max()
    table = own.reset_index()[["mid_year", *COMPONENTS, "change"]]
    columns = {"mid_year": Column("Year to mid-")} | {
        name: Column(title, decimals=0) for name, title in {**COMPONENTS, "change": "Change in residents"}.items()
    }
    beside = frame[frame["area_code"].isin([area.code for area in pack.beside])]
    beside = beside.groupby("area_code")[[*COMPONENTS, "change"]].sum(min_count=1)
    beside = beside.reindex([area.code for area in pack.beside])
    beside.insert(0, "area", [area.name for area in pack.beside])
    long = table.melt("mid_year", list(COMPONENTS), "component", "value").rename(columns={"mid_year": "year"})
    long["component"] = long["component"].map(COMPONENTS)
    chart = charts.components(
        long,
        title="What changes the population",
        subtitle=f"{pack.area.name}, years to mid-year",
        value_title="People",
    )
    natural = total["births"] + total["deaths"]
    statement = (
        f"From mid-{first} to mid-{last} {pack.area.name}'s population changed by {signed(own['change'].sum())}: births "
        f"less deaths {signed(natural)}, migration within the UK {signed(total['internal_net_migration'])}, "
        f"international migration {signed(total['international_net_migration'])}, other changes "
        f"{signed(total['remainder'])}."
    )
    return CHAPTER.finding(
        pack,
        "change",
        title="Why the population changes",
        statement=statement,
        measured=plain_measure("Change in residents", "people", 0, interval="not published"),
        value=float(own["change"].sum()),
        period=f"mid-{first} to mid-{last}",
        sources=["population_change", "population_by_age"],
        caveats=[
            "Migration is estimated and is the least certain part. Other changes are what the components leave "
            "unexplained, the revision after the 2011 census among them.",
            "Moves between boroughs of one area are inside its migration figure and cancel out.",
        ],
        table=Table("Components of change by year", table, columns),
        members=Table(
            f"{beside_title(pack)}, mid-{first} to mid-{last}",
            beside,
            {"area": Column("Area"), **{name: columns[name] for name in (*COMPONENTS, "change")}},
            emphasis=pack.area.name,
        ),
        chart=Chart(chart, f"Stacked bars by year. {statement}"),
    )


def components(pack: Pack) -> pd.DataFrame:
    """Components of change of every area: area_code, mid_year, births, deaths (negative), migration, remainder, change."""
    changes, ages = pack.read("population_change"), pack.read("population_by_age")
    frame = changes.merge(pack.read("boroughs"), on="borough_code")
    people = ages.groupby(["area_code", "mid_year"])["persons"].sum()
    before = pd.MultiIndex.from_arrays([frame["borough_code"], frame["mid_year"] - 1])
    frame["change"] = frame["population"] - people.reindex(before).to_numpy()
    frame["deaths"] = -frame["deaths"]
    known = ["births", "deaths", "internal_net_migration", "international_net_migration"]
    frame["remainder"] = frame["change"] - frame[known].sum(axis=1, skipna=False)
    counts = [*COMPONENTS, "change"]
    leaves = frame.groupby(["pct_code", "mid_year"])[counts].sum(min_count=1).reset_index()
    return pack.geography.roll_up(leaves.rename(columns={"pct_code": "area_code"}), ["mid_year"], counts)


def births(pack: Pack) -> Finding:
    """Births per 1,000 people, with limits."""
    return _vital_rate(pack, "births", "births_per_1000", "Births")


def deaths(pack: Pack) -> Finding:
    """Deaths per 1,000 people, with limits."""
    return _vital_rate(pack, "deaths", "deaths_per_1000", "Deaths")


def _vital_rate(pack: Pack, event: str, indicator: str, title: str) -> Finding:
    year, measured = pack.edition.population_year, pack.indicators[indicator]
    changes = pack.read("population_change")
    events = changes[changes["mid_year"] == year].set_index("borough_code")[event]
    counts = figures.leaf_counts(pack, figures.by_leaf(pack, events), figures.population(pack, year))
    standing = figures.standing(pack, counts, measured, figures.as_rate)
    own, said = standing.own(pack), sentence(pack, standing)
    trend = _vital_trend(pack, event, measured.per)
    chart = charts.lines(
        trend,
        title=f"{title} per 1,000 people",
        subtitle=f"{pack.area.name} and comparators, years to mid-year",
        x_title="Year to mid-",
        value_title="Per 1,000 people",
        x_type="year",
    )
    table = trend.pivot(index="x", columns="series", values="value").reset_index()
    shown = [name for name in (pack.area.name, *(a.name for a in pack.comparators)) if name in table]
    return CHAPTER.finding(
        pack,
        event,
        title=title,
        statement=f"{pack.area.name} had {number(own.numerator)} {event} in the year to mid-{year}, "
        f"{stated(pack, standing)}{', ' + said if said else ''}.",
        standing=standing,
        period=f"year to mid-{year}",
        sources=["population_change", "population_by_age"],
        caveats=[
            "A crude rate: it depends on the ages of the residents.",
            "The tables hold no births or deaths for England, so there is no England comparator.",
        ],
        table=Table(
            f"{title} per 1,000 people by year",
            table,
            {"x": Column("Year to mid-")} | {name: Column(name, decimals=1) for name in shown},
        ),
        chart=Chart(chart, f"Line chart of {event} per 1,000 people by year. {pack.area.name} ends at "
                    f"{measure(own.value, measured)}."),
    )  # fmt: skip


def _vital_trend(pack: Pack, event: str, per: int) -> pd.DataFrame:
    frame = pack.read("population_change").merge(pack.read("boroughs"), on="borough_code")
    leaves = frame.groupby(["pct_code", "mid_year"])[[event, "population"]].sum(min_count=1).reset_index()
    rolled = pack.geography.roll_up(
        leaves.rename(columns={"pct_code": "area_code"}), ["mid_year"], [event, "population"]
    )
    rolled["value"] = per * rolled[event] / rolled["population"]
    areas = {area.code: area for area in (pack.area, *pack.comparators)}
    rolled = rolled[rolled["area_code"].isin(list(areas))].rename(columns={"mid_year": "x"})
    rolled["series"] = [areas[code].name for code in rolled["area_code"]]
    rolled["role"] = np.where(rolled["area_code"] == pack.area.code, "area", "comparator")
    return rolled[["x", "series", "value", "role"]]


def life_expectancy_male(pack: Pack) -> Finding:
    """Male life expectancy at birth: the gap to England and the change since 2001-2003."""
    return _life_expectancy(pack, "male")


def life_expectancy_female(pack: Pack) -> Finding:
    """Female life expectancy at birth: the gap to England and the change since 2001-2003."""
    return _life_expectancy(pack, "female")


def _life_expectancy(pack: Pack, sex: str) -> Finding:
    measured = pack.indicators[f"life_expectancy_{sex}_years"]
    published = pack.read("life_expectancy")
    years = published[published["sex"] == sex].pivot(index="period", columns="area_code", values="life_expectancy_years")
    first, last = years.index[0], years.index[-1]
    found = {code: _published_area(pack, code) for code in [*pack.geography.areas, pack.geography.national.code]}
    values = pd.Series({code: years[ons].iloc[-1] if ons in years else np.nan for code, ons in found.items()})
    standing = _plain_standing(measured, values)
    boroughs = _boroughs(pack)
    inside = [code for code in boroughs.index if code in years]
    own, england = values[pack.area.code], years[pack.geography.national.ons_code]
    series = years[found[pack.area.code]] if found[pack.area.code] in years else None
    table = _borough_table(years, boroughs.loc[inside], england)
    statement = _life_statement(pack, sex, series, table, england, (first, last))
    caveats = ["The publisher's limits are not in these tables, so no difference is tested."]
    missing = [boroughs[code] for code in boroughs.index if code not in years]
    if missing:
        caveats.append(f"No life expectancy is published for {listed(missing)}; the figures are without it.")
    if series is None:
        caveats.append("Life expectancy is a rate over a life table and does not add up, so boroughs are shown instead.")
    chart = _life_chart(pack, years, series, boroughs.loc[inside], SEXES[sex])
    return CHAPTER.finding(
        pack,
        f"life_expectancy_{sex}",
        title=f"Life expectancy of {SEXES[sex]}",
        statement=statement,
        standing=standing,
        period=last,
        sources=["life_expectancy"],
        caveats=caveats,
        table=table_of_boroughs(table, pack, SEXES[sex], first, last),
        members=_life_members(pack, years, SEXES[sex]),
        chart=Chart(chart, f"Line chart of life expectancy of {SEXES[sex]}, {first} to {last}. {statement}")
        if not np.isnan(own) or inside
        else None,
    )


def _published_area(pack: Pack, code: str) -> str:
    """The ONS code whose published value stands for an area: its own, or that of its only borough with a value."""
    area = pack.geography.national if code == pack.geography.national.code else pack.geography.area(code)
    if area.ons_code:
        return area.ons_code
    table, known = pack.read("boroughs"), set(pack.read("life_expectancy")["area_code"])
    inside = [c for c in table.loc[table["pct_code"] == code, "borough_code"] if c in known]
    return inside[0] if area.is_leaf and len(inside) == 1 else ""


def _boroughs(pack: Pack) -> pd.Series:
    """Borough names in the pack's area, indexed by code."""
    table = pack.read("boroughs")
    rows = table[table["pct_code"].isin(pack.geography.leaves(pack.area.code))]
    return rows.set_index("borough_code")["borough_name"]


def _borough_table(years: pd.DataFrame, boroughs: pd.Series, england: pd.Series) -> pd.DataFrame:
    frame = pd.DataFrame({"area": boroughs, "first": years.iloc[0][boroughs.index], "last": years.iloc[-1][boroughs.index]})
    frame["change"] = frame["last"] - frame["first"]
    frame["gap"] = frame["last"] - england.iloc[-1]
    return frame.sort_values("last", ascending=False)


def table_of_boroughs(frame: pd.DataFrame, pack: Pack, who: str, first: str, last: str) -> Table:
    """Boroughs of an area: first and last value, change and gap to England."""
    columns = {
        "area": Column("Borough"),
        "first": Column(first, "years", 1),
        "last": Column(last, "years", 1),
        "change": Column("Change", "years", 1),
        "gap": Column("Gap to England", "years", 1),
    }
    return Table(f"Life expectancy of {who}: boroughs of {pack.area.name}", frame, columns)


def _life_statement(
    pack: Pack, sex: str, series: pd.Series | None, table: pd.DataFrame, england: pd.Series, span: tuple[str, str]
) -> str:
    first, last = span
    who, area = SEXES[sex].capitalize(), pack.area.name
    if series is not None:
        gap, moved = series.iloc[-1] - england.iloc[-1], series.iloc[-1] - series.iloc[0]
        behind = "above" if gap > 0 else "below"
        return (
            f"{who} in {area} live {number(series.iloc[-1], 1)} years at the death rates of {last}, "
            f"{number(abs(gap), 1)} years {behind} England ({number(england.iloc[-1], 1)}); that is "
            f"{signed(moved, 1)} years since {first} (England {signed(england.iloc[-1] - england.iloc[0], 1)})."
        )
    if table.empty:
        return f"No life expectancy is published for {area}."
    high, low = table.iloc[0], table.iloc[-1]
    return (
        f"{who}'s life expectancy in {area}'s boroughs in {last} ranges from {number(low['last'], 1)} years in "
        f"{low['area']} ({signed(low['gap'], 1)} on England) to {number(high['last'], 1)} in {high['area']} "
        f"({signed(high['gap'], 1)})."
    )


def _life_chart(
    pack: Pack, years: pd.DataFrame, series: pd.Series | None, boroughs: pd.Series, who: str
) -> object:
    lines = {pack.area.name: ("area", series)} if series is not None else {}
    if series is None:
        lines |= {name: ("area" if len(boroughs) <= 2 else "peer", years[code]) for code, name in boroughs.items()}
    lines |= {a.name: ("comparator", years[a.ons_code]) for a in pack.comparators if a.ons_code in years}
    frame = pd.concat(
        [
            pd.DataFrame({"x": years.index, "series": name, "value": values.to_numpy(), "role": role})
            for name, (role, values) in lines.items()
        ],
        ignore_index=True,
    )
    return charts.lines(
        frame,
        title=f"Life expectancy at birth of {who}",
        subtitle=f"{pack.area.name}, three-year periods",
        x_title="Period",
        value_title="Years",
        x_type="ordinal",
    )


def _life_members(pack: Pack, years: pd.DataFrame, who: str) -> Table:
    """Every borough of the areas beside the pack's own, ranked; groups show their lowest and highest borough."""
    table = pack.read("boroughs")
    rows = []
    for area in pack.beside:
        codes = table.loc[table["pct_code"].isin(pack.geography.leaves(area.code)), "borough_code"]
        values = years.iloc[-1].reindex(codes).dropna()
        low, high = (values.min(), values.max()) if len(values) else (np.nan, np.nan)
        rows.append({"area": area.name, "low": low, "high": high})
    frame = pd.DataFrame(rows)
    columns = {
        "area": Column("Area"),
        "low": Column("Lowest borough", "years", 1),
        "high": Column("Highest borough", "years", 1),
    }
    return Table(f"Life expectancy of {who}: {beside_title(pack)}", frame, columns, emphasis=pack.area.name)


def deprivation(pack: Pack) -> Finding:
    """Neighbourhoods in England's most deprived fifth: share, rank and distribution."""
    measured = pack.indicators["most_deprived_fifth_pct"]
    table = pack.read("deprivation_lsoa").merge(pack.read("boroughs"), on="borough_code")
    table["in_fifth"] = (table["imd_2010_rank"] <= MOST_DEPRIVED_FIFTH).astype(float)
    grouped = table.groupby("pct_code")["in_fifth"]
    counts = figures.leaf_counts(pack, grouped.sum(), grouped.count().astype(float))
    national = counts["area_code"] == pack.geography.national.code
    counts.loc[national, ["numerator", "denominator"]] = [MOST_DEPRIVED_FIFTH, ENGLAND_LSOAS]
    standing = figures.standing(pack, counts, measured, figures.as_share)
    own, said = standing.own(pack), sentence(pack, standing)
    spread = _deprivation_spread(pack, table)
    rank = _peer_rank(pack, standing)
    chart = charts.distribution(
        spread.rename(columns={"fifth": "bin"}),
        title="Neighbourhoods by England's fifths of deprivation",
        subtitle=f"{pack.area.name}, Index of Multiple Deprivation 2010; England has 20% in each",
        value_title="Neighbourhoods (%)",
        reference=("England", 20.0),
    )
    wide = spread.pivot(index="fifth", columns="series", values="share_pct").reset_index()
    statement = (
        f"{number(own.numerator)} of {pack.area.name}'s {number(own.denominator)} neighbourhoods "
        f"({measure(own.value, measured)}) are among England's most deprived fifth{', ' + said if said else ''}.{rank}"
    )
    return CHAPTER.finding(
        pack,
        "deprivation",
        title="Deprivation",
        statement=statement,
        standing=standing,
        period="Index of Multiple Deprivation 2010",
        sources=["deprivation_lsoa"],
        caveats=[UNWEIGHTED, "A neighbourhood is a lower super output area. Ranks run from 1, the most deprived, to 32,482."],
        table=Table(
            "Neighbourhoods by England's fifths",
            wide,
            {"fifth": Column("Fifth of England")}
            | {name: Column(f"{name}, %", decimals=1) for name in spread["series"].unique()},
        ),
        chart=Chart(chart, f"Bars of the share of neighbourhoods in each fifth of England. {statement}"),
    )


def _deprivation_spread(pack: Pack, table: pd.DataFrame) -> pd.DataFrame:
    names = ["1 most deprived", "2", "3", "4", "5 least deprived"]
    rows = []
    for area in (pack.area, *(a for a in pack.comparators if a.code in pack.geography.areas)):
        own = table[table["pct_code"].isin(pack.geography.leaves(area.code))]
        fifth = np.minimum((own["imd_2010_rank"] - 1) * 5 // ENGLAND_LSOAS, 4).astype(int)
        share = 100 * fifth.value_counts(normalize=True).reindex(range(5), fill_value=0)
        role = "area" if area.code == pack.area.code else "comparator"
        rows += [{"fifth": names[i], "series": area.name, "share_pct": share[i], "role": role} for i in range(5)]
    return pd.DataFrame(rows)


def _peer_rank(pack: Pack, standing: Standing) -> str:
    if not pack.area.is_leaf:
        return ""
    values = standing.table.loc[[area.code for area in pack.peers], "value"]
    rank = int(values.rank(method="min", ascending=False)[pack.area.code])
    return f" That is {ordinal(rank)} highest of {len(values)} in {pack.geography.whole.name}."


def paper_2006(pack: Pack) -> Finding | Note:
    """The 2006 commissioning paper's own figures, beside what the tables give."""
    claims = pack.read("commissioning_paper_2006")
    here = claims[claims["area_name"].isin([pack.area.name])] if not pack.area.is_whole else claims
    if here.empty:
        return Note(f"The 2006 paper prints no figure for {pack.area.name} itself.")
    given = _what_tables_give(pack)
    frame = here.assign(
        tables=[given.get((row.measure, row.area_name), np.nan) for row in here.itertuples()],
    ).reset_index(drop=True)
    frame["note"] = np.where(frame["tables"].isna(), "not in the handbook's tables", "")
    columns = {
        "paragraph": Column("Paragraph"),
        "measure": Column("Measure"),
        "area_name": Column("Area"),
        "value": Column("As printed", decimals=1),
        "unit": Column("Unit"),
        "tables": Column("From the tables, mid-2006", decimals=1),
        "note": Column("Note"),
    }
    found = int(frame["tables"].notna().sum())
    return CHAPTER.finding(
        pack,
        "paper_2006",
        title="The 2006 paper's own figures",
        statement=f"The 2006 London commissioning paper argues from {len(claims)} figures, {len(frame)} of them about "
        f"{pack.area.name} or what it is held against; the tables here can check {found} of these.",
        measured=plain_measure("Figures that the tables can check", "figures", 0),
        value=float(found),
        period="2006",
        sources=["commissioning_paper_2006", "population_by_age"],
        caveats=["The paper's periods and definitions are not always stated; a difference need not be an error."],
        table=Table("The 2006 paper's figures", frame, columns),
    )


def _what_tables_give(pack: Pack) -> dict[tuple[str, str], float]:
    total, young = people_by_age(pack, 2006), people_by_age(pack, 2006, *SHARES["20-34"])
    whole, national = pack.geography.whole, pack.geography.national
    given = {("London resident population", whole.name): total[whole.code] / 1e6}
    for area in (whole, national):
        given["people aged 20 to 34", area.name] = 100 * young[area.code] / total[area.code]
    return given


def _plain_standing(
    measured: object, values: pd.Series, numerator: pd.Series | None = None, denominator: pd.Series | None = None
) -> Standing:
    frame = pd.DataFrame({"value": values})
    if numerator is not None:
        frame["numerator"] = numerator
    if denominator is not None:
        frame["denominator"] = denominator
    table = estimates(frame.rename_axis("area_code"))
    return Standing(measured, table, table, {})  # type: ignore[arg-type]


def _beside(pack: Pack, standing: Standing) -> str:
    parts = [
        f"{area.name} {signed(standing.held.loc[area.code, 'value'], standing.measured.decimals)}%"
        for area in pack.comparators
    ]
    return f"; {listed(parts)}" if parts else ""


def _beside_only(area: Area, value: float) -> Comparison:
    return Comparison(area.name, area.code, optional(value), None, None, "not compared", "")


def _share_of_whole(pack: Pack, value: float) -> str:
    whole = pack.geography.whole
    total = people_by_age(pack, pack.edition.population_year)[whole.code]
    return f", {number(100 * value / total, 1)}% of {whole.name}'s {number(total)}"


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
    "paper_2006",
    "size",
]
