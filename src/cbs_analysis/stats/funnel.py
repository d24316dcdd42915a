"""Which areas stand out by more than their size explains? Funnel plot limits, for many areas at once.

A small area's figure varies more by chance than a large one's. The limits say how far an area of a given size
may lie from the average before chance stops being a fair explanation: 95% for a second look, 99.8% for a
clear difference.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincinv, ndtri, pdtrik

from cbs_analysis.stats.checks import (
    Array,
    check_choice,
    check_number,
    exceeds,
    labels_of,
    one_dimension,
    refuse,
    shared_index,
)

LEVELS = {"95": 0.95, "998": 0.998}
LIMIT_COLUMNS = ["lower_95", "upper_95", "lower_998", "upper_998"]


TRIMMED = 0.1
"""Share of areas at each end that the spread between areas is not judged by."""
FEWEST_AREAS = 3
OverdispersionMethod = Literal["winsorised", "shmi"]
METHODS: tuple[OverdispersionMethod, ...] = ("winsorised", "shmi")


class Overdispersion(NamedTuple):
    """`phi`, the mean squared z-score: 1 where chance explains the spread. `tau2`, the variance between areas
    on the scale on which z was taken. `limits`, widened by it, as `ratio_limits`.
    """

    phi: float
    tau2: float
    limits: pd.DataFrame


class AroundAverage(NamedTuple):
    """Areas about their own `average`, total observed over total expected: `phi` and `tau2` as `Overdispersion`
    about it, `times_chance`, the root of phi (how many times as far areas lie from it as chance puts them), and
    limits of observed over expected, by `chance` alone and `widened` by the spread between areas.
    """

    average: float
    phi: float
    tau2: float
    times_chance: float
    chance: pd.DataFrame
    widened: pd.DataFrame


def proportion_limits(denominator: ArrayLike, average: float) -> pd.DataFrame:
    """Limits around an average proportion: where the Wilson interval of an area just reaches the average.

    `denominator` is one dimension of trials, `average` the proportion of all areas together, 0 to 1. One row
    a denominator, columns `lower_95`, `upper_95`, `lower_998`, `upper_998` as proportions within 0 to 1. A
    missing or zero denominator gives NaN. Raises ValueError where a denominator is negative or `average` is
    outside 0 to 1.
    Source: Spiegelhalter (2005), "Funnel plots for comparing institutional performance".
    """
    check_number(average, "average", least=0, most=1)
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
        columns[f"lower_{name}"] = (_count_reaching(events, 1 - tail) - 1).clip(min=0) / events
        columns[f"upper_{name}"] = _count_reaching(events, tail) / events
    return _limit_frame(columns, expected)


def _count_reaching(events: Array, chance: float) -> Array:
    """The count, in fractions too, that Poisson draws with the mean `events` reach or exceed with this chance."""
    with np.errstate(invalid="ignore"):
        count = pdtrik(1 - chance, events) + 1
    # scipy's inverse has no answer below a count of 1, nor from about 1e11 events on.
    for place in np.flatnonzero(~np.isnan(events) & ~(count > 1)):
        low, high = 0.0, 2 * events[place] + 10
        while high - low > np.spacing(high):
            middle = (low + high) / 2
            if middle in (low, high):
                break
            low, high = (low, middle) if gammainc(middle, events[place]) < chance else (middle, high)
        count[place] = high
    return np.asarray(count)


def rate_limits(
    events: ArrayLike | None = None,
    average: float = np.nan,
    per: float = 100_000,
    population: ArrayLike | None = None,
) -> pd.DataFrame:
    """Limits around an average rate: where the exact Poisson limits of a count just reach the average.

    Give either `events`, for the limits at which so many events would be drawn, or `population`, for the
    limits of areas of that size. Both are of one dimension; `average` is the rate of all areas together, in
    events per `per` people. One row an element, columns `lower_95`, `upper_95`, `lower_998`, `upper_998` in
    events per `per` people. A missing or zero element gives NaN. Raises ValueError where an element is
    negative, `average` is not above 0, or both or neither of `events` and `population` are given.
    Source: Spiegelhalter (2005); Garwood (1936) for the exact interval.
    """
    check_number(average, "average", above=0)
    check_number(per, "per", above=0)
    if population is not None and events is None:
        people = _positive(population, "population")
        limits = ratio_limits(people * average / per)
        return _limit_frame({name: limits[name].to_numpy() * average for name in LIMIT_COLUMNS}, population)
    if events is None or population is not None:
        raise ValueError("give either events or population")
    counts = _positive(events, "events")
    columns = {}
    for name, level in LEVELS.items():
        tail = (1 - level) / 2
        columns[f"lower_{name}"] = average * counts / gammaincinv(counts + 1, 1 - tail)
        columns[f"upper_{name}"] = average * counts / gammaincinv(counts, tail)
    return _limit_frame(columns, events)


def overdispersion(observed: ArrayLike, expected: ArrayLike, method: OverdispersionMethod) -> Overdispersion:
    """How much more areas differ than chance explains, and limits widened by it around a ratio of 1.

    `observed` and `expected` are events of as many areas, one dimension. `winsorised` takes z as twice the
    difference of the square roots, with the lowest and highest tenth drawn in to the tenth and ninetieth
    percentile. `shmi` takes z as the root of expected times the logarithm of the ratio, with the lowest and
    highest tenth of the ranks left out. The limits add tau squared, the variance between areas, to each area's
    own variance, on the scale on which z was taken. As the tails are drawn in or left out, tau squared is too
    small where the areas' own levels are normally spread: of 150 such areas, with none out of the ordinary, about
    1 in 10 (`winsorised`) or 1 in 5 (`shmi`) lie outside the 95% limits, and 1 in 90 or 1 in 25 outside the
    99.8% limits; of 26 areas, 1 in 10 or 1 in 8, and 1 in 80 or 1 in 45. An area with a missing or zero expected, or
    a missing observed, has no part in it and NaN limits.
    Raises ValueError where either is negative, the lengths differ, fewer than 3 areas are left, or `shmi`
    keeps an area of no events.
    Source: Spiegelhalter (2005), Quality and Safety in Health Care 14: 347-351, and Spiegelhalter and others
    (2012), JRSS A 175: 1-47; `shmi` as in NHS England's Summary Hospital-level Mortality Indicator.
    """
    check_choice(method, "method", METHODS)
    shared_index(observed, expected, "observed", "expected")
    below = _positive(expected, "expected")
    counts = one_dimension(observed, "observed")
    refuse(counts < 0, counts, "observed", "must not be negative", labels_of(observed))
    if counts.shape != below.shape:
        raise ValueError(f"observed has shape {counts.shape} and expected {below.shape}; give as many of each")
    known = ~(np.isnan(counts) | np.isnan(below))
    if known.sum() < FEWEST_AREAS:
        raise ValueError(f"{known.sum()} areas are known; spread between areas needs at least {FEWEST_AREAS}")
    root = method == "winsorised"
    variance = 1 / (4 * below) if root else 1 / below
    if root:
        z = 2 * (np.sqrt(counts[known]) - np.sqrt(below[known]))
        z = np.clip(z, *np.quantile(z, [TRIMMED, 1 - TRIMMED]))
        kept = variance[known]
    else:
        with np.errstate(divide="ignore"):
            z = np.sqrt(below[known]) * np.log(counts[known] / below[known])
        inside = _without_tails(z)
        if np.isinf(z[inside]).any():
            raise ValueError("observed: an area with no events is not among those left out; use 'winsorised'")
        z, kept = z[inside], variance[known][inside]
    phi = float(np.mean(z**2))
    tau2 = _between_variance(phi, kept)
    return Overdispersion(phi, tau2, _widened(np.where(known, variance, np.nan) + tau2, root, expected))


def around_average(
    observed: ArrayLike, expected: ArrayLike, method: OverdispersionMethod, at: ArrayLike | None = None
) -> AroundAverage:
    """How much areas differ from their own average, and limits of observed over expected around it.

    For areas whose expected events are at the rates of another population: about a ratio of 1, how far all of them
    lie from that population would count as spread between them. `observed` and `expected` are as `overdispersion`
    takes them. The limits are drawn at the expected events `at`, or, without it, at the areas' own. Raises
    ValueError as `overdispersion`, and where no events are observed.
    Source: as `overdispersion`; `ratio_limits` for the limits of chance.
    """
    shared_index(observed, expected, "observed", "expected")
    below = _positive(expected, "expected")
    counts = one_dimension(observed, "observed")
    refuse(counts < 0, counts, "observed", "must not be negative", labels_of(observed))
    if counts.shape != below.shape:
        raise ValueError(f"observed has shape {counts.shape} and expected {below.shape}; give as many of each")
    known = ~(np.isnan(counts) | np.isnan(below))
    average = float(counts[known].sum() / below[known].sum()) if known.any() else np.nan
    if average == 0:
        raise ValueError("observed: no area has any events; there is no average to draw limits around")
    spread = overdispersion(observed, below * average, method)
    places = expected if at is None else at
    scaled = pd.Series(_positive(places, "at") * average, index=places.index if isinstance(places, pd.Series) else None)
    return AroundAverage(
        average,
        spread.phi,
        spread.tau2,
        float(np.sqrt(spread.phi)),
        ratio_limits(scaled) * average,
        widened_limits(scaled, spread.tau2, method) * average,
    )


def widened_limits(expected: ArrayLike, tau2: float, method: OverdispersionMethod) -> pd.DataFrame:
    """Limits around a ratio of 1 that allow for a spread between areas, at any number of expected events.

    `expected` is one dimension of expected events; `tau2` and `method` are those of an `overdispersion`, whose own
    limits these are at its own areas. One row an element, columns as `ratio_limits`. A missing or zero expected
    gives NaN. Raises ValueError where one is negative, or `tau2` is.
    Source: as `overdispersion`.
    """
    check_choice(method, "method", METHODS)
    check_number(tau2, "tau2", least=0)
    events = _positive(expected, "expected")
    root = method == "winsorised"
    return _widened((1 / (4 * events) if root else 1 / events) + tau2, root, expected)


def _without_tails(z: Array) -> NDArray[np.bool_]:
    """All but the lowest and highest tenth of the ranks."""
    tenth = np.floor(pd.Series(z).rank().to_numpy() / TRIMMED / (len(z) + 1))
    return np.asarray((tenth > 0) & (tenth < round(1 / TRIMMED) - 1))


def _between_variance(phi: float, variance: Array) -> float:
    """DerSimonian and Laird's estimate of the variance between areas; 0 where chance explains the spread."""
    count = len(variance)
    if count * phi < count - 1:
        return 0.0
    weights = 1 / variance
    return float((count * phi - (count - 1)) / (weights.sum() - (weights**2).sum() / weights.sum()))


def _widened(variance: Array, root: bool, source: ArrayLike) -> pd.DataFrame:
    columns = {}
    for name, level in LEVELS.items():
        reach = ndtri((1 + level) / 2) * np.sqrt(variance)
        if root:
            columns[f"lower_{name}"], columns[f"upper_{name}"] = np.maximum(1 - reach, 0) ** 2, (1 + reach) ** 2
        else:
            columns[f"lower_{name}"], columns[f"upper_{name}"] = np.exp(-reach), np.exp(reach)
    return _limit_frame(columns, source)


def status(value: ArrayLike, limits: pd.DataFrame) -> NDArray[np.object_]:
    """Where each value lies: `low (99.8%)`, `low (95%)`, `not significant`, `high (95%)`, `high (99.8%)`.

    `not significant` is within the 95% limits: no further from the average than those limits allow for, be it chance
    or, for widened ones, the spread between areas too. `limits` is a
    frame of any of this module's limits with one row a value, in the same unit. A value on a limit, but for rounding,
    is inside it. A missing value or limit gives `not known`. Raises ValueError where the lengths differ, a column is
    missing, or values and limits are indexed by different areas.
    Source: Spiegelhalter (2005).
    """
    missing = [column for column in LIMIT_COLUMNS if column not in limits.columns]
    if missing:
        raise ValueError(f"limits: column {', '.join(missing)} is missing; give a frame of funnel limits")
    values = one_dimension(value, "value")
    if len(values) != len(limits):
        raise ValueError(f"value has {len(values)} elements and limits {len(limits)} rows; give as many of each")
    is_numbered = isinstance(limits.index, pd.RangeIndex)
    if isinstance(value, pd.Series) and not is_numbered and not value.index.equals(limits.index):
        raise ValueError("value and limits have different indexes; give both the same areas in the same order")
    known = ~(np.isnan(values) | limits[LIMIT_COLUMNS].isna().any(axis=1).to_numpy())
    conditions = [
        ~known,
        exceeds(limits["lower_998"], values),
        exceeds(values, limits["upper_998"]),
        exceeds(limits["lower_95"], values),
        exceeds(values, limits["upper_95"]),
    ]
    labels = ["not known", "low (99.8%)", "high (99.8%)", "low (95%)", "high (95%)"]
    return np.select(conditions, labels, default="not significant").astype(object)


def _positive(values: ArrayLike, name: str) -> Array:
    numbers = one_dimension(values, name)
    refuse(numbers < 0, numbers, name, "must not be negative", labels_of(values))
    return np.where(numbers > 0, numbers, np.nan)


def _limit_frame(columns: dict[str, Array], source: ArrayLike) -> pd.DataFrame:
    index = source.index if isinstance(source, pd.Series) else None
    return pd.DataFrame(columns, index=index)[LIMIT_COLUMNS]
