"""The page on speed: what the last benchmarks measured on this machine, from the records in the build folder."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from cbs_analysis.publishing.markup import heading, page, raw, text

INTRODUCTION = (
    "An edition is hundreds of notebooks, and analysts run it again all day. Kernels are forked from a process that "
    "has imported the libraries and made what all areas share; a notebook is run again only where something that it "
    "is made from has changed. What that gains is measured by running the commands themselves, beside stock "
    "Papermill and stock Jupyter Book, in one go on one machine. Ratios carry over to other machines, seconds do not."
)
NOT_RUN = "No benchmark has been run in this build folder. `make bench` and `make bench-site` run them."
MET = {True: "met", False: "not met", None: ""}


def speed_page(folder: Path) -> str:
    """The page from the records in `folder`, one a benchmark; it says so where there are none."""
    records = [record for path in sorted(folder.glob("*.json")) if (record := _read(path))]
    return page(heading("How fast it is", 1), INTRODUCTION, *(map(_section, records) if records else [NOT_RUN]))


def _read(path: Path) -> Mapping[str, Any] | None:
    """A record, or None where a file is no whole one: it is nothing that a book should fail for."""
    with suppress(OSError, ValueError):
        record = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(record, dict) and {"run", "machine", "versions", "rows"} <= set(record):
            return record
    return None


def _section(record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return raw(
        '<div class="cbs-scroll" tabindex="0" role="group" aria-label="Measured"><table class="cbs-table">'
        '<thead><tr><th scope="col">What</th><th scope="col">Bar</th><th scope="col">Measured</th>'
        '<th scope="col">Result</th></tr></thead><tbody>',
        *map(_row, record["rows"]),
        "</tbody></table></div>",
        f"<p>Run on {text(record['run'])}; {text(record['machine'])}; {text(versions)}.</p>",
    )


def _row(row: Mapping[str, Any]) -> str:
    cells: Sequence[object] = (row["bar"], row["measured"], MET[row["is_met"]])
    return (
        f'<tr><th scope="row">{text(row["what"])}</th>' + "".join(f"<td>{text(cell)}</td>" for cell in cells) + "</tr>"
    )
