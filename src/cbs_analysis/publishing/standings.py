"""How an area stands on each indicator, read out of its findings, for pages and exports that set them side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.wording import AS_A_COMPARATOR
from cbs_analysis.publishing import markup
from cbs_analysis.publishing.messages import headline_comparison


@dataclass(frozen=True)
class Comparator:
    """What findings hold an area against: its code, its name, and its members where it was made for the area."""

    code: str
    name: str
    members: tuple[str, ...]


def anchor(finding: Mapping[str, Any]) -> str:
    """Where a finding stands, from its pack's first page."""
    return f"{finding['chapter']}.html#{str(finding['id']).rpartition('.')[2]}"


def indicator_findings(findings: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The finding of each indicator: the first with a value, else the first."""
    found: dict[str, dict[str, Any]] = {}
    for finding in findings:
        held = found.get(finding["indicator"])
        if finding["indicator"] and (held is None or (held["value"] is None and finding["value"] is not None)):
            found[finding["indicator"]] = finding
    return found


def stands(finding: Mapping[str, Any], indicator: Indicator) -> tuple[str, str]:
    """How the area stands to its headline comparator: a word of `markup.STATUSES`, and what is said beside it."""
    if finding["flagged"]:
        return "flagged", ""
    against = headline_comparison(finding)
    if against is None or against["value"] is None or finding["value"] is None:
        return NOT_COMPARED, ""
    name, way, status = against["comparator"], against["direction"], against["status"]
    if status == NOT_COMPARED and way:
        return str(way), f"{'to' if way == 'similar' else 'than'} {name}"
    if status == NOT_COMPARED:
        return NOT_COMPARED, _untested(finding["value"] - against["value"], name, indicator)
    if way in markup.ARROWS:
        return str(status), f"{markup.ARROWS[way]} {way} than {name}"
    return str(status), f"to {name}" if way == "similar" else ""


def _untested(difference: float, name: str, indicator: Indicator) -> str:
    if indicator.interval != "not published":
        return ""
    way = "higher than" if difference > 0 else "lower than" if difference < 0 else "the same as"
    return f"{way} {name} by value alone"


def without_flagged(findings: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What comparators are without, as 'London is without Newham, ...', each with the findings it holds for."""
    said: dict[str, list[str]] = {}
    for finding in findings:
        for caveat in finding["caveats"]:
            if caveat.startswith(AS_A_COMPARATOR):
                said.setdefault(caveat.removeprefix(AS_A_COMPARATOR), []).append(finding["title"])
    return said


def comparators_in(findings: Iterable[Mapping[str, Any]]) -> list[Comparator]:
    """What findings hold the area against: in the order of the finding that holds it against most."""
    held = sorted((finding["comparisons"] for finding in findings), key=len, reverse=True)
    found: dict[str, Comparator] = {}
    for item in (item for comparisons in held for item in comparisons):
        code = item["comparator_code"]
        found.setdefault(code, Comparator(code, item["comparator"], tuple(item.get("comparator_members", ()))))
    return list(found.values())
