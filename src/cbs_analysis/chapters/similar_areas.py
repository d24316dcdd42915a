"""Which areas are most like this one, for the chapter on population and need: who they are, and what makes them alike.

For the reader who says "but they are not like us". The groups themselves are made once, in `pack.similar_areas`.
"""

import numpy as np
import pandas as pd

from cbs_analysis.chapters.area_estimates import leaf_levels, peers_named, plain_measure
from cbs_analysis.chapters.findings import Basis, Chapter, Exhibits, Value
from cbs_analysis.edition import SimilarAreas
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number
from cbs_analysis.pack import Pack
from cbs_analysis.pack.similar_areas import DEPRIVED, feature, features, neighbours_of_leaves, tables_needed
from cbs_analysis.stats import rates

CHAPTER = Chapter("population_and_need", "strategic planning")
NO_DENSITY = "Density is not among the features: no table here holds the size of an area's ground."
OTHERWISE = (
    "It is likeness in these features and in nothing else. It says nothing of how services are run or of how well, and "
    "areas alike in these may differ in much that matters, such as incomes, languages or distance to a hospital."
)
PARTS = "A feature's part is in the square of the distance, in which the parts add up to 100%."
ONE_WAY = "An area may be among those most like another without that one being among its own."


def similar_areas(pack: Pack) -> Finding | Note:
    """The areas most like a leaf area, and what makes each of them so; for a group, those of each of its leaves."""
    chosen = pack.edition.similar_areas
    if chosen is None:
        return Note("This edition has no comparison with similar areas.")
    nearest = neighbours_of_leaves(pack, chosen)
    if not set(pack.geography.leaves(pack.area.code)) & set(nearest):
        return Note(f"Nothing is said of areas like {pack.area.name}: figures that likeness rests on are missing.")
    if pack.area.is_leaf:
        return _of_leaf(pack, chosen, nearest)
    return _of_group(pack, chosen, nearest)


def _of_leaf(pack: Pack, chosen: SimilarAreas, nearest: dict[str, pd.DataFrame]) -> Finding:
    found, levels = nearest[pack.area.code], pack.area.level_plural
    called = [_name(pack, code) for code in found.index]
    first, last = found["distance"].iloc[0], found["distance"].iloc[-1]
    statement = (
        f"Of {peers_named(pack)}, the {len(found)} most like {pack.area.name} are, nearest first, {listed(called)}. "
        f"{called[0]} is {number(first, 1)} away and {called[-1]} {number(last, 1)}, in standard deviations; half of "
        f"all pairs of {levels} are less than {number(_usual_distance(pack, chosen), 1)} apart."
    )
    parts = pd.DataFrame({"area": called, "distance": found["distance"].to_numpy()})
    for name in chosen.features:
        parts[name] = rates.ratio(found[name].to_numpy(), found["distance"].to_numpy() ** 2, per=100)
    return CHAPTER.finding(
        pack,
        "similar_areas",
        title=f"{levels} most like this one",
        statement=statement,
        value=Value(plain_measure("Distance of the nearest", "standard deviations", 2), first),
        basis=Basis(
            period=_period(pack, chosen),
            sources=tables_needed(pack, chosen),
            methods=["similar-areas"],
            caveats=[*_caveats(pack, chosen), PARTS],
        ),
        exhibits=Exhibits(
            table=Table(
                f"How far the {levels} most like {pack.area.name} are from it, and each feature's part in that",
                parts,
                {"area": Column("Area"), "distance": Column("Distance", decimals=2)}
                | {name: Column(f"{feature(name).title}, part", "%", 0) for name in chosen.features},
            ),
            members=_side_by_side(pack, chosen, list(found.index)),
        ),
    )


def _side_by_side(pack: Pack, chosen: SimilarAreas, codes: list[str]) -> Table:
    """The features of the area, of those most like it, and of its comparators."""
    shown = [pack.area, *(pack.geography.area(code) for code in codes), *pack.comparators]
    frame = features(pack, chosen).reindex([area.code for area in shown])
    frame.insert(0, "area", [area.name for area in shown])
    columns = {name: Column(feature(name).title, feature(name).unit, 1) for name in chosen.features}
    title = f"{pack.area.name} beside the {pack.area.level_plural} most like it and its comparators"
    return Table(title, frame.reset_index(drop=True), {"area": Column("Area")} | columns, emphasis=pack.area.name)


def _of_group(pack: Pack, chosen: SimilarAreas, nearest: dict[str, pd.DataFrame]) -> Finding:
    """Each leaf's nearest: a group has none of its own, as there is no other of its size and kind to choose from."""
    leaves = sorted(
        (pack.geography.area(code) for code in pack.geography.leaves(pack.area.code) if code in nearest),
        key=lambda area: area.name,
    )
    frame = pd.DataFrame(
        [
            {
                "area": area.name,
                "nearest": nearest[area.code]["distance"].iloc[0],
                "furthest": nearest[area.code]["distance"].iloc[-1],
                "names": ", ".join(_name(pack, code) for code in nearest[area.code].index),
            }
            for area in leaves
        ]
    )
    levels, most = leaf_levels(pack), max(len(found) for found in nearest.values())
    close, far = frame.loc[frame["nearest"].idxmin()], frame.loc[frame["nearest"].idxmax()]
    statement = (
        f"Each of {pack.area.name}'s {len(leaves)} {levels} is held against the {most} most like it of "
        f"{peers_named(pack)}, itself aside. {close['area']} has the nearest, {_first(close)}, "
        f"{number(close['nearest'], 1)} standard deviations away; {far['area']} is least like any other: its "
        f"nearest, {_first(far)}, is "
        f"{number(far['nearest'], 1)} away."
    )
    columns = {
        "area": Column("Area"),
        "nearest": Column("Distance of the first", decimals=2),
        "furthest": Column("Distance of the last", decimals=2),
        "names": Column(f"{levels} most like it, nearest first"),
    }
    return CHAPTER.finding(
        pack,
        "similar_areas",
        title=f"{levels} most like each other",
        statement=statement,
        basis=Basis(
            period=_period(pack, chosen),
            sources=tables_needed(pack, chosen),
            methods=["similar-areas"],
            caveats=[f"{pack.area.name} itself is held against the areas above it only.", *_caveats(pack, chosen)],
        ),
        exhibits=Exhibits(members=Table(f"The {levels} most like each of {pack.area.name}'s", frame, columns)),
    )


def _first(row: pd.Series) -> str:
    return str(row["names"]).split(", ")[0]


def _name(pack: Pack, code: object) -> str:
    return pack.geography.area(str(code)).name


def _usual_distance(pack: Pack, chosen: SimilarAreas) -> float:
    """The median distance between any two leaves."""
    everyone = chosen.model_copy(update={"count": len(pack.peers)})
    return float(
        np.median(np.concatenate([found["distance"] for found in neighbours_of_leaves(pack, everyone).values()]))
    )


def _caveats(pack: Pack, chosen: SimilarAreas) -> list[str]:
    ages = [feature(name).sentence for name in chosen.features if feature(name).is_of_ages]
    others = [feature(name).sentence for name in chosen.features if not feature(name).is_of_ages]
    named = [f"the shares of residents {listed(ages)}"] if ages else []
    total = len(chosen.features)
    weight = f" {len(ages)} of the {total} are of ages, so ages weigh most." if len(ages) > total / 2 else ""
    nearest = neighbours_of_leaves(pack, chosen)
    missing = [area.name for area in pack.peers if area.code not in nearest]
    return [
        f"Alike in {'; '.join([*named, *others])}. Each is divided by its standard deviation over "
        f"{peers_named(pack)}, so that one counts as much as another.{weight}",
        NO_DENSITY,
        OTHERWISE,
        ONE_WAY,
        *([f"Not among those to choose from, as figures are missing: {listed(missing)}."] if missing else []),
    ]


def _period(pack: Pack, chosen: SimilarAreas) -> str:
    index = f"; {pack.period('deprivation')}" if DEPRIVED in chosen.features else ""
    return f"{pack.period('population')}{index}"
