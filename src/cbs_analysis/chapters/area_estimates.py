"""A measure for every area of a pack: its value with limits, what it is compared with, and how that is put in words.

Chapters hand in counts by leaf; groups add numerators and denominators, then divide. Flagged leaves are shown, and are
in no comparator.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cbs_analysis.edition import Measure
from cbs_analysis.evidence.comparing import Comparison, comparison, estimates, optional
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import against, interval, listed, measure, plural
from cbs_analysis.geography import Area, Geography
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates, standardisation

COUNTS = ["numerator", "denominator"]
LIMITED = ["value", "lower", "upper"]
MATERIAL_SHARE = 0.05  # a flaw in a member matters to a group where the member holds at least this share
NOT_RANKED = "flagged, not ranked"

# A method of `stats`: numerators, denominators and `per`, in; value, lower and upper, a row an area, out.
Method = Callable[[pd.Series, pd.Series, int], pd.DataFrame]

as_rate: Method = rates.crude_rate
as_proportion: Method = rates.proportion
as_indirect_ratio: Method = standardisation.indirect_ratio
as_count_ratio: Method = rates.count_ratio
as_change: Method = rates.change_between_counts


def as_share(numerator: pd.Series, denominator: pd.Series, per: int) -> pd.DataFrame:
    """Part of a whole that is counted in full, so without limits."""
    return pd.DataFrame({"value": rates.ratio(numerator, denominator, per)}, columns=LIMITED)


@dataclass(frozen=True)
class AreaEstimates:
    """A measure for every area: `table` as published (see `comparing.estimates`), `comparators` without flagged leaves.

    `comparators` is `table` itself where nothing is flagged. `without` names the flagged areas that are left out of
    each group in it.
    """

    measured: Measure
    table: pd.DataFrame
    comparators: pd.DataFrame
    without: dict[str, tuple[str, ...]]

    def own(self, pack: Pack) -> pd.Series:
        return self.table.loc[pack.area.code]


def area_estimates(
    pack: Pack, counts: pd.DataFrame, measured: Measure, method: Method, flagged: Iterable[str] = ()
) -> AreaEstimates:
    """A measure for every area, from counts of the leaves.

    `counts` has area_code, numerator and denominator, a row a leaf and, where it is published, a row for the nation,
    which then stands as published. Groups add numerators and denominators, then divide. As a comparator a group is made
    of its unflagged leaves; it is itself flagged where the flagged ones hold a twentieth or more of its denominator.
    """
    out, common = frozenset(flagged), pack.common
    content = tuple(counts["area_code"]), counts[COUNTS].to_numpy(dtype=float).tobytes()
    return common.once(
        ("area estimates", content, measured, method, out),
        lambda: _area_estimates(common.geography, counts, measured, method, out),
    )


def _area_estimates(
    geography: Geography, counts: pd.DataFrame, measured: Measure, method: Method, flagged: frozenset[str]
) -> AreaEstimates:
    areas = [*geography.areas, *geography.groups]
    nation = counts[counts["area_code"].isin(geography.nation_codes)]
    if all(code in geography.areas for code in geography.nation_codes):  # where it has no count, its leaves' stand
        nation = nation.dropna(subset=COUNTS, how="all")
    leaves = counts[~counts["area_code"].isin(geography.nation_codes)]

    def table(without: Iterable[str]) -> pd.DataFrame:
        rolled = geography.roll_up(leaves, [], COUNTS, without)
        rolled = rolled[~rolled["area_code"].isin(nation["area_code"])]
        frame = pd.concat([rolled, nation[["area_code", *COUNTS]]]).set_index("area_code")
        frame = frame.reindex(list(dict.fromkeys([*areas, *nation["area_code"]])))
        frame[LIMITED] = method(frame["numerator"], frame["denominator"], measured.per)[LIMITED]
        return estimates(frame)

    values = table(())
    published = set(nation["area_code"])
    tainted = [code for code in areas if code not in published and flagged & set(geography.leaves(code))]
    size = values["denominator"]
    weight = {
        code: rates.ratio(size[[c for c in geography.leaves(code) if c in flagged]].sum(), size[code])
        for code in tainted
    }
    values["flagged"] = [code in flagged or not weight.get(code, 0) < MATERIAL_SHARE for code in values.index]
    without = {
        code: tuple(leaf for leaf in geography.leaves(code) if leaf in flagged)
        for code in tainted
        if not geography.area(code).is_leaf
    }
    return AreaEstimates(measured, values, table(flagged) if flagged else values, without)


def plain_estimates(
    measured: Measure,
    values: pd.Series,
    numerator: pd.Series | None = None,
    denominator: pd.Series | None = None,
) -> AreaEstimates:
    """A measure whose value is known for every area as it is, without limits; series are indexed by area_code."""
    given = {"value": values, "numerator": numerator, "denominator": denominator}
    table = estimates(pd.DataFrame({name: series for name, series in given.items() if series is not None}))
    return AreaEstimates(measured, table, table, {})


def plain_measure(name: str, unit: str, decimals: int, **more: object) -> Measure:
    """A measure that is not one of the edition's indicators."""
    return Measure.model_validate({"name": name, "unit": unit, "decimals": decimals, **more})


def compared(pack: Pack, values: AreaEstimates) -> list[Comparison]:
    """The area compared with each of its comparators, nearest first."""
    own = values.table.loc[[pack.area.code]]
    others = pd.concat([own, values.comparators.drop(index=pack.area.code, errors="ignore")])
    return [comparison(pack.area, other, others, values.measured, is_group(pack, other)) for other in pack.comparators]


def is_group(pack: Pack, area: Area) -> bool:
    """Whether an area is a group made for comparison, such as similar areas, and not one of the geography's own."""
    return area.code in pack.geography.groups


def sentence(pack: Pack, values: AreaEstimates) -> str:
    """How the area's value compares: 'higher than South East London (210.1) and London (205.0)'; may be empty."""
    return against(
        [
            (item.direction, in_sentence(pack, area), measure(item.value, values.measured))
            for item, area in zip(compared(pack, values), pack.comparators, strict=True)
        ]
    )


def in_sentence(pack: Pack, area: Area) -> str:
    """An area's name within a sentence; the group of similar areas has none, so it is 'the PCTs like it'."""
    return f"the {pack.area.level_plural} like it" if area is pack.similar else area.name


def left_out(pack: Pack, values: AreaEstimates) -> dict[str, str]:
    """What each comparator is without, by its code, to follow 'As a comparator, ': 'London is without Newham'."""
    return {
        area.code: f"{in_sentence(pack, area)} {'are' if area is pack.similar else 'is'} without "
        f"{names(pack, values.without[area.code])}"
        for area in pack.comparators
        if area.code in values.without
    }


def stated(pack: Pack, values: AreaEstimates) -> str:
    """The area's value with its unit and interval: '212.4 per 1,000 (95% interval 210.6 to 214.2)'."""
    own = values.own(pack)
    limits = interval(own.lower, own.upper, values.measured.decimals)
    return f"{measure(own.value, values.measured)}{f' ({limits})' if limits else ''}"


def peer_values(pack: Pack, values: AreaEstimates) -> pd.Series:
    """The values of the leaves that are not flagged."""
    frame = values.table.loc[[area.code for area in pack.peers if area.code in values.table.index]]
    return frame.loc[~frame["flagged"].astype(bool), "value"].astype(float)


def people_between(pack: Pack, values: AreaEstimates) -> float | None:
    """How many people or events lie between the area's value and its headline comparator's."""
    counts_people = values.measured.per > 1 or values.measured.unit == "ratio"
    if not counts_people or pack.headline is None or pack.headline.code not in values.comparators.index:
        return None
    own, per = values.own(pack), values.measured.per
    return optional(abs(own.value - values.comparators.loc[pack.headline.code, "value"]) * own.denominator / per)


def side_by_side(pack: Pack, values: AreaEstimates) -> Table:
    """The areas beside the pack's own: peers of a leaf, members of a group, highest first, flagged last."""
    codes = [area.code for area in pack.beside if area.code in values.table.index]
    frame = values.table.loc[codes].copy()
    order = {area.code: area.is_leaf for area in pack.beside}
    frame["leaf"] = [order[code] for code in codes]
    frame["area"] = [pack.geography.area(code).name for code in codes]
    frame["shown"] = frame["value"].where(~frame["flagged"].astype(bool))
    frame["rank"] = frame.groupby("leaf")["shown"].rank(method="min", ascending=False)
    frame["note"] = np.where(frame["flagged"].astype(bool), NOT_RANKED, "")
    frame = frame.sort_values(["leaf", "flagged", "value", "area"], ascending=[True, True, False, True])
    decimals = values.measured.decimals
    columns = {
        "area": Column("Area"),
        "rank": Column("Rank, highest first", decimals=0),
        "value": Column(measure_title(values.measured), decimals=decimals),
    }
    if frame["lower"].notna().any():
        columns |= {"lower": Column("95% lower limit", decimals=decimals),
                    "upper": Column("95% upper limit", decimals=decimals)}  # fmt: skip
    if frame["numerator"].notna().any():
        columns["numerator"] = Column("Numerator", decimals=0)
    if frame["denominator"].notna().any():
        columns["denominator"] = Column("Denominator", decimals=0)
    if frame["flagged"].any():
        columns["note"] = Column("Note")
    return Table(beside_title(pack), frame.reset_index(drop=True), columns, emphasis=pack.area.name)


def beside_title(pack: Pack) -> str:
    """What the side-by-side table shows, in the geography's own words."""
    words = {area.level: area for area in pack.beside}
    counts = Counter(area.level for area in pack.beside)
    parts = listed(plural(count, words[level].level_name, words[level].level_plural) for level, count in counts.items())
    return f"{'All ' if pack.area.is_leaf else ''}{parts} of {among(pack)} side by side"


def among(pack: Pack) -> str:
    """Whose leaves stand beside the area: all of the whole's for a leaf, its own for a group."""
    return pack.geography.whole.name if pack.area.is_leaf else pack.area.name


def peers_named(pack: Pack) -> str:
    """'the 31 PCTs of London'."""
    return f"the {len(pack.peers)} {leaf_levels(pack)} of {pack.geography.whole.name}"


def leaf_levels(pack: Pack, count: int = 2) -> str:
    """What the leaves are called: 'PCTs', or of one 'PCT'."""
    return pack.peers[0].levels(count)


def chart_roles(pack: Pack, values: AreaEstimates) -> pd.DataFrame:
    """The peers as a chart shows them: name, value, lower, upper and role; a group's own members are all emphasised."""
    codes = [area.code for area in pack.peers if area.code in values.table.index]
    frame = values.table.loc[codes, ["value", "lower", "upper", "flagged"]].astype({"flagged": bool})
    own = set() if pack.area.is_whole else set(pack.geography.leaves(pack.area.code))
    frame["name"] = [pack.geography.area(code).name for code in codes]
    frame["role"] = [peer_role(code in own, flagged) for code, flagged in frame["flagged"].items()]
    columns = ["name", "value", "lower", "upper", "role"]
    above = [
        {
            "name": area.name,
            "role": comparator_role(pack, area),
            **values.comparators.loc[area.code, columns[1:4]].to_dict(),
        }
        for area in pack.comparators
        if area.code in values.comparators.index
    ]
    own_row = values.own(pack)
    if not pack.area.is_leaf and not own_row.flagged:
        role = comparator_role(pack, pack.area)
        above.append({"name": pack.area.name, "role": role, **own_row[columns[1:4]].to_dict()})
    return pd.concat([frame[columns], pd.DataFrame(above, columns=columns)], ignore_index=True)


def comparator_role(pack: Pack, area: Area) -> str:
    """How charts tell comparators apart: nation, whole, similar areas and group look alike everywhere."""
    if pack.geography.is_nation(area.code):
        return "nation"
    if area is pack.similar:
        return "similar"
    return "region" if area.is_whole else "parent"


def peer_role(is_own: bool, flagged: bool) -> str:
    """How charts show a leaf area: the pack's own, another, and either of them flagged."""
    if flagged:
        return "flagged_area" if is_own else "flagged"
    return "area" if is_own else "peer"


def area_role(pack: Pack, area: Area) -> str:
    """How charts show the pack's area among its comparators."""
    return "area" if area.code == pack.area.code else comparator_role(pack, area)


def names(pack: Pack, codes: Sequence[str]) -> str:
    return listed(pack.geography.area(code).name for code in codes)


def measure_title(measured: Measure) -> str:
    return f"{measured.name} (%)" if measured.unit == "%" else measured.name
