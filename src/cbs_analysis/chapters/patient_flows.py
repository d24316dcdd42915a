"""Patient flows: which trusts treat the people of each area, drawn as a map, and which groups of areas they make.

For the chapter on providers and market. A trust lies where the areas that led for it lie on the tile map, so places are
rough; one that none led for lies at the area that pays for most of its spells. Published groupings of the areas are
compared with others found from the flows themselves, each with as many groups as a published one.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from cbs_analysis.chapters import record_tables
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits
from cbs_analysis.chapters.record_tables import LEADS, activity_year, area_noun
from cbs_analysis.evidence import charts, disclosure
from cbs_analysis.evidence.finding import Chart, Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, plural
from cbs_analysis.geography import Geography, geography_names, load_geography
from cbs_analysis.pack import Pack
from cbs_analysis.stats import markets, rates

LEAST_SHARE, LEAST_SHARE_OF_WHOLE = 5, 10
"""In percent of an area's spells: flows below it are not drawn. The whole's lines would hide each other at five."""
MOST_NAMED = 5
LEAST_MODULARITY = 1e-9
"""What is below it is none, but for the rounding of numbers."""
SIZE_ALONE = (
    "Larger groups contain more by their size alone, so containment cannot choose between five groups and six. "
    "Modularity takes off what would be contained if where one lived did not matter."
)
SPECIALIST = (
    "A trust belongs to the group whose people it treats most of; a specialist one counts as outside for all others."
)
FROM_FLOWS = "found from flows"
NO_GROUPS = "There are no groups of areas to compare: the records are of the people of one group alone."
NOT_APART = (
    "No groups of areas can be told from where {name}'s people are treated: all areas use the same trusts alike."
)


def spells(pack: Pack) -> pd.DataFrame:
    """Spells of the year, a row a leaf area and a column a trust, by code; only of the geography's areas."""

    def make() -> pd.DataFrame:
        rows = record_tables.of_whole(pack.common, record_tables.year_rows(pack.common, "spell_flows"))
        return rows[rows["spells"] > 0].pivot_table(
            index="commissioner_code", columns="provider_code", values="spells", aggfunc="sum", fill_value=0
        )

    return pack.common.once("spells by trust", make)


def lead_areas(pack: Pack) -> pd.Series:
    """Codes of the leaf areas that lead for each trust, a list by provider code; empty where nothing says who leads."""
    if not record_tables.has_table(pack, LEADS):
        return pd.Series(dtype=object)
    leads = pack.read(LEADS).dropna(subset=["provider_code"])
    leads = leads[leads["lead_pct_code"].isin([area.code for area in pack.peers])]
    by_trust = leads.groupby("provider_code")["lead_pct_code"]
    return pd.Series({code: list(dict.fromkeys(codes)) for code, codes in by_trust}, dtype=object)


def flow_map(pack: Pack) -> Chart | None:
    """The area's leaves and the trusts that treat their people, drawn and described in words.

    None where the geography has no tile map, or no leaf of the area has spells enough to show.
    """
    tiles = {area.code: area.tile for area in pack.peers if area.tile is not None}
    flows = spells(pack)
    own = [code for code in pack.geography.leaves(pack.area.code) if code in flows.index]
    if len(tiles) < len(pack.peers) or not own:
        return None
    names = record_tables.provider_names(pack)
    known = [code for code in flows.columns if code in names.index and flows[code].sum() >= disclosure.FEWEST_EVENTS]
    if not known:
        return None
    places = _places(pack, flows, tiles)
    lines = _lines(pack, flows.loc[own, known], flows.loc[own].sum(axis=1), places, tiles)
    if lines.empty:
        return None
    nowhere = (float("nan"), float("nan"))
    trusts = [(names[code], *places.get(str(code), nowhere), flows[code].sum()) for code in known]
    areas = [
        {"name": area.name, "x": x, "y": y, "role": "area" if area.code in own else "peer"}
        for area in pack.peers
        for x, y in [tiles[area.code]]
    ]
    noun, nouns = area_noun(pack), area_noun(pack, plural=True)
    least = LEAST_SHARE_OF_WHOLE if pack.area.is_whole else LEAST_SHARE
    drawn = charts.flow_map(
        pd.DataFrame(areas),
        charts.placed(pd.DataFrame(trusts, columns=["name", "x", "y", "size"])),
        lines,
        title=f"Where {pack.area.name}'s people are treated",
        subtitle=f"Trusts with at least {least}% of {record_tables.article(noun)}'s spells, {activity_year(pack)}"
        + (f"; {nouns}' own tiles left out" if pack.area.is_whole else ""),
        fewest_share_pct=least,
    )
    return Chart(drawn, _described(pack, flows.loc[own].sum()))


def _lines(
    pack: Pack,
    own: pd.DataFrame,
    total: pd.Series,
    places: Mapping[str, tuple[float, float]],
    tiles: Mapping[str, tuple[int, int]],
) -> pd.DataFrame:
    """A row for each area and trust: area, provider, count, share_pct; of the whole those beyond an area's own tile."""
    names = record_tables.provider_names(pack)
    rows = own.rename_axis(index="area_code", columns="provider_code").stack().rename("count").reset_index()
    rows["share_pct"] = disclosure.share(rows["count"], rows["area_code"].map(total))
    if pack.area.is_whole:
        pairs = zip(rows["area_code"], rows["provider_code"], strict=True)
        rows = rows[[tiles[area] != places.get(trust) for area, trust in pairs]]
    rows = rows.dropna(subset=["share_pct"])
    return pd.DataFrame(
        {
            "area": [pack.geography.area(code).name for code in rows["area_code"]],
            "provider": [names[code] for code in rows["provider_code"]],
            "count": rows["count"].to_numpy(),
            "share_pct": rows["share_pct"].to_numpy(),
        }
    )


def _places(pack: Pack, flows: pd.DataFrame, tiles: Mapping[str, tuple[int, int]]) -> dict[str, tuple[float, float]]:
    """The middle of the tiles of the areas that lead for each trust; without any, the tile that pays most."""
    leads, places = lead_areas(pack), {}
    for code, sent in flows.drop(columns=record_tables.outside(pack), errors="ignore").items():
        at = pd.DataFrame([tiles[area] for area in (leads[code] if code in leads.index else [sent.idxmax()])])
        places[str(code)] = (float(at[0].mean()), float(at[1].mean()))
    return places


def _described(pack: Pack, own: pd.Series) -> str:
    """The map in words: what is drawn, the main trusts with their shares, and what goes outside."""
    names, outside = record_tables.provider_names(pack), record_tables.outside(pack)
    share = disclosure.share(own, pd.Series(own.sum(), own.index)).dropna()
    main = share.drop(index=outside, errors="ignore").nlargest(MOST_NAMED)
    parts = listed(f"{names.get(code, code)} {number(part)}%" for code, part in main.items())
    away = [f" {names[code]} {number(share[code])}%." for code in outside if code in share.index]
    areas = plural(len(pack.peers), area_noun(pack), area_noun(pack, plural=True))
    return (
        f"Map of {pack.geography.whole.name}'s {areas} as tiles and its trusts as circles, with lines from "
        f"{pack.area.name} to the trusts that treat its people."
        + (f" Main trusts by share of spells: {parts}." if parts else "")
        + "".join(away)
    )


@dataclass(frozen=True)
class Grouping:
    """One way to group the leaves: its name, each leaf's group, the % of spells within groups, and how well it fits."""

    name: str
    groups: Mapping[Hashable, Hashable]
    contained: float
    modularity: float

    @property
    def size(self) -> int:
        return len(set(self.groups.values()))


def compared_groupings(pack: Pack, chapter: Chapter) -> Finding | Note:
    """How far the area's group keeps its people's care within it, and which grouping fits the flows best."""
    within = _containment(pack)
    groupings = pack.common.once("groupings", lambda: _groupings(pack.common))
    if len(groupings) < 2 or within.empty:
        return Note(NO_GROUPS)
    best = max(groupings, key=lambda each: each.modularity)
    if best.modularity < LEAST_MODULARITY:
        return Note(NOT_APART.format(name=pack.geography.whole.name))
    published = [each for each in groupings if FROM_FLOWS not in each.name]
    fits = max(published, key=lambda each: each.modularity)
    frame = pd.DataFrame(
        {
            "name": [each.name for each in groupings],
            "groups": [each.size for each in groupings],
            "contained": [each.contained for each in groupings],
            "modularity": [each.modularity for each in groupings],
        }
    )
    columns = {
        "name": Column("Grouping"),
        "groups": Column("Groups", decimals=0),
        "contained": Column("Spells within their group", unit="%", decimals=1),
        "modularity": Column("Modularity", decimals=3),
    }
    return chapter.finding(
        pack,
        "self_containment",
        title="Which areas belong together",
        statement=f"{_own_group(pack, within)}{_answer(published, fits, best)}",
        basis=Basis(
            period=activity_year(pack),
            sources=["spell_flows"],
            methods=["self-containment", "flow-modularity", "flow-groups"],
            caveats=[SIZE_ALONE, SPECIALIST, _best_groups(pack, groupings)],
        ),
        exhibits=Exhibits(
            table=Table(
                "Ways of grouping, and how they fit where people are treated", frame, columns, emphasis=best.name
            ),
            members=_groups_table(pack, within),
        ),
        function="strategic planning",
    )


def _groupings(pack: Pack) -> list[Grouping]:
    """Every published grouping of the same leaves, and for each of their sizes one found from the flows."""
    flows, reach = spells(pack), _within_reach(pack)
    leaves, published = set(flows.index), {}
    for name in geography_names(pack.data):
        geography = load_geography(name, pack.data)
        groups = _groups_of(geography, leaves)
        if len(groups) == len(leaves) and 1 < len(set(groups.values())) < len(leaves):
            published[geography.title] = groups
    if not reach.to_numpy().sum() > 0:
        return []
    sizes = sorted({len(set(groups.values())) for groups in published.values()})
    from_flows = {
        f"{number(size)} groups {FROM_FLOWS}": markets.groups_from_flows(reach, size).to_dict() for size in sizes
    }
    return [_grouping(pack, name, groups) for name, groups in [*published.items(), *from_flows.items()]]


def _groups_of(geography: Geography, leaves: set[Hashable]) -> dict[Hashable, Hashable]:
    """The group that each of the leaves lies in, by its code."""
    areas = geography.areas.values()
    return {area.code: area.parent for area in areas if area.is_leaf and area.parent and area.code in leaves}


def _grouping(pack: Pack, name: str, groups: Mapping[Hashable, Hashable]) -> Grouping:
    within = markets.self_containment(spells(pack), groups, record_tables.outside(pack))
    share = disclosure.share(within["contained"].sum(), within["cases"].sum())
    return Grouping(name, groups, share, markets.modularity(_within_reach(pack), groups).value)


def _within_reach(pack: Pack) -> pd.DataFrame:
    """Spells at trusts that could be of a group: those outside are of none."""
    return spells(pack).drop(columns=record_tables.outside(pack), errors="ignore")


def _containment(pack: Pack) -> pd.DataFrame:
    """The geography's groups by code: containment, the percentage of their people's spells at their own trusts, and
    own, that of their trusts' spells which are their people's; NaN where they would rest on a count from 1 to 7.
    """
    flows = spells(pack)
    groups = _groups_of(pack.geography, set(flows.index))
    flows = flows.loc[flows.index.isin(list(groups))]
    if flows.empty or set(flows.columns) <= set(record_tables.outside(pack)):
        return pd.DataFrame(columns=["containment", "own"], dtype=float)
    within = markets.self_containment(flows, groups, record_tables.outside(pack))
    treated = rates.ratio(within["contained"], within["own"])
    return pd.DataFrame(
        {
            "containment": disclosure.share(within["contained"], within["cases"]),
            "own": disclosure.share(within["contained"], treated),
        }
    )


def _own_group(pack: Pack, within: pd.DataFrame) -> str:
    """How far the area's own group contains its care; of the whole, the groups that contain most and least."""
    share = within["containment"].dropna()
    if pack.area.is_whole and len(share) > 1:
        high, low = (pack.geography.area(str(code)).name for code in (share.idxmax(), share.idxmin()))
        return (
            f"{high} keeps most of its spells at its own trusts, {number(share.max())}%; {low} fewest, "
            f"{number(share.min())}%. "
        )
    code = pack.area.parent if pack.area.is_leaf else pack.area.code
    if code not in share.index:
        return ""
    group = pack.geography.area(str(code))
    noun = group.level_name
    return f"{number(share[code])}% of {group.name}'s spells were at the trusts of the {noun}. "


def _answer(published: list[Grouping], fits: Grouping, best: Grouping) -> str:
    """Which published grouping fits the flows best, and how near it is to the best from the flows."""
    share = 100 * fits.modularity / best.modularity
    others = listed(f"{each.name} ({number(each.modularity, 3)})" for each in published if each is not fits)
    beside = f", before {others}" if others else ""
    near = (
        "as well as any grouping found from the flows"
        if fits is best
        else f"{number(share)}% as well as the best grouping found from the flows"
    )
    return f"Of the published groupings, {fits.name} ({number(fits.modularity, 3)}) fits them best{beside}, {near}."


def _best_groups(pack: Pack, groupings: list[Grouping]) -> str:
    """Who is in each group of the best grouping found from the flows, in words."""
    best = max((each for each in groupings if FROM_FLOWS in each.name), key=lambda each: each.modularity)
    members: dict[Hashable, list[str]] = {}
    for leaf, group in best.groups.items():
        members.setdefault(group, []).append(pack.geography.area(str(leaf)).name)
    return f"{best.name}: {'; '.join(listed(sorted(names)) for names in members.values())}."


def _groups_table(pack: Pack, within: pd.DataFrame) -> Table:
    """The geography's groups, and how far each contains its people's care."""
    frame = within.assign(area=[pack.geography.area(str(code)).name for code in within.index])
    columns = {
        "area": Column("Area"),
        "containment": Column("Its people's spells at its own trusts", unit="%", decimals=1),
        "own": Column("Its trusts' spells that are its people's", unit="%", decimals=1),
    }
    frame = frame.sort_values("containment", ascending=False, kind="stable").reset_index(drop=True)
    return Table(f"Groups of {pack.geography.title}", frame[list(columns)], columns, emphasis=pack.area.name)
