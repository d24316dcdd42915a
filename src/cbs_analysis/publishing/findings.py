"""What an area's executed notebooks say, for every page and export made from them.

Read from `build/editions/<edition>/<area>/<chapter>.ipynb`, the artefacts of record, and from the
run record beside them, which says which notebooks failed and why. Nothing is computed here.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cbs_analysis import __version__
from cbs_analysis.edition import Edition, load_edition
from cbs_analysis.errors import DataError, UserError
from cbs_analysis.geography import load_geography
from cbs_analysis.home import build_dir, data_dir, params_dir
from cbs_analysis.record import NotebookRecord, read_run

FINDING_MIME = "application/vnd.cbs.finding+json"
NOTE_MARK = 'class="cbs-note"'
PICTURE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
NOT_MADE = "it has not been made"

FindingJson = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A chapter that is not in the pack. `cell` is the number of the failing cell, None where none is
    known.
    """

    chapter: str
    title: str
    cell: int | None
    reason: str


@dataclass(frozen=True)
class ExecutedChapter:
    """An executed notebook: its title, its findings in cell order, and notes where there is no finding.

    `pictures` are the findings' charts as SVG, by the findings' ids.
    """

    name: str
    title: str
    path: Path
    findings: tuple[FindingJson, ...]
    notes: tuple[str, ...]
    pictures: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExecutedPack:
    """The chapters of one area in one edition, in the edition's order, and those that are missing.

    `version` is that of the package that executed them last.
    """

    area_code: str
    chapters: tuple[ExecutedChapter, ...]
    failures: tuple[Failure, ...]
    version: str = __version__

    @property
    def findings(self) -> list[FindingJson]:
        return [finding for chapter in self.chapters for finding in chapter.findings]


def find_pack(edition: str, area_code: str) -> ExecutedPack:
    """An area's executed chapters and what is missing of them, by the edition's name.

    Raises UserError for an unknown edition or area, or where the pack has not been made.
    """
    choices = load_edition(edition, params_dir())
    load_geography(choices.geography, data_dir()).area(area_code)
    return read_pack(choices, area_code)


def read_pack(edition: Edition, area_code: str) -> ExecutedPack:
    """The area's executed chapters, findings, notes and failures.

    Raises UserError where none of its chapters has been run, DataError where a notebook cannot be read.
    """
    folder = edition_folder(edition)
    run = read_run(edition.name)
    failed = {record.chapter: record for record in run.failed if record.area_code == area_code}
    chapters, failures = [], []
    for chapter in edition.chapters:
        path = folder / area_code / f"{chapter}.ipynb"
        if chapter in failed or not path.exists():
            failures.append(_failure(chapter, failed.get(chapter)))
        else:
            chapters.append(_read_chapter(chapter, path))
    if not chapters and not failed:
        raise UserError(
            f"area {area_code}: no pack in edition {edition.name}; "
            f"run cbs packs --edition {edition.name} --area {area_code}"
        )
    return ExecutedPack(area_code, tuple(chapters), tuple(failures), run.version)


def is_made(edition: Edition, area_code: str) -> bool:
    """Whether any chapter of this pack has been run, well or not."""
    folder = edition_folder(edition)
    executed = any((folder / area_code / f"{chapter}.ipynb").exists() for chapter in edition.chapters)
    return executed or any(record.area_code == area_code for record in read_run(edition.name).notebooks)


def edition_folder(edition: Edition) -> Path:
    return build_dir() / "editions" / edition.name


def chapter_name(chapter: str) -> str:
    """A chapter's name in words, where its notebook gives no title."""
    return chapter.replace("_", " ").capitalize()


def source_text(part: dict[str, Any], key: str = "source") -> str:
    """A notebook's multi-line text, which is a string or a list of strings."""
    value = part.get(key, "")
    return value if isinstance(value, str) else "".join(value)


def _failure(chapter: str, record: NotebookRecord | None) -> Failure:
    if record is None:
        return Failure(chapter, chapter_name(chapter), None, NOT_MADE)
    error, message = record.error or "Error", " ".join((record.message or "").split())
    return Failure(chapter, chapter_name(chapter), record.cell, f"{error}: {message}".rstrip(": "))


def _read_chapter(name: str, path: Path) -> ExecutedChapter:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{path.parent.name}/{path.name}: not a notebook; run cbs packs again") from None
    bundles = list(_bundles(cells))
    return ExecutedChapter(
        name=name,
        title=_title(cells) or chapter_name(name),
        path=path,
        findings=tuple(bundle[FINDING_MIME] for bundle in bundles if FINDING_MIME in bundle),
        pictures={
            bundle[FINDING_MIME]["id"]: picture.group()
            for bundle in bundles
            if FINDING_MIME in bundle and (picture := PICTURE.search(source_text(bundle, "text/html")))
        },
        notes=tuple(
            source_text(bundle, "text/plain")
            for bundle in bundles
            if FINDING_MIME not in bundle and NOTE_MARK in source_text(bundle, "text/html")
        ),
    )


def _bundles(cells: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for cell in cells:
        for output in cell.get("outputs", []):
            if output.get("output_type") in ("execute_result", "display_data"):
                yield output.get("data", {})


def _title(cells: list[dict[str, Any]]) -> str:
    for cell in cells:
        if cell.get("cell_type") == "markdown" and (text := source_text(cell)).startswith("# "):
            return text.split("\n", 1)[0][2:].strip()
    return ""
