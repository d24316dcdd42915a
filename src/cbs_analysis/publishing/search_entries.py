"""What the book's search finds in packs: each pack, chapter and finding, with its sentence and its address."""

from collections.abc import Iterator, Mapping
from typing import Any

from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.summary import first_sentence


def search_entries(edited: Edited, packs: Mapping[str, ExecutedPack]) -> dict[str, Any]:
    """`entries` for the theme's search, and the names of the `pages` that they stand for."""
    pages = [f"packs/{code}/{name}" for code, pack in packs.items() for name in ("index", *_chapters(pack))]
    entries = [entry for code, pack in packs.items() for entry in _of_pack(edited.geography.area(code).name, pack)]
    return {"pages": pages, "entries": entries}


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
