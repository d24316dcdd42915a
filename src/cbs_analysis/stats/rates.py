"""How many events for so many people? Crude rates with limits, for comparing areas of different size.

A crude rate takes no account of age or need: see `standardisation` for that.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.checks import as_numbers, labels_of, refuse
from cbs_analysis.stats.intervals import count_interval


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


def _over(events: ArrayLike, base: ArrayLike, per: float, confidence: float, base_name: str) -> pd.DataFrame:
    """Events and their limits, each over `base` and times `per`: shared by crude rates and standardised
    ratios.
    """
    index = _shared_index(events, base, base_name)
    labels = labels_of(events, base)
    count, below = np.broadcast_arrays(
        np.atleast_1d(as_numbers(events, "events")), np.atleast_1d(as_numbers(base, base_name))
    )
    refuse(count < 0, count, "events", "must not be negative", labels)
    refuse(below < 0, below, base_name, "must not be negative", labels)
    divisor = np.where(below > 0, below, np.nan) / per
    lower, upper = count_interval(count, confidence)
    columns = {"value": count / divisor, "lower": lower / divisor, "upper": upper / divisor}
    return pd.DataFrame(columns, index=index)


def _shared_index(events: ArrayLike, base: ArrayLike, base_name: str) -> pd.Index | None:
    indexes = [given.index for given in (events, base) if isinstance(given, pd.Series)]
    if len(indexes) == 2 and not indexes[0].equals(indexes[1]):
        raise ValueError(f"events and {base_name} are Series with different indexes; give both the same one")
    return indexes[0] if indexes else None
