"""Is there more of it here than among people like ours? Standardised rates, for comparing areas fairly.

Directly standardised: what an area's rate would be if its people had the ages of a standard population; rates of
different areas can then be held against each other. Indirectly standardised: the events an area has over those
expected if each of its ages had the reference rate; each area can then be held against the reference.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.checks import (
    Array,
    broadcast,
    check_confidence,
    check_number,
    labels_of,
    one_dimension,
    refuse,
    shared_index,
)
from cbs_analysis.stats.groupby import By, Groups, reasons, require_columns
from cbs_analysis.stats.intervals import byar_interval, count_interval
from cbs_analysis.stats.rates import _over

FEWEST_EVENTS = 10
"""Events in all below which a directly standardised rate is too unsure to give."""


def direct_rate(
    frame: pd.DataFrame,
    by: By,
    events: str,
    population: str,
    standard: str | ArrayLike | pd.Series,
    per: float = 100_000,
    confidence: float = 0.95,
    band: str | None = None,
) -> pd.DataFrame:
    """Directly standardised rate of each group, with Dobson's limits from Byar's limits of its count.

    `frame` has a row a group and age band; `by`, `events` and `population` are column names (`by` may be
    several, or None for one group). `standard` is a column, one value a band in the order of each group's
    rows, or, where `band` names the column of bands, a Series by band. Weights need not add up to anything.

    One row a group, in order of appearance, indexed by `by`: `events`, `population`, `value`, `lower` and `upper` in
    events per `per` people, and `reason`. A missing event count is 0. A group with a band without population, without
    one of the bands, or with fewer than 10 events in all has NaN, and `reason` says why; it is empty otherwise.
    The limits are too narrow where few of the events carry most of the weight: where nearly all are of ages
    that the standard has few of, 95% limits hold the truth 9 times in 10 at 20 events, and as they should
    from 100.
    Raises ValueError that names the group where events or a population are negative, a standard is missing, negative
    or 0 in all, or a band is there twice.
    Source: Dobson and others (1991), Statistics in Medicine 10: 457-462; Breslow and Day (1987), volume II.
    """
    groups = Groups(frame, by)
    lacks_band = _lacks_band(groups, band)
    counts, people, weights = _direct_inputs(groups, events, population, standard, band)
    shares = weights / groups.total(weights)[groups.codes] / people
    return _with_limits(
        groups,
        reason=_reasons(groups, lacks_band, people, population),
        events=groups.total(counts),
        population=groups.total(people),
        rate=groups.total(counts * shares),
        variance=groups.total(counts * shares**2),
        per=per,
        confidence=confidence,
    )


def direct_rate_repeat_events(
    frame: pd.DataFrame,
    by: By,
    band: str,
    people: str,
    frequency: str,
    population: str,
    standard: str | pd.Series,
    per: float = 100_000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Directly standardised rate of events that one person may have several of, such as admissions.

    `frame` has a row a group, age band and number of events: `people` is how many people had `frequency`
    events each (1, 2, 3 ...; no row is needed where there were none). `population` and `standard` are the
    same in all rows of a group and band; `standard` is a column or a Series by band. Every band of a group
    needs a row, if only of 0 people; a group that lacks one has NaN. People are independent and their events are not,
    so the variance is the sum, over frequencies f, of f squared times the variance of the rate of people with f
    events.

    Result as `direct_rate`, with `events` the people times their frequency. Raises ValueError that names the
    group as `direct_rate`, and where a frequency is not above 0, a band and frequency stand twice, or a band
    has two populations or standards.
    Source: as `direct_rate`; the variance is the convention of public health practice in England for events
    that are not independent.
    """
    groups = Groups(frame, by)
    lacks_band = _lacks_band(groups, band, repeated=True)
    counts, size, weights = _direct_inputs(groups, people, population, standard, band)
    times = groups.column(frequency)
    groups.refuse(~(times > 0), times, frequency, "must be above 0")
    groups.refuse_repeated(frame[band].astype(str) + " with " + frame[frequency].astype(str), f"{band} and {frequency}")
    first = ~pd.DataFrame({"group": groups.codes, "band": frame[band].to_numpy()}).duplicated().to_numpy()
    cells = Groups(pd.DataFrame({"group": groups.codes, "band": frame[band].to_numpy()}), ["group", "band"]).codes
    for values, name in ((size, population), (weights, "standard")):
        of_band = values[first][cells]
        differs = (values != of_band) & ~(np.isnan(values) & np.isnan(of_band))
        groups.refuse(differs, values, name, "must be the same in all rows of a band")
    shares = weights / groups.total(weights * first)[groups.codes] / size
    return _with_limits(
        groups,
        reason=_reasons(groups, lacks_band, size, population),
        events=groups.total(times * counts),
        population=groups.total(size * first),
        rate=groups.total(times * counts * shares),
        variance=groups.total(times**2 * counts * shares**2),
        per=per,
        confidence=confidence,
    )


def expected_events(
    frame: pd.DataFrame,
    by: By,
    population: str,
    reference_events: str | ArrayLike | pd.Series,
    reference_population: str | ArrayLike | pd.Series,
    band: str | None = None,
) -> pd.DataFrame:
    """Events a group would have if each of its age bands had the reference rate.

    `frame` has a row a group and band; `by` and `population` are column names. The reference's events and
    population are columns, one value a band in the order of each group's rows, or, where `band` names the
    column of bands, Series by band. One row a group, in order of appearance, indexed by `by`: `expected` and `reason`.
    Missing reference events are 0; a population of 0 is allowed. A group without one of the bands, or with a missing
    population, has NaN, and `reason` says why; it is empty otherwise.
    Raises ValueError that names the group where a population or reference events are negative, a reference population
    is missing or not above 0, or a band is there twice.
    Source: Breslow and Day (1987), volume II, chapter 2.
    """
    groups = Groups(frame, by)
    lacks_band = _lacks_band(groups, band)
    people = groups.column(population)
    groups.refuse(people < 0, people, population, "must not be negative")
    reference = np.nan_to_num(groups.by_band(reference_events, "reference_events", band))
    groups.refuse(reference < 0, reference, "reference_events", "must not be negative")
    size = groups.by_band(reference_population, "reference_population", band)
    groups.refuse(~(size > 0), size, "reference_population", "must be above 0")
    reason = reasons(
        (lacks_band, f"one of the bands of {band} is missing"),
        (groups.has_any(np.isnan(people)), f"{population} is missing in a band"),
    )
    expected = np.where(reason == "", groups.total(people * reference / size), np.nan)
    return pd.DataFrame({"expected": expected, "reason": reason}, index=groups.index)


def indirect_ratio(observed: ArrayLike, expected: ArrayLike, per: float = 1, confidence: float = 0.95) -> pd.DataFrame:
    """Observed over expected events, times `per` (100 for the usual standardised ratio), with its limits.

    `observed` and `expected` broadcast; Series must share an index. One row an element: columns `value`,
    `lower`, `upper`. The expected count is taken as known: all uncertainty is the observed count's (exact
    below 10 events, Byar from 10). Missing or zero expected gives NaN. Raises ValueError where either is
    negative.
    Source: Breslow and Day (1987), volume II, chapter 2.
    """
    return _over(observed, expected, per, confidence, "expected")


def excess_events(observed: ArrayLike, expected: ArrayLike, confidence: float = 0.95) -> pd.DataFrame:
    """Observed less expected events, with its limits: below 0 where there were fewer than expected.

    `observed` and `expected` broadcast to one dimension. One row an element: columns `value`, `lower`, `upper`, in
    events. The expected count is taken as known: all uncertainty is the observed count's (exact below 10 events,
    Byar from 10). Missing or zero expected gives NaN. Raises ValueError where either is negative, or they are Series
    with different indexes.
    Source: Breslow and Day (1987), volume II, chapter 2; the limits of `intervals.count_interval` less a constant.
    """
    ratio = _over(observed, expected, 1, confidence, "expected")
    names = "observed", "expected"
    counts, below = broadcast(one_dimension(observed, names[0]), one_dimension(expected, names[1]), names=names)
    known = np.where(below > 0, below, np.nan)
    lower, upper = count_interval(counts, confidence)
    return pd.DataFrame({"value": counts - known, "lower": lower - known, "upper": upper - known}, index=ratio.index)


def indirect_rate(
    observed: ArrayLike,
    expected: ArrayLike,
    reference_rate: ArrayLike,
    per: float = 100_000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Indirectly standardised rate: the ratio times the reference population's crude rate.

    `reference_rate` is events per person in the reference (not per 100,000): its events in all bands over its
    population in all bands. One row an element: columns `value`, `lower`, `upper`, in events per `per`
    people. Raises ValueError as `indirect_ratio`, and where the reference rate is negative.
    Source: Breslow and Day (1987), volume II, chapter 2.
    """
    check_number(per, "per", above=0)
    rate = one_dimension(reference_rate, "reference_rate")
    refuse(rate < 0, rate, "reference_rate", "must not be negative", labels_of(reference_rate))
    shared_index(observed, reference_rate, "observed", "reference_rate")
    ratio = indirect_ratio(observed, expected, per=1, confidence=confidence)
    rate = broadcast(rate, np.empty(len(ratio)), names=("reference_rate", "observed"))[0]
    return ratio.mul(rate * per, axis=0)


def _direct_inputs(
    groups: Groups, events: str, population: str, standard: str | ArrayLike | pd.Series, band: str | None
) -> tuple[Array, Array, Array]:
    """Events, population and weight of each row, checked."""
    counts = np.nan_to_num(groups.column(events))
    groups.refuse(counts < 0, counts, events, "must not be negative")
    people = groups.column(population)
    groups.refuse(people < 0, people, population, "must not be negative")
    people = np.where(people > 0, people, np.nan)
    weights = groups.by_band(standard, "standard", band)
    groups.refuse(~(weights >= 0), weights, "standard", "must not be missing or negative")
    if (empty := groups.total(weights) == 0).any():
        raise ValueError(f"standard: {groups.label(int(np.argmax(empty)))} has 0 in all bands; give one a weight")
    return counts, people, weights


def _lacks_band(groups: Groups, band: str | None, repeated: bool = False) -> NDArray[np.bool_]:
    """Which groups lack a band that others have. Raises ValueError where a band is there twice and not `repeated`."""
    if band is None:
        return np.zeros(len(groups), dtype=bool)
    require_columns(groups.frame, [band])
    bands = groups.frame[band]
    if not repeated:
        groups.refuse_repeated(bands, band)
    return groups.different(bands) < bands.nunique(dropna=False)


def _reasons(groups: Groups, lacks_band: NDArray[np.bool_], people: Array, population: str) -> NDArray[np.object_]:
    return reasons(
        (lacks_band, "a band is missing"),
        (groups.has_any(np.isnan(people)), f"{population} is 0 or missing in a band"),
    )


def _with_limits(
    groups: Groups,
    reason: NDArray[np.object_],
    events: Array,
    population: Array,
    rate: Array,
    variance: Array,
    per: float,
    confidence: float,
) -> pd.DataFrame:
    """Dobson's limits: the rate's distance from its limits is the count's, scaled by their standard errors."""
    check_confidence(confidence)
    check_number(per, "per", above=0)
    reason = np.where((reason == "") & (events < FEWEST_EVENTS), f"fewer than {FEWEST_EVENTS} events", reason)
    enough = reason == ""
    lower, upper = byar_interval(events, confidence)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(enough, np.sqrt(variance / events), np.nan)
    return pd.DataFrame(
        {
            "events": events,
            "population": population,
            "value": np.where(enough, rate, np.nan) * per,
            "lower": (rate + scale * (lower - events)) * per,
            "upper": (rate + scale * (upper - events)) * per,
            "reason": reason.astype(object),
        },
        index=groups.index,
    )
