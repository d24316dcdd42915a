"""One indicator across all areas of an edition, read out of their packs: what maps, tables and comparing pages show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cbs_analysis.edition import Indicator
from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.geography import Area
from cbs_analysis.publishing.edited import Edited
from cbs_analysis.publishing.findings import ExecutedPack
from cbs_analysis.publishing.messages import headline_comparison, is_size
from cbs_analysis.publishing.standings import anchor, indicator_findings
from cbs_analysis.publishing.synthetic import said
from cbs_analysis.stats.inequality import assign_quantile

FIFTHS = 5


@dataclass(frozen=True)
class Standing:
    """An area's finding of one indicator, None where its pack has none, and whether its pack was made at all.

    `fifth` is its fifth of the leaf areas by value, 1 the lowest; 0 where it has no value that is believed, or is a
    group.
    """

    area: Area
    group: Area | None
    finding: Mapping[str, Any] | None
    is_made: bool
    fifth: int = 0

    @property
    def value(self) -> float | None:
        return None if self.finding is None else self.finding["value"]

    @property
    def is_flagged(self) -> bool:
        return self.finding is not None and bool(self.finding["flagged"])

    @property
    def is_synthetic(self) -> bool:
        return bool(said(self.finding))

    @property
    def word(self) -> str:
        """How it stands to its headline comparator, see `judged_word`."""
        return NOT_COMPARED if self.finding is None or self.value is None else judged_word(self.finding)

    @property
    def address(self) -> str:
        """Where its finding, or else its pack, stands, from the book's root; empty where its pack was not made."""
        if not self.is_made:
            return ""
        return f"packs/{self.area.code}/{anchor(self.finding) if self.finding else 'index.html'}"


def judged_word(finding: Mapping[str, Any]) -> str:
    """Better, similar or worse than its headline comparator; higher or lower where neither is better; or flagged."""
    if finding["flagged"]:
        return "flagged"
    found = headline_comparison(finding)
    if found is None:
        return NOT_COMPARED
    return str(found["direction"] or NOT_COMPARED) if found["status"] == NOT_COMPARED else str(found["status"])


class Across:
    """Every area's finding of every indicator."""

    def __init__(self, edited: Edited, packs: Mapping[str, ExecutedPack]) -> None:
        self._edited, self._packs = edited, packs
        self._found = {code: indicator_findings(pack.findings) for code, pack in packs.items()}

    def leaves(self, indicator: str) -> list[Standing]:
        """The leaf areas, by name."""
        geography = self._edited.geography
        areas = sorted((area for area in geography.areas.values() if area.is_leaf), key=lambda area: area.name)
        return _with_fifths([self._standing(area, indicator) for area in areas])

    def groups(self, indicator: str) -> list[Standing]:
        """The groups, the whole last, as the geography lists them."""
        areas = [area for area in self._edited.geography.areas.values() if not area.is_leaf]
        return [self._standing(area, indicator) for area in sorted(areas, key=lambda area: area.is_whole)]

    def comparable(self) -> list[Indicator]:
        """The indicators that areas can be set side by side by: rates and shares that some leaf has a value of."""
        return [
            item
            for key, item in self._edited.indicators.items()
            if not is_size(item) and any(standing.value is not None for standing in self.leaves(key))
        ]

    def first(self) -> Indicator | None:
        """What a map shows first: of the indicators with a better side, the first that most leaves have; else any. One
        that rests on synthetic records only where there is no other.
        """
        comparable = self.comparable()
        known = [item for item in comparable if not self.is_synthetic(item.id)] or comparable
        judged = [item for item in known if item.polarity != "none"] or known
        return max(judged, key=lambda item: sum(each.value is not None for each in self.leaves(item.id)), default=None)

    def is_synthetic(self, indicator: str) -> bool:
        """Whether any area's finding of it rests on synthetic records."""
        return any(said(found.get(indicator)) for found in self._found.values())

    def _standing(self, area: Area, indicator: str) -> Standing:
        group = self._edited.geography.area(area.parent) if area.parent else None
        finding = self._found.get(area.code, {}).get(indicator)
        return Standing(area, group, finding, area.code in self._packs)


def believed(standings: Iterable[Standing]) -> list[Standing]:
    """Those with a value that is not flagged."""
    return [each for each in standings if each.value is not None and not each.is_flagged]


def _with_fifths(standings: Sequence[Standing]) -> list[Standing]:
    known = believed(standings)
    if len(known) < FIFTHS:
        return list(standings)
    values = np.array([each.value for each in known], dtype=float)
    fifths = dict(
        zip((each.area.code for each in known), assign_quantile(values, FIFTHS, high_is_first=False), strict=True)
    )
    return [
        Standing(each.area, each.group, each.finding, each.is_made, int(fifths.get(each.area.code, 0)))
        for each in standings
    ]
