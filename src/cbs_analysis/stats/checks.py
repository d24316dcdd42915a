"""Checks that every method makes of its arguments, so that an error names the argument, its value and what is right.

For the other modules of this package. Arrays: `as_numbers` (any shape), `one_dimension`, `broadcast`, and `refuse`,
which names the first wrong elements. Single arguments: `check_number`, `check_whole`, `check_confidence`,
`check_choice` and `check_positions`. `exceeds` compares with a tolerance, so that rounding in the last digits decides
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
NAMED_AT_MOST = 3
ULPS = 8
"""Units in the last place by which two numbers may differ and still be equal: sums of a few rounded numbers do."""


def as_numbers(values: ArrayLike | pd.Series | pd.DataFrame, name: str) -> Array:
    """`values` as floats, missing as NaN. Raises ValueError where one is not a number or is infinite, or
    where a frame has two columns of one name.
    """
    if isinstance(values, pd.DataFrame):
        refuse_repeated(values.columns, name, "column")
    dtypes = values.dtypes if isinstance(values, pd.DataFrame) else [getattr(values, "dtype", None)]
    if any(getattr(dtype, "kind", "") in ("m", "M") for dtype in dtypes):
        raise ValueError(f"{name}: has dates; every element must be a number or missing")
    try:
        if isinstance(values, pd.Series | pd.DataFrame):
            numbers = values.to_numpy(dtype=float, na_value=np.nan)
        else:
            numbers = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        problem = _not_a_number(values) or str(error)
        raise ValueError(f"{name}: {problem}; every element must be a number or missing") from None
    refuse(np.isinf(numbers), numbers, name, "must be finite", labels_of(values))
    return numbers


def _not_a_number(values: object) -> str:
    """Which element of a series is not a number, for an error; empty where that cannot be told."""
    if not isinstance(values, pd.Series):
        return ""
    for label, value in values.items():
        if pd.notna(value) and pd.isna(pd.to_numeric(value, errors="coerce")):
            return f"{label} is {value!r}"
    return ""


def one_dimension(values: ArrayLike | pd.Series, name: str) -> Array:
    """`values` as floats in one dimension; one number is a list of one. Raises ValueError where there are more."""
    numbers = np.atleast_1d(as_numbers(values, name))
    if numbers.ndim != 1:
        raise ValueError(f"{name} has {numbers.ndim} dimensions; it must have one")
    return numbers


def broadcast(*arrays: Array, names: Sequence[str]) -> tuple[Array, ...]:
    """`arrays` in one shape. Raises ValueError naming them where their shapes do not fit."""
    try:
        return tuple(np.broadcast_arrays(*arrays))
    except ValueError:
        shapes = ", ".join(f"{name} has shape {each.shape}" for name, each in zip(names, arrays, strict=True))
        raise ValueError(f"{shapes}; give as many of each, or one for all") from None


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


def refuse_repeated(labels: Iterable[object], name: str, what: str) -> None:
    """Raise ValueError naming the first label that is there twice."""
    index = pd.Index(labels)
    if not index.is_unique:
        raise ValueError(f"{name}: {what} {index[index.duplicated()][0]!r} is there twice; give each {what} once")


def exceeds(values: ArrayLike, bound: ArrayLike) -> NDArray[np.bool_]:
    """Where `values` is above `bound` by more than rounding; false where either is missing."""
    high, low = np.asarray(values, dtype=float), np.asarray(bound, dtype=float)
    with np.errstate(invalid="ignore"):
        return np.asarray(high - low > rounding(high, low))


def rounding(*values: ArrayLike) -> Array:
    """How far numbers of this size may be apart by rounding alone."""
    sizes = [np.abs(np.asarray(each, dtype=float)) for each in values]
    return np.asarray(ULPS * np.finfo(float).eps * np.maximum.reduce(np.broadcast_arrays(*sizes)))


def check_number(
    value: float, name: str, *, above: float | None = None, least: float | None = None, most: float | None = None
) -> float:
    """`value` as a float. Raises ValueError unless it is one finite number, above `above` or from `least` to `most`."""
    rule = "a number"
    if above is not None:
        rule += f" above {above:g}"
    elif least is not None:
        rule += f" from {least:g} to {most:g}" if most is not None else f" of at least {least:g}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real) or not np.isfinite(value):
        raise ValueError(f"{name} is {value!r}; it must be {rule}")
    number = float(value)
    is_outside = (
        (above is not None and number <= above)
        or (least is not None and number < least)
        or (most is not None and number > most)
    )
    if is_outside:
        raise ValueError(f"{name} is {number:g}; it must be {rule}")
    return number


def check_whole(value: int, name: str, least: int, most: int | None = None) -> int:
    """`value` as an int. Raises ValueError unless it is an integer from `least` to `most`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral):
        raise ValueError(f"{name} is {value!r}; it must be an integer")
    if value < least or (most is not None and value > most):
        rule = f"at least {least:,}" if most is None else f"from {least:,} to {most:,}"
        raise ValueError(f"{name} is {value}; it must be {rule}")
    return int(value)


def check_choice(value: object, name: str, choices: Sequence[object]) -> None:
    """Raise ValueError unless `value` is one of `choices`."""
    if not any(value is each or (isinstance(value, str) and value == each) for each in choices):
        raise ValueError(f"{name} is {value!r}; it must be {' or '.join(repr(each) for each in choices)}")


def check_positions(positions: Iterable[int], name: str, length: int) -> tuple[int, ...]:
    """Positions inside a series of `length` points, in order, each once. Raises ValueError naming the first that is not
    an integer from 1 to `length` - 1.
    """
    given = list(positions)
    for at in given:
        if isinstance(at, bool | np.bool_) or not isinstance(at, Integral) or not 0 < at < length:
            raise ValueError(f"{name}: {at} is not a position inside a series of {length} points")
    return tuple(sorted({int(at) for at in given}))


def check_confidence(confidence: float, name: str = "confidence") -> float:
    """`confidence` as a float. Raises ValueError unless it is between 0 and 1, both excluded."""
    if isinstance(confidence, bool) or not isinstance(confidence, Real) or not 0 < confidence < 1:
        raise ValueError(f"{name} is {confidence!r}; it must be between 0 and 1, such as 0.95")
    return float(confidence)
