"""Checks that every method makes of its input, so that an error says which element or group is wrong.

For the other modules of this package: `as_numbers` turns what a caller gave into floats and remembers the
labels, `refuse` raises a ValueError that names the first few offenders.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
NAMED_AT_MOST = 3


def as_numbers(values: ArrayLike | pd.Series | pd.DataFrame, name: str) -> Array:
    """`values` as floats, missing as NaN. Raises ValueError where one is not a number or is infinite."""
    try:
        if isinstance(values, pd.Series | pd.DataFrame):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
        else:
            numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        found = _not_a_number(values) or str(error)
        raise ValueError(f"{name}: {found}; every element must be a number or missing") from None
    refuse(np.isinf(numbers), numbers, name, "must be finite", labels_of(values))
    return numbers


def _not_a_number(values: object) -> str:
    """Which element of a series is no number, for an error; empty where that cannot be told."""
    if not isinstance(values, pd.Series):
        return ""
    for label, value in values.items():
        if pd.notna(value) and pd.isna(pd.to_numeric(value, errors="coerce")):
            return f"{label} is {value!r}"
    return ""


def labels_of(*candidates: object) -> Sequence[object] | None:
    """The labels of the first candidate that is a Series, or None: used to name a group in an error."""
    for candidate in candidates:
        if isinstance(candidate, pd.Series):
            return cast(Sequence[object], candidate.index)
    return None


def refuse(
    wrong: NDArray[np.bool_], values: Array, name: str, rule: str, labels: Sequence[object] | None = None
) -> None:
    """Raise ValueError naming the first elements where `wrong` is true; do nothing where none is."""
    if not np.any(wrong):
        return
    flat_wrong = np.atleast_1d(wrong).ravel()
    flat_values = np.atleast_1d(np.broadcast_to(values, wrong.shape)).ravel()
    places = np.flatnonzero(flat_wrong)
    named = labels is not None and len(labels) == flat_wrong.size
    shown = ", ".join(
        f"{labels[place] if named and labels is not None else f'element {place}'} is {flat_values[place]:g}"
        for place in places[:NAMED_AT_MOST]
    )
    more = f" and {places.size - NAMED_AT_MOST} more" if places.size > NAMED_AT_MOST else ""
    raise ValueError(f"{name}: {shown}{more}; {name} {rule}")


def shared_index(first: object, second: object, first_name: str, second_name: str) -> pd.Index | None:
    """The index of two inputs that are matched by position, or None where neither is a Series.

    Raises ValueError where both are and their indexes differ.
    """
    indexes = [given.index for given in (first, second) if isinstance(given, pd.Series)]
    if len(indexes) == 2 and not indexes[0].equals(indexes[1]):
        raise ValueError(f"{first_name} and {second_name} are Series with different indexes; give both the same one")
    return indexes[0] if indexes else None


def check_confidence(confidence: float, name: str = "confidence") -> float:
    """`confidence` as a float. Raises ValueError unless it lies between 0 and 1, both excluded."""
    if not 0 < confidence < 1:
        raise ValueError(f"{name} is {confidence}; it must lie between 0 and 1, such as 0.95")
    return float(confidence)
