"""The book's look as a Sphinx theme: a header, light navigation, the page, and one small script.

The navigation is written from `_navigation.json`, staged beside the pages: on each page only the branch that the page
lies in is opened, so its cost does not grow with the number of packs. Terms of the glossary are explained where they
stand. Search has an index of its own. Formulas are written as MathML when the book is built. Pages hold no script and
no style of their own, so that they work under the strictest Content-Security-Policy.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util import logging

logger = logging.getLogger(__name__)

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
        write_index(app)
        static = Path(app.outdir) / "_static"
        for path in [found for name in UNUSED for found in static.glob(name)]:
            path.unlink()


# ---- Glossary: a term's first use on a page opens its definition beside it, as a popover of the browser's own: no
# script, reached and left by keyboard. Made from the glossary page, so the two cannot differ.

_TAG = re.compile(r"(<[^>]*>)")
_NAME = re.compile(r"</?([a-zA-Z0-9]+)")
_EXPLAINED_IN = frozenset({"p", "li", "dd"})
_LEFT_ALONE = frozenset(
    {"a", "button", "code", "dt", "figure", "form", "h1", "h2", "h3", "h4", "label", "math", "nav", "pre", "script",
     "select", "summary", "svg", "table", "title"}
)  # fmt: skip
# Names of parts of this handbook: common words, which a reader meets at every step.
_PLAIN_WORDS = frozenset({"area", "chapter", "edition", "finding", "function", "pack", "sector", "source", "spread"})


@dataclass(frozen=True)
class Term:
    """A word with its definition, as plain text, and the spellings that are explained."""

    name: str
    definition: str
    spellings: tuple[str, ...]

    @property
    def id(self) -> str:
        return "term-" + re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


def read_terms(glossary: str) -> list[Term]:
    """The terms of a glossary page, a MyST definition list. 'LSOA, lower super output area' has two spellings."""
    found = []
    for block in re.findall(r"^(\S[^\n]*)\n: (.+?)(?=\n\n|\Z)", glossary, re.MULTILINE | re.DOTALL):
        name, definition = block[0].strip(), " ".join(block[1].split())
        if name.lower() not in _PLAIN_WORDS:
            found.append(Term(name, definition.replace("*", ""), tuple(part.strip() for part in name.split(", "))))
    return found


class Explainer:
    """Marks the first use of each term in a page's HTML and adds the definitions at its end."""

    def __init__(self, terms: list[Term]) -> None:
        self._by_spelling: Mapping[str, Term] = {word.lower(): term for term in terms for word in term.spellings}
        longest_first = sorted(self._by_spelling, key=lambda word: (-len(word), word))
        alternatives = "|".join(re.escape(html.escape(word, quote=False)) for word in longest_first)
        self._pattern = re.compile(rf"\b({alternatives})(s?)\b", re.IGNORECASE) if terms else None

    def explained(self, body: str) -> str:
        """The page with its first uses marked. Only running text is: no heading, link, table or chart."""
        if self._pattern is None:
            return body
        used: dict[str, Term] = {}
        inside, barred, parts = 0, 0, _TAG.split(body)
        for place, part in enumerate(parts):
            if place % 2 == 0:
                if inside and not barred:
                    parts[place] = self._pattern.sub(lambda found: self._marked(found, used), part)
                continue
            name = _NAME.match(part)
            step = 0 if not name or part.endswith("/>") else -1 if part[1] == "/" else 1
            tag = name.group(1).lower() if name else ""
            inside += step * (tag in _EXPLAINED_IN)
            barred += step * (tag in _LEFT_ALONE)
        return "".join(parts) + "".join(_definition(term) for term in used.values())

    def _marked(self, found: re.Match[str], used: dict[str, Term]) -> str:
        term = self._by_spelling[html.unescape(found.group(1)).lower()]
        if term.id in used:
            return found.group()
        used[term.id] = term
        return f'<button type="button" class="hb-term" popovertarget="{term.id}">{found.group()}</button>'


def _definition(term: Term) -> str:
    return (
        f'<div class="hb-definition" id="{term.id}" popover role="note"><strong>{html.escape(term.name)}</strong> '
        f"{html.escape(term.definition)}</div>"
    )


# ---- Search: an index of headings and what is said below them. Sphinx's own index holds every number of every table
# and grows past a megabyte; ours holds a finding's title and sentence, a section's heading and text, and links to the
# place. Pages made from packs bring their entries (`_search.json`, staged beside the pages); those of written pages are
# taken from them when the book has been built.

ENTRIES = "_search.json"
INDEX = Path("_static", "search-index.js")
START = "window.handbookIndex = "
_NOT_WORDS = (nodes.section, nodes.title, nodes.raw)
_WORD = re.compile(r"[^\W\d_][\w'’-]+")

Entry = list[str]  # title, where it stands, address, words, and other words it is found by, where there are any


def sections(document: nodes.document, docname: str) -> Iterator[Entry]:
    """An entry for each section of a written page: its heading, the page's title, its address, its words once each."""
    page = ""
    for section in document.findall(nodes.section):
        title = section.next_node(nodes.title)
        heading = title.astext() if title else docname
        page = page or heading
        own = [node.astext() for node in section.children if not isinstance(node, _NOT_WORDS)]
        where = "" if heading == page else page
        anchor = f"#{section['ids'][0]}" if where and section["ids"] else ""
        yield [heading, where, f"{docname}.html{anchor}", " ".join(_words(" ".join(own)))]


def _words(text: str) -> list[str]:
    return list(dict.fromkeys(word.lower() for word in _WORD.findall(text)))


def switch_off_sphinx_search(app: Sphinx) -> None:
    app.builder.search = False  # type: ignore[attr-defined]


def search_page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    yield "search", {"title": "Search"}, "search.html"


def write_index(app: Sphinx) -> None:
    """One script that holds every entry: those of written pages in the order of their names, then those of packs."""
    path = Path(app.srcdir) / ENTRIES
    brought = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"pages": [], "entries": []}
    written = sorted(app.env.found_docs - set(brought["pages"]))
    entries = [entry for docname in written for entry in sections(app.env.get_doctree(docname), docname)]
    text = json.dumps([*entries, *brought["entries"]], ensure_ascii=True, separators=(",", ":"))
    (Path(app.outdir) / INDEX).write_text(f"{START}{text};\n", encoding="utf-8")


# ---- Formulas


def to_mathml(latex: str, display: str) -> str:
    """A `<math>` element. `display` is 'inline' or 'block'."""
    return str(convert(latex, display=display))


def visit_inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(_converted(node, "inline"))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    anchors = "".join(f'<span id="{name}"></span>' for name in node["ids"])
    writer.body.append(f'<div class="cbs-formula">{anchors}{_converted(node, "block")}</div>\n')
    raise nodes.SkipNode


def _converted(node: nodes.Element, display: str) -> str:
    try:
        return to_mathml(node.astext(), display)
    except Exception as error:
        logger.warning("formula %r: %s", node.astext(), error, location=node)
        return ""


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_theme("handbook", str(Path(__file__).parent / "handbook"))
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it whether or not comments are loaded
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("builder-inited", switch_off_sphinx_search)
    app.connect("doctree-read", _clear_finding_anchors, priority=BEFORE_CONTENTS_ARE_COLLECTED)
    app.connect("html-page-context", _add_navigation)
    app.connect("html-page-context", _finish_body)
    app.connect("html-collect-pages", search_page)
    app.connect("build-finished", _finish)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
