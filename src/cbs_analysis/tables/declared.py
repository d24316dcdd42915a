"""Holds a notebook to the sources that it declares: whether it has to run again is told from those alone.

What counts is what the notebook's process opens, by whatever road: a file of the data folder that no declared table has
is refused. Reference tables and the descriptions of tables are everybody's. A kernel of the batch is held from its
start, to the list that the plan was made with; another from the cell that opens its pack.
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cbs_analysis.errors import UndeclaredSourceError, UserError, nearest
from cbs_analysis.home import SOURCES, data_dir
from cbs_analysis.tables import READ_EVENT, derived
from cbs_analysis.tables.descriptions import DESCRIPTION, REFERENCE, table_description

_held: "_Held | None" = None
_is_listening = False


@dataclass(frozen=True)
class _Held:
    """What this process may read: tables, and of the folders their files, each as it is called and where links lead."""

    tables: frozenset[str]
    folders: tuple[str, ...]
    files: frozenset[str]
    everybodys: tuple[str, ...]


def check(table: str, declared: Iterable[str]) -> None:
    """Raises UndeclaredSourceError where a table is none of those declared, and no reference table."""
    if table not in declared and not _is_reference(table):
        raise UndeclaredSourceError(
            f"table {table!r} is read but not declared: add it to the list `tables` in the notebook; "
            f"{nearest(table, list(declared))}"
        )


def _is_reference(table: str) -> bool:
    try:
        return table_description(table).is_reference
    except UserError:
        return False


@contextmanager
def lifted() -> Iterator[None]:
    """For what belongs to the geography and not to a chapter: within it, any table may be read."""
    global _held
    before, _held = _held, None
    try:
        yield
    finally:
        _held = before


def hold_to(declared: Iterable[str], data: Path) -> None:
    """From here on this process may read only these tables of the data folder and of the record store, until it is held
    to others.
    """
    global _held, _is_listening
    tables, store = frozenset(declared), derived.store_in_use()
    files = [
        data / DESCRIPTION,
        store / derived.DESCRIPTION,
        *(table_description(table, data).file(data) for table in sorted(tables)),
    ]
    _held = _Held(
        tables,
        tuple(f"{path}{os.sep}" for folder in (data, store / derived.FOLDER) for path in _spellings(folder)),
        frozenset(spelling for file in files for spelling in _spellings(file)),
        tuple(f"{folder}{os.sep}" for folder in _spellings(data / REFERENCE)),
    )
    if not _is_listening:
        _is_listening = True
        sys.addaudithook(_listen)


def load_ipython_extension(shell: object) -> None:
    """Hold a kernel of the batch, before its first cell. One that cannot be held ends: IPython would go on without."""
    sys.dont_write_bytecode = True  # nothing is written beside the notebooks
    try:
        hold_to(_planned() or (), data_dir())
    except Exception as error:
        sys.stderr.write(f"the kernel cannot be held to its sources: {error}\n")
        sys.stderr.flush()
        os._exit(1)


def check_list(tables: Sequence[str] | None) -> None:
    """Raises UndeclaredSourceError where a kernel of the batch opens a pack with another list than the plan's."""
    planned = _planned()
    if planned is not None and (tables is None or set(tables) != set(planned)):
        given = "no list" if tables is None else f"{sorted(tables)}"
        raise UndeclaredSourceError(
            f"open_pack is given {given} of tables, and `tables` in the notebook says {sorted(planned)}: write "
            "pack = open_pack(area_code, edition, tables), and change `tables` nowhere else"
        )


def _planned() -> list[str] | None:
    text = os.environ.get(SOURCES)
    return None if text is None else json.loads(text)


def _listen(event: str, arguments: tuple[object, ...]) -> None:
    if event == READ_EVENT and _held:
        check(str(arguments[0]), _held.tables)
    elif event == "open" and _held and isinstance(arguments[0], str | bytes):
        for path in _spellings(os.fsdecode(arguments[0])):
            if path.startswith(_held.folders) and path not in _held.files and not path.startswith(_held.everybodys):
                folder = next(folder for folder in _held.folders if path.startswith(folder))
                raise UndeclaredSourceError(
                    f"{Path(folder).name}/{path.removeprefix(folder)} is read but not declared: add its table to the "
                    "list `tables` in the notebook"
                )


def _spellings(path: "str | Path") -> tuple[str, str]:
    """A path as it is called, and where its links lead."""
    return os.path.abspath(path), os.path.realpath(path)  # noqa: PTH100
