"""A worker process: executes the jobs it is given, and leaves with its kernel when it is told to or when the
batch is gone.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping
from multiprocessing.connection import wait
from types import FrameType
from typing import NoReturn

from cbs_analysis.runner.execute import Result, execute
from cbs_analysis.runner.limits import Limits
from cbs_analysis.runner.plan import Job

SECONDS_TO_LEAVE = 10
# jsonschema checks with it, where it is there, a format that no notebook has; importing it takes longer than the rest.
SLOW_TO_IMPORT = "rfc3987_syntax"

_is_worker = False
_is_busy = False


def start(scratch: str, shared: Mapping[str, str]) -> None:
    """Prepare a process of the pool, whose temporary files go into `scratch`: a killed process cannot tidy
    up. `shared` is added to its environment.

    Ctrl-C is the batch's to handle: it then tells its workers to leave.
    """
    global _is_worker
    _is_worker = True
    sys.modules.setdefault(SLOW_TO_IMPORT, None)  # type: ignore[arg-type]  # which makes an import of it an ImportError
    tempfile.tempdir = scratch
    os.environ.update(shared)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_leave_with_the_batch, daemon=True).start()


def work(job: Job, limits: Limits) -> Result:
    """Execute one job. When the process is told to leave meanwhile, its kernel is stopped first."""
    global _is_busy
    _is_busy = True
    try:
        return execute(job, limits)
    except KeyboardInterrupt:
        if _is_worker:
            _end(128 + signal.SIGTERM)  # anything gentler is caught by the pool, which then sends the next job
        raise
    finally:
        _is_busy = False


def _leave(signum: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if hasattr(signal, "alarm"):
        signal.alarm(SECONDS_TO_LEAVE)
    if _is_busy:
        raise KeyboardInterrupt
    _end(128 + signum)


def _end(status: int) -> NoReturn:
    """End at once; where the batch was killed and cannot tidy up, without what it left of temporary files."""
    batch = multiprocessing.parent_process()
    if batch and not batch.is_alive() and tempfile.tempdir:
        shutil.rmtree(tempfile.tempdir, ignore_errors=True)
    os._exit(status)


def _leave_with_the_batch() -> None:
    if batch := multiprocessing.parent_process():
        wait([batch.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
