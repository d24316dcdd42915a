"""The label of figures that rest on synthetic records: in words, whatever is shown and wherever it goes.

A finding says of itself whether it rests on them.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup, escape

from cbs_analysis.evidence.finding import SYNTHETIC, SYNTHETIC_ENDING, SYNTHETIC_LABEL

BADGE = Markup('<span class="cbs-synthetic">{}</span>').format(SYNTHETIC_LABEL)
MESSAGES = "From synthetic records"
NOT_TO_ACT_ON = (
    "The figures below are of no real person: this project made the records. They show what such records can tell, and "
    "are nothing to act on."
)


def is_synthetic(finding: Mapping[str, Any] | None) -> bool:
    """Whether a finding rests on synthetic records; not where it rests on published figures, or is not there."""
    return bool(finding and finding.get("synthetic"))


def sentence(finding: Mapping[str, Any]) -> str:
    """What a finding says of its synthetic records; empty where it rests on published figures."""
    return str(finding.get("synthetic") or "")


def ending(*findings: Mapping[str, Any] | None) -> str:
    """How a title ends: ' (synthetic records)' where any of the findings rests on them, else nothing."""
    return SYNTHETIC_ENDING if any(map(is_synthetic, findings)) else ""


def badge(*findings: Mapping[str, Any] | None) -> Markup:
    """The label as HTML, to stand beside a name; empty where none of the findings rests on synthetic records."""
    return BADGE if ending(*findings) else Markup()


def banner(findings: Iterable[Mapping[str, Any]], whole: str, part: str) -> Markup:
    """What stands above findings as HTML: `whole` is what all of them make up, `part` what one of them is called.

    Empty where none rests on synthetic records.
    """
    words = summary(findings, whole, part)
    if not words:
        return Markup()
    return Markup('<p class="cbs-synthetic cbs-synthetic-all"><strong>{}</strong></p>').format(escape(words))


def summary(findings: Iterable[Mapping[str, Any]], whole: str, part: str) -> str:
    """The same as text: what the records are, then 'All of this chapter rests on them.'"""
    are = [is_synthetic(finding) for finding in findings]
    if not any(are):
        return ""
    rests = f"All of {whole} rests on them." if all(are) else f"Each {part} that rests on them says so."
    return f"{SYNTHETIC} {rests}"


def source_title(citation: Mapping[str, Any]) -> str:
    """A cited table's title, which says that its figures are synthetic where they are."""
    title = str(citation["title"])
    return f"{title}{SYNTHETIC_ENDING}" if citation.get("synthetic") and "synthetic" not in title.lower() else title


def indicators_of(findings: Iterable[Mapping[str, Any]]) -> set[str]:
    """The ids of the indicators of those findings that rest on synthetic records."""
    return {finding["indicator"] for finding in findings if finding["indicator"] and is_synthetic(finding)}
