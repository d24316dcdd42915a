"""`cbs packs` from its options to its files, with notebooks made by a stand-in instead of a kernel."""

import json
import re
import signal
import sys
import threading
from concurrent.futures import Executor, Future

import pytest

from cbs_analysis import cli, runner
from cbs_analysis.cli.progress import Events
from cbs_analysis.runner import Limits, NotebookRecord, Result, cluster, make_plan, run_path
from cbs_analysis.runner.executed_notebooks import held


class InProcess(Executor):
    """Makes a notebook at once; chapter `bad` fails until it is mended."""

    is_mended = False
    worked: list[tuple[str, str]]
    limits: Limits
    workers: int

    def __init__(self, workers: int) -> None:
        InProcess.workers = workers

    def submit(self, function, job, limits):
        InProcess.worked.append((job.area_code, job.chapter))
        InProcess.limits = limits
        future: Future[Result] = Future()
        if job.chapter == "bad" and not InProcess.is_mended:
            record = NotebookRecord(
                job.area_code, job.chapter, "failed", 0.5, 3, "ValueError", "Ynys Môn\nmore", "trace"
            )
            future.set_result(Result(record, b"part"))
        else:
            future.set_result(Result(NotebookRecord(job.area_code, job.chapter, "done", 0.25), b"whole"))
        return future


@pytest.fixture
def home(make_home, monkeypatch):
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: [])
    monkeypatch.setattr("cbs_analysis.pack.checks.check_periods", lambda edition, tables, params, data: None)
    monkeypatch.setattr(runner, "worker_pool", InProcess)
    monkeypatch.setattr(InProcess, "worked", [], raising=False)
    monkeypatch.setattr(InProcess, "is_mended", False)
    monkeypatch.setattr(signal, "signal", lambda *arguments: None)
    return make_home(good=["1"], bad=["2"])


@pytest.fixture
def cbs(monkeypatch, capfd):
    """Run `cbs packs` as its entry point does; returns (exit status, standard output, standard error)."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cbs", "packs", *arguments])
        InProcess.worked = []
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    return run


def test_a_run_says_each_notebook_and_how_many_and_ends_with_status_1_where_one_failed(home, cbs):
    status, out, err = cbs("--area", "5LE", "--area", "SEL", "--jobs", "1")
    assert (status, err) == (1, "")
    lines = out.splitlines()
    assert sum(line.endswith(": done, 0.2 s") for line in lines) == 2
    assert re.fullmatch(r"2 of 4 notebooks made in \d+ s, 2 failed: .*/build/editions/2011-12", lines[4])
    assert lines[5:] == [
        "  5LE bad, cell 3: ValueError: Ynys Môn",
        "  SEL bad, cell 3: ValueError: Ynys Môn",
        "What ran before an error is kept, with the error under its cell, as in "
        f"{home / 'build' / 'editions' / '2011-12' / '5LE' / 'bad.failed.ipynb'}",
    ]


def test_jobs_timeout_and_memory_reach_the_notebooks(home, cbs):
    cbs("--area", "5LE", "--area", "SEL", "--jobs", "3", "--timeout", "17", "--memory", "1.5")
    assert InProcess.workers == 3
    assert InProcess.limits == Limits(17, 1536 * 1024**2)


def test_a_second_run_makes_nothing_again_and_says_so(home, cbs):
    chosen = ("--area", "5LE", "--chapter", "good")
    assert cbs(*chosen)[0] == 0
    status, out, _ = cbs(*chosen)
    assert status == 0
    assert InProcess.worked == []
    assert out.startswith("0 of 1 notebooks made in 0 s, 1 as before, 0 failed: ")


def test_events_are_all_that_standard_output_has(home, cbs):
    cbs("--area", "5LE", "--chapter", "good")
    status, out, err = cbs("--area", "5LE", "--json", "--jobs", "1")
    told = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (1, "")
    assert [one["event"] for one in told] == ["planned", "cached", "started", "ended", "finished"]
    assert told[0]["notebooks"] == 2
    assert told[1] == {"event": "cached", "area": "5LE", "chapter": "good"}
    assert told[3] == {
        "event": "ended", "area": "5LE", "chapter": "bad", "status": "failed", "seconds": 0.5, "cell": 3,
        "error": "ValueError", "message": "Ynys Môn\nmore", "traceback": "trace",
    }  # fmt: skip
    assert {key: told[4][key] for key in ("made", "cached", "failed")} == {"made": 0, "cached": 1, "failed": 1}
    assert told[4]["seconds"] >= 0


def test_explain_says_why_each_would_run_and_runs_none(home, cbs):
    chosen = ("--area", "5LE", "--explain")
    status, out, _ = cbs(*chosen)
    assert status == 0
    assert out.splitlines() == ["5LE good: not made yet", "5LE bad: not made yet", "2 of 2 notebooks would run"]
    assert InProcess.worked == []
    assert not (home / "build" / "editions").exists()
    cbs("--area", "5LE")
    assert cbs(*chosen)[1].splitlines() == [
        "5LE good: as it is",
        "5LE bad: it failed: cell 3: ValueError: Ynys Môn",
        "1 of 2 notebooks would run",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("notebooks/good.ipynb", "notebook changed"),
        ("params/editions/2011-12.yml", "edition changed"),
        ("params/indicators.yml", "indicators and series changed"),
        ("data/reference/areas.csv", "reference tables changed"),
        ("data/published/population_by_age.csv", "as it is"),
    ],
)
def test_explain_names_what_changed_since(home, cbs, name, reason):
    chosen = ("--area", "5LE", "--chapter", "good")
    cbs(*chosen)
    path = home / name
    *lines, last = path.read_text(encoding="utf-8").splitlines(keepends=True)
    changed = {
        ".ipynb": [*lines, f" {last}"],
        ".yml": [*lines, last, "notes: [a note]\n" if "editions" in name else "# note\n"],
        ".csv": [*lines[:-1], last, lines[-1]],  # two rows in the other order
    }
    path.write_text("".join(changed[path.suffix]), encoding="utf-8")
    assert cbs(*chosen, "--explain")[1].splitlines()[0] == f"5LE good: {reason}"


def test_explain_leaves_a_run_that_is_at_work_alone(home, cbs):
    cbs("--area", "5LE", "--chapter", "good")
    journal = run_path("2011-12").with_name("run.journal")
    journal.write_bytes(b'{"area_code": "5LE", "chapter": "bad", "status": "done", "seconds": 1.0}\n')
    before = {path: path.read_bytes() for path in (journal, run_path("2011-12"))}
    cbs("--area", "5LE", "--explain")
    assert {path: path.read_bytes() for path in before if path.exists()} == before


def test_retry_failed_runs_those_that_failed_and_no_others(home, cbs):
    cbs("--area", "5LE")
    InProcess.is_mended = True
    status, out, _ = cbs("--retry-failed")
    assert InProcess.worked == [("5LE", "bad")]
    assert status == 0
    assert "1 of 1 notebooks made" in out
    assert "[1/1] 5LE bad: done" in out
    assert cbs("--retry-failed")[1].startswith("0 of 0 notebooks made")
    assert InProcess.worked == []
    kept = json.loads(run_path("2011-12").read_text(encoding="utf-8"))["notebooks"]
    assert [(one["chapter"], one["status"]) for one in kept] == [("good", "done"), ("bad", "done")]


def test_a_notebook_made_from_files_that_were_changed_meanwhile_is_said(home, cbs, monkeypatch):
    submit = InProcess.submit

    def and_changed(self, function, job, limits):
        (home / "params" / "indicators.yml").touch()
        return submit(self, function, job, limits)

    monkeypatch.setattr(InProcess, "submit", and_changed)
    _, out, _ = cbs("--area", "5LE", "--chapter", "good")
    assert "1 of them from files that were changed meanwhile: run cbs packs again" in out
    monkeypatch.setattr(InProcess, "submit", submit)
    assert "meanwhile" not in cbs("--area", "5LE", "--chapter", "good")[1]
    assert InProcess.worked == [("5LE", "good")]


def test_explain_and_retry_failed_together_are_about_what_would_be_retried(home, cbs):
    cbs("--area", "5LE")
    status, out, _ = cbs("--retry-failed", "--explain")
    assert status == 0
    assert out.splitlines()[-1].startswith("1 of ")


def test_an_interrupt_says_how_many_ended_and_keeps_them(home, cbs, monkeypatch):
    submit = InProcess.submit

    def interrupted(self, function, job, limits):
        if InProcess.worked:
            raise KeyboardInterrupt
        return submit(self, function, job, limits)

    monkeypatch.setattr(InProcess, "submit", interrupted)
    status, _, err = cbs("--area", "5LE", "--area", "SEL", "--chapter", "good", "--jobs", "1")
    assert status == 130
    assert err == "cbs: stopped after 1 of 2 notebooks; those that ended are kept\n"
    assert len(json.loads(run_path("2011-12").read_text(encoding="utf-8"))["notebooks"]) == 1


def test_a_chapter_that_declares_nothing_is_one_line_before_anything_runs(home, cbs):
    path = home / "notebooks" / "good.ipynb"
    path.write_text(path.read_text(encoding="utf-8").replace("tables = []", ""), encoding="utf-8")
    status, _, err = cbs("--area", "5LE")
    assert status == 2
    assert err.startswith("cbs: notebooks/good.ipynb: no cells set tables; say once")
    assert InProcess.worked == []


def test_a_run_that_waits_for_another_says_so(home, cbs, monkeypatch):
    held_now, release, tell = threading.Event(), threading.Event(), Events.tell

    def other() -> None:
        with held("2011-12"):
            held_now.set()
            release.wait(20)

    def tell_and_release(self, event) -> None:
        tell(self, event)
        if event.kind == "waiting":
            release.set()

    monkeypatch.setattr(Events, "tell", tell_and_release)
    thread = threading.Thread(target=other)
    thread.start()
    assert held_now.wait(10)
    status, out, _ = cbs("--area", "5LE", "--chapter", "good", "--json")
    thread.join(10)
    assert status == 0
    told = [json.loads(line)["event"] for line in out.splitlines()]
    assert told == ["waiting", "planned", "started", "ended", "finished"]


def test_an_address_where_nothing_answers_is_one_line(home, cbs, monkeypatch):
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    status, out, err = cbs("--area", "5LE", "--cluster", "tcp://127.0.0.1:1")
    assert status == 2
    assert out == ""
    assert err.startswith("cbs: --cluster: no scheduler answers at 'tcp://127.0.0.1:1'")
    assert "an address is like tcp://" in err
    assert err.count("\n") == 1
    assert InProcess.worked == []


@pytest.mark.parametrize("address", ["nonsense://x:1", "127.0.0.1:port", "tcp://"])
def test_what_is_no_address_is_one_line(home, cbs, monkeypatch, address):
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 1)
    status, _, err = cbs("--area", "5LE", "--cluster", address)
    assert status == 2
    assert err.startswith(f"cbs: --cluster: no scheduler answers at {address!r}")
    assert err.count("\n") == 1


def test_a_plan_is_checked_once_and_again_after_any_change(home, monkeypatch):
    asked = []
    monkeypatch.setattr("cbs_analysis.tables.check_tables", lambda data, tables=None: asked.append(1) or [])
    first = make_plan("2011-12")
    assert make_plan("2011-12") == first
    assert len(asked) == 1
    path = home / "data" / "datapackage.json"
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    make_plan("2011-12")
    assert len(asked) == 2
