"""A chapter's page: the executed notebook of one area as the book shows it, prose and findings, code hidden.

Staged as a notebook, so that Jupyter Book reads it like any other. Each finding says how it was made, for the reader
who is about to rely on a number. A chart stays the notebook's own picture; beside it stands its specification,
compressed, and a script that the site serves itself draws the same chart in its place when a reader points at it. The
specification is data that no browser runs, so that a policy that allows no script in a page lets it stand.
"""

import base64
import html
import json
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import vl_convert
from markupsafe import Markup

from cbs_analysis.evidence.finding import CHART_MIME
from cbs_analysis.evidence.finding import MIME as FINDING_MIME
from cbs_analysis.evidence.pack_facts import MIME as PACK_MIME
from cbs_analysis.evidence.pack_facts import AreaFacts
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.packs import EditionContext, ExecutedChapter, Failure, source_text
from cbs_analysis.publishing.templating import definitions, first_letter_lower, link, markdown, raw, render

HTML = "text/html"
SHOWN = (HTML, "text/plain")
ROOT = "../../"
OPENING = '<section class="cbs-finding"'
CLOSING = "</section>"
MOST_ROWS = 60  # of a side-by-side table on a page: a page holds several, and is to stay light
# The version that goes with the Vega it is bundled with. House charts are Vega-Lite 5; it draws them to the letter as
# the version that draws their pictures does.
VEGA_LITE = "6.4"
PACKED = "application/vnd.vegalite.v5+json+deflate"
END = "</figure>"


def chapter_page(chapter: ExecutedChapter, area: AreaFacts, context: EditionContext, version: str) -> str:
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
            _show_outputs_only(cell, lambda shown, data: _block(shown, data, context, version))
    if not title:
        cells.insert(0, {"cell_type": "markdown", "id": "title", "metadata": {}, "source": heading})
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return json.dumps({**notebook, "metadata": metadata}, ensure_ascii=False, indent=1)


def failed_chapter_page(area: AreaFacts, failure: Failure) -> str:
    """The page that stands where a chapter should: it says that the chapter is missing, and why."""
    return render("failed_chapter.md", area=area, title=page_title(area, failure.title), sentence=failure.sentence)


def page_title(area: AreaFacts, title: str) -> Markup:
    """'Southwark: planned care', with every punctuation mark of the area's name escaped."""
    return Markup("{}: {}").format(markdown(area.name), Markup(first_letter_lower(title)))


def _is_title(cell: Mapping[str, Any]) -> bool:
    return source_text(cell).startswith("# ")


def _block(shown: str, data: Mapping[str, Any], context: EditionContext, version: str) -> str:
    """What a cell shows: a finding with its live chart and how it was made, anything else as it is."""
    finding = data.get(FINDING_MIME)
    return finished(shown, finding, data.get(CHART_MIME), context, version) if finding else shown


def _show_outputs_only(cell: dict[str, Any], finish: Callable[[str, Mapping[str, Any]], str]) -> None:
    """Hide the code; the whole cell where it shows nothing to read, as the one that displays the pack's facts."""
    outputs = [
        output
        for output in cell.get("outputs", [])
        if output["output_type"] in ("execute_result", "display_data") and PACK_MIME not in output["data"]
    ]
    for output in outputs:
        best = next((mime for mime in SHOWN if mime in output["data"]), None)
        data = output["data"]
        output["data"] = {best: finish(source_text(data, best), data) if best == HTML else data[best]} if best else {}
        output["metadata"] = {}
    cell["outputs"] = [output for output in outputs if output["data"]]
    cell["metadata"] = {"tags": ["remove-input" if cell["outputs"] else "remove-cell"]}


# ---- A finding and how it was made


def finished(
    shown: str,
    finding: Mapping[str, Any],
    specification: Mapping[str, Any] | None,
    context: EditionContext,
    version: str,
) -> str:
    """A finding's HTML as its page shows it: its chart answers to the pointer, and it says how it was made.

    `shown` is the notebook's own HTML of the finding, `specification` its chart as Vega-Lite, `version` that of the
    package that executed the notebook.
    """
    if not shown.startswith(OPENING) or not shown.endswith(CLOSING):
        return shown
    shown = _with_long_table_elsewhere(shown, finding)
    if specification:
        shown = shown.replace(END, f"{packed(specification)}{END}", 1)
    return f"{shown.removesuffix(CLOSING)}{how_made(finding, context, version)}{CLOSING}"


def _with_long_table_elsewhere(shown: str, finding: Mapping[str, Any]) -> str:
    """The finding with a link in place of a side-by-side table too long to carry on every page."""
    table = finding["members"]
    if not table or len(table["data"]) <= MOST_ROWS:
        return shown
    before, opening, after = shown.partition(f"<details><summary>{html.escape(table['title'])}</summary>")
    if not opening:
        return shown
    where = Markup("in the pack’s workbook and tables")
    if finding["definition"]:
        where = Markup("{}, and {}").format(link(f"{ROOT}indicator/{finding['indicator']}.html", "on one page"), where)
    elsewhere = Markup('<p class="cbs-minor">{}: {}.</p>').format(table["title"], where)
    return f"{before}{elsewhere}{after.partition('</details>')[2]}"


def how_made(finding: Mapping[str, Any], context: EditionContext, version: str) -> Markup:
    """The disclosure 'How was this made?' of a finding: its figures, their publisher, its methods, its notebook, the
    edition and the version.
    """
    name, edition, notebook = finding["id"].rpartition(".")[2], context.edition, f"{finding['chapter']}.ipynb"
    compare = link(f"{ROOT}indicator/{finding['indicator']}.html", f"Compare across {context.geography.whole.name}")
    methods = (
        link(f"{ROOT}methods/{method}.html", method.replace("-", " ").capitalize())
        for method in finding.get("methods", ())
    )
    facts = {
        "Figures": Markup("; ").join(_table(item) for item in finding["source"]),
        "Method": Markup(", ").join(methods),
        "Notebook": Markup("{}, executed for {}").format(link(notebook, notebook), finding["area_name"]),
        "Edition": f"{edition.title} ({edition.name})",
        "Made by": f"cbs-analysis {version}",
        "To cite": link(f"#{name}", f"{finding['area_name']}: {finding['title']}"),
        "All areas": compare if finding["definition"] else "",
    }
    opening = Markup('<details class="cbs-made"><summary>How was this made?</summary>')
    return opening + definitions(facts) + Markup("</details>")


def _table(citation: Mapping[str, str]) -> Markup:
    licence = f", {citation['licence']}" if citation["licence"] else ""
    entry = link(f"{ROOT}catalogue.html#table-{citation['table']}", synthetic.source_title(citation))
    return Markup("{}, {}").format(entry, citation["publisher"] + licence)


# ---- Charts that answer to a pointer


def figure(picture: str, specification: Mapping[str, Any]) -> Markup:
    """A chart's `<figure>` from its SVG and its specification."""
    return Markup(f'<figure class="cbs-chart" tabindex="0">{picture}{packed(specification)}{END}')


def packed(specification: Mapping[str, Any]) -> str:
    """A specification as an element that a page may hold: raw deflate, in base64."""
    text = json.dumps(specification, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    squeezed = zlib.compress(text.encode("utf-8", "replace"), 9, wbits=-zlib.MAX_WBITS)
    return f'<script type="{PACKED}">{base64.b64encode(squeezed).decode("ascii")}</script>'


def unpacked(element: str) -> dict[str, Any]:
    """The specification in an element made by `packed`."""
    content = element.partition(">")[2].rpartition("</script>")[0]
    specification: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(content), wbits=-zlib.MAX_WBITS))
    return specification


@cache
def chart_library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, as the package that draws the pictures brings them."""
    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return library
