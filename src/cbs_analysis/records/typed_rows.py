"""From values as they stand in a file to the values of a feed: whole numbers, days, codes no longer than they may be.

A row with a value that cannot be read is refused, with the first such field, the value and what would be right. Codes
are held as places in a list of words, so that a million rows are read as fast as their distinct words.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from cbs_analysis.errors import UserError
from cbs_analysis.records.feeds import ACTION, ACTIONS, FeedField, RecordFeed, day, like, whole_number
from cbs_analysis.records.quarantine import RefusedRow
from cbs_analysis.records.submitted_files import LONGEST_CODE, RowBatch, as_text

MONTH, FILE_ID, ROW_NUMBER, IS_DELETE = "month", "file_id", "row_number", "is_delete"
CODE = pa.dictionary(pa.int32(), pa.string())
NO_MONTH = -(1 << 31)
LONGEST_SHOWN = 60
LARGEST = (1 << 31) - 1
WANTED = {"integer": "whole numbers", "date": "days"}

Mask = NDArray[np.bool_]


def month_name(month: int) -> str:
    """A month, counted from January 1970, as text: YYYY-MM."""
    year, number = divmod(month + 1970 * 12, 12)
    return f"{year:04d}-{number + 1:02d}"


def month_number(name: str) -> int:
    """The month of a text YYYY-MM, counted from January 1970."""
    return (int(name[:4]) - 1970) * 12 + int(name[5:]) - 1


def typed(
    lot: RowBatch, feed: RecordFeed, closed: Collection[str], file_id: int, where: str
) -> tuple[pa.Table, list[RefusedRow]]:
    """The rows of a lot that can be read, and those that cannot.

    The table has the feed's fields in order (text of up to 9 characters as dictionaries), then month (int32, months
    since January 1970), file_id (int32), row_number (int64) and is_delete (bool). Rows of a month that is closed are
    refused. Raises UserError, which begins with `where`, for a column of a type that no value of the field can have.
    """
    reader = _Reader(lot, feed, where)
    deletes = reader.deletes()
    columns = [reader.column(field, deletes) for field in feed.fields]
    months = reader.months(columns, deletes, closed)
    size = len(lot.numbers)
    table = pa.Table.from_arrays(
        [
            *columns,
            pa.array(months),
            pa.array(np.full(size, file_id, np.int32)),
            pa.array(lot.numbers),
            pa.array(deletes),
        ],
        names=[*feed.by_name, MONTH, FILE_ID, ROW_NUMBER, IS_DELETE],
    )
    refused = reader.refused()
    return (table.filter(pa.array(reader.first < 0)) if refused else table), refused


class _Reader:
    """Reads the columns of one lot, and keeps the first fault of each row."""

    def __init__(self, lot: RowBatch, feed: RecordFeed, where: str) -> None:
        self.lot, self.feed, self.where = lot, feed, where
        self.size = len(lot.numbers)
        self.first = np.full(self.size, -1, dtype=np.int32)
        self.faults: list[tuple[str, Callable[[int], str]]] = []
        self.names = {column.field: column.name for column in feed.columns}
        self.values = {column.field: column.values for column in feed.columns if column.values}

    def deletes(self) -> Mask:
        """Whether each row takes a record away, where a net change says so."""
        given = self.lot.columns.get(ACTION)
        if given is None:
            constant = self.feed.constants.get(ACTION)
            return np.full(self.size, constant == "delete")
        words = self._text(given)
        places = {action: place for place, action in enumerate(ACTIONS)}
        found, bad = _by_word(words, lambda word: places.get(word.lower()), pa.int8())
        wanted = f"expected one of {', '.join(ACTIONS)}"
        self._fault(bad | _is_null(words), f"{ACTION}: no action", ACTION, given, wanted)
        return _numbers(found, -1) == places["delete"]

    def column(self, field: FeedField, deletes: Mask) -> pa.Array:
        """The values of one field. A row that takes a record away needs only the fields that name the record."""
        given = self.lot.columns.get(field.name)
        if given is None:
            constant = self.feed.constants.get(field.name)
            given = pa.nulls(self.size, pa.string()) if constant is None else pa.repeat(constant, self.size)
        values = {"text": self._texts, "integer": self._integers, "date": self._days}[field.type](field, given)
        if field.required and values.null_count:
            needed = np.ones(self.size, bool) if field.name in self.feed.keys else ~deletes
            empty = _is_null(values) & needed
            self._fault(empty, f"{field.name}: empty", field.name, None, "is empty; a value is required")
        return values

    def months(self, columns: list[pa.Array], deletes: Mask, closed: Collection[str]) -> NDArray[np.int32]:
        of = self.feed.month_of
        if of is None:
            return np.full(self.size, NO_MONTH, dtype=np.int32)
        days = columns[list(self.feed.by_name).index(of)]
        found = _numbers(days.cast(pa.int32()), 0).astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)
        found[_is_null(days)] = NO_MONTH
        if closed:
            late = np.isin(found, [month_number(name) for name in closed]) & ~deletes
            self._add(
                late,
                "month closed",
                lambda at: f"{of}: {month_name(int(found[at]))} is closed; its records stay as they are",
            )
        return found

    def refused(self) -> list[RefusedRow]:
        found = []
        for at in np.flatnonzero(self.first >= 0).tolist():
            reason, detail = self.faults[self.first[at]]
            found.append(RefusedRow(int(self.lot.numbers[at]), reason, detail(at), self.lot.raw(at)))
        return found

    def _texts(self, field: FeedField, given: pa.Array) -> pa.Array:
        is_code = (field.longest or LARGEST) <= LONGEST_CODE
        array = self._text(given, field.name, is_code)
        if field.longest is not None:
            words = array.dictionary if is_code else array
            too_long = _flags(pc.greater(pc.utf8_length(words), field.longest))
            if too_long.any():
                rows = too_long[_places(array)] & ~_is_null(array) if is_code else too_long
                wanted = f"expected at most {field.longest} characters"
                self._fault(rows, f"{field.name}: too long", field.name, given, wanted)
        return array

    def _text(self, given: pa.Array, name: str = ACTION, is_code: bool = True) -> pa.Array:
        """Text without the blanks around it, what it stands for, and null where nothing is left."""
        self._check_type(given, name, "text", _is_text(given))
        array = given if given.type == CODE else given.cast(pa.string())
        meanings = self.values.get(name, {})
        if pa.types.is_dictionary(array.type) and not (is_code or meanings):
            array = array.cast(pa.string())
        elif (is_code or meanings) and not pa.types.is_dictionary(array.type):
            array = array.dictionary_encode()
        words = array.dictionary if pa.types.is_dictionary(array.type) else array
        cleaned = _cleaned(words, meanings)
        if words is array:
            array = cleaned
        elif not cleaned.equals(words):
            array = cleaned.take(array.indices)
        if is_code == pa.types.is_dictionary(array.type):
            return array
        return array.dictionary_encode() if is_code else array.cast(pa.string())

    def _integers(self, field: FeedField, given: pa.Array) -> pa.Array:
        if pa.types.is_integer(given.type) and given.type.bit_width < 32:
            return given.cast(pa.int32())
        if pa.types.is_integer(given.type) or pa.types.is_floating(given.type):
            numbers = _doubles(given)
            with np.errstate(invalid="ignore"):
                bad = ~np.isnan(numbers) & ((numbers != np.floor(numbers)) | (np.abs(numbers) > LARGEST))
            kept = np.isnan(numbers) | bad
            self._fault(bad, f"{field.name}: not a whole number", field.name, given, "expected an integer")
            return pa.array(np.where(kept, 0, numbers).astype(np.int32), mask=kept)
        self._check_type(given, field.name, "integer", _is_text(given))
        found, bad = _by_word(self._text(given, field.name), whole_number, pa.int32())
        self._fault(bad, f"{field.name}: not a whole number", field.name, given, "expected an integer")
        return found

    def _days(self, field: FeedField, given: pa.Array) -> pa.Array:
        if pa.types.is_date(given.type) or pa.types.is_timestamp(given.type):
            found = given.cast(pa.date32(), safe=False)
            has_time = _flags(pc.not_equal(found.cast(given.type, safe=False), given))
            reason = f"{field.name}: not a day"
            self._fault(has_time, reason, field.name, given, "expected a day without a time")
            self._fault(_beyond_calendar(found), reason, field.name, given, "expected a day of a year from 1 to 9999")
            return found
        self._check_type(given, field.name, "date", _is_text(given))
        formats = self.feed.dates
        found, bad = _by_word(self._text(given, field.name), lambda word: day(word, formats), pa.date32())
        self._fault(bad, f"{field.name}: not a day", field.name, given, f"expected a date like {like(formats)}")
        return found

    def _check_type(self, given: pa.Array, name: str, wanted: str, is_right: bool) -> None:
        if not is_right:
            held = f"{WANTED.get(wanted, wanted)} or text" if wanted != "text" else "text"
            shown = self.names.get(name, name)
            raise UserError(f"{self.where}: column {shown!r} is of type {given.type}; expected {held} for {name}")

    def _fault(self, rows: Mask, reason: str, name: str, given: pa.Array | None, wanted: str) -> None:
        column = self.names.get(name, name)
        shown = name if column == name else f"{column} ({name})"
        if given is None:
            self._add(rows, reason, lambda at: f"{shown} {wanted}")
        else:
            self._add(rows, reason, lambda at: f"{shown} is {_shown(given[at])}; {wanted}")

    def _add(self, rows: Mask, reason: str, detail: Callable[[int], str]) -> None:
        if rows.any():
            self.first[rows & (self.first < 0)] = len(self.faults)
            self.faults.append((reason, detail))


def _by_word(array: pa.Array, parse: Callable[[str], Any], kind: pa.DataType) -> tuple[pa.Array, Mask]:
    """What each word stands for, and whether it stands for nothing."""
    words = array.dictionary.to_pylist()
    parsed = [None if word is None else parse(word) for word in words]
    bad = np.array([word is not None and value is None for word, value in zip(words, parsed, strict=True)], dtype=bool)
    found = pa.array(parsed, kind).take(array.indices)
    rows = bad[_places(array)] & ~_is_null(array) if bad.any() else np.zeros(len(array), bool)
    return found, rows


def _cleaned(words: pa.Array, meanings: Mapping[str, str]) -> pa.Array:
    trimmed = pc.utf8_trim_whitespace(words)
    if meanings:
        trimmed = pa.array([meanings.get(word, word) for word in trimmed.to_pylist()], pa.string())
    empty = pc.equal(trimmed, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), trimmed) if pc.any(empty).as_py() else trimmed


def _places(array: pa.DictionaryArray) -> NDArray[np.int32]:
    return _numbers(array.indices, 0)


def _numbers(array: pa.Array, empty: int) -> NDArray[Any]:
    return (array.fill_null(empty) if array.null_count else array).to_numpy(zero_copy_only=False)


def _doubles(array: pa.Array) -> NDArray[np.float64]:
    return array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def _flags(array: pa.Array) -> Mask:
    return (array.fill_null(False) if array.null_count else array).to_numpy(zero_copy_only=False)


def _is_null(array: pa.Array) -> Mask:
    if not array.null_count and not (pa.types.is_dictionary(array.type) and array.dictionary.null_count):
        return np.zeros(len(array), dtype=bool)
    return array.is_null().to_numpy(zero_copy_only=False)


def _beyond_calendar(days: pa.Array) -> Mask:
    numbers = _numbers(days.cast(pa.int32()), 0)
    return (numbers < -719_162) | (numbers > 2_932_896)


def _is_text(array: pa.Array) -> bool:
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    return kind in (pa.string(), pa.large_string(), pa.string_view(), pa.null())


def _shown(scalar: pa.Scalar) -> str:
    text = repr(as_text(scalar))
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
