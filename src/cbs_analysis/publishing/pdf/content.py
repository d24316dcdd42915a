"""What a pack's PDF says, as JSON for its template: every text as it is read, every number as it is shown, and its
charts as vectors with real text, in the document's font, sized for the page.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from cbs_analysis.errors import DataError
from cbs_analysis.evidence import theme
from cbs_analysis.evidence.finding import SYNTHETIC_LABEL, Definition
from cbs_analysis.evidence.pack_facts import AreaFacts, GeographyFacts
from cbs_analysis.evidence.tables import shown_cell
from cbs_analysis.evidence.wording import listed, number, plural
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.formats import FORMATS
from cbs_analysis.publishing.indicator_table import described
from cbs_analysis.publishing.indicators import (
    BETTER_SIDE,
    KEY,
    Comparator,
    comparators_in,
    indicator_findings,
    status_beside,
    why_absent,
    without_flagged,
)
from cbs_analysis.publishing.messages import BY_VALUE, Message, headline_comparison, rank_messages, rank_synthetic
from cbs_analysis.publishing.pack_page import first_sentence, paragraphs
from cbs_analysis.publishing.packs import (
    EditionContext,
    ExecutedChapter,
    ExecutedPack,
    Failure,
    FindingJson,
    cited_tables,
    definition,
    licence_line,
)
from cbs_analysis.publishing.templating import STATUSES, interval, reading, unit_apart

SHORT_TABLE = 15  # rows that are printed where a finding has no chart
BESIDE_ROWS, BESIDE_COLUMNS = 9, 4  # the most that stands beside a chart
WIDE_TABLE = 100  # characters across the page; wider tables share its width by what their columns hold
WIDEST_COLUMN = 34
VALUE = "Value"

Json = dict[str, Any]


def contents(pack: ExecutedPack, context: EditionContext, local: LocalCommentary) -> Json:
    """The whole document: cover, messages, indicators, local commentary, chapters, how to read it, sources."""
    area, edition = context.geography.area(pack.area_code), context.edition
    ranked = rank_messages(pack.findings)
    labels = {
        finding["id"]: f"finding-{place}-{at}"
        for place, chapter in enumerate(pack.chapters)
        for at, finding in enumerate(chapter.findings)
    }
    return {
        **_cover(pack, context, area),
        "synthetic": synthetic.summary(pack.findings, "this report", "finding"),
        "messages": [_message(message, labels) for message in ranked],
        "synthetic_messages": _synthetic_messages(pack, context, labels),
        "missing": [_failed(failure, context) for failure in pack.failures],
        "flagged": _flagged(pack.findings, labels),
        "indicators": indicators(pack, context, labels),
        "local": {
            "priorities": list(local.priorities),
            "commentary": paragraphs(local.commentary),
        },
        "chapters": _chapters(pack, context, area, labels),
        "notes": list(edition.notes),
        "key": KEY,
        "differences": context.differences,
        "sources": _sources(pack.findings),
        "colours": {"ink": theme.INK, "area": theme.AREA_COLOUR, "tint": theme.AREA_TINT, "soft": theme.MUTED},
    }


def _cover(pack: ExecutedPack, context: EditionContext, area: AreaFacts) -> Json:
    edition, geography = context.edition, context.geography
    title = f"{area.name}: {edition.title}"
    organisation = "" if area.organisation_name == area.name else f"{area.organisation_name}. "
    beside = listed(_comparators(area, geography))
    return {
        "title": title,
        "area": area.name,
        "organisation": area.organisation_name,
        "where": _where(context, area),
        "edition": edition.title,
        "said": f"What the published figures say about {area.name}, held against {beside}, for the people who decide "
        "what care to buy. The first pages give the answer; the chapters give the evidence."
        if beside
        else f"What the published figures say about {area.name}, for the people who decide what care to buy. "
        "The first pages give the answer; the chapters give the evidence.",
        "facts": [
            ["Prospectus year", edition.prospectus_year],
            *([what, period] for what, period in edition.periods.items()),
            ["Geography", geography.title],
            ["Edition", f"{edition.name}, made by cbs-analysis {pack.version}"],
        ],
        "cite": f"{organisation}{title}. Edition {edition.name}, cbs-analysis {pack.version}.",
        "rest": "Every table in full, with the tables too long to print, is in the workbook "
        f"{FORMATS['workbook'].file_name(edition.name, pack.area_code)}; the handbook’s site has the same evidence, "
        "with methods and definitions.",
        "licence": licence_line(pack.findings),
        "geography_note": geography.note,
        "keywords": [area.name, area.code, edition.title, edition.name, "commissioning", "evidence pack"],
    }


def _comparators(area: AreaFacts, geography: GeographyFacts) -> list[str]:
    """The names of the areas that it lies in, and of the nation where that is none of them."""
    above = geography.ancestors(area.code)
    known = {area.code, *(other.code for other in above)}
    nation = [geography.nation[1]] if geography.nation and geography.nation[0] not in known else []
    return [*(other.name for other in above), *nation]


def _where(context: EditionContext, area: AreaFacts) -> str:
    """How many areas it has and what it lies in."""
    geography = context.geography
    words = geography.leaf_words
    members = "" if area.is_leaf else plural(len(geography.leaves(area.code)), words.singular, words.plural)
    within = [above.name for above in geography.ancestors(area.code)]
    return ", ".join(part for part in (members, f"in {', '.join(within)}" if within else "") if part)


def _synthetic_messages(pack: ExecutedPack, context: EditionContext, labels: Mapping[str, str]) -> Json:
    """Messages from synthetic records, which stand apart from those to act on."""
    ranked = rank_synthetic(pack.findings)
    messages = [_message(message, labels) for message in ranked]
    return {"title": synthetic.MESSAGES, "lead": synthetic.NOT_TO_ACT_ON, "messages": messages}


def _message(message: Message, labels: Mapping[str, str]) -> Json:
    finding, status = message.finding, message.comparison["status"]
    return {
        "headline": f"{message.headline}{synthetic.ending(finding)}",
        "judged": drawn_mark(status) if status in ("better", "worse") else None,
        "said": first_sentence(finding["statement"]),
        "caution": finding["caution"],
        "note": "" if message.has_interval else BY_VALUE,
        "label": labels[finding["id"]],
    }


def _failed(failure: Failure, context: EditionContext) -> Json:
    names = context.covered_by(failure.chapter)
    return {
        "title": failure.title,
        "why": failure.sentence,
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


def _chapters(pack: ExecutedPack, context: EditionContext, area: AreaFacts, labels: Mapping[str, str]) -> list[Json]:
    """Made chapters and failed ones, in the edition's order."""
    made: dict[str, Json] = {
        chapter.name: {
            "title": chapter.title,
            "synthetic": synthetic.summary(chapter.findings, "this chapter", "finding"),
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
            "failed": _failed(failure, context),
            "findings": [],
            "notes": [],
        }
        for failure in pack.failures
    }
    order = {name: place for place, name in enumerate(context.edition.chapters)}
    return [
        chapter for _, chapter in sorted({**made, **failed}.items(), key=lambda item: order.get(item[0], len(order)))
    ]


def _finding(chapter: ExecutedChapter, place: int, at: int, area: AreaFacts, labels: Mapping[str, str]) -> Json:
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
        "synthetic": synthetic.sentence(finding),
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


def _table(table: Mapping[str, Any], area: AreaFacts) -> Json:
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


def _beside(table: Mapping[str, Any], area: AreaFacts, label: str) -> Json | None:
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
    cited = cited_tables(findings).values()
    return [[synthetic.source_title(item), item["publisher"], item["licence"]] for item in cited]


# ---- Indicators

# How a word is drawn, so that it can be told without its colour; a square where neither side is better.
SHAPES = {"better": "disc", "similar": "ring", "worse": "diamond", "flagged": "crossed"}


def indicators(pack: ExecutedPack, context: EditionContext, places: Mapping[str, str]) -> Json:
    """The rows, rates and shares apart from sizes, and what is needed to read them. `places` are the labels of findings
    by their ids.
    """
    findings, geography = indicator_findings(pack.findings), context.geography
    comparators = comparators_in(findings.values())
    rows: dict[bool, list[Json]] = {True: [], False: []}
    for key, item in context.shown_in(pack).items():
        if (finding := findings.get(key)) and (own := definition(finding)):
            rows[item.is_size].append(_row(own, finding, comparators, geography, places[finding["id"]]))
        else:
            rows[item.is_size].append({"name": item.short_name, "absent": why_absent(key, pack, context)})
    return {
        "comparators": [item.name for item in comparators],
        "rates": rows[False],
        "sizes": rows[True],
        "middle": next((row["beside"] for row in rows[False] if row.get("beside")), ""),
        "compared": f"{geography.leaf_words.plural} of {geography.whole.name}",
        "made": [
            {"name": item.name, "members": listed(geography.area(code).name for code in item.members)}
            for item in comparators
            if item.members
        ],
        "without": [f"{listed(titles)}: {words}" for words, titles in without_flagged(findings.values()).items()],
        "absent": f"No chapter made for this edition gives: {listed(context.absent)}." if context.absent else "",
    }


def drawn_mark(word: str) -> Json:
    """A status as a shape and its word, and the name of its colour, which only repeats them."""
    shape, colour = STATUSES[word]
    return {"shape": shape, "word": word, "colour": colour}


def _row(
    item: Definition, finding: FindingJson, comparators: Sequence[Comparator], geography: GeographyFacts, label: str
) -> Json:
    against = headline_comparison(finding)
    values = {other["comparator_code"]: other["value"] for other in finding["comparisons"]}
    word, standing = status_beside(finding, item)
    return {
        "name": item.short_name,
        "label": label,
        "synthetic": SYNTHETIC_LABEL if synthetic.is_synthetic(finding) else "",
        "what": ", ".join(part for part in (unit_apart(item), finding["period"], BETTER_SIDE[item.polarity]) if part),
        "value": reading(finding["value"], item),
        "limits": interval(finding, item) if finding["value"] is not None else "",
        "mark": drawn_mark(word),
        "standing": standing,
        "beside": against["comparator"] if against else "",
        "others": ["–" if (other := values.get(found.code)) is None else reading(other, item)
                   for found in comparators],
        "strip": _strip(item, finding, against, geography, SHAPES.get(word, "square")),
    }  # fmt: skip


def _strip(
    item: Definition, finding: FindingJson, against: Mapping[str, Any] | None, geography: GeographyFacts, shape: str
) -> Json | None:
    """Places from 0 to 1: the headline comparator is at 0.5, and what lies farthest from it at an edge. None where the
    finding does not know the range of those compared.
    """
    peers, value = finding.get("peers"), finding["value"]
    if not peers or value is None:
        return None
    held = against if against and against["value"] is not None else None
    middle = held["value"] if held else peers["median"]
    limits = [finding[end] for end in ("lower", "upper") if finding[end] is not None]
    reach = max(abs(end - middle) for end in (value, peers["lowest"], peers["highest"], *limits)) or 1.0

    def at(end: float) -> float:
        return float(round(0.5 + (end - middle) / reach / 2, 4))

    return {
        **{end: at(peers[end]) for end in ("lowest", "lower_quartile", "upper_quartile", "highest")},
        "value": at(value),
        "limits": [at(end) for end in limits] if len(limits) == 2 else [],
        "ends": [number(peers[end], item.decimals) for end in ("lowest", "highest")],
        "shape": shape,
        "is_held": held is not None,
        "said": described(finding, peers, against, geography, item.decimals),
    }


# ---- Charts

FONT = "Source Sans Pro"
BESIDE_MM, ALONE_MM, TALLEST_MM = 112.0, 118.0, 178.0  # beside key figures two findings go on a page
_FONT_FAMILY = re.compile(r'font-family="[^"]*"')


def pictures(pack: ExecutedPack) -> dict[str, str]:
    """Each chart's SVG by its file's name."""
    return {
        picture_file(place, at): _FONT_FAMILY.sub(f'font-family="{FONT}"', chapter.pictures[finding["id"]])
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
        "file": picture_file(place, at),
        "alt": finding["chart_description"] or f"Chart: {finding['title']}",
        "width": round(min(BESIDE_MM if is_beside else ALONE_MM, TALLEST_MM * width / height), 1),
    }


def picture_file(chapter: int, finding: int) -> str:
    return f"chart-{chapter}-{finding}.svg"


def _size(svg: str, finding: Mapping[str, object]) -> tuple[float, float]:
    try:
        _, _, width, height = (float(part) for part in ElementTree.fromstring(svg).get("viewBox", "").split())
    except (ElementTree.ParseError, ValueError):
        width = height = 0.0
    if width <= 0 or height <= 0:
        raise DataError(f"{finding['id']}: its chart is not a picture with a size; run cbs packs again")
    return width, height
