"""How a letter stands in a workbook: sheets filled from the top down, and text that stays text whatever it starts with.

A label stands on every sheet of synthetic records. The same content gives the same bytes.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from cbs_analysis.files import write_atomically

MADE = datetime.datetime(2006, 4, 1)  # the same records give the same bytes, so no clock
LABEL = "SYNTHETIC: made by this project for trying it out. No record here is of a real person, and no trust sent any."
WIDEST = 60
LONGEST_TEXT = 32_767
STYLES: Mapping[str, Mapping[str, Any]] = {
    "title": {"bold": True, "font_size": 16},
    "label": {"bold": True, "bg_color": "#FFF4DC"},
    "text": {"text_wrap": True, "valign": "top"},
    "head": {"bold": True, "text_wrap": True, "valign": "bottom", "bottom": 2},
    "cell": {"valign": "top"},
    "whole": {"valign": "top", "num_format": "#,##0"},
    "rate": {"valign": "top", "num_format": "#,##0.0"},
}
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


def write_workbook(path: Path, title: str, sheets: Mapping[str, Callable[[Sheet], None]], is_synthetic: bool) -> None:
    """Write an .xlsx file to `path`. `sheets` says in their order what fills each, by its name.

    Raises OSError where it cannot be written.
    """
    content = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = xlsxwriter.Workbook(content, options)
    book.set_properties({"title": title, "created": MADE})
    formats = {style: book.add_format(dict(about)) for style, about in STYLES.items()}
    for name, fill in sheets.items():
        sheet = Sheet(book.add_worksheet(name), formats)
        if is_synthetic:
            sheet.line(LABEL, "label")
        fill(sheet)
        sheet.close()
    book.close()
    write_atomically(path, content.getvalue())


class Sheet:
    """One worksheet, filled from the top down. Text is always written as text, whatever it starts with."""

    def __init__(self, sheet: Any, formats: Mapping[str, Any]) -> None:
        self._sheet, self._formats = sheet, formats
        self._row = 0
        self._widths: dict[int, float] = {}
        sheet.set_landscape()
        sheet.set_paper(9)  # A4
        sheet.fit_to_pages(1, 0)
        sheet.hide_gridlines(2)
        sheet.set_footer("&L&A&RPage &P of &N")

    def line(self, text: str, style: str) -> None:
        self._write(0, text, style)
        self._row += 1

    def paragraph(self, text: str) -> None:
        """Text over eight columns, as high as it needs."""
        self._sheet.merge_range(self._row, 0, self._row, 7, "", self._formats["text"])
        self._write(0, text, "text")
        self._sheet.set_row(self._row, 15.5 * max(1, -(-len(text) // 78)) + 4)
        self._row += 1

    def table(self, heads: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Mapping[int, str]) -> None:
        """A table whose header stays in sight. `numbers` gives the format of each column of numbers."""
        for column, head in enumerate(heads):
            self._write(column, head, "head")
            self._widths[column] = len(head[:16])
        self._sheet.freeze_panes(self._row + 1, 0)
        self._sheet.repeat_rows(self._row)
        for row in rows:
            self._row += 1
            for column, value in enumerate(row):
                if value is None or value != value or value == "":
                    continue
                if column in numbers:
                    self._sheet.write_number(self._row, column, value, self._formats[numbers[column]])
                else:
                    self._write(column, str(value), "cell")
                    self._widths[column] = max(self._widths[column], len(str(value)))
        self._row += 1

    def close(self) -> None:
        for column, width in self._widths.items():
            self._sheet.set_column(column, column, min(width * 1.1 + 2, WIDEST))

    def _write(self, column: int, text: str, style: str) -> None:
        plain = " ".join(_UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text).split())
        self._sheet.write_string(self._row, column, plain[:LONGEST_TEXT], self._formats[style])
