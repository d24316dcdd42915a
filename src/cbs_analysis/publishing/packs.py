"""What an edition's executed notebooks hold, for every page and file made from them.

Read from `build/editions/<edition>/<area>/<chapter>.ipynb`, the artefacts of record, and from the run record beside
them, which says which notebooks failed and why. Nothing is computed here, and nothing else is read: a page cannot
disagree with its notebooks.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cbs_analysis import __version__
from cbs_analysis.errors import DataError, UserError
from cbs_analysis.evidence.finding import MIME as FINDING_MIME
from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.pack_facts import MIME as PACK_MIME
from cbs_analysis.evidence.pack_facts import EditionFacts, GeographyFacts, PackFacts
from cbs_analysis.evidence.wording import listed
from cbs_analysis.home import build_dir
from cbs_analysis.run_record import NotebookRecord, read_run

NOTE_MARK = 'class="cbs-note"'
PICTURE = re.compile(r"<svg\b.*?</svg>", re.DOTALL)
NOT_MADE = "it has not been made"
NAMED = 5

FindingJson = dict[str, Any]


@dataclass(frozen=True)
class Failure:
    """A chapter that is not in the pack. `cell` is the number of the failing cell, None where none is known."""

    chapter: str
    title: str
    cell: int | None
    reason: str

    @property
    def sentence(self) -> str:
        """Why the chapter is not in the pack."""
        if self.reason == NOT_MADE:
            return "The chapter has not been made."
        at = f" at cell {self.cell}" if self.cell is not None else ""
        return f"The chapter failed{at}: {self.reason.rstrip('.')}."


@dataclass(frozen=True)
class ExecutedChapter:
    """An executed notebook: its title, its findings in cell order, and notes where there is no finding.

    `pictures` are the findings' charts as SVG, by the findings' ids; `facts` are those that its pack displayed.
    """

    name: str
    title: str
    path: Path
    findings: tuple[FindingJson, ...]
    notes: tuple[str, ...]
    pictures: Mapping[str, str] = field(default_factory=dict)
    facts: PackFacts | None = None


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


@dataclass(frozen=True)
class EditionContext:
    """What the packs of an edition share, as their notebooks have it.

    `indicators` are the definitions of those that some finding is about, in the edition's order, and `made_by` the
    chapters that they are in. `before` is the edition that this one is compared with, where packs of it were made.
    `differences` says in a sentence which packs were made from other facts than most; it is empty where none were.
    """

    edition: EditionFacts
    geography: GeographyFacts
    indicators: Mapping[str, Definition]
    made_by: Mapping[str, str]
    before: EditionFacts | None = None
    differences: str = ""

    @property
    def absent(self) -> list[str]:
        """The names of the edition's indicators that no pack has."""
        return [name for key, name in self.edition.indicators.items() if key not in self.made_by]

    def shown_in(self, pack: ExecutedPack) -> dict[str, Definition]:
        """The indicators that a table of this pack has a row for: those that some pack has."""
        own = {finding["indicator"] for finding in pack.findings}
        return {key: item for key, item in self.indicators.items() if key in own or key in self.made_by}

    def covered_by(self, chapter: str) -> list[str]:
        """The names of the indicators that a chapter is about."""
        return [self.indicators[key].name for key, made_by in self.made_by.items() if made_by == chapter]


def definition(finding: Mapping[str, Any]) -> Definition | None:
    """The definition of a finding's indicator, None where it is about none."""
    return Definition.from_json(finding["definition"]) if finding["definition"] else None


def cited_tables(findings: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The citation of each table that findings rest on, by the table's name."""
    return {item["table"]: item for finding in findings for item in finding["source"]}


def licence_texts(findings: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the licences of the tables that findings rest on ask to be said, each once."""
    return list(dict.fromkeys(item["licence"] for item in cited_tables(findings).values() if item["licence"]))


def licences(findings: Iterable[Mapping[str, Any]]) -> list[Mapping[str, str]]:
    """The named licences of the tables that findings rest on, each once, as in their descriptions."""
    known = [licence for item in cited_tables(findings).values() for licence in item.get("licences", ())]
    return list({licence["name"]: licence for licence in known}.values())


def licence_line(findings: Iterable[Mapping[str, Any]]) -> str:
    """Under which licences the figures are published, in a sentence; empty where none has a name."""
    titles = [licence["title"] for licence in licences(findings)]
    return f"Licence of the figures: {listed(titles)}. Each table’s own is with its source." if titles else ""


def gather(edition: str) -> tuple[EditionContext, dict[str, ExecutedPack]]:
    """What the edition's packs share, and every pack that has been made, in the geography's order.

    Raises UserError where no pack has been made, DataError where a notebook cannot be read.
    """
    packs = {code: read_pack(edition, code) for code in _made_areas(edition)}
    facts = _usual_facts(packs.values())
    if facts is None:
        raise UserError(f"edition {edition}: no pack has been made; run cbs packs --edition {edition}")
    order = [code for code in facts.geography.areas if code in packs]
    packs = _with_known_titles({code: _in_order(packs[code], facts.edition.chapters) for code in order})
    made_by = {
        finding["indicator"]: chapter.name
        for pack in packs.values()
        for chapter in pack.chapters
        for finding in chapter.findings
        if finding["indicator"]
    }
    definitions = _usual_definitions(packs)
    indicators = {key: definitions[key] for key in (*facts.edition.indicators, *made_by) if key in definitions}
    before = before_packs(facts.edition.previous, packs)
    earlier = _usual_facts(before.values())
    return (
        EditionContext(
            facts.edition,
            facts.geography,
            indicators,
            made_by,
            earlier.edition if earlier else None,
            _differences(packs, facts, indicators),
        ),
        packs,
    )


def before_packs(previous: str | None, codes: Iterable[str]) -> dict[str, ExecutedPack]:
    """The packs of the edition before, of those areas that have one now and then."""
    made = set(_made_areas(previous)) if previous else set()
    return {code: read_pack(previous, code) for code in codes if previous and code in made}


def read_pack(edition: str, area_code: str) -> ExecutedPack:
    """The area's executed chapters, findings, notes and failures.

    Raises UserError where none of its chapters has been run, DataError where a notebook cannot be read.
    """
    run, folder = read_run(edition), edition_folder(edition) / area_code
    records = {record.chapter: record for record in run.notebooks if record.area_code == area_code}
    failed = {name: record for name, record in records.items() if record.status == "failed"}
    paths = {path.stem: path for path in sorted(folder.glob("*.ipynb")) if "." not in path.stem}
    executed = {name: _read_chapter(name, path) for name, path in paths.items() if name not in failed}
    if not executed and not failed:
        raise UserError(
            f"area {area_code}: no pack in edition {edition}; run cbs packs --edition {edition} --area {area_code}"
        )
    failures = tuple(_failure(name, record) for name, record in failed.items())
    pack = ExecutedPack(area_code, tuple(executed.values()), failures, run.version)
    facts = _usual_facts([pack])
    return _in_order(pack, facts.edition.chapters) if facts else pack


def edition_folder(edition: str) -> Path:
    return build_dir() / "editions" / edition


def chapter_name(chapter: str) -> str:
    """A chapter's name in words, where its notebook gives no title."""
    return chapter.replace("_", " ").capitalize()


def source_text(part: Mapping[str, Any], key: str = "source") -> str:
    """A notebook's multi-line text, which is a string or a list of strings."""
    value = part.get(key, "")
    return value if isinstance(value, str) else "".join(value)


def _made_areas(edition: str) -> list[str]:
    """The codes of areas any chapter of whose packs has been run, well or not."""
    folders = (path.parent.name for path in sorted(edition_folder(edition).glob("*/*.ipynb")))
    return list(dict.fromkeys([*folders, *(record.area_code for record in read_run(edition).notebooks)]))


def _in_order(pack: ExecutedPack, chapters: Sequence[str]) -> ExecutedPack:
    """The pack with the edition's chapters, in their order; those that were never run are among the failures."""
    executed = {chapter.name: chapter for chapter in pack.chapters}
    failed = {failure.chapter: failure for failure in pack.failures}
    return replace(
        pack,
        chapters=tuple(executed[name] for name in chapters if name in executed),
        failures=tuple(failed.get(name) or _failure(name, None) for name in chapters if name not in executed),
    )


def _with_known_titles(packs: dict[str, ExecutedPack]) -> dict[str, ExecutedPack]:
    """The packs, a failed chapter called what it is called in a pack where it did not fail."""
    titles = {chapter.name: chapter.title for pack in packs.values() for chapter in pack.chapters}
    return {
        code: replace(
            pack,
            failures=tuple(replace(item, title=titles.get(item.chapter, item.title)) for item in pack.failures),
        )
        for code, pack in packs.items()
    }


def _failure(chapter: str, record: NotebookRecord | None) -> Failure:
    if record is None:
        return Failure(chapter, chapter_name(chapter), None, NOT_MADE)
    error, message = record.error or "Error", " ".join((record.message or "").split())
    return Failure(chapter, chapter_name(chapter), record.cell, f"{error}: {message}".rstrip(": "))


def _read_chapter(name: str, path: Path) -> ExecutedChapter:
    where = f"{path.parent.name}/{path.name}"
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        cells = notebook["cells"]
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{where}: not a notebook; run cbs packs again") from None
    bundles = list(_bundles(cells))
    facts = next((bundle[PACK_MIME] for bundle in bundles if PACK_MIME in bundle), None)
    findings = tuple(bundle[FINDING_MIME] for bundle in bundles if FINDING_MIME in bundle)
    if facts is None or not all("definition" in finding for finding in findings):
        raise DataError(f"{where}: executed by an earlier version, which did not record its pack; run cbs packs again")
    return ExecutedChapter(
        name=name,
        title=_title(cells) or chapter_name(name),
        path=path,
        findings=findings,
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
        facts=PackFacts.from_json(facts),
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


def _usual_facts(packs: Iterable[ExecutedPack]) -> PackFacts | None:
    """The facts that most notebooks have, of one of them; None where there is no notebook."""
    known = [chapter.facts for pack in packs for chapter in pack.chapters if chapter.facts]
    usual = Counter(map(_shared, known)).most_common(1)
    return next((facts for facts in known if _shared(facts) == usual[0][0]), None)


def _shared(facts: PackFacts) -> str:
    """The part of a pack's facts that all packs of its edition should share."""
    return json.dumps({**facts.to_json(), "area_code": ""}, sort_keys=True)


def _usual_definitions(packs: Mapping[str, ExecutedPack]) -> dict[str, Definition]:
    """Of each indicator, the definition that most findings have."""
    known: dict[str, Counter[Definition]] = {}
    for pack in packs.values():
        for finding in pack.findings:
            if item := definition(finding):
                known.setdefault(item.id, Counter())[item] += 1
    return {key: found.most_common(1)[0][0] for key, found in known.items()}


def _differences(packs: Mapping[str, ExecutedPack], usual: PackFacts, indicators: Mapping[str, Definition]) -> str:
    names = [
        usual.geography.area(code).name
        for code, pack in packs.items()
        if any(chapter.facts and _shared(chapter.facts) != _shared(usual) for chapter in pack.chapters)
        or any(item != indicators[item.id] for finding in pack.findings if (item := definition(finding)))
    ]
    if not names:
        return ""
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return (
        f"Not all packs were made from the same edition, areas and definitions: {listed([*names[:NAMED], *more])} "
        "differ from the rest. Make them again with cbs packs."
    )
