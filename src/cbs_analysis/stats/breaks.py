"""Did care change, or its recording? Level shifts in a series too large and too sudden for care.

For anyone who draws limits or forecasts from a weekly, monthly, quarterly or yearly series: a shift that doubles a
count from one month to the next is nearly always recording, and what lies before it says nothing about the level
after. The thresholds are set so that ordinary growth, seasons and noise pass; a step is a lead to look at, not proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import isnan
from statistics import median

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.calendar import NAMES, period_index, periods_per_year
from cbs_analysis.stats.checks import Array, as_numbers, labels_of, refuse

SMALLEST_STEP = 0.30
"""Of the logarithm: a rise by 35% or a fall by 26%. Care seldom does that between two months and stays there.
"""
SMALLEST_STRAY = 0.35
NOISE_MULTIPLE_STEP = 4.0
NOISE_MULTIPLE_MONTH = 5.0


@dataclass(frozen=True)
class _Window:
    """Periods looked at on either side: half a year, but six at least; of those how many must be known (a third of a
    year), and how many are near (a quarter).
    """

    per_year: int = 12

    @property
    def length(self) -> int:
        return max(6, self.per_year // 2)

    @property
    def fewest(self) -> int:
        return max(4, round(self.per_year / 3))

    @property
    def near(self) -> int:
        return max(3, self.per_year // 4)


FEWEST_AROUND = 4
"""Periods known around a single one that is far from them."""
CLEAR_GAP = 0.15
"""Of the logarithm: how far the stretches before and after must lie apart, leaving out one stray month of
each.
"""

SLACK = 1e-12
"""Rounding of a logarithm: counts ten times as large have the same steps."""
COLUMNS = ["position", "kind", "ratio"]


def step_changes(values: ArrayLike | pd.Series, exposure: ArrayLike | None = None) -> pd.DataFrame:
    """Sudden changes of level, and single months far from their neighbours, in a series of counts.

    `values` is one dimension of counts in time order (missing allowed), `exposure` as many working or
    calendar days. A Series' index says what its periods are; those of anything else are taken for months. One row a
    change, in time order: `position` (of the first period at the new level, or of the single one), `kind` (`step`, or
    `single month`, `single week` and so on) and `ratio` (level after over level before, or the period over its
    neighbours). A step needs four months on either side (a third of a year, four periods at least), so one in the last
    three months is not seen. From yearly series their steady growth is taken out first.
    Raises ValueError where a count is negative, an exposure is not above 0, or the lengths differ.
    Source: own; medians of six months on either side, noise from the median absolute month-to-month
    difference.
    """
    window = _window(values)
    logs = _log_rate(values, exposure, window)
    if np.sum(~np.isnan(logs)) < 2 * window.fewest:
        return pd.DataFrame({"position": [], "kind": [], "ratio": []}).astype({"position": int, "kind": str})
    noise = _noise(logs)
    jumps, single = _steps(logs, noise, window), f"single {NAMES[window.per_year]}"
    changes = [(at, "step", float(np.exp(change))) for at, change in jumps]
    edges = [0, *(at for at, _ in jumps), len(logs)]
    for start, stop in pairwise(edges):
        strays = _single_months(logs[start:stop], noise)
        changes += [(start + at, single, float(np.exp(far))) for at, far in strays]
    return pd.DataFrame(sorted(changes), columns=COLUMNS).astype({"position": int})


def step_positions(values: ArrayLike | pd.Series, exposure: ArrayLike | None = None) -> tuple[int, ...]:
    """The positions of the steps alone, in time order, for who screens many series. Arguments, errors and source
    as `step_changes`.
    """
    window = _window(values)
    logs = _log_rate(values, exposure, window)
    return tuple(at for at, _ in _steps(logs, _noise(logs), window))


def _window(values: ArrayLike | pd.Series) -> _Window:
    if not isinstance(values, pd.Series) or pd.api.types.is_numeric_dtype(values.index):
        return _Window()
    return _Window(periods_per_year(period_index(values.index)))


def _log_rate(values: ArrayLike | pd.Series, exposure: ArrayLike | None, window: _Window) -> Array:
    counts = as_numbers(values, "values")
    refuse(counts < 0, counts, "values", "must not be negative", labels_of(values))
    days = np.ones_like(counts) if exposure is None else as_numbers(exposure, "exposure")
    if days.shape != counts.shape or counts.ndim != 1:
        raise ValueError(f"exposure has shape {days.shape} and values {counts.shape}; give two equally long series")
    refuse(~(days > 0), days, "exposure", "must be above 0")
    logs = np.log(np.maximum(counts, 0.5) / days)
    if window.per_year > 1 or not np.any(~np.isnan(np.diff(logs))):
        return logs
    return np.asarray(logs - np.nanmedian(np.diff(logs)) * np.arange(len(logs)))


def _noise(logs: Array) -> float:
    """Standard deviation of a month about its level, by the median so that steps do not count."""
    moves = np.diff(logs)
    moves = moves[~np.isnan(moves)]
    return float(1.4826 * np.median(np.abs(moves - np.median(moves))) / np.sqrt(2)) if moves.size else 0.0


def _steps(logs: Array, noise: float, window: _Window) -> list[tuple[int, float]]:
    if np.sum(~np.isnan(logs)) < 2 * window.fewest:
        return []
    smallest = max(SMALLEST_STEP, NOISE_MULTIPLE_STEP * noise)
    candidates = []
    for at in range(window.fewest, len(logs) - window.fewest + 1):
        before, after = _known(logs[max(0, at - window.length) : at]), _known(logs[at : at + window.length])
        near_before, near_after = _known(logs[at - window.near : at]), _known(logs[at : at + window.near])
        if min(len(before), len(after)) < window.fewest or not (len(near_before) and len(near_after)):
            continue
        change = median(after) - median(before)
        near = median(near_after) - median(near_before)
        strength = min(abs(change), abs(near))
        if change * near > 0 and strength >= smallest - SLACK and _is_clear(before, after, change, window):
            candidates.append((strength, at, change))
    kept: list[tuple[int, float]] = []
    for _, at, change in sorted(candidates, reverse=True):
        if all(abs(at - other) >= window.length for other, _ in kept):
            kept.append((at, change))
    return sorted((_sharpest(logs, at, np.sign(change)), change) for at, change in kept)


def _is_clear(before: list[float], after: list[float], change: float, window: _Window) -> bool:
    """Whether the two stretches lie apart in the direction of change, each without the worst sixth of a whole one."""
    way, spare = float(np.sign(change)), window.length // 6
    low, high = sorted(way * value for value in after), sorted(way * value for value in before)
    return (
        low[spare * (len(low) // window.length)] - high[-1 - spare * (len(high) // window.length)] >= CLEAR_GAP - SLACK
    )


def _sharpest(logs: Array, at: int, way: float) -> int:
    """The period of the largest move in the direction of the step, of `at` and its two neighbours."""
    options = range(max(1, at - 1), min(len(logs), at + 2))
    return max(options, key=lambda place: np.nan_to_num(way * (logs[place] - logs[place - 1]), nan=-np.inf))


def _single_months(logs: Array, noise: float) -> list[tuple[int, float]]:
    strays = []
    for at, value in enumerate(logs):
        around = _known(np.concatenate([logs[max(0, at - 4) : at], logs[at + 1 : at + 5]]))
        if np.isnan(value) or len(around) < FEWEST_AROUND:
            continue
        middle = median(around)
        far = value - middle
        spread = 1.4826 * median(abs(other - middle) for other in around)
        if abs(far) > max(SMALLEST_STRAY, NOISE_MULTIPLE_MONTH * max(spread, noise)):
            strays.append((at, float(far)))
    return strays


def _known(values: Array) -> list[float]:
    """Known values as plain numbers: of six or eight, `statistics.median` is far faster than numpy's."""
    return [value for value in values.tolist() if not isnan(value)]
