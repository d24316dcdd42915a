"""Which row belongs to which group? For the methods of this package that take a frame of many groups at once.

`Groups` numbers the groups of a frame in the order in which they first appear, adds up over them, turns the
rows of groups that all have the same bands into a matrix, and names the group where a value is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from cbs_analysis.stats.checks import NAMED_AT_MOST, Array, as_numbers, refuse_repeated

By = str | Sequence[str] | None
"""Column or columns that name a group; None where the whole frame is one."""


class Groups:
    """The groups of `frame` by the columns `by`: `codes` a row, `index` a group, both in order of appearance.

    Raises ValueError where a column is not there, or a row does not say which group it is of.
    """

    def __init__(self, frame: pd.DataFrame, by: By) -> None:
        names = [] if by is None else [by] if isinstance(by, str) else list(by)
        require_columns(frame, names)
        refuse_repeated(names, "by", "column")
        for name in names:
            if frame[name].isna().any():
                raise ValueError(f"{name}: row {int(np.argmax(frame[name].isna()))} is missing; each row needs a group")
        self.frame = frame
        self.codes: NDArray[np.intp]
        self.index: pd.Index
        if not names:
            self.codes, self.index = np.zeros(len(frame), dtype=np.intp), pd.RangeIndex(min(1, len(frame)))
        elif len(names) == 1:
            self.codes, keys = pd.factorize(frame[names[0]])
            self.index = pd.Index(keys, name=names[0])
        else:
            self.codes = frame.groupby(names, sort=False, observed=True).ngroup().to_numpy()
            first = np.unique(self.codes, return_index=True)[1]
            self.index = pd.MultiIndex.from_frame(frame[names].iloc[first])

    def __len__(self) -> int:
        return len(self.index)

    def column(self, name: str) -> Array:
        """A column of the frame as floats. Raises ValueError where it is not there or not of numbers."""
        require_columns(self.frame, [name])
        return as_numbers(self.frame[name], name)

    def by_band(self, given: str | ArrayLike | pd.Series, name: str, band: str | None = None) -> Array:
        """One float a row: a column of that name, a value a band in the order of each group's rows, or a
        Series by band where `band` is the frame's column of bands.
        """
        if isinstance(given, str):
            return self.column(given)
        if isinstance(given, pd.Series) and band is None and not given.index.equals(self.frame.index):
            raise ValueError(f"{name} is a Series by band; name the column of bands with band")
        if isinstance(given, pd.Series) and band is not None:
            bands = self.frame[band]
            refuse_repeated(given.index, name, band)
            if len(unused := given.index[~given.index.isin(bands)]) and len(bands):
                raise ValueError(f"{name}: no group has the {band} {unused[0]!r}; give only bands of the frame")
            self.refuse(~bands.isin(given.index).to_numpy(), bands.to_numpy(), band, f"must be a band of {name}")
            return as_numbers(bands.map(given), name)
        values = as_numbers(given, name)
        if isinstance(given, pd.Series) and values.shape == self.codes.shape:
            return values
        if values.ndim != 1:
            raise ValueError(f"{name} has {values.ndim} dimensions; give one value a band")
        sizes = self.sizes()
        wrong = sizes != len(values)
        if wrong.any():
            at = int(np.argmax(wrong))
            raise ValueError(f"{self.label(at)} has {sizes[at]} rows and {name} {len(values)} values; give one a row")
        place = np.empty(len(self.codes), dtype=np.intp)
        place[np.argsort(self.codes, kind="stable")] = np.tile(np.arange(len(values)), len(self))
        if band is not None:
            bands = self.frame[band].to_numpy()
            first = bands[np.flatnonzero(self.codes == 0)]
            self.refuse(bands != first[place], bands, band, f"must be in one order in all groups, as {name} is")
        return values[place]

    def sizes(self) -> NDArray[np.intp]:
        """Rows a group."""
        return np.bincount(self.codes, minlength=len(self))

    def has_any(self, wrong: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Whether `wrong`, one a row, is true in any row of each group."""
        return np.bincount(self.codes, weights=wrong, minlength=len(self)) > 0

    def total(self, values: Array) -> Array:
        """The sum of `values`, one a row, over each group."""
        return np.bincount(self.codes, weights=values, minlength=len(self)).astype(float)

    def matrix(self, order: ArrayLike) -> NDArray[np.intp]:
        """Row numbers as groups by bands, each group's rows sorted by `order`. Groups have equally many rows."""
        return np.lexsort((np.asarray(order), self.codes)).reshape(len(self), len(self.codes) // max(len(self), 1))

    def refuse_repeated(self, bands: pd.Series, name: str) -> None:
        """Raise ValueError naming the group in which a band stands twice."""
        repeated = pd.DataFrame({"group": self.codes, "band": bands.to_numpy()}).duplicated().to_numpy()
        self.refuse(repeated, bands.to_numpy(), name, "must stand once in a group")

    def different(self, bands: pd.Series) -> NDArray[np.intp]:
        """How many different bands each group has."""
        cells = pd.DataFrame({"group": self.codes, "band": bands.to_numpy()}).drop_duplicates()
        return np.bincount(cells["group"], minlength=len(self))

    def refuse(self, wrong: NDArray[np.bool_], values: ArrayLike, name: str, rule: str) -> None:
        """Raise ValueError naming the groups of the first rows where `wrong` is true; do nothing where none is."""
        if not np.any(wrong):
            return
        places = np.flatnonzero(wrong)
        shown = ", ".join(
            f"{self.label(int(self.codes[at]))} has {_plain(np.asarray(values)[at])}" for at in places[:NAMED_AT_MOST]
        )
        more = f" and {places.size - NAMED_AT_MOST} more" if places.size > NAMED_AT_MOST else ""
        raise ValueError(f"{name}: {shown}{more}; {name} {rule}")

    def label(self, group: int) -> str:
        """A group's name for an error."""
        if isinstance(self.index, pd.RangeIndex):
            return "the frame"
        key = self.index[group]
        return ", ".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


def require_columns(frame: pd.DataFrame, names: Sequence[str]) -> None:
    """Raise ValueError where `frame` is not a frame, has two columns of one name, or not all of `names`."""
    if not isinstance(frame, pd.DataFrame):
        raise ValueError(f"frame is a {type(frame).__name__}; it must be a pandas DataFrame")
    refuse_repeated(frame.columns, "frame", "column")
    missing = [name for name in names if name not in frame.columns]
    if missing:
        columns = ", ".join(str(name) for name in frame.columns)
        raise ValueError(f"no column {', '.join(map(str, missing))}; the frame has {columns}")


def reasons(*rules: tuple[NDArray[np.bool_] | np.bool_, str]) -> NDArray[np.object_]:
    """For each group the first reason that holds, in the order of the rules; empty where none does."""
    conditions, texts = zip(*rules, strict=True)
    return np.select([np.asarray(each) for each in conditions], texts, default="").astype(object)


def _plain(value: object) -> str:
    return f"{cast(float, value):g}" if isinstance(value, int | float | np.number) else str(value)
