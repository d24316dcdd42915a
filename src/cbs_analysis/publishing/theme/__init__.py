"""The book's look as a Sphinx theme: a header, light navigation, the page, and one small script.

The navigation is written from `_navigation.json`, staged beside the pages: on each page only the branch that
the page lies in is opened, so its cost does not grow with the number of packs.
"""

import html
import json
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx

NAVIGATION = "_navigation.json"
BEFORE_CONTENTS_ARE_COLLECTED = 100
INDEX_START = "Search.setIndex("


def navigation(entries: list[dict[str, Any]], here: str) -> list[dict[str, Any]]:
    """The entries to show on page `here`: all at the top, and below an entry only where the page lies in it.

    An entry has `title`, `docname` (None where there is no page), `pages` of its own, and `children`, further
    entries. Its own pages show on itself and on them; its children wherever the page lies below it, or it is
    always `open`.
    """
    shown = []
    for entry in entries:
        own = _is_own(entry, here)
        inside = entry["open"] or _holds(entry, here)
        pages = [{**page, "own": True} for page in entry["pages"]] if own else []
        below = [*pages, *(entry["children"] if inside else [])]
        shown.append({**entry, "current": entry["docname"] == here, "children": navigation(below, here)})
    return shown


def _holds(entry: dict[str, Any], here: str) -> bool:
    return _is_own(entry, here) or any(_holds(child, here) for child in entry["children"])


def _is_own(entry: dict[str, Any], here: str) -> bool:
    return here in (entry["docname"], *(page["docname"] for page in entry["pages"]))


def _add_navigation(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    if not hasattr(app, "handbook_navigation"):
        path = Path(app.srcdir) / NAVIGATION
        entries = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
        app.handbook_navigation = entries  # type: ignore[attr-defined]
    groups = app.handbook_navigation  # type: ignore[attr-defined]
    context["handbook_groups"] = [{**group, "entries": navigation(group["entries"], pagename)} for group in groups]


def _clear_finding_anchors(app: Sphinx, doctree: nodes.document) -> None:
    """In packs, mark the ids of headings, so that a finding's own anchor is never a heading's as well."""
    if app.env.docname.startswith("packs/"):
        for section in doctree.findall(nodes.section):
            section["ids"] = [f"section-{name}" for name in section["ids"]]


def escape_titles(index: str) -> str:
    """Sphinx's search index with its section titles escaped: the search page sets them as HTML."""
    start = len(INDEX_START)
    values = json.loads(index[start : index.rindex(")")])
    values["alltitles"] = {html.escape(title): found for title, found in values["alltitles"].items()}
    return f"{INDEX_START}{json.dumps(values, ensure_ascii=True, separators=(',', ':'))})"


def _finish(app: Sphinx, error: Exception | None) -> None:
    path = Path(app.outdir) / "searchindex.js"
    if error is None and path.exists():
        path.write_text(escape_titles(path.read_text(encoding="utf-8")), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_theme("handbook", str(Path(__file__).parent / "handbook"))
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it whether or not comments are loaded
    app.connect("doctree-read", _clear_finding_anchors, priority=BEFORE_CONTENTS_ARE_COLLECTED)
    app.connect("html-page-context", _add_navigation)
    app.connect("build-finished", _finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
