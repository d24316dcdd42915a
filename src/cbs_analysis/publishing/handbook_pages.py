"""Pages about the evidence: the data catalogue, the methods with their worked examples, and speed."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cbs_analysis.errors import DataError
from cbs_analysis.evidence.finding import SYNTHETIC
from cbs_analysis.publishing.packs import source_text
from cbs_analysis.publishing.templating import render
from cbs_analysis.tables import derived

# ---- The data catalogue


def read_package(data: Path) -> dict[str, Any]:
    """The description of every table, those made from hospital records last. Raises DataError where it is missing or
    not JSON.
    """
    try:
        package = dict(json.loads((data / "datapackage.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError("data/datapackage.json is missing") from None
    except ValueError:
        raise DataError("data/datapackage.json: not readable as JSON") from None
    own = [{**table, "file": f"data/{table['path']}"} for table in package["resources"]]
    return {
        **package,
        "resources": [*own, *({**table, "file": table["path"]} for table in derived.descriptions().values())],
    }


def catalogue_page(package: Mapping[str, Any]) -> str:
    """Every table of figures: who published it, its period, geography, licence, caveats and columns."""
    return render("catalogue.md", package=package, synthetic_sentence=SYNTHETIC)


# ---- Methods

CHECK = "check"
METADATA = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
# pandas styles its tables inline; the book's own style is for all tables.
_INLINE_STYLE = re.compile(r'<style scoped>.*?</style>\s*| border="1"| style="[^"]*"', re.DOTALL)


def method_page(page: Path) -> str:
    """The notebook of a method page, executed or not: prose, code and readable results, without its checks."""
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


def written_pages(folder: Path) -> list[Path]:
    """The hand-written pages of a folder, prose and notebooks, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".md", ".ipynb"))


def title_of(page: Path) -> str:
    """A hand-written page's title, from its first line that is one."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".ipynb":
        text = "\n".join(source_text(cell) for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown")
    title = next((line for line in text.splitlines() if line.startswith("# ")), f"# {page.stem}")
    return title[2:].strip().replace("\\", "")


# ---- Speed


def speed_page(folder: Path) -> str:
    """What the last benchmarks measured on this machine, from the records in `folder`, one a benchmark; it says so
    where there are none.
    """
    records = [record for path in sorted(folder.glob("*.json")) if (record := _benchmark(path))]
    return render("speed.md", records=records)


def _benchmark(path: Path) -> Mapping[str, Any] | None:
    """A benchmark's record, or None where the file is not a whole one: no book should fail for that."""
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and {"run", "machine", "versions", "rows"} <= set(record):
            return record
    return None
