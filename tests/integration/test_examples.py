"""Worked examples executed for the site, in a real kernel."""

import json

import pytest
from nbformat import v4

from cbs_analysis.errors import DataError
from cbs_analysis.runner import execute_examples


def _page(folder, name, *sources):
    folder.mkdir(exist_ok=True)
    cells = [v4.new_code_cell(source, id=f"cell-{at}") for at, source in enumerate(sources)]
    path = folder / f"{name}.ipynb"
    path.write_text(json.dumps(v4.new_notebook(cells=cells)), encoding="utf-8")
    return path


def _results(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(output["data"]["text/plain"]) for cell in cells for output in cell["outputs"]]


def test_every_page_has_its_results_and_starts_with_nothing_of_the_page_before(tmp_path):
    first = _page(tmp_path / "methods", "first", "left_behind = 1", "left_behind + 1")
    second = _page(tmp_path / "methods", "second", "'left_behind' in globals()")
    execute_examples([first, second], tmp_path / "made")
    assert _results(tmp_path / "made" / "first.ipynb") == ["2"]
    assert _results(tmp_path / "made" / "second.ipynb") == ["False"]
    assert len(json.loads((tmp_path / "made" / "first.ipynb").read_text(encoding="utf-8"))["cells"]) == 2


def test_an_example_that_fails_is_named_with_its_cell_and_the_reason(tmp_path):
    page = _page(tmp_path / "methods", "broken", "value = 2", "assert value == 3, 'two is not three'")
    with pytest.raises(DataError, match=r"methods/broken.ipynb, cell 'cell-1': AssertionError: two is not three"):
        execute_examples([page], tmp_path / "made")
    assert not (tmp_path / "made" / "broken.ipynb").exists()


def test_an_example_is_executed_again_only_where_its_page_has_changed(tmp_path):
    first = _page(tmp_path / "methods", "first", "1 + 1")
    second = _page(tmp_path / "methods", "second", "2 + 2")
    made = tmp_path / "made"
    execute_examples([first, second], made)
    before = {path.name: path.stat().st_mtime_ns for path in made.glob("*.ipynb")}
    _page(tmp_path / "methods", "second", "2 + 3")
    execute_examples([first, second], made)
    after = {path.name: path.stat().st_mtime_ns for path in made.glob("*.ipynb")}
    assert after["first.ipynb"] == before["first.ipynb"]
    assert after["second.ipynb"] > before["second.ipynb"]
    assert _results(made / "second.ipynb") == ["5"]
