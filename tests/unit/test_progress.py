"""How a run is told: counts and areas on a bar, a line each where there is no terminal, events for a machine."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from cbs_analysis.cli.progress import AREAS_SHOWN, WAITING, Events, Progress, finished
from cbs_analysis.cli.show import console
from cbs_analysis.runner import Event, Job, NotebookRecord

HOSTILE = "[red]no[/] \N{HOSPITAL}"


def job_of(area: str, chapter: str = "care") -> Job:
    return Job("e", area, chapter, Path("x"), Path("y"), Path("z"))


def done(area: str, chapter: str = "care") -> Event:
    return Event("ended", job_of(area, chapter), NotebookRecord(area, chapter, "done", 1.25))


def failed(area: str, chapter: str = "care") -> Event:
    record = NotebookRecord(area, chapter, "failed", 2.0, 7, "ValueError", f"{HOSTILE}\nmore", "line 1\nline 2")
    return Event("ended", job_of(area, chapter), record)


def started(area: str, chapter: str = "care") -> Event:
    return Event("started", job_of(area, chapter))


def cached(area: str, chapter: str = "care") -> Event:
    return Event("cached", job_of(area, chapter), NotebookRecord(area, chapter, "done", 1.0))


@pytest.fixture
def bar():
    """A progress of 12 at a terminal that is not there, and what it shows beside the bar."""
    progress = Progress(12, Console(file=io.StringIO(), force_terminal=True, width=150))

    def shown(*events: Event) -> tuple[str, int]:
        for event in events:
            progress.tell(event)
        (task,) = progress._bar.tasks
        assert task.total == 12
        return task.description, int(task.completed)

    return shown


def test_the_bar_counts_what_ended_and_names_what_failed_and_what_was_as_before(bar):
    assert bar() == ("notebooks", 0)
    assert bar(cached("5LE"), cached("5LD")) == ("notebooks · 2 as before", 2)
    assert bar(started("SEL"), done("SEL")) == ("notebooks · 2 as before", 3)
    assert bar(started("LON"), failed("LON")) == ("notebooks · 1 failed · 2 as before", 4)
    assert bar(started("LON"), failed("LON")) == ("notebooks · 2 failed · 2 as before", 5)


def test_the_bar_names_each_area_in_flight_once_and_until_its_last_notebook_ended(bar):
    assert bar(started("5LE"), started("5LE", "outlook"), started("SEL"))[0] == "notebooks · now 5LE, SEL"
    assert bar(done("5LE"))[0] == "notebooks · now 5LE, SEL"
    assert bar(done("5LE", "outlook"))[0] == "notebooks · now SEL"
    assert bar(failed("SEL"))[0] == "notebooks · 1 failed"


def test_areas_in_flight_beyond_what_fits_are_counted(bar):
    areas = [f"A{number}" for number in range(AREAS_SHOWN + 3)]
    assert bar(*map(started, areas[:AREAS_SHOWN]))[0] == f"notebooks · now {', '.join(areas[:AREAS_SHOWN])}"
    assert bar(*map(started, areas[AREAS_SHOWN:]))[0].endswith(f"{areas[AREAS_SHOWN - 1]} and 3 more")


def test_an_area_tried_again_after_its_process_was_lost_is_not_in_flight_for_ever(bar):
    lost = Event("ended", job_of("5LE"), NotebookRecord("5LE", "care", "failed", 0.0, error="WorkerDied"))
    assert bar(started("5LE"), started("5LE"), lost) == ("notebooks · 1 failed", 1)


def test_at_a_terminal_failures_are_lines_and_the_rest_is_the_bar():
    out = io.StringIO()
    with Progress(2, Console(file=out, force_terminal=True, width=150, color_system=None)) as progress:
        for event in (started("5LE"), done("5LE"), started("SEL"), failed("SEL")):
            progress.tell(event)
    assert f"[2/2] SEL care: failed, cell 7: ValueError: {HOSTILE}" in out.getvalue()
    assert "5LE care: done" not in out.getvalue()
    assert "2/2" in out.getvalue()


def test_where_there_is_no_terminal_each_notebook_is_a_line_and_there_is_no_bar(capfd):
    with Progress(12, console()) as progress:
        for event in (cached("5LD"), started("5LE"), done("5LE"), started("SEL"), failed("SEL")):
            progress.tell(event)
        assert (progress.made, progress.failed, progress.cached, progress.ended) == (1, 1, 1, 3)
    out, _ = capfd.readouterr()
    assert out.splitlines() == [
        "[ 2/12] 5LE care: done, 1.2 s",
        f"[ 3/12] SEL care: failed, cell 7: ValueError: {HOSTILE}",
    ]


def test_the_bar_is_about_the_notebooks_that_the_run_considers(capfd):
    with Progress(152, console()) as progress:
        for event in (Event("planned", notebooks=2), started("5LE"), done("5LE")):
            progress.tell(event)
    assert capfd.readouterr().out == "[1/2] 5LE care: done, 1.2 s\n"


def test_that_another_run_is_waited_for_is_said_at_once(capfd):
    with Progress(1, console()) as progress:
        progress.tell(Event("waiting"))
        assert capfd.readouterr().out == f"{WAITING}\n"
        assert progress.ended == 0


def test_events_are_lines_of_json_with_what_each_is_about(capfd):
    with Events(3) as events:
        planned = Event("planned", notebooks=3)
        for event in (
            Event("waiting"), planned, cached("5LD"), started("5LE"), done("5LE"), started("SEL"), failed("SEL")
        ):  # fmt: skip
            events.tell(event)
        assert (events.cached, events.ended) == (1, 3)
    finished({"made": 1, "cached": 1, "failed": 1}, 1.23456)
    out, err = capfd.readouterr()
    assert err == ""
    none = {"cell": None, "error": None, "message": None, "traceback": None}
    assert [json.loads(line) for line in out.splitlines()] == [
        {"event": "waiting"},
        {"event": "planned", "notebooks": 3},
        {"event": "cached", "area": "5LD", "chapter": "care"},
        {"event": "started", "area": "5LE", "chapter": "care"},
        {"event": "ended", "area": "5LE", "chapter": "care", "status": "done", "seconds": 1.25, **none},
        {"event": "started", "area": "SEL", "chapter": "care"},
        {"event": "ended", "area": "SEL", "chapter": "care", "status": "failed", "seconds": 2.0, "cell": 7,
         "error": "ValueError", "message": f"{HOSTILE}\nmore", "traceback": "line 1\nline 2"},
        {"event": "finished", "made": 1, "cached": 1, "failed": 1, "seconds": 1.23},
    ]  # fmt: skip


def test_an_event_can_be_read_when_it_happens(capfd):
    with Events(1) as events:
        events.tell(started("5LE"))
        assert json.loads(capfd.readouterr().out)["event"] == "started"
