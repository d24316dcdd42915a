"""How areas stand on each indicator, read out of their findings: what tables, maps and indicator pages show.

For one area, across its indicators; for one indicator, across the areas of an edition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.pack_facts import AreaFacts
from cbs_analysis.evidence.wording import AS_A_COMPARATOR
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack
from cbs_analysis.publishing.synthetic import is_synthetic
from cbs_analysis.publishing.templating import ARROWS

FLAGGED = "flagged"
POLARITY = {
    "high is good": "higher is better",
    "low is good": "lower is better",
    "none": "neither way is better, so it is not judged",
}
BETTER_SIDE = {**POLARITY, "none": ""}
KEY = (
    "A value is better, similar or worse by its 95% interval, or as it stands where it is a complete "
    "count, against the comparator named beside it. It is "
    "not compared where neither way is better, or where no interval was published."
)
FAILED_ROW = "missing: its chapter is not in this pack"
ABSENT_ROW = "not available for this area"


@dataclass(frozen=True)
class Comparator:
    """What findings compare the area with: its code, its name, and its members where it was made for the area."""

    code: str
    name: str
    members: tuple[str, ...]


@dataclass(frozen=True)
class AreaValue:
    """An area's finding of one indicator, None where its pack has none, and whether its pack was made at all."""

    area: AreaFacts
    group: AreaFacts | None
    finding: Mapping[str, Any] | None
    is_made: bool

    @property
    def value(self) -> float | None:
        return None if self.finding is None else self.finding["value"]

    @property
    def is_flagged(self) -> bool:
        return self.finding is not None and bool(self.finding["flagged"])

    @property
    def fifth(self) -> int:
        """The area's fifth of the leaves by value, 1 the lowest; 0 where it has none."""
        return self.finding["fifth"] or 0 if self.finding and not self.is_flagged else 0

    @property
    def word(self) -> str:
        """How it stands to its headline comparator, see `status_word`."""
        return NOT_COMPARED if self.finding is None or self.value is None else status_word(self.finding)

    @property
    def address(self) -> str:
        """Where its finding, or else its pack, stands, from the book's root; empty where its pack was not made."""
        if not self.is_made:
            return ""
        return f"packs/{self.area.code}/{anchor(self.finding) if self.finding else 'index.html'}"


def status_word(finding: Mapping[str, Any]) -> str:
    """Better, similar or worse than its headline comparator; higher or lower where neither is better; or flagged."""
    if finding["flagged"]:
        return FLAGGED
    against = headline_comparison(finding)
    if against is None:
        return NOT_COMPARED
    return str(against["direction"] or NOT_COMPARED if against["status"] == NOT_COMPARED else against["status"])


def status_beside(finding: Mapping[str, Any], indicator: Definition) -> tuple[str, str]:
    """How the area stands to its headline comparator: a word of `templating.STATUSES`, and what is said beside it."""
    if finding["flagged"]:
        return FLAGGED, ""
    against = headline_comparison(finding)
    if against is None or against["value"] is None or finding["value"] is None:
        return NOT_COMPARED, ""
    name, way, status = against["comparator"], against["direction"], against["status"]
    if status == NOT_COMPARED and way:
        return str(way), f"{'to' if way == 'similar' else 'than'} {name}"
    if status == NOT_COMPARED:
        return NOT_COMPARED, _untested(finding["value"] - against["value"], name, indicator)
    if way in ARROWS:
        return str(status), f"{ARROWS[way]} {way} than {name}"
    return str(status), f"to {name}" if way == "similar" else ""


def _untested(difference: float, name: str, indicator: Definition) -> str:
    if indicator.interval != "not published":
        return ""
    way = "higher than" if difference > 0 else "lower than" if difference < 0 else "the same as"
    return f"{way} {name} by value alone"


def anchor(finding: Mapping[str, Any]) -> str:
    """Where a finding stands, from its pack's first page."""
    return f"{finding['chapter']}.html#{str(finding['id']).rpartition('.')[2]}"


def indicator_findings(findings: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The finding of each indicator: the first with a value, else the first."""
    by_indicator: dict[str, dict[str, Any]] = {}
    for finding in findings:
        known = by_indicator.get(finding["indicator"])
        if finding["indicator"] and (known is None or (known["value"] is None and finding["value"] is not None)):
            by_indicator[finding["indicator"]] = finding
    return by_indicator


def without_flagged(findings: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What comparators are without, as 'London is without Newham, ...', each with the findings it holds for."""
    titles: dict[str, list[str]] = {}
    for finding in findings:
        for caveat in finding["caveats"]:
            if caveat.startswith(AS_A_COMPARATOR):
                titles.setdefault(caveat.removeprefix(AS_A_COMPARATOR), []).append(finding["title"])
    return titles


def comparators_in(findings: Iterable[Mapping[str, Any]]) -> list[Comparator]:
    """What findings compare the area with: in the order of the finding that has most comparators."""
    longest_first = sorted((finding["comparisons"] for finding in findings), key=len, reverse=True)
    comparators: dict[str, Comparator] = {}
    for item in (item for comparisons in longest_first for item in comparisons):
        code, members = item["comparator_code"], tuple(item.get("comparator_members", ()))
        comparators.setdefault(code, Comparator(code, item["comparator"], members))
    return list(comparators.values())


def why_absent(indicator: str, pack: ExecutedPack, context: EditionContext) -> str:
    """Why a pack has no value of an indicator that other packs have."""
    failed = {failure.chapter for failure in pack.failures}
    return FAILED_ROW if context.made_by[indicator] in failed else ABSENT_ROW


class IndicatorValues:
    """Every area's finding of every indicator."""

    def __init__(self, context: EditionContext, packs: Mapping[str, ExecutedPack]) -> None:
        self._context, self._packs = context, packs
        self._findings = {code: indicator_findings(pack.findings) for code, pack in packs.items()}

    def leaves(self, indicator: str) -> list[AreaValue]:
        """The leaf areas, by name."""
        areas = (area for area in self._context.geography.areas.values() if area.is_leaf)
        return [self._value(area, indicator) for area in sorted(areas, key=lambda area: area.name)]

    def groups(self, indicator: str) -> list[AreaValue]:
        """The groups, the whole last, as the geography lists them."""
        areas = [area for area in self._context.geography.areas.values() if not area.is_leaf]
        return [self._value(area, indicator) for area in sorted(areas, key=lambda area: area.is_whole)]

    def comparable(self) -> list[Definition]:
        """The indicators that areas can be set side by side by: rates and shares that some leaf has a value of."""
        return [
            item
            for key, item in self._context.indicators.items()
            if not item.is_size and any(each.value is not None for each in self.leaves(key))
        ]

    def first(self) -> Definition | None:
        """What a map shows first: of the indicators with a better side, the first that most leaves have; else any. One
        that rests on synthetic records only where there is no other.
        """
        comparable = self.comparable()
        known = [item for item in comparable if not self.is_synthetic(item.id)] or comparable
        judged = [item for item in known if item.polarity != "none"] or known
        return max(judged, key=lambda item: sum(each.value is not None for each in self.leaves(item.id)), default=None)

    def is_synthetic(self, indicator: str) -> bool:
        """Whether any area's finding of it rests on synthetic records."""
        return any(is_synthetic(findings.get(indicator)) for findings in self._findings.values())

    def funnel(self, indicator: str) -> Mapping[str, Any] | None:
        """The funnel of the leaves, from the finding of the whole; None where it has none, or no pack."""
        finding = self._findings.get(self._context.geography.whole.code, {}).get(indicator)
        return finding["funnel"] if finding else None

    def _value(self, area: AreaFacts, indicator: str) -> AreaValue:
        group = self._context.geography.area(area.parent) if area.parent else None
        finding = self._findings.get(area.code, {}).get(indicator)
        return AreaValue(area, group, finding, area.code in self._packs)


def believed(values: Sequence[AreaValue]) -> list[AreaValue]:
    """Those with a value that is not flagged."""
    return [each for each in values if each.value is not None and not each.is_flagged]
