"""Published figures mapped onto a pack's areas: residents, events, counts, for every leaf, group and the nation."""

import numpy as np
import pandas as pd
from pandas.core.groupby.generic import DataFrameGroupBy, SeriesGroupBy

from cbs_analysis.errors import UserError, nearest
from cbs_analysis.pack import Pack

POPULATION, AGE_COLUMNS = "population_by_age", ("mid_year", "age", "persons")
CHANGE = "population_change"


def by_leaf(pack: Pack, published: pd.Series) -> pd.Series:
    """Counts published by area code, of any kinds, as counts of the leaves and the nation, indexed by area_code.

    See `Geography.leaf_counts`.
    """
    return pack.geography.leaf_counts(published)


def everywhere(pack: Pack, published: pd.Series) -> pd.Series:
    """The same for every area, group and the nation, indexed by area_code."""
    leaves, geography = by_leaf(pack, published), pack.common.geography
    rolled = geography.roll_up(leaves.rename("value").reset_index(), [], ["value"]).set_index("area_code")["value"]
    nation = [code for code in geography.nation_codes if not np.isnan(leaves.get(code, np.nan))]
    return pd.concat([rolled.drop(nation, errors="ignore"), leaves[nation]])


def people_by_age(pack: Pack, year: int, low: int = 0, high: int = 200) -> pd.Series:
    """Residents of an age range in every area, group and the nation at mid-year, indexed by area_code."""

    def make() -> pd.Series:
        ages = pack.read(POPULATION)
        rows = ages[(ages["mid_year"] == year) & ages["age"].between(low, high)]
        if rows.empty:
            known = [str(known) for known in sorted(ages["mid_year"].unique())]
            raise UserError(f"{POPULATION}: no residents of {year}; {nearest(str(year), known)}")
        return everywhere(pack.common, rows.groupby("area_code")["persons"].sum())

    return pack.common.once(("people", year, low, high), make)


def vital_events(pack: Pack, event: str, year: int) -> pd.Series:
    """Births or deaths in the year to mid-year, indexed by the code that they are published for."""
    changes = pack.read(CHANGE)
    column = next(column.name for column in pack.about(CHANGE).columns if column.area_kinds)
    return changes[changes["mid_year"] == year].set_index(column)[event]


def leaf_counts(pack: Pack, numerator: pd.Series, denominator: pd.Series) -> pd.DataFrame:
    """Numerator and denominator of the leaves and the nation: area_code, numerator, denominator."""
    beyond = [code for code in pack.geography.nation_codes if code not in [area.code for area in pack.peers]]
    codes = [*(area.code for area in pack.peers), *beyond]
    both = pd.DataFrame({"numerator": numerator.reindex(codes), "denominator": denominator.reindex(codes)})
    return both.rename_axis("area_code").reset_index()


def complete_sum(grouped: SeriesGroupBy | DataFrameGroupBy) -> pd.Series | pd.DataFrame:
    """Sums of groups, NaN where anything in a group is missing."""
    total, present, size = grouped.sum(), grouped.count(), grouped.size()
    return total.where(present.eq(size, axis=0))


def leaves_by(pack: Pack, frame: pd.DataFrame, area: str, by: str, counts: list[str]) -> pd.DataFrame:
    """A table's counts by area and another column, such as a year, as counts of the leaves: area_code, `by`, counts.

    `area` is the column of the areas that rows are about, of any kinds. A leaf is NaN where a part of it is missing.
    """
    codes = [leaf.code for leaf in pack.peers]
    parts = []
    for key, rows in frame.groupby(by):
        values = rows.set_index(area)
        leaves = {column: pack.geography.leaf_counts(values[column]).reindex(codes) for column in counts}
        parts.append(pd.DataFrame(leaves).rename_axis("area_code").reset_index().assign(**{by: key}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["area_code", by, *counts])
