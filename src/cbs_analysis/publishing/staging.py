"""Lays the book's pages together in one folder for Jupyter Book: written, generated and executed ones.

Nothing is staged that a page does not show, so Sphinx reads little and the same inputs give the same pages.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cbs_analysis.edition import load_commentary
from cbs_analysis.geography import Area
from cbs_analysis.publishing import pages, synthetic
from cbs_analysis.publishing.across import Across
from cbs_analysis.publishing.chapter_page import chapter_page
from cbs_analysis.publishing.downloads import Download
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.examples import heading, staged_example
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.front import front_page
from cbs_analysis.publishing.indicator_pages import indicator_page, indicators_page
from cbs_analysis.publishing.live import chart_library
from cbs_analysis.publishing.search_entries import search_entries
from cbs_analysis.publishing.speed import speed_page
from cbs_analysis.publishing.summary import in_reading_order, summary_page, why
from cbs_analysis.publishing.theme import GLOSSARY, NAVIGATION
from cbs_analysis.publishing.theme.search import ENTRIES

INDICATOR = "indicator"
BEFORE = ("reading-a-pack",)
AFTER = ("indicators", "catalogue", "methods/index", "glossary", "using-the-handbook", "speed", "decisions/index")
# What shows on every page, beside the theme.
EVERY_PAGE = ("_config.yml", "_toc.yml", NAVIGATION, GLOSSARY)


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


@dataclass(frozen=True)
class Inputs:
    """Where the parts of a book are that are not made from packs: hand-written pages, `_config.yml`, parameters with
    the local commentary, executed method pages (one that is not there is shown without results), records of benchmarks.
    """

    book: Path
    config: Path
    params: Path
    examples: Path
    benchmarks: Path


def stage(
    folder: Path,
    inputs: Inputs,
    edited: Edited,
    packs: Mapping[str, ExecutedPack],
    before: Mapping[str, ExecutedPack],
    package: Mapping[str, Any],
    offered: Mapping[str, Sequence[Download]],
) -> None:
    """Fill `folder`, which must not exist, with everything Jupyter Book needs.

    `before` holds the areas' packs in the edition before, `package` describes the data, `offered` the files that can be
    taken along: of an area by its code, of the edition under an empty one.
    """
    shutil.copytree(inputs.book, folder, ignore=shutil.ignore_patterns("_build", ".*", "README*"))
    for page in sorted((folder / "methods").glob("*.ipynb")):
        executed = inputs.examples / page.name
        _write(page, staged_example(executed if executed.exists() else page))
    _write(folder / "_static" / "vega.js", chart_library())
    titles = {resource["name"]: resource["title"] for resource in package["resources"]}
    _write(folder / "index.md", front_page(edited, packs, offered.get("", ())))
    _write(folder / "catalogue.md", pages.catalogue_page(package))
    _write(folder / "indicators.md", indicators_page(edited.indicators, titles, synthetic.of_indicators(packs)))
    across = Across(edited, packs)
    for key, indicator in edited.indicators.items():
        _write(folder / INDICATOR / f"{key}.md", indicator_page(indicator, across, edited, titles))
    _write(folder / "speed.md", speed_page(inputs.benchmarks))
    for code, pack in packs.items():
        local = load_commentary(code, inputs.params)
        first = summary_page(pack, edited, local, list(packs), offered.get(code, ()), before.get(code))
        _stage_pack(folder / "packs" / code, pack, edited, first)
    groups = contents(edited, packs, folder)
    _write(folder / "_toc.yml", toc(groups))
    _write(folder / NAVIGATION, _json([_group_json(*group) for group in groups]))
    _write(folder / ENTRIES, _json(search_entries(edited, packs, package)))
    _write(folder / "_config.yml", configuration(inputs.config, edited))


def _stage_pack(place: Path, pack: ExecutedPack, edited: Edited, first: str) -> None:
    area = edited.geography.area(pack.area_code)
    _write(place / "index.md", first)
    for chapter in pack.chapters:
        _write(place / f"{chapter.name}.ipynb", chapter_page(chapter, area, edited, pack.version))
    for failure in pack.failures:
        _write(place / f"{failure.chapter}.md", pages.failed_chapter_page(area, failure.title, why(failure)))


def contents(edited: Edited, packs: Mapping[str, ExecutedPack], folder: Path) -> list[tuple[str, tuple[Entry, ...]]]:
    """The book's pages in reading order, in captioned groups. `folder` holds the hand-written pages."""
    return [
        ("", (Entry("index", "Home"), *_written(BEFORE, folder))),
        ("Packs", (_pack_entry(edited.geography.whole, edited, packs),)),
        ("About the evidence", tuple(_with_indicators(_written(AFTER, folder), edited))),
    ]


def _with_indicators(entries: Iterable[Entry], edited: Edited) -> Iterable[Entry]:
    """The pages of indicators, in the order of their file, below the index of them."""
    own = tuple(Entry(f"{INDICATOR}/{key}", item.short_name) for key, item in edited.indicators.items())
    for entry in entries:
        yield Entry(entry.docname, entry.title, own) if entry.docname == "indicators" else entry


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


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
