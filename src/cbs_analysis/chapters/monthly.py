"""One measure of the activity return for an area: its year's rate beside others, and its months within process limits.

Planned care and emergency care both show their measures this way; what differs is the measure and which days count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cbs_analysis.chapters import figures
from cbs_analysis.chapters.building import Chapter, Standing, names, sentence, stated
from cbs_analysis.evidence.charts import control as control_chart
from cbs_analysis.evidence.finding import Chart, Finding
from cbs_analysis.evidence.tables import Column, Table
from cbs_analysis.evidence.wording import listed, number, plural, signed
from cbs_analysis.pack import Pack
from cbs_analysis.stats import spc
from cbs_analysis.stats.breaks import step_changes
from cbs_analysis.stats.calendar import calendar_days, working_days

SHORT_BREAK_MONTHS = 2  # a dip this short is left out of the limits; a longer one starts new limits


@dataclass(frozen=True)
class Counted:
    """What is counted: the measure or measures added up, the noun, its indicator, and the kind of day it runs by."""

    measures: tuple[str, ...]
    noun: str
    indicator: str
    day: str  # "working day" or "calendar day"

    @property
    def days(self) -> Callable[[pd.DatetimeIndex], np.ndarray]:
        return working_days if self.day == "working day" else calendar_days


@dataclass(frozen=True)
class Jump:
    """A step or a stray month in one area's series that no known recording break explains."""

    month: pd.Timestamp
    is_step: bool
    ratio: float

    @property
    def change(self) -> str:
        return f"{signed(100 * (self.ratio - 1))}%"


def unexplained_jumps(pack: Pack, counted: Counted, code: str) -> list[Jump]:
    """Jumps too large and too sudden for care, less those that are known recording breaks."""
    series = sum(figures.area_months(pack, code, measure) for measure in counted.measures)
    found = step_changes(series, counted.days(series.index))
    edges = {
        month
        for known in _own_breaks(pack, counted, code)
        for month in (known.months[0], known.months[-1] + pd.offsets.MonthBegin(1))
    }
    return [
        Jump(series.index[row.position], row.kind == "step", row.ratio)
        for row in found.itertuples()
        if series.index[row.position] not in edges
    ]


def year_rate(pack: Pack, counted: Counted) -> Standing:
    """The measure over residents in the edition's activity year, for every area."""
    totals = figures.year_totals(pack, pack.edition.activity_year, counted.measures).sum(axis=1, skipna=False)
    people = figures.people_by_age(pack, pack.edition.population_year)
    flagged = figures.broken_in(pack, counted.measures, pack.edition.activity_year)
    counts = figures.leaf_counts(pack, totals, people)
    return figures.standing(pack, counts, pack.indicators[counted.indicator], figures.as_rate, flagged)


def months(pack: Pack, counted: Counted, code: str) -> pd.DataFrame:
    """An area's months: month, count, days, value (a day), process limits, special_cause and a note on gaps and breaks.

    Limits start anew where recording changes for long; months of a short break are shown but make no limits.
    """
    series = sum(figures.area_months(pack, code, measure) for measure in counted.measures)
    frame = series.rename("count").reset_index()
    frame["days"] = counted.days(pd.DatetimeIndex(frame["month"]))
    frame["value"] = frame["count"] / frame["days"]
    frame["note"] = np.where(frame["count"].isna(), "missing in the return", "")
    screened, starts = frame["value"].copy(), set()
    for found in _own_breaks(pack, counted, code):
        within = frame["month"].isin(found.months).to_numpy()
        frame.loc[within, "note"] = "recording break"
        if within.sum() <= SHORT_BREAK_MONTHS:
            screened[within] = np.nan
        else:
            places = np.flatnonzero(within)
            starts |= {place for place in (places[0], places[-1] + 1) if 0 < place < len(frame)}
    steps = {found.month for found in unexplained_jumps(pack, counted, code) if found.is_step}
    starts |= {int(place) for place in np.flatnonzero(frame["month"].isin(steps)) if place > 0}
    limits = spc.xmr(screened.to_numpy(), rebase_at=tuple(sorted(starts)))
    for column in ("mean", "lower_process_limit", "upper_process_limit", "special_cause"):
        frame[column] = limits[column].to_numpy()
    return frame


def months_table(frame: pd.DataFrame, counted: Counted, decimals: int = 1) -> Table:
    """The months of `months`, as evidence."""
    shown = frame.assign(month=frame["month"].dt.strftime("%B %Y"))
    signal = shown["special_cause"].where(_special(shown), "")
    shown["signal"] = signal
    columns = {
        "month": Column("Month"),
        "count": Column("Count", decimals=0),
        "days": Column(f"{counted.day.capitalize()}s", decimals=0),
        "value": Column(f"A {counted.day}", decimals=decimals),
        "mean": Column("Mean", decimals=decimals),
        "lower_process_limit": Column("Lower process limit", decimals=decimals),
        "upper_process_limit": Column("Upper process limit", decimals=decimals),
        "signal": Column("Signal"),
    }
    if shown["note"].str.len().any():
        columns["note"] = Column("Note")
    return Table(f"{counted.noun.capitalize() if counted.noun[:2] != 'GP' else counted.noun} by month", shown, columns)


def measure_finding(
    pack: Pack, chapter: Chapter, name: str, counted: Counted, *, title: str, caveats: Sequence[str] = ()
) -> Finding:
    """The year's rate with its comparators, and the months a day within process limits."""
    standing = year_rate(pack, counted)
    frame = months(pack, counted, pack.area.code)
    flag = _flag_reason(pack, standing)
    pace = _pace(pack, frame, counted)
    point = _point(frame, counted)
    return chapter.finding(
        pack,
        name,
        title=title,
        statement=f"{_rate_sentence(pack, standing, counted)} {pace}",
        standing=standing,
        period=f"{pack.edition.activity_year}; months {_span(frame)}",
        sources=_sources(standing),
        caution=step_caution(pack, counted),
        caveats=[*caveats, *_break_caveats(pack, counted), *gap_caveats(frame), *_limit_caveats(frame)],
        flag_reason=flag,
        table=months_table(frame, counted),
        chart=_chart(pack, frame, counted, point),
    )


def gap_caveats(frame: pd.DataFrame) -> list[str]:
    """Says which months are missing."""
    gaps = frame.loc[frame["value"].isna(), "month"].dt.strftime("%B %Y").tolist()
    if not gaps:
        return []
    shown = ", ".join(gaps[:6]) + (f" and {len(gaps) - 6} more" if len(gaps) > 6 else "")
    return [f"Missing in the return, shown as a gap and not filled in: {shown}."]


def _rate_sentence(pack: Pack, standing: Standing, counted: Counted) -> str:
    own, area, year = standing.own(pack), pack.area.name, pack.edition.activity_year
    noun = counted.noun
    if np.isnan(own.value):
        why = "the year is not complete" if np.isnan(own.numerator) else "there is no population for it here"
        total = "" if np.isnan(own.numerator) else f" {number(own.numerator)} {noun} were counted."
        return f"{area} has no rate of {noun} per 1,000 people for {year}: {why}.{total}"
    said = sentence(pack, standing)
    return f"{area} had {stated(pack, standing)} {noun} in {year}{', ' + said if said else ''}.".replace(
        " per 1,000 (", f" {noun} per 1,000 people (", 1
    ).replace(f") {noun} in", ") in", 1)


def _pace(pack: Pack, frame: pd.DataFrame, counted: Counted) -> str:
    year = figures.year_months(pack.edition.activity_year)
    before = figures.year_months(figures.earlier_year(pack.edition.activity_year))
    now, then = (_per_day(frame[frame["month"].isin(span)]) for span in (year, before))
    if np.isnan(now):
        return "Months are missing, so there is no figure a day for the year."
    decimals = 0 if now >= 20 else 1
    change = "" if np.isnan(then) else f", {signed(100 * (now / then - 1), 1)}% on the year before"
    signals = _signals(frame[frame["month"].isin(year)])
    said = f"{plural(signals, 'month')} of the 12" if signals else "No month of the 12"
    verb = "signal" if signals > 1 else "signals"
    return (
        f"That is {number(now, decimals)} a {counted.day}{change}. "
        f"{said} {verb} a change beyond the usual month-to-month variation."
    )


def _per_day(frame: pd.DataFrame) -> float:
    if len(frame) < 12 or frame["count"].isna().any():
        return np.nan
    return float(frame["count"].sum() / frame["days"].sum())


def _signals(frame: pd.DataFrame) -> int:
    return int(_special(frame).sum())


def _special(frame: pd.DataFrame) -> pd.Series:
    return ~frame["special_cause"].isin([spc.COMMON, spc.NOT_ASSESSED])


def _point(frame: pd.DataFrame, counted: Counted) -> str:
    noun = counted.noun if counted.noun.startswith("GP") else counted.noun.capitalize()
    signals = _signals(frame.tail(12))
    return f"{noun} a {counted.day}: {signals or 'none'} of the last 12 months unusual"


def _chart(pack: Pack, frame: pd.DataFrame, counted: Counted, point: str) -> Chart:
    signals = _signals(frame)
    subtitle = f"{pack.area.name}, {_span(frame)}"
    drawn = control_chart(
        frame.assign(special_cause=_special(frame)),
        title=point,
        subtitle=subtitle,
        value_title=f"A {counted.day}",
        breaks=[(found.months[0], "recording break") for found in _own_breaks(pack, counted, pack.area.code)],
    )
    low, high = frame.loc[frame["value"].idxmin()], frame.loc[frame["value"].idxmax()]
    description = (
        f"Control chart of {counted.noun} a {counted.day} in {pack.area.name}, {_span(frame)}. "
        f"Lowest {number(low.value, 1)} in {low.month:%B %Y}, highest {number(high.value, 1)} in {high.month:%B %Y}. "
        f"{plural(signals, 'month')} of {len(frame)} outside the usual variation."
    )
    return Chart(drawn, description)


def _span(frame: pd.DataFrame) -> str:
    return f"{frame['month'].min():%B %Y} to {frame['month'].max():%B %Y}"


def _own_breaks(pack: Pack, counted: Counted, code: str) -> list[figures.Break]:
    return [
        found
        for measure in counted.measures
        for found in figures.recording_breaks(pack, measure)
        if found.area.code == code
    ]


def _break_caveats(pack: Pack, counted: Counted) -> list[str]:
    inside = set(pack.geography.leaves(pack.area.code))
    return [
        f"Recording, not care, in {found.area.name}: {found.note}"
        for measure in counted.measures
        for found in figures.recording_breaks(pack, measure)
        if found.area.code in inside
    ]


def step_caution(pack: Pack, counted: Counted) -> str:
    """What to check where the area's level steps too suddenly for care; empty where it does not."""
    steps = [found for found in unexplained_jumps(pack, counted, pack.area.code) if found.is_step]
    if not steps:
        return ""
    said = listed(f"by {found.change} in {found.month:%B %Y}" for found in steps)
    return (
        f"The level steps {said} and stays there. A change so large and sudden is more often recording than care, and "
        "nothing here explains it. Process limits start anew there."
    )


def _limit_caveats(frame: pd.DataFrame) -> list[str]:
    short = frame["mean"].isna() & frame["value"].notna() & (frame["note"] == "")
    long_break = frame["mean"].isna() & (frame["note"] == "recording break")
    if not (short.any() or long_break.sum() > SHORT_BREAK_MONTHS):
        return []
    return ["Where fewer than 12 months were recorded alike, no process limits are drawn."]


def _flag_reason(pack: Pack, standing: Standing) -> str:
    if not bool(standing.own(pack).flagged):
        return ""
    year = pack.edition.activity_year
    if pack.area.is_leaf:
        return f"Recording changed within {year}, so the year's rate is not compared, ranked or used as a comparator."
    out = standing.without[pack.area.code]
    return f"Recording changed within {year} in {names(pack, out)}, which is in this total; the rate is not compared."


def _sources(standing: Standing) -> list[str]:
    known = standing.table["denominator"].notna().any()
    return ["monthly_activity_return", *(["population_by_age"] if known else [])]
