"""Months on a time axis: read from any spelling, without holes, and drawn alike in every time zone."""

import math
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

HALF_MONTH = pd.Timedelta(days=15)
SHORT_SPAN = 15
MOST_KEPT = 4096  # the same few months are asked for in every chart


def months(values: Iterable[Any]) -> pd.PeriodIndex:
    """Months given as `2008-04`, dates, timestamps or periods."""
    return pd.PeriodIndex(
        [v if isinstance(v, pd.Period) else pd.Period(str(v)[:7], freq="M") for v in values], freq="M"
    )


@lru_cache(MOST_KEPT)
def iso(month: pd.Period) -> str:
    """First day of a month as an ISO date: a date without a time is UTC in every browser."""
    return str(month.to_timestamp().date())


def milliseconds(moment: pd.Timestamp) -> int:
    """Milliseconds since 1970 (UTC)."""
    return int(moment.value // 1_000_000)


@lru_cache(MOST_KEPT)
def ends(first: pd.Period, last: pd.Period) -> tuple[pd.Timestamp, pd.Timestamp]:
    """The ends of a time axis: half a month before the first month's mark, half a month after the last's."""
    return first.to_timestamp() - HALF_MONTH, last.to_timestamp() + HALF_MONTH


@lru_cache(MOST_KEPT)
def boundary(month: pd.Period, first: pd.Period, last: pd.Period, width: float) -> float:
    """Distance from the left of an axis of this width to halfway between the month before and the month."""
    start, end = ends(first, last)
    place: float = (month.to_timestamp() - HALF_MONTH - start) / (end - start) * width
    return max(0.0, min(width, place))


def month_axis(first: pd.Period, last: pd.Period, title: str | None = None) -> alt.X:
    """A time axis from half a month before the first to half a month after the last, with few labels.

    Labels stand at Aprils, where the financial year starts, or every three months when the span is short.
    """
    span = pd.period_range(first, last, freq="M")
    years_apart = math.ceil(len(span) / 72)
    marked = [m for m in span if (m.month - 4) % (3 if len(span) <= SHORT_SPAN else 12) == 0][::years_apart]
    return alt.X(
        "month:T",
        scale=alt.Scale(type="utc", nice=False, domain=[milliseconds(t) for t in ends(first, last)]),
        axis=alt.Axis(
            values=[milliseconds(m.to_timestamp()) for m in marked],
            format="%b %Y",
            title=title,
            grid=False,
            labelFlush=False,
        ),
    )


def by_month(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame indexed by every month from its first to its last: an absent month becomes an empty row."""
    indexed = frame.assign(month=months(frame["month"])).set_index("month").sort_index()
    if indexed.index.has_duplicates:
        raise ValueError(f"month {indexed.index[indexed.index.duplicated()][0]} appears twice")
    return indexed.reindex(pd.period_range(indexed.index[0], indexed.index[-1], freq="M", name="month"))


def month_name(month: pd.Period) -> str:
    """A month as people write it: April 2008."""
    return str(month.strftime("%B %Y"))
