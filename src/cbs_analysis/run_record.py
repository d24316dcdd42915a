"""What became of each notebook: the run record of an edition, for the person who ran it, for the pages that say what is
missing, and for the next run, which makes only what has changed.

Kept in `build/editions/<edition>/run.json`; while a run is at work, what has ended since is in `run.journal` beside it,
a line of JSON each, on the disk before the next notebook is taken up. A run of some areas or chapters is laid over what
earlier runs recorded.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from cbs_analysis.errors import DataError
from cbs_analysis.files import keep_name, make_folder, write_atomically
from cbs_analysis.home import build_dir

Status = Literal["done", "failed"]
JOURNAL = "run.journal"


@dataclass(frozen=True)
class NotebookRecord:
    """One notebook's outcome. `cell` is the number Jupyter shows beside the cell that failed, as in `[7]`.

    `error`, `message` and `traceback` (its last lines, without colour codes) are None where the notebook is
    done; `cell` and `traceback` also where the failure lay outside any cell. `made_from` names what the notebook was
    made from, part by part with its digest; `digest` is that of the executed notebook's own bytes.
    """

    area_code: str
    chapter: str
    status: Status
    seconds: float
    cell: int | None = None
    error: str | None = None
    message: str | None = None
    traceback: str | None = None
    made_from: Mapping[str, str] = field(default_factory=dict)
    digest: str = ""

    @property
    def key(self) -> tuple[str, str]:
        return self.area_code, self.chapter

    @property
    def reason(self) -> str:
        """The failure in one line; empty where there was none."""
        if self.status == "done":
            return ""
        where = f"cell {self.cell}: " if self.cell else ""
        first, *_ = (self.message or "").strip().splitlines() or [""]
        return f"{where}{self.error}: {first}" if first else f"{where}{self.error}"


@dataclass(frozen=True)
class Run:
    """The record of an edition: the version that last wrote it, and every notebook's outcome in pack
    order.
    """

    edition: str
    version: str
    notebooks: tuple[NotebookRecord, ...] = ()

    @property
    def failed(self) -> tuple[NotebookRecord, ...]:
        return tuple(record for record in self.notebooks if record.status == "failed")


class Journal:
    """Takes down outcomes as they come, for the one process that holds the edition."""

    def __init__(self, edition: str, offered: Iterable[tuple[str, str]]) -> None:
        self.edition, self._offered = edition, tuple(offered)
        self._is_new = True

    def append(self, record: NotebookRecord) -> None:
        """Have a record on the disk before returning. Raises OSError where it cannot be written."""
        path = _journal_path(self.edition)
        if self._is_new and path.exists():
            self.fold()
        make_folder(path.parent)
        with path.open("ab") as file:
            file.write(json.dumps(asdict(record), ensure_ascii=False).encode("utf-8") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        if self._is_new:
            keep_name(path.parent)
        self._is_new = False

    def fold(self) -> None:
        """Lay the journal over run.json, in pack order, and end it. What the edition no longer offers is dropped."""
        known = recorded(self.edition)
        kept = tuple(known[key] for key in self._offered if key in known)
        write_run(Run(self.edition, version("cbs-analysis"), kept))
        _journal_path(self.edition).unlink(missing_ok=True)
        self._is_new = True


def run_path(edition: str) -> Path:
    return build_dir() / "editions" / edition / "run.json"


def read_run(edition: str) -> Run:
    """The record of an edition; without notebooks where none was run.

    Raises DataError where run.json is not one: the next run writes it anew.
    """
    journal = _journal_lines(edition)  # first: should it be folded meanwhile, run.json has it too
    try:
        written, records = _folded(edition)
    except (ValueError, LookupError, TypeError, AttributeError):
        raise DataError(f"{edition}/{run_path(edition).name}: not a run record; run cbs packs again") from None
    return Run(edition, written, tuple(_laid_over(records, journal).values()))


def recorded(edition: str) -> dict[tuple[str, str], NotebookRecord]:
    """What became of each notebook by its area code and chapter, as far as it can be read."""
    try:
        return {record.key: record for record in read_run(edition).notebooks}
    except DataError:
        return _laid_over([], _journal_lines(edition))


def write_run(run: Run) -> None:
    """Write run.json, in which what notebooks are made from, the same for all of a chapter, is written once."""
    made_from: list[Mapping[str, str]] = []
    for one in run.notebooks:
        if one.made_from not in made_from:
            made_from.append(one.made_from)
    content = {
        "edition": run.edition,
        "version": run.version,
        "notebooks": [asdict(one) | {"made_from": made_from.index(one.made_from)} for one in run.notebooks],
        "made_from": made_from,
    }
    write_atomically(run_path(run.edition), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _journal_path(edition: str) -> Path:
    return run_path(edition).with_name(JOURNAL)


def _journal_lines(edition: str) -> list[bytes]:
    try:
        return _journal_path(edition).read_bytes().splitlines()
    except FileNotFoundError:
        return []


def _folded(edition: str) -> tuple[str, list[NotebookRecord]]:
    """What run.json holds: the version that wrote it, and the records."""
    try:
        content = json.loads(run_path(edition).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return version("cbs-analysis"), []
    made_from = content.get("made_from", [])
    records = [_known_fields(_with_parts(entry, made_from)) for entry in content["notebooks"]]
    return content.get("version", version("cbs-analysis")), records


def _with_parts(entry: dict[str, Any], made_from: list[Mapping[str, str]]) -> dict[str, Any]:
    position = entry.get("made_from", {})
    return entry | {"made_from": made_from[position] if isinstance(position, int) else position}


def _laid_over(records: Iterable[NotebookRecord], journal: Iterable[bytes]) -> dict[tuple[str, str], NotebookRecord]:
    known = {record.key: record for record in records}
    for line in journal:
        with suppress(ValueError, TypeError, AttributeError):  # the last line, where writing it was cut off
            record = _known_fields(json.loads(line))
            known[record.key] = record
    return known


def _known_fields(entry: dict[str, Any]) -> NotebookRecord:
    fields = NotebookRecord.__dataclass_fields__
    return NotebookRecord(**{key: value for key, value in entry.items() if key in fields})
