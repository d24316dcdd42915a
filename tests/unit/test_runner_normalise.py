"""An executed notebook keeps what it says and loses what differs from run to run."""

import json
import re
import time

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cbs_analysis.runner.normalise import normalised_text, plain, with_whole_streams


def executed(template, clock: str):
    """The template as Papermill and nbclient would leave it, at some time of day."""
    notebook = nbformat.v4.upgrade(nbformat.read(template, as_version=4))
    injected = nbformat.v4.new_code_cell("# Parameters", metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(1, injected)
    notebook.metadata["papermill"] = {"start_time": clock, "output_path": f"/tmp/{clock}", "version": "2.7"}
    notebook.metadata["language_info"] = {"name": "python", "version": clock, "file_extension": ".py"}
    for cell in notebook.cells:
        cell.metadata["papermill"] = {"start_time": clock}
        cell.metadata["execution"] = {"iopub.status.busy": clock}
        cell.metadata.setdefault("tags", [])
    pid = int(clock.replace(":", ""))
    warned = nbformat.v4.new_output("stream", name="stderr", text=f"/tmp/ipykernel_{pid}/33.py:1: UserWarning: x\n")
    notebook.cells[-1].outputs = [warned, nbformat.v4.new_output("display_data", {"text/plain": "a finding"})]
    return notebook


@pytest.fixture
def template(tmp_path, write_template):
    return write_template(tmp_path / "chapter.ipynb", "1 + 1")


def test_two_runs_of_the_same_thing_give_the_same_bytes(template):
    assert normalised_text(executed(template, "09:15"), template) == normalised_text(
        executed(template, "17:40"), template
    )


def test_outputs_tags_and_the_templates_own_cell_ids_are_kept(template):
    cells = json.loads(normalised_text(executed(template, "09:15"), template))["cells"]
    assert [cell["id"] for cell in cells] == ["fixed-0", "injected-parameters", "fixed-1"]
    assert [cell["metadata"] for cell in cells] == [
        {"tags": ["parameters"]},
        {"tags": ["injected-parameters"]},
        {},
    ]
    assert cells[-1]["outputs"][1]["data"] == {"text/plain": ["a finding"]}
    assert cells[-1]["outputs"][0]["text"] == ["cell-33.py:1: UserWarning: x\n"]


def test_a_cleaned_notebook_is_a_valid_one(template):
    nbformat.validate(nbformat.reads(normalised_text(executed(template, "09:15"), template), as_version=4))


def test_a_template_without_cell_ids_gets_the_same_ids_every_time(template):
    content = json.loads(template.read_text(encoding="utf-8"))
    content["nbformat_minor"] = 4
    for cell in content["cells"]:
        del cell["id"]
    template.write_text(json.dumps(content), encoding="utf-8")
    ids = [[cell.id for cell in executed(template, "09:15").cells] for _ in range(2)]
    assert ids[0] != ids[1]
    assert normalised_text(executed(template, "09:15"), template) == normalised_text(
        executed(template, "09:15"), template
    )


def test_colours_and_temporary_file_names_go_and_the_text_stays():
    assert (
        plain("\x1b[0;31mValueError\x1b[0m: [red] in /tmp/ipykernel_1234/567.py") == "ValueError: [red] in cell-567.py"
    )


def test_a_syntax_error_names_the_line_of_the_cell_and_no_file_that_never_was():
    assert plain("incomplete input (173531590.py, line 2)") == "incomplete input (line 2 of the cell)"


def test_a_long_word_takes_no_longer_to_clean_than_to_read():
    text = "x/" * 200_000
    started = time.process_time()
    is_cleaned = plain(f"{text} /tmp/ipykernel_12/345.py") == f"{text} cell-345.py"
    assert is_cleaned
    assert time.process_time() - started < 5  # seconds; where each letter was tried, it took minutes


def printed(text: str, name: str = "stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def test_what_is_printed_is_one_text_wherever_the_kernel_cut_it_and_stays_between_its_neighbours():
    shown = nbformat.v4.new_output("display_data", {"text/plain": "a finding"})
    outputs = [
        printed("wa", "stderr"),
        printed("one\nt"),
        printed("rned", "stderr"),
        printed("wo"),
        shown,
        printed("3"),
    ]
    assert with_whole_streams(outputs) == [printed("one\ntwo"), printed("warned", "stderr"), shown, printed("3")]


@given(st.lists(st.text("ab\r\n"), max_size=4))
def test_a_line_that_is_written_over_is_kept_as_it_stands_in_the_end(parts):
    """As nbclient has it, whose pattern takes the square of a line's length; two returns at the end are as one."""
    expected = re.sub(r".*\r(?=[^\n])", "", re.sub("\r+", "\r", "".join(parts)))
    assert [one["text"] for one in with_whole_streams([printed(part) for part in parts])] == [expected] * bool(parts)


@pytest.mark.parametrize("end", ["", "\r", "\rover"])
def test_a_long_line_takes_no_longer_to_clean_than_to_read(end):
    started = time.process_time()
    (whole,) = with_whole_streams([printed("x" * 1_900_000), printed(end)])
    assert len(whole["text"]) == (4 if end == "\rover" else 1_900_000 + len(end))
    assert time.process_time() - started < 5  # seconds; nbclient's pattern took half an hour
