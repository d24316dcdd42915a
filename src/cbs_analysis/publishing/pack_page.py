"""A pack's first page, for a commissioner with ten minutes: the main messages, then every indicator.

Made from the findings in the area's executed notebooks and nothing else, so it cannot disagree with its chapters. For
whoever read last year's pack it says what has changed since the edition before: a value that was revised for the same
period is named as that, and is no change in the area; whether a change is beyond chance is said only as far as the
intervals tell, where they do not overlap.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.wording import listed, number, signed
from cbs_analysis.parameters import LocalCommentary
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.downloads import Download
from cbs_analysis.publishing.indicator_table import indicator_section
from cbs_analysis.publishing.indicators import anchor, indicator_findings
from cbs_analysis.publishing.messages import BY_VALUE, Message, headline_comparison, rank_messages, rank_synthetic
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack, definition
from cbs_analysis.publishing.templating import interval, link, mark, reading, render

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
JUDGED = ("better", "worse")


def pack_page(
    pack: ExecutedPack,
    context: EditionContext,
    local: LocalCommentary,
    made: Iterable[str] = (),
    files: Sequence[Download] = (),
    before: ExecutedPack | None = None,
) -> str:
    """The pack's first page in MyST Markdown.

    `made` are the codes of all areas whose packs are in the book, `files` those offered beside it, `before` the
    area's pack in the edition before.
    """
    geography = context.geography
    area = geography.area(pack.area_code)
    return render(
        "pack_page.md",
        area=area,
        geography=geography,
        edition=context.edition,
        leaf_count=number(len(geography.leaves(area.code))),
        ancestors=geography.ancestors(area.code),
        made=set(made),
        files=files,
        differences=context.differences,
        missing=[(failure, context.covered_by(failure.chapter)) for failure in pack.failures],
        failures=pack.failures,
        messages=[_message(message) for message in rank_messages(pack.findings)],
        synthetic_messages=[_message(message) for message in rank_synthetic(pack.findings)],
        synthetic_heading=synthetic.MESSAGES,
        synthetic_lead=synthetic.NOT_TO_ACT_ON,
        flagged=_flagged(pack),
        indicators=indicator_section(pack, context),
        changes=changes(pack, before, context),
        local=local,
        commentary=paragraphs(local.commentary),
        chapters=[
            {
                "link": link(f"{chapter.name}.html", chapter.title),
                "function": listed(dict.fromkeys(finding["function"] for finding in chapter.findings)),
                "badge": synthetic.badge(*chapter.findings),
            }
            for chapter in pack.chapters
        ],
    )


def first_sentence(statement: str) -> str:
    """A statement up to the first full stop that a capital letter follows: the message, without details."""
    return SENTENCE_END.split(statement, maxsplit=1)[0]


def paragraphs(text: str) -> list[str]:
    """Plain text divided at blank lines."""
    return [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]


def _message(message: Message) -> dict[str, Any]:
    """What stands out, judged where it can be, and the first sentence of the finding."""
    finding, status = message.finding, message.comparison["status"]
    return {
        "link": link(anchor(finding), message.headline),
        "mark": mark(status) if status in JUDGED else "",
        "badge": synthetic.badge(finding),
        "sentence": first_sentence(finding["statement"]),
        "unsure": "" if message.has_interval else BY_VALUE,
        "caution": finding["caution"],
    }


def _flagged(pack: ExecutedPack) -> list[tuple[list[tuple[Any, Any]], str]]:
    """Flagged findings, those with the same reason together: a link and a label each, then the reason."""
    by_reason: dict[str, list[tuple[Any, Any]]] = {}
    for finding in pack.findings:
        if finding["flagged"]:
            shown = link(anchor(finding), finding["title"]), synthetic.badge(finding)
            by_reason.setdefault(finding["flag_reason"], []).append(shown)
    return [(links, reason) for reason, links in by_reason.items()]


# ---- What changed since the edition before


def changes(pack: ExecutedPack, before: ExecutedPack | None, context: EditionContext) -> dict[str, Any]:
    """What the section on changes shows: which edition was before, and a row for each indicator that differs."""
    if context.edition.previous is None:
        return {"is_first": True}
    title = context.before.title if context.before else context.edition.previous
    if before is None:
        return {"is_first": False, "before": title, "is_new": True}
    now, then = indicator_findings(pack.findings), indicator_findings(before.findings)
    rows = [
        _change(indicator, now[key], then[key])
        for key in context.indicators
        if key in now
        and key in then
        and (indicator := definition(now[key]))
        and _differs(now[key], then[key], indicator)
    ]
    return {"is_first": False, "before": title, "is_new": False, "rows": rows}


def _differs(now: Mapping[str, Any], then: Mapping[str, Any], indicator: Definition) -> bool:
    """Whether a reader would see a difference: in the period, the value as it is read, the word or a flag."""

    def visible(finding: Mapping[str, Any]) -> tuple[object, ...]:
        status = _status(finding), finding["flagged"], synthetic.is_synthetic(finding)
        return finding["period"], reading(finding["value"], indicator), status

    return visible(now) != visible(then)


def _change(indicator: Definition, now: Mapping[str, Any], then: Mapping[str, Any]) -> dict[str, Any]:
    both = now["value"] is not None and then["value"] is not None
    return {
        "link": link(anchor(now), indicator.short_name),
        "badge": synthetic.badge(now, then),
        "then": _value(then, indicator),
        "now": _value(now, indicator),
        "change": signed(now["value"] - then["value"], indicator.decimals) if both else "",
        "comment": _comment(now, then),
    }


def _value(finding: Mapping[str, Any], indicator: Definition) -> tuple[str, str]:
    limits = interval(finding, indicator)
    return reading(finding["value"], indicator), f"{limits}, {finding['period']}" if limits else finding["period"]


def _comment(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    if now["flagged"] or then["flagged"]:
        return "Flagged in one of the two, so not compared."
    if synthetic.is_synthetic(now) != synthetic.is_synthetic(then):
        return "Only one of the two rests on synthetic records, so not compared."
    sentences = []
    if now["period"] == then["period"]:
        sentences.append("Revised for the same period.")
    elif all(finding[end] is not None for finding in (now, then) for end in ("lower", "upper")):
        apart = now["lower"] > then["upper"] or now["upper"] < then["lower"]
        sentences.append("The intervals do not overlap." if apart else "The intervals overlap.")
    if (was := _status(then)) != (is_now := _status(now)):
        sentences.append(f"Was {was}, is {is_now}.")
    return " ".join(sentences)


def _status(finding: Mapping[str, Any]) -> str:
    """How it stands to its headline comparator, in words."""
    comparison = headline_comparison(finding)
    if comparison is None:
        return NOT_COMPARED
    judged = comparison["status"] if comparison["status"] != NOT_COMPARED else comparison["direction"]
    return f"{judged} {'to' if judged == 'similar' else 'than'} {comparison['comparator']}" if judged else NOT_COMPARED
