"""Holds a notebook to the sources that it declares: whether it has to run again is told from those alone.

What counts is what is opened, by whatever road: a file of the data folder that no declared table has is refused.
Reference tables and the descriptions of tables are everybody's.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from cbs_analysis.errors import UndeclaredSourceError, nearest
from cbs_analysis.sources import READ_EVENT, reference
from cbs_analysis.sources.catalogue import DESCRIPTION, sources

_REFERENCE = "reference"
_held: "tuple[Path, frozenset[str], frozenset[str]] | None" = None
_is_listening = False


def check(table: str, declared: Iterable[str]) -> None:
    """Raises UndeclaredSourceError where a table is none of those declared, and no reference table."""
    if table not in declared and table not in reference.TABLES:
        raise UndeclaredSourceError(
            f"table {table!r} is read but not declared: add it to the list `sources` in the notebook; "
            f"{nearest(table, list(declared))}"
        )


def hold_to(declared: Iterable[str], data: Path) -> None:
    """From here on this process may read only these tables of the data folder, until it is held to others."""
    global _held, _is_listening
    tables = frozenset(declared)
    paths = {str(data / source.path) for source in sources(data) if source.table in tables}
    _held = data, tables, frozenset(paths)
    if not _is_listening:
        _is_listening = True
        sys.addaudithook(_listen)


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == READ_EVENT and _held:
        check(str(arguments[0]), _held[1])
    elif event == "open" and _held and isinstance(arguments[0], str | bytes):
        data, _, paths = _held
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(f"{data}{os.sep}") and path not in paths and not _is_everybodys(path, data):
            raise UndeclaredSourceError(
                f"{data.name}/{Path(path).relative_to(data)} is read but not declared: add its table to the list "
                "`sources` in the notebook"
            )


def _is_everybodys(path: str, data: Path) -> bool:
    return path == str(data / DESCRIPTION) or path.startswith(f"{data / _REFERENCE}{os.sep}")
