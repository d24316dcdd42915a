"""A pack as a PDF for a board: A4, tagged, with contents, page numbers, bookmarks and charts as vectors.

Made by Typst from a template, `pack.typ`, and the pack as JSON: text reaches the page as data and is never markup.
Nothing of the system is needed, no browser and no font; why is in the decisions.
"""

import json
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import typst

from cbs_analysis.errors import DataError
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack
from cbs_analysis.publishing.pdf.content import contents, pictures

TEMPLATE = Path(__file__).with_name("pack.typ")
FONT_PACKAGE = "font_source_sans_pro"
# One file for each style. The package has two, and Typst takes that which the file system happens to list first.
FONT_FILES = tuple(f"SourceSansPro-{style}.otf" for style in ("Regular", "It", "Semibold", "Bold"))
# PDF/UA: what assistive technology needs. Typst refuses to write a document that lacks any of it.
STANDARD: Final[Literal["ua-1"]] = "ua-1"


def write_pdf(path: Path, pack: ExecutedPack, context: EditionContext, local: LocalCommentary) -> None:
    """Write the pack's PDF to `path`. The same pack gives the same bytes.

    Raises DataError where Typst cannot set it.
    """
    document, charts = contents(pack, context, local), pictures(pack)
    try:
        made = _set(document, charts, SHOWN)
    except typst.TypstError:
        # Fonts may hold two characters and not the one on top of the other; then only plain letters are kept.
        try:
            made = _set(document, charts, PLAIN)
        except typst.TypstError as error:
            raise DataError(f"{pack.area_code}: the PDF was not made: {' '.join(str(error).split())}") from None
    path.write_bytes(made)


def _set(document: Mapping[str, Any], charts: Mapping[str, str], shown: str) -> bytes:
    """The PDF of a document and its charts, with the characters in `shown`."""
    with TemporaryDirectory(prefix="cbs-pdf-") as work:
        folder, fonts = Path(work), Path(work, "fonts")
        fonts.mkdir()
        for name in FONT_FILES:
            copyfile(_font_folder() / name, fonts / name)
        copyfile(TEMPLATE, folder / TEMPLATE.name)
        (folder / "pack.json").write_text(json.dumps(all_replaced(document, shown)), encoding="utf-8")
        for name, svg in charts.items():
            (folder / name).write_text(replaced(svg, shown), encoding="utf-8")
        return typst.compile(
            folder / TEMPLATE.name,
            root=folder,
            font_paths=[fonts],
            ignore_system_fonts=True,
            pdf_standards=STANDARD,
        )


def _font_folder() -> Path:
    """Where the font's package keeps its files."""
    found = find_spec(FONT_PACKAGE)
    if found is None or found.origin is None:
        raise DataError(f"the package {FONT_PACKAGE.replace('_', '-')} is not installed; make setup installs it")
    return Path(found.origin).parent / "files"


# ---- Characters

# Which characters the PDF's fonts can show. PDF/UA allows no other, so a mark stands in the place of each.
# Latin, Greek, Cyrillic, punctuation, currencies, arrows, mathematics and shapes: all of them are in Source Sans Pro or
# in the fonts within Typst, which a test holds.
SHOWN: Final = (
    "\u0020-\u007e\u00a0-\u02ff\u0300-\u036f\u0384-\u0386\u0388-\u038a\u038c\u038e-\u03a1\u03a3-\u03ff\u0400-\u04ff"
    "\u1e00-\u1eff\u2010-\u2027\u2030-\u203e\u20a0-\u20bf\u2116\u2122\u2190-\u21ff\u2200-\u22ff\u2500-\u25ff\ufffd"
)
# What is surely shown, whatever stands beside what: no combining marks, no scripts.
PLAIN: Final = "\u0020-\u007e\u00a0-\u017f\u2010-\u2027\u2190-\u2193\u2212\u25a0-\u25ff\ufffd"
REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}"


def replaced(text: str, shown: str = SHOWN) -> str:
    """Text with white space as single spaces and a replacement character for each that cannot be shown."""
    return re.sub(f"[^{shown}]", REPLACEMENT, re.sub(r"[\s\x1c-\x1f]+", _space, text))


def _space(found: re.Match[str]) -> str:
    """A space; one that holds words together stays."""
    return "\N{NO-BREAK SPACE}" if set(found.group()) == {"\N{NO-BREAK SPACE}"} else " "


def all_replaced(value: Any, shown: str = SHOWN) -> Any:
    """The same JSON with every text `replaced`."""
    if isinstance(value, str):
        return replaced(value, shown)
    if isinstance(value, list):
        return [all_replaced(item, shown) for item in value]
    if isinstance(value, dict):
        return {key: all_replaced(item, shown) for key, item in value.items()}
    return value
