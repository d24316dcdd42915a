"""How sure is a count, a proportion or a mean? Confidence limits for anyone who compares areas.

Counts are treated as Poisson, proportions as binomial, means as those of a normal distribution. The conventions
are those of public health practice in England: exact Poisson limits below ten events, Byar's approximation from
ten, Wilson's score method for proportions, Student's t for means.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaincinv, ndtri

from cbs_analysis.stats.checks import (
    Array,
    as_numbers,
    broadcast,
    check_confidence,
    exceeds,
    labels_of,
    refuse,
    shared_index,
)

EXACT_BELOW = 10
"""Events below which Byar's approximation gives way to the exact limits."""


def count_interval(events: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Limits of a count: exact Poisson (by chi-squared) below 10 events, Byar's approximation from 10.

    `events` has any shape; both results have that shape, in events. Lower is 0 at 0 events; a missing count
    gives NaN.
    Raises ValueError where events < 0 or `confidence` is not between 0 and 1.
    Source: Garwood (1936); Breslow and Day (1987), volume II, page 69.
    """
    counts, tail = _counts(events, confidence)
    lower, upper = _byar(counts, tail)
    few = counts < EXACT_BELOW
    with np.errstate(invalid="ignore"):
        exact_lower = np.where(counts > 0, gammaincinv(counts, tail), 0.0)
        exact_upper = gammaincinv(counts + 1, 1 - tail)
    return np.where(few, exact_lower, lower)[()], np.where(few, exact_upper, upper)[()]


def byar_interval(events: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Byar's limits of a count whatever its size. A lower limit that would be negative is NaN.

    `events` has any shape; both results have that shape, in events. At 0 events the lower limit is NaN.
    Raises ValueError where events < 0 or `confidence` is not between 0 and 1.
    Source: Breslow and Day (1987), volume II, page 69.
    """
    lower, upper = _byar(*_counts(events, confidence))
    with np.errstate(invalid="ignore"):
        return np.where(lower < 0, np.nan, lower)[()], upper[()]


def proportion_interval(events: ArrayLike, trials: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Wilson score limits of a proportion, as proportions from 0 to 1.

    `events` and `trials` broadcast. `trials` of 0, or a missing value, gives NaN. Raises ValueError where
    events < 0, trials < 0 or events > trials, or `confidence` is not between 0 and 1.
    Source: Wilson (1927), as in statsmodels' `proportion_confint`.
    """
    # Imported here because statsmodels takes a second to import: only those who ask for it pay.
    from statsmodels.stats.proportion import proportion_confint

    shared_index(events, trials, "events", "trials")
    alpha = 1 - check_confidence(confidence)
    labels = labels_of(events, trials)
    names = ("events", "trials")
    count, total = broadcast(as_numbers(events, "events"), as_numbers(trials, "trials"), names=names)
    refuse(count < 0, count, "events", "must not be negative", labels)
    refuse(total < 0, total, "trials", "must not be negative", labels)
    refuse(exceeds(count, total), count, "events", "must not exceed trials", labels)
    count = np.minimum(count, total)
    lower, upper = np.full(count.shape, np.nan), np.full(count.shape, np.nan)
    known = (total > 0) & ~np.isnan(count)
    if known.any():
        limits = proportion_confint(count[known], total[known], alpha=alpha, method="wilson")
        lower[known] = np.where(count[known] == 0, 0, limits[0])
        upper[known] = np.where(count[known] == total[known], 1, limits[1])
    return lower[()], upper[()]


def mean_interval(values: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Student's t limits of a mean, with one degree of freedom fewer than there are values.

    `values` has any shape; the means, and so the limits, are over its last dimension, in the unit of
    `values`. Missing values are left out. Fewer than two known values give NaN.
    Raises ValueError where a value is not a number or is infinite, or `confidence` is not between 0 and 1.
    Source: Altman and others (2000), "Statistics with Confidence", chapter 4; `scipy.stats.t`.
    """
    # Imported here because scipy.stats takes half a second to import: only those who ask for it pay.
    from scipy.stats import t

    numbers = np.atleast_1d(as_numbers(values, "values"))
    level = check_confidence(confidence)
    known = ~np.isnan(numbers)
    count = known.sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(known, numbers, 0).sum(axis=-1) / count
        squares = np.where(known, (numbers - mean[..., None]) ** 2, 0).sum(axis=-1)
        error = np.where(count > 1, np.sqrt(squares / (count - 1) / count), np.nan)
    reach = t.ppf((1 + level) / 2, np.maximum(count - 1, 1)) * error
    return (mean - reach)[()], (mean + reach)[()]


def ratio_interval(ratio: ArrayLike, log_error: ArrayLike, confidence: float = 0.95) -> tuple[Array, Array]:
    """Limits of a ratio whose logarithm varies about normally.

    `ratio`, not below 0, and `log_error`, the standard error of its natural logarithm, broadcast. A ratio of 0, or a
    missing value, gives NaN: nothing is known of its logarithm. Raises ValueError where a ratio or an error is negative
    or `confidence` is not between 0 and 1. Source: Armitage, Berry and Matthews (2002), section 4.5.
    """
    values, errors = as_numbers(ratio, "ratio"), as_numbers(log_error, "log_error")
    refuse(values < 0, values, "ratio", "must not be negative", labels_of(ratio))
    refuse(errors < 0, errors, "log_error", "must not be negative", labels_of(log_error))
    shared_index(ratio, log_error, "ratio", "log_error")
    values, errors = broadcast(values, errors, names=("ratio", "log_error"))
    times = np.exp(ndtri((1 + check_confidence(confidence)) / 2) * errors)
    known = np.where(values > 0, values, np.nan)
    return known / times, known * times


def limits_of_sum(value: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> tuple[Array, Array]:
    """Limits of a sum of independent values, each with its limits: distances are squared, added, and rooted.

    All broadcast; the sum is over their last dimension, in the unit of `value`. A missing part gives NaN. For a
    difference, turn the second value round: its sign changes, and its limits change places.
    Raises ValueError where a value does not lie within its limits.
    Source: Newcombe (1998), Statistics in Medicine 17: 873-890; Zou and Donner (2008), the same 27: 1693-1702.
    """
    for limit, name in ((lower, "lower"), (upper, "upper")):
        shared_index(value, limit, "value", name)
    middle, low, high = broadcast(
        np.atleast_1d(as_numbers(value, "value")),
        as_numbers(lower, "lower"),
        as_numbers(upper, "upper"),
        names=("value", "lower", "upper"),
    )
    refuse(exceeds(low, middle), low, "lower", "must not be above value", labels_of(value, lower))
    refuse(exceeds(middle, high), high, "upper", "must not be below value", labels_of(value, upper))
    total = middle.sum(axis=-1)
    below, above = ((middle - low) ** 2).sum(axis=-1), ((high - middle) ** 2).sum(axis=-1)
    return (total - np.sqrt(below))[()], (total + np.sqrt(above))[()]


def _counts(events: ArrayLike, confidence: float) -> tuple[Array, float]:
    counts = as_numbers(events, "events")
    refuse(counts < 0, counts, "events", "must not be negative", labels_of(events))
    return counts, (1 - check_confidence(confidence)) / 2


def _byar(counts: Array, tail: float) -> tuple[Array, Array]:
    z = -ndtri(tail)
    after = counts + 1
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = counts * (1 - 1 / (9 * counts) - z / (3 * np.sqrt(counts))) ** 3
    upper = after * (1 - 1 / (9 * after) + z / (3 * np.sqrt(after))) ** 3
    return lower, upper
