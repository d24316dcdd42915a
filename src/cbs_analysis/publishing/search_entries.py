"""What the book's search finds in pages that are made: packs, chapters and findings, indicators, tables of figures."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.finding import SYNTHETIC_LABEL
from cbs_analysis.geography import Area
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.summary import first_sentence


def search_entries(
    edited: Edited, packs: Mapping[str, ExecutedPack], package: Mapping[str, Any]
) -> dict[str, list[Any]]:
    """`entries` for the theme's search, and the names of the `pages` that they stand for.

    An entry is a title, where it stands, an address, what is said there, and other words it is found by.
    """
    of_packs = [f"packs/{code}/{name}" for code, pack in packs.items() for name in ("index", *_chapters(pack))]
    pages = ["index", "indicators", "catalogue", *(f"indicator/{key}" for key in edited.indicators), *of_packs]
    entries = [*_of_indicators(edited, synthetic.of_indicators(packs)), *_of_tables(package)]
    areas = sorted(map(edited.geography.area, packs), key=lambda area: (area.is_leaf, not area.is_whole, area.name))
    entries += [entry for area in areas for entry in _of_pack(area, packs[area.code], edited)]
    return {"pages": pages, "entries": entries}


def _of_indicators(edited: Edited, made_up: Collection[str]) -> Iterator[list[str]]:
    yield ["Indicators", "", "indicators.html", ""]
    for key, item in edited.indicators.items():
        address = f"indicator/{key}.html"
        where = _labelled("Indicator, all areas", key in made_up)
        yield [item.name, where, address, item.definition, _other_names(item)]


def _labelled(where: str, is_made_up: bool) -> str:
    """Where an entry stands, and that it rests on synthetic records, so that a result says so."""
    return f"{where} \N{MIDDLE DOT} {SYNTHETIC_LABEL}" if is_made_up else where


def _other_names(item: Indicator) -> str:
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


def _of_pack(area: Area, pack: ExecutedPack, edited: Edited) -> Iterator[list[str]]:
    place = f"packs/{area.code}"
    yield [area.name, f"Pack, {area.code}", f"{place}/index.html", "", area.organisation_name]
    for chapter in pack.chapters:
        where = _labelled("Chapter", any(map(synthetic.said, chapter.findings)))
        yield [f"{area.name}: {chapter.title}", where, f"{place}/{chapter.name}.html", "", area.code]
        for finding in chapter.findings:
            anchor = str(finding["id"]).rpartition(".")[2]
            where = _labelled(f"{area.name} \N{MIDDLE DOT} {chapter.title}", bool(synthetic.said(finding)))
            item = edited.indicators.get(finding["indicator"] or "")
            address = f"{place}/{chapter.name}.html#{anchor}"
            said = first_sentence(finding["statement"])
            yield [finding["title"], where, address, said, f"{area.code} {_other_names(item) if item else ''}".rstrip()]
