"""Is this period different, or the usual ups and downs? XmR process charts, for anyone who follows a measure.

The limits are drawn from how much a measure usually moves from one week, month, quarter or year to the next. Points
and patterns that the usual movement does not explain are marked, in the order of rules used in the NHS.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.checks import Array, as_numbers, check_positions, check_whole, rounding

LIMIT_FACTOR = 2.66
"""Three standard deviations in mean moving ranges: 3 / 1.128, for ranges of two points."""
SCREEN_FACTOR = 3.267
"""Upper limit of a moving range of two points, as a multiple of the mean moving range."""
RUN = 7
FEWEST_POINTS = 12

COMMON = "Common Cause"
NOT_ASSESSED = "Not assessed"


def xmr(
    values: ArrayLike | pd.Series,
    baseline: int | None = None,
    rebase_at: Sequence[int] = (),
    screen: bool = True,
) -> pd.DataFrame:
    """Individual values with their mean, process limits and special causes, one row a point in time order.

    `values` is one dimension in any unit; a missing value is a gap: no moving range is taken across it and no
    run, trend or pair of points bridges it. `baseline` sets mean and limits from the first so many known
    points of each stretch. `rebase_at` are positions at which mean and limits start again, such as a change of
    recording. `screen` leaves moving ranges at or above 3.267 times their mean out of the limits.

    Columns `value`, `mean`, `lower_process_limit`, `upper_process_limit` in the unit of `values`,
    `special_cause` (`Common Cause`, `Above UCL`, `Below LCL`, `7 Point Trend (Increasing)`, `7 Point Trend
    (Decreasing)`, `2 in 3 Above CL`, `2 in 3 Below CL`, `7 Points Above CL`, `7 Points Below CL`, or `Not
    assessed` at a gap or without limits) and `warning` (empty, or why a stretch has no limits: fewer than 12
    known points). A Series keeps its index.

    Points that differ by rounding alone are equal. Raises ValueError where `baseline` is not an integer of at least 12,
    or a `rebase_at` position is not inside the series.
    Source: Wheeler (2000), "Understanding Variation"; rules as in NHS England's Making Data Count.
    """
    points = as_numbers(values, "values")
    if points.ndim != 1:
        raise ValueError(f"values has {points.ndim} dimensions; it must be one series in time order")
    if baseline is not None:
        check_whole(baseline, "baseline", FEWEST_POINTS)
    starts = check_positions(rebase_at, "rebase_at", len(points))
    frame = pd.DataFrame(
        {
            "value": points,
            "mean": np.nan,
            "lower_process_limit": np.nan,
            "upper_process_limit": np.nan,
            "special_cause": NOT_ASSESSED,
            "warning": "",
        },
        index=values.index if isinstance(values, pd.Series) else None,
    )
    for start, stop in pairwise([0, *starts, len(points)]):
        _fill(frame, slice(start, stop), baseline, screen)
    return frame


def _fill(frame: pd.DataFrame, rows: slice, baseline: int | None, screen: bool) -> None:
    """Limits and labels of one stretch between rebasings, written into its rows."""
    points = frame["value"].to_numpy()[rows]
    known = int(np.sum(~np.isnan(points)))
    column = frame.columns.get_loc
    if known < FEWEST_POINTS:
        warning = f"{known} points: too few for process limits, which need {FEWEST_POINTS}"
        frame.iloc[rows, column("warning")] = warning
        return
    mean, half_width = _centre_and_half_width(points, baseline, screen)
    frame.iloc[rows, column("mean")] = mean
    frame.iloc[rows, column("lower_process_limit")] = mean - half_width
    frame.iloc[rows, column("upper_process_limit")] = mean + half_width
    frame.iloc[rows, column("special_cause")] = _labels(points, mean, half_width)


def _centre_and_half_width(points: Array, baseline: int | None, screen: bool) -> tuple[float, float]:
    if baseline is not None:
        points = points[: int(np.flatnonzero(~np.isnan(points))[:baseline][-1]) + 1]
    ranges = np.abs(np.diff(points))
    ranges = ranges[~np.isnan(ranges)]
    if not ranges.size:
        return float(np.nanmean(points)), np.nan
    slack = float(rounding(np.nanmax(np.abs(points))))
    if screen and ranges.mean() > slack:
        ranges = ranges[ranges < SCREEN_FACTOR * ranges.mean() - slack]
    return float(np.nanmean(points)), LIMIT_FACTOR * float(ranges.mean())


def _labels(points: Array, mean: float, half_width: float) -> NDArray[np.object_]:
    """The first rule that each point meets, in order: outside, trend, two in three, run."""
    labels = np.full(len(points), NOT_ASSESSED, dtype=object)
    if np.isnan(half_width):
        return labels
    # Rounding is of the size of the points, however little they move: 13 times 0.1 has a mean just beside 0.1.
    slack = float(rounding(np.nanmax(np.abs(points))))
    for part in _unbroken(points):
        distance = points[part] - mean
        distance[np.abs(distance) <= slack] = 0
        outside, side = np.abs(distance) > half_width + slack, np.sign(distance)
        near = ~outside & (np.abs(distance) > half_width * 2 / 3 + slack)
        trend, pairs, run = _trend(points[part], slack), _two_in_three(near, side), _run(side)
        labels[part] = np.select(
            [
                outside & (side > 0),
                outside & (side < 0),
                trend > 0,
                trend < 0,
                pairs & (side > 0),
                pairs & (side < 0),
                run & (side > 0),
                run & (side < 0),
            ],
            [
                "Above UCL",
                "Below LCL",
                "7 Point Trend (Increasing)",
                "7 Point Trend (Decreasing)",
                "2 in 3 Above CL",
                "2 in 3 Below CL",
                "7 Points Above CL",
                "7 Points Below CL",
            ],
            default=COMMON,
        )
    return labels


def _trend(points: Array, slack: float) -> Array:
    """1 or -1 for every point of seven that each rise or each fall, else 0; a rise wins over a fall."""
    moves = np.diff(points)
    direction = np.sign(np.where(np.abs(moves) <= slack, 0, moves))
    trend = np.zeros(len(points))
    for way in (-1, 1):
        for start in range(len(points) - RUN + 1):
            if np.all(direction[start : start + RUN - 1] == way):
                trend[start : start + RUN] = way
    return trend


def _two_in_three(near: NDArray[np.bool_], side: Array) -> NDArray[np.bool_]:
    """The points near a limit where two of three in a row are, all three on one side of the mean."""
    marked = np.zeros(len(near), dtype=bool)
    for start in range(len(near) - 2):
        three = slice(start, start + 3)
        if near[three].sum() >= 2 and abs(side[three].sum()) == 3:
            marked[three] |= near[three]
    return marked


def _run(side: Array) -> NDArray[np.bool_]:
    """Every point of seven or more in a row on one side of the mean."""
    marked = np.zeros(len(side), dtype=bool)
    for start in range(len(side) - RUN + 1):
        if abs(side[start : start + RUN].sum()) == RUN:
            marked[start : start + RUN] = True
    return marked


def _unbroken(points: Array) -> Iterator[slice]:
    """The stretches of known points between gaps."""
    known = np.concatenate([[False], ~np.isnan(points), [False]])
    changes = np.flatnonzero(np.diff(known.astype(int)))
    for start, stop in zip(changes[::2], changes[1::2], strict=True):
        yield slice(int(start), int(stop))
