"""What is said wherever figures rest on synthetic records: a label in words, whatever is shown and wherever it goes.

Findings say of themselves whether they do. Notebooks executed before findings said so rest on published figures.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from cbs_analysis.evidence.finding import SYNTHETIC, SYNTHETIC_ENDING, SYNTHETIC_LABEL
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.markup import text

BADGE = f'<span class="cbs-synthetic">{text(SYNTHETIC_LABEL)}</span>'
MESSAGES = "From synthetic records"
NOT_TO_ACT_ON = (
    "The figures below are of no real person: this project made the records. They show what such records can tell, and "
    "are nothing to act on."
)


def said(finding: Mapping[str, Any] | None) -> str:
    """What a finding says of its synthetic records; empty where it rests on published figures, or is not there."""
    return str(finding.get("synthetic") or "") if finding else ""


def ending(*findings: Mapping[str, Any] | None) -> str:
    """How a title ends: ' (synthetic records)' where any of the findings rests on them, else nothing."""
    return SYNTHETIC_ENDING if any(map(said, findings)) else ""


def badge(*findings: Mapping[str, Any] | None) -> str:
    """The label as HTML, to stand beside a name; empty where none of the findings rests on synthetic records."""
    return BADGE if ending(*findings) else ""


def banner(findings: Iterable[Mapping[str, Any]], whole: str, part: str) -> str:
    """What stands above findings as HTML: `whole` is what all of them make up, `part` what one of them is called.

    Empty where none rests on synthetic records.
    """
    sentence = in_a_sentence(findings, whole, part)
    return f'<p class="cbs-synthetic cbs-synthetic-all"><strong>{text(sentence)}</strong></p>' if sentence else ""


def in_a_sentence(findings: Iterable[Mapping[str, Any]], whole: str, part: str) -> str:
    """The same as text: what the records are, then 'All of this chapter rests on them.'"""
    are = [bool(said(finding)) for finding in findings]
    if not any(are):
        return ""
    rests = f"All of {whole} rests on them." if all(are) else f"Each {part} that rests on them says so."
    return f"{SYNTHETIC} {rests}"


def source_title(citation: Mapping[str, Any]) -> str:
    """A cited table's title, which says that its figures are synthetic where they are."""
    title = str(citation["title"])
    return f"{title}{SYNTHETIC_ENDING}" if citation.get("synthetic") and "synthetic" not in title.lower() else title


def of_indicators(packs: Mapping[str, ExecutedPack]) -> set[str]:
    """The ids of indicators that rest on synthetic records in any of the packs."""
    return {
        finding["indicator"]
        for pack in packs.values()
        for finding in pack.findings
        if finding["indicator"] and said(finding)
    }
