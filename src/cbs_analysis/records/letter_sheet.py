"""A letter as a workbook: sheets filled one after another, a label on every one of synthetic records."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

from cbs_analysis.files import write_atomically
from cbs_analysis.workbooks import Book, Sheet

LABEL = "SYNTHETIC: made by this project for trying it out. No record here is of a real person, and no trust sent any."


def write_workbook(path: Path, title: str, sheets: Mapping[str, Callable[[Sheet], None]], is_synthetic: bool) -> None:
    """Write an .xlsx file to `path`. `sheets` says in their order what fills each, by its name. The same content gives
    the same bytes. Raises OSError where it cannot be written.
    """
    content = io.BytesIO()
    with Book(content, title) as book:
        for name, fill in sheets.items():
            sheet = book.sheet(name)
            if is_synthetic:
                sheet.paragraph(LABEL, "warning")
            fill(sheet)
            sheet.close()
    write_atomically(path, content.getvalue())
