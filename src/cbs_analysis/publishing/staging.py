"""Lays the book's pages together in one folder for Jupyter Book: written, generated and executed ones.

Nothing is staged that a page does not show, so Sphinx reads little and the same inputs give the same pages.
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cbs_analysis.edition import load_commentary
from cbs_analysis.geography import Area
from cbs_analysis.publishing import pages
from cbs_analysis.publishing.examples import heading, staged_example
from cbs_analysis.publishing.findings import ExecutedChapter, ExecutedPack, source_text
from cbs_analysis.publishing.markup import markdown
from cbs_analysis.publishing.speed import speed_page
from cbs_analysis.publishing.summary import Edited, in_reading_order, summary_page, why
from cbs_analysis.publishing.theme import NAVIGATION

BEFORE = ("reading-a-pack",)
AFTER = ("indicators", "catalogue", "methods/index", "glossary", "using-the-handbook", "speed", "decisions/index")
SHOWN = ("text/html", "text/plain")


@dataclass(frozen=True)
class Entry:
    """A page's place in the book: its Sphinx name (None where it has not been made), title, and what lies
    below it.

    `pages` are its own, as a pack's chapters; `children` stand for themselves, as the packs of a sector.
    """

    docname: str | None
    title: str
    pages: tuple["Entry", ...] = field(default=())
    children: tuple["Entry", ...] = field(default=())
    open: bool = False

    def to_json(self) -> dict[str, Any]:
        return {
            "docname": self.docname,
            "title": self.title,
            "open": self.open,
            "pages": [page.to_json() for page in self.pages],
            "children": [child.to_json() for child in self.children],
        }

    def to_toc(self) -> dict[str, Any]:
        below = [entry.to_toc() for entry in (*self.pages, *self.children)]
        return {"file": self.docname, **({"sections": below} if below else {})}


def stage(
    folder: Path,
    book: Path,
    config: Path,
    edited: Edited,
    packs: Mapping[str, ExecutedPack],
    package: Mapping[str, Any],
    params: Path,
    examples: Path,
    benchmarks: Path,
) -> None:
    """Fill `folder`, which must not exist, with everything Jupyter Book needs.

    `book` holds the hand-written pages, `config` is the book's `_config.yml`, `package` describes the data,
    `params` holds the local commentary and `examples` the executed method pages: one that is not there is shown
    without results. `benchmarks` holds the records of benchmarks, if any was run.
    """
    shutil.copytree(book, folder, ignore=shutil.ignore_patterns("_build", ".*", "README*"))
    for page in sorted((folder / "methods").glob("*.ipynb")):
        executed = examples / page.name
        _write(page, staged_example(executed if executed.exists() else page))
    titles = {resource["name"]: resource["title"] for resource in package["resources"]}
    _write(folder / "index.md", pages.front_page(edited, packs))
    _write(folder / "catalogue.md", pages.catalogue_page(package))
    _write(folder / "indicators.md", pages.indicators_page(edited.indicators, titles))
    _write(folder / "speed.md", speed_page(benchmarks))
    for code, pack in packs.items():
        area = edited.geography.area(code)
        place = folder / "packs" / code
        local = load_commentary(code, params)
        _write(place / "index.md", summary_page(pack, edited, local, made=list(packs)))
        for chapter in pack.chapters:
            _write(place / f"{chapter.name}.ipynb", staged_notebook(chapter, area))
        for failure in pack.failures:
            _write(place / f"{failure.chapter}.md", pages.failed_chapter_page(area, failure.title, why(failure)))
    groups = contents(edited, packs, folder)
    _write(folder / "_toc.yml", toc(groups))
    _write(
        folder / NAVIGATION,
        json.dumps([_group_json(*group) for group in groups], ensure_ascii=False, indent=1),
    )
    _write(folder / "_config.yml", configuration(config, edited))


def staged_notebook(chapter: ExecutedChapter, area: Area) -> str:
    """The executed notebook as the book shows it: the area in the title, code hidden, readable outputs
    only.
    """
    notebook = json.loads(chapter.path.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    title = next((cell for cell in cells if cell["cell_type"] == "markdown" and _is_title(cell)), None)
    if title:
        _, _, rest = source_text(title).partition("\n")
        title["source"] = f"# {page_title(area, chapter.title)}\n{rest}"
    for cell in cells:
        if cell["cell_type"] == "code":
            _show_outputs_only(cell)
    if not title:
        cells.insert(
            0,
            {
                "cell_type": "markdown",
                "id": "title",
                "metadata": {},
                "source": f"# {page_title(area, chapter.title)}",
            },
        )
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    return json.dumps({**notebook, "metadata": metadata}, ensure_ascii=False, indent=1)


def page_title(area: Area, title: str) -> str:
    """'Southwark: planned care', with every punctuation mark of the area's name escaped."""
    return f"{markdown(area.name)}: {pages.lower_first(title)}"


def _is_title(cell: Mapping[str, Any]) -> bool:
    return source_text(dict(cell)).startswith("# ")


def _show_outputs_only(cell: dict[str, Any]) -> None:
    outputs = [
        output for output in cell.get("outputs", []) if output["output_type"] in ("execute_result", "display_data")
    ]
    for output in outputs:
        best = next((mime for mime in SHOWN if mime in output["data"]), None)
        output["data"] = {best: output["data"][best]} if best else {}
        output["metadata"] = {}
    cell["outputs"] = [output for output in outputs if output["data"]]
    cell["metadata"] = {"tags": ["remove-input" if cell["outputs"] else "remove-cell"]}


def contents(edited: Edited, packs: Mapping[str, ExecutedPack], folder: Path) -> list[tuple[str, tuple[Entry, ...]]]:
    """The book's pages in reading order, in captioned groups. `folder` holds the hand-written pages."""
    return [
        ("", (Entry("index", "Home"), *_written(BEFORE, folder))),
        ("Packs", (_pack_entry(edited.geography.whole, edited, packs),)),
        ("About the evidence", tuple(_written(AFTER, folder))),
    ]


def _pack_entry(area: Area, edited: Edited, packs: Mapping[str, ExecutedPack]) -> Entry:
    pack = packs.get(area.code)
    chapters = [Entry(f"packs/{area.code}/{name}", title) for name, title in _chapter_titles(pack, edited)]
    members = [_pack_entry(member, edited, packs) for member in in_reading_order(area, edited.geography)]
    docname = f"packs/{area.code}/index" if pack else None
    return Entry(docname, area.name, tuple(chapters), tuple(members), open=area.is_whole)


def _chapter_titles(pack: ExecutedPack | None, edited: Edited) -> Iterable[tuple[str, str]]:
    if pack is None:
        return []
    titles = {item.name: item.title for item in pack.chapters} | {item.chapter: item.title for item in pack.failures}
    return [(name, titles[name]) for name in edited.edition.chapters if name in titles]


def _written(names: Iterable[str], folder: Path) -> Iterable[Entry]:
    """Hand-written pages, with the other pages of a folder below its index."""
    for name in names:
        path = folder / f"{name}.md"
        if not path.exists():
            continue
        beside = written_pages(path.parent) if name.endswith("/index") else []
        below = [Entry(f"{path.parent.name}/{other.stem}", heading(other)) for other in beside if other != path]
        yield Entry(name, heading(path), tuple(sorted(below, key=lambda entry: entry.title)))


def written_pages(folder: Path) -> list[Path]:
    """The hand-written pages of a folder, prose and notebooks, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix in (".md", ".ipynb"))


def toc(groups: list[tuple[str, tuple[Entry, ...]]]) -> str:
    """Jupyter Book's table of contents. Packs that were not made lift what lies below them."""
    parts = []
    for caption, entries in groups:
        listed = [entry.to_toc() for entry in _made(entries) if entry.docname != "index"]
        if listed:
            parts.append({**({"caption": caption} if caption else {}), "chapters": listed})
    tree = {"format": "jb-book", "root": "index", "parts": parts}
    return yaml.safe_dump(tree, allow_unicode=True, sort_keys=False, width=1_000)


def _made(entries: Iterable[Entry]) -> list[Entry]:
    made: list[Entry] = []
    for entry in entries:
        below = tuple(_made(entry.children))
        made += [Entry(entry.docname, entry.title, entry.pages, below)] if entry.docname else below
    return made


def _group_json(caption: str, entries: tuple[Entry, ...]) -> dict[str, Any]:
    return {"caption": caption, "entries": [entry.to_json() for entry in entries]}


def configuration(config: Path, edited: Edited) -> str:
    """The book's `_config.yml` with this edition's title."""
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    values["title"] = edited.edition.title
    line = f"{edited.edition.title}. Geography: {edited.geography.title}."
    values["sphinx"]["config"]["html_context"] = {"edition_line": line}
    return yaml.safe_dump(values, allow_unicode=True, sort_keys=False, width=1_000)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
