"""Series: one measure of one table over time, weekly, monthly, quarterly or yearly, for every area of a pack.

What a series counts, and by which kind of day it runs, stands in `params/series.yml`; when and about which areas its
table's rows are, in the table's description. A step that is missing is a gap: neither bridged nor filled.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd

from cbs_analysis.edition import SeriesDefinition
from cbs_analysis.errors import UserError
from cbs_analysis.pack import Pack
from cbs_analysis.pack.measures import leaves_by
from cbs_analysis.periods import FREQUENCIES, Frequency, Period, step_starts
from cbs_analysis.stats.calendar import calendar_days, working_days
from cbs_analysis.tables.descriptions import ColumnDescription

STEP = "step"
Counts = TypeVar("Counts", pd.Series, pd.DataFrame)
Days = Callable[[pd.PeriodIndex], np.ndarray]
DAYS: Mapping[str, Days] = {"working day": working_days, "calendar day": calendar_days}


@dataclass(frozen=True)
class Series:
    """A series as chapters use it: its definition, and the steps that it runs in."""

    definition: SeriesDefinition
    frequency: Frequency
    day: str  # one of DAYS

    @property
    def id(self) -> str:
        return self.definition.id

    @property
    def table(self) -> str:
        return self.definition.table

    @property
    def measures(self) -> tuple[str, ...]:
        return self.definition.measures

    @property
    def noun(self) -> str:
        """What is counted, as in a sentence."""
        return self.definition.noun

    @property
    def name(self) -> str:
        """What is counted, as a title."""
        return self.definition.name

    def days(self, starts: pd.DatetimeIndex) -> np.ndarray:
        """The days of each step of the kind that the series runs by."""
        return days_of(self.frequency, self.day, starts)


def days_of(frequency: Frequency, day: str, starts: pd.DatetimeIndex) -> np.ndarray:
    """Working or calendar days in each step that begins on one of these dates."""
    return DAYS[day](starts.to_period(frequency.period_alias))


def in_periods(frequency: Frequency, values: Counts) -> Counts:
    """Counts by the start of each step, by the period from its first to its last day: as the statistics read them."""
    return values.set_axis(pd.DatetimeIndex(values.index).to_period(frequency.period_alias), axis=0)


def series(pack: Pack, name: str) -> Series:
    """The series of this name. Raises UserError where the edition has none, or its table does not say when rows are."""
    definition = pack.series_definitions[name]
    return Series(definition, frequency(pack, definition.table), definition.day)


def frequency(pack: Pack, table: str) -> Frequency:
    """The steps that a table's rows are about; years start where those of its rows do.

    Raises UserError where its description names none.
    """
    named = FREQUENCIES[_time(pack, table).frequency]
    if named.name != "year":
        return named
    common = pack.common
    return common.once(("frequency", table), lambda: named.starting(int(_by_step(common, table)[STEP].min().month)))


def _time(pack: Pack, table: str) -> ColumnDescription:
    column = next((column for column in pack.about(table).columns if column.frequency in FREQUENCIES), None)
    if column is None:
        raise UserError(
            f"data/datapackage.json, {table}: no column has a frequency; give the one that says when the frequency "
            f"{', '.join(FREQUENCIES)}"
        )
    return column


def area_column(pack: Pack, table: str) -> ColumnDescription:
    """The column that says which areas a table's rows are about. Raises UserError where its description names none."""
    column = next((column for column in pack.about(table).columns if column.area_kinds), None)
    if column is None:
        raise UserError(
            f"data/datapackage.json, {table}: no column has areaKinds; give the one with area codes the kinds of area "
            "that they stand for"
        )
    return column


def counted_columns(pack: Pack, table: str) -> list[str]:
    """The columns of a table by area and time that count something."""
    about = pack.about(table)
    return [
        column.name
        for column in about.columns
        if column.kind in ("integer", "number") and column.name not in about.key and not column.frequency
    ]


def every_leaf(pack: Pack, table: str) -> pd.DataFrame:
    """Counts of every area of the leaves' kind that a table holds, within the geography or not: area_code, step, and
    the counted columns, a row for each area and step.

    A successor's history is the sum of its predecessors. A count is NaN in a step for which the table has no row of the
    area, of any one predecessor, or of any one part that it is made of.
    """
    pack = pack.common
    return pack.once(("every leaf", table), lambda: _every_leaf(pack, table))


def _every_leaf(pack: Pack, table: str) -> pd.DataFrame:
    geography, columns = pack.geography, counted_columns(pack, table)
    frame = _by_step(pack, table)
    steps = _steps(pack, table)
    kinds = {area.kind for area in geography.peers}
    own = frame[frame["area_code"].map(geography.kinds).isin(kinds)]
    if own.empty:
        return _leaves_from_parts(pack, frame, columns, steps)
    successor = {each.predecessor: each.successor for each in geography.successions}
    began = {each.successor: each.since for each in sorted(geography.successions, key=lambda each: each.since)}
    predecessors = pd.Series(list(successor.values()), dtype=object).value_counts().to_dict()
    folded = own.assign(area_code=own["area_code"].replace(successor))
    grouped = folded.groupby(["area_code", STEP])[columns]
    totals, present = grouped.sum(min_count=1), grouped.count()
    expected = [
        predecessors[area] if area in began and step < began[area] else 1 for area, step in totals.index
    ]  # fmt: skip
    every = pd.MultiIndex.from_product([sorted(folded["area_code"].unique()), steps], names=totals.index.names)
    return totals.where(present.eq(expected, axis=0)).reindex(every).reset_index()


def _leaves_from_parts(pack: Pack, frame: pd.DataFrame, columns: list[str], steps: pd.DatetimeIndex) -> pd.DataFrame:
    """The same of leaves that a table has no rows of, added up from the parts that it has."""
    leaves = leaves_by(pack, frame, "area_code", STEP, columns)
    every = pd.MultiIndex.from_product([[area.code for area in pack.peers], steps], names=["area_code", STEP])
    return leaves.set_index(["area_code", STEP])[columns].reindex(every).reset_index()


def _by_step(pack: Pack, table: str) -> pd.DataFrame:
    """A table's rows with area_code, step (its start) and counts as numbers."""
    time, area, columns = _time(pack, table), area_column(pack, table), counted_columns(pack, table)
    frame = pack.read(table)
    try:
        starts = step_starts(frame[time.name], FREQUENCIES[time.frequency], pack.edition.year_starts)
    except ValueError as error:
        raise UserError(f"data/{pack.about(table).path}: {time.name}: {error}") from None
    return frame[columns].astype("float64").assign(**{"area_code": frame[area.name], STEP: starts})


def _steps(pack: Pack, table: str) -> pd.DatetimeIndex:
    starts = _by_step(pack, table)[STEP]
    return pd.date_range(starts.min(), starts.max(), freq=frequency(pack, table).alias, name=STEP)


def counts(pack: Pack, table: str) -> pd.DataFrame:
    """A table's counts for every area and group, and for the nation as published: area_code, step and the counts.

    A step that is missing is a row of NaN, so that it is a gap and not a shorter year.
    """
    pack = pack.common
    return pack.once(("counts", table), lambda: _counts(pack, table))


def _counts(pack: Pack, table: str) -> pd.DataFrame:
    columns, steps = counted_columns(pack, table), _steps(pack, table)
    rolled = pack.geography.roll_up(every_leaf(pack, table), [STEP], columns)
    frame = _by_step(pack, table)
    frame = frame[frame["area_code"].isin(_nation_codes(pack, frame["area_code"].unique()))]
    if pack.geography.nation is not None and len(frame):
        nation = pack.geography.nation.code
        rolled = pd.concat([rolled[rolled["area_code"] != nation], frame.assign(area_code=nation)], ignore_index=True)
    full = pd.MultiIndex.from_product([rolled["area_code"].unique(), steps], names=["area_code", STEP])
    return rolled.set_index(["area_code", STEP])[columns].reindex(full).reset_index()


def _nation_codes(pack: Pack, published: Iterable[str]) -> list[str]:
    """The code whose rows are the nation's own, in a list that is empty where none are published."""
    nation = pack.geography.nation
    code = pack.geography.published_code(nation.code, published) if nation else ""
    return [code] if code else []


def area_codes(pack: Pack, table: str) -> list[str]:
    """Codes of the areas that `counts` has rows of, in their order."""
    return list(counts(pack, table)["area_code"].unique())


def by_step(pack: Pack, chosen: Series) -> pd.DataFrame:
    """A series by step and area: a row a step, a column an area; NaN where any of its measures is missing."""
    pack = pack.common

    def make() -> pd.DataFrame:
        frame = counts(pack, chosen.table)
        total = frame[list(chosen.measures)].sum(axis=1, skipna=False)
        wide = frame.assign(total=total).pivot(index=STEP, columns="area_code", values="total")
        return wide.rename_axis(index=None, columns=None)

    return pack.once(("by step", chosen.table, chosen.measures), make)


def of_area(pack: Pack, chosen: Series, code: str) -> pd.Series:
    """One area's counts, indexed by the start of each step; all missing where there is no figure of the area."""
    wide = by_step(pack, chosen)
    return wide[code] if code in wide else pd.Series(np.nan, index=wide.index, name=code)


def period_totals(pack: Pack, table: str, period: Period) -> pd.DataFrame:
    """A table's counts added up over a period for every area, indexed by area_code; NaN where any step is missing."""
    pack = pack.common

    def make() -> pd.DataFrame:
        frame, steps = counts(pack, table), period.steps(frequency(pack, table))
        grouped = frame[frame[STEP].isin(steps)].drop(columns=STEP).groupby("area_code")
        totals = grouped.sum().where(grouped.count() == max(len(steps), 1))
        return totals.reindex(frame["area_code"].unique())

    return pack.once(("period totals", table, period), make)


def series_totals(pack: Pack, chosen: Series, period: Period) -> pd.Series:
    """A series added up over a period for every area, indexed by area_code; NaN where any step is missing."""
    return period_totals(pack, chosen.table, period)[list(chosen.measures)].sum(axis=1, skipna=False)
