"""Random numbers of the simulation: streams that depend on their names alone, and weighted choices by the million.

A stream is named by the world's seed and its purpose, such as an area and a feed. So what is drawn is the same
whatever else is made, in any order and by any number of processes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int32]
Booleans = NDArray[np.bool_]
HALF_BITS = 24
HALF_MASK = np.uint64((1 << HALF_BITS) - 1)
_PAIRS = np.frombuffer("".join(f"{byte:02x}" for byte in range(256)).encode(), dtype=np.uint8).reshape(256, 2)


def number_of(seed: int, *names: object) -> int:
    """An integer of 64 bits that depends on the seed and the names."""
    text = "\x1f".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def stream(seed: int, *names: object) -> np.random.Generator:
    """The stream of random numbers with this seed and these names."""
    return np.random.Generator(np.random.SFC64(number_of(seed, *names)))


@dataclass(frozen=True)
class Choices:
    """Items to choose from by weight, in one list for each key: `bounds` rises through the lists, by 1 in each."""

    bounds: Floats
    items: Integers

    @classmethod
    def of(cls, lists: Sequence[tuple[ArrayLike, ArrayLike]]) -> Choices:
        """One list for each key from 0: items and their weights. Nothing may be drawn from an empty list."""
        bounds, items = [], []
        for key, (listed, weights) in enumerate(lists):
            weight = np.asarray(weights, dtype=np.float64)
            if weight.size:
                bounds.append(key + np.minimum(np.cumsum(weight) / weight.sum(), 1.0))
                bounds[-1][-1] = key + 1.0
                items.append(np.asarray(listed, dtype=np.int32))
        return cls(np.concatenate(bounds), np.concatenate(items))

    @classmethod
    def of_table(cls, weights: Floats) -> Choices:
        """A list for each row of a table of weights; the items are its columns. A row without weight is left out."""
        columns = np.arange(weights.shape[1], dtype=np.int32)
        return cls.of([(columns[row > 0], row[row > 0]) for row in weights])

    def draw(self, rng: np.random.Generator, keys: NDArray) -> Integers:
        """One item for each key."""
        at = keys + rng.random(len(keys))
        return self.items[np.searchsorted(self.bounds, np.minimum(at, np.nextafter(keys + 1.0, 0.0)), side="right")]


def weighted(rng: np.random.Generator, weights: Mapping[str, float], size: int) -> tuple[Integers, list[str]]:
    """Places in a list of words drawn by weight, and the list."""
    bounds = np.cumsum(list(weights.values()))
    places = np.searchsorted(bounds / bounds[-1], rng.random(size), side="right")
    return np.minimum(places, len(bounds) - 1).astype(np.int32), list(weights)


def scaled(counts: NDArray, share: float) -> NDArray[np.int64]:
    """Counts times a share, as integers that add up to the total of the counts times the share."""
    upto: NDArray[np.int64] = np.rint(np.cumsum(counts) * share).astype(np.int64)
    upto[1:] -= upto[:-1].copy()
    return upto


def between(rng: np.random.Generator, low: int, high: int, size: int) -> Integers:
    """Integers from `low` to `high`, both included."""
    return rng.integers(low, high + 1, size=size, dtype=np.int32)


def logistic(values: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-values))


def shuffled_numbers(numbers: NDArray, key: int) -> NDArray[np.uint64]:
    """Numbers of 48 bits as other numbers of 48 bits, each different: a Feistel network of four keyed rounds.

    Source: Luby and Rackoff (1988); each round mixes as splitmix64 does.
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
    """Numbers of 48 bits as 12 lower case characters each, as a table of bytes."""
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    return _PAIRS[octets].reshape(len(numbers), 12)
