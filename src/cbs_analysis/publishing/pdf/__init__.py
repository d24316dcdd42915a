"""A pack as a PDF for a board: A4, tagged, with contents, page numbers, bookmarks and charts as vectors.

Made by Typst from a template, `pack.typ`, and the pack as JSON: text reaches the page as data and is never markup.
Nothing of the system is needed, no browser and no font; why is in the decisions.
"""

import json
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import typst

from cbs_analysis.edition import LocalCommentary
from cbs_analysis.errors import DataError
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.pdf.content import contents, pictures

TEMPLATE = Path(__file__).with_name("pack.typ")
FONT_PACKAGE = "font_source_sans_pro"
STANDARD: Literal["ua-1"] = (
    "ua-1"  # PDF/UA: what assistive technology needs; Typst refuses a document that lacks any of it
)


def write_pdf(path: Path, pack: ExecutedPack, edited: Edited, local: LocalCommentary) -> None:
    """Write the pack's PDF to `path`. The same pack gives the same bytes.

    Raises DataError where Typst cannot set it.
    """
    with TemporaryDirectory(prefix="cbs-pdf-") as work:
        folder = Path(work)
        (folder / TEMPLATE.name).write_bytes(TEMPLATE.read_bytes())
        data = json.dumps(contents(pack, edited, local), ensure_ascii=False)
        (folder / "pack.json").write_bytes(data.encode("utf-8", "replace"))
        for name, svg in pictures(pack):
            (folder / name).write_bytes(svg.encode("utf-8", "replace"))
        try:
            made = typst.compile(
                folder / TEMPLATE.name,
                root=folder,
                font_paths=[font_folder()],
                ignore_system_fonts=True,
                pdf_standards=[STANDARD],
            )
        except typst.TypstError as error:
            raise DataError(f"{pack.area_code}: the PDF was not made: {' '.join(str(error).split())}") from None
    path.write_bytes(made)


def font_folder() -> Path:
    """Where the font's package keeps its files."""
    found = find_spec(FONT_PACKAGE)
    if found is None or found.origin is None:
        raise DataError(f"the package {FONT_PACKAGE.replace('_', '-')} is not installed; make setup installs it")
    return Path(found.origin).parent / "files"
