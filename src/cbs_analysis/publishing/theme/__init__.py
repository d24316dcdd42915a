"""The book's look as a Sphinx theme: a header, light navigation, the page, and one small script.

The navigation is written from `_navigation.json`, staged beside the pages: on each page only the branch that
the page lies in is opened, so its cost does not grow with the number of packs. Pages hold no script and no style of
their own, so that they work under the strictest Content-Security-Policy.
"""

import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx

from cbs_analysis.publishing.theme import search
from cbs_analysis.publishing.theme.terms import Explainer, read_terms

NAVIGATION = "_navigation.json"
GLOSSARY = "glossary.md"
BEFORE_CONTENTS_ARE_COLLECTED = 100
# Pages as wide as the window allows, without a list of their headings beside them.
WIDE = re.compile(r"index|indicator/.*|packs/[^/]+/index")
INLINE_STYLE = re.compile(r'(<[^>]*?) style="[^"]*"')
# What Sphinx and MyST-NB bring and no page of ours loads.
UNUSED = ("basic.css", "doctools.js", "documentation_options.js", "language_data.js", "searchtools.js",
          "sphinx_highlight.js", "file.png", "minus.png", "plus.png", "mystnb.*.css")  # fmt: skip


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
    context["handbook_wide"] = WIDE.fullmatch(pagename) is not None
    context["handbook_groups"] = [{**group, "entries": navigation(group["entries"], pagename)} for group in groups]


def _clear_finding_anchors(app: Sphinx, doctree: nodes.document) -> None:
    """In packs, mark the ids of headings, so that a finding's own anchor is never a heading's as well."""
    if app.env.docname.startswith("packs/"):
        for section in doctree.findall(nodes.section):
            section["ids"] = [f"section-{name}" for name in section["ids"]]


def _finish_body(app: Sphinx, pagename: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Explain terms where they stand, drop styles that stand in elements, let the keyboard scroll what is too wide."""
    if "body" not in context:
        return
    if not hasattr(app, "handbook_explainer"):
        path = Path(app.srcdir) / GLOSSARY
        app.handbook_explainer = Explainer(read_terms(path.read_text(encoding="utf-8")) if path.exists() else [])  # type: ignore[attr-defined]
    explainer: Explainer = app.handbook_explainer  # type: ignore[attr-defined]
    body = INLINE_STYLE.sub(r"\1", context["body"]).replace("<pre>", '<pre tabindex="0">')
    context["body"] = body if pagename == GLOSSARY.removesuffix(".md") else explainer.explained(body)


def _finish(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        search.write_index(app)
        static = Path(app.outdir) / "_static"
        for path in [found for name in UNUSED for found in static.glob(name)]:
            path.unlink()


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_theme("handbook", str(Path(__file__).parent / "handbook"))
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it whether or not comments are loaded
    app.connect("builder-inited", search.switch_off_sphinx_search)
    app.connect("doctree-read", _clear_finding_anchors, priority=BEFORE_CONTENTS_ARE_COLLECTED)
    app.connect("html-page-context", _add_navigation)
    app.connect("html-page-context", _finish_body)
    app.connect("html-collect-pages", search.search_page)
    app.connect("build-finished", _finish)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
