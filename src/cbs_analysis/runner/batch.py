"""Run many jobs side by side and say what became of each; neither a failed notebook nor a lost process stops
the rest.

Where jobs run is a `concurrent.futures.Executor`: a pool of processes on this machine unless another is
handed in.
"""

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_end
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Literal, NoReturn

from cbs_analysis.errors import UserError
from cbs_analysis.home import home
from cbs_analysis.run_record import NotebookRecord
from cbs_analysis.runner import warm
from cbs_analysis.runner.execute import Failure, Result, execute, failed_record, kernel_environment
from cbs_analysis.runner.executed_notebooks import Landing, held
from cbs_analysis.runner.plan import Job, Limits, Plan

MOST_WORKERS = 16  # each holds a kernel of a few hundred megabytes
SECONDS_TO_LEAVE = 10
# jsonschema checks with it, where it is there, a format that no notebook has; importing it takes longer than the rest.
SLOW_TO_IMPORT = "rfc3987_syntax"

Pool = Callable[[int], Executor]
Kind = Literal["waiting", "planned", "started", "cached", "ended"]


@dataclass(frozen=True)
class Event:
    """Something a run has to tell: it waits for another run, how many notebooks it is about, or that a job was started,
    found as it would be, or ended.
    """

    kind: Kind
    job: Job | None = None
    record: NotebookRecord | None = None
    notebooks: int = 0


OnEvent = Callable[[Event], None]


def default_workers() -> int:
    """One for each core this process may use and one more, as each waits a part of its time; up to MOST_WORKERS."""
    cores = os.cpu_count() or 1
    with suppress(AttributeError):
        cores = len(os.sched_getaffinity(0))
    return min(MOST_WORKERS, cores + 1)


def keep_warm(folder: Path, edition: str) -> Mapping[str, str]:
    """Have kernels for a home ready, and what the areas of an edition share; what a worker needs to use them."""
    return warm.keep_warm(kernel_environment(folder), edition)


def worker_pool(workers: int) -> Executor:
    """Processes started afresh: a forked one would share the parent's threads and sockets. Their kernels all come from
    one warm process, which is this one's.
    """
    context = multiprocessing.get_context("spawn")
    scratch = tempfile.mkdtemp(prefix="cbs-batch-")
    shared = warm.keep_warm(kernel_environment(home()))
    executor = ProcessPoolExecutor(workers, context, initializer=start_worker, initargs=(scratch, shared))
    weakref.finalize(executor, shutil.rmtree, scratch, ignore_errors=True)
    return executor


def run_plan(
    plan: Plan,
    *,
    workers: int | None = None,
    limits: Limits = Limits(),  # noqa: B008  # it is frozen
    only_failed: bool = False,
    on_event: OnEvent = lambda event: None,
    pool: Pool = worker_pool,
) -> list[NotebookRecord]:
    """Run those of a plan's jobs that are not made yet, or not from what is there now; the records of all of them.

    `only_failed` leaves every job alone but those that failed before. One run at a time works on an edition. Raises
    UserError where the disk does not take what was made.
    """
    with held(plan.edition, lambda: on_event(Event("waiting"))):
        landing = Landing(plan)
        records: dict[Job, NotebookRecord] = {}
        due = []
        considered = _considered(plan, landing, only_failed)
        on_event(Event("planned", notebooks=len(considered)))
        for job in considered:
            before = landing.known(job)
            if before is None or landing.why(job):
                due.append(job)
            else:
                records[job] = before
                on_event(Event("cached", job, before))

        def keep(job: Job, result: Result) -> None:
            records[job] = landing.land(job, result)
            on_event(Event("ended", job, records[job]))

        try:
            if due:
                run(_longest_first(due, landing), workers=workers, limits=limits, on_result=keep,
                    on_start=lambda job: on_event(Event("started", job)), pool=pool)  # fmt: skip
        except BaseException:
            with suppress(UserError):  # the first thing that went wrong is the one to say; the journal is kept
                landing.close()
            raise
        landing.close()
    return [records[job] for job in plan.jobs if job in records]


def explain(plan: Plan, only_failed: bool = False) -> list[tuple[Job, str]]:
    """Each job with the reason why it would run now; an empty reason where it would not. Writes nothing."""
    landing = Landing(plan)
    return [(job, landing.why(job)) for job in _considered(plan, landing, only_failed)]


def _considered(plan: Plan, landing: Landing, only_failed: bool) -> list[Job]:
    failed = {job for job in plan.jobs if (before := landing.known(job)) and before.status == "failed"}
    return [job for job in plan.jobs if job in failed or not only_failed]


def run(
    jobs: Sequence[Job],
    *,
    workers: int | None = None,
    limits: Limits = Limits(),  # noqa: B008  # it is frozen
    on_result: Callable[[Job, Result], None],
    on_start: Callable[[Job], None] = lambda job: None,
    pool: Pool = worker_pool,
) -> None:
    """Run every job and hand each result over, in this process, as it comes.

    `workers` processes at once. When a process is lost, the jobs that were with it are tried again one at a time: the
    one that loses its process again is a failed one. An interrupt stops the workers and their kernels before it is
    raised on.
    """
    batch = _Batch(workers or default_workers(), limits, on_result, on_start, pool)
    waiting = deque(jobs)
    while waiting:
        for suspect in batch.side_by_side(waiting, batch.workers):
            if batch.side_by_side(deque([suspect]), 1):
                lost = Failure("WorkerDied", "the process that ran this notebook was ended from outside, or crashed")
                on_result(suspect, Result(failed_record(suspect, lost)))


def _longest_first(jobs: Sequence[Job], landing: Landing) -> list[Job]:
    """In the order in which the last to end ends soonest: by the time each took last, new ones and wide areas first."""

    def seconds(job: Job) -> tuple[float, float]:
        before = landing.known(job)
        return -(before.seconds if before and before.status == "done" else 1e9), -job.leaves

    return sorted(jobs, key=seconds)


@dataclass
class _Batch:
    workers: int
    limits: Limits
    on_result: Callable[[Job, Result], None]
    on_start: Callable[[Job], None]
    pool: Pool

    def side_by_side(self, waiting: deque[Job], workers: int) -> list[Job]:
        """Run jobs off the queue until it is empty or a process is lost; returns those that were out when one was.

        One more than can be worked on is out, so that no worker waits while a result is written.
        """
        out: dict[Future[Result], Job] = {}
        with _opened(self.pool, min(workers, len(waiting))) as executor:
            while waiting or out:
                try:
                    while waiting and len(out) < workers + (workers > 1):
                        future = _submit(executor, waiting[0], self.limits)
                        out[future] = waiting.popleft()
                        self.on_start(out[future])
                except BrokenExecutor:
                    return self._collected(out)
                done, _ = wait(out, return_when=FIRST_COMPLETED)
                if any(map(_is_lost, done)):
                    return self._collected(out)
                for future in done:
                    job = out.pop(future)
                    self.on_result(job, _outcome(job, future))
        return []

    def _collected(self, out: dict[Future[Result], Job]) -> list[Job]:
        """After a loss: keep the results that arrived before it, return the other jobs."""
        wait(out)
        suspects = []
        for future, job in out.items():
            if _is_lost(future):
                suspects.append(job)
            else:
                self.on_result(job, _outcome(job, future))
        return suspects


def _is_lost(future: Future[Result]) -> bool:
    """Whether a job's place of work is gone, with the job."""
    return future.cancelled() or isinstance(future.exception(), BrokenExecutor)


def _outcome(job: Job, future: Future[Result]) -> Result:
    try:
        return future.result()
    except Exception as error:  # of whatever carries jobs elsewhere: `execute` itself raises none
        return Result(failed_record(job, Failure(type(error).__name__, str(error))))


def _submit(executor: Executor, job: Job, limits: Limits) -> Future[Result]:
    """Hand a job over with Ctrl-C held back meanwhile, so that a process just being started does not get it
    too.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "pthread_sigmask"):
        return executor.submit(work, job, limits)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return executor.submit(work, job, limits)
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
    while left and (ended := wait_for_end(list(left), timeout=SECONDS_TO_LEAVE + 2)):
        left -= {end for end in ended if isinstance(end, int)}
    for end in left:
        ends[end].kill()


# A worker process executes the jobs that it is given, and leaves with its kernel when it is told to or when the batch
# is gone.
_is_worker = False
_is_busy = False


def start_worker(scratch: str, shared: Mapping[str, str]) -> None:
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
        wait_for_end([batch.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
