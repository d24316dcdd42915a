"""Who is most like us? The areas nearest in a few chosen features, each feature's part in it shown.

For anyone who compares areas: a neighbour on the map may have quite other people. It answers for the features it is
given and no others, so the features must be named wherever the answer is shown.
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from cbs_analysis.stats.checks import as_numbers, check_whole, refuse_repeated


def similar_areas(features: pd.DataFrame, area: Hashable, k: int = 10) -> pd.DataFrame:
    """The `k` areas nearest to `area` by standardised Euclidean distance, nearest first.

    `features` has a row an area, indexed by it, and a column a feature, in any units. Each feature is divided
    by its standard deviation (n - 1) over all rows, so that one counts as much as another. One row a similar
    area: `distance` (in standard deviations), then for each feature, under its name, the square of its
    standardised difference: these add up to the square of `distance`. Areas equally far keep their order in
    `features`. Fewer than `k` others give all of them.
    Raises ValueError where an area is there twice, `area` is not among them, `k` is not an integer from 1 on, a
    feature is missing for an area, or is the same for all of them.
    Source: `scipy.spatial.distance`, metric `seuclidean`.
    """
    check_whole(k, "k", 1)
    refuse_repeated(features.index, "features", "area")
    if area not in features.index:
        raise ValueError(f"{area} is not among the {len(features)} areas of features")
    if "distance" in features.columns:
        raise ValueError("features: a feature may not be called distance; give it another name")
    values = as_numbers(features, "features")
    for row, column in np.argwhere(np.isnan(values))[:1]:
        raise ValueError(f"features: {features.columns[column]} is missing for {features.index[row]}; leave one out")
    variance = values.var(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
    if (constant := np.ptp(values, axis=0) == 0).any():
        same = features.columns[int(np.argmax(constant))]
        raise ValueError(f"features: {same} is the same for all areas, so it says nothing of likeness; leave it out")
    own = values[features.index.get_loc(area)]
    parts = (values - own) ** 2 / variance
    distance = cdist(own[None, :], values, metric="seuclidean", V=variance)[0]
    found = pd.DataFrame(parts, index=features.index, columns=features.columns)
    found.insert(0, "distance", distance)
    return found.drop(index=area).sort_values("distance", kind="stable").head(k)
