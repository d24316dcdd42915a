"""Which areas stand out by more than their size explains? Funnel plot limits, for many areas at once.

A small area's figure varies more by chance than a large one's. The limits say how far an area of a given size
may lie from the average before chance stops being a fair explanation: 95% for a second look, 99.8% for a
clear difference.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, pdtrik

from cbs_analysis.stats.checks import Array, as_numbers, labels_of, refuse

LEVELS = {"95": 0.95, "998": 0.998}
LIMIT_COLUMNS = ["lower_95", "upper_95", "lower_998", "upper_998"]


def proportion_limits(denominator: ArrayLike, average: float) -> pd.DataFrame:
    """Limits around an average proportion: where the Wilson interval of an area just reaches the average.

    `denominator` is one dimension of trials, `average` the proportion of all areas together, 0 to 1. One row
    a denominator, columns `lower_95`, `upper_95`, `lower_998`, `upper_998` as proportions within 0 to 1. A
    missing or zero denominator gives NaN. Raises ValueError where a denominator is negative or `average` is
    outside 0 to 1.
    Source: Spiegelhalter (2005), "Funnel plots for comparing institutional performance".
    """
    if not 0 <= average <= 1:
        raise ValueError(f"average is {average}; it must lie from 0 to 1")
    trials = _positive(denominator, "denominator")
    spread = np.sqrt(average * (1 - average) / trials)
    columns = {}
    for name, level in LEVELS.items():
        z = ndtri((1 + level) / 2)
        columns[f"lower_{name}"] = np.clip(average - z * spread, 0, 1)
        columns[f"upper_{name}"] = np.clip(average + z * spread, 0, 1)
    return _limit_frame(columns, denominator)


def ratio_limits(expected: ArrayLike) -> pd.DataFrame:
    """Limits around a ratio of 1, observed over expected: where the exact Poisson limits reach the expected.

    `expected` is one dimension of expected events. One row an element, columns `lower_95`, `upper_95`,
    `lower_998`, `upper_998` as ratios; the lower limit is 0 where even no event at all would be no surprise.
    A missing or zero expected gives NaN. Raises ValueError where one is negative.
    Source: Spiegelhalter (2005); Garwood (1936) for the exact interval.
    """
    events = _positive(expected, "expected")
    columns = {}
    for name, level in LEVELS.items():
        tail = (1 - level) / 2
        columns[f"lower_{name}"] = pdtrik(tail, events) / events
        columns[f"upper_{name}"] = (pdtrik(1 - tail, events) + 1) / events
    return _limit_frame(columns, expected)


def status(value: ArrayLike, limits: pd.DataFrame) -> NDArray[np.object_]:
    """Where each value lies: `low (99.8%)`, `low (95%)`, `not significant`, `high (95%)`, `high (99.8%)`.

    `limits` is a frame of `proportion_limits` or `ratio_limits` with one row a value, in the same unit. A
    value on a limit is inside it. A missing value or limit gives `not known`. Raises ValueError where the
    lengths differ or a column is missing.
    """
    missing = [column for column in LIMIT_COLUMNS if column not in limits.columns]
    if missing:
        raise ValueError(f"limits: column {', '.join(missing)} is missing; give a frame of funnel limits")
    values = np.atleast_1d(as_numbers(value, "value"))
    if len(values) != len(limits):
        raise ValueError(f"value has {len(values)} elements and limits {len(limits)} rows; give as many of each")
    known = ~(np.isnan(values) | limits[LIMIT_COLUMNS].isna().any(axis=1).to_numpy())
    conditions = [
        ~known,
        values < limits["lower_998"].to_numpy(),
        values > limits["upper_998"].to_numpy(),
        values < limits["lower_95"].to_numpy(),
        values > limits["upper_95"].to_numpy(),
    ]
    labels = ["not known", "low (99.8%)", "high (99.8%)", "low (95%)", "high (95%)"]
    return np.select(conditions, labels, default="not significant").astype(object)


def _positive(values: ArrayLike, name: str) -> Array:
    numbers = np.atleast_1d(as_numbers(values, name))
    refuse(numbers < 0, numbers, name, "must not be negative", labels_of(values))
    return np.where(numbers > 0, numbers, np.nan)


def _limit_frame(columns: dict[str, Array], source: ArrayLike) -> pd.DataFrame:
    index = source.index if isinstance(source, pd.Series) else None
    return pd.DataFrame(columns, index=index)[LIMIT_COLUMNS]
