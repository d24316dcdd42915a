"""What the book's search finds in pages that are made: packs, chapters and findings, indicators, tables of figures."""

from collections.abc import Iterator, Mapping
from typing import Any

from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.summary import first_sentence


def search_entries(
    edited: Edited, packs: Mapping[str, ExecutedPack], package: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """`entries` for the theme's search, and the names of the `pages` that they stand for."""
    of_packs = [f"packs/{code}/{name}" for code, pack in packs.items() for name in ("index", *_chapters(pack))]
    pages = ["index", "indicators", "catalogue", *(f"indicator/{key}" for key in edited.indicators), *of_packs]
    entries = [*_of_indicators(edited), *_of_tables(package)]
    entries += [entry for code, pack in packs.items() for entry in _of_pack(edited.geography.area(code).name, pack)]
    return {"pages": pages, "entries": entries}


def _of_indicators(edited: Edited) -> Iterator[list[str]]:
    yield ["Indicators", "", "indicators.html", ""]
    for key, item in edited.indicators.items():
        yield [item.name, "Indicator, all areas", f"indicator/{key}.html", item.definition]


def _of_tables(package: Mapping[str, Any]) -> Iterator[list[str]]:
    yield ["Data catalogue", "", "catalogue.html", ""]
    for table in package["resources"]:
        words = f"{table.get('description', '')} {table.get('publisher', '')}"
        yield [table["title"], "Data catalogue", f"catalogue.html#table-{table['name']}", words]


def _chapters(pack: ExecutedPack) -> list[str]:
    return [*(chapter.name for chapter in pack.chapters), *(failure.chapter for failure in pack.failures)]


def _of_pack(area: str, pack: ExecutedPack) -> Iterator[list[str]]:
    place = f"packs/{pack.area_code}"
    yield [area, "Pack", f"{place}/index.html", ""]
    for chapter in pack.chapters:
        yield [f"{area}: {chapter.title}", "Chapter", f"{place}/{chapter.name}.html", ""]
        for finding in chapter.findings:
            anchor = str(finding["id"]).rpartition(".")[2]
            where = f"{area} \N{MIDDLE DOT} {chapter.title}"
            address = f"{place}/{chapter.name}.html#{anchor}"
            yield [finding["title"], where, address, first_sentence(finding["statement"])]
