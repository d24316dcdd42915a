"""Records as columns: made and changed as arrays of numbers, and written as the fields of a feed.

Text of few values is held as places in a list of words, so that a million records are changed or written as fast as a
million numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from cbs_analysis.errors import UserError
from cbs_analysis.parameters import read_keys
from cbs_analysis.simulation.population import People, Place, age_on
from cbs_analysis.simulation.random_draws import (
    Choices,
    Flags,
    Ints,
    between,
    hexadecimal,
    number_of,
    shuffled_numbers,
    stream,
)
from cbs_analysis.simulation.scenario import Setting

MISSING = -(1 << 31)
MARK = {b"cbs:synthetic": b"true"}
DICTIONARY_BYTES = 1 << 24  # so that a PCT's pseudonyms, each in many records, are written once in a file


@dataclass(frozen=True)
class Text:
    """Words by their places in a list; -1 where there is none."""

    places: Ints
    words: tuple[str, ...] | pa.Array

    def with_words(self, words: Sequence[str]) -> tuple[Text, Ints]:
        """The same with these words in its list too, and where they stand there."""
        known = list(self.words)
        known += [word for word in dict.fromkeys(words) if word not in known]
        return replace(self, words=tuple(known)), np.array([known.index(word) for word in words], dtype=np.int32)


@dataclass(frozen=True)
class Fixed:
    """Words of the same length each, as a table of bytes."""

    characters: NDArray[np.uint8]


Column = Text | Fixed | Ints
Records = dict[str, Column]
"""Columns by the names of fields. Numbers and days are int32, MISSING where empty."""


def take(records: Records, rows: NDArray) -> Records:
    """These records, in this order."""
    return {name: _taken(column, rows) for name, column in records.items()}


def _taken(column: Column, rows: NDArray) -> Column:
    match column:
        case Text():
            return replace(column, places=column.places[rows])
        case Fixed():
            return Fixed(column.characters[rows])
        case _:
            return column[rows]


def stacked(parts: Sequence[Records]) -> Records:
    """Records one after another. Texts of one field have one list of words."""
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(columns: Sequence[Column]) -> Column:
    first = columns[0]
    if isinstance(first, Text):
        return replace(first, places=np.concatenate([each.places for each in columns if isinstance(each, Text)]))
    if isinstance(first, Fixed):
        return Fixed(np.concatenate([each.characters for each in columns if isinstance(each, Fixed)]))
    return np.concatenate([each for each in columns if isinstance(each, np.ndarray)])


def fields_of(params: Path, feed: str) -> tuple[tuple[str, str], ...]:
    """The fields of a feed and their types (text, integer, date), in order, from `params/feeds`."""
    name = f"feeds/{feed}.yml"
    try:
        return tuple((str(field["name"]), str(field["type"])) for field in read_keys(params, name)["fields"])
    except (KeyError, TypeError):
        raise UserError(f"params/{name}: must have `fields`, a list with a name and a type each") from None


def as_table(records: Records, fields: Sequence[tuple[str, str]]) -> pa.Table:
    """Records as a table of a feed's fields, in their order, marked as synthetic. Text is dictionary encoded."""
    arrays = [_array(records[name], kind) for name, kind in fields]
    table = pa.Table.from_arrays(arrays, names=[name for name, _ in fields])
    return table.replace_schema_metadata(MARK)


def _array(column: Column, kind: str) -> pa.Array:
    match column:
        case Text():
            words = column.words if isinstance(column.words, pa.Array) else pa.array(list(column.words), pa.string())
            places = column.places
            gone = places < 0
            indices = pa.array(places, pa.int32(), mask=gone if gone.any() else None)
            return pa.DictionaryArray.from_arrays(indices, words)
        case Fixed():
            return strings(column.characters)
        case _:
            gone = column == MISSING
            numbers = pa.array(column, pa.int32(), mask=gone if gone.any() else None)
            return numbers.view(pa.date32()) if kind == "date" else numbers


def strings(characters: NDArray[np.uint8]) -> pa.Array:
    """Text from a table of bytes, a row each."""
    rows, length = characters.shape
    offsets = np.arange(0, (rows + 1) * length, length, dtype=np.int32)
    content = np.ascontiguousarray(characters)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(content))


def keys(provider: Text, letter: str, pct: str, first: int = 1) -> Fixed:
    """The providers' own keys: provider, letter of the feed, PCT and a number that rises with the records."""
    size = len(provider.places)
    table = np.empty((size, 16), dtype=np.uint8)
    codes = np.frombuffer("".join(f"{word:3}" for word in provider.words).encode(), dtype=np.uint8).reshape(-1, 3)
    table[:, :3] = codes[provider.places]
    table[:, 3:7] = np.frombuffer(f"{letter}{pct}".encode(), dtype=np.uint8)
    number = np.arange(first, first + size)
    for digit in range(15, 6, -1):
        number, rest = np.divmod(number, 10)
        table[:, digit] = rest + ord("0")
    return Fixed(table)


def write(table: pa.Table, path: Path) -> None:
    """A table as a Parquet file, the same bytes for the same table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    repeated = [field.name for field in table.schema if not pa.types.is_string(field.type)]
    pq.write_table(
        table, path, compression="zstd", compression_level=1, use_dictionary=repeated,
        dictionary_pagesize_limit=DICTIONARY_BYTES,
    )  # fmt: skip


PERSON_BITS = 24  # so many people of one PCT can be told apart
LATEST = (61, 150)  # days after the end of the month, of records that are late
LAST_DAYS = 3  # a month of a provider is sent on one day and the few after it


@dataclass(frozen=True)
class Living:
    """One PCT's people as records name them. `sent_after`: days after its end at which each provider sends a month,
    providers x months; `late` the share of its records that are late, by provider.
    """

    setting: Setting
    place: Place
    people: People
    pseudonyms: pa.Array
    sites: Choices
    site_codes: tuple[str, ...]
    sent_after: NDArray[np.int32]
    late: NDArray[np.float64]


def living(setting: Setting, code: str, people: People, seed: int) -> Living:
    """The people of a PCT with what records need beside them. A pseudonym depends on the seed, the PCT and the
    person's place in it, and is nobody else's.
    """
    numbers = np.arange(len(people), dtype=np.uint64) + np.uint64(setting.pcts.index(code) << PERSON_BITS)
    pseudonyms = strings(hexadecimal(shuffled_numbers(numbers, number_of(seed, "pseudonyms"))))
    trusts, submission = setting.trusts, setting.world.submission
    first, last = submission.from_to
    days = stream(seed, "submission").integers(
        first, last + 1 - LAST_DAYS, size=(len(trusts.codes), len(setting.months.names)), dtype=np.int32
    )
    return Living(
        setting, setting.places[code], people, pseudonyms, trusts.site_choices(), site_codes(setting), days,
        np.array([submission.late_share_at.get(each, submission.late_share) for each in trusts.codes]),
    )  # fmt: skip


def site_codes(setting: Setting) -> tuple[str, ...]:
    """Codes of sites, three for each provider whether it has them or not."""
    return tuple(f"{code}{number:02d}" for code in setting.trusts.codes for number in (1, 2, 3))


def about_people(
    living: Living, person: Ints, provider: Ints, day: NDArray, rng: np.random.Generator, age_field: str
) -> Records:
    """The fields of people and provider, of each record's person and provider on a day."""
    people, place = living.people, living.place
    site = provider * 3 + living.sites.draw(rng, provider)
    return {
        "person_pseudonym": Text(person.astype(np.int32), living.pseudonyms),
        "commissioner_code": Text(np.zeros(len(person), dtype=np.int32), (place.code,)),
        "gp_practice_code": Text(people.practice[person], place.practices),
        "lsoa_code": Text(people.lsoa[person], place.lsoa_codes),
        "provider_code": Text(provider.astype(np.int32), living.setting.trusts.codes),
        "site_code": Text(site.astype(np.int32), living.site_codes),
        age_field: age_on(day, people.born[person]),
        "person_gender_code": Text((people.sex[person] - 1).astype(np.int32), ("1", "2")),
    }


def sent(living: Living, provider: Ints, day: NDArray, rng: np.random.Generator) -> Ints:
    """The day on which each record was sent, by its provider and the month of its day."""
    months = living.setting.months
    month = months.of(day)
    size = len(provider)
    late: Flags = rng.random(size) < living.late[provider]
    usual = living.sent_after[provider, month] + between(rng, 0, LAST_DAYS, size)
    after = np.where(late, between(rng, *LATEST, size), usual)
    return (months.starts[month + 1] - 1 + after).astype(np.int32)
