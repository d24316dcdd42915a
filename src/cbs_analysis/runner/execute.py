"""Execute one job with Papermill: the template run for one area, cleaned and put in its place, or the reason
why not.

A failure is an outcome and not an exception, so that nothing a notebook does can stop a batch.
"""

import logging
import re
import time
import traceback as tracebacks
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cbs_analysis.runner.files import write_atomically
from cbs_analysis.runner.plan import Job
from cbs_analysis.runner.record import NotebookRecord
from cbs_analysis.runner.surroundings import kernel_surroundings

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from cbs_analysis.runner.engine import Watch

DEFAULT_TIMEOUT_SECONDS = 300
KERNEL_START_SECONDS = 60
TRACEBACK_LINES = 20

_KERNEL_LOG = re.compile(r"^\[IPKernelApp\].*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Failure:
    """Why a notebook was not finished. `kernel_lost` where the kernel, and not a cell, was the reason."""

    error: str
    message: str
    cell: int | None = None
    traceback: str | None = None
    kernel_lost: bool = False


def execute(job: Job, timeout: int = DEFAULT_TIMEOUT_SECONDS) -> NotebookRecord:
    """Run a job in this process, within `timeout` seconds for the whole notebook.

    Leaves `job.output` whole, or no `job.output` and the partly executed notebook at `job.failed_output`. A
    kernel that died or never started is tried once more; a cell that raised is not. Changes the working
    folder and the environment while it runs: one job at a time in a process.
    """
    started = time.monotonic()
    try:
        failure = _attempt(job, timeout)
        if failure and failure.kernel_lost:
            failure = _attempt(job, timeout)
    except Exception as error:
        failure = Failure(type(error).__name__, str(error), traceback=_last_lines(tracebacks.format_exc()))
    seconds = round(time.monotonic() - started, 2)
    if failure is None:
        return NotebookRecord(job.area_code, job.chapter, "done", seconds)
    return failed_record(job, failure, seconds)


def failed_record(job: Job, failure: Failure, seconds: float) -> NotebookRecord:
    """The record of a failed job. Removes the notebook of an earlier run: it would pass for this one's."""
    job.output.unlink(missing_ok=True)
    return NotebookRecord(
        area_code=job.area_code,
        chapter=job.chapter,
        status="failed",
        seconds=seconds,
        cell=failure.cell,
        error=failure.error,
        message=failure.message,
        traceback=failure.traceback,
    )


def _attempt(job: Job, timeout: int) -> Failure | None:
    from cbs_analysis.runner.engine import Watch

    with TemporaryDirectory(prefix="cbs-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        working, log = scratch / job.output.name, scratch / "kernel.log"
        watch = Watch(timeout)
        with kernel_surroundings(job.home, scratch, log):
            failure = _papermill(job, working, watch)
        if failure and failure.kernel_lost:
            said = _last_lines(_KERNEL_LOG.sub("", log.read_text(encoding="utf-8", errors="replace")))
            failure = Failure(failure.error, failure.message, failure.cell, said or None, kernel_lost=True)
        _keep(job, working, watch, failure)
        return failure


def _papermill(job: Job, working: Path, watch: "Watch") -> Failure | None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    from cbs_analysis.runner.engine import ENGINE, MOST_PRINTED

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    try:
        notebook = papermill.execute_notebook(
            job.template,
            working,
            parameters={"area_code": job.area_code, "edition": job.edition},
            cwd=job.template.parent,
            kernel_name="python3",
            language="python",
            engine_name=ENGINE,
            progress_bar=False,
            start_timeout=min(watch.timeout, KERNEL_START_SECONDS),
            watch=watch,
        )
    except PapermillExecutionError as error:
        return Failure(error.ename, _plain(error.evalue), watch.number, _last_lines("\n".join(error.traceback)))
    except CellTimeoutError:
        limit = f"the notebook's {watch.timeout} seconds ran out"
        message = f"stopped: {limit} in the cell that begins {watch.first_line!r}"
        return Failure("Timeout", message, watch.number)
    except DeadKernelError:
        message = f"the kernel died in the cell that begins {watch.first_line!r}"
        return Failure("KernelDied", message, watch.number, kernel_lost=True)
    except RuntimeError as error:
        if watch.number is not None:
            raise
        return Failure("KernelNotStarted", str(error), kernel_lost=True)
    if watch.printed > MOST_PRINTED:
        return Failure("TooMuchOutput", f"its cells printed more than {MOST_PRINTED:,} characters", watch.number)
    if notebook.metadata.papermill.get("exception"):
        return Failure("SystemExit", "the cell ended the notebook before its last cell", watch.number)
    return None


def _keep(job: Job, working: Path, watch: "Watch", failure: Failure | None) -> None:
    """Put the executed notebook where it belongs, and remove what an earlier run left in the other place."""
    import nbformat

    from cbs_analysis.runner.clean import cleaned_text

    if failure:
        job.output.unlink(missing_ok=True)
    if not working.exists():
        job.failed_output.unlink(missing_ok=True)
        return
    notebook = nbformat.read(working, as_version=4)
    if failure is None:
        write_atomically(job.output, cleaned_text(notebook, job.template))
        job.failed_output.unlink(missing_ok=True)
        return
    _say_where_it_stopped(notebook, watch, failure)
    write_atomically(job.failed_output, cleaned_text(notebook, job.template))


def _say_where_it_stopped(notebook: "NotebookNode", watch: "Watch", failure: Failure) -> None:
    """Put the reason under the cell that was running, where the cell could not say it itself."""
    import nbformat

    if failure.error in ("Timeout", "KernelDied") and watch.number:
        text = failure.message
        shown = nbformat.v4.new_output("error", ename=failure.error, evalue=text, traceback=[text])
        notebook.cells[watch.position].outputs.append(shown)


def _plain(text: str) -> str:
    from cbs_analysis.runner.clean import plain

    return plain(text)


def _last_lines(text: str) -> str:
    return "\n".join(_plain(text).strip("\n").splitlines()[-TRACEBACK_LINES:])
