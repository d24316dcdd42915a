"""How many events for so many people, or of so many, or for so many others? For comparing areas of different size.

Crude rates, proportions, ratios of counts and changes between counts, with limits where chance has a part in them;
plain ratios and changes for what is counted in full. None takes account of age or need: see `standardisation`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import ndtri

from cbs_analysis.stats.checks import (
    Array,
    as_numbers,
    broadcast,
    check_confidence,
    check_number,
    labels_of,
    one_dimension,
    refuse,
    shared_index,
)
from cbs_analysis.stats.intervals import count_interval, proportion_interval


def crude_rate(
    events: ArrayLike, population: ArrayLike, per: float = 100_000, confidence: float = 0.95
) -> pd.DataFrame:
    """Events over population, `per` so many people, with the limits of the count over the same population.

    `events` and `population` broadcast to one dimension; Series are matched by position and must share an
    index. One row an element (a Series' index is kept): columns `value`, `lower`, `upper`, in events per
    `per` people. A missing count, or a missing or zero population, gives NaN. Raises ValueError where either
    is negative, or `per` is not above 0.
    Source: limits of `intervals.count_interval`, the convention of public health practice in England.
    """
    return _over(events, population, per, confidence, "population")


def proportion(events: ArrayLike, trials: ArrayLike, per: float = 1, confidence: float = 0.95) -> pd.DataFrame:
    """The part of `trials` that are `events`, times `per` (100 for percent), with Wilson's limits.

    `events` and `trials` broadcast to one dimension; Series must share an index, which is kept. One row an element:
    columns `value`, `lower`, `upper`. A missing count, or no trials, gives NaN. Raises ValueError where either is
    negative, events exceed trials by more than rounding, or `per` is not above 0.
    Source: Wilson (1927), as `intervals.proportion_interval`.
    """
    check_number(per, "per", above=0)
    index, count, total = _both(events, trials, "events", "trials")
    named = count if index is None else pd.Series(count, index=index)
    lower, upper = proportion_interval(named, total, confidence)
    value = per * np.minimum(count, total) / np.where(total > 0, total, np.nan)
    return pd.DataFrame({"value": value, "lower": per * lower, "upper": per * upper}, index=index)


def count_ratio(first: ArrayLike, second: ArrayLike, per: float = 1, confidence: float = 0.95) -> pd.DataFrame:
    """One count over another, times `per`, both by chance and independent, with limits.

    Given their sum, the first is binomial, so the ratio's limits are those of its share s (Wilson's), as s / (1 - s).
    `first` and `second` broadcast to one dimension; Series must share an index, which is kept. One row an element:
    columns `value`, `lower`, `upper`. A missing count, or a second of 0, gives NaN. Raises ValueError where either
    is negative.
    Source: Armitage, Berry and Matthews (2002), "Statistical Methods in Medical Research", section 5.2; Wilson (1927).
    """
    check_number(per, "per", above=0)
    z2 = float(ndtri((1 + check_confidence(confidence)) / 2)) ** 2
    index, above, below = _both(first, second, "first", "second")
    below = np.where(below > 0, below, np.nan)
    # Wilson's s / (1 - s), multiplied out: with 1 - s taken from s, nothing is left of one event beside 1e15.
    reach = np.sqrt(z2 * (above / (above + below) * below + z2 / 4))
    product = (above + z2 / 2 + reach) * (below + z2 / 2 + reach)
    squared = 1 + z2 / (above + below)
    columns = {
        "value": per * above / below,
        "lower": per * above**2 * squared / product,
        "upper": per * product / (below**2 * squared),
    }
    return pd.DataFrame(columns, index=index)


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
    check_number(per, "per", above=0)
    if not pd.isna(target):
        check_number(target, "target", least=0, most=per)
    index, count, total = _both(events, trials, "events", "trials")
    shares = proportion(count, total, per, confidence)
    columns = {
        name: np.clip((target - shares[limit].to_numpy()) / per * total, 0, None)
        for name, limit in (("value", "value"), ("lower", "upper"), ("upper", "lower"))
    }
    return pd.DataFrame(columns, index=index)


def ratio(numerator: ArrayLike, denominator: ArrayLike, per: float = 1) -> Any:
    """One figure over another, times `per`, without limits: for shares and index numbers of what is counted in full.

    Both broadcast; Series must share an index. The result has their shape, and is a Series where one of them is. A
    missing figure, or a denominator of 0, gives NaN. Raises ValueError where a denominator is negative, or
    `per` is not above 0.
    Source: none needed; one place for what a missing or zero denominator gives.
    """
    names = "numerator", "denominator"
    check_number(per, "per", above=0)
    index = shared_index(numerator, denominator, *names)
    above, below = broadcast(as_numbers(numerator, names[0]), as_numbers(denominator, names[1]), names=names)
    refuse(below < 0, below, "denominator", "must not be negative", labels_of(numerator, denominator))
    result = per * above / np.where(below > 0, below, np.nan)
    return result[()] if index is None else pd.Series(result, index=index)


def relative_change(now: ArrayLike, then: ArrayLike, per: float = 100) -> Any:
    """How much a figure has changed, as a part of what it was times `per`, without limits.

    Shapes, missing values, errors and source as `ratio`, with `now` over `then`.
    """
    return check_number(per, "per", above=0) * (ratio(now, then) - 1)


def _over(events: ArrayLike, base: ArrayLike, per: float, confidence: float, base_name: str) -> pd.DataFrame:
    """Events and their limits, each over `base` and times `per`: shared by crude rates and standardised
    ratios.
    """
    check_number(per, "per", above=0)
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
    names = first_name, second_name
    above, below = broadcast(one_dimension(first, first_name), one_dimension(second, second_name), names=names)
    refuse(above < 0, above, first_name, "must not be negative", labels)
    refuse(below < 0, below, second_name, "must not be negative", labels)
    return index, above, below
