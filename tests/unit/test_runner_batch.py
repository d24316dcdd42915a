"""A batch goes on when a notebook or a whole process is lost. Here with executors that lose jobs to order,
without kernels.
"""

from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest

from cbs_analysis.runner import Event, Job, Limits, NotebookRecord, Plan, Result, explain, read_run, run, run_plan


class Processes(Executor):
    """Does a job at once and makes good or bad ends of it: `deadly` breaks the pool, `odd` fails on the
    way, `raising` fails as a notebook does.
    """

    opened = 0
    worked: list[tuple[str, str]]

    def __init__(self, workers: int) -> None:
        self.is_broken = False
        Processes.opened += 1

    def submit(self, function, job, limits):
        if self.is_broken:
            raise BrokenProcessPool("broken")
        future = Future()
        Processes.worked.append((job.area_code, job.chapter))
        if job.chapter == "deadly":
            self.is_broken = True
            future.set_exception(BrokenProcessPool("a process died"))
        elif job.chapter == "odd":
            future.set_exception(ConnectionError("cable out"))
        else:
            future.set_result(outcome(job, float(limits.seconds)))
        return future


def outcome(job: Job, seconds: float) -> Result:
    text = f"{job.area_code} {job.chapter} executed".encode()
    if job.chapter == "raising":
        failed = NotebookRecord(job.area_code, job.chapter, "failed", seconds, 2, "ValueError", "no such month")
        return Result(failed, text + b" in part")
    return Result(NotebookRecord(job.area_code, job.chapter, "done", seconds), text)


@pytest.fixture(autouse=True)
def build(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    Processes.worked = []
    return tmp_path / "build"


@pytest.fixture
def plan_of(tmp_path: Path, build: Path):
    """A plan of some chapters for some areas, each notebook as an earlier run of another time left it."""

    def plan(*chapters: str, areas: tuple[str, ...] = ("5LE",)) -> Plan:
        jobs = []
        for area in areas:
            folder = build / "editions" / "e" / area
            folder.mkdir(parents=True, exist_ok=True)
            jobs += [
                Job("e", area, name, tmp_path / "x.ipynb", folder / f"{name}.ipynb", tmp_path) for name in chapters
            ]
        for job in jobs:
            job.output.write_text("from an earlier run")
            job.failed_output.write_text("from an earlier run")
        offered = tuple((job.area_code, job.chapter) for job in jobs)
        parts = {name: {"notebook": f"digest of {name}", "edition": "1"} for name in chapters}
        return Plan("e", tuple(jobs), offered, parts)

    return plan


def edited(plan: Plan, chapter: str) -> Plan:
    parts = {name: {**of, "notebook": "another"} if name == chapter else of for name, of in plan.parts.items()}
    return replace(plan, parts=parts)


def run_all(plan: Plan, **choices) -> tuple[list[NotebookRecord], list[Event]]:
    told: list[Event] = []
    Processes.worked = []
    return run_plan(plan, workers=choices.pop("workers", 2), on_event=told.append, pool=Processes, **choices), told


def test_records_come_in_the_order_of_the_jobs_and_each_is_told_once(plan_of):
    records, told = run_all(plan_of("a", "b", "c"), limits=Limits(9))
    assert [record.chapter for record in records] == ["a", "b", "c"]
    assert {record.seconds for record in records} == {9.0}
    assert sorted(event.record.chapter for event in told if event.kind == "ended") == ["a", "b", "c"]


def test_results_are_handed_over_one_for_each_job(plan_of):
    jobs, results = plan_of("a", "b", "raising").jobs, {}
    run(jobs, workers=2, on_result=results.__setitem__, pool=Processes)
    assert results == {job: outcome(job, 300.0) for job in jobs}


def test_the_notebook_that_loses_its_process_is_named_and_the_others_are_made(plan_of):
    plan = plan_of("a", "deadly", "b", "c")
    records, told = run_all(plan, workers=3)
    assert [record.status for record in records] == ["done", "failed", "done", "done"]
    assert records[1].error == "WorkerDied"
    assert sum(event.kind == "ended" for event in told) == 4
    assert not plan.jobs[1].output.exists()
    assert not plan.jobs[1].failed_output.exists()


def test_many_lost_processes_end_the_batch_all_the_same(plan_of):
    records, _ = run_all(plan_of("deadly", "a", areas=("5LE", "SEL")))
    assert [record.status for record in records] == ["failed", "done", "failed", "done"]


def test_a_job_that_fails_on_its_way_to_a_process_is_a_failed_notebook(plan_of):
    (odd, other), _ = run_all(plan_of("odd", "a"), workers=1)
    assert (odd.status, odd.error, odd.message) == ("failed", "ConnectionError", "cable out")
    assert other.status == "done"


def test_no_jobs_need_no_processes(plan_of):
    before = Processes.opened
    run([], workers=2, on_result=lambda job, result: None, pool=Processes)
    assert Processes.opened == before
    plan = plan_of("a")
    run_all(plan)
    assert Processes.opened == before + 1
    run_all(plan)
    assert Processes.opened == before + 1


def test_a_failed_notebook_keeps_what_ran_and_takes_the_earlier_one_away(plan_of):
    plan = plan_of("raising", "a")
    run_all(plan)
    failed, good = plan.jobs
    assert not failed.output.exists()
    assert failed.failed_output.read_text() == "5LE raising executed in part"
    assert good.output.read_text() == "5LE a executed"
    assert not good.failed_output.exists()


def test_what_is_as_it_would_be_is_not_run_again_and_told_as_cached(plan_of):
    plan = plan_of("a", "b", areas=("5LE", "SEL"))
    first, _ = run_all(plan)
    second, told = run_all(plan)
    assert Processes.worked == []
    assert second == first
    assert told[0] == Event("planned", notebooks=4)
    assert [(event.kind, event.job) for event in told[1:]] == [("cached", job) for job in plan.jobs]


def test_one_template_edited_runs_that_chapter_and_no_other(plan_of):
    plan = plan_of("a", "b", areas=("5LE", "SEL"))
    run_all(plan)
    after = edited(plan, "b")
    assert [reason for _, reason in explain(after)] == ["", "notebook changed"] * 2
    records, told = run_all(after)
    assert sorted(Processes.worked) == [("5LE", "b"), ("SEL", "b")]
    assert len(records) == 4
    assert sum(event.kind == "cached" for event in told) == 2
    run_all(after)
    assert Processes.worked == []


def test_a_failed_notebook_is_tried_again_by_the_next_run(plan_of):
    plan = plan_of("raising", "a")
    run_all(plan)
    assert [reason for _, reason in explain(plan)] == ["it failed: cell 2: ValueError: no such month", ""]
    run_all(plan)
    assert Processes.worked == [("5LE", "raising")]


def test_only_failed_leaves_the_changed_and_the_new_alone(plan_of):
    plan = plan_of("raising", "a", "b")
    run_all(replace(plan, jobs=plan.jobs[:2]))
    records, told = run_all(edited(plan, "a"), only_failed=True)
    assert Processes.worked == [("5LE", "raising")]
    assert [record.chapter for record in records] == ["raising"]
    assert told[0] == Event("planned", notebooks=1)
    assert {event.job.chapter for event in told[1:]} == {"raising"}
    assert [record.chapter for record in read_run("e").notebooks] == ["raising", "a"]


def test_events_come_in_order_and_say_which_job(plan_of):
    plan = plan_of("a", "b", "c")
    run_all(replace(plan, jobs=plan.jobs[:1]))
    _, told = run_all(plan, workers=1)
    assert told.pop(0) == Event("planned", notebooks=3)
    assert [(event.kind, event.job.chapter) for event in told] == [
        ("cached", "a"),
        ("started", "b"),
        ("ended", "b"),
        ("started", "c"),
        ("ended", "c"),
    ]
    assert all((event.record is None) == (event.kind == "started") for event in told)


def test_a_record_can_be_read_by_others_when_its_end_is_told(plan_of):
    plan = plan_of("a", "raising", "b")
    seen = []

    def look(event: Event) -> None:
        if event.kind == "ended":
            assert event.record in read_run("e").notebooks
            path = event.job.output if event.record.status == "done" else event.job.failed_output
            seen.append(path.read_bytes())

    run_plan(plan, workers=1, on_event=look, pool=Processes)
    assert seen == [b"5LE a executed", b"5LE raising executed in part", b"5LE b executed"]


def test_what_took_longest_before_starts_first_and_the_new_and_the_wide_before_it(plan_of, monkeypatch):
    plan = plan_of("a", "b", "c", "new", areas=("5LE", "SEL"))
    took = {"a": 1.0, "b": 9.0, "c": 4.0}
    wide = replace(plan, jobs=tuple(replace(job, leaves=6 if job.area_code == "SEL" else 1) for job in plan.jobs))
    real = outcome
    monkeypatch.setitem(globals(), "outcome", lambda job, seconds: real(job, took.get(job.chapter, 0.0)))
    run_all(replace(wide, jobs=tuple(job for job in wide.jobs if job.chapter != "new")))
    changed = replace(wide, parts={name: {"notebook": "another"} for name in wide.parts})
    run_all(changed)
    areas, chapters = zip(*Processes.worked, strict=True)
    assert chapters == ("new", "new", "b", "b", "c", "c", "a", "a")
    assert areas == ("SEL", "5LE") * 4


def test_records_are_kept_when_the_run_is_broken_off(plan_of):
    plan = plan_of("a", "b", "c")

    def leave(event: Event) -> None:
        if event.kind == "ended":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_plan(plan, workers=1, on_event=leave, pool=Processes)
    assert [record.chapter for record in read_run("e").notebooks] == ["a"]
    assert sorted(path.name for path in (plan.jobs[0].output.parents[1]).iterdir()) == [".lock", "5LE", "run.json"]
    run_all(plan)
    assert Processes.worked == [("5LE", "b"), ("5LE", "c")]
