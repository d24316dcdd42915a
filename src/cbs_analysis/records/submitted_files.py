"""The rows of a submitted file, CSV (perhaps compressed) or Parquet, as they stand there, of any size and any content.

A file whose columns are not those of its feed is refused whole, with one line that says what is wrong. A line that
cannot be split into values is refused alone: one line is one record, so that a quotation mark never closed costs one.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from cbs_analysis.errors import UserError
from cbs_analysis.records.feeds import FeedColumn, RecordFeed, check_no_other_header, columns_of
from cbs_analysis.records.quarantine import LONGEST_RAW, RefusedRow

LONGEST_LINE = 1_000_000
"""Bytes of a line that may be a record. A longer one is no record, and is not kept."""
CHUNK = 4 << 20
MOST_LINES = 32_768
"""Lines given at a time."""
GZIP = b"\x1f\x8b"
PARQUET = b"PAR1"
OTHER_KINDS = {
    b"PK\x03\x04": "a zip archive or a workbook; unpack it, or save it as CSV",
    b"\xff\xfe": "written in UTF-16; save it as CSV in UTF-8",
    b"\xfe\xff": "written in UTF-16; save it as CSV in UTF-8",
}


def kind_of(path: Path) -> Literal["csv", "gzip", "parquet"]:
    """What a file is, by its first bytes. Raises UserError where it cannot be read or is none of these."""
    try:
        with path.open("rb") as file:
            first = file.read(4)
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if not first:
        raise UserError(f"{path}: is empty; expected records of a feed, with a header")
    for mark, said in OTHER_KINDS.items():
        if first.startswith(mark):
            raise UserError(f"{path}: is {said}")
    if first == PARQUET:
        return "parquet"
    if path.suffix == ".parquet":
        raise UserError(f"{path}: is named as Parquet and is not; send it again, or name it as CSV")
    return "gzip" if first.startswith(GZIP) else "csv"


def digest_of(path: Path) -> str:
    """Of the file's bytes as they lie there."""
    digest = blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    return digest.hexdigest()


def lines_of(path: Path) -> Iterator[list[bytes]]:
    """The lines in order, without their line feeds, many at a time.

    Of a line longer than `LONGEST_LINE` the first `LONGEST_LINE` + 1 bytes are given. Raises UserError where
    the file is cut off or damaged, which is known only where it ends.
    """
    rest = b""
    for chunk in _chunks(path):
        parts = (rest + chunk).split(b"\n")
        rest = parts.pop()
        rest = rest[: LONGEST_LINE + 1]
        for start in range(0, len(parts), MOST_LINES):
            yield [part[: LONGEST_LINE + 1] for part in parts[start : start + MOST_LINES]]
    if rest:
        yield [rest]


def _chunks(path: Path) -> Iterator[bytes]:
    is_gzip = kind_of(path) == "gzip"
    sort = "compressed by gzip, and cut off or damaged" if is_gzip else "cannot be read"
    try:
        with gzip.GzipFile(path) if is_gzip else path.open("rb") as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise UserError(f"{path}: is {sort}; send it again") from None
    except OSError as error:
        raise UserError(f"{path}: {sort}: {error.strerror}") from None


BOM = b"\xef\xbb\xbf"
ROWS_A_LOT = 1 << 19
"""Rows of a Parquet file read at a time."""
LONGEST_CODE = 9
"""Characters of a text whose values come again and again, and are held as a list of words."""
SYNTHETIC = b"cbs:synthetic"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufeff]")
"""What belongs in no value: a byte order mark within a file is left where two files were put together."""


@dataclass(frozen=True)
class RowBatch:
    """Rows of a file: `columns` by the field that they fill, as Arrow arrays of one length; the line or row of each,
    from 1; what stood there, by place; and the lines that were refused.
    """

    columns: dict[str, pa.Array]
    numbers: NDArray[np.int64]
    raw: Callable[[int], str]
    refused: Sequence[RefusedRow] = ()

    @property
    def rows(self) -> int:
        return len(self.numbers) + len(self.refused)


def row_batches(path: Path, feed: RecordFeed, net: bool) -> Iterator[RowBatch]:
    """The rows of a file in order, many at a time. `net` asks for the column of a net change submission.

    Raises UserError where the file cannot be read, is cut off, or has not the feed's columns.
    """
    return _parquet_lots(path, feed, net) if kind_of(path) == "parquet" else _csv_lots(path, feed, net)


def is_synthetic(path: Path) -> bool:
    """Whether a file says of itself that its records are made up."""
    if kind_of(path) != "parquet":
        return False
    return (_opened(path).schema_arrow.metadata or {}).get(SYNTHETIC) == b"true"


class Splitter:
    """Tells one line into values: quotation marks belong around a value, and are doubled within it."""

    def __init__(self, delimiter: str) -> None:
        mark = re.escape(delimiter)
        value = rf'(?:"(?:[^"]|"")*+"|[^"{mark}]*+)'
        self.delimiter = delimiter
        self._well_formed = re.compile(rf"{value}(?:{mark}{value})*+")

    def split(self, line: str) -> list[str] | None:
        """The values; None where a quotation mark stands where it does not belong, or is not closed."""
        if '"' not in line:
            return line.split(self.delimiter)
        if not self._well_formed.fullmatch(line):
            return None
        try:
            return next(csv.reader((line,), delimiter=self.delimiter, strict=True))
        except (csv.Error, StopIteration):
            return None


def _csv_lots(path: Path, feed: RecordFeed, net: bool) -> Iterator[RowBatch]:
    splitter = Splitter(feed.delimiter)
    number, columns = 1, None
    for lines in lines_of(path):
        if columns is None:
            lines = _without_bom(lines, feed, path)
            columns = _columns_of_csv(lines, feed, net, splitter, path)
            if feed.header:
                lines, number = lines[1:], 2
        yield _Lines(lines, number, columns, feed, splitter).lot()
        number += len(lines)
    if columns is None:
        raise UserError(f"{path}: is empty; expected records of a feed")


def _without_bom(lines: list[bytes], feed: RecordFeed, path: Path) -> list[bytes]:
    if not lines[0].startswith(BOM):
        return lines
    if feed.encoding != "utf-8":
        raise UserError(
            f"{path}: starts as UTF-8 does, where params/feeds/{feed.mapping}.yml says {feed.encoding}; "
            "write encoding: utf-8 there"
        )
    return [lines[0][len(BOM) :], *lines[1:]]


def _columns_of_csv(
    lines: list[bytes], feed: RecordFeed, net: bool, splitter: Splitter, path: Path
) -> Sequence[FeedColumn]:
    """The columns of a file, from its header or, where it has none, from the mapping."""
    if not feed.header:
        check_no_other_header(feed, net, path)
        return feed.columns
    names = []
    for number, line in enumerate(lines[:2], start=1):
        try:
            text = line.removesuffix(b"\r").decode(feed.encoding)
        except UnicodeDecodeError as error:
            if number == 1:
                raise UserError(
                    f"{path}, line 1: byte {error.object[error.start]:#04x} is no {feed.encoding}; "
                    f"name the file's encoding in params/feeds/{feed.mapping}.yml"
                ) from None
            break
        names.append([name.strip() for name in splitter.split(text) or [text]])
    if "\r" in "".join(names[0]):
        raise UserError(f"{path}, line 1: lines end in a carriage return alone; save the file with line feeds")
    return columns_of(names[0], feed, net, f"{path}, line 1", names[1] if len(names) > 1 else None)


class _Lines:
    """Lines of one lot, told into columns."""

    def __init__(
        self, lines: list[bytes], first: int, columns: Sequence[FeedColumn], feed: RecordFeed, splitter: Splitter
    ) -> None:
        self.lines, self.first, self.columns, self.feed, self.splitter = lines, first, columns, feed, splitter
        self.header = [column.name for column in columns]
        self.refused: list[RefusedRow] = []

    def lot(self) -> RowBatch:
        text = self._text()
        columns = None if text is None else self._at_once(text)
        numbers = list(range(self.first, self.first + len(self.lines)))
        if columns is None:
            columns, numbers = self._one_by_one(text)
        filled = {
            column.field: values
            for column, values in zip(self.columns, columns, strict=True)
            if column.field is not None
        }
        return RowBatch(filled, np.array(numbers, dtype=np.int64), lambda at: self._raw(numbers[at]), self.refused)

    def _text(self) -> str | None:
        """The lines decoded, with line feeds between them; None where one of them cannot be."""
        if not self.lines or max(map(len, self.lines)) > LONGEST_LINE:
            return None
        try:
            text = b"\n".join(self.lines).decode(self.feed.encoding)
        except UnicodeDecodeError:
            return None
        return text.replace("\r\n", "\n").removesuffix("\r")

    def _at_once(self, text: str) -> list[pa.Array] | None:
        """The columns, where no line has a quotation mark or anything out of place: much faster than line by line."""
        if not text or len(self.header) == 1 or '"' in text or self.header[0] in text or _CONTROL.search(text):
            return None
        content = f"{text}\n".encode()
        characters = np.frombuffer(content, dtype=np.uint8)
        marks = np.cumsum(characters == ord(self.feed.delimiter))[characters == ord("\n")]
        if (np.diff(marks, prepend=0) != len(self.header) - 1).any():
            return None
        names = [str(place) for place in range(len(self.header))]
        return arrow_csv.read_csv(
            pa.py_buffer(content),
            arrow_csv.ReadOptions(use_threads=False, block_size=len(content) + 1, column_names=names),
            arrow_csv.ParseOptions(delimiter=self.feed.delimiter, quote_char=False, ignore_empty_lines=False),
            arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), null_values=[]),
        ).combine_chunks().to_batches()[0].columns  # fmt: skip

    def _one_by_one(self, text: str | None) -> tuple[list[pa.Array], list[int]]:
        """The columns of the lines that can be read, and the numbers of those lines."""
        rows: list[list[str]] = []
        numbers: list[int] = []
        lines = text.split("\n") if text is not None else map(self._decoded, range(len(self.lines)))
        for number, line in enumerate(lines, start=self.first):
            values = None if line is None else self._values(number, line)
            if values is not None:
                rows.append(values)
                numbers.append(number)
        of_columns: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(self.columns)
        return [pa.array(values, pa.string()) for values in of_columns], numbers

    def _decoded(self, place: int) -> str | None:
        number, line = self.first + place, self.lines[place]
        if len(line) > LONGEST_LINE:
            self._refuse(number, "longer than 1 MB", f"the line is longer than {LONGEST_LINE:,} bytes; no record is")
            return None
        try:
            return line.removesuffix(b"\r").decode(self.feed.encoding)
        except UnicodeDecodeError as error:
            said = f"byte {line[error.start]:#04x} at {error.start + 1} is no {self.feed.encoding}"
            self._refuse(number, f"not {self.feed.encoding}", f"{said}; write the file in that encoding")
            return None

    def _values(self, number: int, text: str) -> list[str] | None:
        if control := _CONTROL.search(text):
            said = f"character {ord(control[0]):#04x} at {control.start() + 1} belongs in no value"
            self._refuse(number, "a control character", said)
            return None
        values = self.splitter.split(text)
        if values is None:
            said = 'a quotation mark not closed, or inside a value; write "A ""B"" C" for a value A "B" C'
            self._refuse(number, "a quotation mark out of place", said)
            return None
        if len(values) != len(self.header):
            if not text.strip():
                self._refuse(number, "an empty line", "the line is empty; expected a record")
                return None
            said = f"{len(values)} value{'s' * (len(values) != 1)}, expected {len(self.header)}"
            self._refuse(number, "wrong number of values", said)
            return None
        if values[0].strip() == self.header[0] and [value.strip() for value in values] == self.header:
            self._refuse(number, "a second header", "a line of column names among the records")
            return None
        return values

    def _refuse(self, number: int, reason: str, detail: str) -> None:
        self.refused.append(RefusedRow(number, reason, detail, self._raw(number)))

    def _raw(self, number: int) -> str:
        line = self.lines[number - self.first][: 4 * LONGEST_RAW].removesuffix(b"\r")
        return line.decode(self.feed.encoding, errors="backslashreplace")[:LONGEST_RAW]


def _parquet_lots(path: Path, feed: RecordFeed, net: bool) -> Iterator[RowBatch]:
    file = _opened(path)
    columns = columns_of(file.schema_arrow.names, feed, net, str(path), None)
    codes = [
        column.name
        for column in columns
        if column.field in feed.by_name
        and (feed.by_name[column.field].longest or ROWS_A_LOT) <= LONGEST_CODE
        and pa.types.is_string(file.schema_arrow.field(column.name).type)
    ]
    file = _opened(path, codes)
    number = 1
    try:
        for batch in file.iter_batches(ROWS_A_LOT, use_threads=False):
            batch.validate(full=True)
            numbers = np.arange(number, number + len(batch), dtype=np.int64)
            filled = {column.field: batch.column(at) for at, column in enumerate(columns) if column.field is not None}
            yield RowBatch(filled, numbers, _raw_of(batch, feed.delimiter))
            number += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _raw_of(batch: pa.RecordBatch, delimiter: str) -> Callable[[int], str]:
    def raw(at: int) -> str:
        return delimiter.join(as_text(column[at]) for column in batch.columns)[:LONGEST_RAW]

    return raw


def as_text(scalar: pa.Scalar) -> str:
    """An Arrow value as it is shown; a day beyond Python's calendar as its number, as it is stored."""
    try:
        value = scalar.as_py()
    except (OverflowError, ValueError):
        value = scalar.value
    return "" if value is None else str(value)


def _opened(path: Path, codes: Sequence[str] = ()) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path, read_dictionary=list(codes))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: Exception) -> UserError:
    said = " ".join(str(error).split())
    return UserError(f"{path}: is Parquet, and cut off or damaged: {said[:120]}; send it again")
