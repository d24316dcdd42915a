"""Which months' records did not arrive? A trust's monthly counts against its usual level, growth and season.

A month's logarithm per day is held against a line of the trust's own, through its median and with its median growth
over twelve months, and a season that all trusts share. Medians throughout, so that the months sought do not move what
they are held against; and as the line is drawn through all months, a run that has not come back counts from its first
month. What is found is a lead for a person to look at.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cbs_analysis.records.checking_records import Checked
from cbs_analysis.records.rules import Rule
from cbs_analysis.stats.calendar import calendar_days, working_days

SMALLEST_BREAK = 0.45
"""Of the logarithm: a fall by 36% or a rise by 57%. Trusts seldom change so much in one month."""
NOISE_MULTIPLE = 4.5
"""Robust standard deviations of the trust's own months about its line, of which a break has to be as many."""
FEWEST_USUAL = 50
"""Records of a usual month below which chance alone moves the count too far to judge."""
FEWEST_MONTHS = 13
"""Months before which neither growth nor season can be told."""
GROWTH_ABOUT_GROUP = 0.10
"""A year, of the logarithm: how far a trust's growth may lie from the median trust's. More is a step, not growth."""
YEAR = 12
ROUNDS = 3
COLUMNS = ("rule", "feed", "provider_code", "month", "measure", "records", "expected")

Array = NDArray[np.float64]


def breaks(checked: Checked, rules: Sequence[Rule]) -> pd.DataFrame:
    """Months in which a provider's records depart by far from its usual, a row a rule, provider and month.

    Columns rule, feed, provider_code, month (text), measure (the one that departs furthest, where a rule has several),
    records, and expected, what the provider's other months lead one to expect.
    """
    parts = [
        _of_measure(checked.measures, rule, measure)
        for rule in rules
        if rule.kind == "series"
        for measure in rule.measures
    ]
    found = pd.concat([part for part in parts if len(part)] or [pd.DataFrame(columns=[*COLUMNS, "distance"])])
    furthest = found.sort_values("distance", ascending=False, kind="stable")
    once = furthest.drop_duplicates(["rule", "provider_code", "month"])
    return once.sort_values(["rule", "provider_code", "month"], ignore_index=True)[list(COLUMNS)]


def expected_counts(counts: Array, days: Array, month_of_year: NDArray[np.int64]) -> tuple[Array, Array]:
    """What each month of each series is expected to be, and how far its months usually lie from that.

    `counts` has a row a month and a column a series, NaN before a series begins; `days` are the days of each month
    and `month_of_year` 0 to 11. The first result is like `counts`; the second has one number a series, a robust
    standard deviation of the logarithm.
    """
    logs = np.log(np.maximum(counts, 0.5) / days[:, None])
    logs[np.isnan(counts)] = np.nan
    places = np.arange(len(logs))[:, None]
    slope = _growth(logs)
    season = np.zeros(YEAR)
    for _ in range(ROUNDS):
        level = _median(logs - slope * places - season[month_of_year][:, None])
        away = logs - slope * places - level
        season = _season(away, month_of_year)
    level = _median(logs - slope * places - season[month_of_year][:, None])
    fitted = level + slope * places + season[month_of_year][:, None]
    noise = 1.4826 * _median(np.abs(logs - fitted))
    return np.exp(fitted) * days[:, None], noise


def _of_measure(measures: pd.DataFrame, rule: Rule, measure: str) -> pd.DataFrame:
    rows = measures[
        (measures["rule"] == rule.id) & (measures["measure"] == measure) & (measures["provider_code"] != "")
    ]
    if rows.empty:
        return pd.DataFrame(columns=[*COLUMNS, "distance"])
    summed = rows.astype({"month": str, "provider_code": str}).groupby(["month", "provider_code"])["records"].sum()
    table = summed.unstack("provider_code")
    months = pd.period_range(table.index.min(), table.index.max(), freq="M")
    table = table.reindex(months.strftime("%Y-%m"))
    began = table.notna().cummax()
    counts = table.fillna(0).where(began)
    counts = counts.loc[:, began.sum() >= FEWEST_MONTHS]
    if counts.empty or counts.shape[1] == 0:
        return pd.DataFrame(columns=[*COLUMNS, "distance"])
    days = (working_days if rule.days == "working" else calendar_days)(months).astype(float)
    values = counts.to_numpy(dtype=float)
    expected, noise = expected_counts(values, days, months.month.to_numpy() - 1)
    distance = np.abs(np.log(np.maximum(values, 0.5) / expected))
    reach = np.maximum(SMALLEST_BREAK, NOISE_MULTIPLE * noise)
    is_break = (distance > reach) & (_median(values) >= FEWEST_USUAL)
    at, which = np.nonzero(is_break)
    return pd.DataFrame(
        {
            "rule": rule.id,
            "feed": rule.feed,
            "provider_code": counts.columns.to_numpy()[which],
            "month": counts.index.to_numpy()[at],
            "measure": measure,
            "records": values[at, which].astype("int64"),
            "expected": expected[at, which],
            "distance": distance[at, which],
        }
    )


def _growth(logs: Array) -> Array:
    """A month's growth of each series, from months twelve apart: no season is in it."""
    if len(logs) <= YEAR:
        return np.zeros(logs.shape[1])
    own = _median(logs[YEAR:] - logs[:-YEAR])
    group = float(np.nanmedian(own)) if np.isfinite(own).any() else 0.0
    held = np.clip(np.where(np.isnan(own), group, own), group - GROWTH_ABOUT_GROUP, group + GROWTH_ABOUT_GROUP)
    return np.asarray(held / YEAR)


def _season(away: Array, month_of_year: NDArray[np.int64]) -> Array:
    """The median distance from their lines of all series' months of one name, with mean 0 over the year."""
    season = np.zeros(YEAR)
    for month in np.unique(month_of_year):
        known = away[month_of_year == month]
        known = known[~np.isnan(known)]
        season[month] = np.median(known) if known.size else 0.0
    return season - season.mean()


def _median(values: Array) -> Array:
    """The median of each column's known values, NaN where it has none."""
    empty = np.isnan(values).all(axis=0)
    return np.asarray(np.where(empty, np.nan, np.nanmedian(np.where(empty, 0.0, values), axis=0)))
