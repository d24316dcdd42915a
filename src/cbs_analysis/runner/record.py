"""What became of each notebook: the run record of an edition, for the person who ran it and for the pages
that say what is missing.

Kept in `build/editions/<edition>/run.json`. A run of some areas or chapters is laid over what earlier runs
recorded.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from cbs_analysis.home import build_dir
from cbs_analysis.runner.files import write_atomically

Status = Literal["done", "failed"]


@dataclass(frozen=True)
class NotebookRecord:
    """One notebook's outcome. `cell` is the number Jupyter shows beside the cell that failed, as in `[7]`.

    `error`, `message` and `traceback` (its last lines, without colour codes) are None where the notebook is
    done; `cell` and `traceback` also where the failure lay outside any cell.
    """

    area_code: str
    chapter: str
    status: Status
    seconds: float
    cell: int | None = None
    error: str | None = None
    message: str | None = None
    traceback: str | None = None

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


def run_path(edition: str) -> Path:
    return build_dir() / "editions" / edition / "run.json"


def read_run(edition: str) -> Run:
    """The record of an edition; without notebooks where none was run, or where the file is no run record."""
    try:
        content = json.loads(run_path(edition).read_text(encoding="utf-8"))
        notebooks = tuple(_known_fields(entry) for entry in content["notebooks"])
        return Run(edition, content["version"], notebooks)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Run(edition, version("cbs-analysis"))


def record_outcome(edition: str, record: NotebookRecord, offered: Iterable[tuple[str, str]]) -> None:
    """Lay one notebook's outcome over the edition's record.

    `offered` is every (area code, chapter) of the edition in pack order; records of any other are dropped.
    """
    known = {earlier.key: earlier for earlier in read_run(edition).notebooks} | {record.key: record}
    kept = tuple(known[key] for key in offered if key in known)
    write_run(Run(edition, version("cbs-analysis"), kept))


def write_run(run: Run) -> None:
    content = {
        "edition": run.edition,
        "version": run.version,
        "notebooks": [asdict(one) for one in run.notebooks],
    }
    write_atomically(run_path(run.edition), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def _known_fields(entry: dict[str, Any]) -> NotebookRecord:
    fields = NotebookRecord.__dataclass_fields__
    return NotebookRecord(**{key: value for key, value in entry.items() if key in fields})
