"""Months on a time axis: read from any spelling, without holes, and drawn alike in every time zone."""

import math
from collections.abc import Iterable
from typing import Any

import altair as alt
import pandas as pd

HALF_MONTH = pd.Timedelta(days=15)


def months(values: Iterable[Any]) -> pd.PeriodIndex:
    """Months given as `2008-04`, dates, timestamps or periods."""
    return pd.PeriodIndex([v if isinstance(v, pd.Period) else pd.Period(str(v)[:7], freq="M") for v in values], freq="M")


def iso(month: pd.Period, shift: pd.Timedelta = pd.Timedelta(0)) -> str:
    """First day of a month, shifted, as an ISO date: a date without a time is UTC in every browser."""
    return str((month.to_timestamp() + shift).date())


def milliseconds(month: pd.Period, shift: pd.Timedelta = pd.Timedelta(0)) -> int:
    """First day of a month, shifted, in milliseconds since 1970 (UTC)."""
    return int((month.to_timestamp() + shift).value // 1_000_000)


def month_axis(first: pd.Period, last: pd.Period) -> alt.X:
    """A time axis from half a month before the first to half a month after the last, with few labels.

    Labels stand at Aprils, where the financial year starts, or every three months when the span is short.
    """
    span = pd.period_range(first, last, freq="M")
    every = 3 if len(span) <= 15 else 12 * math.ceil(len(span) / 72)
    marked = [m for m in span if (m.month - 4) % min(every, 12) == 0]
    if every > 12:
        marked = marked[:: every // 12]
    return alt.X(
        "month:T",
        scale=alt.Scale(
            type="utc", nice=False, domain=[milliseconds(first, -HALF_MONTH), milliseconds(last, HALF_MONTH)]
        ),
        axis=alt.Axis(
            values=[milliseconds(m) for m in marked], format="%b %Y", title=None, grid=False, labelFlush=False
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
    return month.strftime("%B %Y")
