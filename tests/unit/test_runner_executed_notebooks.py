"""Where results land, nothing is half there: whatever moment a run is cut off at, the next one goes on from it."""

import io
import os
import shutil
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path

import pytest
from failing_machines import Crash, Full, Machine, named

from cbs_analysis.errors import UserError
from cbs_analysis.files import stamp
from cbs_analysis.run_record import JOURNAL
from cbs_analysis.runner import Job, NotebookRecord, Plan, Result, read_run, run_plan
from cbs_analysis.runner.executed_notebooks import Landing, held

EDITION = "e"
PARTS = {name: {"notebook": name, "edition": "1"} for name in ("new", "as_before", "changed", "mended", "breaking")}
PARTS["lost"] = {"notebook": "lost", "edition": "1"}
# What became of each chapter in an earlier run, and in this one: "done", "failed", or "lost" without a notebook.
EARLIER = {"as_before": "done", "changed": "done", "mended": "failed", "breaking": "done", "lost": "failed"}
NOW = {"new": "done", "changed": "done", "mended": "done", "breaking": "failed", "lost": "lost"}


@pytest.fixture
def build(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    return tmp_path / "build"


def plan_in(build: Path, parts: dict[str, dict[str, str]] = PARTS) -> Plan:
    folder = build / "editions" / EDITION / "5LE"
    jobs = tuple(Job(EDITION, "5LE", name, Path("x"), folder / f"{name}.ipynb", build.parent) for name in parts)
    return Plan(EDITION, jobs, tuple((job.area_code, job.chapter) for job in jobs), parts)


def result_of(job: Job, outcome: str, run: str) -> Result:
    notebook = None if outcome == "lost" else f"{job.chapter} of {run}: {outcome}\n".encode() * 50
    if outcome == "done":
        return Result(NotebookRecord(job.area_code, job.chapter, "done", 1.0), notebook)
    return Result(NotebookRecord(job.area_code, job.chapter, "failed", 1.0, 2, "ValueError", f"Môn {run}"), notebook)


def earlier_run(build: Path) -> None:
    """Leave what earlier runs left, the last of which was killed: some records in run.json, some in the journal."""
    earlier = {name: {**parts, "edition": "1" if name == "as_before" else "0"} for name, parts in PARTS.items()}
    plan = plan_in(build, earlier)
    with held(EDITION):
        landing = Landing(plan)
        for job in plan.jobs:
            if job.chapter in EARLIER:
                landing.land(job, result_of(job, EARLIER[job.chapter], "earlier"))
            if job.chapter == "changed":
                landing.close()
    assert (build / "editions" / EDITION / JOURNAL).exists()


def this_run(build: Path, landed: list[str]) -> None:
    """Land what is due; `landed` takes the chapters that were told as ended."""
    plan = plan_in(build)
    with held(EDITION):
        landing = Landing(plan)
        for job in plan.jobs:
            if landing.why(job):
                landing.land(job, result_of(job, NOW[job.chapter], "now"))
                landed.append(job.chapter)
        landing.close()


def files_in(build: Path) -> dict[str, bytes]:
    found = {path.relative_to(build).as_posix(): path for path in build.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in sorted(found.items()) if not name.endswith(".lock")}


@pytest.fixture
def undisturbed(tmp_path: Path, build: Path, monkeypatch) -> dict[str, bytes]:
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "undisturbed"))
    earlier_run(tmp_path / "undisturbed")
    this_run(tmp_path / "undisturbed", [])
    files = files_in(tmp_path / "undisturbed")
    monkeypatch.setenv("CBS_BUILD", str(build))
    return files


def test_an_undisturbed_run_leaves_notebooks_and_the_record_and_nothing_else(undisturbed):
    assert list(undisturbed) == [
        "editions/e/5LE/as_before.ipynb",
        "editions/e/5LE/breaking.failed.ipynb",
        "editions/e/5LE/changed.ipynb",
        "editions/e/5LE/mended.ipynb",
        "editions/e/5LE/new.ipynb",
        "editions/e/run.json",
    ]
    assert undisturbed["editions/e/5LE/as_before.ipynb"].startswith(b"as_before of earlier: done")
    assert undisturbed["editions/e/5LE/changed.ipynb"].startswith(b"changed of now: done")


@pytest.mark.parametrize("power_cut", [False, True], ids=["killed", "power cut"])
def test_a_run_cut_off_at_any_moment_loses_only_what_had_not_ended(build, undisturbed, power_cut):
    kept = build.parent / "kept"
    earlier_run(build)
    build.rename(kept)
    moments: list[str] = []
    while True:
        shutil.rmtree(build, ignore_errors=True)
        shutil.copytree(kept, build)
        machine, landed = Machine(build, len(moments) + 1), []
        try:
            with machine.running():
                this_run(build, landed)
            break
        except Crash:
            moments.append(machine.moments[-1])
        assert len(machine.moments) == len(moments)
        if power_cut:
            machine.lose_what_was_not_synced()
        _next_run_goes_on(build, landed, undisturbed, f"{len(moments)}, {moments[-1]}")
    assert len(moments) > 100
    assert {"half of write", "before fsync", "before replace", "after replace", "before unlink"} <= set(moments)
    assert files_in(build) == undisturbed


def _next_run_goes_on(build: Path, landed: list[str], undisturbed: dict[str, bytes], moment: str) -> None:
    plan = plan_in(build)
    with held(EDITION):
        landing = Landing(plan)
        due = {job.chapter: landing.why(job) for job in plan.jobs}
        for job in plan.jobs:
            record = landing.known(job)
            if not due[job.chapter]:
                assert job.output.read_bytes() == undisturbed[job.output.relative_to(build).as_posix()], moment
            elif record and job.chapter in landed:
                assert (record.status, record.message) == ("failed", "Môn now"), f"{moment}: {job.chapter}"
        assert not due["as_before"], moment
        for chapter in landed:
            assert due[chapter].startswith("it failed") == (NOW[chapter] != "done"), (
                f"{moment}: {chapter} {due[chapter]}"
            )
            assert NOW[chapter] != "done" or not due[chapter], f"{moment}: {chapter} was recorded, now {due[chapter]}"
    this_run(build, [])
    assert files_in(build) == undisturbed, moment


def test_the_notebook_then_its_name_then_its_record_are_on_the_disk_before_landing_ends(build, monkeypatch):
    plan, did = plan_in(build), []
    fsync, move = os.fsync, os.replace

    def look_fsync(handle):
        did.append(("kept", named(handle).name))
        fsync(handle)

    def look_replace(source, target):
        did.append(("named", Path(target).name))
        move(source, target)

    landing, job = Landing(plan), plan.jobs[0]
    monkeypatch.setattr(os, "fsync", look_fsync)
    monkeypatch.setattr(os, "replace", look_replace)
    record = landing.land(job, result_of(job, "done", "now"))
    assert did[:4] == [("kept", name) for name in (build.parent.name, "build", "editions", EDITION)], "new folders"
    assert did[4][0] == "kept" and did[4][1].startswith(".new.ipynb.")
    assert did[5:8] == [("named", "new.ipynb"), ("kept", "5LE"), ("kept", JOURNAL)]
    assert read_run(EDITION).notebooks == (record,)
    assert record.made_from == PARTS["new"]
    assert len(record.digest) == 24


def test_the_name_of_a_new_journal_is_on_the_disk_before_landing_ends(build, monkeypatch):
    plan, kept, fsync = plan_in(build), [], os.fsync
    landing, job = Landing(plan), plan.jobs[0]

    def look(handle):
        kept.append(named(handle))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", look)
    landing.land(job, result_of(job, "done", "now"))
    journal = build / "editions" / EDITION / JOURNAL
    assert journal.parent in kept[kept.index(journal) :]


def test_a_cut_off_last_line_of_the_journal_costs_that_notebook_only(build):
    plan = plan_in(build)
    landing = Landing(plan)
    for job in plan.jobs[:2]:
        landing.land(job, result_of(job, "done", "now"))
    journal = build / "editions" / EDITION / JOURNAL
    journal.write_bytes(journal.read_bytes()[:-10])
    again = Landing(plan)
    assert [again.why(job) for job in plan.jobs[:3]] == ["", "not made yet", "not made yet"]
    again.close()
    assert not journal.exists()
    assert [record.chapter for record in read_run(EDITION).notebooks] == [plan.jobs[0].chapter]


def test_lines_after_a_cut_off_one_are_not_lost_with_it(build):
    plan = plan_in(build)
    landing = Landing(plan)
    landing.land(plan.jobs[0], result_of(plan.jobs[0], "done", "now"))
    journal = build / "editions" / EDITION / JOURNAL
    journal.write_bytes(journal.read_bytes() + b'{"area_code": "5L')
    Landing(plan).land(plan.jobs[1], result_of(plan.jobs[1], "done", "now"))
    assert {record.chapter for record in read_run(EDITION).notebooks} == {plan.jobs[0].chapter, plan.jobs[1].chapter}


@pytest.fixture
def disk_for(monkeypatch):
    """Let the disk take so many writes and no more."""

    def fill(writes: int) -> None:
        left, opened = [writes], io.open

        def limited(file, mode="r", *arguments, **others):
            found = opened(file, mode, *arguments, **others)
            return Full(found, left) if mode in ("wb", "ab") else found

        monkeypatch.setattr(io, "open", limited)

    return fill


@pytest.mark.parametrize("writes", [2, 3], ids=["no room for the notebook", "no room for its record"])
def test_a_full_disk_is_said_once_with_what_and_where_and_keeps_what_ended_before(build, disk_for, writes, monkeypatch):
    plan = plan_in(build)
    first, second, *_ = plan.jobs
    with held(EDITION):
        landing = Landing(plan)
        disk_for(writes)
        landing.land(first, result_of(first, "done", "now"))
        with pytest.raises(UserError) as caught:
            landing.land(second, result_of(second, "done", "now"))
    said = str(caught.value)
    assert f"5LE {second.chapter} cannot be written: No space left on device" in said
    assert str(second.output.parent) in said
    assert "what ended before it is kept" in said
    assert "\n" not in said
    monkeypatch.undo()
    monkeypatch.setenv("CBS_BUILD", str(build))
    assert not list(build.rglob(".*.tmp"))
    with held(EDITION):
        again = Landing(plan)
        assert again.why(first) == ""
        assert again.why(second) == "not made yet"


class AtOnce(Executor):
    """Makes each notebook as soon as it is asked for."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def submit(self, function, job, limits):
        future: Future[Result] = Future()
        future.set_result(result_of(job, "done", "now"))
        return future


def test_a_run_on_a_disk_that_stays_full_says_which_notebook_and_where(build, disk_for, monkeypatch):
    plan, ended = plan_in(build), []
    disk_for(3)
    with pytest.raises(UserError) as caught:
        run_plan(plan, workers=1, pool=AtOnce, on_event=lambda event: ended.append(event.job) if event.record else None)
    first, second = plan.jobs[:2]
    monkeypatch.undo()
    monkeypatch.setenv("CBS_BUILD", str(build))
    assert ended == [first]
    assert [job.chapter for job in plan.jobs if not Landing(plan).why(job)] == [first.chapter]
    assert f"5LE {second.chapter} cannot be written: No space left on device: {second.output.parent}" in str(
        caught.value
    )


def test_a_full_disk_at_the_end_keeps_the_journal_and_says_so(build, disk_for, monkeypatch):
    plan = plan_in(build)
    landing, job = Landing(plan), plan.jobs[0]
    landing.land(job, result_of(job, "done", "now"))
    disk_for(0)
    with pytest.raises(UserError, match=r"run.json cannot be written: No space left on device; the journal .* is kept"):
        landing.close()
    monkeypatch.undo()
    monkeypatch.setenv("CBS_BUILD", str(build))
    assert Landing(plan).why(job) == ""


def test_a_folder_that_cannot_be_written_is_named(build):
    build.mkdir()
    (build / "editions").write_text("in the way")
    with pytest.raises(UserError, match=r"editions/e cannot be written: Not a directory|File exists"), held(EDITION):
        pytest.fail("it was held")


@pytest.mark.parametrize(
    ("meddle", "reason"),
    [
        (lambda path: path.unlink(), "its notebook is gone"),
        (lambda path: path.write_bytes(path.read_bytes() + b" "), "its notebook was changed since"),
        (lambda path: path.write_bytes(b""), "its notebook was changed since"),
        (lambda path: (path.unlink(), path.mkdir()), "its notebook cannot be read: Is a directory"),
        (lambda path: os.utime(path, (1, 1)), ""),
        (lambda path: path.write_bytes(path.read_bytes()), ""),
    ],
)
def test_a_notebook_that_is_not_as_it_was_left_is_due_with_the_reason(build, meddle, reason):
    plan = plan_in(build)
    job = plan.jobs[0]
    landing = Landing(plan)
    landing.land(job, result_of(job, "done", "now"))
    landing.close()
    meddle(job.output)
    assert Landing(plan).why(job) == reason


def test_why_names_the_parts_that_changed_before_anything_else(build):
    plan = plan_in(build)
    job, landing = plan.jobs[0], Landing(plan)
    landing.land(job, result_of(job, "done", "now"))
    job.output.unlink()
    other = replace(plan, parts={**PARTS, "new": {"notebook": "x", "edition": "1"}})
    assert Landing(other).why(job) == "notebook changed"


def test_a_record_of_a_version_that_kept_no_key_is_due(build):
    plan = plan_in(build)
    landing, job = Landing(plan), plan.jobs[0]
    landing._journal.append(NotebookRecord("5LE", job.chapter, "done", 1.0))
    assert Landing(plan).why(job).startswith("what it was made from is not known")


def test_a_notebook_whose_inputs_were_written_to_while_it_was_made_is_kept_and_made_again(build, tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("as planned")
    job = plan_in(build).jobs[0]
    plan = replace(plan_in(build), jobs=(job,), stamps={job.chapter: {table: stamp(table)}})
    for text in ("another", "as planned"):
        table.write_text(text)
    landing = Landing(plan)
    landing.land(job, result_of(job, "done", "now"))
    assert job.output.exists()
    assert landing.why(job) == "what it was made from is not known, or was changed while it was made"
    landing = Landing(replace(plan, stamps={job.chapter: {table: stamp(table)}}))
    landing.land(job, result_of(job, "done", "again"))
    assert landing.why(job) == ""


def test_drafts_of_a_killed_writer_go_when_the_edition_is_held_again(build):
    draft = build / "editions" / EDITION / "5LE" / ".new.ipynb.abc.tmp"
    draft.parent.mkdir(parents=True)
    draft.write_text("half")
    with held(EDITION):
        assert not draft.exists()
