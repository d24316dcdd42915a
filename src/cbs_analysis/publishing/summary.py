"""A pack's first page, for a commissioner with ten minutes: the main messages, then every indicator.

Made from the findings in the area's executed notebooks and nothing else, so it cannot disagree with its
chapters.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from cbs_analysis.edition import Indicator, LocalCommentary
from cbs_analysis.evidence.wording import level_name, listed, number
from cbs_analysis.geography import Area, Geography
from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.changes import changes_section
from cbs_analysis.publishing.downloads import Download
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import NOT_MADE, ExecutedPack, Failure
from cbs_analysis.publishing.indicator_table import indicator_section
from cbs_analysis.publishing.markup import link, raw, text
from cbs_analysis.publishing.messages import Message, rank_messages, rank_synthetic
from cbs_analysis.publishing.standings import anchor

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
WITHOUT_INTERVAL = "By the values alone: no interval was published."


def summary_page(
    pack: ExecutedPack,
    edited: Edited,
    local: LocalCommentary,
    made: Sequence[str] = (),
    downloads: Sequence[Download] = (),
    before: ExecutedPack | None = None,
) -> str:
    """The pack's first page in MyST Markdown.

    `made` are the codes of all areas whose packs are in the book, `downloads` the files offered beside it, `before` the
    area's pack in the edition before.
    """
    area = edited.geography.area(pack.area_code)
    ranked = rank_messages(pack.findings, edited.indicators)
    return markup.page(
        markup.heading(area.name, 1),
        raw(_under_title(area, edited, made), take_away(downloads)),
        markup.heading("Main messages"),
        raw(_missing(pack.failures, edited), _messages(ranked, edited.indicators)),
        *_synthetic_section(pack, edited),
        *_flagged_section(pack),
        markup.heading("Every indicator"),
        raw(indicator_section(pack, edited)),
        *changes_section(pack, before, edited),
        *local_section(area, local),
        markup.heading("Chapters of this pack"),
        raw(_chapters(pack)),
        *_member_section(area, edited.geography, made),
    )


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


def take_away(downloads: Sequence[Download], folder: str = "") -> str:
    """The files that a reader can take along, each with its kind and size; empty where there are none."""
    items = "".join(
        f'<li><a href="{folder}{text(item.path.name)}" download>{text(item.label)}</a> '
        f'<span class="cbs-minor">{text(file_size(item.size))}</span></li>'
        for item in downloads
    )
    return f'<nav class="cbs-take" aria-label="Take away"><p>Take away</p><ul>{items}</ul></nav>' if items else ""


def file_size(size: int) -> str:
    """'84 kB', '1.2 MB'."""
    return f"{number(size / 1e6, 1)} MB" if size >= 1e6 else f"{number(max(size / 1e3, 1))} kB"


def _messages(messages: Sequence[Message], indicators: Mapping[str, Indicator]) -> str:
    if not messages:
        return '<p class="cbs-note">No finding stands clear of its comparator.</p>'
    items = "".join(_message(message, indicators[message.finding["indicator"]]) for message in messages)
    return f'<ol class="cbs-messages">{items}</ol>'


def _synthetic_section(pack: ExecutedPack, edited: Edited) -> list[str]:
    """Messages from synthetic records, apart from those to act on; empty where there are none."""
    ranked = rank_synthetic(pack.findings, edited.indicators)
    if not ranked:
        return []
    lead = f'<p class="cbs-synthetic cbs-synthetic-all"><strong>{text(synthetic.NOT_TO_ACT_ON)}</strong></p>'
    return [markup.heading(synthetic.MESSAGES), raw(lead, _messages(ranked, edited.indicators))]


def _message(message: Message, indicator: Indicator) -> str:
    """What stands out, judged where it can be, and the first sentence of the finding."""
    finding, status = message.finding, message.comparison["status"]
    judged = " ".join(filter(None, (_judged(status), synthetic.badge(finding))))
    unsure = "" if message.has_interval else f'<p class="cbs-minor">{WITHOUT_INTERVAL}</p>'
    if finding["caution"]:
        unsure += f'<p class="cbs-flag"><strong>Check before acting.</strong> {text(finding["caution"])}</p>'
    return (
        f'<li><p class="cbs-message">{link(anchor(finding), headline(message, indicator))} {judged}</p>'
        f"<p>{text(first_sentence(finding['statement']))}</p>{unsure}</li>"
    )


def _judged(status: str) -> str:
    return markup.mark(status) if status in ("better", "worse") else ""


def headline(message: Message, indicator: Indicator) -> str:
    """'Day case rate: lower than London'."""
    return f"{indicator.name}: {message.direction} than {message.comparison['comparator']}"


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
        alike.setdefault(finding["flag_reason"], []).append(_flagged_link(finding))
    items = [f"{listed(links)}: {text(reason)}" for reason, links in alike.items()]
    lead = "<p>These figures are shown but not ranked, not used as a comparator, and never a message.</p>"
    return [markup.heading("Flagged figures"), raw(lead, markup.bullets(items, "cbs-flagged-list"))]


def _flagged_link(finding: Mapping[str, Any]) -> str:
    return " ".join(filter(None, (link(anchor(finding), finding["title"]), synthetic.badge(finding))))


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
        f"{_after(synthetic.badge(*chapter.findings))}"
        for chapter in pack.chapters
    ]
    failed = [f"{link(f'{failure.chapter}.html', failure.title)} {markup.mark('missing')}" for failure in pack.failures]
    return markup.bullets([*made, *failed], "cbs-chapters")


def _after(shown: str) -> str:
    return f" {shown}" if shown else ""


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
