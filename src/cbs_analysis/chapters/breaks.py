"""Where a monthly series changes because of how it was recorded: breaks that are known, and jumps unexplained.

Known breaks come from the reference table; jumps are found in the figures. Limits, forecasts and comparisons all ask
here, so that they treat a series alike.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.evidence.wording import listed, signed
from cbs_analysis.geography import Area
from cbs_analysis.pack import Pack
from cbs_analysis.stats import rates
from cbs_analysis.stats.breaks import step_changes, step_positions
from cbs_analysis.stats.calendar import calendar_days, working_days

SHARE_OF_GROWTH = 0.01  # a step in one leaf that moves an area's level so far shows in the area's growth
SHORT_BREAK_MONTHS = 2  # a break this short is left out; a longer one starts a new level
Days = Callable[[pd.DatetimeIndex], np.ndarray]
DAYS: dict[str, Days] = {"working day": working_days, "calendar day": calendar_days}


@dataclass(frozen=True)
class Jump:
    """A step, or a stray month, too large and sudden for care, that no known break explains."""

    month: pd.Timestamp
    is_step: bool
    ratio: float

    @property
    def change(self) -> str:
        return f"{signed(100 * (self.ratio - 1))}%"


@dataclass(frozen=True)
class Counted:
    """What is counted: the measure or measures added up, the noun, its indicator, and the kind of day it runs by."""

    measures: tuple[str, ...]
    noun: str
    indicator: str
    day: str  # one of DAYS

    @property
    def days(self) -> Days:
        return DAYS[self.day]

    def months(self, pack: Pack, code: str) -> pd.Series:
        """An area's monthly counts, indexed by month; NaN where any part is missing."""
        pack = pack.keeper(code)

        def make() -> pd.Series:
            parts = [figures.area_months(pack, code, measure) for measure in self.measures]
            return pd.concat(parts, axis=1).sum(axis=1, skipna=False)

        return pack.once(("months", self.measures, code), make)

    def jumps(self, pack: Pack, code: str) -> list[Jump]:
        """Jumps in an area's series, known breaks among them."""
        pack = pack.keeper(code)

        def make() -> list[Jump]:
            series = self.months(pack, code)
            return jumps_in(series, self.days(series.index))

        return pack.once(("jumps", self.measures, self.day, code), make)


@dataclass(frozen=True)
class Break:
    """Months in which one leaf's measure is known to be recorded differently."""

    area: Area
    measure: str
    months: pd.DatetimeIndex
    note: str

    @property
    def edges(self) -> tuple[pd.Timestamp, pd.Timestamp]:
        """The first month recorded differently, and the first after it."""
        return _edges(self.months)


@dataclass(frozen=True)
class Screened:
    """A series made fit for limits and forecasts: short breaks taken out, and where its level starts anew."""

    series: pd.Series
    starts: tuple[int, ...]
    broken: pd.Series  # true in the months of a known break


def jumps_in(series: pd.Series, days: np.ndarray) -> list[Jump]:
    """Steps and stray months of a series of counts indexed by month."""
    found = step_changes(series, days)
    rows = zip(found["position"], found["kind"], found["ratio"], strict=True)
    return [Jump(series.index[position], kind == "step", float(ratio)) for position, kind, ratio in rows]


def known(pack: Pack, measures: Iterable[str], code: str) -> list[Break]:
    """Known breaks in the leaves of an area."""
    wanted, leaves = set(measures), set(pack.geography.leaves(code) if code in pack.geography.areas else ())
    return [found for found in _every_break(pack.common) if found.measure in wanted and found.area.code in leaves]


def _every_break(pack: Pack) -> list[Break]:
    """Known breaks in the leaves of the geography."""

    def make() -> list[Break]:
        table = pack.read("recording_breaks")
        return [
            Break(
                pack.geography.area(row.area_code),
                row.measure,
                pd.date_range(row.first_month, row.last_month, freq="MS"),
                row.note,
            )
            for row in table[table["area_code"].isin(list(pack.geography.areas))].itertuples()
        ]

    return pack.once("every known break", make)


def matters(pack: Pack, found: Break, code: str) -> bool:
    """Whether the leaf is so large a part of the area's measure that its break shows in it."""
    own = figures.area_months(pack, found.area.code, found.measure)
    return bool(own.sum() >= figures.MATERIAL_SHARE * figures.area_months(pack, code, found.measure).sum())


def material(pack: Pack, measures: Iterable[str], code: str) -> list[Break]:
    """Known breaks that show in an area's own figures."""
    return [found for found in known(pack, measures, code) if matters(pack, found, code)]


def broken_in(pack: Pack, measures: Iterable[str], *financial_years: str) -> set[str]:
    """Leaves whose figures of a year are partly recorded differently, so not to be compared."""
    years = [month for year in financial_years for month in figures.year_months(year)]
    return {
        found.area.code
        for found in known(pack, measures, pack.geography.whole.code)
        if len(found.months.intersection(years))
    }


def unexplained(pack: Pack, counted: Counted, code: str) -> list[Jump]:
    """Jumps in an area's own series, less those at the edges of known breaks."""
    edges = {month for found in material(pack, counted.measures, code) for month in found.edges}
    return [jump for jump in counted.jumps(pack, code) if jump.month not in edges]


def steps_by_area(
    pack: Pack, counted: Counted, code: str, share: float = figures.MATERIAL_SHARE
) -> dict[str, list[Jump]]:
    """Unexplained steps in an area's series, and in leaves so large that theirs moves the area's by this share."""
    pack = pack.keeper(code)
    return pack.once(
        ("steps", counted.measures, counted.day, code, share), lambda: _steps_by_area(pack, counted, code, share)
    )


def _steps_by_area(pack: Pack, counted: Counted, code: str, share: float) -> dict[str, list[Jump]]:
    found = {code: [jump for jump in unexplained(pack, counted, code) if jump.is_step]}
    leaves = pack.geography.leaves(code) if code in pack.geography.areas else ()
    total = counted.months(pack, code).sum()
    for leaf in leaves if len(leaves) > 1 else ():
        part = rates.ratio(counted.months(pack, leaf).sum(), total)
        if part >= share:
            jumps = [jump for jump in unexplained(pack, counted, leaf) if jump.is_step]
            found[leaf] = [jump for jump in jumps if part * abs(jump.ratio - 1) >= share]
    return {place: jumps for place, jumps in found.items() if jumps}


def screened(pack: Pack, counted: Counted, code: str) -> Screened:
    """An area's months with short breaks taken out, and where a known or found step starts a new level."""
    pack = pack.keeper(code)

    def make() -> Screened:
        steps = {jump.month for jumps in steps_by_area(pack, counted, code).values() for jump in jumps}
        spans = [found.months for found in material(pack, counted.measures, code)]
        return _screen(counted.months(pack, code), spans, steps)

    return pack.once(("screened", counted.measures, counted.day, code), make)


def screened_leaves(pack: Pack, measure: str, day: str, leaves: pd.DataFrame) -> dict[str, Screened]:
    """The same of leaves' counts of one measure, a column a leaf: they may lie outside the pack's geography."""
    days, found = DAYS[day](leaves.index), {}
    for code, known_spans in _spans(pack, measure, leaves).items():
        edges = {month for span in known_spans for month in _edges(span)}
        steps = {leaves.index[at] for at in step_positions(leaves[code], days)} - edges
        found[code] = _screen(leaves[code], known_spans, steps)
    return found


def without_short_breaks(pack: Pack, measure: str, leaves: pd.DataFrame) -> pd.DataFrame:
    """Leaves' counts of one measure, a column a leaf, with the months of short known breaks taken out."""
    return pd.DataFrame(
        {code: _screen(leaves[code], spans, set()).series for code, spans in _spans(pack, measure, leaves).items()}
    )


def _spans(pack: Pack, measure: str, leaves: pd.DataFrame) -> dict[str, list[pd.DatetimeIndex]]:
    """The months of each leaf's known breaks."""
    table = pack.read("recording_breaks")
    spans: dict[str, list[pd.DatetimeIndex]] = {str(code): [] for code in leaves}
    for row in table[(table["measure"] == measure) & table["area_code"].isin(leaves.columns)].itertuples():
        spans[row.area_code].append(pd.date_range(row.first_month, row.last_month, freq="MS"))
    return spans


def _screen(series: pd.Series, spans: Iterable[pd.DatetimeIndex], steps: set[pd.Timestamp]) -> Screened:
    broken, short, starts = pd.Series(data=False, index=series.index), [], set(steps)
    for span in spans:
        broken |= series.index.isin(span)
        if len(span) <= SHORT_BREAK_MONTHS:
            short += list(span)
        else:
            starts |= set(_edges(span))
    places = sorted(place for place in map(series.index.get_loc, starts & set(series.index)) if place > 0)
    return Screened(series.mask(series.index.isin(short)) if short else series, tuple(places), broken)


def _edges(span: pd.DatetimeIndex) -> tuple[pd.Timestamp, pd.Timestamp]:
    return span[0], span[-1] + pd.offsets.MonthBegin(1)


def level_changes(pack: Pack, counted: Counted, code: str, months: pd.DatetimeIndex) -> str:
    """Why months of an area cannot be added up or held against each other, in two words; empty where they can."""
    found = screened(pack, counted, code)
    broken = found.broken.reindex(months, fill_value=False)
    if 0 < broken.sum() < len(months):
        return "recording changed"
    steps = set(found.series.index[list(found.starts)])
    return "the level steps" if steps & set(months[1:]) else ""


def comparators_that_step(
    pack: Pack, counted: Counted, months: pd.DatetimeIndex, share: float = figures.MATERIAL_SHARE
) -> list[str]:
    """A caveat for each comparator whose own level steps, unexplained, in the months compared, by this share."""
    stepping = [
        f"{pack.geography.area(place).name} by {jump.change} in {jump.month:%B %Y}"
        for area in pack.comparators
        if area.code in pack.geography.areas
        for place, jumps in steps_by_area(pack, counted, area.code, share).items()
        if pack.area.code not in (place, area.code) and place not in pack.geography.leaves(pack.area.code)
        for jump in jumps
        if jump.month in months
    ]
    said = listed(dict.fromkeys(stepping))
    return [f"A comparator holds a sudden step that nothing here explains: {said}."] if stepping else []


def caution(pack: Pack, counted: Counted) -> str:
    """What to check where the level of an area, or of a large member, steps too suddenly for care; empty otherwise."""
    steps = steps_by_area(pack, counted, pack.area.code)
    said = []
    for code, jumps in steps.items():
        where = "" if code == pack.area.code else f"in {pack.geography.area(code).name} "
        said.append(f"{where}the level steps " + listed(f"by {jump.change} in {jump.month:%B %Y}" for jump in jumps))
    if not said:
        return ""
    sentence = listed(said)
    return (
        f"{sentence[0].upper()}{sentence[1:]}, and stays there. A change so large and sudden is more often recording "
        "than care, and nothing here explains it."
    )


def caveats(pack: Pack, measures: Iterable[str]) -> list[str]:
    """Names the known breaks in the area, and says where one is too small a part of it to be treated."""
    found = known(pack, measures, pack.area.code)
    return [
        f"Recording, not care, in {item.area.name}: {item.note}"
        + ("" if matters(pack, item, pack.area.code) else " It is too small a part of the area to be treated apart.")
        for item in found
    ]
