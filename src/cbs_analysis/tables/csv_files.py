"""Is a CSV file whole, with the agreed columns? Its cells as text, for whoever checks what they mean.

Nothing is guessed here. A file that is cut short, holds bytes that are not UTF-8, or has a column too many or
too few is refused with its line; every cell of a good file is handed on as the text that stands in it.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cbs_analysis.errors import DataError, nearest

_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""The first bytes of .xlsx and .xls files."""


def read_cells(path: Path, shown: str, columns: Sequence[str], may_be_empty: bool = False) -> pd.DataFrame:
    """The cells of a CSV file as text, one row a record, with the line number of each record as the index.

    `shown` names the file in messages; `columns` is the header it must have, in that order. An empty cell is
    "". Raises DataError where the file is missing, empty, undecodable or cut short, or its header or any row
    is wrong.
    """
    text = _text(path, shown)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines: list[int] = []
    rows: list[list[str]] = []
    try:
        _check_header(next(reader), shown, columns)
        for row in reader:
            if len(row) != len(columns):
                _refuse_row(row, shown, reader.line_num, len(columns), text)
            lines.append(reader.line_num)
            rows.append(row)
    except csv.Error as error:
        raise DataError(f"{shown}, line {reader.line_num}: {error}; must be comma-separated text") from None
    if not text.endswith("\n"):
        raise DataError(f"{shown}, line {reader.line_num}: the last line is cut short; it must end in a newline")
    if not rows and not may_be_empty:
        raise DataError(f"{shown}, line 1: no rows after the header; there must be at least one")
    return pd.DataFrame(rows, columns=list(columns), index=pd.Index(lines, name="line"), dtype=object)


def read_header(path: Path, shown: str) -> list[str]:
    """The names of a file's columns. Raises DataError where they are not names, each once, with commas between."""
    try:
        header = next(csv.reader(io.StringIO(_text(path, shown), newline=""), strict=True))
    except csv.Error as error:
        raise DataError(f"{shown}, line 1: {error}; must be comma-separated text") from None
    for mark, noun in ((";", "semicolons"), ("\t", "tabs")):
        if len(header) == 1 and mark in header[0]:
            raise DataError(f"{shown}, line 1: columns are separated by {noun}; must be commas")
    for number, name in enumerate(header, 1):
        if not name or name != name.strip():
            fault = f"{name!r} begins or ends with a space" if name.strip() else "has no name"
            raise DataError(f"{shown}, line 1: column {number} {fault}; each column must have a name")
        if header.count(name) > 1:
            raise DataError(f"{shown}, line 1: column {name!r} is duplicated; each column must stand once")
    if not header:
        raise DataError(f"{shown}, line 1 is empty; it must be a header")
    return header


def _text(path: Path, shown: str) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{shown} is missing") from None
    except OSError as error:
        raise DataError(f"{shown} cannot be read: {error.strerror}") from None
    if not content:
        raise DataError(f"{shown} is empty; it must start with a header")
    if content.startswith(_WORKBOOKS):
        raise DataError(f"{shown} is an Excel workbook; save it as CSV (UTF-8)")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        byte = content[error.start]
        raise DataError(f"{shown}, line {line}: byte 0x{byte:02x} is not text; must be saved as UTF-8") from None


def _check_header(header: list[str], shown: str, columns: Sequence[str]) -> None:
    missing = [name for name in columns if name not in header]
    unknown = [name for name in header if name not in columns]
    if missing:
        raise DataError(
            f"{shown}, line 1: column {missing[0]} is missing{_more(missing)}; columns must be as described"
        )
    if unknown:
        near = nearest(unknown[0], columns)
        raise DataError(f"{shown}, line 1: column {unknown[0]!r} is not known{_more(unknown)}; {near}")
    if header != list(columns):
        raise DataError(f"{shown}, line 1: columns must each stand once, in this order: {', '.join(columns)}")


def _refuse_row(row: list[str], shown: str, line: int, expected: int, text: str) -> None:
    is_last = line >= text.rstrip("\n").count("\n") + 1
    cut = ": the last line is cut short" if is_last and len(row) < expected else ""
    raise DataError(f"{shown}, line {line}: {len(row)} values, must be {expected}{cut}")


def _more(names: list[str]) -> str:
    return f" (and {len(names) - 1} more)" if len(names) > 1 else ""
