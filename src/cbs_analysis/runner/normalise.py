"""An executed notebook without what differs from run to run, so that the same inputs give the same bytes.

Papermill and nbclient write clock times, paths and random cell ids into a notebook; a reader needs none of
them.
"""

import re
from itertools import groupby
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

INJECTED = "injected-parameters"
FROM_THE_RUN = ("papermill", "execution")
FIXED_LANGUAGE_KEYS = ("name", "file_extension", "mimetype", "pygments_lexer", "nbconvert_exporter")

_KERNEL_FILE = re.compile(r"(?<!\S)\S*[\\/]ipykernel_\d+[\\/](\d+)\.py")
_SYNTAX_ERROR = re.compile(r"\(\d+\.py, line (\d+)\)")
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def plain(text: str) -> str:
    """Text without terminal colour codes and without the temporary file names that kernels give to cells."""
    return _SYNTAX_ERROR.sub(r"(line \1 of the cell)", _KERNEL_FILE.sub(r"cell-\1.py", _ANSI.sub("", text)))


def normalised_text(notebook: NotebookNode, template: Path) -> str:
    """The notebook as text, without times, paths and random ids. `template` is what it was executed from."""
    known_ids = {cell.get("id") for cell in nbformat.read(template, as_version=nbformat.NO_CONVERT).get("cells", [])}
    notebook.metadata = _cleaned_metadata(notebook.metadata)
    for position, cell in enumerate(notebook.cells, start=1):
        _clean_cell(cell, position, known_ids)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    text: str = nbformat.writes(notebook)
    return text if text.endswith("\n") else text + "\n"


def _cleaned_metadata(metadata: NotebookNode) -> NotebookNode:
    kept = {key: value for key, value in metadata.items() if key not in FROM_THE_RUN}
    language = {"name": "python", **kept.get("language_info", {})}
    kept["language_info"] = {key: language[key] for key in FIXED_LANGUAGE_KEYS if key in language}
    result: NotebookNode = nbformat.from_dict(kept)
    return result


def _clean_cell(cell: NotebookNode, position: int, known_ids: set[str | None]) -> None:
    for key in FROM_THE_RUN:
        cell.metadata.pop(key, None)
    if not cell.metadata.get("tags", True):
        del cell.metadata["tags"]
    if INJECTED in cell.metadata.get("tags", []):
        cell["id"] = INJECTED
    elif cell.get("id") not in known_ids:
        cell["id"] = f"cell-{position}"
    if "outputs" in cell:
        cell["outputs"] = with_whole_streams(cell["outputs"])
    for output in cell.get("outputs", []):
        _clean_output(output)


def with_whole_streams(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Outputs with what was printed between two others as one text, standard output first: where a kernel cuts what it
    prints, and which of its two streams comes first, is chance.
    """
    whole: list[NotebookNode] = []
    for is_stream, group in groupby(outputs, key=lambda output: output["output_type"] == "stream"):
        if not is_stream:
            whole += group
            continue
        printed = list(group)
        for name in sorted({output["name"] for output in printed}, reverse=True):
            text = "".join(output["text"] for output in printed if output["name"] == name)
            whole.append(nbformat.v4.new_output("stream", name=name, text=_as_on_a_terminal(text)))
    return whole


def _as_on_a_terminal(text: str) -> str:
    """Text whose lines hold what stands there in the end: after a carriage return a line is written over."""
    if "\r" not in text:
        return text
    lines = []
    for line in text.split("\n"):
        written = line.rstrip("\r")
        lines.append(written.rpartition("\r")[2] + ("\r" if written != line else ""))
    return "\n".join(lines)


def _clean_output(output: dict[str, Any]) -> None:
    if output["output_type"] == "stream":
        output["text"] = _KERNEL_FILE.sub(r"cell-\1.py", output["text"])
    elif output["output_type"] == "error":
        output["evalue"] = plain(output["evalue"])
        output["traceback"] = [_KERNEL_FILE.sub(r"cell-\1.py", line) for line in output["traceback"]]
