"""One row of a spine chart, as SVG: the range of the areas compared, and on it the area and its comparators.

The headline comparator is the upright line in the middle of every row, so that one look down a page tells on which side
of it the area lies, how far out, and how surely. Lower is always on the left. Shapes tell everything that colours do;
colours come from the page's style sheet, so that light, dark and print each have their own.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cbs_analysis.evidence.wording import level_name, number
from cbs_analysis.geography import SIMILAR, Geography
from cbs_analysis.publishing.markup import text
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.synthetic import ending

WIDTH, HEIGHT, LINE, EDGE = 260, 42, 16, 10
SHAPES: Mapping[str, str] = {
    "circle": "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0z",
    "diamond": "M0,-7.5L7.5,0L0,7.5L-7.5,0z",
    "square": "M-5.5,-5.5h11v11h-11z",
    "crossed": "M-6,0a6,6 0 1,0 12,0a6,6 0 1,0 -12,0zM-4,-4L4,4M-4,4L4,-4",
    "triangle": "M0,-6L5.5,4H-5.5z",
    "cross": "M-1.6,-5.5h3.2v3.9h3.9v3.2h-3.9v3.9h-3.2v-3.9h-3.9v-3.2h3.9z",
    "small-diamond": "M0,-5.5L4,0L0,5.5L-4,0z",
}
# The same shapes as the words of `markup.STATUSES`; a square where neither side is better.
STATUS_SHAPES = {"better": "circle", "similar": "circle", "worse": "diamond", "not compared": "square"}
COMPARATOR_SHAPES = {"similar": "cross", "national": "small-diamond", "group": "triangle"}


@dataclass(frozen=True)
class Scale:
    """Values to places from left to right, the middle one at `centre`."""

    centre: float
    reach: float

    def __call__(self, value: float) -> float:
        half = WIDTH / 2 - EDGE
        return WIDTH / 2 + (value - self.centre) / self.reach * half


def spine(finding: Mapping[str, Any], geography: Geography, decimals: int) -> str:
    """The row of a finding that knows the range of those compared; empty where it does not, or has no value."""
    peers, value = finding.get("peers"), finding["value"]
    if not peers or value is None:
        return ""
    headline = headline_comparison(finding)
    middle = headline["value"] if headline and headline["value"] is not None else peers["median"]
    others = [item for item in finding["comparisons"] if item["value"] is not None and item is not headline]
    ends = [value, finding["lower"], finding["upper"], peers["lowest"], peers["highest"]]
    seen = [end for end in ends + [item["value"] for item in others] if end is not None]
    scale = Scale(middle, max(abs(end - middle) for end in seen) or 1.0)
    said = described(finding, peers, headline, geography, decimals)
    return (
        f'<svg class="cbs-spine" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{text(said)}">'
        f"{_range(peers, scale, lambda shown: number(shown, decimals))}"
        f'<path class="m" d="M{_at(scale(middle))},2V{2 * LINE - 2}"/>'
        f"{''.join(_comparator(item, geography, scale) for item in others)}"
        f"{_own(finding, headline, scale)}</svg>"
    )


def described(
    finding: Mapping[str, Any],
    peers: Mapping[str, float],
    headline: Mapping[str, Any] | None,
    geography: Geography,
    decimals: int,
) -> str:
    """The row in words, for those who cannot see it."""

    def shown(value: float) -> str:
        return number(value, decimals)

    limits = "" if finding["lower"] is None else f" ({shown(finding['lower'])} to {shown(finding['upper'])})"
    against = headline if headline and headline["value"] is not None else None
    beside = f"; {against['comparator']} {shown(against['value'])}" if against else ""
    level = level_name(geography.levels[0], plural=True)
    return (
        f"{finding['area_name']} {shown(finding['value'])}{limits}{beside}; {peers['count']} {level} from "
        f"{shown(peers['lowest'])} to {shown(peers['highest'])}, half of them from {shown(peers['lower_quartile'])} to "
        f"{shown(peers['upper_quartile'])}{ending(finding)}"
    )


def kind(comparison: Mapping[str, Any], geography: Geography) -> str:
    """How a comparator that is not the headline is drawn: similar areas, the nation, or a group of the geography."""
    if comparison["comparator_code"] == SIMILAR:
        return "similar"
    return "national" if comparison["comparator_code"] == geography.national.code else "group"


def key_mark(shape: str, css: str) -> str:
    """A shape by itself, for a key."""
    return f'<svg class="cbs-spine-key" viewBox="-9 -9 18 18" aria-hidden="true">{_shape(shape, css, 0, 0)}</svg>'


def _range(peers: Mapping[str, float], scale: Scale, shown: Callable[[float], str]) -> str:
    low, high = scale(peers["lowest"]), scale(peers["highest"])
    inner, outer = scale(peers["lower_quartile"]), scale(peers["upper_quartile"])
    return (
        f'<path class="r" d="M{_at(low)},{LINE - 5}H{_at(high)}v10H{_at(low)}z"/>'
        f'<path class="q" d="M{_at(inner)},{LINE - 5}H{_at(outer)}v10H{_at(inner)}z"/>'
        f"{_label(low, shown(peers['lowest']))}{_label(high, shown(peers['highest']))}"
    )


def _label(place: float, label: str) -> str:
    side = "start" if place < 2.5 * EDGE else "end" if place > WIDTH - 2.5 * EDGE else "middle"
    edge = {"start": max(place - EDGE, 0), "end": min(place + EDGE, WIDTH), "middle": place}[side]
    return f'<text x="{_at(edge)}" y="{HEIGHT - 2}" text-anchor="{side}">{text(label)}</text>'


def _comparator(item: Mapping[str, Any], geography: Geography, scale: Scale) -> str:
    drawn = kind(item, geography)
    return _shape(COMPARATOR_SHAPES[drawn], drawn, scale(item["value"]))


def _own(finding: Mapping[str, Any], headline: Mapping[str, Any] | None, scale: Scale) -> str:
    status = "flagged" if finding["flagged"] else headline["status"] if headline else "not compared"
    if headline and status == "not compared" and headline["direction"] == "similar":
        status = "similar"  # which is the same where neither side is better
    limits = ""
    if finding["lower"] is not None and finding["upper"] is not None:
        limits = f'<path class="i" d="M{_at(scale(finding["lower"]))},{LINE}H{_at(scale(finding["upper"]))}"/>'
    shape = STATUS_SHAPES.get(status, "crossed")
    return limits + _shape(shape, f"own {status.replace(' ', '-')}", scale(finding["value"]))


def _shape(shape: str, css: str, x: float, y: float = LINE) -> str:
    return f'<path class="{css}" transform="translate({_at(x)},{y})" d="{SHAPES[shape]}"/>'


def _at(place: float) -> str:
    shown = f"{place:.1f}" if math.isfinite(place) else "0"
    return shown.removesuffix(".0")
