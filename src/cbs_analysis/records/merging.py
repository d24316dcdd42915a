"""One provider's submitted rows against its records in the store: which are new, which take a record's place, which go.

A record is known by its key within its provider, whatever its month. Rows of a submission count in the order in which
they were sent, and the last of a key stands. A record in a closed month is not touched.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Flags = NDArray[np.bool_]
Numbers = NDArray[np.int64]

LOADED, REPLACED, NOT_THERE, RECORD_CLOSED = 0, 1, 2, 3
"""What became of a row: a new record; took a record's place, or took it away, or gave way to a later row; refused."""


@dataclass(frozen=True)
class Merged:
    """`became`: of each row, one of the four. `stands`: whether the row is in the store from here on. `kept`: of each
    record in the store, whether it stays. `removed`: records that the store has no longer, under any row.
    """

    became: NDArray[np.int8]
    stands: Flags
    kept: Flags
    removed: int


def merge(
    keys: pa.Array, months: NDArray[np.int32], deletes: Flags, old_keys: pa.Array, old_months: NDArray[np.int32],
    closed: Collection[int], bulk: bool,
) -> Merged:  # fmt: skip
    """What a submission's rows do to the records of one provider.

    `keys`, `months` and `deletes` have an entry a row, in order; `old_keys`, each once, and `old_months` an entry a
    record. In bulk, the records of a month that any row is of are replaced whole.
    """
    codes, old_codes = _numbered(keys, old_keys)
    size = int(max(codes.max(initial=-1), old_codes.max(initial=-1))) + 1
    in_store, is_closed = np.zeros(size, bool), np.zeros(size, bool)
    in_store[old_codes] = True
    if closed and len(old_codes):
        is_closed[old_codes[np.isin(old_months, list(closed))]] = True
    became, stands = _sequence(codes, deletes, in_store, is_closed[codes])
    touched = np.zeros(size, bool)
    touched[codes[became <= REPLACED]] = True
    kept = ~touched[old_codes]
    still = np.zeros(size, bool)
    still[codes[stands]] = True
    gone = in_store & touched & ~still
    removed = int(gone.sum())
    if bulk and len(old_codes):
        whole = np.isin(old_months, np.unique(months[became <= REPLACED]))
        removed += int((kept & whole).sum())
        kept &= ~whole
    return Merged(became, stands, kept, removed)


def _sequence(codes: Numbers, deletes: Flags, in_store: Flags, is_closed: Flags) -> tuple[NDArray[np.int8], Flags]:
    """What becomes of each row, row after row of one key."""
    became = np.full(len(codes), REPLACED, dtype=np.int8)
    became[is_closed] = RECORD_CLOSED
    stands = np.zeros(len(codes), bool)
    open_rows = np.flatnonzero(~is_closed)
    order = open_rows[np.argsort(codes[open_rows], kind="stable")]
    same = codes[order[1:]] == codes[order[:-1]]
    is_first = np.concatenate([[True], ~same])[: len(order)]
    is_last = np.concatenate([~same, [True]])[-len(order) :] if len(order) else is_first
    before = np.concatenate([[False], ~deletes[order[:-1]]])[: len(order)]
    is_there = np.where(is_first, in_store[codes[order]], before)
    became[order[deletes[order] & ~is_there]] = NOT_THERE
    last = order[is_last & ~deletes[order]]
    stands[last] = True
    became[last[~in_store[codes[last]]]] = LOADED
    return became, stands


def _numbered(keys: pa.Array, old_keys: pa.Array) -> tuple[Numbers, Numbers]:
    """Each key as a number, the same for the same key."""
    together = pa.concat_arrays([old_keys, keys]).dictionary_encode()
    numbers = together.indices.to_numpy().astype(np.int64)
    return numbers[len(old_keys) :], numbers[: len(old_keys)]


def by_month(months: NDArray[np.int32]) -> Mapping[int, Numbers]:
    """The places of each month's entries, in order."""
    if not len(months):
        return {}
    order = np.argsort(months, kind="stable")
    found, starts = np.unique(months[order], return_index=True)
    return {int(month): places for month, places in zip(found, np.split(order, starts[1:]), strict=True)}
