"""How much worse off are the most deprived? The slope and relative index of inequality, and quantiles.

For needs assessment: one number for the gap between the ends of the social scale that uses every step between them,
and the equal shares of areas that such a scale is made of.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from cbs_analysis.stats.checks import (
    Array,
    as_numbers,
    check_choice,
    check_confidence,
    check_number,
    check_whole,
    labels_of,
    one_dimension,
    refuse,
)
from cbs_analysis.stats.groupby import By, Groups, reasons, require_columns

Transform = Literal["log", "logit"]
FEWEST_REPETITIONS = 1_000
LIMIT_COLUMNS = ["sii_lower", "sii_upper", "rii_lower", "rii_upper"]


def slope_index(
    frame: pd.DataFrame,
    by: By,
    quantile: str,
    population: str,
    value: str,
    standard_error: str | None = None,
    transform: Transform | None = None,
    multiplier: float = 1,
    confidence: float = 0.95,
    repetitions: int = 100_000,
    seed: int = 20_061,
) -> pd.DataFrame:
    """Slope index of inequality (SII) and relative index (RII) of each group, with limits by simulation.

    `frame` has a row a group and quantile; `by`, `quantile` (numbers, most deprived first), `population`,
    `value` and `standard_error` are column names. Quantiles are placed at the midpoints of their shares of
    the population, and `value` is regressed on those places, each weighted by its share. `transform` `log`
    (for rates) or `logit` (for proportions from 0 to 1) fits the line to the transformed value, and
    `standard_error` is then the transformed value's. SII is the fitted value at the least deprived end less
    that at the most deprived, in the unit of `value` times `multiplier`; RII is their ratio, inverted where
    `multiplier` is negative.

    One row a group, in order of appearance: `sii`, `sii_lower`, `sii_upper`, `rii`, `rii_lower`, `rii_upper`,
    `intercept` (the fitted value at the most deprived end, times the size of `multiplier`) and `reason`. Limits are
    NaN without `standard_error`. A group that lacks a quantile, a population, a value or a standard error is NaN, and
    `reason` says why; it is empty otherwise. The same `seed` gives the same limits, whatever other groups there are.
    Raises ValueError that names the group where a quantile is missing or is there twice, a population or a standard
    error is negative, or a value cannot be transformed; where there are fewer than 3 quantiles; and where
    `repetitions` is not an integer of at least 1,000, or `multiplier` is 0.
    Source: Low and Low (2004), Journal of Public Health 26: 388-395; Pamuk (1985), Population Studies 39.
    """
    check_choice(transform, "transform", (None, "log", "logit"))
    check_whole(repetitions, "repetitions", FEWEST_REPETITIONS)
    check_whole(seed, "seed", 0)
    check_confidence(confidence)
    if check_number(multiplier, "multiplier") == 0:
        raise ValueError("multiplier is 0; it must be a number above or below 0")
    groups = Groups(frame, by)
    rows, numbers = _rows_by_quantile(groups, quantile)
    there = rows >= 0
    people = np.where(there, groups.column(population)[rows], np.nan)
    groups.refuse(groups.column(population) < 0, groups.column(population), population, "must not be negative")
    values = np.where(there, _transformed(groups, value, transform)[rows], np.nan)
    errors = np.zeros(values.shape)
    if standard_error is not None:
        given = groups.column(standard_error)
        groups.refuse(given < 0, given, standard_error, "must not be negative")
        errors = np.where(there, given[rows], np.nan)
    reason = reasons(
        *((~there[:, place], f"no row for quantile {number:g}") for place, number in enumerate(numbers)),
        (~(people > 0).all(axis=1), f"{population} is 0 or missing in a quantile"),
        (np.isnan(values).any(axis=1), f"{value} is missing in a quantile"),
        (np.isnan(errors).any(axis=1), f"{standard_error} is missing in a quantile"),
    )
    known = reason == ""
    share = people[known] / people[known].sum(axis=1, keepdims=True)
    lines = _line_weights(share)
    result = _indices(*_fitted(lines, values[known]), transform, multiplier)
    limits = dict.fromkeys(LIMIT_COLUMNS, np.full(int(known.sum()), np.nan))
    if standard_error is not None:
        drawn = np.random.default_rng(seed).standard_normal((repetitions, rows.shape[1]))
        simulated = [
            _simulated_limits(drawn * error + centre, line, transform, multiplier, confidence)
            for error, centre, line in zip(errors[known], values[known], lines, strict=True)
        ]
        limits = dict(zip(LIMIT_COLUMNS, np.array(simulated).reshape(-1, 4).T, strict=True))
    order = ["sii", "sii_lower", "sii_upper", "rii", "rii_lower", "rii_upper", "intercept"]
    indices = pd.DataFrame({**result, **limits}, index=np.flatnonzero(known))[order].reindex(range(len(groups)))
    return indices.assign(reason=reason).set_axis(groups.index)


def assign_quantile(values: ArrayLike, k: int, high_is_first: bool = True) -> Array:
    """The quantile, 1 to `k`, of each of `values` by its rank; equal values take the lowest rank of them all.

    `values` has one dimension; with `high_is_first` the highest values are in quantile 1. As many whole
    numbers (as floats) as `values`; a missing value gives NaN, and fewer than `k` known values give NaN
    throughout. Ranks are put into quantiles by `quantile_of_rank`. Raises ValueError where `k` is not an integer of at
    least 1.
    Source: the convention of public health practice in England for assigning deprivation categories.
    """
    check_whole(k, "k", 1)
    numbers = one_dimension(values, "values")
    known = ~np.isnan(numbers)
    count = int(known.sum())
    result = np.full(numbers.shape, np.nan)
    if count >= k:
        ranks = pd.Series(numbers[known]).rank(method="min", ascending=not high_is_first).to_numpy()
        result[known] = quantile_of_rank(ranks, count, k)
    return result


def quantile_of_rank(rank: ArrayLike, of: int, k: int = 5) -> Any:
    """The quantile, 1 to `k`, of each rank among `of`: the smallest whole number not below rank times `k` over `of`.

    `rank` has any shape, from 1 to `of`, such as the published ranks of England's 32,482 LSOAs by deprivation; of
    those the first fifth ends at 6,496.4, so rank 6,497 is in the second. Whole numbers (as floats) in the shape of
    `rank`, a Series where that is one; a missing rank gives NaN. Raises ValueError where a rank is not a whole number
    from 1 to `of`, or `of` is below `k`.
    Source: the Department for Communities and Local Government's guidance on the English Indices of Deprivation, which
    puts ranks into equal shares.
    """
    check_whole(k, "k", 1)
    check_whole(of, "of", k)
    ranks = as_numbers(rank, "rank")
    wrong = (ranks < 1) | (ranks > of) | (ranks % 1 != 0) & ~np.isnan(ranks)
    refuse(wrong, ranks, "rank", f"must be a whole number from 1 to {of:,}", labels_of(rank))
    # In whole numbers: 5 times a rank over a total is not always the fraction it should be.
    known = np.where(np.isnan(ranks), 1, ranks).astype(np.int64)
    result = np.where(np.isnan(ranks), np.nan, -(-known * k // of))
    return pd.Series(result, index=rank.index) if isinstance(rank, pd.Series) else result[()]


def _rows_by_quantile(groups: Groups, quantile: str) -> tuple[NDArray[np.intp], Array]:
    """Row numbers as groups by quantiles, -1 where a group has no row for one; and the quantiles, in order."""
    places = groups.column(quantile)
    groups.refuse(np.isnan(places), places, quantile, "must not be missing")
    groups.refuse_repeated(pd.Series(places), quantile)
    numbers, column = np.unique(places, return_inverse=True)
    if 0 < len(numbers) < 3:
        raise ValueError(f"{quantile} has {len(numbers)} quantiles; a slope with limits needs at least 3")
    rows = np.full((len(groups), len(numbers)), -1, dtype=np.intp)
    rows[groups.codes, column] = np.arange(len(places))
    return rows, numbers


def _transformed(groups: Groups, value: str, transform: Transform | None) -> Array:
    require_columns(groups.frame, [value])
    values = groups.column(value)
    if transform == "log":
        groups.refuse(values <= 0, values, value, "must be above 0 for its logarithm")
        return np.log(values)
    if transform == "logit":
        groups.refuse((values <= 0) | (values >= 1), values, value, "must lie between 0 and 1 for its logit")
        return np.asarray(logit(values))
    return values


def _line_weights(share: Array) -> Array:
    """What turns values into intercept and slope by weighted least squares: groups by 2 by quantiles."""
    places = np.cumsum(share, axis=1) - share / 2
    design = np.stack([np.ones_like(places), places], axis=1)
    weighted = design * share[:, None, :]
    return np.asarray(np.linalg.solve(weighted @ design.transpose(0, 2, 1), weighted), dtype=float)


def _fitted(lines: Array, values: Array) -> tuple[Array, Array]:
    fitted = np.einsum("gpq,gq->gp", lines, values)
    return fitted[:, 0], fitted[:, 1]


def _back(fitted: Array, transform: Transform | None) -> Array:
    return np.exp(fitted) if transform == "log" else np.asarray(expit(fitted)) if transform == "logit" else fitted


def _indices(intercept: Array, slope: Array, transform: Transform | None, multiplier: float) -> dict[str, Array]:
    first, last = _back(intercept, transform), _back(intercept + slope, transform)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = last / first if multiplier >= 0 else first / last
    return {"sii": (last - first) * multiplier, "rii": ratio, "intercept": first * abs(multiplier)}


def _simulated_limits(
    drawn: Array, line: Array, transform: Transform | None, multiplier: float, confidence: float
) -> list[float]:
    """Limits of SII and RII from lines fitted to drawn values, repetitions by quantiles.

    Slope and level are drawn together: with a transformed value the SII depends on both.
    """
    simulated = _indices(drawn @ line[0], drawn @ line[1], transform, multiplier)
    return [*_between(simulated["sii"], confidence), *_between(simulated["rii"], confidence)]


def _between(simulated: Array, confidence: float) -> tuple[float, float]:
    """The simulated values that leave out equal tails, counted from the ends."""
    ordered = np.sort(simulated)
    if np.isnan(ordered[-1]):
        return np.nan, np.nan
    below, above = round(len(ordered) * (1 - confidence) / 2), round(len(ordered) * (1 + confidence) / 2)
    return float(ordered[max(below, 1) - 1]), float(ordered[above - 1])
