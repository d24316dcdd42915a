"""Where a series changes because of how it was recorded: changes that are known, and steps unexplained.

Known changes come from the home's `recording_breaks` table, where there is one; steps are found in the figures. Limits,
forecasts and comparisons all ask here, so that they treat a series alike.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from cbs_analysis.chapters.area_estimates import MATERIAL_SHARE
from cbs_analysis.evidence.wording import listed, sentence_case, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.pack.series import Series, days_of, in_periods, of_area
from cbs_analysis.periods import Frequency, Period
from cbs_analysis.stats import rates
from cbs_analysis.stats.breaks import step_changes, step_positions

TABLE = "recording_breaks"
SHARE_OF_GROWTH = 0.01  # a step in one leaf that moves an area's level so far shows in the area's growth
SHORT_BREAK_STEPS = 2  # a break this short is left out; a longer one starts a new level


@dataclass(frozen=True)
class Jump:
    """A lasting step, or one stray month, too large and sudden for care, that no known change explains."""

    start: pd.Timestamp
    is_step: bool
    ratio: float

    @property
    def change(self) -> str:
        return f"{signed(100 * (self.ratio - 1))}%"


@dataclass(frozen=True)
class Break:
    """Steps of time in which one leaf's measure is known to be recorded differently."""

    area: Area
    measure: str
    starts: pd.DatetimeIndex
    frequency: Frequency
    note: str

    @property
    def edges(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The first step recorded differently, and the first after it."""
        return _edges(self.starts, self.frequency)


@dataclass(frozen=True)
class Screened:
    """A series made fit for limits and forecasts: short breaks taken out, and where its level starts again."""

    values: pd.Series
    starts: tuple[int, ...]
    broken: pd.Series  # true in the steps of a known break


def counted_columns_apart(chosen: Series) -> list[Series]:
    """A series of several columns as one for each of them."""
    return [
        replace(chosen, definition=chosen.definition.model_copy(update={"measures": (measure,)}))
        for measure in chosen.measures
    ]


def jumps(pack: Pack, chosen: Series, code: str) -> list[Jump]:
    """Steps and stray months in an area's series, those of known changes among them."""
    pack = pack.common

    def make() -> list[Jump]:
        values = of_area(pack, chosen, code)
        changes = step_changes(in_periods(chosen.frequency, values), chosen.days(values.index))
        rows = zip(changes["position"], changes["kind"], changes["ratio"], strict=True)
        return [Jump(values.index[position], kind == "step", float(ratio)) for position, kind, ratio in rows]

    return pack.once(("jumps", chosen, code), make)


def known(pack: Pack, chosen: Series, code: str) -> list[Break]:
    """Known changes in the leaves of an area, of any column that the series counts."""
    leaves = set(pack.geography.leaves(code))
    return [
        each for each in _every_break(pack.common, chosen.frequency)
        if each.measure in chosen.measures and each.area.code in leaves
    ]  # fmt: skip


def _table(pack: Pack) -> pd.DataFrame:
    """The known changes; none where the home has no such table."""
    if pack.has(TABLE):
        return pack.read(TABLE)
    return pd.DataFrame({"area_code": [], "measure": [], "first_month": [], "last_month": [], "note": []})


def _every_break(pack: Pack, frequency: Frequency) -> list[Break]:
    """Known changes in the leaves of the geography."""

    def make() -> list[Break]:
        table = _table(pack)
        return [
            Break(pack.geography.area(row.area_code), row.measure, _span(row, frequency), frequency, row.note)
            for row in table[table["area_code"].isin(list(pack.geography.areas))].itertuples()
        ]

    return pack.once(("every known change", frequency.name), make)


def _span(row: Any, frequency: Frequency) -> pd.DatetimeIndex:
    return Period("", row.first_month, row.last_month).steps(frequency)


def matters(pack: Pack, change: Break, code: str, chosen: Series) -> bool:
    """Whether the leaf is so large a part of the area's measure that its change shows in it."""
    [column] = [each for each in counted_columns_apart(chosen) if each.measures == (change.measure,)]
    own = of_area(pack, column, change.area.code)
    return bool(own.sum() >= MATERIAL_SHARE * of_area(pack, column, code).sum())


def material(pack: Pack, chosen: Series, code: str) -> list[Break]:
    """Known changes that show in an area's own figures."""
    return [change for change in known(pack, chosen, code) if matters(pack, change, code, chosen)]


def broken_in(pack: Pack, chosen: Iterable[Series], *periods: Period) -> set[str]:
    """Leaves whose figures of a period are partly recorded differently, so not to be compared."""
    return {
        change.area.code
        for each in chosen
        for change in known(pack, each, pack.geography.whole.code)
        for period in periods
        if len(change.starts.intersection(period.steps(each.frequency)))
    }


def unexplained(pack: Pack, chosen: Series, code: str) -> list[Jump]:
    """Jumps in an area's own series, less those at the edges of known changes."""
    edges = {start for change in material(pack, chosen, code) for start in change.edges}
    return [jump for jump in jumps(pack, chosen, code) if jump.start not in edges]


def steps_by_area(pack: Pack, chosen: Series, code: str, share: float = MATERIAL_SHARE) -> dict[str, list[Jump]]:
    """Unexplained steps in an area's series, and in leaves so large that theirs moves the area's by this share."""
    pack = pack.common
    return pack.once(("steps", chosen, code, share), lambda: _steps_by_area(pack, chosen, code, share))


def _steps_by_area(pack: Pack, chosen: Series, code: str, share: float) -> dict[str, list[Jump]]:
    steps = {code: [jump for jump in unexplained(pack, chosen, code) if jump.is_step]}
    leaves = pack.geography.leaves(code)
    total = of_area(pack, chosen, code).sum()
    for leaf in leaves if len(leaves) > 1 else ():
        part = rates.ratio(of_area(pack, chosen, leaf).sum(), total)
        if part >= share:
            large = [jump for jump in unexplained(pack, chosen, leaf) if jump.is_step]
            steps[leaf] = [jump for jump in large if part * abs(jump.ratio - 1) >= share]
    return {place: each for place, each in steps.items() if each}


def screened(pack: Pack, chosen: Series, code: str) -> Screened:
    """An area's steps of time with short breaks taken out, and where a known or unexplained step starts a new level."""
    pack = pack.common

    def make() -> Screened:
        starts = {jump.start for each in steps_by_area(pack, chosen, code).values() for jump in each}
        spans = [change.starts for change in material(pack, chosen, code)]
        return _screen(of_area(pack, chosen, code), spans, starts, chosen.frequency)

    return pack.once(("screened", chosen, code), make)


def screened_leaves(pack: Pack, chosen: Series, day: str, leaves: pd.DataFrame) -> dict[str, Screened]:
    """The same of leaves' counts, a column a leaf: they may lie outside the pack's geography."""
    days, result = days_of(chosen.frequency, day, leaves.index), {}
    for code, spans in _spans(pack, chosen, leaves).items():
        edges = {start for span in spans for start in _edges(span, chosen.frequency)}
        own = in_periods(chosen.frequency, leaves[code])
        steps = {leaves.index[at] for at in step_positions(own, days)} - edges
        result[code] = _screen(leaves[code], spans, steps, chosen.frequency)
    return result


def without_short_breaks(pack: Pack, chosen: Series, leaves: pd.DataFrame) -> pd.DataFrame:
    """Leaves' counts, a column a leaf, with the steps of short known breaks taken out."""
    return pd.DataFrame(
        {
            code: _screen(leaves[code], spans, set(), chosen.frequency).values
            for code, spans in _spans(pack, chosen, leaves).items()
        }
    )


def _spans(pack: Pack, chosen: Series, leaves: pd.DataFrame) -> dict[str, list[pd.DatetimeIndex]]:
    """When each leaf's known breaks were."""
    table = _table(pack)
    spans: dict[str, list[pd.DatetimeIndex]] = {str(code): [] for code in leaves}
    rows = table[table["measure"].isin(list(chosen.measures)) & table["area_code"].isin(leaves.columns)]
    for row in rows.itertuples():
        spans[row.area_code].append(_span(row, chosen.frequency))
    return spans


def _screen(
    values: pd.Series, spans: Iterable[pd.DatetimeIndex], steps: set[pd.Timestamp], frequency: Frequency
) -> Screened:
    broken, short, starts = pd.Series(data=False, index=values.index), [], set(steps)
    for span in spans:
        broken |= values.index.isin(span)
        if len(span) <= SHORT_BREAK_STEPS:
            short += list(span)
        else:
            starts |= set(_edges(span, frequency))
    places = sorted(place for place in map(values.index.get_loc, starts & set(values.index)) if place > 0)
    return Screened(values.mask(values.index.isin(short)) if short else values, tuple(places), broken)


def _edges(span: pd.DatetimeIndex, frequency: Frequency) -> tuple[pd.Timestamp, pd.Timestamp]:
    return span[0], frequency.after(span[-1])


def level_changes(pack: Pack, chosen: Series, code: str, starts: pd.DatetimeIndex) -> str:
    """Why an area's steps of time cannot be added up or compared, in two words; empty where they can."""
    result = screened(pack, chosen, code)
    broken = result.broken.reindex(starts, fill_value=False)
    if 0 < broken.sum() < len(starts):
        return "recording changed"
    levels = set(result.values.index[list(result.starts)])
    return "the level steps" if levels & set(starts[1:]) else ""


def comparators_that_step(
    pack: Pack, chosen: Series, starts: pd.DatetimeIndex, share: float = MATERIAL_SHARE
) -> list[str]:
    """A caveat for each comparator whose own level steps, unexplained, in the time compared, by this share."""
    stepping = [
        f"{pack.geography.area(place).name} by {jump.change} in {chosen.frequency.label(jump.start)}"
        for area in pack.comparators
        if not pack.geography.is_beyond(area.code)
        for place, each in steps_by_area(pack, chosen, area.code, share).items()
        if pack.area.code not in (place, area.code) and place not in pack.geography.leaves(pack.area.code)
        for jump in each
        if jump.start in starts
    ]
    sentence = listed(dict.fromkeys(stepping))
    return [f"A comparator holds a sudden step that nothing here explains: {sentence}."] if stepping else []


def caution(pack: Pack, chosen: Series) -> str:
    """What to check where the level of an area, or of a large member, steps too suddenly for care; empty otherwise."""
    parts = []
    for code, each in steps_by_area(pack, chosen, pack.area.code).items():
        where = "" if code == pack.area.code else f"in {pack.geography.area(code).name} "
        steps = listed(f"by {jump.change} in {chosen.frequency.label(jump.start)}" for jump in each)
        parts.append(f"{where}the level steps {steps}")
    if not parts:
        return ""
    return (
        f"{sentence_case(listed(parts))}, and stays there. A change so large and sudden is more often recording "
        "than care, and nothing here explains it."
    )


def caveats(pack: Pack, chosen: Series) -> list[str]:
    """Names the known changes in the area, and says where one is too small a part of it to be treated."""
    return [
        f"Recording, not care, in {change.area.name}: {change.note}"
        + (
            ""
            if matters(pack, change, pack.area.code, chosen)
            else " It is too small a part of the area to be treated apart."
        )
        for change in known(pack, chosen, pack.area.code)
    ]
