"""Weeks, months, quarters and years on a time axis: read from any spelling, without holes, drawn alike in every time
zone.
"""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from cbs_analysis.periods import FREQUENCIES

PERIODS = {"week": "W-SUN", "month": "M", "quarter": "Q", "year": "Y"}
HALF_STEP = {"W": pd.Timedelta(days=3.5), "M": pd.Timedelta(days=15), "Q": pd.Timedelta(days=45),
             "Y": pd.Timedelta(days=182)}  # fmt: skip
NAMES = {"W": "week", "M": "month", "Q": "quarter", "Y": "year"}
SHORT_SPAN = 15
MOST_LABELS = 6
MOST_KEPT = 4096  # the same few steps are asked for in every chart


def months(values: Iterable[Any], frequency: str = "month") -> pd.PeriodIndex:
    """Steps given as `2008-04`, dates, timestamps or periods."""
    alias = PERIODS[frequency]
    if frequency == "month":
        values = [v if isinstance(v, pd.Period) else str(v)[:7] for v in values]
    return pd.PeriodIndex([v if isinstance(v, pd.Period) else pd.Period(v, freq=alias) for v in values], freq=alias)


@lru_cache(MOST_KEPT)
def iso(step: pd.Period) -> str:
    """First day of a step as an ISO date: a date without a time is UTC in every browser."""
    return str(step.to_timestamp().date())


def milliseconds(moment: pd.Timestamp) -> int:
    """Milliseconds since 1970 (UTC)."""
    return int(moment.value // 1_000_000)


@lru_cache(MOST_KEPT)
def ends(first: pd.Period, last: pd.Period) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The ends of a time axis: half a step before the first step's mark, half a step after the last's."""
    half = HALF_STEP[first.freqstr[0]]
    return first.to_timestamp() - half, last.to_timestamp() + half


@lru_cache(MOST_KEPT)
def boundary(step: pd.Period, first: pd.Period, last: pd.Period, width: float) -> float:
    """Distance from the left of an axis of this width to halfway between the step before and the step."""
    start, end = ends(first, last)
    place: float = (step.to_timestamp() - HALF_STEP[first.freqstr[0]] - start) / (end - start) * width
    return max(0.0, min(width, place))


def month_axis(first: pd.Period, last: pd.Period, title: str | None = None) -> alt.X:
    """A time axis from half a step before the first to half a step after the last, with few labels.

    Labels of months and quarters stand at Aprils, where the financial year starts in England, or every three months
    when the span is short; of weeks and years evenly.
    """
    span = pd.period_range(first, last, freq=first.freq)
    name = NAMES[first.freqstr[0]]
    if name in ("month", "quarter"):
        is_short = len(span) <= SHORT_SPAN and name == "month"
        years_apart = math.ceil(len(span) * (1 if name == "month" else 3) / 72)
        marked = [m for m in span if (m.start_time.month - 4) % (3 if is_short else 12) == 0][::years_apart]
    else:
        marked = list(span[:: math.ceil(len(span) / MOST_LABELS)])
    return alt.X(
        "month:T",
        scale=alt.Scale(type="utc", nice=False, domain=[milliseconds(t) for t in ends(first, last)]),
        axis=alt.Axis(
            values=[milliseconds(m.to_timestamp()) for m in marked],
            format={"week": "%d %b %Y", "year": "%Y"}.get(name, "%b %Y"),
            title=title,
            grid=False,
            labelFlush=False,
        ),
    )


def by_month(frame: pd.DataFrame, frequency: str = "month") -> pd.DataFrame:
    """The frame indexed by every step from its first to its last: an absent step becomes an empty row."""
    indexed = frame.assign(month=months(frame["month"], frequency)).set_index("month").sort_index()
    if indexed.index.has_duplicates:
        raise ValueError(f"{frequency} {indexed.index[indexed.index.duplicated()][0]} appears twice")
    every = pd.period_range(indexed.index[0], indexed.index[-1], freq=PERIODS[frequency], name="month")
    return indexed.reindex(every)


def month_name(step: pd.Period) -> str:
    """A step as people write it: April 2008."""
    return FREQUENCIES[NAMES[step.freqstr[0]]].label(step.start_time)
