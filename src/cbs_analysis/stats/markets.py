"""Who shares a market, and which areas belong together? Concentration, catchments, and groups found from flows.

For commissioners who ask how far one trust has all their care, how many people a trust serves, and with whom to share
a contract. Flows are a matrix of counts, a row an area of residence and a column a provider.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.checks import Array, as_numbers, check_whole, refuse, refuse_repeated

WHOLE_MARKET = 10_000
"""The Herfindahl-Hirschman index where one provider has all: 100 percent, squared."""


class Modularity(NamedTuple):
    """`value`, NaN where it cannot be calculated, and `reason`, why it cannot; empty otherwise."""

    value: float
    reason: str


def herfindahl(counts: ArrayLike | pd.DataFrame) -> Array:
    """The Herfindahl-Hirschman index of each row: the sum of squared shares in percent, up to 10,000.

    `counts` has a row a market and a column a provider. A row without any count gives NaN. Raises ValueError where a
    count is negative. Source: Herfindahl (1950); Hirschman (1964). A complete count, so without an interval.
    """
    values = _flows(counts)
    total = values.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = values / total
    return WHOLE_MARKET * (shares**2).sum(axis=1)


def catchments(flows: pd.DataFrame, people: pd.Series) -> pd.Series:
    """People that each provider serves: the residents of every area in proportion to where its cases went.

    `flows` as above; `people` are residents by area, with the same labels. Indexed by provider; NaN where an area that
    a provider treats has no residents known. Raises ValueError where an area has no number of residents at all or a
    count is negative. Source: the proportional flow method of hospital catchment populations in England.
    """
    values = _flows(flows)
    refuse_repeated(people.index, "people", "area")
    missing = [label for label in flows.index if label not in people.index]
    if missing:
        raise ValueError(f"people has no entry for {missing[0]!r}; there must be one for each row of flows")
    residents = as_numbers(people.reindex(flows.index), "people")
    total = values.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        served = np.where(values > 0, values / total * residents[:, None], 0.0)
    return pd.Series(served.sum(axis=0), index=flows.columns)


def self_containment(
    flows: pd.DataFrame, groups: Mapping[Hashable, Hashable], outside: Collection[Hashable] = ()
) -> pd.DataFrame:
    """How far groups of areas keep to themselves, by group: cases (of the group's people), contained (those at the
    group's own providers), containment (their share, 0 to 1), own (share of its providers' cases that are its people),
    and reason (empty, or why a share is NaN).

    A provider is of the group that it treats most people of, but for those `outside`, which are of none.
    Raises ValueError where an area has no group, or a count is negative.
    """
    known = pd.DataFrame(_flows(flows), index=flows.index, columns=flows.columns)
    labels = _labels(flows, groups)
    by_group = known.groupby(labels).sum(min_count=1)
    by_group = by_group.mask(known.isna().groupby(labels).any())
    inside = by_group.drop(columns=[name for name in outside if name in by_group])
    home = inside.loc[:, inside.notna().any()].idxmax()
    at_home = by_group[home.index].T.groupby(home).sum().T.reindex(columns=by_group.index, fill_value=0)
    at_home = at_home.where(by_group.notna().all(axis=1), axis=0)
    contained = pd.Series(np.diag(at_home), index=by_group.index, dtype=float)
    cases, treated = by_group.sum(axis=1, skipna=False), at_home.sum()
    reason = np.select(
        [cases.isna(), cases == 0, contained.notna() & (treated == 0)],
        ["a count is missing", "no cases", "no provider is its own"],
        default="",
    )
    columns = {"cases": cases, "contained": contained, "containment": contained / cases, "own": contained / treated}
    return pd.DataFrame(columns).assign(reason=reason)


def modularity(flows: pd.DataFrame, groups: Mapping[Hashable, Hashable]) -> Modularity:
    """The share of all cases that stay within groups beyond what would if every area spread its own as all do together:
    0 where groups say nothing, such as one group of all, or one provider for all.

    Each provider is put into the group that makes it largest. NaN with a reason where there is no case, or a count is
    missing. Raises ValueError where an area has no group or a count is negative.
    Source: Barber (2007), "Modularity and community detection in bipartite networks".
    """
    values, labels = _flows(flows), _labels(flows, groups)
    if np.isnan(values).any():
        return Modularity(np.nan, "a count is missing")
    if not values.sum() > 0:
        return Modularity(np.nan, "there are no cases")
    return Modularity(_modularity(pd.DataFrame(_surplus(values)).groupby(labels.to_numpy()).sum().to_numpy()), "")


def groups_from_flows(flows: pd.DataFrame, number: int | None = None) -> pd.Series:
    """The groups of areas that keep most cases within them, by area: 1 for the first area's group, and so on.

    Areas are joined, two groups at a time, where modularity gains most, to `number` groups or, without it, until it
    gains no more; then single areas change groups as long as that gains. The same flows give the same groups; where
    there is no case, no grouping gains. Raises ValueError where `number` is not an integer from 1 to the number of
    areas, or a count is missing or negative.
    """
    size = len(flows)
    if number is not None:
        check_whole(number, "number", 1, size)
    values = _flows(flows)
    refuse(np.isnan(values), values, "flows", "must not be missing")
    surplus = _surplus(values)
    groups = np.arange(size)
    while len(np.unique(groups)) > (number or 1):
        gain, first, second = _best_join(surplus, groups)
        if number is None and gain <= 0:
            break
        groups[groups == second] = first
    groups = _refined(surplus, groups)
    order = {group: place for place, group in enumerate(dict.fromkeys(groups.tolist()), start=1)}
    return pd.Series([order[group] for group in groups.tolist()], index=flows.index)


def _flows(counts: ArrayLike | pd.DataFrame) -> Array:
    values = as_numbers(counts, "counts")
    if values.ndim != 2:
        raise ValueError(f"counts has {values.ndim} dimensions; it must have two, a row an area")
    if isinstance(counts, pd.DataFrame):
        refuse_repeated(counts.index, "counts", "area")
    refuse(values < 0, values, "counts", "must not be negative")
    return values


def _labels(flows: pd.DataFrame, groups: Mapping[Hashable, Hashable]) -> pd.Series:
    missing = [label for label in flows.index if label not in groups]
    if missing:
        raise ValueError(f"groups has no entry for {missing[0]!r}; there must be one for each row of flows")
    labels = pd.Series([groups[label] for label in flows.index], index=flows.index)
    if labels.isna().any():
        raise ValueError(f"groups: {labels.index[int(np.argmax(labels.isna()))]!r} has no group; give each area one")
    return labels


def _surplus(values: Array) -> Array:
    """Cases beyond those of independence, in all cases: a row an area, a column a provider; 0 where there are none."""
    total = values.sum()
    if not total > 0:
        return np.zeros(values.shape)
    return (values - values.sum(axis=1, keepdims=True) * values.sum(axis=0) / total) / total


def _best_join(surplus: Array, groups: NDArray[np.int64]) -> tuple[float, int, int]:
    """The gain in modularity of the best pair of groups to join, and the pair."""
    names = np.unique(groups)
    sums = np.array([surplus[groups == name].sum(axis=0) for name in names])
    best = _modularity(sums)
    largest = (-np.inf, 0, 0)
    for one, other in combinations(range(len(names)), 2):
        joined = np.delete(sums, other, axis=0)
        joined[one] = sums[one] + sums[other]
        gain = _modularity(joined) - best
        if gain > largest[0] + 1e-12:
            largest = (gain, int(names[one]), int(names[other]))
    return largest


def _refined(surplus: Array, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups after single areas moved as long as modularity gains; no group is left empty."""
    result, names = groups.copy(), np.unique(groups)
    places = {name: place for place, name in enumerate(names)}
    sums = np.array([surplus[result == name].sum(axis=0) for name in names])
    moved = True
    while moved:
        moved = False
        for area in range(len(result)):
            own = places[result[area]]
            if (result == result[area]).sum() == 1:
                continue
            now = _modularity(sums)
            for place, name in enumerate(names):
                if place == own:
                    continue
                tried = sums.copy()
                tried[own] -= surplus[area]
                tried[place] += surplus[area]
                if _modularity(tried) > now + 1e-12:
                    result[area], sums, own, now, moved = name, tried, place, _modularity(tried), True
    return result


def _modularity(sums: Array) -> float:
    """Of groups' surpluses by provider, each provider in the group where it is largest."""
    return float(sums.max(axis=0, initial=-np.inf).sum()) if sums.size else 0.0
