"""The book's search: an index of headings and what is said below them, and the page that looks things up in it.

For a reader who knows a word and not the page. Sphinx's own index holds every number of every table and grows past a
megabyte for London; ours holds a finding's title and sentence, a section's heading and text, and links to the place.
Pages made from packs bring their entries (`_search.json`, staged beside the pages); those of written pages are taken
from them when the book has been built.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes  # type: ignore[import-untyped]
from sphinx.application import Sphinx

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
