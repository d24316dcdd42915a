"""How much worse off are the most deprived? The slope and relative index of inequality, and quantiles.

For needs assessment: one number for the gap between the ends of the social scale that uses every step between them,
and the equal shares of areas that such a scale is made of.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import expit, logit

from cbs_analysis.stats.checks import Array, as_numbers, check_confidence
from cbs_analysis.stats.groupby import By, Groups, require_columns

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

    One row a group, in order of appearance: `sii`, `sii_lower`, `sii_upper`, `rii`, `rii_lower`, `rii_upper`
    and `intercept` (the fitted value at the most deprived end, times the size of `multiplier`). Limits are NaN
    without `standard_error`. A group with a missing value is NaN. The same `seed` gives the same limits,
    whatever other groups there are.
    Raises ValueError that names the group where a quantile is missing or stands twice, a population is not
    above 0, a standard error is missing or negative, or a value cannot be transformed; and where
    `repetitions` is below 1,000.
    Source: Low and Low (2004), Journal of Public Health 26: 388-395; Pamuk (1985), Population Studies 39.
    """
    if transform not in (None, "log", "logit"):
        raise ValueError(f"transform is {transform!r}; it must be 'log', 'logit' or None")
    if repetitions < FEWEST_REPETITIONS:
        raise ValueError(f"repetitions is {repetitions}; it must be at least {FEWEST_REPETITIONS:,}")
    check_confidence(confidence)
    groups = Groups(frame, by)
    rows = groups.matrix(_checked_quantiles(groups, quantile))
    people = groups.column(population)
    groups.refuse(~(people > 0), people, population, "must be above 0")
    values = _transformed(groups, value, transform)[rows]
    share = people[rows] / people[rows].sum(axis=1, keepdims=True)
    lines = _line_weights(share)
    intercept, slope = _fitted(lines, values)
    result = _indices(intercept, slope, transform, multiplier)
    limits = dict.fromkeys(LIMIT_COLUMNS, np.full(len(groups), np.nan))
    if standard_error is not None:
        errors = groups.column(standard_error)
        groups.refuse(~(errors >= 0), errors, standard_error, "must not be missing or negative")
        drawn = np.random.default_rng(seed).standard_normal((repetitions, rows.shape[1]))
        simulated = [
            _simulated_limits(drawn * error + known, line, transform, multiplier, confidence)
            for error, known, line in zip(errors[rows], values, lines, strict=True)
        ]
        limits = dict(zip(LIMIT_COLUMNS, np.array(simulated).reshape(-1, 4).T, strict=True))
    order = ["sii", "sii_lower", "sii_upper", "rii", "rii_lower", "rii_upper", "intercept"]
    return pd.DataFrame({**result, **limits}, index=groups.index)[order]


def assign_quantile(values: ArrayLike, k: int, high_is_first: bool = True) -> Array:
    """The quantile, 1 to `k`, of each of `values` by its rank; equal values take the lowest rank of them all.

    `values` has one dimension; with `high_is_first` the highest values are in quantile 1. As many whole
    numbers (as floats) as `values`; a missing value gives NaN, and fewer than `k` known values give NaN
    throughout. Raises ValueError where `k` is below 1.
    Source: the convention of public health practice in England for assigning deprivation categories.
    """
    if k < 1:
        raise ValueError(f"k is {k}; it must be at least 1")
    numbers = as_numbers(values, "values")
    if numbers.ndim != 1:
        raise ValueError(f"values has {numbers.ndim} dimensions; give one")
    known = ~np.isnan(numbers)
    count = int(known.sum())
    result = np.full(numbers.shape, np.nan)
    if count < k:
        return result
    ranks = pd.Series(numbers[known]).rank(method="min", ascending=not high_is_first).to_numpy(dtype=np.int64)
    from_the_top = -(-(count + 1 - ranks) * k // count)
    result[known] = np.maximum(k + 1 - from_the_top, 1)
    return result


def _checked_quantiles(groups: Groups, quantile: str) -> Array:
    """Each row's quantile. Raises ValueError unless every group has each quantile of the frame once."""
    places = groups.column(quantile)
    groups.refuse(np.isnan(places), places, quantile, "must not be missing")
    groups.refuse_repeated(pd.Series(places), quantile)
    wanted = np.unique(places)
    short = groups.sizes() != len(wanted)
    if short.any():
        at = int(np.argmax(short))
        missing = [f"{place:g}" for place in wanted if place not in places[groups.codes == at]]
        raise ValueError(f"{quantile}: {groups.label(at)} has no row for {', '.join(missing)}; give every quantile")
    if 0 < len(wanted) < 3:
        raise ValueError(f"{quantile} has {len(wanted)} quantiles; a slope with limits needs at least 3")
    return places


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
    found = _indices(drawn @ line[0], drawn @ line[1], transform, multiplier)
    return [*_between(found["sii"], confidence), *_between(found["rii"], confidence)]


def _between(simulated: Array, confidence: float) -> tuple[float, float]:
    """The simulated values that leave out equal tails, counted from the ends."""
    ordered = np.sort(simulated)
    if np.isnan(ordered[-1]):
        return np.nan, np.nan
    below, above = round(len(ordered) * (1 - confidence) / 2), round(len(ordered) * (1 + confidence) / 2)
    return float(ordered[max(below, 1) - 1]), float(ordered[above - 1])
