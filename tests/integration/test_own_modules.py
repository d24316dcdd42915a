"""An analyst's own chapters and modules, beside the notebooks of a home, and what becomes of packs when they change."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from batches import run_to_its_end

from cbs_analysis.runner import make_plan
from cbs_analysis.runner.execute import execute, kernel_environment
from cbs_analysis.runner.warm import process

CELLS = {
    "from_home": [
        "from cbs_analysis.chapters import my_chapter",
        "import my_module",
        "my_chapter.answer, my_module.answer",
    ],
    "alone": ["1 + 1"],
}


@pytest.fixture
def home(make_home) -> Path:
    home = make_home(**CELLS)
    write(home, "my_chapter", "import my_helper\nanswer = my_helper.answer\n")
    write(home, "my_helper", "answer = 1\n")
    write(home, "my_module", "answer = 10\n")
    return home


def write(home: Path, name: str, source: str) -> None:
    (home / "notebooks" / f"{name}.py").write_text(source, encoding="utf-8")


def packs(home: Path, *options: str) -> str:
    return run_to_its_end(home, home / "build", "--area", "5LE", *options)


def shown(home: Path, chapter: str = "from_home") -> str:
    path = home / "build" / "editions" / "2011-12" / "5LE" / f"{chapter}.ipynb"
    return nbformat.read(path, as_version=4).cells[-1].outputs[0]["data"]["text/plain"]


def test_the_batch_finds_them_and_makes_again_what_imports_one_that_changed(home):
    assert "2 of 2 notebooks made" in packs(home)
    assert shown(home) == "(1, 10)"
    assert not list((home / "notebooks").glob("__pycache__")), "nothing is written beside the notebooks"
    for name, source, values in (("my_helper", "answer = 2\n", "(2, 10)"), ("my_module", "answer = 20\n", "(2, 20)")):
        write(home, name, source)
        explained = packs(home, "--explain")
        assert f"module notebooks/{name}.py changed" in explained
        assert "5LE alone: as it is" in explained
        packs(home)
        assert shown(home) == values


def test_a_chapter_that_is_added_leaves_the_others_alone(home):
    packs(home)
    write(home, "another", "answer = 3\n")
    notebook = nbformat.read(home / "notebooks" / "alone.ipynb", as_version=4)
    notebook.cells[-1].source = "from cbs_analysis.chapters import another; another.answer"
    nbformat.write(notebook, home / "notebooks" / "another_one.ipynb")
    path = home / "params" / "editions" / "2011-12.yml"
    path.write_text(path.read_text().replace("- alone\n", "- alone\n- another_one\n"))
    explained = packs(home, "--explain")
    assert "5LE another_one" in explained
    assert "5LE alone: as it is" in explained
    assert "5LE from_home: as it is" in explained
    packs(home)
    assert shown(home, "another_one") == "3"


@pytest.mark.skipif(not process.is_possible(), reason="this system cannot fork a ready process")
def test_a_warm_kernel_never_has_an_old_version_of_one(home, monkeypatch):
    """Also where the warm process was started for the edition, and is the same for all."""
    monkeypatch.setenv("CBS_BUILD", str(home / "build"))
    monkeypatch.delenv(process.ADDRESS, raising=False)
    process.keep_warm(kernel_environment(home), "2011-12")
    job, _ = make_plan("2011-12", ["5LE"]).jobs
    for answer in (1, 2, 3):
        write(home, "my_chapter", f"answer = {answer}  # {'x' * answer}\n")
        result = execute(job)
        assert result.record.status == "done", result.record
        notebook = nbformat.reads(result.notebook.decode(), as_version=4)
        assert notebook.cells[-1].outputs[0]["data"]["text/plain"] == f"({answer}, 10)"


def test_one_named_as_a_chapter_of_the_package_is_refused_by_name(home):
    write(home, "planned_care", "")
    done = subprocess.run(
        [sys.executable, "-c", "from cbs_analysis.cli import main; main()", "packs", "--area", "5LE"],
        env={**os.environ, "CBS_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "notebooks/planned_care.py: cbs_analysis.chapters has a module 'planned_care' too" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("kernel", ["python3", "cbs"])
def test_stock_tools_find_them(home, tmp_path, kernel):
    """nbval, and jupyter execute as JupyterLab, start a kernel in the notebook's folder."""
    notebook = nbformat.read(home / "notebooks" / "from_home.ipynb", as_version=4)
    notebook.cells[-1].execution_count = 1
    notebook.cells[-1].outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": "(1, 10)"}, execution_count=1)
    ]
    path = home / "notebooks" / "checked.ipynb"
    nbformat.write(notebook, path)
    env = {**os.environ, "CBS_HOME": str(home), "JUPYTER_RUNTIME_DIR": str(tmp_path)}
    commands = (
        ["pytest", "-q", "--nbval-lax", f"--nbval-kernel-name={kernel}", "-p", "no:cacheprovider", "--rootdir",
         str(home), str(path)],
        ["jupyter", "execute", f"--kernel_name={kernel}", "--inplace", str(path)],
    )  # fmt: skip
    for command in commands:
        done = subprocess.run(
            [sys.executable, "-m", *command], env=env, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    made = nbformat.read(path, as_version=4)
    assert made.cells[-1].outputs[0]["data"]["text/plain"] == "(1, 10)"
