"""A feed's records laid out to plant errors in: who may have an error, what a field holds, and what is put there.

A record gets one error at most, so that what is recorded as planted is all that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.random_draws import Booleans, Integers
from cbs_analysis.simulation.record_fields import (
    KEY_DIGITS,
    CodedText,
    FieldValues,
    Patients,
    Records,
    coded,
    key_characters,
    numbers,
    record_keys,
    stacked,
    take,
)

BATCHES = 4
NONE = -1


class EditableRecords:
    """Records that are edited in copies of the columns concerned: `records` holds them with, `before` without errors.

    `used` marks the records that have their error, or that the error of another depends on.
    """

    def __init__(self, patients: Patients, letter: str, records: Records, rng: np.random.Generator) -> None:
        self.patients, self.letter, self.rng = patients, letter, rng
        self.records = dict(records)
        self.before = records
        self.size = len(self.indexes("person_pseudonym"))
        self.used = np.zeros(self.size, dtype=bool)
        self._copied: set[str] = set()
        more = patients.scenario.world.errors.more_at
        weight = np.array([more.get(code, 1.0) for code in patients.scenario.providers.codes])
        self._weight = weight / weight.max()
        self._weighted_size = float(weight[self.indexes("provider_code")].sum())

    def indexes(self, field: str, rows: NDArray | slice = slice(None)) -> Integers:
        """Indexes of the words in a text field, before any error."""
        return coded(self.before, field).indexes[rows]

    def words(self, field: str) -> tuple[str, ...]:
        words = coded(self.before, field).words
        assert isinstance(words, tuple)
        return words

    def numbers(self, field: str, rows: NDArray | slice = slice(None)) -> Integers:
        """A field of numbers or days, before any error."""
        return numbers(self.before, field)[rows]

    def matches(self, field: str, rows: NDArray, condition: Callable[[str], bool]) -> Booleans:
        """Whether the word in a text field meets a condition; false where there is none."""
        words = np.array([*(condition(word) for word in self.words(field)), False])
        return words[self.indexes(field, rows)]

    def put(self, field: str, rows: NDArray, words: Sequence[str | None]) -> None:
        """Put one of these words, or nothing, at random into a text field."""
        text = coded({field: self._copy(field)}, field)
        known = [word for word in words if word is not None]
        text, indexes = text.with_words(known) if known else (text, np.zeros(0, dtype=np.int32))
        choice = np.concatenate([indexes, np.full(len(words) - len(known), NONE, dtype=np.int32)])
        text.indexes[rows] = choice[self.rng.integers(0, len(choice), len(rows))]
        self.records[field] = text

    def put_indexes(self, field: str, rows: NDArray, indexes: NDArray) -> None:
        coded({field: self._copy(field)}, field).indexes[rows] = indexes

    def put_numbers(self, field: str, rows: NDArray, values: NDArray | int) -> None:
        numbers({field: self._copy(field)}, field)[rows] = values

    def _copy(self, field: str) -> FieldValues:
        """The column of a field, which is copied before it is edited for the first time."""
        values = self.records[field]
        if field not in self._copied:
            self._copied.add(field)
            if isinstance(values, CodedText):
                values = CodedText(values.indexes.copy(), values.words)
            elif isinstance(values, np.ndarray):
                values = values.copy()
            self.records[field] = values
        return values

    def choose(self, share: float, fits: Callable[[EditableRecords, NDArray], Booleans]) -> NDArray:
        """Choose records for an error among those that fit and are not used: a share of each provider's, weighted by
        how many more errors it makes.
        """
        wanted = int(share * self._weighted_size + self.rng.random())
        chosen = np.zeros(0, dtype=np.int64)
        for _ in range(BATCHES):
            if len(chosen) >= wanted or not self.size:
                break
            tried = self.rng.integers(0, self.size, 6 * wanted + 50)
            chosen = _unique_in_order(np.concatenate([chosen, self._fitting(tried, fits)]))
        if len(chosen) < wanted and self.size:
            rest = self._fitting(self.rng.permutation(self.size), fits)
            chosen = _unique_in_order(np.concatenate([chosen, rest]))
        chosen = chosen[:wanted]
        self.used[chosen] = True
        return chosen

    def _fitting(self, rows: NDArray, fits: Callable[[EditableRecords, NDArray], Booleans]) -> NDArray:
        rows = rows[~self.used[rows]]
        rows = rows[self.rng.random(len(rows)) < self._weight[self.indexes("provider_code", rows)]]
        return rows[fits(self, rows)]

    def add_duplicates(self, share: float) -> NDArray[np.uint8]:
        """Add copies of records under keys of their own; returns those keys, as a table of bytes."""
        originals = self.choose(share, lambda _, rows: np.ones(len(rows), dtype=bool))
        copies = take(self.records, originals)
        provider = CodedText(self.indexes("provider_code", originals), self.words("provider_code"))
        keys = record_keys(provider, self.letter, self.patients.residents.code, first=self._next_number)
        copies["cds_unique_identifier"] = keys
        self.records = stacked(self.records, copies)
        return keys.characters

    @property
    def _next_number(self) -> int:
        """A number above that of every key, of which records withheld had some too."""
        digits = key_characters(self.before)[:, -KEY_DIGITS:] - ord("0")
        highest = digits.astype(np.int64) @ 10 ** np.arange(KEY_DIGITS - 1, -1, -1)
        return int(highest.max(initial=0)) + 1

    @cached_property
    def stay_before(self) -> NDArray[np.int64]:
        """The row of the same person's stay before each, -1 where there is none."""
        person = self.indexes("person_pseudonym")
        order = np.lexsort((self.numbers("discharge_date"), self.numbers("admission_date"), person))
        before = np.full(self.size, -1, dtype=np.int64)
        same = person[order[1:]] == person[order[:-1]]
        before[order[1:][same]] = order[:-1][same]
        return before

    @cached_property
    def stays_of_person(self) -> NDArray[np.int64]:
        """How many records each record's person has."""
        person = self.indexes("person_pseudonym")
        return np.bincount(person)[person]


def _unique_in_order(rows: NDArray) -> NDArray:
    """Rows in the order of their first appearance, each once."""
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]
