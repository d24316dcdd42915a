"""How many events for so many people, or of so many, or for so many others? For comparing areas of different size.

Crude rates, proportions, ratios of counts and changes between counts, with limits where chance has a part in them;
plain ratios and changes for what is counted in full. None takes account of age or need: see `standardisation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.checks import Array, as_numbers, labels_of, refuse, shared_index
from cbs_analysis.stats.intervals import count_interval, proportion_interval


def crude_rate(
    events: ArrayLike, population: ArrayLike, per: float = 100_000, confidence: float = 0.95
) -> pd.DataFrame:
    """Events over population, `per` so many people, with the limits of the count over the same population.

    `events` and `population` broadcast to one dimension; Series are matched by position and must share an
    index. One row an element (a Series' index is kept): columns `value`, `lower`, `upper`, in events per
    `per` people. A missing count, or a missing or zero population, gives NaN. Raises ValueError where either
    is negative.
    Source: limits of `intervals.count_interval`, the convention of public health practice in England.
    """
    return _over(events, population, per, confidence, "population")


def proportion(events: ArrayLike, trials: ArrayLike, per: float = 1, confidence: float = 0.95) -> pd.DataFrame:
    """The part of `trials` that are `events`, times `per` (100 for percent), with Wilson's limits.

    `events` and `trials` broadcast to one dimension; Series must share an index, which is kept. One row an element:
    columns `value`, `lower`, `upper`. A missing count, or no trials, gives NaN. Raises ValueError where either is
    negative or events exceed trials.
    Source: Wilson (1927), as `intervals.proportion_interval`.
    """
    index, count, total = _both(events, trials, "events", "trials")
    named = count if index is None else pd.Series(count, index=index)
    lower, upper = proportion_interval(named, total, confidence)
    value = per * count / np.where(total > 0, total, np.nan)
    return pd.DataFrame({"value": value, "lower": per * lower, "upper": per * upper}, index=index)


def count_ratio(first: ArrayLike, second: ArrayLike, per: float = 1, confidence: float = 0.95) -> pd.DataFrame:
    """One count over another, times `per`, both by chance and independent, with limits.

    Given their sum, the first is binomial, so the ratio's limits are those of its share s (Wilson's), as s / (1 - s).
    `first` and `second` broadcast to one dimension; Series must share an index, which is kept. One row an element:
    columns `value`, `lower`, `upper`. A missing count, or a second of 0, gives NaN. Raises ValueError where either
    is negative.
    Source: Armitage, Berry and Matthews (2002), "Statistical Methods in Medical Research", section 5.2; Wilson (1927).
    """
    index, above, below = _both(first, second, "first", "second")
    share = proportion(np.where(below > 0, above, np.nan), above + below, 1, confidence)
    return pd.DataFrame({name: (per * part / (1 - part)).to_numpy() for name, part in share.items()}, index=index)


def change_between_counts(now: ArrayLike, then: ArrayLike, per: float = 100, confidence: float = 0.95) -> pd.DataFrame:
    """How much a count has changed, as a part of what it was times `per`, both counts by chance, with limits.

    The limits are those of `count_ratio`, less `per`. Shapes, missing values and errors as `count_ratio`.
    Source: as `count_ratio`.
    """
    return count_ratio(now, then, per, confidence) - per


def shortfall(
    events: ArrayLike, trials: ArrayLike, target: float, per: float = 1, confidence: float = 0.95
) -> pd.DataFrame:
    """How many more of `trials` would be `events` at the proportion `target`; 0 where it is reached.

    `target` is in the unit of `per` (percent where that is 100) and taken as known: the limits are those of the
    proportion, so that its upper limit gives the lower shortfall. `events` and `trials` broadcast to one dimension;
    Series must share an index, which is kept. One row an element: columns `value`, `lower`, `upper`, in trials, none
    below 0. A missing count or target, or no trials, gives NaN. Raises ValueError as `proportion`, and where `target`
    does not lie from 0 to `per`.
    Source: the difference from a fixed value, with Wilson's limits (1927).
    """
    if not (np.isnan(target) or 0 <= target <= per):
        raise ValueError(f"target is {target}; it must lie from 0 to {per:g}")
    index, count, total = _both(events, trials, "events", "trials")
    found = proportion(count, total, per, confidence)
    columns = {
        name: np.clip((target - found[limit].to_numpy()) / per * total, 0, None)
        for name, limit in (("value", "value"), ("lower", "upper"), ("upper", "lower"))
    }
    return pd.DataFrame(columns, index=index)


def ratio(numerator: ArrayLike, denominator: ArrayLike, per: float = 1) -> Any:
    """One figure over another, times `per`, without limits: for shares and index numbers of what is counted in full.

    Both broadcast; Series must share an index. The result has their shape, and is a Series where one of them is. A
    missing figure, or a denominator of 0, gives NaN. Raises ValueError where a denominator is negative.
    Source: none needed; one place for what a missing or zero denominator gives.
    """
    index = shared_index(numerator, denominator, "numerator", "denominator")
    above, below = np.broadcast_arrays(as_numbers(numerator, "numerator"), as_numbers(denominator, "denominator"))
    refuse(below < 0, below, "denominator", "must not be negative", labels_of(numerator, denominator))
    found = per * above / np.where(below > 0, below, np.nan)
    return found[()] if index is None else pd.Series(found, index=index)


def relative_change(now: ArrayLike, then: ArrayLike, per: float = 100) -> Any:
    """How much a figure has changed, as a part of what it was times `per`, without limits.

    Shapes, missing values, errors and source as `ratio`, with `now` over `then`.
    """
    return per * (ratio(now, then) - 1)


def _over(events: ArrayLike, base: ArrayLike, per: float, confidence: float, base_name: str) -> pd.DataFrame:
    """Events and their limits, each over `base` and times `per`: shared by crude rates and standardised
    ratios.
    """
    index, count, below = _both(events, base, "events", base_name)
    divisor = np.where(below > 0, below, np.nan) / per
    lower, upper = count_interval(count, confidence)
    columns = {"value": count / divisor, "lower": lower / divisor, "upper": upper / divisor}
    return pd.DataFrame(columns, index=index)


def _both(
    first: ArrayLike, second: ArrayLike, first_name: str, second_name: str
) -> tuple[pd.Index | None, Array, Array]:
    """The index that two sets of counts share, and the counts in one dimension, checked to be none below 0."""
    index = shared_index(first, second, first_name, second_name)
    labels = labels_of(first, second)
    above, below = np.broadcast_arrays(
        np.atleast_1d(as_numbers(first, first_name)), np.atleast_1d(as_numbers(second, second_name))
    )
    refuse(above < 0, above, first_name, "must not be negative", labels)
    refuse(below < 0, below, second_name, "must not be negative", labels)
    return index, above, below
