"""Is it going up or down of late? The slope of the last five points, for many areas at once.

For anyone who follows a yearly indicator: a trend is named only where it is clear beyond chance and no single year
makes it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit, ndtri

from cbs_analysis.stats.checks import Array, check_confidence, exceeds
from cbs_analysis.stats.groupby import By, Groups

POINTS = 5
CHI_SQUARED = 9.5495
"""Exceeded by chance once in 500 times: the 99.8% point of chi-squared with one degree of freedom."""


def recent_trend(
    frame: pd.DataFrame,
    by: By,
    time: str,
    value: str | None = None,
    lower: str | None = None,
    upper: str | None = None,
    events: str | None = None,
    trials: str | None = None,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Whether each group's last five points rise or fall, and why not where no trend is named.

    `frame` has a row a group and time (numbers such as years, in any order; points must not overlap). Give
    either `value` with its `lower` and `upper` limits at `confidence`, for a line weighted by their width,
    or `events` and `trials` of a proportion, for a chi-squared test for trend with the direction of the
    proportions' logits. All are column names.

    One row a group, in order of appearance: `slope` (in the unit of `value` a unit of `time`; of the logit
    for a proportion), `chi_squared`, `scatter` (how many times as far the points lie from their line as their
    limits explain: about 1 by chance; where it is much more, a trend by this rule may be no trend), `trend`
    (`increasing`, `decreasing`, `no significant change` or `cannot be calculated`) and `reason`. A trend has
    chi-squared above 9.5495 and a slope of the same sign when any one point is left out. Fewer than five points,
    or one of the last five missing, of no width or without trials, cannot be calculated.
    Raises ValueError that names the group where a time is missing or is there twice, a lower limit is above the
    upper or a value not within them, or events are negative or exceed trials; and where neither or both kinds of
    input are given.
    Source: the recent trend of public health profiles in England; Armitage (1955), Biometrics 11: 375-386.
    """
    groups = Groups(frame, by)
    times = groups.column(time)
    groups.refuse(np.isnan(times), times, time, "must not be missing")
    groups.refuse_repeated(pd.Series(times), time)
    rows = _last_rows(groups, times)
    at = _points(times, rows)
    if value and lower and upper and not (events or trials):
        values, weights = _with_weights(groups, value, lower, upper, check_confidence(confidence))
        y, weight = _points(values, rows), _points(weights, rows)
        chi_squared, spread = _wald(at, y, weight), _spread(y, weight)
    elif events and trials and not (value or lower or upper):
        counts, total = _proportion(groups, events, trials)
        y, weight = _logit(_points(counts, rows), _points(total, rows)), np.ones(at.shape)
        chi_squared, spread = _armitage(at, _points(counts, rows), _points(total, rows))
    else:
        raise ValueError("give value with lower and upper, or events with trials")
    slope = _slope(at, y, weight)
    scatter = np.sqrt(np.maximum(spread - chi_squared, 0) / (POINTS - 2))
    known = np.isfinite(slope) & np.isfinite(chi_squared)
    steady = _same_sign_without_any(at, y, weight, slope)
    enough = groups.sizes() >= POINTS
    conditions = [~enough, ~known, ~(chi_squared > CHI_SQUARED), ~steady, slope > 0]
    unknown = "cannot be calculated"
    return pd.DataFrame(
        {
            "slope": np.where(known, slope, np.nan),
            "chi_squared": np.where(known, chi_squared, np.nan),
            "scatter": np.where(known, scatter, np.nan),
            "trend": np.select(
                conditions,
                [unknown, unknown, "no significant change", "no significant change", "increasing"],
                default="decreasing",
            ),
            "reason": np.select(
                conditions,
                [
                    "fewer than five points",
                    "one of the last five points is missing, or has no trials or no width",
                    "the slope is within chance",
                    "the slope turns when one point is left out",
                    "",
                ],
                default="",
            ),
        },
        index=groups.index,
    )


def _last_rows(groups: Groups, times: Array) -> NDArray[np.intp]:
    """Row numbers of each group's last five points in time order, groups by five; -1 where there are fewer."""
    order = np.lexsort((times, groups.codes))
    ends = np.cumsum(groups.sizes())
    places = ends[:, None] - np.arange(POINTS, 0, -1)
    there = places >= (ends - groups.sizes())[:, None]
    return np.where(there, order[np.where(there, places, 0)], -1) if len(order) else places


def _points(values: Array, rows: NDArray[np.intp]) -> Array:
    return np.where(rows < 0, np.nan, values[rows])


def _with_weights(groups: Groups, value: str, lower: str, upper: str, confidence: float) -> tuple[Array, Array]:
    values, low, high = groups.column(value), groups.column(lower), groups.column(upper)
    groups.refuse(exceeds(low, high), low, lower, f"must not be above {upper}")
    outside = exceeds(low, values) | exceeds(values, high)
    groups.refuse(outside, values, value, f"must lie from {lower} to {upper}")
    width = np.where(exceeds(high, low) | np.isnan(high - low), high - low, 0.0)
    error = width / (2 * ndtri((1 + confidence) / 2))
    with np.errstate(divide="ignore"):
        weights = 1 / error**2
    return values, np.where(np.isfinite(weights), weights, np.nan)


def _proportion(groups: Groups, events: str, trials: str) -> tuple[Array, Array]:
    counts, total = groups.column(events), groups.column(trials)
    groups.refuse(counts < 0, counts, events, "must not be negative")
    groups.refuse(exceeds(counts, total), counts, events, f"must not exceed {trials}")
    return np.minimum(counts, total), np.where(total > 0, total, np.nan)


def _logit(counts: Array, total: Array) -> Array:
    """Of a proportion; half an event is added on both sides where one side has none."""
    edge = (counts == 0) | (counts == total)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(logit(np.where(edge, (counts + 0.5) / (total + 1), counts / total)))


def _slope(at: Array, y: Array, weight: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        centred = at - (weight * at).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        return np.asarray((weight * centred * y).sum(axis=1) / (weight * centred**2).sum(axis=1))


def _wald(at: Array, y: Array, weight: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        centred = at - (weight * at).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        return np.asarray((weight * centred * y).sum(axis=1) ** 2 / (weight * centred**2).sum(axis=1))


def _spread(y: Array, weight: Array) -> Array:
    """Chi-squared of all differences between the points, four degrees of freedom."""
    with np.errstate(divide="ignore", invalid="ignore"):
        centred = y - (weight * y).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        return np.asarray((weight * centred**2).sum(axis=1))


def _armitage(at: Array, counts: Array, total: Array) -> tuple[Array, Array]:
    """Chi-squared for trend in proportions, one degree of freedom, and of all differences between them, four; 0
    where nobody has an event, or everybody.
    """
    events, everyone = counts.sum(axis=1), total.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = events / everyone
        centred = at - ((total * at).sum(axis=1) / everyone)[:, None]
        chance = share * (1 - share)
        trend = (counts * centred).sum(axis=1) ** 2 / (chance * (total * centred**2).sum(axis=1))
        spread = (total * (counts / total - share[:, None]) ** 2).sum(axis=1) / chance
        none = (events == 0) | (events == everyone)
        return np.where(none, 0.0, trend), np.where(none, 0.0, spread)


def _same_sign_without_any(at: Array, y: Array, weight: Array, slope: Array) -> NDArray[np.bool_]:
    """Whether the slope keeps its sign when any one of the points is left out."""
    steady = np.ones(len(slope), dtype=bool)
    for left_out in range(POINTS):
        kept = [point for point in range(POINTS) if point != left_out]
        steady &= np.sign(_slope(at[:, kept], y[:, kept], weight[:, kept])) == np.sign(slope)
    return steady
