"""Figures that several chapters read, for every area of a pack's geography: activity, population, standings, breaks."""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from pandas.core.groupby.generic import DataFrameGroupBy, SeriesGroupBy

from cbs_analysis.chapters.building import Standing
from cbs_analysis.edition import Measure
from cbs_analysis.evidence.comparing import estimates
from cbs_analysis.pack import Pack
from cbs_analysis.sources.activity import leaf_activity, measures, published_row
from cbs_analysis.stats import rates, standardisation

LIMITED = ["value", "lower", "upper"]
MATERIAL_SHARE = 0.05  # a flaw in a member matters to a group where the member holds at least this share

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


def standing(
    pack: Pack, counts: pd.DataFrame, measured: Measure, method: Method, flagged: Iterable[str] = ()
) -> Standing:
    """A measure for every area, from counts of the leaves.

    `counts` has area_code, numerator and denominator, a row a leaf and, where it is published, a row for England, which
    then stands as published. Groups add numerators and denominators, then divide. As a comparator a group is made of
    its unflagged leaves; it is itself flagged where the flagged ones hold a twentieth or more of its denominator.
    """
    flagged = set(flagged)
    columns = ["numerator", "denominator"]
    national = counts[counts["area_code"] == pack.geography.national.code]
    leaves = counts[counts["area_code"] != pack.geography.national.code]

    def table(without: Iterable[str]) -> pd.DataFrame:
        rolled = pack.geography.roll_up(leaves, [], columns, without)
        if len(national):
            rolled = rolled[rolled["area_code"] != pack.geography.national.code]
        frame = pd.concat([rolled, national[["area_code", *columns]]]).set_index("area_code")
        frame = frame.reindex(list(dict.fromkeys([*pack.geography.areas, *national["area_code"]])))
        frame[LIMITED] = method(frame["numerator"], frame["denominator"], measured.per)[LIMITED]
        return estimates(frame)

    found = table(())
    published = set(national["area_code"])
    tainted = [
        code for code in pack.geography.areas if code not in published and flagged & set(pack.geography.leaves(code))
    ]
    size = found["denominator"]
    weight = {
        code: rates.ratio(size[[c for c in pack.geography.leaves(code) if c in flagged]].sum(), size[code])
        for code in tainted
    }
    found["flagged"] = [code in flagged or not weight.get(code, 0) < MATERIAL_SHARE for code in found.index]
    without = {
        code: tuple(leaf for leaf in pack.geography.leaves(code) if leaf in flagged)
        for code in tainted
        if not pack.geography.area(code).is_leaf
    }
    return Standing(measured, found, table(flagged) if flagged else found, without)


def activity(pack: Pack) -> pd.DataFrame:
    """Monthly activity of every area and England: area_code, month and the return's measures.

    A month that is missing in the return is a row of NaN, so that it is a gap and not a shorter year.
    """
    if "by area" not in pack.prepared:
        published = pack.read("monthly_activity_return")
        counted = measures(published)
        rolled = pack.geography.roll_up(leaf_activity(published, pack.read("pct_successions")), ["month"], counted)
        national = published_row(published, pack.geography.national.activity_code)
        rolled = rolled[rolled["area_code"] != pack.geography.national.code]
        national = national.assign(area_code=pack.geography.national.code)[["area_code", "month", *counted]]
        frame = pd.concat([rolled, national], ignore_index=True)
        months = pd.date_range(published["month"].min(), published["month"].max(), freq="MS")
        full = pd.MultiIndex.from_product([frame["area_code"].unique(), months], names=["area_code", "month"])
        pack.prepared["by area"] = frame.set_index(["area_code", "month"]).reindex(full).reset_index()
    return pack.prepared["by area"]


def area_months(pack: Pack, code: str, measure: str) -> pd.Series:
    """One area's monthly counts of a measure, indexed by month."""
    return by_month(pack, measure)[code].rename(measure)


def by_month(pack: Pack, measure: str) -> pd.DataFrame:
    """A measure by month and area: a row a month, a column an area."""
    if measure not in pack.prepared:
        pack.prepared[measure] = activity(pack).pivot(index="month", columns="area_code", values=measure)
    return pack.prepared[measure]


def year_months(financial_year: str) -> pd.DatetimeIndex:
    """The months of a financial year: '2010/11' is April 2010 to March 2011."""
    return pd.date_range(f"{financial_year[:4]}-04-01", periods=12, freq="MS")


def earlier_year(financial_year: str, years: int = 1) -> str:
    start = int(financial_year[:4]) - years
    return f"{start}/{(start + 1) % 100:02d}"


def year_totals(pack: Pack, financial_year: str, counted: Iterable[str]) -> pd.DataFrame:
    """Totals of a financial year for every area, indexed by area_code; NaN where any month is missing."""
    frame = activity(pack)
    frame = frame[frame["month"].isin(year_months(financial_year))]
    grouped = frame.groupby("area_code")[list(counted)]
    return grouped.sum().where(grouped.count() == 12)


def complete_sum(grouped: SeriesGroupBy | DataFrameGroupBy) -> pd.Series | pd.DataFrame:
    """Sums of groups, NaN where anything in a group is missing."""
    total, present, size = grouped.sum(), grouped.count(), grouped.size()
    return total.where(present.eq(size, axis=0))


def by_leaf(pack: Pack, boroughs: pd.Series) -> pd.Series:
    """Borough figures added to PCTs, with England's own row; `boroughs` is indexed by ONS code."""
    table = pack.read("boroughs").set_index("borough_code")["pct_code"]
    grouped = boroughs.reindex(table.index).groupby(table)
    found = complete_sum(grouped)
    national = pack.geography.national
    leaves = found.reindex([area.code for area in pack.peers])
    return pd.concat([leaves, pd.Series({national.code: boroughs.get(national.ons_code, np.nan)})]).rename_axis(
        "area_code"
    )


def people_by_age(pack: Pack, year: int, low: int = 0, high: int = 200) -> pd.Series:
    """Residents of an age range in every area and England at mid-year, indexed by area_code."""
    ages = pack.read("population_by_age")
    rows = ages[(ages["mid_year"] == year) & ages["age"].between(low, high)]
    return everywhere(pack, rows.groupby("area_code")["persons"].sum())


def vital_events(pack: Pack, event: str, year: int) -> pd.Series:
    """Births or deaths in the year to mid-year by borough, indexed by ONS code."""
    changes = pack.read("population_change")
    return changes[changes["mid_year"] == year].set_index("borough_code")[event]


def everywhere(pack: Pack, boroughs: pd.Series) -> pd.Series:
    """Borough counts added to every area, with England's own row."""
    leaves = by_leaf(pack, boroughs)
    rolled = pack.geography.roll_up(leaves.rename("value").reset_index(), [], ["value"]).set_index("area_code")["value"]
    national = pack.geography.national.code
    return pd.concat([rolled.drop(national, errors="ignore"), leaves[[national]]])


def leaf_counts(pack: Pack, numerator: pd.Series, denominator: pd.Series) -> pd.DataFrame:
    """Numerator and denominator of the leaves and England, as `standing` takes them."""
    codes = [*(area.code for area in pack.peers), pack.geography.national.code]
    both = pd.DataFrame({"numerator": numerator.reindex(codes), "denominator": denominator.reindex(codes)})
    return both.rename_axis("area_code").reset_index()
