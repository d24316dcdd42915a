"""Records as columns of fields: how they are held and written, and the fields of patient and provider in every feed.

Text of few values is held as indexes of a list of words, so that a million records are changed or written as fast as a
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
from cbs_analysis.simulation.population import People, ResidentPopulation, age_on
from cbs_analysis.simulation.random_draws import (
    Booleans,
    Choices,
    Integers,
    between,
    hexadecimal,
    number_of,
    shuffled_numbers,
    stream,
)
from cbs_analysis.simulation.scenario import Scenario

MISSING = -(1 << 31)
MARK = {b"cbs:synthetic": b"true"}
DICTIONARY_BYTES = 1 << 24  # so that pseudonyms, each in many records, are written once in a file
KEY_DIGITS = 9
PERSON_BITS = 24  # of a pseudonym's number, for the person within an area
LATEST = (61, 150)  # days after the end of the month, of records that are late
LAST_DAYS = 3  # a provider sends a month's records on one day and the few after it


@dataclass(frozen=True)
class CodedText:
    """Words by their indexes in a list; -1 where there is none."""

    indexes: Integers
    words: tuple[str, ...] | pa.Array

    def with_words(self, words: Sequence[str]) -> tuple[CodedText, Integers]:
        """The same with these words added to its list, and their indexes."""
        known = list(self.words)
        known += [word for word in dict.fromkeys(words) if word not in known]
        return replace(self, words=tuple(known)), np.array([known.index(word) for word in words], dtype=np.int32)


@dataclass(frozen=True)
class FixedText:
    """Words of one length, as a table of bytes."""

    characters: NDArray[np.uint8]


FieldValues = CodedText | FixedText | Integers
Records = dict[str, FieldValues]
"""Columns by the names of fields. Numbers and days are int32, MISSING where empty."""


def take(records: Records, rows: NDArray) -> Records:
    """These records, in this order."""
    return {name: _taken(values, rows) for name, values in records.items()}


def _taken(values: FieldValues, rows: NDArray) -> FieldValues:
    match values:
        case CodedText():
            return replace(values, indexes=values.indexes[rows])
        case FixedText():
            return FixedText(values.characters[rows])
        case _:
            return values[rows]


def stacked(first: Records, second: Records) -> Records:
    """Records one after the other. Both have the same list of words for a text field."""
    return {name: _joined(values, second[name]) for name, values in first.items()}


def _joined(first: FieldValues, second: FieldValues) -> FieldValues:
    match first, second:
        case CodedText(), CodedText():
            return replace(first, indexes=np.concatenate([first.indexes, second.indexes]))
        case FixedText(), FixedText():
            return FixedText(np.concatenate([first.characters, second.characters]))
        case np.ndarray(), np.ndarray():
            return np.concatenate([first, second])
    raise TypeError(f"{type(first).__name__} and {type(second).__name__} are not of one field")


def coded(records: Records, field: str) -> CodedText:
    """A text field."""
    values = records[field]
    assert isinstance(values, CodedText)
    return values


def numbers(records: Records, field: str) -> Integers:
    """A field of numbers or days."""
    values = records[field]
    assert isinstance(values, np.ndarray)
    return values


def key_characters(records: Records) -> NDArray[np.uint8]:
    """The records' keys, as a table of bytes."""
    values = records["cds_unique_identifier"]
    assert isinstance(values, FixedText)
    return values.characters


def fields_of(params: Path, feed: str) -> tuple[tuple[str, str], ...]:
    """The fields of a feed and their types (text, integer, date), in order, from `params/feeds`."""
    name = f"feeds/{feed}.yml"
    try:
        return tuple((str(field["name"]), str(field["type"])) for field in read_keys(params, name)["fields"])
    except (KeyError, TypeError):
        raise UserError(f"params/{name}: must have `fields`, a list with a name and a type each") from None


def as_table(records: Records, fields: Sequence[tuple[str, str]]) -> pa.Table:
    """Records as a table of a feed's fields, in their order, marked as simulated. Text is dictionary encoded."""
    arrays = [_array(records[name], kind) for name, kind in fields]
    table = pa.Table.from_arrays(arrays, names=[name for name, _ in fields])
    return table.replace_schema_metadata(MARK)


def _array(values: FieldValues, kind: str) -> pa.Array:
    match values:
        case CodedText():
            words = values.words if isinstance(values.words, pa.Array) else pa.array(list(values.words), pa.string())
            return pa.DictionaryArray.from_arrays(_masked(values.indexes, values.indexes < 0), words)
        case FixedText():
            return strings(values.characters)
        case _:
            array = _masked(values, values == MISSING)
            return array.view(pa.date32()) if kind == "date" else array


def _masked(values: Integers, is_empty: Booleans) -> pa.Array:
    return pa.array(values, pa.int32(), mask=is_empty if is_empty.any() else None)


def strings(characters: NDArray[np.uint8]) -> pa.Array:
    """Text from a table of bytes, a row each."""
    rows, length = characters.shape
    offsets = np.arange(0, (rows + 1) * length, length, dtype=np.int32)
    content = np.ascontiguousarray(characters)
    return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(content))


def record_keys(provider: CodedText, letter: str, area: str, first: int = 1) -> FixedText:
    """The providers' own keys of records: provider, letter of the feed, area and a number that rises with the rows."""
    width = max(map(len, provider.words))
    start = np.frombuffer("".join(f"{word:_<{width}}" for word in provider.words).encode(), dtype=np.uint8)
    middle = np.frombuffer(f"{letter}{area}".encode(), dtype=np.uint8)
    size = len(provider.indexes)
    table = np.empty((size, width + len(middle) + KEY_DIGITS), dtype=np.uint8)
    table[:, :width] = start.reshape(-1, width)[provider.indexes]
    table[:, width:-KEY_DIGITS] = middle
    number = np.arange(first, first + size)
    for digit in range(1, KEY_DIGITS + 1):
        number, rest = np.divmod(number, 10)
        table[:, -digit] = rest + ord("0")
    return FixedText(table)


def write(table: pa.Table, path: Path) -> None:
    """A table as a Parquet file, the same bytes for the same table."""
    path.parent.mkdir(parents=True, exist_ok=True)
    repeated = [field.name for field in table.schema if not pa.types.is_string(field.type)]
    pq.write_table(
        table, path, compression="zstd", compression_level=1, use_dictionary=repeated,
        dictionary_pagesize_limit=DICTIONARY_BYTES,
    )  # fmt: skip


@dataclass(frozen=True)
class Patients:
    """The people of one area as its records identify them. `sent_after`: days after its end on which each provider
    sends a month, providers x months; `late`: the share of each provider's records that are late.
    """

    scenario: Scenario
    residents: ResidentPopulation
    people: People
    pseudonyms: pa.Array
    sites: Choices
    site_codes: tuple[str, ...]
    sent_after: NDArray[np.int32]
    late: NDArray[np.float64]


def patients_of(scenario: Scenario, code: str, people: People, seed: int) -> Patients:
    """The people of an area as its records identify them. A pseudonym depends on the seed, the area and the person's
    row, and no two people of any area share one.
    """
    row = np.arange(len(people), dtype=np.uint64) + np.uint64(scenario.known_areas.index(code) << PERSON_BITS)
    pseudonyms = strings(hexadecimal(shuffled_numbers(row, number_of(seed, "pseudonyms"))))
    providers, submission = scenario.providers, scenario.world.submission
    first, last = submission.from_to
    days = stream(seed, "submission").integers(
        first, last + 1 - LAST_DAYS, size=(len(providers.codes), len(scenario.months.names)), dtype=np.int32
    )
    return Patients(
        scenario, scenario.residents[code], people, pseudonyms, providers.site_choices(),
        tuple(f"{provider}{number:02d}" for provider in providers.codes for number in (1, 2, 3)), days,
        np.array([submission.late_share_at.get(each, submission.late_share) for each in providers.codes]),
    )  # fmt: skip


def shared_fields(
    patients: Patients, person: Integers, provider: Integers, day: NDArray, rng: np.random.Generator, age_field: str
) -> Records:
    """The fields of patient and provider, of each record's person and provider on a day."""
    people, residents = patients.people, patients.residents
    site = provider * 3 + patients.sites.draw(rng, provider)
    return {
        "person_pseudonym": CodedText(person.astype(np.int32), patients.pseudonyms),
        "commissioner_code": CodedText(np.zeros(len(person), dtype=np.int32), (residents.code,)),
        "gp_practice_code": CodedText(people.practice[person], residents.practices),
        "lsoa_code": CodedText(people.small_area[person], residents.small_area_codes),
        "provider_code": CodedText(provider.astype(np.int32), patients.scenario.providers.codes),
        "site_code": CodedText(site.astype(np.int32), patients.site_codes),
        age_field: age_on(day, people.born[person]),
        "person_gender_code": CodedText((people.sex[person] - 1).astype(np.int32), ("1", "2")),
    }


def submission_days(patients: Patients, provider: Integers, day: NDArray, rng: np.random.Generator) -> Integers:
    """The day on which each record was sent, by its provider and the month of its day."""
    months = patients.scenario.months
    month = months.of(day)
    size = len(provider)
    late: Booleans = rng.random(size) < patients.late[provider]
    usual = patients.sent_after[provider, month] + between(rng, 0, LAST_DAYS, size)
    after = np.where(late, between(rng, *LATEST, size), usual)
    return (months.starts[month + 1] - 1 + after).astype(np.int32)
