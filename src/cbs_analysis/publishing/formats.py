"""The formats that a pack is published in: one entry here and one function that writes the file add a format.

Files, checksums, the record of what was made, the site's lists of downloads, `cbs publish --only`, the archive and its
read-me all come from this registry. The module of a format is imported when a file of it is written, and no sooner.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from cbs_analysis.home import build_dir

if TYPE_CHECKING:
    from cbs_analysis.parameters import LocalCommentary
    from cbs_analysis.publishing.packs import EditionContext, ExecutedPack

    Write = Callable[[Path, ExecutedPack, EditionContext, LocalCommentary], None]


@dataclass(frozen=True)
class Format:
    """A format: its name on the command line, what the site calls it, how its files' names end, and its writer.

    `writer` is 'module:function'; the function is given the path of the file to write, the pack, what the packs of the
    edition share, and the area's local commentary. The same pack must give the same bytes. `about` is a line of the
    archive's read-me, and `libraries` the distributions whose versions change the file. A format that
    `holds_others` is made after them, and asking for it asks for all.
    """

    name: str
    label: str
    ending: str
    writer: str
    about: str = ""
    libraries: tuple[str, ...] = ()
    holds_others: bool = False

    @property
    def write(self) -> "Write":
        module, _, function = self.writer.partition(":")
        writer: Write = getattr(import_module(module), function)
        return writer

    def file_name(self, edition: str, area_code: str = "") -> str:
        return f"{f'{area_code}-' if area_code else ''}{edition}{self.ending}"


FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "workbook",
            "Workbook (Excel)",
            ".xlsx",
            "cbs_analysis.publishing.workbook:write_workbook",
            about="The workbook (.xlsx) holds the messages, indicators and findings.",
            libraries=("xlsxwriter",),
        ),
        Format(
            "pdf",
            "Report (PDF)",
            ".pdf",
            "cbs_analysis.publishing.pdf:write_pdf",
            about="The report (.pdf) holds the messages, indicators and findings, for print.",
            libraries=("typst", "font-source-sans-pro"),
        ),
        Format(
            "tables",
            "Tables (CSV)",
            "-tables.zip",
            "cbs_analysis.publishing.tables:write_tables",
            about="tables/ holds every table as CSV, described in datapackage.json.",
        ),
        Format(
            "zip",
            "Everything, with notebooks (zip)",
            ".zip",
            "cbs_analysis.publishing.archive:write_archive",
            holds_others=True,
        ),
    )
}


def wanted_formats(names: "list[str] | tuple[str, ...] | None" = None) -> list[Format]:
    """The formats of these names, or all, those that hold others last; they bring those along."""
    chosen = [FORMATS[name] for name in (FORMATS if names is None else names)]
    if any(entry.holds_others for entry in chosen):
        others = [entry for entry in FORMATS.values() if not entry.holds_others]
        return [*others, *(entry for entry in chosen if entry.holds_others)]
    return [entry for entry in FORMATS.values() if entry in chosen]


def published_folder(edition: str, area_code: str = "") -> Path:
    """Where the files of an area's pack are kept, or without an area those of the edition."""
    return build_dir() / "published" / edition / area_code
