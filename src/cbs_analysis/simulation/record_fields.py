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
from cbs_analysis.simulation.random_draws import Ints

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
