"""How an area stands on each indicator, read out of its findings, for pages and exports that set them side by side."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


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


def comparators_in(findings: Iterable[Mapping[str, Any]]) -> list[Comparator]:
    """What findings hold the area against: in the order of the finding that holds it against most."""
    held = sorted((finding["comparisons"] for finding in findings), key=len, reverse=True)
    found: dict[str, Comparator] = {}
    for item in (item for comparisons in held for item in comparisons):
        code = item["comparator_code"]
        found.setdefault(code, Comparator(code, item["comparator"], tuple(item.get("comparator_members", ()))))
    return list(found.values())
