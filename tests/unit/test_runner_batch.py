"""A batch goes on when a notebook or a whole process is lost. Here with executors that lose jobs to order,
without kernels.
"""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from cbs_analysis.runner import Job, NotebookRecord, run


class Processes(Executor):
    """Does a job at once and makes good or bad ends of it: `deadly` breaks the pool, `odd` fails on the
    way.
    """

    opened = 0

    def __init__(self, workers: int) -> None:
        self.is_broken = False
        Processes.opened += 1

    def submit(self, function, job, timeout):
        if self.is_broken:
            raise BrokenProcessPool("broken")
        future = Future()
        if job.chapter == "deadly":
            self.is_broken = True
            future.set_exception(BrokenProcessPool("a process died"))
        elif job.chapter == "odd":
            future.set_exception(ConnectionError("cable out"))
        else:
            future.set_result(NotebookRecord(job.area_code, job.chapter, "done", float(timeout)))
        return future


@pytest.fixture
def jobs_of(tmp_path: Path):
    def jobs(*chapters: str) -> list[Job]:
        folder = tmp_path / "build" / "5LE"
        folder.mkdir(parents=True)
        made = [Job("e", "5LE", name, tmp_path / "x.ipynb", folder / f"{name}.ipynb", tmp_path) for name in chapters]
        for job in made:
            job.output.write_text("from an earlier run")
            job.failed_output.write_text("from an earlier run")
        return made

    return jobs


def test_records_come_in_the_order_of_the_jobs_and_each_is_told_once(jobs_of):
    told = []
    records = run(jobs_of("a", "b", "c"), workers=2, timeout=9, on_record=told.append, pool=Processes)
    assert [record.chapter for record in records] == ["a", "b", "c"]
    assert {record.seconds for record in records} == {9.0}
    assert sorted(record.chapter for record in told) == ["a", "b", "c"]


def test_the_notebook_that_loses_its_process_is_named_and_the_others_are_made(jobs_of):
    jobs = jobs_of("a", "deadly", "b", "c")
    told = []
    records = run(jobs, workers=3, on_record=told.append, pool=Processes)
    assert [record.status for record in records] == ["done", "failed", "done", "done"]
    assert records[1].error == "WorkerDied"
    assert len(told) == 4
    assert not jobs[1].output.exists()
    assert not jobs[1].failed_output.exists()


def test_many_lost_processes_end_the_batch_all_the_same(jobs_of):
    jobs = jobs_of("deadly", "a") + [Job("e", "SEL", "deadly", *rest) for rest in [(Path("x"), Path("y"), Path("z"))]]
    assert [record.status for record in run(jobs, workers=2, pool=Processes)] == ["failed", "done", "failed"]


def test_a_job_that_fails_on_its_way_to_a_process_is_a_failed_notebook(jobs_of):
    odd, other = run(jobs_of("odd", "a"), workers=1, pool=Processes)
    assert (odd.status, odd.error, odd.message) == ("failed", "ConnectionError", "cable out")
    assert other.status == "done"


def test_no_jobs_need_no_processes():
    before = Processes.opened
    assert run([], workers=2, pool=Processes) == []
    assert Processes.opened == before
