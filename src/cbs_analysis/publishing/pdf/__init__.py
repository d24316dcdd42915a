"""A pack as a PDF for a board: A4, tagged, with contents, page numbers, bookmarks and charts as vectors.

Made by Typst from a template, `pack.typ`, and the pack as JSON: text reaches the page as data and is never markup.
Nothing of the system is needed, no browser and no font; why is in the decisions.
"""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal

import typst

from cbs_analysis.edition import LocalCommentary
from cbs_analysis.errors import DataError
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.pdf.content import contents
from cbs_analysis.publishing.pdf.letters import PLAIN, SHOWN, all_replaced, replaced
from cbs_analysis.publishing.pdf.pictures import pictures

TEMPLATE = Path(__file__).with_name("pack.typ")
FONT_PACKAGE = "font_source_sans_pro"
# One file for each style. The package has two, and Typst takes that which the file system happens to list first.
FONT_FILES = tuple(f"SourceSansPro-{style}.otf" for style in ("Regular", "It", "Semibold", "Bold"))
# PDF/UA: what assistive technology needs. Typst refuses to write a document that lacks any of it.
STANDARD: Final[Literal["ua-1"]] = "ua-1"


def write_pdf(path: Path, pack: ExecutedPack, edited: Edited, local: LocalCommentary) -> None:
    """Write the pack's PDF to `path`. The same pack gives the same bytes.

    Raises DataError where Typst cannot set it.
    """
    document, charts = contents(pack, edited, local), pictures(pack)
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
