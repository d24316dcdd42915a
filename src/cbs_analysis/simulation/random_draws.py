"""How a synthetic London draws: streams of random numbers that depend on names alone, and choices by the million.

A stream is told by the world's seed and what it is for, such as a PCT and a feed, so that what is drawn is the same
whatever else is made, in whichever order and by however many processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Ints = NDArray[np.int32]
Flags = NDArray[np.bool_]
HALF_BITS = 24
HALF_MASK = np.uint64((1 << HALF_BITS) - 1)
_PAIRS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)


def number_of(seed: int, *names: object) -> int:
    """A whole number of 64 bits that depends on the seed and the names."""
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, *names: object) -> np.random.Generator:
    """The stream of random numbers of this seed and these names."""
    return np.random.Generator(np.random.SFC64(number_of(seed, *names)))


@dataclass(frozen=True)
class Choices:
    """Things to choose from by weight, in one list for each key: `bounds` rises through the lists, by 1 in each."""

    bounds: Array
    items: Ints

    @classmethod
    def of(cls, lists: Sequence[tuple[ArrayLike, ArrayLike]]) -> Choices:
        """One list for each key from 0: the items and their weights. An empty list may never be drawn from."""
        bounds, items = [], []
        for key, (things, weights) in enumerate(lists):
            weight = np.asarray(weights, dtype=np.float64)
            if weight.size:
                bounds.append(key + np.minimum(np.cumsum(weight) / weight.sum(), 1.0))
                bounds[-1][-1] = key + 1.0
                items.append(np.asarray(things, dtype=np.int32))
        return cls(np.concatenate(bounds), np.concatenate(items))

    @classmethod
    def of_table(cls, weights: Array) -> Choices:
        """A list for each row of a table of weights; the items are its columns. A row of no weight is left out."""
        columns = np.arange(weights.shape[1], dtype=np.int32)
        return cls.of([(columns[row > 0], row[row > 0]) for row in weights])

    def draw(self, rng: np.random.Generator, keys: NDArray) -> Ints:
        """One item for each key."""
        at = keys + rng.random(len(keys))
        found = np.searchsorted(self.bounds, np.minimum(at, np.nextafter(keys + 1.0, 0.0)), side="right")
        return self.items[found]


def weighted(rng: np.random.Generator, weights: Mapping[str, float], size: int) -> tuple[Ints, list[str]]:
    """Places in a list of words drawn by weight, and the list."""
    bounds = np.cumsum(list(weights.values()))
    found = np.searchsorted(bounds / bounds[-1], rng.random(size), side="right")
    return np.minimum(found, len(bounds) - 1).astype(np.int32), list(weights)


def scaled(counts: NDArray, share: float) -> NDArray[np.int64]:
    """Counts times a share, in whole numbers whose total is that of the counts times the share."""
    upto: NDArray[np.int64] = np.rint(np.cumsum(counts) * share).astype(np.int64)
    upto[1:] -= upto[:-1].copy()
    return upto


def between(rng: np.random.Generator, low: int, high: int, size: int) -> Ints:
    """Whole numbers from `low` to `high`, both of them possible."""
    return rng.integers(low, high + 1, size=size, dtype=np.int32)


def logistic(values: Array) -> Array:
    return 1.0 / (1.0 + np.exp(-values))


def shuffled_numbers(numbers: NDArray, key: int) -> NDArray[np.uint64]:
    """Numbers of 48 bits turned into others, no two into the same: a Feistel network of four keyed rounds.

    Source: Luby and Rackoff (1988); the mixing of a round is that of splitmix64.
    """
    whole = numbers.astype(np.uint64)
    left, right = whole >> np.uint64(HALF_BITS), whole & HALF_MASK
    for turn in range(4):
        mixed = right + np.uint64(number_of(key, turn))
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        left, right = right, left ^ ((mixed >> np.uint64(29)) & HALF_MASK)
    return (left << np.uint64(HALF_BITS)) | right


def hexadecimal(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """Numbers of 48 bits as 12 lower case characters each, in a table of bytes."""
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    return _PAIRS[octets].reshape(len(numbers), 12)
