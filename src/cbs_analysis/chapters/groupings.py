"""Do the sectors of 2006, those of 2009, or groups found from flows fit best? The 2006 paper's own question.

For the chapter on providers and market. Groupings with as many groups as each published one are found from the flows
themselves, so that like is held against like.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass

import pandas as pd

from cbs_analysis.chapters.building import Chapter
from cbs_analysis.chapters.record_tables import OUTSIDE
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import level_name, listed, number
from cbs_analysis.geography import Geography, geography_names, load_geography
from cbs_analysis.pack import Pack
from cbs_analysis.stats import markets

SIZE_ALONE = (
    "Larger groups contain more by their size alone, so containment cannot choose between five groups and six. "
    "Modularity takes off what would be contained if where one lived did not matter."
)
SPECIALIST = (
    "A trust belongs to the group whose people it treats most of; a specialist one counts as outside for all others."
)
FOUND = "found from flows"


@dataclass(frozen=True)
class Grouping:
    """One way to group the leaves: what it is called, each leaf's group, and how well it fits."""

    name: str
    groups: Mapping[Hashable, Hashable]
    contained: float
    modularity: float

    @property
    def size(self) -> int:
        return len(set(self.groups.values()))


def compared_groupings(pack: Pack, chapter: Chapter, spells: pd.DataFrame) -> Finding | Note:
    """How far the area's sector keeps its people's care within it, and which grouping fits the flows best."""
    found = pack.common.once("groupings", lambda: _groupings(pack.common, spells))
    if len(found) < 2:
        return Note("There are no groups of areas to compare: the records are of the people of one group alone.")
    best = max(found, key=lambda each: each.modularity)
    published = [each for each in found if FOUND not in each.name]
    fits = max(published, key=lambda each: each.modularity)
    frame = pd.DataFrame(
        {
            "name": [each.name for each in found],
            "groups": [each.size for each in found],
            "contained": [100 * each.contained for each in found],
            "modularity": [each.modularity for each in found],
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
        function="strategic planning",
        statement=f"{_own(pack, spells)}{_answer(published, fits, best)}",
        period=pack.edition.activity_year,
        sources=["spell_flows"],
        methods=["self-containment", "flow-modularity", "flow-groups"],
        caveats=[SIZE_ALONE, SPECIALIST, *_members_said(pack, found)],
        table=Table("Ways of grouping, and how they fit where people are treated", frame, columns, emphasis=best.name),
        members=_groups_table(pack, spells),
    )


def _groupings(pack: Pack, spells: pd.DataFrame) -> list[Grouping]:
    """Every published grouping of the same leaves, and for each of their sizes one found from the flows."""
    leaves = set(spells.index)
    found = []
    for name in geography_names(pack.data):
        geography = load_geography(name, pack.data)
        groups = _groups_of(geography)
        if leaves <= set(groups):
            found.append(_measured(geography.title, spells, {leaf: groups[leaf] for leaf in spells.index}))
    found = [each for each in found if 1 < each.size < len(leaves)]
    for size in sorted({each.size for each in found}):
        groups = markets.groups_from_flows(_within_reach(spells), size)
        found.append(_measured(f"{number(size)} groups {FOUND}", spells, groups.to_dict()))
    return found


def _groups_of(geography: Geography) -> dict[Hashable, Hashable]:
    """The group that each leaf lies in, by its code."""
    return {area.code: area.parent for area in geography.areas.values() if area.is_leaf and area.parent}


def _measured(name: str, spells: pd.DataFrame, groups: Mapping[Hashable, Hashable]) -> Grouping:
    within = markets.self_containment(spells, groups, [OUTSIDE])
    share = within["contained"].sum() / within["cases"].sum()
    return Grouping(name, groups, float(share), markets.modularity(_within_reach(spells), groups))


def _within_reach(spells: pd.DataFrame) -> pd.DataFrame:
    """Spells at trusts that could be of a group: those outside are of none."""
    return spells.drop(columns=OUTSIDE, errors="ignore")


def _own(pack: Pack, spells: pd.DataFrame) -> str:
    """How far the area's own group contains its care."""
    groups = {leaf: group for leaf, group in _groups_of(pack.geography).items() if leaf in spells.index}
    within = markets.self_containment(spells, groups, [OUTSIDE])
    if pack.area.is_whole:
        lowest, highest = within["containment"].idxmin(), within["containment"].idxmax()
        return (
            f"{pack.geography.area(str(highest)).name} keeps most of its spells at its own trusts, "
            f"{number(100 * within.loc[highest, 'containment'])}%; {pack.geography.area(str(lowest)).name} fewest, "
            f"{number(100 * within.loc[lowest, 'containment'])}%. "
        )
    group = pack.area.parent if pack.area.is_leaf else pack.area.code
    if group not in within.index:
        return ""
    name, share = pack.geography.area(str(group)).name, 100 * within.loc[group, "containment"]
    return f"{number(share)}% of {name}'s spells were at the trusts of the {level_name('sector')}. "


def _answer(published: list[Grouping], fits: Grouping, best: Grouping) -> str:
    """Which published grouping fits the flows best, and how near it is to the best that was found."""
    share = 100 * fits.modularity / best.modularity
    others = listed(f"{each.name} ({number(each.modularity, 3)})" for each in published if each is not fits)
    beside = f", before {others}" if others else ""
    near = (
        "as well as any grouping found from the flows"
        if fits is best
        else f"{number(share)}% as well as the best grouping found from the flows"
    )
    return f"Of the published groupings, {fits.name} ({number(fits.modularity, 3)}) fits them best{beside}, {near}."


def _members_said(pack: Pack, found: list[Grouping]) -> list[str]:
    """Who is in each group of the best one found, in words."""
    best = max((each for each in found if FOUND in each.name), key=lambda each: each.modularity)
    members: dict[Hashable, list[str]] = {}
    for leaf, group in best.groups.items():
        members.setdefault(group, []).append(pack.geography.area(str(leaf)).name)
    return [f"{best.name}: {'; '.join(listed(sorted(names)) for names in members.values())}."]


def _groups_table(pack: Pack, spells: pd.DataFrame) -> Table:
    """The geography's groups, and how far each contains its people's care."""
    groups = {leaf: group for leaf, group in _groups_of(pack.geography).items() if leaf in spells.index}
    within = markets.self_containment(spells, groups, [OUTSIDE])
    frame = pd.DataFrame(
        {
            "area": [pack.geography.area(str(code)).name for code in within.index],
            "containment": 100 * within["containment"].to_numpy(),
            "own": 100 * within["own"].to_numpy(),
        }
    ).sort_values("containment", ascending=False, kind="stable")
    columns = {
        "area": Column("Area"),
        "containment": Column("Its people's spells at its own trusts", unit="%", decimals=1),
        "own": Column("Its trusts' spells that are its people's", unit="%", decimals=1),
    }
    return Table(f"Groups of {pack.geography.title}", frame.reset_index(drop=True), columns, emphasis=pack.area.name)
