"""A worksheet filled from the top down: headings, paragraphs and tables, numbers as numbers and text as text.

Text is always written as text: a cell that starts with `=`, `+`, `-` or `@` is no formula, whatever it came from.
"""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

MADE = datetime.datetime(2006, 4, 1)  # the same inputs give the same bytes, so no clock
LONGEST_NAME = 31
LONGEST_TEXT = 32_767
WIDEST, NARROWEST = 60, 10
TEXT_ACROSS, TEXT_COLUMN = 7, 15  # columns that a paragraph may run over, and how wide each is taken to be
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
STYLES: Mapping[str, Mapping[str, Any]] = {
    "title": {"bold": True, "font_size": 16},
    "heading": {"bold": True, "font_size": 12},
    "paragraph": {"text_wrap": True, "valign": "top"},
    "minor": {"text_wrap": True, "valign": "top", "font_color": "#55606B"},
    "warning": {"text_wrap": True, "valign": "top", "bg_color": "#FFF4DC", "bold": True},
    "head": {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 2},
    "number_head": {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 2, "align": "right"},
    "cell": {"valign": "top"},
    "long": {"valign": "top", "text_wrap": True},
    "link": {"font_color": "#00508C", "underline": 1, "valign": "top"},
}


@dataclass(frozen=True)
class Read:
    """A number in a cell, unrounded, and to how many decimals it is shown; None for as it comes."""

    value: float
    decimals: int | None


class Book:
    """A workbook with the house formats, a file or bytes. Use it in a `with` block: it is written at its end."""

    def __init__(self, to: Path | IO[bytes], title: str, author: str = "") -> None:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        self._book = xlsxwriter.Workbook(str(to) if isinstance(to, Path) else to, options)
        self._book.set_properties({"title": plain(title), "author": plain(author), "created": MADE})
        self._formats: dict[str, Format] = {}
        self._names: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self._book.close()

    def sheet(self, name: str) -> "Sheet":
        """A sheet of this name, made to fit: at most 31 characters, none that a name may not hold, no two alike."""
        wanted = sheet_name(name)
        found, number = wanted, 2
        while found.lower() in self._names:
            ending = f" {number}"
            found, number = f"{wanted[: LONGEST_NAME - len(ending)]}{ending}", number + 1
        self._names.add(found.lower())
        return Sheet(self, self._book.add_worksheet(found), found)

    def style(self, name: str) -> Format:
        if name not in self._formats:
            self._formats[name] = self._book.add_format(dict(STYLES[name]))
        return self._formats[name]

    def number(self, decimals: int | None) -> Format:
        """A number to so many decimals, thousands separated; as it comes where none are given."""
        name = f"number {decimals}"
        if name not in self._formats:
            shown = "General" if decimals is None else "#,##0" + ("." + "0" * decimals if decimals else "")
            self._formats[name] = self._book.add_format({"num_format": shown, "valign": "top"})
        return self._formats[name]


class Sheet:
    """One worksheet and the next free row in it."""

    def __init__(self, book: Book, sheet: Worksheet, name: str) -> None:
        self._book, self._sheet, self.name = book, sheet, name
        self._row = 0
        self._widths: dict[int, float] = {}
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        sheet.set_footer("&L&A&RPage &P of &N")

    def title(self, text: str) -> None:
        self._write(0, text, "title")
        self._row += 1

    def heading(self, text: str) -> None:
        self._row += 1
        self._write(0, text, "heading")
        self._row += 1

    def paragraph(self, text: str, style: str = "paragraph") -> None:
        """Text over several columns, as high as it needs."""
        if not text:
            return
        text = plain(text)
        self._sheet.merge_range(self._row, 0, self._row, TEXT_ACROSS - 1, "", self._book.style(style))
        self._write(0, text, style)
        self._sheet.set_row(self._row, 15.5 * max(1, -(-len(text) // (TEXT_ACROSS * TEXT_COLUMN))))
        self._row += 1

    def link(self, sheet: "Sheet", text: str, *beside: str) -> None:
        """A line that leads to another sheet, with text in the columns after it."""
        address = "internal:'" + sheet.name.replace("'", "''") + "'!A1"
        self._sheet.write_url(self._row, 0, address, self._book.style("link"), string=plain(text))
        self._widen(0, plain(text))
        for column, part in enumerate(beside, start=1):
            self._write(column, part, "cell")
        self._row += 1

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table with a header row. Cells are text, numbers as they come, `Read` numbers, or None."""
        first = self._row
        for column, head in enumerate(heads):
            is_number = any(isinstance(row[column], Read) for row in rows)
            self._write(column, head, "number_head" if is_number else "head")
            self._widen(column, plain(head)[:24])
        for row in rows:
            self._row += 1
            for column, value in enumerate(row):
                self._cell(column, value)
        if first < 3:
            self._sheet.freeze_panes(first + 1, 1)
            self._sheet.repeat_rows(first)
        self._row += 2

    def close(self) -> None:
        if not self._widths:  # of paragraphs alone
            self._sheet.set_column(0, TEXT_ACROSS - 1, TEXT_COLUMN)
        for column, width in self._widths.items():
            self._sheet.set_column(column, column, min(max(width, NARROWEST), WIDEST))

    def _cell(self, column: int, value: Any) -> None:
        if value is None or value == "":
            return
        if isinstance(value, Read):
            self._sheet.write_number(self._row, column, value.value, self._book.number(value.decimals))
            self._widen(column, f"{value.value:,.{value.decimals or 0}f}")
        else:
            text = plain(str(value))
            self._write(column, text, "long" if len(text) > WIDEST else "cell")
            self._widen(column, text)

    def _write(self, column: int, text: str, style: str) -> None:
        self._sheet.write_string(self._row, column, plain(text)[:LONGEST_TEXT], self._book.style(style))

    def _widen(self, column: int, text: str) -> None:
        self._widths[column] = max(self._widths.get(column, 0), 1.1 * len(text) + 2)


def plain(text: str) -> str:
    """Text on one line, without characters that a workbook cannot hold."""
    return " ".join(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text).split())


def sheet_name(text: str) -> str:
    """A name that a sheet may have: not empty, not too long, without brackets, slashes and the like."""
    name = _NOT_IN_NAMES.sub(" ", plain(text)).strip("' ")
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        shorter = name[: LONGEST_NAME + 1].rpartition(" ")[0]
        name = (shorter or name)[:LONGEST_NAME].strip("' ")
    return name if name and name.lower() != "history" else f"Sheet {name}".strip()


def read(value: Any, decimals: int | None = None) -> Any:
    """A number as a cell that is read to so many decimals, none for NaN; what is no number, as it is."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if is_number and np.isnan(value):
        return None
    return Read(value, decimals) if is_number else value
