"""A feed's clean records laid out to plant errors in: who may be a victim, what stands in a field, what is put there.

A record gets one error at most, so that what is recorded as planted is all that is wrong with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cbs_analysis.simulation.random_draws import Flags, Ints
from cbs_analysis.simulation.record_fields import Fixed, Living, Records, Text, keys, stacked, take

BATCHES = 4
NOBODY = -1


class Sheet:
    """Records that are changed in copies of the columns concerned; `used` marks those that have their error, or that
    another's error rests on.
    """

    def __init__(self, living: Living, letter: str, records: Records, rng: np.random.Generator) -> None:
        self.living, self.letter, self.rng = living, letter, rng
        self.records = dict(records)
        self.before = records
        self.size = len(self.places("person_pseudonym"))
        self.used = np.zeros(self.size, dtype=bool)
        self._own: set[str] = set()
        more = living.setting.world.errors.more_at
        weight = np.array([more.get(code, 1.0) for code in living.setting.trusts.codes])
        self._weight = weight / weight.max()
        self._weighed = float(weight[self.places("provider_code")].sum())

    def places(self, field: str, rows: NDArray | slice = slice(None)) -> Ints:
        """Places of the words in a text field as it was before any error."""
        column = self.before[field]
        assert isinstance(column, Text)
        return column.places[rows]

    def words(self, field: str) -> tuple[str, ...]:
        column = self.before[field]
        assert isinstance(column, Text)
        assert isinstance(column.words, tuple)
        return column.words

    def numbers(self, field: str, rows: NDArray | slice = slice(None)) -> Ints:
        """A field of numbers or days as it was before any error."""
        column = self.before[field]
        assert isinstance(column, np.ndarray)
        return column[rows]

    def says(self, field: str, rows: NDArray, true_of: Callable[[str], bool]) -> Flags:
        """Whether something is true of the word in a text field; false where there is none."""
        words = np.array([*(true_of(word) for word in self.words(field)), False])
        return words[self.places(field, rows)]

    def put(self, field: str, rows: NDArray, words: Sequence[str | None]) -> None:
        """One of these words, or nothing, at random into a text field."""
        column = self._owned(field)
        assert isinstance(column, Text)
        known = [word for word in words if word is not None]
        column, places = column.with_words(known) if known else (column, np.zeros(0, dtype=np.int32))
        choice = np.concatenate([places, np.full(len(words) - len(known), NOBODY, dtype=np.int32)])
        column.places[rows] = choice[self.rng.integers(0, len(choice), len(rows))]
        self.records[field] = column

    def put_places(self, field: str, rows: NDArray, places: NDArray) -> None:
        column = self._owned(field)
        assert isinstance(column, Text)
        column.places[rows] = places

    def put_numbers(self, field: str, rows: NDArray, numbers: NDArray | int) -> None:
        column = self._owned(field)
        assert isinstance(column, np.ndarray)
        column[rows] = numbers

    def _owned(self, field: str) -> Text | Fixed | Ints:
        column = self.records[field]
        if field in self._own:
            return column
        self._own.add(field)
        if isinstance(column, Text):
            column = Text(column.places.copy(), column.words)
        elif isinstance(column, np.ndarray):
            column = column.copy()
        self.records[field] = column
        return column

    def victims(self, share: float, fits: Callable[[Sheet, NDArray], Flags]) -> NDArray:
        """Records to spoil: a share of each provider's, at some times that, among those that are unused and fit."""
        wanted = int(share * self._weighed + self.rng.random())
        found = np.zeros(0, dtype=np.int64)
        for _ in range(BATCHES):
            if len(found) >= wanted or not self.size:
                break
            tried = self.rng.integers(0, self.size, 6 * wanted + 50)
            found = _first_of_each(np.concatenate([found, self._willing(tried, fits)]))
        if len(found) < wanted and self.size:
            rest = self._willing(self.rng.permutation(self.size), fits)
            found = _first_of_each(np.concatenate([found, rest]))
        found = found[:wanted]
        self.used[found] = True
        return found

    def _willing(self, rows: NDArray, fits: Callable[[Sheet, NDArray], Flags]) -> NDArray:
        rows = rows[~self.used[rows]]
        rows = rows[self.rng.random(len(rows)) < self._weight[self.places("provider_code", rows)]]
        return rows[fits(self, rows)]

    def twins(self, share: float) -> NDArray[np.uint8]:
        """Add records that are others again under keys of their own; returns those keys."""
        originals = self.victims(share, lambda _, rows: np.ones(len(rows), dtype=bool))
        copies = take(self.records, originals)
        provider = Text(self.places("provider_code", originals), self.words("provider_code"))
        made = keys(provider, self.letter, self.living.place.code, first=self._numbers_from)
        copies["cds_unique_identifier"] = made
        self.records = stacked([self.records, copies])
        return made.characters

    @property
    def _numbers_from(self) -> int:
        """A number that no key has yet: records withheld had theirs."""
        column = self.before["cds_unique_identifier"]
        assert isinstance(column, Fixed)
        digits = column.characters[:, 7:] - ord("0")
        numbers = digits.astype(np.int64) @ 10 ** np.arange(digits.shape[1] - 1, -1, -1)
        return int(numbers.max(initial=0)) + 1

    @cached_property
    def stay_before(self) -> NDArray[np.int64]:
        """The record of the same person's stay before each, -1 where there is none."""
        person = self.places("person_pseudonym")
        order = np.lexsort((self.numbers("discharge_date"), self.numbers("admission_date"), person))
        before = np.full(self.size, -1, dtype=np.int64)
        same = person[order[1:]] == person[order[:-1]]
        before[order[1:][same]] = order[:-1][same]
        return before

    @cached_property
    def stays_of_person(self) -> NDArray[np.int64]:
        """How many records each record's person has."""
        person = self.places("person_pseudonym")
        return np.bincount(person)[person]


def _first_of_each(rows: NDArray) -> NDArray:
    """Rows in the order in which they first stand, each once."""
    _, first = np.unique(rows, return_index=True)
    return rows[np.sort(first)]
