"""Who shares a market, and which areas belong together? Concentration, catchments, and groups found from flows.

For commissioners who ask how far one trust has all their care, how many people a trust serves, and with whom to share
a contract. Flows are a matrix of counts, a row an area of residence and a column a provider.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.checks import Array, as_numbers, refuse

WHOLE_MARKET = 10_000
"""The Herfindahl-Hirschman index where one provider has all: 100 percent, squared."""


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
    group's own providers), containment (their share, 0 to 1), own (share of its providers' cases that are its people).

    A provider is of the group that it treats most people of, but for those `outside`, which are of none.
    Raises ValueError where an area has no group.
    """
    by_group = flows.groupby(_labels(flows, groups)).sum()
    home = by_group.drop(columns=[name for name in outside if name in by_group]).idxmax()
    at_home = by_group[home.index].T.groupby(home).sum().T.reindex(columns=by_group.index, fill_value=0)
    contained = pd.Series(np.diag(at_home), index=by_group.index, dtype=float)
    cases, treated = by_group.sum(axis=1), at_home.sum()
    return pd.DataFrame(
        {"cases": cases, "contained": contained, "containment": contained / cases, "own": contained / treated}
    )


def modularity(flows: pd.DataFrame, groups: Mapping[Hashable, Hashable]) -> float:
    """The share of all cases that stay within groups beyond what would if every area spread its own as all do together:
    0 where groups say nothing.

    Each provider is put into the group that makes it largest. Raises ValueError where an area has no group, or there
    is no case. Source: Barber (2007), "Modularity and community detection in bipartite networks".
    """
    surplus, labels = _surplus(flows), _labels(flows, groups)
    return float(pd.DataFrame(surplus).groupby(labels.to_numpy()).sum().max().sum())


def groups_from_flows(flows: pd.DataFrame, number: int | None = None) -> pd.Series:
    """The groups of areas that keep most cases within them, by area: 1 for the first area's group, and so on.

    Areas are joined, two groups at a time, where modularity gains most, to `number` groups or, without it, until it
    gains no more; then single areas change groups as long as that gains. The same flows give the same groups. Raises
    ValueError where `number` is not from 1 to the number of areas, or there is no case.
    """
    size = len(flows)
    if number is not None and not 1 <= number <= size:
        raise ValueError(f"number is {number}; it must lie from 1 to the {size} areas")
    surplus = _surplus(flows)
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
    refuse(values < 0, values, "counts", "must not be negative")
    return values


def _labels(flows: pd.DataFrame, groups: Mapping[Hashable, Hashable]) -> pd.Series:
    missing = [label for label in flows.index if label not in groups]
    if missing:
        raise ValueError(f"groups has no entry for {missing[0]!r}; there must be one for each row of flows")
    return pd.Series([groups[label] for label in flows.index], index=flows.index)


def _surplus(flows: pd.DataFrame) -> Array:
    """Cases beyond those of independence, in all cases: a row an area, a column a provider."""
    values = _flows(flows)
    total = values.sum()
    if not total > 0:
        raise ValueError("flows hold no case")
    return (values - values.sum(axis=1, keepdims=True) * values.sum(axis=0) / total) / total


def _best_join(surplus: Array, groups: NDArray[np.int64]) -> tuple[float, int, int]:
    """The gain in modularity of the best pair of groups to join, and the pair."""
    names = np.unique(groups)
    sums = np.array([surplus[groups == name].sum(axis=0) for name in names])
    best = _modularity(sums)
    found = (-np.inf, 0, 0)
    for one, other in combinations(range(len(names)), 2):
        joined = np.delete(sums, other, axis=0)
        joined[one] = sums[one] + sums[other]
        gain = _modularity(joined) - best
        if gain > found[0] + 1e-12:
            found = (gain, int(names[one]), int(names[other]))
    return found


def _refined(surplus: Array, groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """Groups after single areas moved as long as modularity gains; no group is left empty."""
    found, names = groups.copy(), np.unique(groups)
    places = {name: place for place, name in enumerate(names)}
    sums = np.array([surplus[found == name].sum(axis=0) for name in names])
    moved = True
    while moved:
        moved = False
        for area in range(len(found)):
            own = places[found[area]]
            if (found == found[area]).sum() == 1:
                continue
            now = _modularity(sums)
            for place, name in enumerate(names):
                if place == own:
                    continue
                tried = sums.copy()
                tried[own] -= surplus[area]
                tried[place] += surplus[area]
                if _modularity(tried) > now + 1e-12:
                    found[area], sums, own, now, moved = name, tried, place, _modularity(tried), True
    return found


def _modularity(sums: Array) -> float:
    """Of groups' surpluses by provider, each provider in the group where it is largest."""
    return float(sums.max(axis=0).sum())
