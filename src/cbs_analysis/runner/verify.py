"""Runs an edition twice, under circumstances that must not matter, and compares the bytes."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from cbs_analysis.files import digest
from cbs_analysis.home import home
from cbs_analysis.runner.batch import Event, default_workers, run
from cbs_analysis.runner.cache_keys import named_files
from cbs_analysis.runner.execute import Result
from cbs_analysis.runner.plan import Job, Plan


def verify(plan: Plan, on_event: Callable[[Event], None] = lambda event: None) -> list[tuple[str, str]]:
    """What differs between two runs of a plan: the notebook, and in what; nothing where all are the same bytes.

    The first runs here, in order, with one worker more than there are cores; the second in a copy of the home
    elsewhere, backwards, with as many as there are cores. Nothing under the build folder is written.
    """
    first, second = {}, {}
    with TemporaryDirectory(prefix="cbs-verify-") as folder:
        elsewhere = Path(folder) / "somewhere else entirely"
        for name, path in named_files(home()).items():
            (elsewhere / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, elsewhere / name)
        first = _digests(plan.jobs, default_workers() + 1, on_event)
        with _at_home_in(elsewhere):
            moved = [job.at(elsewhere) for job in reversed(plan.jobs)]
            second = _digests(moved, default_workers(), on_event)
    return [
        (f"{area} {chapter}", _difference(first[area, chapter], second[area, chapter]))
        for area, chapter in first
        if first[area, chapter] != second[area, chapter] or first[area, chapter].startswith("failed")
    ]


def _digests(
    jobs: "tuple[Job, ...] | list[Job]", workers: int, on_event: Callable[[Event], None]
) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}

    def keep(job: Job, result: Result) -> None:
        is_done = result.record.status == "done" and result.notebook is not None
        said = digest(result.notebook or b"") if is_done else f"failed, {result.record.reason}"
        found[job.area_code, job.chapter] = said
        on_event(Event("ended", job, result.record))

    run(jobs, workers=workers, on_result=keep, on_start=lambda job: on_event(Event("started", job)))
    return {(job.area_code, job.chapter): found[job.area_code, job.chapter] for job in jobs}


def _difference(first: str, second: str) -> str:
    failed = [said for said in (first, second) if said.startswith("failed")]
    return failed[0] if failed else "the two runs differ"


@contextmanager
def _at_home_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("CBS_HOME")
    os.environ["CBS_HOME"] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ["CBS_HOME"]
        else:
            os.environ["CBS_HOME"] = before
