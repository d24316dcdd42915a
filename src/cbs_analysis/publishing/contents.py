"""The book's contents: its pages in reading order, its navigation, and what search finds in the pages that are made."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cbs_analysis.evidence.finding import SYNTHETIC_LABEL, Definition
from cbs_analysis.evidence.pack_facts import AreaFacts
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.handbook_pages import title_of, written_pages
from cbs_analysis.publishing.pack_page import first_sentence
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack, definition

INDICATOR = "indicator"
BEFORE = ("reading-a-pack",)
AFTER = ("indicators", "catalogue", "methods/index", "glossary", "using-the-handbook", "speed", "decisions/index")


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


def contents(
    context: EditionContext, packs: Mapping[str, ExecutedPack], folder: Path
) -> list[tuple[str, tuple[Entry, ...]]]:
    """The book's pages in reading order, in captioned groups. `folder` holds the hand-written pages."""
    return [
        ("", (Entry("index", "Home"), *_written(BEFORE, folder))),
        ("Packs", (_pack_entry(context.geography.whole, context, packs),)),
        ("About the evidence", tuple(_with_indicators(_written(AFTER, folder), context))),
    ]


def _with_indicators(entries: Iterable[Entry], context: EditionContext) -> Iterable[Entry]:
    """The pages of indicators, in the order of their file, below the index of them."""
    own = tuple(Entry(f"{INDICATOR}/{key}", item.short_name) for key, item in context.indicators.items())
    for entry in entries:
        yield Entry(entry.docname, entry.title, own) if entry.docname == "indicators" else entry


def _pack_entry(area: AreaFacts, context: EditionContext, packs: Mapping[str, ExecutedPack]) -> Entry:
    pack = packs.get(area.code)
    chapters = [Entry(f"packs/{area.code}/{name}", title) for name, title in _chapter_titles(pack, context)]
    members = [_pack_entry(member, context, packs) for member in context.geography.in_reading_order(area)]
    docname = f"packs/{area.code}/index" if pack else None
    return Entry(docname, area.name, tuple(chapters), tuple(members), open=area.is_whole)


def _chapter_titles(pack: ExecutedPack | None, context: EditionContext) -> Iterable[tuple[str, str]]:
    if pack is None:
        return []
    titles = {item.name: item.title for item in pack.chapters} | {item.chapter: item.title for item in pack.failures}
    return [(name, titles[name]) for name in context.edition.chapters if name in titles]


def _written(names: Iterable[str], folder: Path) -> Iterable[Entry]:
    """Hand-written pages, with the other pages of a folder below its index."""
    for name in names:
        path = folder / f"{name}.md"
        if not path.exists():
            continue
        beside = written_pages(path.parent) if name.endswith("/index") else []
        below = [Entry(f"{path.parent.name}/{other.stem}", title_of(other)) for other in beside if other != path]
        yield Entry(name, title_of(path), tuple(sorted(below, key=lambda entry: entry.title)))


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


def navigation_json(groups: list[tuple[str, tuple[Entry, ...]]]) -> list[dict[str, Any]]:
    """The groups as the theme's navigation reads them."""
    return [{"caption": caption, "entries": [entry.to_json() for entry in entries]} for caption, entries in groups]


# ---- Search


def search_entries(
    context: EditionContext, packs: Mapping[str, ExecutedPack], package: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """`entries` for the theme's search, and the names of the `pages` that they stand for.

    An entry is a title, where it stands, an address, what it says, and other words it is found by.
    """
    of_packs = [f"packs/{code}/{name}" for code, pack in packs.items() for name in ("index", *_chapters(pack))]
    pages = ["index", "indicators", "catalogue", *(f"indicator/{key}" for key in context.indicators), *of_packs]
    entries = [
        *_of_indicators(
            context, synthetic.indicators_of(finding for pack in packs.values() for finding in pack.findings)
        ),
        *_of_tables(package),
    ]
    areas = sorted(map(context.geography.area, packs), key=lambda area: (area.is_leaf, not area.is_whole, area.name))
    entries += [entry for area in areas for entry in _of_pack(area, packs[area.code], context)]
    return {"pages": pages, "entries": entries}


def _of_indicators(context: EditionContext, synthetic_ones: Collection[str]) -> Iterator[list[str]]:
    yield ["Indicators", "", "indicators.html", ""]
    for key, item in context.indicators.items():
        address = f"indicator/{key}.html"
        where = _labelled("Indicator, all areas", key in synthetic_ones)
        yield [item.name, where, address, item.definition, _other_names(item)]


def _labelled(where: str, is_synthetic: bool) -> str:
    """Where an entry stands, and that it rests on synthetic records, so that a result says so."""
    return f"{where} \N{MIDDLE DOT} {SYNTHETIC_LABEL}" if is_synthetic else where


def _other_names(item: Definition) -> str:
    return " ".join((item.short_name, *item.also_called))


def _of_tables(package: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["Data catalogue", "", "catalogue.html", ""]
    for table in package["resources"]:
        words = f"{table.get('description', '')} {table.get('publisher', '')}"
        yield [
            table["title"],
            _labelled("Data catalogue", table.get("synthetic", False)),
            f"catalogue.html#table-{table['name']}",
            words,
        ]


def _chapters(pack: ExecutedPack) -> list[str]:
    return [*(chapter.name for chapter in pack.chapters), *(failure.chapter for failure in pack.failures)]


def _of_pack(area: AreaFacts, pack: ExecutedPack, context: EditionContext) -> Iterator[list[str]]:
    place = f"packs/{area.code}"
    yield [area.name, f"Pack, {area.code}", f"{place}/index.html", "", area.organisation_name]
    for chapter in pack.chapters:
        where = _labelled("Chapter", any(map(synthetic.is_synthetic, chapter.findings)))
        yield [f"{area.name}: {chapter.title}", where, f"{place}/{chapter.name}.html", "", area.code]
        for finding in chapter.findings:
            anchor = str(finding["id"]).rpartition(".")[2]
            where = _labelled(f"{area.name} \N{MIDDLE DOT} {chapter.title}", synthetic.is_synthetic(finding))
            item = definition(finding)
            address = f"{place}/{chapter.name}.html#{anchor}"
            sentence = first_sentence(finding["statement"])
            yield [
                finding["title"],
                where,
                address,
                sentence,
                f"{area.code} {_other_names(item) if item else ''}".rstrip(),
            ]
