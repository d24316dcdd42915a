"""Which areas are most like this one, for every chapter's comparisons and for a finding that explains the choice.

For the reader who says "but they are not like us". Likeness is in the features that the edition names, worked out
from the mid-year population, births and the Index of Multiple Deprivation; see `stats.neighbours`. The areas most
like a leaf area are one more comparator of its pack: their counts are added and divided as a sector's are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cbs_analysis import pack as packs
from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Chapter, peers_named, plain_measure
from cbs_analysis.chapters.deprivation import most_deprived
from cbs_analysis.edition import SimilarAreas
from cbs_analysis.evidence.finding import Finding, Note
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import level_name, listed, number
from cbs_analysis.pack import Pack
from cbs_analysis.stats import neighbours, rates

CHAPTER = Chapter("population_and_need", "strategic planning")
NO_DENSITY = "Density is not among the features: no table here holds the size of an area's ground."
OTHERWISE = (
    "It is likeness in these features and in nothing else. It says nothing of how services are run or of how well, and "
    "areas alike in these may differ in much that matters, such as incomes, languages or distance to a hospital."
)
PARTS = "A feature's part is in the square of the distance, in which the parts add up to 100%."
ONE_WAY = "An area may be among those most like another without that one being among its own."


@dataclass(frozen=True)
class Feature:
    """What areas are to be alike in: a column's title and unit, in a sentence, and its value for every area."""

    title: str
    unit: str
    said: str
    values: Callable[[Pack], pd.Series]


def _share_aged(low: int, high: int = 200) -> Callable[[Pack], pd.Series]:
    def values(pack: Pack) -> pd.Series:
        year = pack.edition.population_year
        return rates.ratio(figures.people_by_age(pack, year, low, high), figures.people_by_age(pack, year), per=100)

    return values


def _births(pack: Pack) -> pd.Series:
    year = pack.edition.population_year
    events = figures.everywhere(pack, figures.vital_events(pack, "births", year))
    return rates.ratio(events, figures.people_by_age(pack, year), per=1000)


def _most_deprived(pack: Pack) -> pd.Series:
    return most_deprived(pack).table["value"]


AGES, DEPRIVED = "aged_", "most_deprived_fifth_pct"
# By the names that `edition.Feature` allows.
FEATURES = {
    "aged_0_4_pct": Feature("Aged 0-4", "%", "aged 0 to 4", _share_aged(0, 4)),
    "aged_20_34_pct": Feature("Aged 20-34", "%", "aged 20 to 34", _share_aged(20, 34)),
    "aged_65_plus_pct": Feature("Aged 65+", "%", "aged 65 and over", _share_aged(65)),
    "aged_85_plus_pct": Feature("Aged 85+", "%", "aged 85 and over", _share_aged(85)),
    "births_per_1000": Feature("Births", "per 1,000", "births per 1,000 people", _births),
    DEPRIVED: Feature(
        "Most deprived fifth", "%", "the share of neighbourhoods in England's most deprived fifth", _most_deprived
    ),
}


def open_pack(area_code: str, edition: str, sources: Sequence[str] | None = None) -> Pack:
    """The pack of this area in this edition, with the areas most like its own as one more comparator.

    It reads the source tables named and no other; a notebook names them, so that it is run again when one of them
    changes, and only then.

    Only a leaf area has them, in an edition that says in what. Raises UserError naming the nearest valid value where
    the area or the edition is not known, DataError where a table that they rest on does not pass its checks.
    """
    opened = packs.open_pack(area_code, edition, sources)
    chosen = opened.edition.similar_areas
    if chosen is None or not opened.area.is_leaf:
        return opened
    nearest = _nearest(opened, chosen).get(area_code)
    return opened if nearest is None else opened.with_similar(nearest.index)


def features(pack: Pack, chosen: SimilarAreas) -> pd.DataFrame:
    """The chosen features of every area and England, indexed by area_code, a column a feature."""
    return pd.DataFrame({name: FEATURES[name].values(pack) for name in chosen.features})


def _nearest(pack: Pack, chosen: SimilarAreas) -> dict[str, pd.DataFrame]:
    """For each leaf whose features are known, those most like it: see `stats.neighbours.similar_areas`."""
    pack = pack.common

    def make() -> dict[str, pd.DataFrame]:
        known = features(pack, chosen).reindex([area.code for area in pack.peers]).dropna()
        if len(known) < 2:
            return {}
        return {code: neighbours.similar_areas(known, code, chosen.count) for code in known.index}

    return pack.once(("nearest", tuple(chosen.features), chosen.count), make)


def similar_areas(pack: Pack) -> Finding | Note:
    """The areas most like a leaf area, and what makes each of them so; for a group, those of each of its leaves."""
    chosen = pack.edition.similar_areas
    if chosen is None:
        return Note("This edition holds no area against those most like it.")
    nearest = _nearest(pack, chosen)
    if not set(pack.geography.leaves(pack.area.code)) & set(nearest):
        return Note(f"Nothing is said of areas like {pack.area.name}: figures that likeness rests on are missing.")
    if pack.area.is_leaf:
        return _of_leaf(pack, chosen, nearest)
    return _of_group(pack, chosen, nearest)


def _of_leaf(pack: Pack, chosen: SimilarAreas, nearest: dict[str, pd.DataFrame]) -> Finding:
    found, levels = nearest[pack.area.code], level_name(pack.area.level, plural=True)
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
        measured=plain_measure("Distance of the nearest", "standard deviations", 2),
        value=first,
        period=_period(pack, chosen),
        sources=_sources(chosen),
        methods=["similar-areas"],
        caveats=[*_caveats(pack, chosen), PARTS],
        table=Table(
            f"How far the {levels} most like {pack.area.name} are from it, and each feature's part in that",
            parts,
            {"area": Column("Area"), "distance": Column("Distance", decimals=2)}
            | {name: Column(f"{FEATURES[name].title}, part", "%", 0) for name in chosen.features},
        ),
        members=_side_by_side(pack, chosen, list(found.index)),
    )


def _side_by_side(pack: Pack, chosen: SimilarAreas, codes: list[str]) -> Table:
    """The features of the area, of those most like it, and of its comparators."""
    shown = [pack.area, *(pack.geography.area(code) for code in codes), *pack.comparators]
    frame = features(pack, chosen).reindex([area.code for area in shown])
    frame.insert(0, "area", [area.name for area in shown])
    columns = {name: Column(FEATURES[name].title, FEATURES[name].unit, 1) for name in chosen.features}
    title = f"{pack.area.name} beside the {level_name(pack.area.level, plural=True)} most like it and its comparators"
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
    levels, most = level_name(leaves[0].level, plural=True), max(len(found) for found in nearest.values())
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
        period=_period(pack, chosen),
        sources=_sources(chosen),
        methods=["similar-areas"],
        caveats=[f"{pack.area.name} itself is held against the areas above it only.", *_caveats(pack, chosen)],
        members=Table(f"The {levels} most like each of {pack.area.name}'s", frame, columns),
    )


def _first(row: pd.Series) -> str:
    return str(row["names"]).split(", ")[0]


def _name(pack: Pack, code: object) -> str:
    return pack.geography.area(str(code)).name


def _usual_distance(pack: Pack, chosen: SimilarAreas) -> float:
    """The median distance between any two leaves."""
    everyone = chosen.model_copy(update={"count": len(pack.peers)})
    return float(np.median(np.concatenate([found["distance"] for found in _nearest(pack, everyone).values()])))


def _caveats(pack: Pack, chosen: SimilarAreas) -> list[str]:
    ages = [FEATURES[name].said for name in chosen.features if name.startswith(AGES)]
    others = [FEATURES[name].said for name in chosen.features if not name.startswith(AGES)]
    named = [f"the shares of residents {listed(ages)}"] if ages else []
    total = len(chosen.features)
    weight = f" {len(ages)} of the {total} are of ages, so ages weigh most." if len(ages) > total / 2 else ""
    nearest = _nearest(pack, chosen)
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
    index = "; Index of Multiple Deprivation 2010" if DEPRIVED in chosen.features else ""
    return f"mid-{pack.edition.population_year}{index}"


def _sources(chosen: SimilarAreas) -> list[str]:
    held = {"births_per_1000": "population_change", DEPRIVED: "deprivation_lsoa"}
    return ["population_by_age", *(held[name] for name in chosen.features if name in held)]
