"""Deprivation, for the chapter on population and need: neighbourhoods by fifths of a published ranking."""

import pandas as pd

from cbs_analysis.chapters.area_estimates import (
    AreaEstimates,
    area_estimates,
    area_role,
    as_share,
    sentence,
)
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, value_of
from cbs_analysis.evidence import charts
from cbs_analysis.evidence.finding import Chart, Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import measure, number, ordinal
from cbs_analysis.pack import Pack
from cbs_analysis.pack.deprivation import FIFTHS, in_most_deprived_fifth, number_ranked, small_areas
from cbs_analysis.pack.measures import people_by_age
from cbs_analysis.stats import rates

CHAPTER = Chapter("population_and_need", "strategic planning")
UNWEIGHTED = "Small areas count once each: the handbook holds no population for them."
FIFTH_NAMES = ["1 most deprived", "2", "3", "4", "5 least deprived"]


def deprivation(pack: Pack) -> Finding | Note:
    """Neighbourhoods in the most deprived fifth: share, rank and distribution."""
    chosen = pack.edition.deprivation
    if chosen is None:
        return Note("This edition has no ranking of small areas by deprivation.")
    estimates = most_deprived(pack)
    measured, own, compared = estimates.measured, estimates.own(pack), sentence(pack, estimates)
    period, ranked_in = pack.period("deprivation"), _where_ranked(pack)
    spread = _spread(pack)
    chart = charts.distribution(
        spread.rename(columns={"fifth": "bin"}),
        title=f"Neighbourhoods by {ranked_in}fifths of deprivation",
        subtitle=f"{pack.area.name}, {period}; {_all_ranked(pack)} 20% in each",
        value_title="Neighbourhoods (%)",
        reference=(pack.geography.nation.name if pack.geography.nation else "All ranked", 20.0),
    )
    wide = spread.pivot(index="fifth", columns="series", values="share_pct").reset_index()
    statement = (
        f"{number(own.numerator)} of {pack.area.name}'s {number(own.denominator)} neighbourhoods "
        f"({measure(own.value, measured)}) are among {ranked_in or 'the '}most deprived fifth"
        f"{', ' + compared if compared else ''}.{_peer_rank(pack, estimates)}"
    )
    return CHAPTER.finding(
        pack,
        "deprivation",
        title="Deprivation",
        statement=statement,
        value=value_of(pack, estimates, people=_residents_between(pack, estimates)),
        basis=Basis(
            period=period.label,
            sources=[chosen.table],
            caveats=[
                UNWEIGHTED,
                "A neighbourhood is a small area that the publisher ranks. Ranks run from 1, the most deprived, to "
                f"{number(number_ranked(pack))}.",
            ],
        ),
        exhibits=Exhibits(
            table=Table(
                f"Neighbourhoods by {ranked_in}fifths",
                wide,
                {"fifth": Column("Fifth")}
                | {name: Column(f"{name}, %", decimals=1) for name in spread["series"].unique()},
            ),
            chart=Chart(chart, f"Bars of the share of neighbourhoods in each fifth. {statement}"),
        ),
    )


def most_deprived(pack: Pack) -> AreaEstimates:
    """The share of neighbourhoods in the most deprived fifth, for every area."""
    return area_estimates(pack, in_most_deprived_fifth(pack), pack.indicators["most_deprived_fifth_pct"], as_share)


def _where_ranked(pack: Pack) -> str:
    """Whose fifths they are: 'England's ', or nothing where there is no nation."""
    return f"{pack.geography.nation.name}'s " if pack.geography.nation else ""


def _all_ranked(pack: Pack) -> str:
    return f"{pack.geography.nation.name} has" if pack.geography.nation else "all that are ranked have"


def _spread(pack: Pack) -> pd.DataFrame:
    areas, rows = small_areas(pack), []
    for area in (pack.area, *(other for other in pack.comparators if not pack.geography.is_beyond(other.code))):
        codes = {*pack.geography.leaves(area.code), *pack.geography.parts_of(area.code)}
        fifths = areas.loc[areas["area_code"].isin(codes), "fifth"]
        counts = fifths.value_counts().reindex(range(1, FIFTHS + 1), fill_value=0)
        share = rates.ratio(counts, len(fifths), per=100)
        role = area_role(pack, area)
        rows += [
            {"fifth": name, "series": area.name, "share_pct": share[fifth], "role": role}
            for fifth, name in enumerate(FIFTH_NAMES, start=1)
        ]
    return pd.DataFrame(rows)


def _residents_between(pack: Pack, estimates: AreaEstimates) -> float | None:
    """The share of neighbourhoods between the area and its headline comparator, as so many of its residents."""
    if pack.headline is None or pack.headline.code not in estimates.comparators.index:
        return None
    gap = abs(estimates.own(pack).value - estimates.comparators.loc[pack.headline.code, "value"]) / 100
    return float(gap * people_by_age(pack, pack.period("population").year)[pack.area.code])


def _peer_rank(pack: Pack, estimates: AreaEstimates) -> str:
    if not pack.area.is_leaf:
        return ""
    values = estimates.table.loc[[area.code for area in pack.peers], "value"]
    rank = int(values.rank(method="min", ascending=False)[pack.area.code])
    return f" That is {ordinal(rank)} highest of {len(values)} in {pack.geography.whole.name}."
