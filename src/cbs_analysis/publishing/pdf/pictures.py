"""The charts of a pack for its PDF: vectors with real text, in the document's font, sized for the page."""

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from cbs_analysis.errors import DataError
from cbs_analysis.publishing.findings import ExecutedChapter, ExecutedPack

FONT = "Source Sans Pro"
BESIDE_MM, ALONE_MM, TALLEST_MM = 112.0, 118.0, 178.0  # beside key figures two findings go on a page
_FONT_FAMILY = re.compile(r'font-family="[^"]*"')


def pictures(pack: ExecutedPack) -> dict[str, str]:
    """Each chart's SVG by its file's name."""
    return {
        file_name(place, at): _FONT_FAMILY.sub(f'font-family="{FONT}"', chapter.pictures[finding["id"]])
        for place, chapter in enumerate(pack.chapters)
        for at, finding in enumerate(chapter.findings)
        if finding["id"] in chapter.pictures
    }


def picture(chapter: ExecutedChapter, place: int, at: int, is_beside: bool) -> dict[str, object] | None:
    """A finding's chart as the template wants it: its file, its width in millimetres, and its description; None where
    the finding has none.
    """
    finding = chapter.findings[at]
    svg = chapter.pictures.get(finding["id"])
    if svg is None:
        return None
    width, height = _size(svg, finding)
    return {
        "file": file_name(place, at),
        "alt": finding["chart_description"] or f"Chart: {finding['title']}",
        "width": round(min(BESIDE_MM if is_beside else ALONE_MM, TALLEST_MM * width / height), 1),
    }


def file_name(chapter: int, finding: int) -> str:
    return f"chart-{chapter}-{finding}.svg"


def _size(svg: str, finding: Mapping[str, object]) -> tuple[float, float]:
    try:
        _, _, width, height = (float(part) for part in ElementTree.fromstring(svg).get("viewBox", "").split())
    except (ElementTree.ParseError, ValueError):
        width = height = 0.0
    if width <= 0 or height <= 0:
        raise DataError(f"{finding['id']}: its chart is not a picture with a size; run cbs packs again")
    return width, height
