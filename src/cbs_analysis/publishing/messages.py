"""Which findings a pack leads with: at most seven, for a commissioner with ten minutes.

A message's score is how far the area is from its comparator, times how sure that is, times how many people it
is about. The rule is described for readers in `book/reading-a-pack.md`; change both together. Findings that rest on
synthetic records are in an order of their own, apart from it: nobody should act on them.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cbs_analysis.evidence.finding import Definition
from cbs_analysis.publishing.packs import definition
from cbs_analysis.publishing.synthetic import is_synthetic

LIMIT = 7
BY_VALUE = "By the values alone: no interval was published."
WITHOUT_INTERVAL = 0.5
FULL_WEIGHT_PEOPLE = 10_000
PEOPLE_WHERE_NOT_COUNTED = 1_000
Z95 = 1.959964


@dataclass(frozen=True)
class Message:
    """A finding with its place in the order of evidence. `direction` is how it stands to its comparator."""

    finding: dict[str, Any]
    indicator: Definition
    comparison: dict[str, Any]
    direction: str
    distance: float
    sureness: float
    weight: float

    @property
    def score(self) -> float:
        return self.distance * self.sureness * self.weight

    @property
    def has_interval(self) -> bool:
        return self.sureness != WITHOUT_INTERVAL

    @property
    def headline(self) -> str:
        """'Day case rate: lower than London'."""
        return f"{self.indicator.name}: {self.direction} than {self.comparison['comparator']}"


def rank_messages(findings: Iterable[dict[str, Any]], limit: int = LIMIT) -> list[Message]:
    """The findings that most deserve a reader's time, best first, one for each indicator.

    Never a flagged finding, never one that rests on synthetic records, never a mere size, and never one that is not
    higher or lower than its headline comparator. Ties keep the order of the findings.
    """
    return _ranked((finding for finding in findings if not is_synthetic(finding)), limit)


def rank_synthetic(findings: Iterable[dict[str, Any]], limit: int = LIMIT) -> list[Message]:
    """The same of findings that rest on synthetic records, which are shown apart and labelled."""
    return _ranked(filter(is_synthetic, findings), limit)


def _ranked(findings: Iterable[dict[str, Any]], limit: int) -> list[Message]:
    candidates = [message for finding in findings if (message := _message(finding))]
    ranked = sorted(candidates, key=lambda message: -message.score)
    first = {message.indicator.id: message for message in reversed(ranked)}
    return [message for message in ranked if first[message.indicator.id] is message][:limit]


def headline_comparison(finding: Mapping[str, Any]) -> dict[str, Any] | None:
    """The comparison that messages are about, where the finding has it."""
    return next((item for item in finding["comparisons"] if item["comparator_code"] == finding["headline"]), None)


def sureness(finding: Mapping[str, Any], other: float, indicator: Definition) -> float:
    """How sure it is that the area differs from its comparator, from 0 to 1.

    1 less the two-sided probability of a difference as large by chance, from the limit that lies towards the
    comparator, read as 1.96 standard errors. A complete count is sure; a published estimate without an
    interval is half sure.
    """
    value, lower, upper = finding["value"], finding["lower"], finding["upper"]
    if lower is None or upper is None:
        return 1.0 if indicator.interval == "complete count" else WITHOUT_INTERVAL
    error = (value - lower if other < value else upper - value) / Z95
    return math.erf(abs(value - other) / error / math.sqrt(2)) if error > 0 else 1.0


def people_weight(people: float | None) -> float:
    """1 at 10,000 people or events, rising by a quarter for each ten times as many; middling where none are
    counted.
    """
    counted = PEOPLE_WHERE_NOT_COUNTED if people is None else max(people, 0.0)
    return math.log10(1 + counted) / math.log10(FULL_WEIGHT_PEOPLE)


def _message(finding: dict[str, Any]) -> Message | None:
    indicator, comparison = definition(finding), headline_comparison(finding)
    if indicator is None or comparison is None or finding["flagged"] or indicator.is_size:
        return None
    value, other, spread = finding["value"], comparison["value"], finding["spread"]
    if value is None or other is None or not spread:
        return None
    direction = _direction(value, other, comparison, indicator)
    if direction not in ("higher", "lower"):
        return None
    return Message(
        finding=finding,
        indicator=indicator,
        comparison=comparison,
        direction=direction,
        distance=abs(value - other) / spread,
        sureness=sureness(finding, other, indicator),
        weight=people_weight(finding["people"]),
    )


def _direction(value: float, other: float, comparison: Mapping[str, Any], indicator: Definition) -> str:
    """As the finding says; by the values alone where the estimate was published without an interval."""
    if comparison["direction"] or indicator.interval != "not published" or value == other:
        return str(comparison["direction"])
    return "higher" if value > other else "lower"
