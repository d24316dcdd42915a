"""Where results land: the one place that writes executed notebooks and their records.

One run at a time holds an edition. A notebook is written before its record, each whole and on the disk, so that a run
that is cut off at any moment loses at most what was running; the next one finds what is there to be as recorded, or
makes it again. A notebook whose inputs were written to while it was made is kept, and made again by the next run.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from cbs_analysis.errors import UserError
from cbs_analysis.files import digest, make_folder, remove_drafts, write_atomically
from cbs_analysis.run_record import Journal, NotebookRecord, recorded, run_path
from cbs_analysis.runner.cache_keys import are_unchanged, why
from cbs_analysis.runner.execute import Result
from cbs_analysis.runner.plan import Job, Plan

LOCK = ".lock"


@contextmanager
def held(edition: str, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an edition's folder for one run. Where another run holds it, says so by `on_wait` and waits for its end."""
    folder = run_path(edition).parent
    try:
        make_folder(folder)
        lock = FileLock(folder / LOCK)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
    except OSError as error:
        raise UserError(f"{folder} cannot be written: {error.strerror}") from None
    try:
        remove_drafts(folder)
        yield
    finally:
        lock.release()


class Landing:
    """What an edition has, and what a run adds to it."""

    def __init__(self, plan: Plan) -> None:
        self._journal = Journal(plan.edition, plan.offered)
        self._known = recorded(plan.edition)
        self._parts, self._stamps = plan.parts, plan.stamps

    def known(self, job: Job) -> NotebookRecord | None:
        """What became of a job when it was last run."""
        return self._known.get((job.area_code, job.chapter))

    def why(self, job: Job) -> str:
        """Why a job would run, in words; empty where what is there is what it would make."""
        before, now = self.known(job), self._parts[job.chapter]
        if before is None:
            return "not made yet"
        if before.status == "failed":
            return f"it failed: {before.reason}"
        if before.made_from != now:
            return why(before.made_from, now)
        return _why_not_as_left(job.output, before)

    def land(self, job: Job, result: Result) -> NotebookRecord:
        """Keep a result: the notebook, then its record. Raises UserError where the disk does not take them."""
        is_as_planned = are_unchanged(self._stamps.get(job.chapter, {}))
        record = replace(result.record, made_from=self._parts[job.chapter] if is_as_planned else {})
        try:
            if record.status == "done" and result.notebook is not None:
                record = replace(record, digest=digest(result.notebook))
                write_atomically(job.output, result.notebook)
                job.failed_output.unlink(missing_ok=True)
            else:
                job.output.unlink(missing_ok=True)  # it would pass for this run's
                _write_or_remove(job.failed_output, result.notebook)
            self._journal.append(record)
        except OSError as error:
            ended = f"{job.area_code} {job.chapter} cannot be written"
            raise UserError(f"{ended}: {error.strerror}: {job.output.parent}; what ended before it is kept") from None
        self._known[record.key] = record
        return record

    def close(self) -> None:
        """Fold what this run recorded into run.json."""
        try:
            self._journal.fold()
        except OSError as error:
            raise UserError(f"run.json cannot be written: {error.strerror}; the journal beside it is kept") from None


def _write_or_remove(path: Path, content: bytes | None) -> None:
    if content is None:
        path.unlink(missing_ok=True)
    else:
        write_atomically(path, content)


def _why_not_as_left(output: Path, record: NotebookRecord) -> str:
    try:
        content = output.read_bytes()
    except FileNotFoundError:
        return "its notebook is gone"
    except OSError as error:
        return f"its notebook cannot be read: {error.strerror}"
    return "" if digest(content) == record.digest else "its notebook was changed since"
