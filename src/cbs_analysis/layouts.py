"""Homes of an older layout, refused by name: what is old, where it is, and what to do about it.

Without this a home made for an earlier version fails somewhere inside, with a message about a column or a name.
Commands that read a home call `refuse_older_layout` first. Editions of an older layout are refused where they are read.
"""

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path

from cbs_analysis.errors import UserError
from cbs_analysis.geography import FOLDER
from cbs_analysis.home import build_dir

_REMOVED = {
    "boroughs.csv": "list its areas in areas.csv with a kind, and which area each belongs to in area_parts.csv",
    "pct_successions.csv": "rename it area_successions.csv, columns predecessor_code, successor_code, from_month",
}
_SETS_SOURCES = re.compile(r"^sources\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)
_SETS_TABLES = re.compile(r"^tables\s*(?::[^=\n]+)?=(?!=)", re.MULTILINE)


def refuse_older_layout(home: Path) -> None:
    """Raises UserError for the first thing in a home, or in what was built from it, that is of an older layout."""
    for fault in (*_reference(home), *_notebooks(home), *_built(build_dir(home))):
        raise UserError(fault)


def _reference(home: Path) -> Iterator[str]:
    folder = home / "data" / FOLDER
    for name, remedy in _REMOVED.items():
        if (folder / name).exists():
            yield f"data/{FOLDER}/{name} is of an older layout: {remedy}, then remove it"
    try:
        with (folder / "areas.csv").open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return  # whoever reads the table says what is wrong with it
    if "ons_code" in header:
        yield (
            f"data/{FOLDER}/areas.csv, line 1: ons_code is of an older layout: give each such code a row of its own, "
            "with a kind, and a row in area_parts.csv"
        )
    if "area_code" in header and "kind" not in header:
        yield (
            f"data/{FOLDER}/areas.csv, line 1: column kind is missing, as in an older layout: add it, with a kind that "
            "area_kinds.csv lists"
        )


def _notebooks(home: Path) -> Iterator[str]:
    for path in sorted((home / "notebooks").glob("*.ipynb")):
        if cell := _sources_cell(path):
            yield (
                f"notebooks/{path.name}, cell {cell}: the list `sources` is of an older layout: call it `tables`, "
                "in open_pack(area_code, edition, tables) too"
            )


def _built(build: Path) -> Iterator[str]:
    """An executed notebook keeps its cells, so one of each edition tells how the folder was made."""
    for folder in sorted((build / "editions").glob("*/")):
        first = min(folder.glob("*/*.ipynb"), default=None)
        if first is not None and _sources_cell(first):
            shown = first.relative_to(folder)
            yield f"{folder} was built by an older version, as {shown} shows: remove it and run cbs packs"


def _sources_cell(path: Path) -> int:
    """The number of the cell that sets `sources`, from 1, in a notebook that sets `tables` nowhere; else 0."""
    try:
        cells = json.loads(path.read_bytes())["cells"]
        sources = ["".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells]
    except (OSError, ValueError, KeyError, TypeError):
        return 0  # whoever reads the notebook says what is wrong with it
    if any(_SETS_TABLES.search(source) for source in sources):
        return 0
    return next((number for number, source in enumerate(sources, 1) if _SETS_SOURCES.search(source)), 0)
