"""What one notebook may take: time, characters and memory, each with the cell that took too much named."""

import os
import time

import nbformat
import pytest

from cbs_analysis.runner import Job, Limits, execute
from cbs_analysis.runner.execute import LONGEST_LINE, LONGEST_MESSAGE, TRACEBACK_LINES, Result
from cbs_analysis.runner.papermill_engine import MOST_SHOWN

GIGABYTE = 1024**3
FLOODS = {
    "printed": "while True:\n    print('x' * 1000)",
    "displayed": "while True:\n    display({'text/html': 'x' * 1_000_000}, raw=True)",
    "updated": "shown = display('', display_id=True)\nwhile True:\n    shown.update('x' * 1_000_000)",
    "as JSON": "while True:\n    display({'application/json': [['x' * 1000] * 1000]}, raw=True)",
    "at once": "display({'text/html': 'x' * 50_000_000}, raw=True)\n2 + 2",
    "in an error": "raise ValueError('x' * 30_000_000)",
}


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch) -> None:
    (tmp_path / "params" / "editions").mkdir(parents=True)
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))


@pytest.fixture
def executed(tmp_path, write_template):
    def execute_cells(*cells: str, seconds: int = 60) -> Result:
        template = write_template(tmp_path / "notebooks" / "made.ipynb", *cells)
        return execute(Job("2011-12", "5LE", "made", template, tmp_path / "made.ipynb", tmp_path), Limits(seconds))

    return execute_cells


@pytest.mark.parametrize("how", FLOODS)
def test_a_notebook_that_shows_without_end_is_stopped_at_once_and_its_cell_named(executed, how):
    result = executed("1 + 1", FLOODS[how], "'not reached'", seconds=250)
    assert (result.record.error, result.record.cell) == ("TooMuchOutput", 4)
    assert result.record.seconds < 60, "long before its time is up"
    assert "20,000,000 characters" in result.record.message
    assert repr(FLOODS[how].splitlines()[0]) in result.record.message
    assert len(result.record.message) + len(result.record.traceback or "") < LONGEST_MESSAGE + 1000
    assert len(result.notebook) < MOST_SHOWN * 1.2
    notebook = nbformat.reads(result.notebook.decode(), as_version=4)
    assert notebook.cells[-2].outputs[-1].ename == "TooMuchOutput"
    assert notebook.cells[-1].outputs == []


def test_one_long_line_is_kept_as_it_was_printed_and_takes_no_time(executed):
    result = executed("print('x' * 1_900_000)", seconds=30)
    assert result.record.status == "done"
    assert nbformat.reads(result.notebook.decode(), as_version=4).cells[-1].outputs[0].text == "x" * 1_900_000 + "\n"


def test_a_long_message_is_in_the_notebook_whole_and_in_the_record_in_short(executed):
    result = executed("raise ValueError('x' * 1_000_000)")
    assert result.record.error == "ValueError"
    assert result.record.message == "x" * LONGEST_MESSAGE + f" … and {1_000_000 - LONGEST_MESSAGE:,} characters more"
    assert len(result.record.traceback) < TRACEBACK_LINES * (LONGEST_LINE + 40)
    assert b"x" * 1_000_000 in result.notebook


def test_the_limit_is_one_for_all_cells_and_the_cell_that_passed_it_is_named(executed):
    started = time.monotonic()
    result = executed("import time", *[f"time.sleep(0.7)  # number {number}" for number in range(60)], seconds=6)
    taken = time.monotonic() - started
    assert result.record.error == "Timeout"
    assert f"# number {result.record.cell - 4}" in result.record.message
    notebook = nbformat.reads(result.notebook.decode(), as_version=4)
    assert notebook.cells[result.record.cell - 1].outputs[-1].ename == "Timeout"
    assert notebook.cells[result.record.cell].execution_count is None
    assert 5 <= taken < 20, "sixty cells of 0.7 s are 42 s"


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="only Linux limits the memory of another process")
def test_a_notebook_that_takes_too_much_memory_gets_an_error_that_says_how_much_it_may(executed):
    result = executed("1 + 1", f"kept = bytearray({3 * GIGABYTE})")
    assert (result.record.error, result.record.cell) == ("MemoryError", 4)
    assert "a notebook may take 2.0 GiB" in result.record.message


def test_an_error_that_the_kernel_had_no_room_to_show_is_named_all_the_same(executed):
    mute = "get_ipython().showtraceback = lambda *about, **more: None"
    result = executed(mute, "raise MemoryError('no room for more')", "'not reached'")
    assert (result.record.error, result.record.cell) == ("MemoryError", 4)
    assert result.record.message.startswith("no room for more")
    notebook = nbformat.reads(result.notebook.decode(), as_version=4)
    assert [output.ename for output in notebook.cells[-2].outputs] == ["MemoryError"]
