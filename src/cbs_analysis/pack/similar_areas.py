"""Similar areas: for each leaf, the group of its statistical neighbours, which an edition adds to its geography.

Alike in the features that the edition names, worked out from published tables; see `stats.neighbours`. A group is made
once and is then a comparator like any other: its counts are added and divided as a sector's are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from cbs_analysis.edition import SimilarAreas, load_edition
from cbs_analysis.errors import UserError, nearest
from cbs_analysis.geography import SIMILAR, Area, load_geography, similar_code
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.pack import Pack, open_pack
from cbs_analysis.pack.deprivation import in_most_deprived_fifth
from cbs_analysis.pack.measures import CHANGE, POPULATION, everywhere, people_by_age, vital_events
from cbs_analysis.stats import neighbours, rates


@dataclass(frozen=True)
class Feature:
    """What areas are to be alike in: a column's title and unit, the same in a sentence, the tables it needs, and its
    value for every area.
    """

    title: str
    unit: str
    sentence: str
    tables: tuple[str, ...]
    values: Callable[[Pack], pd.Series]
    is_of_ages: bool = False


def _share_aged(low: int, high: int = 200) -> Callable[[Pack], pd.Series]:
    def values(pack: Pack) -> pd.Series:
        year = pack.period(POPULATION_PERIOD).year
        return rates.ratio(people_by_age(pack, year, low, high), people_by_age(pack, year), per=100)

    return values


def _births(pack: Pack) -> pd.Series:
    year = pack.period(POPULATION_PERIOD).year
    events = everywhere(pack, vital_events(pack, "births", year))
    return rates.ratio(events, people_by_age(pack, year).reindex(events.index), per=1000)


def _most_deprived(pack: Pack) -> pd.Series:
    counts = in_most_deprived_fifth(pack).set_index("area_code")
    totals = {name: everywhere(pack, counts[name]) for name in ("numerator", "denominator")}
    return rates.ratio(totals["numerator"], totals["denominator"], per=100)


POPULATION_PERIOD = "population"
DEPRIVED = "most_deprived_fifth_pct"
FEATURES = {
    "aged_0_4_pct": Feature("Aged 0-4", "%", "aged 0 to 4", (POPULATION,), _share_aged(0, 4), True),
    "aged_20_34_pct": Feature("Aged 20-34", "%", "aged 20 to 34", (POPULATION,), _share_aged(20, 34), True),
    "aged_65_plus_pct": Feature("Aged 65+", "%", "aged 65 and over", (POPULATION,), _share_aged(65), True),
    "aged_85_plus_pct": Feature("Aged 85+", "%", "aged 85 and over", (POPULATION,), _share_aged(85), True),
    "births_per_1000": Feature("Births", "per 1,000", "births per 1,000 people", (POPULATION, CHANGE), _births),
    DEPRIVED: Feature(
        "Most deprived fifth", "%", "the share of neighbourhoods in the most deprived fifth", (), _most_deprived
    ),
}


def feature(name: str) -> Feature:
    """A feature by its name. Raises UserError with the nearest names where there is none."""
    if name not in FEATURES:
        raise UserError(f"similar_areas: features: {name!r} is not a feature; {nearest(name, FEATURES)}")
    return FEATURES[name]


def tables_needed(pack: Pack, chosen: SimilarAreas) -> list[str]:
    """The tables that the chosen features are worked out from."""
    named = [table for name in chosen.features for table in feature(name).tables]
    if DEPRIVED in chosen.features and pack.edition.deprivation:
        named.append(pack.edition.deprivation.table)
    return list(dict.fromkeys(named))


def features(pack: Pack, chosen: SimilarAreas) -> pd.DataFrame:
    """The chosen features of every area and the nation, indexed by area_code, a column a feature."""
    pack = pack.common
    return pack.once(
        ("features", chosen.features),
        lambda: pd.DataFrame({name: feature(name).values(pack) for name in chosen.features}),
    )


def neighbours_of_leaves(pack: Pack, chosen: SimilarAreas) -> dict[str, pd.DataFrame]:
    """For each leaf whose features are known, the areas most like it: see `stats.neighbours.similar_areas`."""
    pack = pack.common

    def make() -> dict[str, pd.DataFrame]:
        known = features(pack, chosen).reindex([area.code for area in pack.peers]).dropna()
        if len(known) < 2:
            return {}
        return {code: neighbours.similar_areas(known, code, chosen.count) for code in known.index}

    return pack.once(("neighbours", chosen.features, chosen.count), make)


def groups_of_similar_areas(pack: Pack) -> list[Area]:
    """The group of each leaf's similar areas, as the edition chooses them; none where it does not, or where the
    geography is not the one that the edition is about.
    """
    chosen = pack.edition.similar_areas
    if chosen is None or pack.geography.name != pack.edition.geography:
        return []
    whole = pack.geography.whole.code
    return [
        Area(
            code=similar_code(code),
            name=f"Similar {pack.geography.area(code).level_plural}",
            level=SIMILAR,
            parent=whole,
            members=tuple(str(member) for member in found.index),
            level_name="group of similar areas",
            level_plural="groups of similar areas",
        )
        for code, found in neighbours_of_leaves(pack, chosen).items()
    ]


def similar_areas_by_leaf(edition: str) -> dict[str, list[str]]:
    """The codes of each leaf's similar areas, nearest first, in an edition; empty where it has none."""
    chosen = load_edition(edition, params_dir())
    if chosen.similar_areas is None:
        return {}
    tree = load_geography(chosen.geography, data_dir())
    pack = open_pack(tree.whole.code, edition)
    return {group.code: list(group.members) for group in pack.geography.groups.values()}
