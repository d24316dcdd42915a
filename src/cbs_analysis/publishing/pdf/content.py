"""What a pack's PDF says, as JSON for its template: every text as it is read, every number as it is shown."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cbs_analysis.edition import LocalCommentary
from cbs_analysis.evidence import theme
from cbs_analysis.evidence.tables import shown_cell
from cbs_analysis.evidence.wording import level_name, listed, plural
from cbs_analysis.geography import Area
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.downloads import file_name
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedChapter, ExecutedPack, Failure, FindingJson
from cbs_analysis.publishing.indicator_table import KEY
from cbs_analysis.publishing.messages import Message, rank_messages, rank_synthetic
from cbs_analysis.publishing.pdf.indicators import indicators, mark
from cbs_analysis.publishing.pdf.pictures import picture
from cbs_analysis.publishing.summary import WITHOUT_INTERVAL, first_sentence, headline, why
from cbs_analysis.publishing.workbook import LICENCE

SHORT_TABLE = 15  # rows that are printed where a finding has no chart
BESIDE_ROWS, BESIDE_COLUMNS = 9, 4  # the most that stands beside a chart
WIDE_TABLE = 100  # characters across the page; wider tables share its width by what their columns hold
WIDEST_COLUMN = 34
VALUE = "Value"

Json = dict[str, Any]


def contents(pack: ExecutedPack, edited: Edited, local: LocalCommentary) -> Json:
    """The whole document: cover, messages, indicators, local commentary, chapters, how to read it, sources."""
    area, edition = edited.geography.area(pack.area_code), edited.edition
    ranked = rank_messages(pack.findings, edited.indicators)
    labels = {
        finding["id"]: f"finding-{place}-{at}"
        for place, chapter in enumerate(pack.chapters)
        for at, finding in enumerate(chapter.findings)
    }
    return {
        **_cover(pack, edited, area),
        "synthetic": synthetic.in_a_sentence(pack.findings, "this report", "finding"),
        "messages": [_message(message, edited, labels) for message in ranked],
        "synthetic_messages": _synthetic_messages(pack, edited, labels),
        "missing": [_failed(failure, edited) for failure in pack.failures],
        "flagged": _flagged(pack.findings, labels),
        "indicators": indicators(pack, edited, labels),
        "local": {
            "priorities": list(local.priorities),
            "commentary": [part for part in re.split(r"\n\s*\n", local.commentary.strip()) if part.strip()],
        },
        "chapters": _chapters(pack, edited, area, labels),
        "notes": list(edition.notes),
        "key": KEY,
        "sources": _sources(pack.findings),
        "colours": {"ink": theme.INK, "area": theme.AREA_COLOUR, "tint": theme.AREA_TINT, "soft": theme.MUTED},
    }


def _cover(pack: ExecutedPack, edited: Edited, area: Area) -> Json:
    edition, geography = edited.edition, edited.geography
    title = f"{area.name}: {edition.title}"
    organisation = "" if area.organisation_name == area.name else f"{area.organisation_name}. "
    beside = listed(other.name for other in geography.comparators(area.code))
    return {
        "title": title,
        "area": area.name,
        "organisation": area.organisation_name,
        "where": _where(edited, area),
        "edition": edition.title,
        "said": f"What the published figures say about {area.name}, held against {beside}, for the people who decide "
        "what care to buy. The first pages give the answer; the chapters give the evidence."
        if beside
        else f"What the published figures say about {area.name}, for the people who decide what care to buy. "
        "The first pages give the answer; the chapters give the evidence.",
        "facts": [
            ["Prospectus year", edition.prospectus_year],
            ["Hospital activity", edition.activity_year],
            ["Population", f"mid-{edition.population_year}"],
            ["Emergency admissions", edition.emergency_year],
            ["Geography", geography.title],
            ["Edition", f"{edition.name}, made by cbs-analysis {pack.version}"],
        ],
        "cite": f"{organisation}{title}. Edition {edition.name}, cbs-analysis {pack.version}.",
        "rest": "Every table in full, with the tables too long to print, is in the workbook "
        f"{file_name(pack.area_code, edition.name, 'workbook')}; the handbook’s site has the same evidence, with "
        "methods and definitions.",
        "licence": LICENCE,
        "geography_note": geography.note,
        "keywords": [area.name, area.code, edition.title, edition.name, "commissioning", "evidence pack"],
    }


def _where(edited: Edited, area: Area) -> str:
    """What kind of area it is and what it lies in: '6 PCTs, in London'."""
    geography = edited.geography
    members = "" if area.is_leaf else plural(len(geography.leaves(area.code)), level_name(geography.levels[0]))
    within = [above.name for above in geography.ancestors(area.code)]
    return ", ".join(part for part in (members, f"in {', '.join(within)}" if within else "") if part)


def _synthetic_messages(pack: ExecutedPack, edited: Edited, labels: Mapping[str, str]) -> Json:
    """Messages from synthetic records, which stand apart from those to act on."""
    ranked = rank_synthetic(pack.findings, edited.indicators)
    messages = [_message(message, edited, labels) for message in ranked]
    return {"title": synthetic.MESSAGES, "lead": synthetic.NOT_TO_ACT_ON, "messages": messages}


def _message(message: Message, edited: Edited, labels: Mapping[str, str]) -> Json:
    finding, status = message.finding, message.comparison["status"]
    return {
        "headline": f"{headline(message, edited.indicators[finding['indicator']])}{synthetic.ending(finding)}",
        "judged": mark(status) if status in ("better", "worse") else None,
        "said": first_sentence(finding["statement"]),
        "caution": finding["caution"],
        "note": "" if message.has_interval else WITHOUT_INTERVAL,
        "label": labels[finding["id"]],
    }


def _failed(failure: Failure, edited: Edited) -> Json:
    names = [edited.indicators[key].name for key, chapter in edited.made_by.items() if chapter == failure.chapter]
    return {
        "title": failure.title,
        "why": why(failure),
        "without": f"It would have covered: {'; '.join(names)}." if names else "",
    }


def _flagged(findings: Sequence[FindingJson], labels: Mapping[str, str]) -> list[Json]:
    """Flagged findings, those with the same reason together."""
    alike: dict[str, list[list[str]]] = {}
    for finding in findings:
        if finding["flagged"]:
            title = f"{finding['title']}{synthetic.ending(finding)}"
            alike.setdefault(finding["flag_reason"], []).append([title, labels[finding["id"]]])
    return [{"findings": found, "why": reason} for reason, found in alike.items()]


def _chapters(pack: ExecutedPack, edited: Edited, area: Area, labels: Mapping[str, str]) -> list[Json]:
    """Made chapters and failed ones, in the edition's order."""
    made: dict[str, Json] = {
        chapter.name: {
            "title": chapter.title,
            "synthetic": synthetic.in_a_sentence(chapter.findings, "this chapter", "finding"),
            "failed": None,
            "findings": [_finding(chapter, place, at, area, labels) for at in range(len(chapter.findings))],
            "notes": list(chapter.notes),
        }
        for place, chapter in enumerate(pack.chapters)
    }
    failed: dict[str, Json] = {
        failure.chapter: {
            "title": failure.title,
            "synthetic": "",
            "failed": _failed(failure, edited),
            "findings": [],
            "notes": [],
        }
        for failure in pack.failures
    }
    order = {name: place for place, name in enumerate(edited.edition.chapters)}
    return [
        chapter for _, chapter in sorted({**made, **failed}.items(), key=lambda item: order.get(item[0], len(order)))
    ]


def _finding(chapter: ExecutedChapter, place: int, at: int, area: Area, labels: Mapping[str, str]) -> Json:
    finding = chapter.findings[at]
    figures, has_chart = finding["key_figures"], finding["id"] in chapter.pictures
    label = synthetic.ending(finding)
    beside = _beside(figures, area, label) if figures and has_chart else None
    tables = [figures] if figures and not beside else []
    if not has_chart:
        more = (finding["table"], finding["members"])
        tables += [table for table in more if table and len(table["data"]) <= SHORT_TABLE]
    cited = "; ".join(f"{item['title']}, {item['publisher']}" for item in finding["source"])
    return {
        "title": f"{finding['title']}{label}",
        "synthetic": synthetic.said(finding),
        "label": labels[finding["id"]],
        "statement": finding["statement"],
        "flag": finding["flag_reason"] if finding["flagged"] else "",
        "caution": finding["caution"],
        "beside": beside,
        "chart": picture(chapter, place, at, beside is not None),
        "tables": [_table(table, area) for table in tables],
        "source": f"Period: {finding['period']}. Source: {cited}.",
        "caveats": list(finding["caveats"]),
    }


def _table(table: Mapping[str, Any], area: Area) -> Json:
    """A tabular data resource as texts; `shares` are the columns' parts of the width where it takes the whole page."""
    fields = table["schema"]["fields"]
    heads = [_head(field) for field in fields]
    rows = [[shown_cell(row[field["name"]], field) for field in fields] for row in table["data"]]
    columns = [[head, *(row[place] for row in rows)] for place, head in enumerate(heads)]
    natural = [max(map(len, column)) for column in columns]
    is_wide = sum(natural) + 3 * len(columns) > WIDE_TABLE
    return {
        "title": table["title"],
        "heads": heads,
        "numbers": [field["type"] == "number" for field in fields],
        "rows": rows,
        "own": [bool(rows) and row[0] == area.name for row in rows],
        "notes": list(table.get("notes", ())),
        "shares": [_share(column) for column in columns] if is_wide else [],
    }


def _share(column: Sequence[str]) -> int:
    """How much of the width a column needs: that of its longest word, or of its longest cell up to a limit."""
    words = [len(word) for cell in column for word in cell.split(" ")]
    cells = [min(len(cell), WIDEST_COLUMN) for cell in column[1:]]
    return max([*words, *cells]) + 2


def _beside(table: Mapping[str, Any], area: Area, label: str) -> Json | None:
    """Key figures narrow enough to stand beside a chart: the one number with its interval under it, then the rest. None
    where the table is not of that kind.
    """
    fields = table["schema"]["fields"]
    numbers = [field for field in fields if field["type"] == "number"]
    if numbers != fields[1:2] or len(fields) > BESIDE_COLUMNS:
        return None
    if len(table["data"]) > BESIDE_ROWS:
        return None
    value, interval = numbers[0], next((field for field in fields if field["name"] == "interval"), None)
    rest = [field for field in fields[2:] if field is not interval]
    if len(rest) > 1:
        return None
    return {
        "title": f"{_head(value)}{label}",
        "heads": [_head(fields[0]), VALUE, *(_head(field) for field in rest)],
        "interval": _head(interval) if interval else "",
        "rows": [
            {
                "name": shown_cell(row[fields[0]["name"]], fields[0]),
                "value": shown_cell(row[value["name"]], value),
                "interval": shown_cell(row[interval["name"]], interval) if interval else "",
                "rest": [shown_cell(row[field["name"]], field) for field in rest],
                "own": row[fields[0]["name"]] == area.name,
            }
            for row in table["data"]
        ],
    }


def _head(field: Mapping[str, Any]) -> str:
    return f"{field['title']} ({field['unit']})" if field.get("unit") else str(field["title"])


def _sources(findings: Sequence[FindingJson]) -> list[list[str]]:
    cited = {item["table"]: item for finding in findings for item in finding["source"]}
    return [[synthetic.source_title(item), item["publisher"], item["licence"]] for item in cited.values()]
