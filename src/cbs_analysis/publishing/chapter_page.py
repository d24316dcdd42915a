"""A chapter's page: the executed notebook of one area as the book shows it, prose and findings, code hidden.

Staged as a notebook, so that Jupyter Book reads it like any other.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from cbs_analysis.evidence.finding import CHART_MIME
from cbs_analysis.geography import Area
from cbs_analysis.publishing import pages, synthetic
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import FINDING_MIME, ExecutedChapter, source_text
from cbs_analysis.publishing.markup import markdown, raw
from cbs_analysis.publishing.provenance import finished

HTML = "text/html"
SHOWN = (HTML, "text/plain")


def chapter_page(chapter: ExecutedChapter, area: Area, edited: Edited, version: str) -> str:
    """The executed notebook as the book shows it: the area in the title, code hidden, each finding one block. What
    rests on synthetic records says so first.

    `version` is that of the package that executed it.
    """
    notebook = json.loads(chapter.path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    banner = synthetic.banner(chapter.findings, "this chapter", "finding")
    heading = f"# {page_title(area, chapter.title)}" + (f"\n\n{raw(banner)}" if banner else "")
    title = next((cell for cell in cells if cell["cell_type"] == "markdown" and _is_title(cell)), None)
    if title:
        _, _, rest = source_text(title).partition("\n")
        title["source"] = f"{heading}\n{rest}"
    for cell in cells:
        if cell["cell_type"] == "code":
            _show_outputs_only(cell, lambda shown, data: _block(shown, data, edited, version))
    if not title:
        cells.insert(
            0,
            {
                "cell_type": "markdown",
                "id": "title",
                "metadata": {},
                "source": heading,
            },
        )
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return json.dumps({**notebook, "metadata": metadata}, ensure_ascii=False, indent=1)


def page_title(area: Area, title: str) -> str:
    """'Southwark: planned care', with every punctuation mark of the area's name escaped."""
    return f"{markdown(area.name)}: {pages.lower_first(title)}"


def _is_title(cell: Mapping[str, Any]) -> bool:
    return source_text(dict(cell)).startswith("# ")


def _block(shown: str, data: Mapping[str, Any], edited: Edited, version: str) -> str:
    """What a cell shows: a finding with its live chart and how it was made, anything else as it is."""
    finding = data.get(FINDING_MIME)
    return finished(shown, finding, data.get(CHART_MIME), edited, version) if finding else shown


def _show_outputs_only(cell: dict[str, Any], finish: Callable[[str, Mapping[str, Any]], str]) -> None:
    outputs = [
        output for output in cell.get("outputs", []) if output["output_type"] in ("execute_result", "display_data")
    ]
    for output in outputs:
        best = next((mime for mime in SHOWN if mime in output["data"]), None)
        data = output["data"]
        output["data"] = {best: finish(source_text(data, best), data) if best == HTML else data[best]} if best else {}
        output["metadata"] = {}
    cell["outputs"] = [output for output in outputs if output["data"]]
    cell["metadata"] = {"tags": ["remove-input" if cell["outputs"] else "remove-cell"]}
