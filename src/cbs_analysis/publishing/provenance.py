"""How a finding was made: its figures, their publisher, its methods, its notebook, the edition and the version.

For the reader who is about to rely on a number and asks where it came from. It opens below the finding, in the pages of
the book; everything in it is read out of the executed notebook and the run's record.
"""

import html
from collections.abc import Mapping
from typing import Any

from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.live import END, packed
from cbs_analysis.publishing.markup import link, text

ROOT = "../../"
OPENING = '<section class="cbs-finding"'
CLOSING = "</section>"
MOST_ROWS = 60  # of a side-by-side table on a page: a page holds several, and is to stay light


def finished(
    shown: str, finding: Mapping[str, Any], specification: Mapping[str, Any] | None, edited: Edited, version: str
) -> str:
    """A finding's HTML as its page shows it: its chart answers to the pointer, and it says how it was made.

    `shown` is the notebook's own HTML of the finding, `specification` its chart as Vega-Lite, `version` that of the
    package that executed the notebook.
    """
    if not shown.startswith(OPENING) or not shown.endswith(CLOSING):
        return shown
    shown = _with_long_table_elsewhere(shown, finding, edited)
    if specification:
        shown = shown.replace(END, f"{packed(specification)}{END}", 1)
    return f"{shown.removesuffix(CLOSING)}{how_made(finding, edited, version)}{CLOSING}"


def _with_long_table_elsewhere(shown: str, finding: Mapping[str, Any], edited: Edited) -> str:
    """The finding with a link in place of a side-by-side table too long to carry on every page."""
    table = finding["members"]
    if not table or len(table["data"]) <= MOST_ROWS:
        return shown
    opening = f"<details><summary>{html.escape(table['title'])}</summary>"
    before, found, after = shown.partition(opening)
    if not found:
        return shown
    where = "in the pack’s workbook and tables"
    if finding["indicator"] in edited.indicators:
        page = f"{ROOT}indicator/{finding['indicator']}.html"
        where = f"{link(page, 'on one page')}, and {where}"
    return f'{before}<p class="cbs-minor">{text(table["title"])}: {where}.</p>{after.partition("</details>")[2]}'


def how_made(finding: Mapping[str, Any], edited: Edited, version: str) -> str:
    """The disclosure 'How was this made?' of a finding."""
    name, edition, notebook = finding["id"].rpartition(".")[2], edited.edition, f"{finding['chapter']}.ipynb"
    compared = finding["indicator"] in edited.indicators
    whole = edited.geography.whole.name
    facts = {
        "Figures": "; ".join(_table(item) for item in finding["source"]),
        "Method": ", ".join(
            link(f"{ROOT}methods/{method}.html", method.replace("-", " ").capitalize())
            for method in finding.get("methods", ())
        ),
        "Notebook": f"{link(notebook, notebook)}, executed for {text(finding['area_name'])}",
        "Edition": text(f"{edition.title} ({edition.name})"),
        "Made by": text(f"cbs-analysis {version}"),
        "To cite": link(f"#{name}", f"{finding['area_name']}: {finding['title']}"),
        "All areas": link(f"{ROOT}indicator/{finding['indicator']}.html", f"Compare across {whole}")
        if compared
        else "",
    }
    return f'<details class="cbs-made"><summary>How was this made?</summary>{markup.definitions(facts)}</details>'


def _table(citation: Mapping[str, str]) -> str:
    licence = f", {citation['licence']}" if citation["licence"] else ""
    entry = f"{ROOT}catalogue.html#table-{citation['table']}"
    return f"{link(entry, synthetic.source_title(citation))}, {text(citation['publisher'] + licence)}"
