"""Notebooks that raise, never end, print for ever or lose their kernel or their process, run for real: the
others are made.

One batch with every way to fail, from the command to the files it leaves, and what a second run then does.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from cbs_analysis.runner import Job, Limits, execute, read_run

GOOD = ["import os, sys", "(area_code, edition, sys.executable, os.environ['OMP_NUM_THREADS'])"]
CHAPTERS = {
    "good": GOOD,
    "raising": ["1 + 1", "raise ValueError('[red]no such month[/]\\nsecond line')", "print('not reached')"],
    "endless": ["1 + 1", "while True:\n    pass"],
    "dying": ["import os, signal", "os.kill(os.getpid(), signal.SIGKILL)"],
    "deadly": [  # the process that runs the notebook is the other one that holds the kernel's log open
        "import os, pathlib, psutil\nlog = str(pathlib.Path(os.environ['IPYTHONDIR']).parent / 'kernel.log')",
        "for one in psutil.process_iter():\n"
        "    try:\n        held = [file.path for file in one.open_files()]\n"
        "    except psutil.Error:\n        continue\n"
        "    if log in held and one.pid != os.getpid():\n        one.kill()",
        "import time; time.sleep(60)",
    ],
    "leaving": ["import sys", "sys.exit(0)", "2 + 2"],
    "undeclared": [
        "from cbs_analysis.chapters import open_pack\ntables = ['population_change']\n"
        "pack = open_pack(area_code, edition, tables)",
        "import pandas as pd\npd.read_csv(pack.data / 'published' / 'population_change.csv').shape",
        "pd.read_csv(pack.data / 'published' / 'population_by_age.csv').shape",
    ],
    "unopened": [
        "tables = ['population_change']",
        "import os, pathlib\ndata = pathlib.Path(os.environ['CBS_HOME'], 'data')\n"
        "(data / 'published' / 'population_by_age.csv').open()",
    ],
    "unlisted": [
        "from cbs_analysis.chapters import open_pack\ntables = ['population_change']",
        "pack = open_pack(area_code, edition)",
    ],
    "widened": [
        "from cbs_analysis.chapters import open_pack\ntables = ['population_change']",
        "tables.append('population_by_age')\npack = open_pack(area_code, edition, tables)",
    ],
}
ERRORS = {
    "raising": ("ValueError", 4),
    "endless": ("Timeout", 4),
    "dying": ("KernelDied", 4),
    "deadly": ("WorkerDied", None),
    "leaving": ("SystemExit", 4),
    "undeclared": ("UndeclaredSourceError", 5),
    "unopened": ("UndeclaredSourceError", 4),
    "unlisted": ("UndeclaredSourceError", 4),
    "widened": ("UndeclaredSourceError", 4),
}
SECONDS = 20


def cbs(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "CBS_HOME": str(home)}
    command = [sys.executable, "-c", "from cbs_analysis.cli import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300, check=False)


@pytest.fixture(scope="module")
def home(module_home) -> Path:
    made = module_home(**CHAPTERS)
    folder = made / "build" / "editions" / "2011-12" / "LON"
    folder.mkdir(parents=True)
    for chapter in ERRORS:
        (folder / f"{chapter}.ipynb").write_text("made by an earlier run", encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def finished(home):
    return cbs("packs", "--area", "LON", "--jobs", "2", "--timeout", str(SECONDS), home=home)


@pytest.fixture(scope="module")
def notebooks(home, finished) -> dict[str, dict[str, object]]:
    record = json.loads((home / "build" / "editions" / "2011-12" / "run.json").read_text(encoding="utf-8"))
    return {notebook["chapter"]: notebook for notebook in record["notebooks"]}


def test_the_exit_status_is_1_and_the_closing_lines_name_each_failure(finished):
    assert finished.returncode == 1
    assert "1 of 10 notebooks made" in finished.stdout
    assert "  LON raising, cell 4: ValueError: [red]no such month[/]\n" in finished.stdout
    assert "Traceback" not in finished.stdout + finished.stderr
    assert finished.stderr == ""


def test_the_run_record_has_every_notebook_and_why_it_failed(notebooks):
    assert list(notebooks) == list(CHAPTERS)
    assert notebooks["good"]["status"] == "done"
    assert {name: (one["error"], one["cell"]) for name, one in notebooks.items() if one["error"]} == ERRORS


def test_a_figure_that_a_notebook_opens_without_declaring_it_is_named_with_what_to_do(notebooks):
    said = notebooks["undeclared"]["message"]
    assert "data/published/population_by_age.csv is read but not declared" in said
    assert "`tables` in the notebook" in said
    assert "data/published/population_by_age.csv is read but not declared" in notebooks["unopened"]["message"]


def test_a_pack_that_is_opened_with_another_list_than_the_notebook_declares_is_refused(notebooks):
    assert "open_pack is given no list of tables" in notebooks["unlisted"]["message"]
    assert "is given ['population_by_age', 'population_change'] of tables" in notebooks["widened"]["message"]
    for chapter in ("unlisted", "widened"):
        assert "write pack = open_pack(area_code, edition, tables)" in notebooks[chapter]["message"]


def test_a_traceback_is_kept_without_colour_codes(notebooks):
    assert notebooks["raising"]["message"] == "[red]no such month[/]\nsecond line"
    assert "ValueError" in notebooks["raising"]["traceback"]
    assert "\x1b" not in notebooks["raising"]["traceback"]


def test_a_notebook_that_never_ends_is_stopped_in_time_and_its_cell_named(notebooks):
    assert "while True:" in notebooks["endless"]["message"]
    assert SECONDS <= notebooks["endless"]["seconds"] < SECONDS + 25


def test_no_failed_chapter_leaves_a_notebook_of_an_earlier_run(home, finished):
    folder = home / "build" / "editions" / "2011-12" / "LON"
    kept = sorted(path.name for path in folder.iterdir())
    assert kept == [
        "dying.failed.ipynb",
        "endless.failed.ipynb",
        "good.ipynb",
        "leaving.failed.ipynb",
        "raising.failed.ipynb",
        "undeclared.failed.ipynb",
        "unlisted.failed.ipynb",
        "unopened.failed.ipynb",
        "widened.failed.ipynb",
    ]


@pytest.mark.parametrize(
    ("chapter", "error"), [("raising", "ValueError"), ("endless", "Timeout"), ("dying", "KernelDied")]
)
def test_what_ran_before_a_failure_is_kept_with_the_error_under_its_cell(home, finished, chapter, error):
    path = home / "build" / "editions" / "2011-12" / "LON" / f"{chapter}.failed.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    errors = [output.ename for cell in notebook.cells for output in cell.get("outputs", []) if "ename" in output]
    assert errors == [error]
    assert path.stat().st_size < 5_000_000


def test_a_good_notebook_had_its_parameters_this_python_and_one_thread(home, finished):
    notebook = nbformat.read(home / "build" / "editions" / "2011-12" / "LON" / "good.ipynb", as_version=4)
    shown = notebook.cells[-1].outputs[0].data["text/plain"]
    assert shown == repr(("LON", "2011-12", sys.executable, "1"))
    assert "papermill" not in json.dumps(notebook)


def test_the_next_run_of_a_mended_chapter_takes_its_failure_away(home, finished, notebooks, monkeypatch):
    template = home / "notebooks" / "raising.ipynb"
    template.write_text(template.read_text(encoding="utf-8").replace("raise ValueError(", "str("), encoding="utf-8")
    again = cbs("packs", "--area", "LON", "--chapter", "raising", home=home)
    folder = home / "build" / "editions" / "2011-12"
    assert (again.returncode, again.stderr) == (0, "")
    assert (folder / "LON" / "raising.ipynb").exists()
    assert not (folder / "LON" / "raising.failed.ipynb").exists()
    monkeypatch.setenv("CBS_HOME", str(home))
    assert {record.chapter for record in read_run("2011-12").failed} == set(ERRORS) - {"raising"}


def test_the_same_inputs_give_the_same_bytes_whatever_kernel_the_user_has(tmp_path, write_template, monkeypatch):
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    (tmp_path / "params" / "editions").mkdir(parents=True)
    kernel.write_text(json.dumps({"argv": ["/bin/false"], "display_name": "other", "language": "python"}))
    template = write_template(tmp_path / "notebooks" / "good.ipynb", *GOOD, "import warnings; warnings.warn('w')")
    job = Job("2011-12", "5LE", "good", template, tmp_path / "out" / "good.ipynb", tmp_path)
    monkeypatch.setenv("CBS_BUILD", str(tmp_path / "build"))
    first = execute(job, Limits(60))
    assert first.record.status == "done"
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    second = execute(job, Limits(60))
    assert second.record.status == "done"
    assert second.notebook == first.notebook
    assert first.notebook.startswith(b"{")
    assert not job.output.parent.exists(), "who asked for it writes it"


@pytest.mark.skipif(sys.platform == "win32", reason="there a process cannot be sent an interrupt")
def test_an_interrupt_ends_the_run_with_its_workers_and_kernels_and_leaves_nothing_behind(module_home, tmp_path):
    cell = "import os, pathlib, time; pathlib.Path(os.environ['CBS_HOME'], 'started').touch(); time.sleep(120)"
    home = module_home(sleeping=[cell])
    command = [sys.executable, "-c", "from cbs_analysis.cli import main; main()", "packs", "--jobs", "1"]
    environment = {**os.environ, "CBS_HOME": str(home), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    deadline = time.monotonic() + 90
    while not (home / "started").exists():
        assert time.monotonic() < deadline, "no cell was started"
        time.sleep(0.2)
    everything = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "cbs: stopped after 0 of 38 notebooks; those that ended are kept\n"
    assert len(everything) >= 2, "a worker and its kernel"
    _, alive = psutil.wait_procs(everything, timeout=10)
    assert alive == []
    assert list(tmp_path.iterdir()) == []
