"""Deprivation, for the chapter on population and need: neighbourhoods by England's fifths of the Index of 2010."""

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Chapter, Standing, area_role, sentence
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import measure, number, ordinal
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates
from cbs_analysis.tables.deprivation import LSOAS_IN_ENGLAND

CHAPTER = Chapter("population_and_need", "strategic planning")
MOST_DEPRIVED_FIFTH = LSOAS_IN_ENGLAND // 5
UNWEIGHTED = "Small areas count once each: the handbook holds no population for them."


def deprivation(pack: Pack) -> Finding:
    """Neighbourhoods in England's most deprived fifth: share, rank and distribution."""
    standing = most_deprived(pack)
    measured, own, said = standing.measured, standing.own(pack), sentence(pack, standing)
    spread = _deprivation_spread(pack, _neighbourhoods(pack))
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
        people=_residents_between(pack, standing),
        period="Index of Multiple Deprivation 2010",
        sources=["deprivation_lsoa"],
        caveats=[
            UNWEIGHTED,
            "A neighbourhood is a lower super output area. Ranks run from 1, the most deprived, to 32,482.",
        ],
        table=Table(
            "Neighbourhoods by England's fifths",
            wide,
            {"fifth": Column("Fifth of England")}
            | {name: Column(f"{name}, %", decimals=1) for name in spread["series"].unique()},
        ),
        chart=Chart(chart, f"Bars of the share of neighbourhoods in each fifth of England. {statement}"),
    )


def most_deprived(pack: Pack) -> Standing:
    """The share of neighbourhoods in England's most deprived fifth, for every area."""
    table = _neighbourhoods(pack)
    grouped = (table["imd_2010_rank"] <= MOST_DEPRIVED_FIFTH).astype(float).groupby(table["pct_code"])
    counts = figures.leaf_counts(pack, grouped.sum(), grouped.count().astype(float))
    national = counts["area_code"] == pack.geography.national.code
    counts.loc[national, ["numerator", "denominator"]] = [MOST_DEPRIVED_FIFTH, LSOAS_IN_ENGLAND]
    return figures.standing(pack, counts, pack.indicators["most_deprived_fifth_pct"], figures.as_share)


def _neighbourhoods(pack: Pack) -> pd.DataFrame:
    return pack.read("deprivation_lsoa").merge(pack.read("boroughs"), on="borough_code")


def _deprivation_spread(pack: Pack, table: pd.DataFrame) -> pd.DataFrame:
    names = ["1 most deprived", "2", "3", "4", "5 least deprived"]
    rows = []
    for area in (pack.area, *(a for a in pack.comparators if a.code in pack.geography.areas)):
        own = table[table["pct_code"].isin(pack.geography.leaves(area.code))]
        fifth = np.ceil(own["imd_2010_rank"] * 5 / LSOAS_IN_ENGLAND).astype(int) - 1
        share = rates.ratio(fifth.value_counts().reindex(range(5), fill_value=0), len(own), per=100)
        role = area_role(pack, area)
        rows += [{"fifth": names[i], "series": area.name, "share_pct": share[i], "role": role} for i in range(5)]
    return pd.DataFrame(rows)


def _residents_between(pack: Pack, standing: Standing) -> float | None:
    """The share of neighbourhoods between the area and its headline comparator, as so many of its residents."""
    if pack.headline is None:
        return None
    gap = abs(standing.own(pack).value - standing.held.loc[pack.headline.code, "value"]) / 100
    return float(gap * figures.people_by_age(pack, pack.edition.population_year)[pack.area.code])


def _peer_rank(pack: Pack, standing: Standing) -> str:
    if not pack.area.is_leaf:
        return ""
    values = standing.table.loc[[area.code for area in pack.peers], "value"]
    rank = int(values.rank(method="min", ascending=False)[pack.area.code])
    return f" That is {ordinal(rank)} highest of {len(values)} in {pack.geography.whole.name}."
