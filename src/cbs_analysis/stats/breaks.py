"""Did care change, or its recording? Level shifts in a monthly series too large and too sudden for care.

For anyone who draws limits or forecasts from a series: a shift that doubles a count from one month to the
next is nearly always recording, and what lies before it says nothing about the level after. The thresholds
are set so that ordinary growth, seasons and noise pass; what is found is a lead for a person to look at, not
proof.
"""

from __future__ import annotations

from itertools import pairwise
from math import isnan
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.checks import Array, as_numbers, labels_of, refuse

SMALLEST_STEP = 0.30
"""Of the logarithm: a rise by 35% or a fall by 26%. Care seldom does that between two months and stays there.
"""
SMALLEST_STRAY = 0.35
NOISE_MULTIPLE_STEP = 4.0
NOISE_MULTIPLE_MONTH = 5.0
WINDOW = 6
FEWEST_EITHER_SIDE = 4
CLEAR_GAP = 0.15
"""Of the logarithm: how far the stretches before and after must lie apart, leaving out one stray month of
each.
"""

COLUMNS = ["position", "kind", "ratio"]


def step_changes(values: ArrayLike | pd.Series, exposure: ArrayLike | None = None) -> pd.DataFrame:
    """Sudden changes of level, and single months far from their neighbours, in a series of counts.

    `values` is one dimension of counts in time order (missing allowed), `exposure` as many working or
    calendar days. One row a finding, in time order: `position` (of the first month at the new level, or of
    the single month), `kind` (`step` or `single month`) and `ratio` (level after over level before, or the
    month over its neighbours). A step needs four months on either side, so one in the last three months is
    not found.
    Raises ValueError where a count is negative, an exposure is not above 0, or the lengths differ.
    Source: own; medians of six months on either side, noise from the median absolute month-to-month
    difference.
    """
    logs = _log_rate(values, exposure)
    if np.sum(~np.isnan(logs)) < 2 * FEWEST_EITHER_SIDE:
        return pd.DataFrame({"position": [], "kind": [], "ratio": []}).astype({"position": int, "kind": str})
    noise = _noise(logs)
    jumps = _steps(logs, noise)
    found = [(at, "step", float(np.exp(change))) for at, change in jumps]
    edges = [0, *(at for at, _ in jumps), len(logs)]
    for start, stop in pairwise(edges):
        strays = _single_months(logs[start:stop], noise)
        found += [(start + at, "single month", float(np.exp(far))) for at, far in strays]
    return pd.DataFrame(sorted(found), columns=COLUMNS).astype({"position": int})


def step_positions(values: ArrayLike | pd.Series, exposure: ArrayLike | None = None) -> tuple[int, ...]:
    """The positions of the steps alone, in time order, for who screens many series. Arguments, errors and source
    as `step_changes`.
    """
    logs = _log_rate(values, exposure)
    return tuple(at for at, _ in _steps(logs, _noise(logs)))


def _log_rate(values: ArrayLike | pd.Series, exposure: ArrayLike | None) -> Array:
    counts = as_numbers(values, "values")
    refuse(counts < 0, counts, "values", "must not be negative", labels_of(values))
    days = np.ones_like(counts) if exposure is None else as_numbers(exposure, "exposure")
    if days.shape != counts.shape or counts.ndim != 1:
        raise ValueError(f"exposure has shape {days.shape} and values {counts.shape}; give two equally long series")
    refuse(~(days > 0), days, "exposure", "must be above 0")
    return np.log(np.maximum(counts, 0.5) / days)


def _noise(logs: Array) -> float:
    """Standard deviation of a month about its level, by the median so that steps do not count."""
    moves = np.diff(logs)
    moves = moves[~np.isnan(moves)]
    return float(1.4826 * np.median(np.abs(moves - np.median(moves))) / np.sqrt(2)) if moves.size else 0.0


def _steps(logs: Array, noise: float) -> list[tuple[int, float]]:
    if np.sum(~np.isnan(logs)) < 2 * FEWEST_EITHER_SIDE:
        return []
    smallest = max(SMALLEST_STEP, NOISE_MULTIPLE_STEP * noise)
    candidates = []
    for at in range(FEWEST_EITHER_SIDE, len(logs) - FEWEST_EITHER_SIDE + 1):
        before, after = _known(logs[max(0, at - WINDOW) : at]), _known(logs[at : at + WINDOW])
        near_before, near_after = _known(logs[at - 3 : at]), _known(logs[at : at + 3])
        if min(len(before), len(after)) < FEWEST_EITHER_SIDE or not (len(near_before) and len(near_after)):
            continue
        change = median(after) - median(before)
        near = median(near_after) - median(near_before)
        strength = min(abs(change), abs(near))
        if change * near > 0 and strength >= smallest and _gap(before, after, np.sign(change)) >= CLEAR_GAP:
            candidates.append((strength, at, change))
    kept: list[tuple[int, float]] = []
    for _, at, change in sorted(candidates, reverse=True):
        if all(abs(at - other) >= WINDOW for other, _ in kept):
            kept.append((at, change))
    return sorted((_sharpest(logs, at, np.sign(change)), change) for at, change in kept)


def _gap(before: list[float], after: list[float], way: float) -> float:
    """Distance in the direction of change between the two stretches, each without its one worst month if it
    can spare it.
    """
    low, high = sorted(way * value for value in after), sorted(way * value for value in before)
    return low[len(low) // WINDOW] - high[-1 - len(high) // WINDOW]


def _sharpest(logs: Array, at: int, way: float) -> int:
    """The month of the largest move in the direction of the step, of `at` and its two neighbours."""
    options = range(max(1, at - 1), min(len(logs), at + 2))
    return max(options, key=lambda place: np.nan_to_num(way * (logs[place] - logs[place - 1]), nan=-np.inf))


def _single_months(logs: Array, noise: float) -> list[tuple[int, float]]:
    found = []
    for at, value in enumerate(logs):
        around = _known(np.concatenate([logs[max(0, at - 4) : at], logs[at + 1 : at + 5]]))
        if np.isnan(value) or len(around) < FEWEST_EITHER_SIDE:
            continue
        middle = median(around)
        far = value - middle
        spread = 1.4826 * median(abs(other - middle) for other in around)
        if abs(far) > max(SMALLEST_STRAY, NOISE_MULTIPLE_MONTH * max(spread, noise)):
            found.append((at, float(far)))
    return found


def _known(values: Array) -> list[float]:
    """Known values as plain numbers: of six or eight, `statistics.median` is far faster than numpy's."""
    return [value for value in values.tolist() if not isnan(value)]
