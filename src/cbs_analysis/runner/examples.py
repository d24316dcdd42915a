"""Executes the worked examples of the book's method pages, for the site to show their results.

The pages are small and ours, so one kernel serves them all, emptied after each: starting one takes longer than all the
examples together. A page whose example was executed before, with the same code and figures, is not executed again.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cbs_analysis.errors import DataError
from cbs_analysis.files import digest, write_atomically
from cbs_analysis.home import home
from cbs_analysis.runner.cache_keys import digest_of_home
from cbs_analysis.runner.execute import kernel_environment

if TYPE_CHECKING:
    from cbs_analysis.runner.papermill_engine import OwnKernelManager

SECONDS_A_CELL = 60
RECORD = "made.json"
EMPTY_THE_KERNEL = "%reset -f"


def execute_examples(pages: Sequence[Path], folder: Path) -> None:
    """Execute each page into `folder`, under its own name, where that has not been done.

    Raises DataError naming the page, the code cell and the error where an example fails; pages executed before it are
    kept.
    """
    known, shared = _record(folder), digest_of_home(home())
    keys = {page.name: digest(shared, page.read_text(encoding="utf-8")) for page in pages}
    due = [page for page in pages if known.get(page.name) != keys[page.name] or not (folder / page.name).exists()]
    if due:
        _execute_all(due, folder, known, keys)


def _record(folder: Path) -> dict[str, str]:
    """What each executed page was made from; empty where nothing is known."""
    with suppress(OSError, ValueError):
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        if isinstance(record, dict):
            return record
    return {}


def _execute_all(pages: Sequence[Path], folder: Path, known: dict[str, str], keys: Mapping[str, str]) -> None:
    from cbs_analysis.runner.papermill_engine import OwnKernelManager

    with TemporaryDirectory(prefix="cbs-examples-", ignore_cleanup_errors=True) as made:
        scratch = Path(made)
        kernel = OwnKernelManager(kernel_name="python3")
        kernel.talk_in(scratch)
        with (scratch / "kernel.log").open("ab") as log:
            surroundings = {"env": kernel_environment(home(), scratch), "stdout": log, "stderr": log}
            try:
                for page in pages:
                    write_atomically(folder / page.name, _executed(page, kernel, surroundings))
                    known[page.name] = keys[page.name]
                    write_atomically(folder / RECORD, json.dumps(known, indent=1) + "\n")
            finally:
                _stop(kernel)


def _executed(page: Path, kernel: "OwnKernelManager", surroundings: dict[str, Any]) -> str:
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    from cbs_analysis.runner.normalise import normalised_text

    notebook = nbformat.read(page, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell(EMPTY_THE_KERNEL))
    started: list[str] = []

    def count(cell: Any, cell_index: int) -> None:
        started.append(cell.id)

    client = NotebookClient(notebook, km=kernel, timeout=SECONDS_A_CELL, on_cell_execute=count)
    try:
        client.execute(cwd=str(page.parent), **surroundings)
    except CellExecutionError as error:
        shown = f"{page.parent.parent.name}/{page.parent.name}/{page.name}"
        raise DataError(f"{shown}, cell {started[-1]!r}: {error.ename}: {error.evalue}") from None
    finally:
        if client.kc is not None:
            client.kc.stop_channels()
    notebook.cells.pop()
    return normalised_text(notebook, page)


def _stop(kernel: "OwnKernelManager") -> None:
    from jupyter_core.utils import run_sync

    if kernel.has_kernel:
        run_sync(kernel.shutdown_kernel)(now=True)
