"""Where an area stands on every indicator: the table of a pack's first page, a spine chart in each row.

For a chief executive who asks where the area is out of line, and a statistician who asks by how much and how surely.
A spine chart is the range of the areas compared, and on it the area and its comparators. The headline comparator is the
upright line in the middle of every row, so that one look down a page tells on which side of it the area lies, how far
out, and how surely. Lower is always on the left. Shapes tell everything that colours do; colours come from the page's
style sheet, so that light, dark and print each have their own.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from cbs_analysis.evidence.comparing import NOT_COMPARED
from cbs_analysis.evidence.finding import Definition
from cbs_analysis.evidence.pack_facts import AreaFacts, GeographyFacts
from cbs_analysis.evidence.wording import listed, number
from cbs_analysis.publishing import synthetic
from cbs_analysis.publishing.indicators import (
    BETTER_SIDE,
    FLAGGED,
    KEY,
    Comparator,
    anchor,
    comparators_in,
    indicator_findings,
    status_beside,
    why_absent,
    without_flagged,
)
from cbs_analysis.publishing.messages import headline_comparison
from cbs_analysis.publishing.packs import EditionContext, ExecutedPack, definition
from cbs_analysis.publishing.templating import interval, link, mark, reading, render, unit_apart

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
# The same shapes as the words of `templating.STATUSES`; a square where neither side is better.
STATUS_SHAPES = {"better": "circle", "similar": "circle", "worse": "diamond", NOT_COMPARED: "square"}
COMPARATOR_SHAPES = {"similar": "cross", "national": "small-diamond", "group": "triangle"}
OWN_WORDS = {
    "better": "better",
    "similar": "similar",
    "worse": "worse",
    NOT_COMPARED: "not judged better or worse",
    FLAGGED: "flagged",
}
SIMILAR_FINDING = "population_and_need.similar_areas"


def indicator_section(pack: ExecutedPack, context: EditionContext) -> Markup:
    """The tables, their key, who the similar areas are, and the indicators that no pack has, as HTML.

    Rates and shares, which can be set side by side, come with spine charts; sizes follow, in a table of their own.
    """
    geography = context.geography
    area, findings = geography.area(pack.area_code), indicator_findings(pack.findings)
    comparators = comparators_in(findings.values())
    rows = {False: [], True: []}  # type: dict[bool, list[dict[str, Any]]]
    for key, item in context.shown_in(pack).items():
        finding = findings.get(key)
        row = _row(finding, comparators, geography) if finding else _absent_row(item, pack, context)
        rows[item.is_size].append(row)
    explained = next((finding for finding in pack.findings if finding["id"] == SIMILAR_FINDING), None)
    middle = headline_name(comparators, geography, area)
    html = render(
        "indicator_table.html",
        banner=synthetic.banner(findings.values(), "this section", "row"),
        area=area,
        tables=[
            (title, rows[is_size], not is_size)
            for title, is_size in ((f"{area.name} and its comparators", False), ("Sizes and forecasts", True))
            if rows[is_size]
        ],
        comparators=comparators,
        middle=middle,
        key=KEY,
        own_marks=[
            (key_mark(STATUS_SHAPES.get(status, "crossed"), f"own {status.replace(' ', '-')}"), words)
            for status, words in OWN_WORDS.items()
        ],
        other_marks=[
            (key_mark(COMPARATOR_SHAPES[shape], shape), name)
            for shape, name in {
                comparator_kind(item.code, item.members, geography): item.name
                for item in comparators
                if item.name != middle
            }.items()
        ],
        levels=geography.leaf_words.plural,
        whole=geography.whole.name,
        made=[
            (item.name, listed(geography.area(code).name for code in item.members))
            for item in comparators
            if item.members
        ],
        why=anchor(explained) if explained else "",
        absent=listed(context.absent) if context.absent else "",
        without=[f"{listed(titles)}: {words}" for words, titles in without_flagged(findings.values()).items()],
    )
    return Markup(html)


def headline_name(comparators: Sequence[Comparator], geography: GeographyFacts, area: AreaFacts) -> str:
    """What messages are about: the geography's whole; for the whole itself its first comparator, where it has one."""
    if not area.is_whole:
        return geography.whole.name
    return comparators[0].name if comparators else ""


def _absent_row(item: Definition, pack: ExecutedPack, context: EditionContext) -> dict[str, Any]:
    return {"name": item.short_name, "absent": why_absent(item.id, pack, context)}


def _row(finding: dict[str, Any], comparators: Sequence[Comparator], geography: GeographyFacts) -> dict[str, Any]:
    item = definition(finding)
    if item is None:
        raise ValueError(f"{finding['id']} is about no indicator")
    values = {other["comparator_code"]: other["value"] for other in finding["comparisons"]}
    word, beside = status_beside(finding, item)
    has_value = finding["value"] is not None
    return {
        "name": link(anchor(finding), item.short_name),
        "absent": "",
        "what": ", ".join(part for part in (unit_apart(item), finding["period"], BETTER_SIDE[item.polarity]) if part),
        "badge": synthetic.badge(finding),
        "value": reading(finding["value"], item) if has_value else "",
        "limits": interval(finding, item),
        "mark": mark(word) if has_value else mark(FLAGGED) if finding["flagged"] else "",
        "beside": beside if has_value else link(anchor(finding), "why, and what is known"),
        "spine": spine(finding, geography, item.decimals),
        "others": [
            (other.name, "" if (value := values.get(other.code)) is None else reading(value, item))
            for other in comparators
        ],
    }


# ---- Spine charts


@dataclass(frozen=True)
class Scale:
    """Values to places from left to right, the middle one at `centre`."""

    centre: float
    reach: float

    def __call__(self, value: float) -> float:
        half = WIDTH / 2 - EDGE
        return WIDTH / 2 + (value - self.centre) / self.reach * half


def spine(finding: Mapping[str, Any], geography: GeographyFacts, decimals: int) -> Markup:
    """The row of a finding that knows the range of those compared; empty where it does not, or has no value."""
    peers, value = finding.get("peers"), finding["value"]
    if not peers or value is None:
        return Markup()
    headline = headline_comparison(finding)
    middle = headline["value"] if headline and headline["value"] is not None else peers["median"]
    others = [item for item in finding["comparisons"] if item["value"] is not None and item is not headline]
    ends = [value, finding["lower"], finding["upper"], peers["lowest"], peers["highest"]]
    seen = [end for end in ends + [item["value"] for item in others] if end is not None]
    scale = Scale(middle, max(abs(end - middle) for end in seen) or 1.0)
    opening = Markup('<svg class="cbs-spine" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
        WIDTH, HEIGHT, described(finding, peers, headline, geography, decimals)
    )
    return opening + Markup(
        f"{_range(peers, scale, lambda shown: number(shown, decimals))}"
        f'<path class="m" d="M{_at(scale(middle))},2V{2 * LINE - 2}"/>'
        f"{''.join(_comparator(item, geography, scale) for item in others)}"
        f"{_own(finding, headline, scale)}</svg>"
    )


def described(
    finding: Mapping[str, Any],
    peers: Mapping[str, float],
    headline: Mapping[str, Any] | None,
    geography: GeographyFacts,
    decimals: int,
) -> str:
    """The row in words, for those who cannot see it."""

    def shown(value: float) -> str:
        return number(value, decimals)

    limits = "" if finding["lower"] is None else f" ({shown(finding['lower'])} to {shown(finding['upper'])})"
    against = headline if headline and headline["value"] is not None else None
    beside = f"; {against['comparator']} {shown(against['value'])}" if against else ""
    return (
        f"{finding['area_name']} {shown(finding['value'])}{limits}{beside}; {peers['count']} "
        f"{geography.leaf_words.plural} from {shown(peers['lowest'])} to {shown(peers['highest'])}, half of them from "
        f"{shown(peers['lower_quartile'])} to {shown(peers['upper_quartile'])}{synthetic.ending(finding)}"
    )


def comparator_kind(code: str, members: Sequence[str], geography: GeographyFacts) -> str:
    """How a comparator that is not the headline is drawn: similar areas, which were made for the area and have members,
    the nation, or a group of the geography.
    """
    if members:
        return "similar"
    return "national" if geography.nation and code == geography.nation[0] else "group"


def key_mark(shape: str, css: str) -> Markup:
    """A shape by itself, for a key."""
    return Markup(
        f'<svg class="cbs-spine-key" viewBox="-9 -9 18 18" aria-hidden="true">{_shape(shape, css, 0, 0)}</svg>'
    )


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
    return f'<text x="{_at(edge)}" y="{HEIGHT - 2}" text-anchor="{side}">{label}</text>'


def _comparator(item: Mapping[str, Any], geography: GeographyFacts, scale: Scale) -> str:
    drawn = comparator_kind(item["comparator_code"], item.get("comparator_members", ()), geography)
    return _shape(COMPARATOR_SHAPES[drawn], drawn, scale(item["value"]))


def _own(finding: Mapping[str, Any], headline: Mapping[str, Any] | None, scale: Scale) -> str:
    status = FLAGGED if finding["flagged"] else headline["status"] if headline else NOT_COMPARED
    if headline and status == NOT_COMPARED and headline["direction"] == "similar":
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
