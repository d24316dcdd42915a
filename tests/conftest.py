"""What several tests share: a throw-away home, and template notebooks made up for a test."""

import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
import yaml

# A shell that starts tests in the background has them ignore interrupts, and so would the commands that they interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

CHECKOUT = Path(__file__).resolve().parents[1]
MakeHome = Callable[..., Path]


def _write_template(path: Path, *cells: str) -> Path:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    declared = any("tables =" in source for source in cells)
    parameters = 'area_code = "none"\nedition = "none"' + ("" if declared else "\ntables = []")
    first = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    notebook.cells = [first, *(nbformat.v4.new_code_cell(source) for source in cells)]
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"fixed-{position}"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def write_template() -> Callable[..., Path]:
    """Write a notebook: `write_template(path, "a cell", "another")`, after a cell that sets the two
    parameters and, where no other cell does, declares that no source is read.
    """
    return _write_template


def _make_home(home: Path, chapters: dict[str, list[str]]) -> Path:
    shutil.copytree(CHECKOUT / "data", home / "data")
    (home / "params" / "editions").mkdir(parents=True)
    for name in ("indicators.yml", "series.yml"):
        shutil.copy(CHECKOUT / "params" / name, home / "params")
    edition = yaml.safe_load((CHECKOUT / "params" / "editions" / "2011-12.yml").read_text(encoding="utf-8"))
    edition["chapters"] = list(chapters)
    text = yaml.safe_dump(edition, allow_unicode=True)
    (home / "params" / "editions" / "2011-12.yml").write_text(text, encoding="utf-8")
    for chapter, cells in chapters.items():
        _write_template(home / "notebooks" / f"{chapter}.ipynb", *cells)
    return home


@pytest.fixture
def make_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeHome:
    """Make a home with the project's own figures, edition `2011-12` of the chapters given, and their
    templates.

    `make_home(chapter=["a cell", "another"])`; sets CBS_HOME to it.
    """

    def make(**chapters: list[str]) -> Path:
        home = _make_home(tmp_path / "home", chapters)
        monkeypatch.setenv("CBS_HOME", str(home))
        monkeypatch.delenv("CBS_BUILD", raising=False)
        return home

    return make


@pytest.fixture(scope="module")
def module_home(tmp_path_factory: pytest.TempPathFactory) -> MakeHome:
    """As `make_home`, for all tests of a module; the environment is left alone."""

    def make(**chapters: list[str]) -> Path:
        return _make_home(tmp_path_factory.mktemp("home") / "home", chapters)

    return make
