"""Is there more of it here than among people like ours? Indirect standardisation, for comparing areas fairly.

Expected events are what an area would have if each of its age and sex groups had the reference rate. The
ratio of observed to expected is 1 where the area is as the reference.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from cbs_analysis.stats.checks import as_numbers, labels_of, refuse
from cbs_analysis.stats.rates import _over


def indirect_ratio(observed: ArrayLike, expected: ArrayLike, per: float = 1, confidence: float = 0.95) -> pd.DataFrame:
    """Observed over expected events, times `per` (100 for the usual standardised ratio), with its limits.

    `observed` and `expected` broadcast; Series must share an index. One row an element: columns `value`,
    `lower`, `upper`. The expected count is taken as known: all uncertainty is the observed count's (exact
    below 10 events, Byar from 10). Missing or zero expected gives NaN. Raises ValueError where either is
    negative.
    Source: Breslow and Day (1987), volume II, chapter 2.
    """
    return _over(observed, expected, per, confidence, "expected")


def indirect_rate(
    observed: ArrayLike,
    expected: ArrayLike,
    reference_rate: ArrayLike,
    per: float = 100_000,
    confidence: float = 0.95,
) -> pd.DataFrame:
    """Indirectly standardised rate: the ratio times the reference population's crude rate.

    `reference_rate` is events per person in the reference (not per 100,000). One row an element: columns
    `value`, `lower`, `upper`, in events per `per` people. Raises ValueError as `indirect_ratio`, and where
    the reference rate is negative.
    Source: Breslow and Day (1987), volume II, chapter 2.
    """
    rate = as_numbers(reference_rate, "reference_rate")
    refuse(rate < 0, rate, "reference_rate", "must not be negative", labels_of(reference_rate))
    ratio = indirect_ratio(observed, expected, per=1, confidence=confidence)
    return ratio.mul(np.broadcast_to(rate * per, (len(ratio),)), axis=0)
