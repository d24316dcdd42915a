"""A pack's first page, for a commissioner with ten minutes: the main messages, then every indicator.

Made from the findings in the area's executed notebooks and nothing else, so it cannot disagree with its
chapters.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbs_analysis.edition import Edition, Indicator, LocalCommentary
from cbs_analysis.evidence.wording import level_name, listed, number
from cbs_analysis.geography import Area, Geography
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.findings import NOT_MADE, ExecutedPack, Failure
from cbs_analysis.publishing.markup import link, raw, text
from cbs_analysis.publishing.messages import Message, headline_comparison, rank_messages

SIMILAR_FINDING = "population_and_need.similar_areas"
SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
WITHOUT_INTERVAL = "By the values alone: no interval was published."
KEY = (
    "A value is better, similar or worse by its 95% interval, or as it stands where it is a complete "
    "count, against the comparator named beside it. It is "
    "not compared where neither way is better, or where no interval was published."
)


@dataclass(frozen=True)
class Comparator:
    """What findings hold an area against: its code, its name, and its members where it was made for the area."""

    code: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class Edited:
    """What every pack of an edition shares: its choices, areas and indicators, and which chapter makes which
    indicator.
    """

    edition: Edition
    geography: Geography
    indicators: Mapping[str, Indicator]
    made_by: Mapping[str, str]


def summary_page(pack: ExecutedPack, edited: Edited, local: LocalCommentary, made: Sequence[str] = ()) -> str:
    """The pack's first page in MyST Markdown. `made` are the codes of all areas whose packs are in the
    book.
    """
    area = edited.geography.area(pack.area_code)
    ranked = rank_messages(pack.findings, edited.indicators)
    return markup.page(
        markup.heading(area.name, 1),
        raw(_under_title(area, edited, made)),
        markup.heading("Main messages"),
        raw(_messages(ranked, edited.indicators), _missing(pack.failures, edited)),
        *_flagged_section(pack),
        markup.heading("Every indicator"),
        raw(
            _indicator_table(pack, edited, area),
            f'<p class="cbs-key">{_key()}</p>',
            _made_comparators(pack, edited.geography),
            _not_here(pack, edited),
        ),
        *local_section(area, local),
        markup.heading("Chapters of this pack"),
        raw(_chapters(pack)),
        *_member_section(area, edited.geography, made),
    )


def anchor(finding: Mapping[str, Any]) -> str:
    """Where a finding stands, from its pack's first page."""
    return f"{finding['chapter']}.html#{str(finding['id']).rpartition('.')[2]}"


def _under_title(area: Area, edited: Edited, made: Sequence[str]) -> str:
    within = edited.geography.ancestors(area.code)
    members = edited.geography.leaves(area.code)
    parts = [text(area.organisation_name)] if area.organisation_name != area.name else []
    if not area.is_leaf:
        level = level_name(edited.geography.levels[0], plural=True)
        parts.append(f"{number(len(members))} {text(level)}")
    if within:
        parts.append("in " + ", ".join(_pack_link(above, made) for above in within))
    parts.append(text(edited.edition.title))
    return f'<p class="cbs-subtitle">{" · ".join(parts)}</p>'


def _messages(messages: Sequence[Message], indicators: Mapping[str, Indicator]) -> str:
    if not messages:
        return '<p class="cbs-note">No finding stands clear of its comparator.</p>'
    items = "".join(_message(message, indicators[message.finding["indicator"]]) for message in messages)
    return f'<ol class="cbs-messages">{items}</ol>'


def _message(message: Message, indicator: Indicator) -> str:
    """What stands out, judged where it can be, and the first sentence of the finding."""
    finding, status = message.finding, message.comparison["status"]
    headline = f"{indicator.name}: {message.direction} than {message.comparison['comparator']}"
    judged = markup.mark(status) if status in ("better", "worse") else ""
    unsure = "" if message.has_interval else f'<p class="cbs-minor">{WITHOUT_INTERVAL}</p>'
    if finding["caution"]:
        unsure += f'<p class="cbs-flag"><strong>Check before acting.</strong> {text(finding["caution"])}</p>'
    return (
        f'<li><p class="cbs-message">{link(anchor(finding), headline)} {judged}</p>'
        f"<p>{text(first_sentence(finding['statement']))}</p>{unsure}</li>"
    )


def first_sentence(statement: str) -> str:
    """A statement up to the first full stop that a capital letter follows: the message, without details."""
    return SENTENCE_END.split(statement, maxsplit=1)[0]


def _missing(failures: Sequence[Failure], edited: Edited) -> str:
    return "".join(
        f'<div class="cbs-failed"><p><strong>Messages from “{text(failure.title)}” are missing.</strong> '
        f"{text(why(failure))} {_what_is_missing(failure, edited)}</p></div>"
        for failure in failures
    )


def why(failure: Failure) -> str:
    """Why a chapter is not in the pack, in a sentence."""
    if failure.reason == NOT_MADE:
        return "The chapter has not been made."
    at = f" at cell {failure.cell}" if failure.cell is not None else ""
    return f"The chapter failed{at}: {failure.reason.rstrip('.')}."


def _what_is_missing(failure: Failure, edited: Edited) -> str:
    names = [edited.indicators[key].name for key, chapter in edited.made_by.items() if chapter == failure.chapter]
    return f"It would have covered: {text('; '.join(names))}." if names else ""


def _flagged_section(pack: ExecutedPack) -> list[str]:
    flagged = [finding for finding in pack.findings if finding["flagged"]]
    if not flagged:
        return []
    alike: dict[str, list[str]] = {}
    for finding in flagged:
        alike.setdefault(finding["flag_reason"], []).append(link(anchor(finding), finding["title"]))
    items = [f"{listed(links)}: {text(reason)}" for reason, links in alike.items()]
    lead = "<p>These figures are shown but not ranked, not used as a comparator, and never a message.</p>"
    return [markup.heading("Flagged figures"), raw(lead, markup.bullets(items, "cbs-flagged-list"))]


def _key() -> str:
    marks = " ".join(markup.mark(status) for status in ("better", "similar", "worse", "not compared", "flagged"))
    return f"{marks}<br>{text(KEY)} {link('../../reading-a-pack.html', 'How to read a pack')}."


def _indicator_table(pack: ExecutedPack, edited: Edited, area: Area) -> str:
    found = indicator_findings(pack.findings)
    comparators = comparators_in(found.values())
    own, *others = (_number_head(name) for name in (area.name, *(item.name for item in comparators)))
    head = f'{own}<th scope="col">How it compares</th>{"".join(others)}'
    rows = "".join(
        _indicator_row(indicator, found.get(key), comparators, edited.made_by[key], pack)
        for key, indicator in edited.indicators.items()
        if key in found or key in edited.made_by
    )
    return (
        '<div class="cbs-scroll" tabindex="0" role="region" aria-label="Every indicator">'
        f'<table class="cbs-table cbs-indicators"><caption>{text(area.name)} and its comparators</caption>'
        f'<thead><tr><th scope="col">Indicator</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def comparators_in(findings: Iterable[Mapping[str, Any]]) -> list[Comparator]:
    """What findings hold the area against: in the order of the finding that holds it against most."""
    held = sorted((finding["comparisons"] for finding in findings), key=len, reverse=True)
    found: dict[str, Comparator] = {}
    for item in (item for comparisons in held for item in comparisons):
        code = item["comparator_code"]
        found.setdefault(code, Comparator(code, item["comparator"], tuple(item.get("comparator_members", ()))))
    return list(found.values())


def _made_comparators(pack: ExecutedPack, geography: Geography) -> str:
    """Who is in a comparator that is no area of the geography."""
    return "".join(
        f'<p class="cbs-minor"><strong>{text(found.name)}</strong>, most alike first: '
        f"{text(listed(geography.area(code).name for code in found.members))}.{_explained(pack)}</p>"
        for found in comparators_in(indicator_findings(pack.findings).values())
        if found.members
    )


def _explained(pack: ExecutedPack) -> str:
    found = next((finding for finding in pack.findings if finding["id"] == SIMILAR_FINDING), None)
    return f" {link(anchor(found), 'Why these')}." if found else ""


def _number_head(name: str) -> str:
    return f'<th scope="col" class="cbs-number">{text(name)}</th>'


def indicator_findings(findings: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The finding of each indicator: the first with a value, else the first."""
    found: dict[str, dict[str, Any]] = {}
    for finding in findings:
        held = found.get(finding["indicator"])
        if finding["indicator"] and (held is None or (held["value"] is None and finding["value"] is not None)):
            found[finding["indicator"]] = finding
    return found


def _indicator_row(
    indicator: Indicator,
    finding: dict[str, Any] | None,
    comparators: Sequence[Comparator],
    chapter: str,
    pack: ExecutedPack,
) -> str:
    unit = "" if indicator.unit in ("%", "ratio") else f"{text(indicator.unit)}, "
    if finding is None:
        failed = chapter in {failure.chapter for failure in pack.failures}
        reason = "missing: its chapter is not in this pack" if failed else "not available for this area"
        return (
            f'<tr><th scope="row">{text(indicator.short_name)}</th>'
            f'<td colspan="{len(comparators) + 2}"><span class="cbs-minor">{reason}</span></td></tr>'
        )
    values = {item["comparator_code"]: item["value"] for item in finding["comparisons"]}
    cells = "".join(
        f'<td class="cbs-number">{_compared_value(values.get(other.code), indicator)}</td>' for other in comparators
    )
    return (
        f'<tr><th scope="row">{link(anchor(finding), indicator.short_name)}'
        f'<span class="cbs-minor">{unit}{text(finding["period"])}</span></th>'
        f'<td class="cbs-number cbs-own">{_value(finding, indicator)}</td>'
        f'<td class="cbs-standing">{_standing(finding)}</td>{cells}</tr>'
    )


def _compared_value(value: float | None, indicator: Indicator) -> str:
    return '<span class="cbs-minor">–</span>' if value is None else text(markup.reading(value, indicator))


def _value(finding: Mapping[str, Any], indicator: Indicator) -> str:
    if finding["value"] is None:
        return '<span class="cbs-minor">not available</span>'
    shown = text(markup.reading(finding["value"], indicator))
    if finding["lower"] is None or finding["upper"] is None:
        return shown
    limits = f"{number(finding['lower'], indicator.decimals)} to {number(finding['upper'], indicator.decimals)}"
    return f'{shown}<span class="cbs-minor">{text(limits)}</span>'


def _standing(finding: Mapping[str, Any]) -> str:
    """The word, its shape, and against what."""
    if finding["flagged"]:
        return markup.mark("flagged")
    comparison = headline_comparison(finding)
    if comparison is None or comparison["value"] is None:
        return markup.mark("not compared")
    name, way = comparison["comparator"], comparison["direction"]
    status = comparison["status"]
    if way in markup.ARROWS:
        return f"{markup.mark(status)}{markup.arrow(way, name)}"
    beside = f'<span class="cbs-minor">to {text(name)}</span>' if status == "similar" else ""
    similar = f'<span class="cbs-minor">similar to {text(name)}</span>' if way == "similar" and not beside else ""
    return f"{markup.mark(status)}{beside}{similar}"


def _not_here(pack: ExecutedPack, edited: Edited) -> str:
    """Indicators that no pack of the edition has."""
    found = indicator_findings(pack.findings)
    names = [item.name for key, item in edited.indicators.items() if key not in found and key not in edited.made_by]
    return f'<p class="cbs-minor">No chapter made for this edition gives: {text(listed(names))}.</p>' if names else ""


def local_section(area: Area, local: LocalCommentary) -> list[str]:
    """An area's own words, marked as such; empty where it gave none."""
    if not (local.priorities or local.commentary.strip()):
        return []
    return [
        markup.heading("Local commentary"),
        raw(
            '<div class="cbs-local">',
            f'<p class="cbs-minor">Written by {text(area.organisation_name)}. It is not part of the evidence.</p>',
            "<p><strong>Local priorities</strong></p>" if local.priorities else "",
            markup.bullets(text(priority) for priority in local.priorities),
            markup.paragraphs(local.commentary),
            "</div>",
        ),
    ]


def _chapters(pack: ExecutedPack) -> str:
    made = [
        f"{link(f'{chapter.name}.html', chapter.title)} "
        f'<span class="cbs-minor">{text(_function(chapter.findings))}</span>'
        for chapter in pack.chapters
    ]
    failed = [f"{link(f'{failure.chapter}.html', failure.title)} {markup.mark('missing')}" for failure in pack.failures]
    return markup.bullets([*made, *failed], "cbs-chapters")


def _function(findings: Sequence[Mapping[str, Any]]) -> str:
    return listed(dict.fromkeys(finding["function"] for finding in findings)) if findings else ""


def in_reading_order(area: Area, geography: Geography) -> list[Area]:
    """An area's members: leaves by name, groups as the geography lists them."""
    members = [geography.area(code) for code in area.members]
    return sorted(members, key=lambda member: member.name) if all(m.is_leaf for m in members) else members


def _member_section(area: Area, geography: Geography, made: Sequence[str]) -> list[str]:
    if area.is_leaf:
        return []
    items = [_pack_link(member, made) for member in in_reading_order(area, geography)]
    return [markup.heading(f"Packs within {area.name}"), raw(markup.bullets(items, "cbs-columns"))]


def _pack_link(area: Area, made: Sequence[str]) -> str:
    if area.code in made:
        return link(f"../{area.code}/index.html", area.name)
    return f'{text(area.name)} <span class="cbs-minor">(not made)</span>'
