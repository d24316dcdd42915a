"""Run many jobs side by side and say what became of each; neither a failed notebook nor a lost process stops
the rest.

Where jobs run is a `concurrent.futures.Executor`: a pool of processes on this machine unless another is
handed in.
"""

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait as wait_for_end
from multiprocessing.process import BaseProcess

from cbs_analysis.runner import worker
from cbs_analysis.runner.execute import DEFAULT_TIMEOUT_SECONDS, Failure, failed_record
from cbs_analysis.runner.plan import Job, Plan
from cbs_analysis.runner.record import NotebookRecord, record_outcome

MOST_WORKERS = 16  # each holds a kernel of a few hundred megabytes

Pool = Callable[[int], Executor]
OnRecord = Callable[[NotebookRecord], None]


def default_workers() -> int:
    """One for each core this process may use, up to MOST_WORKERS."""
    with suppress(AttributeError):
        return min(MOST_WORKERS, len(os.sched_getaffinity(0)))
    return min(MOST_WORKERS, os.cpu_count() or 1)


def worker_pool(workers: int) -> Executor:
    """Processes started afresh: a forked one would share the parent's threads and sockets."""
    context = multiprocessing.get_context("spawn")
    scratch = tempfile.mkdtemp(prefix="cbs-batch-")
    executor = ProcessPoolExecutor(workers, context, initializer=worker.start, initargs=(scratch,))
    weakref.finalize(executor, shutil.rmtree, scratch, ignore_errors=True)
    return executor


def run_plan(
    plan: Plan,
    *,
    workers: int | None = None,
    timeout: int = DEFAULT_TIMEOUT_SECONDS,
    on_record: OnRecord = lambda record: None,
    pool: Pool = worker_pool,
) -> list[NotebookRecord]:
    """Run a plan's jobs and write each outcome into the edition's run record as it comes. As `run`
    otherwise.
    """

    def keep(record: NotebookRecord) -> None:
        record_outcome(plan.edition, record, plan.offered)
        on_record(record)

    return run(plan.jobs, workers=workers, timeout=timeout, on_record=keep, pool=pool)


def run(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    timeout: int = DEFAULT_TIMEOUT_SECONDS,
    on_record: OnRecord = lambda record: None,
    pool: Pool = worker_pool,
) -> list[NotebookRecord]:
    """The outcome of every job, in the order of `jobs`.

    `workers` processes at once, `timeout` seconds for each notebook, `on_record` called in this process as
    each ends. When a process is lost, the jobs that were running are tried again one at a time: the one that
    loses its process again is recorded as failed. An interrupt stops the workers and their kernels before it
    is raised on.
    """
    records: dict[Job, NotebookRecord] = {}

    def keep(job: Job, record: NotebookRecord) -> None:
        records[job] = record
        on_record(record)

    waiting = deque(jobs)
    while waiting:
        for suspect in _side_by_side(waiting, workers or default_workers(), timeout, keep, pool):
            if _side_by_side(deque([suspect]), 1, timeout, keep, pool):
                lost = Failure("WorkerDied", "the process that ran this notebook was ended from outside, or crashed")
                keep(suspect, _lost(suspect, lost))
    return [records[job] for job in jobs]


def _side_by_side(
    waiting: deque[Job], workers: int, timeout: int, keep: Callable[[Job, NotebookRecord], None], pool: Pool
) -> list[Job]:
    """Run jobs off the queue until it is empty or a process is lost; returns those that were running when one
    was.
    """
    running: dict[Future[NotebookRecord], Job] = {}
    with _opened(pool, min(workers, len(waiting))) as executor:
        while waiting or running:
            try:
                while waiting and len(running) < workers:
                    future = _submit(executor, waiting[0], timeout)
                    running[future] = waiting.popleft()
            except BrokenExecutor:
                return _collected(running, keep)
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            if any(isinstance(future.exception(), BrokenExecutor) for future in done):
                return _collected(running, keep)
            for future in done:
                job = running.pop(future)
                keep(job, _outcome(job, future))
    return []


def _collected(running: dict[Future[NotebookRecord], Job], keep: Callable[[Job, NotebookRecord], None]) -> list[Job]:
    """After a loss: keep the outcomes that arrived before it, return the other jobs."""
    wait(running)
    suspects = []
    for future, job in running.items():
        if isinstance(future.exception(), BrokenExecutor):
            suspects.append(job)
        else:
            keep(job, _outcome(job, future))
    return suspects


def _outcome(job: Job, future: Future[NotebookRecord]) -> NotebookRecord:
    try:
        return future.result()
    except Exception as error:  # of whatever carries jobs elsewhere: `execute` itself raises none
        return _lost(job, Failure(type(error).__name__, str(error)))


def _lost(job: Job, failure: Failure) -> NotebookRecord:
    """The record of a job that could not say itself how it ended; nothing of an earlier run is left in its
    place.
    """
    job.failed_output.unlink(missing_ok=True)
    return failed_record(job, failure, seconds=0.0)


def _submit(executor: Executor, job: Job, timeout: int) -> Future[NotebookRecord]:
    """Hand a job over with Ctrl-C held back meanwhile, so that a process just being started does not get it
    too.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        return executor.submit(worker.work, job, timeout)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(worker.work, job, timeout)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _opened(pool: Pool, workers: int) -> Iterator[Executor]:
    others = set(multiprocessing.active_children())
    executor = pool(workers)
    try:
        yield executor
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        _stop(set(multiprocessing.active_children()) - others)
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _stop(processes: set[BaseProcess]) -> None:
    """Tell worker processes to leave with their kernels; those that do not are killed."""
    for process in processes:
        process.terminate()
    ends = {process.sentinel: process for process in processes}
    left = set(ends)
    while left and (ended := wait_for_end(list(left), timeout=worker.SECONDS_TO_LEAVE + 2)):
        left -= {end for end in ended if isinstance(end, int)}
    for end in left:
        ends[end].kill()
