"""Method pages as the book shows them: prose, the worked example's code and its results, without its checks."""

import json
import re
from pathlib import Path
from typing import Any

from cbs_analysis.publishing.findings import source_text

CHECK = "check"
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# pandas styles its tables inline; the book's own style is for all tables.
_INLINE_STYLE = re.compile(r'<style scoped>.*?</style>\s*| border="1"| style="[^"]*"', re.DOTALL)


def staged_example(page: Path) -> str:
    """The notebook of a method page, executed or not, with readable outputs only."""
    notebook = json.loads(page.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if CHECK not in cell["metadata"].get("tags", [])]
    for cell in cells:
        cell["metadata"] = {}
        if cell["cell_type"] == "code":
            cell["execution_count"] = None
            cell["outputs"] = [_readable(output) for output in cell["outputs"] if "data" in output]
    return json.dumps({**notebook, "cells": cells, "metadata": METADATA}, ensure_ascii=False, indent=1)


def _readable(output: dict[str, Any]) -> dict[str, Any]:
    """A result as a table where it has one, else as text."""
    data = output["data"]
    table = _INLINE_STYLE.sub("", "".join(data.get("text/html", "")))
    table = table.replace('class="dataframe"', 'class="cbs-table cbs-result"')
    framed = f'<div class="cbs-scroll" tabindex="0" role="group" aria-label="Result">{table}</div>'
    shown = {"text/html": framed} if table else {"text/plain": data["text/plain"]}
    return {"output_type": "display_data", "metadata": {}, "data": shown}


def heading(page: Path) -> str:
    """A page's title, from its first line that is one."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        text = "\n".join(source_text(cell) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
    found = next((line for line in text.splitlines() if line.startswith("# ")), f"# {page.stem}")
    return found[2:].strip().replace("\\", "")
