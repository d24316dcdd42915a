"""Execute one job with Papermill: the template run for one area and cleaned, or the reason why not.

A failure is an outcome and not an exception, so that nothing a notebook does can stop a batch. Nothing is written
here but scratch files: what was made goes back to the batch as bytes, wherever the job ran.
"""

import json
import logging
import os
import re
import time
import traceback as tracebacks
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cbs_analysis.home import SOURCES, build_dir
from cbs_analysis.run_record import NotebookRecord
from cbs_analysis.runner.cache_keys import declared_tables
from cbs_analysis.runner.plan import Job, Limits

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from cbs_analysis.runner.papermill_engine import Watch

KERNEL_START_SECONDS = 60
TRACEBACK_LINES = 20
LONGEST_MESSAGE, LONGEST_LINE = 2000, 400  # characters that are recorded of an error
GIGABYTE = 1024**3
# One thread for each numerical library: several notebooks run at once and would fight over the cores.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")
# Hash order must not reach an output; debugpy's warning about frozen modules must not reach the terminal.
SAME_EVERY_TIME = {"PYTHONHASHSEED": "0", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}

_KERNEL_LOG = re.compile(r"^\[IPKernelApp\].*\n?", re.MULTILINE)


@dataclass(frozen=True)
class Failure:
    """Why a notebook was not finished. `kernel_lost` where the kernel, and not a cell, was the reason."""

    error: str
    message: str
    cell: int | None = None
    traceback: str | None = None
    kernel_lost: bool = False


@dataclass(frozen=True)
class Result:
    """What became of a job: its record, and the notebook as bytes. Of a failed one, what ran before it failed; None
    where nothing did.
    """

    record: NotebookRecord
    notebook: bytes | None = None


def execute(job: Job, limits: Limits = Limits()) -> Result:  # noqa: B008  # it is frozen
    """Run a job in a kernel of its own, within limits for the whole notebook.

    A kernel that died or never started is tried once more; a cell that raised is not.
    """
    started = time.monotonic()
    notebook = None
    try:
        failure, notebook = _attempt(job, limits)
        if failure and failure.kernel_lost:
            failure, notebook = _attempt(job, limits)
    except Exception as error:
        failure = Failure(
            type(error).__name__, _short(str(error), LONGEST_MESSAGE), traceback=_last_lines(tracebacks.format_exc())
        )
    seconds = round(time.monotonic() - started, 2)
    if failure is None:
        return Result(NotebookRecord(job.area_code, job.chapter, "done", seconds), notebook)
    return Result(failed_record(job, failure, seconds), notebook)


def kernel_environment(home: Path, scratch: Path | None = None, store: Path | None = None) -> dict[str, str]:
    """The environment of a kernel: this handbook's home, one thread, and no profile or history of the user's.

    `scratch` is the folder for the kernel's own files, made where it is missing; `store` the record store that derived
    tables are read from, where it is another than the process's own.
    """
    folders = {"CBS_HOME": home, "CBS_BUILD": build_dir(home), **({"CBS_RECORDS": store} if store else {})}
    if scratch:
        private = {"IPYTHONDIR": scratch / "ipython", "JUPYTER_RUNTIME_DIR": scratch / "runtime"}
        for folder in private.values():
            folder.mkdir(parents=True, exist_ok=True)
        folders |= private
    return os.environ | ONE_THREAD | SAME_EVERY_TIME | {key: str(folder) for key, folder in folders.items()}


def failed_record(job: Job, failure: Failure, seconds: float = 0.0) -> NotebookRecord:
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


def _attempt(job: Job, limits: Limits) -> tuple[Failure | None, bytes | None]:
    from cbs_analysis.runner.papermill_engine import Watch

    with TemporaryDirectory(prefix="cbs-", ignore_cleanup_errors=True) as folder:
        scratch = Path(folder)
        log = scratch / "kernel.log"
        watch = Watch(limits)
        failure = _papermill(job, scratch, log, watch)
        if failure and failure.kernel_lost and log.exists():
            said = _last_lines(_KERNEL_LOG.sub("", log.read_text(encoding="utf-8", errors="replace")))
            failure = Failure(failure.error, failure.message, failure.cell, said or None, kernel_lost=True)
    return failure, _notebook(job, watch, failure)


def _papermill(job: Job, scratch: Path, log: Path, watch: "Watch") -> Failure | None:
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.engines import papermill_engines
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import raise_for_execution_errors

    from cbs_analysis.runner.papermill_engine import ENGINE, MOST_SHOWN, TooMuchOutputError

    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    try:
        with log.open("ab") as said:
            # In two steps, so that the executed notebook is not turned into text twice.
            parameters = {"area_code": job.area_code, "edition": job.edition}
            prepared = papermill.execute_notebook(
                job.template, None, parameters, prepare_only=True, kernel_name="python3", language="python"
            )
            notebook = papermill_engines.execute_notebook_with_engine(
                ENGINE,
                prepared,
                kernel_name="python3",
                progress_bar=False,
                start_timeout=min(watch.limits.seconds, KERNEL_START_SECONDS),
                watch=watch,
                scratch=scratch,
                env=kernel_environment(job.home, scratch, job.store)
                | {SOURCES: json.dumps(declared_tables(job.template))},
                folder=job.template.parent,
                log=said,
            )
        raise_for_execution_errors(notebook, None)
    except PapermillExecutionError as error:
        message = _short(_plain(error.evalue), LONGEST_MESSAGE) + _limit_said(error.ename, watch)
        return Failure(error.ename, message, watch.number, _last_lines("\n".join(error.traceback)))
    except CellTimeoutError:
        limit = f"the notebook's {watch.limits.seconds} seconds ran out"
        where = f"in the cell that begins {watch.first_line!r}" if watch.number else "before the first cell"
        return Failure("Timeout", f"stopped: {limit} {where}", watch.number)
    except TooMuchOutputError:
        limit = f"more than {MOST_SHOWN:,} characters were printed and displayed"
        message = f"stopped: {limit}, the last of them in the cell that begins {watch.first_line!r}"
        return Failure("TooMuchOutput", message, watch.number)
    except DeadKernelError:
        message = f"the kernel died in the cell that begins {watch.first_line!r}"
        return Failure("KernelDied", message, watch.number, kernel_lost=True)
    except RuntimeError as error:
        if watch.number is not None:
            raise
        return Failure("KernelNotStarted", str(error), kernel_lost=True)
    if notebook.metadata.papermill.get("exception"):
        return Failure("SystemExit", "the cell ended the notebook before its last cell", watch.number)
    return None


def _limit_said(error: str, watch: "Watch") -> str:
    if not error.endswith("MemoryError") or not watch.limits.memory:
        return ""
    return f" (a notebook may take {watch.limits.memory / GIGABYTE:.1f} GiB)"


def _notebook(job: Job, watch: "Watch", failure: Failure | None) -> bytes | None:
    """The notebook as it is to be kept, with the reason under the cell that could not say it itself."""
    from cbs_analysis.runner.normalise import normalised_text

    if watch.notebook is None:
        return None
    if failure:
        _say_where_it_stopped(watch.notebook, watch, failure)
    return normalised_text(watch.notebook, job.template).encode("utf-8")


def _say_where_it_stopped(notebook: "NotebookNode", watch: "Watch", failure: Failure) -> None:
    import nbformat

    if failure.error in ("Timeout", "TooMuchOutput", "KernelDied") and watch.number:
        text = failure.message
        shown = nbformat.v4.new_output("error", ename=failure.error, evalue=text, traceback=[text])
        notebook.cells[watch.position].outputs.append(shown)


def _plain(text: str) -> str:
    from cbs_analysis.runner.normalise import plain

    return plain(text)


def _last_lines(text: str) -> str:
    lines = _plain(text).strip("\n").splitlines()[-TRACEBACK_LINES:]
    return "\n".join(_short(line, LONGEST_LINE) for line in lines)


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[:longest]} … and {len(text) - longest:,} characters more"
