"""Small areas by their published rank of deprivation, counted for a pack's areas.

The edition says which table and which column of ranks. How many areas the publisher ranked is the highest rank that the
column's description allows, so fifths are those of everything that was ranked, wherever a pack's areas are.
"""

import numpy as np
import pandas as pd

from cbs_analysis.errors import UserError
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import leaf_counts
from cbs_analysis.pack.series import area_column

FIFTHS = 5


def small_areas(pack: Pack) -> pd.DataFrame:
    """Every small area: area_code (of the area that the table puts it in), rank, fifth (1 the most deprived)."""
    pack = pack.common
    return pack.once("small areas", lambda: _small_areas(pack))


def _small_areas(pack: Pack) -> pd.DataFrame:
    chosen = pack.edition.deprivation
    if chosen is None:
        raise UserError(
            f"params/editions/{pack.edition.name}.yml: deprivation is needed and not given: the table and its rank"
        )
    frame, ranked = pack.read(chosen.table), number_ranked(pack)
    rank = frame[chosen.rank]
    return pd.DataFrame(
        {
            "area_code": frame[area_column(pack, chosen.table).name],
            "rank": rank,
            "fifth": np.ceil(rank * FIFTHS / ranked).astype(int),
        }
    )


def number_ranked(pack: Pack) -> int:
    """How many small areas the publisher ranked. Raises UserError where the description does not say."""
    chosen = pack.edition.deprivation
    highest = pack.about(chosen.table).column(chosen.rank).maximum if chosen else None
    if highest is None:
        table = chosen.table if chosen else "deprivation"
        raise UserError(
            f"data/datapackage.json, {table}: the rank of deprivation needs a maximum: how many areas are ranked"
        )
    return int(highest)


def in_most_deprived_fifth(pack: Pack) -> pd.DataFrame:
    """Small areas in the most deprived fifth and all small areas, of the leaves and the nation: area_code, numerator,
    denominator. The nation's are known from the ranking itself.
    """
    grouped = (small_areas(pack)["fifth"] == 1).astype(float).groupby(small_areas(pack)["area_code"])
    counts = leaf_counts(
        pack, pack.geography.leaf_counts(grouped.sum()), pack.geography.leaf_counts(grouped.count().astype(float))
    )
    ranked = number_ranked(pack)
    nation = counts["area_code"].isin([code for code in pack.geography.nation_codes if pack.geography.is_beyond(code)])
    counts.loc[nation, ["numerator", "denominator"]] = [ranked // FIFTHS, ranked]
    return counts
