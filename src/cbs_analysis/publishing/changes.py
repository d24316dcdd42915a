"""What has changed in a pack since the edition before: each indicator's value then and now, and its standing.

For whoever read last year's pack. Both sides are read out of executed notebooks. A value that was revised for the same
period is named as that, and is no change in the area. Whether a change is beyond chance is said only as far as the
intervals tell: where they do not overlap.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cbs_analysis.edition import Edition, Indicator
from cbs_analysis.evidence.wording import number, signed
from cbs_analysis.publishing import markup, synthetic
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.markup import link, raw, text
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.standings import anchor, indicator_findings

HEADING = "What changed since the last data cut"
FIRST = "This is the first edition, so there is nothing to compare it with yet."


def changes_section(pack: ExecutedPack, before: ExecutedPack | None, edited: Edited) -> list[str]:
    """The section of a pack's first page. `before` is the area's pack in the edition before, where there is one."""
    return [markup.heading(HEADING), raw(_shown(pack, before, edited))]


def _shown(pack: ExecutedPack, before: ExecutedPack | None, edited: Edited) -> str:
    if edited.before is None:
        return f'<p class="cbs-minor">{FIRST}</p>'
    if before is None:
        return f'<p class="cbs-minor">No pack of this area was made in {text(edited.before.title)}.</p>'
    now, then = indicator_findings(pack.findings), indicator_findings(before.findings)
    rows = [
        _row(indicator, now[key], then[key])
        for key, indicator in edited.indicators.items()
        if key in now and key in then and _differs(now[key], then[key], indicator)
    ]
    return _table(rows, edited.before) if rows else f"<p>Nothing has changed since {text(edited.before.title)}.</p>"


def _differs(now: Mapping[str, Any], then: Mapping[str, Any], indicator: Indicator) -> bool:
    """Whether a reader would see a difference: in the period, the value as it is read, the word or a flag."""
    return any(
        read(now) != read(then)
        for read in (
            lambda finding: finding["period"],
            lambda finding: markup.reading(finding["value"], indicator),
            lambda finding: (_status(finding), finding["flagged"], bool(synthetic.said(finding))),
        )
    )


def _table(rows: Sequence[str], before: Edition) -> str:
    heads = "".join(
        f'<th scope="col"{css}>{title}</th>'
        for title, css in (
            ("Indicator", ""),
            (text(before.title), ' class="cbs-number"'),
            ("Now", ' class="cbs-number cbs-own"'),
            ("Change", ' class="cbs-number"'),
            ("What to make of it", ""),
        )
    )
    return (
        f'<div class="cbs-scroll" tabindex="0" role="group" aria-label="{HEADING}">'
        f'<table class="cbs-table cbs-changes">'
        f"<caption>{HEADING}</caption><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(indicator: Indicator, now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    both = now["value"] is not None and then["value"] is not None
    change = signed(now["value"] - then["value"], indicator.decimals) if both else ""
    return (
        f'<tr><th scope="row">{link(anchor(now), indicator.short_name)}{synthetic.badge(now, then)}</th>'
        f'<td class="cbs-number">{_value(then, indicator)}</td>'
        f'<td class="cbs-number cbs-own">{_value(now, indicator)}</td>'
        f'<td class="cbs-number">{text(change)}</td><td>{text(_reading(now, then))}</td></tr>'
    )


def _value(finding: Mapping[str, Any], indicator: Indicator) -> str:
    limits = ""
    if finding["lower"] is not None and finding["upper"] is not None:
        limits = f"{number(finding['lower'], indicator.decimals)} to {number(finding['upper'], indicator.decimals)}, "
    minor = f'<span class="cbs-minor">{text(limits + finding["period"])}</span>'
    return f"{text(markup.reading(finding['value'], indicator))}{minor}"


def _reading(now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    if now["flagged"] or then["flagged"]:
        return "Flagged in one of the two, so not compared."
    if bool(synthetic.said(now)) != bool(synthetic.said(then)):
        return "Only one of the two rests on synthetic records, so not compared."
    said = []
    if now["period"] == then["period"]:
        said.append("Revised for the same period.")
    elif all(finding[end] is not None for finding in (now, then) for end in ("lower", "upper")):
        apart = now["lower"] > then["upper"] or now["upper"] < then["lower"]
        said.append("The intervals do not overlap." if apart else "The intervals overlap.")
    if (was := _status(then)) != (is_now := _status(now)):
        said.append(f"Was {was}, is {is_now}.")
    return " ".join(said)


def _status(finding: Mapping[str, Any]) -> str:
    """How it stands to its headline comparator, in words."""
    comparison = headline_comparison(finding)
    if comparison is None:
        return "not compared"
    judged = comparison["status"] if comparison["status"] != "not compared" else comparison["direction"]
    return (
        f"{judged} {'to' if judged == 'similar' else 'than'} {comparison['comparator']}" if judged else "not compared"
    )
