"""Figures that several chapters read, for every area of a pack's geography: activity, population, standings, breaks."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from pandas.core.groupby.generic import DataFrameGroupBy, SeriesGroupBy

from cbs_analysis.chapters.building import Standing
from cbs_analysis.edition import Measure
from cbs_analysis.evidence.comparing import estimates
from cbs_analysis.geography import SIMILAR, Geography
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates, standardisation
from cbs_analysis.tables.activity import leaf_activity, measures, published_row

COUNTS = ["numerator", "denominator"]
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
    out, common = frozenset(flagged), pack.common
    content = tuple(counts["area_code"]), counts[COUNTS].to_numpy(dtype=float).tobytes()
    everyone = common.once(
        ("standing", content, measured, method, out),
        lambda: _standing(common.geography, counts, measured, method, out),
    )
    return everyone if pack.similar is None else _standing_of_similar(pack.similar.members, everyone, method, out)


def _standing_of_similar(
    members: Sequence[str], everyone: Standing, method: Method, flagged: frozenset[str]
) -> Standing:
    """The standing of every area, with that of a group of similar areas, by the same rules."""
    leaves = everyone.table.loc[list(members), COUNTS]

    def row(parts: pd.DataFrame, is_flagged: bool = False) -> pd.DataFrame:
        index = pd.Index([SIMILAR], name="area_code")
        numerator, denominator = (pd.Series(parts[name].sum(skipna=False, min_count=1), index=index) for name in COUNTS)
        limits = method(numerator, denominator, everyone.measured.per)
        values = {name: limits[name].to_numpy() for name in LIMITED}
        return pd.DataFrame(
            {**values, "numerator": numerator, "denominator": denominator, "flagged": is_flagged}, index=index
        )

    inside = [code for code in members if code in flagged]
    share = rates.ratio(leaves.loc[inside, "denominator"].sum(), leaves["denominator"].sum(skipna=False))
    table = pd.concat([everyone.table, row(leaves, bool(inside) and not share < MATERIAL_SHARE)])
    if not flagged:
        return Standing(everyone.measured, table, table, everyone.without)
    held = pd.concat([everyone.held, row(leaves.drop(index=inside))])
    return Standing(everyone.measured, table, held, everyone.without | ({SIMILAR: tuple(inside)} if inside else {}))


def _standing(
    geography: Geography, counts: pd.DataFrame, measured: Measure, method: Method, flagged: frozenset[str]
) -> Standing:
    """The standing of every area of a geography, and of England where it is published."""
    areas = list(geography.areas)
    national = counts[counts["area_code"] == geography.national.code]
    leaves = counts[counts["area_code"] != geography.national.code]

    def table(without: Iterable[str]) -> pd.DataFrame:
        rolled = geography.roll_up(leaves, [], COUNTS, without)
        if len(national):
            rolled = rolled[rolled["area_code"] != geography.national.code]
        frame = pd.concat([rolled, national[["area_code", *COUNTS]]]).set_index("area_code")
        frame = frame.reindex(list(dict.fromkeys([*areas, *national["area_code"]])))
        frame[LIMITED] = method(frame["numerator"], frame["denominator"], measured.per)[LIMITED]
        return estimates(frame)

    found = table(())
    published = set(national["area_code"])
    tainted = [code for code in areas if code not in published and flagged & set(geography.leaves(code))]
    size = found["denominator"]
    weight = {
        code: rates.ratio(size[[c for c in geography.leaves(code) if c in flagged]].sum(), size[code])
        for code in tainted
    }
    found["flagged"] = [code in flagged or not weight.get(code, 0) < MATERIAL_SHARE for code in found.index]
    without = {
        code: tuple(leaf for leaf in geography.leaves(code) if leaf in flagged)
        for code in tainted
        if not geography.area(code).is_leaf
    }
    return Standing(measured, found, table(flagged) if flagged else found, without)


def activity(pack: Pack) -> pd.DataFrame:
    """Monthly activity of every area and England: area_code, month and the return's measures.

    A month that is missing in the return is a row of NaN, so that it is a gap and not a shorter year.
    """
    everyone = pack.common.once("activity", lambda: _activity(pack.common))
    if pack.similar is None:
        return everyone
    return pack.once("activity", lambda: pd.concat([everyone, _of_similar(pack, everyone, "month")]))


def _activity(pack: Pack) -> pd.DataFrame:
    published = pack.read("monthly_activity_return")
    counted = measures(published)
    rolled = pack.geography.roll_up(every_leaf(pack), ["month"], counted)
    national = published_row(published, pack.geography.national.activity_code)
    rolled = rolled[rolled["area_code"] != pack.geography.national.code]
    national = national.assign(area_code=pack.geography.national.code)[["area_code", "month", *counted]]
    frame = pd.concat([rolled, national], ignore_index=True)
    months = pd.date_range(published["month"].min(), published["month"].max(), freq="MS")
    full = pd.MultiIndex.from_product([frame["area_code"].unique(), months], names=["area_code", "month"])
    return frame.set_index(["area_code", "month"]).reindex(full).reset_index()


def every_leaf(pack: Pack) -> pd.DataFrame:
    """Monthly activity of every PCT of England: see `activity.leaf_activity`."""
    pack = pack.common
    return pack.once(
        "every leaf", lambda: leaf_activity(pack.read("monthly_activity_return"), pack.read("pct_successions"))
    )


def _of_similar(pack: Pack, everyone: pd.DataFrame, *by: str) -> pd.DataFrame:
    """The rows of the pack's group of similar areas, added up from those of its leaves; NaN where one is missing."""
    leaves = everyone[everyone["area_code"].isin(pack.geography.leaves(SIMILAR))]
    return pack.geography.roll_up(leaves, by, list(leaves.columns.drop(["area_code", *by])), of=[SIMILAR])


def area_months(pack: Pack, code: str, measure: str) -> pd.Series:
    """One area's monthly counts of a measure, indexed by month."""
    return by_month(pack, measure)[code].rename(measure)


def by_month(pack: Pack, measure: str) -> pd.DataFrame:
    """A measure by month and area: a row a month, a column an area."""
    everyone = pack.common.once(
        ("by month", measure),
        lambda: activity(pack.common).pivot(index="month", columns="area_code", values=measure),
    )
    if pack.similar is None:
        return everyone
    members = list(pack.similar.members)
    return everyone.assign(**{SIMILAR: everyone[members].sum(axis=1, skipna=False)})


def year_months(financial_year: str) -> pd.DatetimeIndex:
    """The months of a financial year: '2010/11' is April 2010 to March 2011."""
    return pd.date_range(f"{financial_year[:4]}-04-01", periods=12, freq="MS")


def earlier_year(financial_year: str, years: int = 1) -> str:
    start = int(financial_year[:4]) - years
    return f"{start}/{(start + 1) % 100:02d}"


def year_totals(pack: Pack, financial_year: str, counted: Iterable[str]) -> pd.DataFrame:
    """Totals of a financial year for every area, indexed by area_code; NaN where any month is missing."""
    wanted = list(counted)
    everyone = pack.common.once(("year totals", financial_year), lambda: _year_totals(pack.common, financial_year))
    if pack.similar is None:
        return everyone[wanted]
    total = everyone.loc[list(pack.similar.members), wanted].sum(skipna=False)
    return pd.concat([everyone[wanted], total.to_frame(SIMILAR).T]).rename_axis("area_code")


def _year_totals(pack: Pack, financial_year: str) -> pd.DataFrame:
    frame = activity(pack)
    grouped = frame[frame["month"].isin(year_months(financial_year))].drop(columns="month").groupby("area_code")
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

    def make() -> pd.Series:
        ages = pack.read("population_by_age")
        rows = ages[(ages["mid_year"] == year) & ages["age"].between(low, high)]
        return everywhere(pack.common, rows.groupby("area_code")["persons"].sum())

    everyone = pack.common.once(("people", year, low, high), make)
    return pack.once(("people with similar", year, low, high), lambda: _with_similar(pack, everyone))


def vital_events(pack: Pack, event: str, year: int) -> pd.Series:
    """Births or deaths in the year to mid-year by borough, indexed by ONS code."""
    changes = pack.read("population_change")
    return changes[changes["mid_year"] == year].set_index("borough_code")[event]


def everywhere(pack: Pack, boroughs: pd.Series) -> pd.Series:
    """Borough counts added to every area, with England's own row."""
    leaves, geography = by_leaf(pack, boroughs), pack.common.geography
    rolled = geography.roll_up(leaves.rename("value").reset_index(), [], ["value"]).set_index("area_code")["value"]
    national = geography.national.code
    return _with_similar(pack, pd.concat([rolled.drop(national, errors="ignore"), leaves[[national]]]))


def _with_similar(pack: Pack, everyone: pd.Series) -> pd.Series:
    """Counts of every area, indexed by area_code, with the pack's group of similar areas where it has one."""
    if pack.similar is None:
        return everyone
    total = everyone[list(pack.similar.members)].sum(skipna=False)
    return pd.concat([everyone, pd.Series({SIMILAR: total})]).rename_axis("area_code")


def leaf_counts(pack: Pack, numerator: pd.Series, denominator: pd.Series) -> pd.DataFrame:
    """Numerator and denominator of the leaves and England, as `standing` takes them."""
    codes = [*(area.code for area in pack.peers), pack.geography.national.code]
    both = pd.DataFrame({"numerator": numerator.reindex(codes), "denominator": denominator.reindex(codes)})
    return both.rename_axis("area_code").reset_index()
