"""A pack as a workbook, for the analyst who wants the numbers: messages, indicators, and a sheet for each finding.

Numbers are those of the executed notebooks, unrounded, shown to the decimals that the pages read them to. Nothing is
computed here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.finding import SYNTHETIC_LABEL, Definition
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.indicators import KEY, Comparator, comparators_in, indicator_findings, status_word
from cbs_analysis.publishing.messages import Message, rank_messages, rank_synthetic
from cbs_analysis.publishing.packs import (
    EditionContext,
    ExecutedPack,
    FindingJson,
    cited_tables,
    definition,
    licence_line,
)
from cbs_analysis.publishing.templating import first_letter_lower
from cbs_analysis.workbooks import Book, Sheet, read

TABLES = ("key_figures", "table", "members")
NOTES = (
    "Each sheet holds one finding: its sentence, its tables, its source and its caveats. Numbers are unrounded.",
    KEY,
    "A flagged figure is published, shown, and not believed, for the reason given. It is not ranked, not used as a "
    "comparator, and never a message.",
    "An empty cell is a figure that is not available. Nothing is filled in.",
)


def write_workbook(path: Path, pack: ExecutedPack, context: EditionContext, local: LocalCommentary) -> None:
    """Write the pack's workbook to `path`. The same pack gives the same bytes."""
    area = context.geography.area(pack.area_code)
    with Book(path, f"{area.name}: {context.edition.title}", area.organisation_name) as book:
        contents, messages, indicators = (book.sheet(name) for name in ("Contents", "Messages", "Indicators"))
        findings = [
            (finding, book.sheet(f"{number} {finding['title']}"))
            for number, finding in enumerate(pack.findings, start=1)
        ]
        notes, sources = book.sheet("Notes"), book.sheet("Sources")
        by_id = {finding["id"]: sheet for finding, sheet in findings}
        _messages(messages, rank_messages(pack.findings), by_id)
        _synthetic(messages, rank_synthetic(pack.findings), by_id)
        _indicators(indicators, pack, context)
        for finding, sheet in findings:
            _finding(sheet, finding)
        _notes(notes, pack, local, area.organisation_name)
        _sources(sources, pack.findings)
        titled = {finding["id"]: f"{finding['title']}{synthetic.ending(finding)}" for finding in pack.findings}
        _contents(contents, pack, context, [messages, indicators], [(by_id[key], titled[key]) for key in by_id],
                  [notes, sources])  # fmt: skip
        for sheet in (contents, messages, indicators, *by_id.values(), notes, sources):
            sheet.close()


def _contents(
    sheet: Sheet,
    pack: ExecutedPack,
    context: EditionContext,
    first: Sequence[Sheet],
    findings: Sequence[tuple[Sheet, str]],
    last: Sequence[Sheet],
) -> None:
    area, edition = context.geography.area(pack.area_code), context.edition
    sheet.title(f"{area.name}: {edition.title}")
    sheet.paragraph(f"What the published figures say about {area.name} ({area.organisation_name}).")
    periods = ", ".join(f"{first_letter_lower(what)} {period}" for what, period in edition.periods.items())
    sheet.paragraph(
        f"Data cut: {periods}. Geography: {context.geography.title}. "
        f"Edition {edition.name}, made by cbs-analysis {pack.version}.",
    )
    sheet.paragraph(context.differences, "warning")
    sheet.paragraph(licence_line(pack.findings), "minor")
    sheet.paragraph(synthetic.summary(pack.findings, "this workbook", "sheet"), "warning")
    sheet.heading("Sheets")
    for other in first:
        sheet.link(other, other.name)
    for other, title in findings:
        sheet.link(other, other.name, title)
    for other in last:
        sheet.link(other, other.name)


def _messages(sheet: Sheet, messages: Sequence[Message], by_id: Mapping[str, Sheet]) -> None:
    sheet.title("Main messages, in order of evidence")
    if not messages:
        sheet.paragraph("No finding stands clear of its comparator.")
        return
    _message_table(sheet, messages, by_id)


def _synthetic(sheet: Sheet, messages: Sequence[Message], by_id: Mapping[str, Sheet]) -> None:
    """Messages from synthetic records, below those to act on; nothing where there are none."""
    if messages:
        sheet.heading(synthetic.MESSAGES)
        sheet.paragraph(synthetic.NOT_TO_ACT_ON, "warning")
        _message_table(sheet, messages, by_id)


def _message_table(sheet: Sheet, messages: Sequence[Message], by_id: Mapping[str, Sheet]) -> None:
    rows = [
        (
            read(place, 0),
            f"{message.headline}{synthetic.ending(message.finding)}",
            status_word(message.finding) if message.has_interval else f"{NOT_COMPARED}, no interval published",
            message.finding["statement"],
            by_id[message.finding["id"]].name,
            message.finding["caution"],
        )
        for place, message in enumerate(messages, start=1)
    ]
    heads = ("Place", "Message", "Judged", "In full", "Sheet", "Check before acting")
    sheet.table(heads, rows)


def _indicators(sheet: Sheet, pack: ExecutedPack, context: EditionContext) -> None:
    findings = indicator_findings(pack.findings)
    comparators = comparators_in(findings.values())
    is_any_synthetic = bool(synthetic.ending(*findings.values()))
    sheet.title("Every indicator")
    sheet.paragraph(synthetic.summary(findings.values(), "this sheet", "row"), "warning")
    heads = [
        *("Indicator", "Unit", "Period", "Value", "95% lower limit", "95% upper limit", "Beside"),
        *("How it compares", *(item.name for item in comparators)),
        *("Lowest of those compared", "Highest of those compared", "Numerator", "Denominator", "Flagged"),
        *([SYNTHETIC_LABEL] if is_any_synthetic else []),
    ]
    rows = []
    for finding in findings.values():
        if item := definition(finding):
            label = [SYNTHETIC_LABEL if synthetic.is_synthetic(finding) else ""] if is_any_synthetic else []
            rows.append([*_indicator_row(item, finding, comparators), *label])
    sheet.table(heads, rows)


def _indicator_row(item: Definition, finding: FindingJson, comparators: Sequence[Comparator]) -> list[Any]:
    beside = {other["comparator_code"]: other for other in finding["comparisons"]}
    peers, against = finding.get("peers") or {}, beside.get(finding["headline"])
    return [
        *(item.name, item.unit, finding["period"]),
        *(read(finding[end], item.decimals) for end in ("value", "lower", "upper")),
        *(against["comparator"] if against else None, status_word(finding)),
        *(read(beside.get(other.code, {}).get("value"), item.decimals) for other in comparators),
        *(read(peers.get(end), item.decimals) for end in ("lowest", "highest")),
        *(read(finding[count], 0) for count in ("numerator", "denominator")),
        finding["flag_reason"],
    ]


def _finding(sheet: Sheet, finding: FindingJson) -> None:
    sheet.title(finding["title"])
    sheet.paragraph(synthetic.sentence(finding), "warning")
    sheet.paragraph(finding["statement"])
    if finding["flagged"]:
        sheet.paragraph(f"Flagged. {finding['flag_reason']}", "warning")
    if finding["caution"]:
        sheet.paragraph(f"Check before acting. {finding['caution']}", "warning")
    for name in TABLES:
        if table := finding[name]:
            sheet.heading(table["title"])
            _resource(sheet, table)
    cited = "; ".join(f"{item['title']}, {item['publisher']}" for item in finding["source"])
    sheet.paragraph(f"Period: {finding['period']}. Source: {cited}.", "minor")
    for caveat in finding["caveats"]:
        sheet.paragraph(caveat, "minor")


def _resource(sheet: Sheet, table: Mapping[str, Any]) -> None:
    """A tabular data resource as a table, units in its heads."""
    fields = table["schema"]["fields"]
    heads = [f"{field['title']} ({field['unit']})" if field.get("unit") else field["title"] for field in fields]
    rows = [[read(row[field["name"]], field.get("decimals")) for field in fields] for row in table["data"]]
    sheet.table(heads, rows)
    for note in table.get("notes", ()):
        sheet.paragraph(note, "minor")


def _notes(sheet: Sheet, pack: ExecutedPack, local: LocalCommentary, organisation: str) -> None:
    sheet.title("Notes")
    for note in NOTES:
        sheet.paragraph(note)
    for failure in pack.failures:
        sheet.paragraph(f"Missing: {failure.title}. {failure.sentence}", "warning")
    if local.priorities or local.commentary.strip():
        sheet.heading(f"Local commentary, written by {organisation}; it is not part of the evidence")
        for part in (*local.priorities, *local.commentary.split("\n\n")):
            sheet.paragraph(part)


def _sources(sheet: Sheet, findings: Sequence[FindingJson]) -> None:
    sheet.title("Sources")
    heads = ("Table", "Publisher", "Licence", "Name in the data catalogue")
    rows = [
        (synthetic.source_title(item), item["publisher"], item["licence"], name)
        for name, item in cited_tables(findings).items()
    ]
    sheet.table(heads, rows)
