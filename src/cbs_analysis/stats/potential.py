"""What if all were like the best quarter? Events, beds or pounds, each with an interval and without chance's share.

For commissioners who ask what better practice would be worth. The best of a list are partly the lucky, and the distance
to them partly chance: here the distance is between true values, as far as the figures tell of them, and where they
differ by chance alone there is little to be had.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.checks import Array, as_numbers, labels_of, refuse, refuse_repeated, shared_index
from cbs_analysis.stats.shrinkage import DRAWS, SEED, shrunk

BEST = 0.25
LIMITS = [0.025, 0.975]


@dataclass(frozen=True)
class Potential:
    """What `best_quarter` found.

    `target` has the ratio of the best quarter and its limits: target, lower, upper. `units` has a row a unit: ratio
    (shrunk) with ratio_lower and ratio_upper, then potential, lower, upper in events and, with a price, pounds,
    pounds_lower, pounds_upper, and reason (empty, or why a unit is NaN). `groups` has those last a row of `weights`,
    and is None without. `total` has them for all units together. Estimates are means of draws, so that they add up;
    limits are 95% credible and do not.
    """

    target: pd.Series
    units: pd.DataFrame
    groups: pd.DataFrame | None
    total: pd.Series


def best_quarter(
    log_ratio: ArrayLike,
    standard_error: ArrayLike,
    expected: ArrayLike,
    *,
    lower_is_better: bool = True,
    weights: pd.DataFrame | None = None,
    price: ArrayLike | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Potential:
    """Events that would be fewer (where higher is better, more) were every unit at least as good as the best quarter.

    `log_ratio`, `standard_error` and `expected` have an element a unit: observed over expected, its error on the log
    scale, and the events expected at the average unit. True ratios are those of `shrinkage.shrunk`; the target is the
    better quartile of units' true ratios; a unit's potential is its distance to it, nothing where it is better, times
    its expected events. `weights` has a row a group and a column a unit: events expected of the group's cases there.
    `price` is pounds an event, one for all or one a unit. A unit with a missing value has a NaN potential and no part
    in sums. Where units do not differ at all the truth is 0, which no interval of a sum can hold; the estimate is then
    about a quarter of what the figures show at face value. Raises ValueError where lengths or labels differ, a number
    is negative, or fewer than 3 units are known.
    Source: as `shrinkage.shrunk`; Goldstein and Spiegelhalter (1996), "League tables and their limitations", for ranks
    and their like as functions of draws.
    """
    if not isinstance(lower_is_better, bool | np.bool_):
        raise ValueError(f"lower_is_better is {lower_is_better!r}; it must be True or False")
    shared_index(log_ratio, expected, "log_ratio", "expected")
    found = shrunk(log_ratio, standard_error, draws=draws, seed=seed)
    index = found.units.index
    events = _per_unit(expected, "expected", index)
    pounds = None if price is None else _per_unit(price, "price", index)
    known = found.units["mean"].notna().to_numpy() & ~np.isnan(events)
    if not known.any():
        raise ValueError("expected: no unit has both a ratio and expected events")
    ratios = np.exp(np.where(known, found.draws, np.nan))
    best = np.quantile(ratios[:, known], BEST if lower_is_better else 1 - BEST, axis=1)
    apart = ratios - best[:, None] if lower_is_better else best[:, None] - ratios
    gap = np.maximum(apart, 0)

    target = pd.Series([best.mean(), *np.quantile(best, LIMITS)], index=["target", "lower", "upper"])
    units = _summary(ratios, index, "ratio", "ratio_").join(_amounts(gap * events, pounds, index))
    units["reason"] = np.where(known, "", "the ratio, its error or the expected events are missing")
    shares = np.where(known, events, 0)[None, :]
    total = _amounts_of_groups(gap, shares, pounds, pd.Index(["all"])).loc["all"].rename(None)
    groups = None
    if weights is not None:
        groups = _amounts_of_groups(gap, _matched(weights, index), pounds, weights.index)
    return Potential(target, units, groups, total)


def _per_unit(values: ArrayLike, name: str, index: pd.Index) -> Array:
    """One float a unit, not negative."""
    numbers = as_numbers(values, name)
    if isinstance(values, pd.Series) and not values.index.equals(index):
        raise ValueError(f"{name} and log_ratio have different indexes; give both the same units in the same order")
    if numbers.shape not in ((), (len(index),)) or (name == "expected" and numbers.shape == ()):
        raise ValueError(f"{name} has shape {numbers.shape}; give one element for each of {len(index)} units")
    refuse(numbers < 0, numbers, name, "must not be negative", labels_of(values))
    return np.broadcast_to(numbers, (len(index),))


def _matched(weights: pd.DataFrame, index: pd.Index) -> Array:
    """Weights with columns in the order of units; a unit that a group has nothing at may be left out."""
    refuse_repeated(weights.columns, "weights", "unit")
    refuse_repeated(weights.index, "weights", "group")
    unknown = [column for column in weights.columns if column not in index]
    if unknown:
        raise ValueError(f"weights has a column {unknown[0]!r}, which is not a unit")
    numbers = as_numbers(weights.reindex(columns=index, fill_value=0), "weights")
    refuse(np.isnan(numbers) | (numbers < 0), numbers, "weights", "must be a number and not negative")
    return numbers


def _amounts_of_groups(gap: Array, weights: Array, pounds: Array | None, index: pd.Index) -> pd.DataFrame:
    """Events and pounds of sums over units, a row a group; units that are not known have no part."""
    gaps = np.nan_to_num(gap)
    frame = _summary(gaps @ weights.T, index, "potential", "")
    if pounds is None:
        return frame
    return frame.join(_summary(gaps @ (weights * np.nan_to_num(pounds)).T, index, "pounds", "pounds_"))


def _amounts(events: Array, pounds: Array | None, index: pd.Index) -> pd.DataFrame:
    frame = _summary(events, index, "potential", "")
    return frame if pounds is None else frame.join(_summary(events * pounds, index, "pounds", "pounds_"))


def _summary(drawn: Array, index: pd.Index, name: str, prefix: str) -> pd.DataFrame:
    """Mean and 95% limits of draws, a row a column of them; NaN where those are.

    Where nearly all draws are 0 the mean may lie above the limit: the limit is then the mean.
    """
    mean = drawn.mean(axis=0)
    lower, upper = cast(Array, np.quantile(drawn, LIMITS, axis=0))
    columns = {name: mean, f"{prefix}lower": lower, f"{prefix}upper": np.maximum(upper, mean)}
    return pd.DataFrame(columns, index=index)
