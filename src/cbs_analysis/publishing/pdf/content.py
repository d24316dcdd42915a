"""What a pack's PDF says, as JSON for its template: every text as it is read, every number as it is shown."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from cbs_analysis.edition import Indicator, LocalCommentary
from cbs_analysis.evidence.tables import shown_cell
from cbs_analysis.evidence.wording import level_name, number
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.across import judged_word
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedChapter, ExecutedPack, FindingJson
from cbs_analysis.publishing.indicator_table import BETTER_SIDE, KEY
from cbs_analysis.publishing.messages import headline_comparison, is_size, rank_messages
from cbs_analysis.publishing.standings import Comparator, comparators_in, indicator_findings
from cbs_analysis.publishing.summary import first_sentence, headline, why

FONT = "Source Sans Pro"
WIDEST_MM, TALLEST_MM = 110.0, 150.0  # of a chart: key figures stand beside it, and two findings on a page
SHORT_TABLE = 15  # rows that are printed where a finding has no chart
_FONT_FAMILY = re.compile(r'font-family="[^"]*"')
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")

Json = dict[str, Any]


def contents(pack: ExecutedPack, edited: Edited, local: LocalCommentary) -> Json:
    """The whole document: cover, messages, indicators, local commentary, chapters, sources."""
    area, edition, geography = edited.geography.area(pack.area_code), edited.edition, edited.geography
    document = {
        "area": area.name,
        "organisation": area.organisation_name,
        "edition": edition.title,
        "cut": [
            ["Prospectus year", edition.prospectus_year],
            ["Geography", f"{geography.title}. {geography.note}"],
            ["Hospital activity", edition.activity_year],
            ["Population", f"mid-{edition.population_year}"],
            ["Emergency admissions", edition.emergency_year],
            ["Edition", f"{edition.name}, made by cbs-analysis {pack.version}"],
        ],
        "messages": [_message(message, edited) for message in rank_messages(pack.findings, edited.indicators)],
        "missing": [f"{failure.title}: {why(failure)}" for failure in pack.failures],
        "flagged": _flagged(pack.findings),
        **_indicators(pack, edited),
        "local": {
            "priorities": list(local.priorities),
            "commentary": [part for part in re.split(r"\n\s*\n", local.commentary.strip()) if part.strip()],
        },
        "chapters": [_chapter(chapter, place) for place, chapter in enumerate(pack.chapters)],
        "failures": [{"title": failure.title, "why": why(failure)} for failure in pack.failures],
        "key": KEY,
        "sources": _sources(pack.findings),
    }
    found: Json = _writable(document)
    return found


def pictures(pack: ExecutedPack) -> Iterator[tuple[str, str]]:
    """The name and the SVG of each chart, in the document's own font."""
    for place, chapter in enumerate(pack.chapters):
        for at, finding in enumerate(chapter.findings):
            if svg := chapter.pictures.get(finding["id"]):
                yield _picture(place, at), _FONT_FAMILY.sub(f'font-family="{FONT}"', svg)


def _picture(chapter: int, finding: int) -> str:
    return f"chart-{chapter}-{finding}.svg"


def _message(message: Any, edited: Edited) -> Json:
    finding = message.finding
    status = message.comparison["status"]
    return {
        "headline": headline(message, edited.indicators[finding["indicator"]]),
        "judged": _mark(status) if status in ("better", "worse") else None,
        "said": first_sentence(finding["statement"]),
        "caution": finding["caution"],
        "note": "" if message.has_interval else "By the values alone: no interval was published.",
    }


def _mark(word: str) -> Json:
    shape, css = markup.STATUSES[word]
    return {"shape": shape, "word": word, "kind": css}


def _flagged(findings: Sequence[FindingJson]) -> list[list[str]]:
    return [[finding["title"], finding["flag_reason"]] for finding in findings if finding["flagged"]]


def _indicators(pack: ExecutedPack, edited: Edited) -> Json:
    """The rows of the table, split in those that can be set side by side and sizes."""
    found = indicator_findings(pack.findings)
    comparators = comparators_in(found.values())
    rows: dict[bool, list[Json]] = {True: [], False: []}
    for key, finding in found.items():
        if item := edited.indicators.get(key):
            rows[is_size(item)].append(_indicator(item, finding, comparators))
    geography = edited.geography
    middle = next((row["beside"] for row in rows[False] if row["beside"]), "")
    return {
        "comparators": [item.name for item in comparators],
        "rates": rows[False],
        "sizes": rows[True],
        "middle": middle,
        "compared": f"{level_name(geography.levels[0], plural=True)} of {geography.whole.name}",
    }


def _indicator(item: Indicator, finding: FindingJson, comparators: Sequence[Comparator]) -> Json:
    against, word = headline_comparison(finding), judged_word(finding)
    values = {other["comparator_code"]: other["value"] for other in finding["comparisons"]}
    unit = "" if item.unit in ("%", "ratio") else item.unit
    limits = ""
    if finding["lower"] is not None and finding["upper"] is not None:
        limits = f"{number(finding['lower'], item.decimals)} to {number(finding['upper'], item.decimals)}"
    return {
        "name": item.short_name,
        "what": ", ".join(part for part in (unit, finding["period"], BETTER_SIDE[item.polarity]) if part),
        "value": markup.reading(finding["value"], item),
        "limits": limits,
        "mark": _mark(word),
        "beside": against["comparator"] if against else "",
        "others": ["" if values.get(other.code) is None else markup.reading(values[other.code], item)
                   for other in comparators],
        "spine": _spine(item, finding, against),
    }  # fmt: skip


def _spine(item: Indicator, finding: FindingJson, against: Mapping[str, Any] | None) -> Json | None:
    """Places from 0 to 1 of the range, the middle half, the area with its limits; 0.5 is the headline comparator."""
    peers, value = finding.get("peers"), finding["value"]
    if not peers or value is None:
        return None
    middle = against["value"] if against and against["value"] is not None else peers["median"]
    ends = [value, finding["lower"], finding["upper"], peers["lowest"], peers["highest"]]
    reach = max(abs(end - middle) for end in ends if end is not None) or 1.0

    def at(end: float | None) -> float | None:
        return None if end is None else 0.5 + (end - middle) / reach / 2

    return {
        "lowest": at(peers["lowest"]),
        "lower": at(peers["lower_quartile"]),
        "upper": at(peers["upper_quartile"]),
        "highest": at(peers["highest"]),
        "value": at(value),
        "limits": [at(finding["lower"]), at(finding["upper"])],
        "ends": [number(peers[end], item.decimals) for end in ("lowest", "highest")],
    }


def _chapter(chapter: ExecutedChapter, place: int) -> Json:
    return {
        "title": chapter.title,
        "findings": [_finding(chapter, finding, _picture(place, at)) for at, finding in enumerate(chapter.findings)],
        "notes": list(chapter.notes),
    }


def _finding(chapter: ExecutedChapter, finding: FindingJson, picture: str) -> Json:
    svg = chapter.pictures.get(finding["id"])
    tables = [finding["key_figures"]]
    if svg is None:
        tables += [
            table for table in (finding["table"], finding["members"]) if table and len(table["data"]) <= SHORT_TABLE
        ]
    return {
        "title": finding["title"],
        "statement": finding["statement"],
        "flag": finding["flag_reason"] if finding["flagged"] else "",
        "caution": finding["caution"],
        "tables": [_table(table) for table in tables if table],
        "chart": None if svg is None else {"file": picture, "alt": finding["chart_description"], "width": _width(svg)},
        "source": f"Period: {finding['period']}. Source: "
        + "; ".join(f"{item['title']}, {item['publisher']}" for item in finding["source"])
        + ".",
        "caveats": list(finding["caveats"]),
    }


def _width(svg: str) -> float:
    """How wide a chart may be, in millimetres, so that there is room beside it and on its page."""
    view_box = ElementTree.fromstring(svg).get("viewBox", "0 0 1 1").split()
    width, height = float(view_box[2]), float(view_box[3])
    return round(min(WIDEST_MM, TALLEST_MM * width / height), 1)


def _table(resource: Mapping[str, Any]) -> Json:
    fields = resource["schema"]["fields"]
    heads = [f"{field['title']} ({field['unit']})" if field.get("unit") else field["title"] for field in fields]
    rows = [[shown_cell(row[field["name"]], field) for field in fields] for row in resource["data"]]
    return {
        "title": resource["title"],
        "heads": heads,
        "numbers": [field["type"] == "number" for field in fields],
        "rows": rows,
    }


def _sources(findings: Sequence[FindingJson]) -> list[list[str]]:
    cited = {item["table"]: item for finding in findings for item in finding["source"]}
    return [[item["title"], item["publisher"], item["licence"]] for item in cited.values()]


def _writable(value: Any) -> Any:
    """The same with every text without characters that no page can hold."""
    if isinstance(value, str):
        return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, list):
        return [_writable(item) for item in value]
    if isinstance(value, dict):
        return {key: _writable(item) for key, item in value.items()}
    return value
