"""An edition's packs together: what they share, and every one that has been made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cbs_analysis.edition import Edition, Indicator, load_edition, load_indicators
from cbs_analysis.errors import UserError
from cbs_analysis.geography import Geography, load_geography
from cbs_analysis.home import data_dir, params_dir
from cbs_analysis.publishing.findings import ExecutedPack, is_made, read_pack


@dataclass(frozen=True)
class Edited:
    """An edition with its areas and indicators, and which chapter makes which indicator. `before` is the edition that
    it is compared with, where there is one.
    """

    edition: Edition
    geography: Geography
    indicators: Mapping[str, Indicator]
    made_by: Mapping[str, str]
    before: Edition | None = None


def gather(edition: Edition) -> tuple[Edited, dict[str, ExecutedPack]]:
    """What the edition's packs share, and every pack that has been made, in the geography's order."""
    geography = load_geography(edition.geography, data_dir())
    packs = {code: read_pack(edition, code) for code in geography.areas if is_made(edition, code)}
    if not packs:
        raise UserError(f"edition {edition.name}: no pack has been made; run cbs packs --edition {edition.name}")
    packs = with_known_titles(packs)
    made_by = {
        finding["indicator"]: chapter.name
        for pack in packs.values()
        for chapter in pack.chapters
        for finding in chapter.findings
        if finding["indicator"]
    }
    before = load_edition(edition.previous, params_dir()) if edition.previous else None
    return Edited(edition, geography, load_indicators(params_dir()), made_by, before), packs


def with_known_titles(packs: dict[str, ExecutedPack]) -> dict[str, ExecutedPack]:
    """The packs, a failed chapter called what it is called in a pack where it did not fail."""
    titles = {chapter.name: chapter.title for pack in packs.values() for chapter in pack.chapters}
    return {
        code: replace(
            pack,
            failures=tuple(replace(item, title=titles.get(item.chapter, item.title)) for item in pack.failures),
        )
        for code, pack in packs.items()
    }
